//! Logging in and out: credentials are tried before they are kept.

use super::Client;
use super::config_file::{ConfigFile, change};
use super::credential::{Credential, blocking};
use super::error::{Error, Kind};
use super::keychain::Keychain;
use super::repository::{check_host, credential_key};
use super::session::{Session, join, refusal, words};
use super::wire::Ask;
use base64::Engine;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

impl Client {
    /// Tries credentials at a registry and keeps them where `config.json` says.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] if the registry refuses them; then nothing is kept.
    pub async fn login(&self, host: &str, user: &str, password: &str) -> Result<(), Error> {
        check_host(host)?;
        if user.is_empty() || user.contains(':') || password.is_empty() {
            return Err(Error::new(Kind::Invalid, "expected a user without ':' and a password"));
        }
        let credential = Credential::Password { user: user.to_owned(), password: password.to_owned() };
        self.try_credential(host, credential.clone()).await?;
        let (dir, key) = (self.wire.options.docker_config_dir.clone(), credential_key(host).to_owned());
        let (user, password) = (user.to_owned(), password.to_owned());
        blocking(move || {
            change(&dir, |file| {
                let entry = if let Some(name) = file.helper(&key) {
                    Keychain::new(name)?.store(&key, &user, &password)?;
                    Value::Object(Map::new())
                } else {
                    json!({ "auth": base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")) })
                };
                file.set(&key, entry)
            })
        })
        .await?;
        self.wire.session(host)?.auth.set(Some(credential)).await;
        Ok(())
    }

    /// Forgets the credentials for a registry; whether there were any.
    ///
    /// # Errors
    /// A helper's or the file's.
    pub async fn logout(&self, host: &str) -> Result<bool, Error> {
        check_host(host)?;
        let (dir, key) = (self.wire.options.docker_config_dir.clone(), credential_key(host).to_owned());
        let known = blocking(move || {
            // Without a file there is nothing to forget, and none is made for that.
            if !ConfigFile::read(&dir)?.path().exists() {
                return Ok(false);
            }
            change(&dir, |file| {
                let kept = match file.helper(&key) {
                    Some(name) => Keychain::new(name)?.erase(&key)?,
                    None => false,
                };
                Ok(file.remove(&key) || kept)
            })
        })
        .await?;
        self.wire.session(host)?.auth.set(None).await;
        Ok(known)
    }

    /// Asks the registry itself, with nothing known from before.
    async fn try_credential(&self, host: &str, credential: Credential) -> Result<(), Error> {
        let session = Session::new(host);
        session.auth.set(Some(credential)).await;
        let base = session.base(self).await?;
        let ask = Ask::plain(Method::GET, join(base, "v2/")?, Vec::new(), format!("registry {host}"));
        let mut round = 0;
        loop {
            let authorization = session.auth.authorization(self, host, base, &[]).await?;
            let answer = self.patiently(host, base, &ask, authorization.as_ref()).await?;
            round += 1;
            match answer.status() {
                StatusCode::UNAUTHORIZED if round < 3 && session.auth.refused(answer.headers(), &[]).await => {}
                StatusCode::UNAUTHORIZED => {
                    let (_, said) = words(answer).await;
                    return Err(Error::new(Kind::Unauthorized, format!("registry {host} does not accept this user and password: {said}")));
                }
                status if status.is_success() => return Ok(()),
                _ => return Err(refusal(host, &format!("login at registry {host}"), answer).await),
            }
        }
    }
}
