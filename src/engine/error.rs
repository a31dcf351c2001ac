//! What went wrong: a kind to branch on, a sentence to read, a hint what to do.

use crate::graphdb;
use std::fmt;

/// What sort of failure it is; becomes an exit status or an HTTP status in exactly one place each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The named thing is not there.
    NotFound,
    /// It is there already, or in use, or in another state.
    Conflict,
    /// The request makes no sense as it is.
    Invalid,
    /// This machine or this version does not carry it.
    Unsupported,
    /// Not allowed.
    Denied,
    /// A registry or peer cannot be reached, or keeps failing.
    Unavailable,
    /// What came from outside is not what it says it is.
    Corrupt,
    /// Someone called it off.
    Cancelled,
    /// Called off because the program was told to end (SIGTERM).
    Terminated,
    /// Nobody reads the output any more: the end of a pipe, no failure to talk about.
    Unread,
    /// The command inside does not exist.
    CommandNotFound,
    /// The command inside cannot be executed.
    CommandNotExecutable,
    /// Anything else.
    Failed,
}

/// A failure of the engine.
#[derive(Debug)]
pub struct Error {
    /// To branch on.
    pub kind: Kind,
    /// To read: names the thing and what was expected.
    pub message: String,
    /// What to do next, if there is something to do.
    pub hint: Option<String>,
}

/// What engine calls return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message with its hint.
    pub fn sentence(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} ({hint})", self.message),
            None => self.message.clone(),
        }
    }

    /// The named thing is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// It is in use or in another state.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// The request makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// A failure of the kernel or file system while doing `what`.
    pub fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            std::io::ErrorKind::PermissionDenied => Kind::Denied,
            std::io::ErrorKind::InvalidInput => Kind::Invalid,
            std::io::ErrorKind::Unsupported => Kind::Unsupported,
            _ => Kind::Failed,
        };
        let denied = kind == Kind::Denied && !rustix::process::geteuid().is_root();
        let error = Self::new(kind, format!("{what}: {error}"));
        if denied { error.hint("kapal needs root here: run it with sudo, or choose a store of your own with --root and --run-root") } else { error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<graphdb::Error> for Error {
    fn from(error: graphdb::Error) -> Self {
        let kind = match &error {
            graphdb::Error::Taken { .. } | graphdb::Error::Conflict(_) => Kind::Conflict,
            graphdb::Error::Missing(_) => Kind::NotFound,
            graphdb::Error::Newer { .. } => Kind::Unsupported,
            graphdb::Error::Sqlite(_) | graphdb::Error::Io { .. } => Kind::Failed,
        };
        Self::new(kind, error.to_string())
    }
}
