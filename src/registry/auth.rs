//! What a registry wants to see before it answers: basic credentials, or a bearer token that another server hands out for them.
//!
//! ```text
//! registry  ← GET /v2/a/manifests/1
//!           → 401, WWW-Authenticate: Bearer realm="https://auth.example/token",service="registry"
//! realm     ← GET ?service=registry&scope=repository:a:pull        Authorization: Basic …   (password)
//!           ← POST grant_type=refresh_token&refresh_token=…                                 (identity token)
//!           → {"token": …, "expires_in": 300}
//! registry  ← GET /v2/a/manifests/1                                Authorization: Bearer …
//! ```
//! Source: distribution specification, "Token Authentication Specification" and "OAuth2 Token Authentication".

use super::Client;
use super::challenge::{Challenge, challenge};
use super::credential::Credential;
use super::error::{Error, Kind};
use super::session::{refusal, words};
use super::wire::{Ask, Payload, whole};
use base64::Engine;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The longest answer of a server that hands out tokens, in bytes.
const TOKEN: usize = 1 << 20;

/// How long a token is good for if the server does not say, in seconds.
const LIFE: u64 = 60;

/// The longest time for which a token is kept, in seconds.
const LONGEST: u64 = 24 * 60 * 60;

/// How one registry lets itself be talked to.
#[derive(Default)]
pub(super) struct Auth {
    // Held while a token is fetched, so that many downloads that start at once fetch one token.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    challenge: Option<Challenge>,
    credential: Looked,
    tokens: HashMap<String, (HeaderValue, Instant)>,
}

/// The credentials, once they were looked up.
#[derive(Default)]
enum Looked {
    #[default]
    NotYet,
    Found(Option<Credential>),
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Auth {
    /// Uses these credentials instead of the configured ones.
    pub(super) async fn set(&self, credential: Option<Credential>) {
        let mut state = self.state.lock().await;
        state.credential = Looked::Found(credential);
        state.tokens.clear();
    }

    /// Remembers what an answer asks for.
    pub(super) async fn learn(&self, headers: &HeaderMap) {
        if let Some(asked) = challenge(headers) {
            self.state.lock().await.challenge = Some(asked);
        }
    }

    /// Takes a 401 into account: whether the same request has another chance.
    pub(super) async fn refused(&self, headers: &HeaderMap, scopes: &[String]) -> bool {
        let Some(asked) = challenge(headers) else { return false };
        let mut state = self.state.lock().await;
        let new = state.challenge.replace(asked).is_none();
        state.tokens.remove(&scopes.join(" ")).is_some() || new
    }

    /// What to send as `Authorization`, as far as it is known that something is wanted.
    pub(super) async fn authorization(&self, client: &Client, host: &str, base: &Url, scopes: &[String]) -> Result<Option<HeaderValue>, Error> {
        let mut state = self.state.lock().await;
        let Some(asked) = state.challenge.clone() else { return Ok(None) };
        let key = scopes.join(" ");
        if let Some((value, until)) = state.tokens.get(&key)
            && Instant::now() < *until
        {
            return Ok(Some(value.clone()));
        }
        if let Looked::NotYet = state.credential {
            state.credential = Looked::Found(client.credential(host).await?);
        }
        let credential = if let Looked::Found(found) = &state.credential { found.clone() } else { None };
        match (asked, credential) {
            (Challenge::Basic, Some(Credential::Password { user, password })) => basic(&user, &password).map(Some),
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, service }, credential) => {
                let (ask, password) = token_request(client, base, &realm, service.as_deref(), scopes, credential.as_ref())?;
                let (value, life) = token(client, host, &ask, password.as_ref()).await?;
                state.tokens.insert(key, (value.clone(), Instant::now() + life));
                Ok(Some(value))
            }
        }
    }
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, Error> {
    secret(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))))
}

/// A header's value that no log shows.
fn secret(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Error::new(Kind::Protocol, "the registry's token holds characters that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The request for a token, and the authorization that its own origin alone sees, so that a redirect loses the password.
/// Its address is the registry's word, so it is held to the same rules as a redirect.
fn token_request(
    client: &Client,
    base: &Url,
    realm: &str,
    service: Option<&str>,
    scopes: &[String],
    credential: Option<&Credential>,
) -> Result<(Ask<'static>, Option<HeaderValue>), Error> {
    let mut address =
        base.join(realm).map_err(|_| Error::new(Kind::Protocol, format!("registry {} names a token server whose address cannot be read", base.authority())))?;
    client.wire.admit(base, &address)?;
    let what = format!("token for registry {}", base.authority());
    let mut fields: Vec<(&str, &str)> = service.map(|service| ("service", service)).into_iter().collect();
    if let Some(Credential::Identity { token }) = credential {
        let scope = scopes.join(" ");
        fields.extend([("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "kapal"), ("scope", &scope)]);
        let mut form = address.clone();
        form.query_pairs_mut().clear().extend_pairs(fields);
        let mut ask = Ask::plain(Method::POST, address, Vec::new(), what);
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        ask.payload = Payload::Bytes(form.query().unwrap_or_default().to_owned().into());
        return Ok((ask, None));
    }
    let mut authorization = None;
    if let Some(Credential::Password { user, password }) = credential {
        fields.push(("account", user));
        authorization = Some(basic(user, password)?);
    }
    fields.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
    if !fields.is_empty() {
        address.query_pairs_mut().extend_pairs(fields);
    }
    Ok((Ask::plain(Method::GET, address, Vec::new(), what), authorization))
}

async fn token(client: &Client, host: &str, ask: &Ask<'_>, authorization: Option<&HeaderValue>) -> Result<(HeaderValue, Duration), Error> {
    let what = &ask.what;
    let answer = client.patiently(host, &ask.address, ask, authorization).await?;
    let status = answer.status();
    if !status.is_success() {
        let ours = authorization.is_some() || ask.method == Method::POST;
        if ours && matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST) {
            let (_, said) = words(answer).await;
            return Err(Error::new(Kind::Unauthorized, format!("registry {host} does not accept the credentials: {said}; log in with: kapal login {host}")));
        }
        return Err(refusal(host, what, answer).await);
    }
    let bad = |why: &str| Error::new(Kind::Protocol, format!("{what}: {why}"));
    let body = whole(answer, TOKEN).await.map_err(|why| Error::new(Kind::Unreachable, format!("{what}: {why}")))?.ok_or_else(|| bad("larger than 1 MiB"))?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| bad("the answer is not the JSON that was expected"))?;
    let text = answer.token.or(answer.access_token).filter(|t| !t.is_empty()).ok_or_else(|| bad("the answer holds none"))?;
    // A tenth is kept back: a token must not run out on its way.
    let life = Duration::from_secs(answer.expires_in.filter(|s| *s > 0).unwrap_or(LIFE).min(LONGEST)) * 9 / 10;
    Ok((secret(&format!("Bearer {text}"))?, life))
}
