//! What is known of one registry: where it answers, and how a request is made acceptable to it.

use super::Client;
use super::auth::Auth;
use super::error::{Error, Kind, clean};
use super::patience::{Notice, Patience, retry_after};
use super::repository::{Reach, Repository, endpoint};
use super::wire::{Ask, Fault, whole};
use bytes::Bytes;
use jiff::Timestamp;
use oci_distribution::errors::{OciEnvelope, OciErrorCode};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use std::time::Duration;
use tokio::sync::OnceCell;

/// The longest explanation of a failure that is read, in bytes.
const EXPLANATION: usize = 64 * 1024;

/// One registry, as far as it is known.
pub(super) struct Session {
    /// As the user writes it.
    pub host: String,
    base: OnceCell<Url>,
    pub auth: Auth,
}

impl Session {
    pub(super) fn new(host: &str) -> Self {
        Self { host: host.to_owned(), base: OnceCell::new(), auth: Auth::default() }
    }

    /// `https://host/` or, where that is allowed and spoken, `http://host/`.
    pub(super) async fn base(&self, client: &Client) -> Result<&Url, Error> {
        self.base.get_or_try_init(|| self.find(client)).await
    }

    async fn find(&self, client: &Client) -> Result<Url, Error> {
        let address = |scheme: &str| {
            Url::parse(&format!("{scheme}://{}/", endpoint(&self.host)))
                .map_err(|_| Error::new(Kind::Invalid, format!("invalid registry {:?}: expected a host name or address, and a port if need be", self.host)))
        };
        let secure = address("https")?;
        let schemes = match client.wire.reach(&secure) {
            Reach::Verified => return Ok(secure),
            Reach::Insecure => ["https", "http"],
            Reach::Loopback => ["http", "https"],
        };
        let mut first = None;
        let mut plain = None;
        for scheme in schemes {
            let base = address(scheme)?;
            let ask = Ask::plain(Method::GET, join(&base, "v2/")?, Vec::new(), format!("registry {}", self.host));
            match client.wire.once(&base, &ask, None).await {
                // What a TLS server says to plain HTTP, if it says anything.
                Ok(answer) if scheme == "http" && answer.status() == StatusCode::BAD_REQUEST => plain = Some(base),
                Ok(answer) => {
                    self.auth.learn(answer.headers()).await;
                    return Ok(base);
                }
                Err(fault) => first = first.or(Some(fault.error)),
            }
        }
        match (plain, first) {
            (Some(base), _) => Ok(base),
            (None, Some(error)) => Err(error),
            (None, None) => Err(Error::new(Kind::Unreachable, format!("cannot reach registry {}", self.host))),
        }
    }

    /// The address of something in a repository.
    pub(super) async fn address(&self, client: &Client, repository: &Repository, tail: &str) -> Result<Url, Error> {
        repository.check()?;
        join(self.base(client).await?, &format!("v2/{}/{tail}", repository.name))
    }
}

/// An address beneath a registry's.
pub(super) fn join(base: &Url, tail: &str) -> Result<Url, Error> {
    base.join(tail).map_err(|e| Error::new(Kind::Invalid, format!("invalid address {tail:?}: {e}")))
}

