//! Credentials as `~/.docker/config.json` and its helpers keep them.

use super::Client;
use super::config_file::ConfigFile;
use super::error::{Error, Kind};
use super::keychain::Keychain;
use super::repository::credential_key;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use std::fmt;
use std::path::Path;

/// What proves to a registry who one is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user and a password (or an access token used as one).
    Password {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A long-lived token that buys bearer tokens.
    Identity {
        /// The token.
        token: String,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(f, "Password {{ user: {user:?}, .. }}"),
            Self::Identity { .. } => f.write_str("Identity { .. }"),
        }
    }
}

impl From<DockerCredential> for Credential {
    fn from(credential: DockerCredential) -> Self {
        match credential {
            DockerCredential::IdentityToken(token) => Self::Identity { token },
            DockerCredential::UsernamePassword(user, password) => Self::Password { user, password },
        }
    }
}

impl Client {
    /// The credentials that are configured for a registry.
    pub(super) async fn credential(&self, host: &str) -> Result<Option<Credential>, Error> {
        let (dir, host) = (self.wire.options.docker_config_dir.clone(), host.to_owned());
        blocking(move || find(&dir, &host)).await
    }
}

/// Runs what waits for files or for other programs where it disturbs nobody.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::new(Kind::Io, format!("cannot look up credentials: {e}")))?
}

/// The credentials for a registry: its own helper, the common helper, the file itself, in this order.
fn find(dir: &Path, host: &str) -> Result<Option<Credential>, Error> {
    let key = credential_key(host);
    let file = ConfigFile::read(dir)?;
    if let Some(name) = file.helper(key)
        && let Some(found) = Keychain::new(name)?.get(key)?
    {
        return Ok(Some(found));
    }
    match docker_credential::get_credential_from_reader(&*file.without_helpers(), key) {
        Ok(DockerCredential::IdentityToken(token)) if token.is_empty() => Ok(None),
        Ok(credential) => Ok(Some(credential.into())),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        Err(error) => Err(Error::new(Kind::Invalid, format!("{}: the entry for registry {host} cannot be used: {error}", file.path().display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(config: &str, host: &str) -> Result<Option<Credential>, Error> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        find(dir.path(), host)
    }

    fn password(user: &str, password: &str) -> Credential {
        Credential::Password { user: user.into(), password: password.into() }
    }

    #[test]
    fn entries_are_found_by_all_names_of_a_registry() {
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "dTpw"},
            "https://lab.example/v1/": {"username": "a", "password": "b:c"},
            "quay.example:5000": {"auth": "eDp5Ono="},
            "id.example": {"auth": "eDo=", "identitytoken": "long"},
            "empty.example": {}
        }}"#;
        assert_eq!(with(config, "docker.io").unwrap(), Some(password("u", "p")));
        assert_eq!(with(config, "lab.example").unwrap(), Some(password("a", "b:c")));
        assert_eq!(with(config, "quay.example:5000").unwrap(), Some(password("x", "y:z")));
        assert_eq!(with(config, "id.example").unwrap(), Some(Credential::Identity { token: "long".into() }));
        assert_eq!(with(config, "empty.example").unwrap(), None);
        assert_eq!(with(config, "quay.example").unwrap(), None);
    }

    #[test]
    fn no_file_is_no_credential_and_a_broken_one_an_error() {
        assert_eq!(find(Path::new("/nonexistent"), "a").unwrap(), None);
        assert!(with("{", "a").is_err());
        assert!(with("[]", "a").is_err());
        assert!(with(r#"{"auths": {"a": {"auth": "***"}}}"#, "a").is_err());
        assert_eq!(with(r#"{"credHelpers": {"a": "../../bin/sh"}}"#, "a").unwrap_err().kind(), Kind::Helper);
    }

    #[test]
    fn no_log_shows_a_secret() {
        let shown = format!("{:?} {:?}", password("user", "hidden"), Credential::Identity { token: "hidden".into() });
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
