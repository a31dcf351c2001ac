//! What can go wrong with a registry: a kind to branch on and a sentence to read.

use std::io;

/// The longest sentence of a registry that is repeated to the user, in characters.
const REPEATED: usize = 300;

/// What sort of failure it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// The registry does not have it.
    NotFound,
    /// The image exists, but not for the platform that was asked for.
    NoPlatform,
    /// The registry wants (other) credentials.
    Unauthorized,
    /// The credentials are known, what they ask for is not allowed.
    Denied,
    /// A digest or a size that does not match, or a document that contradicts itself.
    Corrupt,
    /// More bytes than the limit for such a thing.
    TooLarge,
    /// A media type, an algorithm or a format that is not understood.
    Unsupported,
    /// No connection, or one that was lost too often.
    Unreachable,
    /// The registry wants to be left alone for longer than it is waited for.
    RateLimited,
    /// The registry has a fault of its own (5xx).
    Unavailable,
    /// The answer is none that the protocol knows.
    Protocol,
    /// A name, a tag or an option that cannot be sent to a registry.
    Invalid,
    /// A credential helper failed.
    Helper,
    /// A file of this machine.
    Io,
}

/// A failure: its kind and one sentence for the user, free of control characters.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: Kind,
    text: String,
}

impl Error {
    pub(super) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// An error of the file system, with what was attempted.
    pub(super) fn io(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self::new(Kind::Io, format!("{what}: {error}"))
    }

    /// What sort of failure it was.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The registry's error inside an error of [`super::BlobReader`], if it is one; the input/output error otherwise.
    ///
    /// # Errors
    /// The same error, if it did not come from a registry.
    pub fn from_reader(error: io::Error) -> Result<Self, io::Error> {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            Some(inner) => Ok(inner.clone()),
            None => Err(error),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            Kind::NotFound => io::ErrorKind::NotFound,
            Kind::Unauthorized | Kind::Denied => io::ErrorKind::PermissionDenied,
            Kind::Corrupt | Kind::TooLarge => io::ErrorKind::InvalidData,
            Kind::Unsupported => io::ErrorKind::Unsupported,
            Kind::Unreachable => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// Text of a stranger made fit for a terminal: no control or direction-changing characters, one line, at most a few hundred characters.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::new();
    let mut gap = false;
    for (count, c) in text.chars().take(REPEATED * 4).filter(|c| !is_direction(*c)).enumerate() {
        if count >= REPEATED {
            out.push('…');
            break;
        }
        if c.is_control() || c.is_whitespace() {
            gap = !out.is_empty();
        } else {
            if gap {
                out.push(' ');
                gap = false;
            }
            out.push(c);
        }
    }
    out
}

/// Characters that reorder or hide text around them (bidirectional controls, zero-width ones, the byte order mark).
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The innermost reason of a failed request in a few words, without the address (which may be a signed one).
pub(super) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".into();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    if std::ptr::addr_eq(inner, error) {
        return if error.is_body() || error.is_decode() { "the connection was lost".into() } else { "the request failed".into() };
    }
    if let Some(io) = inner.downcast_ref::<io::Error>() {
        return io_cause(io);
    }
    clean(&inner.to_string())
}

/// Whether a request failed for what the other side said, or did not say, of TLS.
pub(super) fn is_tls(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = next {
        if inner.is::<rustls::Error>() {
            return true;
        }
        // The source of an input/output error is the source of what it wraps: what it wraps itself would be passed over.
        next = match inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    false
}

/// An input/output error without its number.
pub(super) fn io_cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "connection reset".into(),
        io::ErrorKind::UnexpectedEof => "the connection was closed".into(),
        io::ErrorKind::TimedOut => "timed out".into(),
        _ => {
            let text = error.to_string();
            clean(text.split(" (os error").next().unwrap_or(&text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_says_cannot_draw_on_the_terminal() {
        assert_eq!(clean("bad\x1b[2Jnews\r\n\tat \u{202e}eleven"), "bad [2Jnews at eleven");
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), REPEATED + 1);
        assert_eq!(clean("  \n"), "");
    }

    #[test]
    fn an_error_survives_the_way_through_a_reader() {
        let io: io::Error = Error::new(Kind::Corrupt, "blob x is not what it should be").into();
        assert_eq!(io.kind(), io::ErrorKind::InvalidData);
        assert_eq!(Error::from_reader(io).unwrap().kind(), Kind::Corrupt);
        assert!(Error::from_reader(io::Error::other("disk")).is_err());
    }
}