impl Client {
    /// Sends a request until there is an answer that neither asks for time nor is a passing fault.
    pub(super) async fn patiently(&self, host: &str, base: &Url, ask: &Ask<'_>, authorization: Option<&HeaderValue>) -> Result<Response, Error> {
        let mut patience = Patience::default();
        loop {
            let error = match self.wire.once(base, ask, authorization).await {
                Ok(answer) if matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                    self.wait(host, &ask.what, answer, &mut patience).await?;
                    continue;
                }
                Ok(answer) if answer.status().is_server_error() => refusal(host, &ask.what, answer).await,
                Ok(answer) => return Ok(answer),
                Err(Fault { error, passing: true }) => error,
                Err(fault) => return Err(fault.error),
            };
            // What was streamed may be half there: the whole upload is begun again by whoever streams.
            let streamed = matches!(ask.payload, super::wire::Payload::Stream(..));
            match patience.fault() {
                Some(pause) if !streamed => {
                    self.tell(&Notice::Retrying { what: ask.what.clone(), reason: error.to_string() });
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Waits as an answer asks for, or gives up with what it says.
    async fn wait(&self, host: &str, what: &str, answer: Response, patience: &mut Patience) -> Result<(), Error> {
        let asked = answer.headers().get(RETRY_AFTER).and_then(|v| retry_after(v.to_str().ok()?, Timestamp::now()));
        let reason = match answer.status() {
            StatusCode::TOO_MANY_REQUESTS => "too many requests",
            _ => "it is busy",
        };
        if let Some(pause) = patience.throttled(asked) {
            self.tell(&Notice::Waiting { host: host.to_owned(), pause, reason: reason.to_owned() });
            tokio::time::sleep(pause).await;
            return Ok(());
        }
        let refused = refusal(host, what, answer).await;
        Err(match asked {
            Some(asked) if asked > Duration::from_secs(1) => Error::new(refused.kind(), format!("{refused}; it asks to come back in {} s", asked.as_secs())),
            _ => refused,
        })
    }

    /// Sends a request with what the registry wants to see of credentials; any answer but success is an error.
    pub(super) async fn send(&self, session: &Session, ask: &Ask<'_>) -> Result<Response, Error> {
        let base = session.base(self).await?;
        let mut round = 0;
        loop {
            let authorization = session.auth.authorization(self, &session.host, base, &ask.scopes).await?;
            let answer = self.patiently(&session.host, base, ask, authorization.as_ref()).await?;
            round += 1;
            if answer.status() == StatusCode::UNAUTHORIZED && round < 3 && session.auth.refused(answer.headers(), &ask.scopes).await {
                continue;
            }
            return if answer.status().is_success() { Ok(answer) } else { Err(refusal(&session.host, &ask.what, answer).await) };
        }
    }

    /// A small document: the answer's headers and its body of at most `limit` bytes.
    pub(super) async fn document(&self, session: &Session, ask: &Ask<'_>, limit: usize) -> Result<(HeaderMap, Bytes), Error> {
        let mut patience = Patience::default();
        loop {
            let answer = self.send(session, ask).await?;
            let headers = answer.headers().clone();
            let reason = match whole(answer, limit).await {
                Ok(Some(body)) => return Ok((headers, body)),
                Ok(None) => return Err(Error::new(Kind::TooLarge, format!("{} is larger than {} MiB, the limit for such a document", ask.what, limit >> 20))),
                Err(reason) => reason,
            };
            let Some(pause) = patience.fault() else {
                return Err(Error::new(Kind::Unreachable, format!("{}: broke off again and again: {reason}", ask.what)));
            };
            self.tell(&Notice::Retrying { what: ask.what.clone(), reason });
            tokio::time::sleep(pause).await;
        }
    }
}

/// An answer that is no success, as an error.
pub(super) async fn refusal(host: &str, what: &str, answer: Response) -> Error {
    let status = answer.status();
    let (codes, said) = words(answer).await;
    let has = |code: &OciErrorCode| codes.contains(code);
    match status {
        StatusCode::NOT_FOUND => Error::new(Kind::NotFound, format!("{what} not found: {said}")),
        StatusCode::UNAUTHORIZED => {
            Error::new(Kind::Unauthorized, format!("{what}: registry {host} wants other credentials: {said}; log in with: kapal login {host}"))
        }
        StatusCode::FORBIDDEN => Error::new(Kind::Denied, format!("{what}: access denied by registry {host}: {said}")),
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(Kind::TooLarge, format!("{what} is too large for registry {host}: {said}")),
        StatusCode::TOO_MANY_REQUESTS => Error::new(Kind::RateLimited, format!("{what}: registry {host} was asked too often: {said}")),
        status if status.is_server_error() => Error::new(Kind::Unavailable, format!("{what}: registry {host} failed with {}: {said}", status.as_u16())),
        status => {
            let kind = if has(&OciErrorCode::DigestInvalid) || has(&OciErrorCode::SizeInvalid) { Kind::Corrupt } else { Kind::Protocol };
            Error::new(kind, format!("{what}: registry {host} answered {}: {said}", status.as_u16()))
        }
    }
}

/// The codes of an answer that is no success, and what it says.
pub(super) async fn words(answer: Response) -> (Vec<OciErrorCode>, String) {
    let status = answer.status();
    let textual = answer.headers().get("content-type").and_then(|v| v.to_str().ok()).is_none_or(|v| !v.contains("html"));
    let body = whole(answer, EXPLANATION).await.ok().flatten().unwrap_or_default();
    let (codes, said) = explanation(&body, textual);
    let said = if said.is_empty() { status.canonical_reason().unwrap_or("no reason given").to_lowercase() } else { said };
    (codes, said)
}

/// The codes and the words of a registry's error document (or of a plain text).
fn explanation(body: &[u8], textual: bool) -> (Vec<OciErrorCode>, String) {
    match serde_json::from_slice::<OciEnvelope>(body) {
        Ok(envelope) => {
            let words: Vec<String> = envelope
                .errors
                .iter()
                .take(5)
                .map(|e| {
                    if e.message.is_empty() {
                        serde_json::to_string(&e.code).unwrap_or_default().trim_matches('"').to_lowercase().replace('_', " ")
                    } else {
                        e.message.clone()
                    }
                })
                .collect();
            (envelope.errors.into_iter().map(|e| e.code).collect(), clean(&words.join("; ")))
        }
        Err(_) if textual => (Vec::new(), clean(&String::from_utf8_lossy(body))),
        Err(_) => (Vec::new(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_words_are_found_and_cleaned() {
        let (codes, said) = explanation(br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest\u001b[2J unknown"}]}"#, true);
        assert_eq!((codes, said.as_str()), (vec![OciErrorCode::ManifestUnknown], "manifest [2J unknown"));
        assert_eq!(explanation(br#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#, true).1, "name unknown");
        assert_eq!(explanation(b"try later\n", true).1, "try later");
        assert_eq!(explanation(b"<html>", false).1, "");
    }
}
