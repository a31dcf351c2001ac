//! Requests on the wire: the HTTP clients, redirects, and what of a request may be seen by whom.
//!
//! Redirects are followed here and not by the HTTP client, because two rules hang on them: credentials go to the registry's own origin
//! (scheme, host and port) and nowhere else, and plain HTTP is spoken with this machine and with hosts that the user named, with no other.

use super::Options;
use super::error::{Error, Kind, cause, clean, is_tls};
use super::repository::{Reach, reach};
use super::session::Session;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, Url};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// How long the head of an answer, or the next bytes of its body, may take.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(30);

/// How many redirects are followed.
const REDIRECTS: usize = 10;

/// What a request carries.
pub(super) enum Payload<'a> {
    /// Nothing.
    None,
    /// A few bytes.
    Bytes(Bytes),
    /// So many bytes, from a stream that is opened again for each attempt.
    Stream(u64, &'a (dyn Fn() -> Result<reqwest::Body, Error> + Send + Sync)),
}

/// A request to a registry.
pub(super) struct Ask<'a> {
    pub method: Method,
    pub address: Url,
    pub headers: HeaderMap,
    pub payload: Payload<'a>,
    /// What a bearer token must allow for it.
    pub scopes: Vec<String>,
    /// What it is about, for messages: `manifest for busybox:1`.
    pub what: String,
}

impl Ask<'_> {
    /// A request without a body.
    pub(super) fn plain(method: Method, address: Url, scopes: Vec<String>, what: impl Into<String>) -> Self {
        Self { method, address, headers: HeaderMap::new(), payload: Payload::None, scopes, what: what.into() }
    }
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Fault {
    pub error: Error,
    /// Whether the same request may succeed a moment later.
    pub passing: bool,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, passing: false }
    }
}

/// The HTTP clients and what is known of each registry, shared by all clones of a client.
pub(super) struct Wire {
    pub options: Options,
    /// One for each [`Reach`], made when first needed: reading the machine's certificates takes a while.
    clients: [OnceLock<reqwest::Client>; 3],
    sessions: Mutex<HashMap<String, Arc<Session>>>,
}

impl Wire {
    pub(super) fn new(options: Options) -> Self {
        Self { options, clients: Default::default(), sessions: Mutex::default() }
    }

    /// What is known of a registry.
    pub(super) fn session(&self, host: &str) -> Result<Arc<Session>, Error> {
        super::repository::check_host(host)?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(sessions.entry(host.to_owned()).or_insert_with(|| Arc::new(Session::new(host))).clone())
    }

    /// How the user lets `address` be spoken to.
    pub(super) fn reach(&self, address: &Url) -> Reach {
        reach(address, &self.options.insecure)
    }

    fn client(&self, reach: Reach) -> Result<&reqwest::Client, Error> {
        let cell = &self.clients[reach as usize];
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        // Fails only if another part of the program has installed one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.options.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .tcp_keepalive(Duration::from_secs(15))
            .pool_idle_timeout(Duration::from_secs(20));
        if reach != Reach::Verified {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if reach == Reach::Loopback {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|e| Error::new(Kind::Invalid, format!("cannot prepare connections to registries: {}", cause(&e))))?;
        Ok(cell.get_or_init(|| client))
    }

    /// Sends a request once and follows its redirects; `authorization` is seen by the origin of `base` only.
    pub(super) async fn once(&self, base: &Url, ask: &Ask<'_>, authorization: Option<&HeaderValue>) -> Result<Response, Fault> {
        let mut address = ask.address.clone();
        for _ in 0..=REDIRECTS {
            let mut request = self.client(self.reach(&address))?.request(ask.method.clone(), address.clone()).headers(ask.headers.clone());
            if let Some(value) = authorization
                && address.origin() == base.origin()
            {
                request = request.header(AUTHORIZATION, value.clone());
            }
            request = match &ask.payload {
                Payload::None if ask.method == Method::POST => request.header(CONTENT_LENGTH, 0),
                Payload::None => request,
                Payload::Bytes(bytes) => request.body(bytes.clone()),
                Payload::Stream(size, open) => request.header(CONTENT_LENGTH, *size).body(open()?),
            };
            let response = match &ask.payload {
                // How long an upload takes is its size's affair; whoever streams watches that it moves.
                Payload::Stream(..) => request.send().await.map_err(|e| self.fault(&address, &e))?,
                _ => match tokio::time::timeout(SILENCE, request.send()).await {
                    Ok(answer) => answer.map_err(|e| self.fault(&address, &e))?,
                    Err(_) => return Err(Fault { error: unreachable(&address, "no answer for a minute"), passing: true }),
                },
            };
            let readable = matches!(ask.method, Method::GET | Method::HEAD);
            match response.headers().get(LOCATION) {
                Some(next) if readable && response.status().is_redirection() => address = self.follow(&address, next)?,
                _ => return Ok(response),
            }
        }
        Err(Error::new(Kind::Protocol, format!("{}: redirected more than {REDIRECTS} times", ask.what)).into())
    }

    /// The address that a `Location` names, if a request may go there.
    pub(super) fn follow(&self, from: &Url, location: &HeaderValue) -> Result<Url, Error> {
        let bad = |why: &str| Error::new(Kind::Protocol, format!("registry {} points to an address that {why}", from.authority()));
        let text = location.to_str().map_err(|_| bad("is no text"))?;
        let mut to = from.join(text).map_err(|_| bad("cannot be read"))?;
        // The address is the registry's text: names and passwords in it are nobody's credentials.
        let _ = (to.set_username(""), to.set_password(None));
        self.admit(from, &to)?;
        Ok(to)
    }

    /// Whether a registry at `from` may send a request to `to`.
    pub(super) fn admit(&self, from: &Url, to: &Url) -> Result<(), Error> {
        let reach = self.reach(to);
        let refuse = |why: &str| {
            let target = format!("{}://{}", to.scheme(), clean(to.authority()));
            Err(Error::new(Kind::Protocol, format!("registry {} points to {target}: {why}", from.authority())))
        };
        match to.scheme() {
            "https" => {}
            "http" if reach != Reach::Verified => {}
            "http" => return refuse("plain HTTP is spoken with this machine and with hosts given to --insecure only"),
            _ => return refuse("only http and https are followed"),
        }
        if reach == Reach::Loopback && self.reach(from) != Reach::Loopback {
            return refuse("a registry elsewhere may not send requests to this machine");
        }
        Ok(())
    }

    fn fault(&self, address: &Url, error: &reqwest::Error) -> Fault {
        // A connection that never came about will not come about a second later, one that broke may.
        let passing = !error.is_builder() && (!error.is_connect() || error.is_timeout());
        let hint = match self.reach(address) {
            Reach::Verified if is_tls(error) => {
                format!("; a registry without a certificate that can be verified has to be named with --insecure {}", address.authority())
            }
            Reach::Verified | Reach::Insecure if error.is_connect() && has_proxy() => " (through the proxy that the environment names)".to_owned(),
            _ => String::new(),
        };
        Fault { error: unreachable(address, &format!("{}{hint}", cause(error))), passing }
    }
}

fn has_proxy() -> bool {
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()))
}

pub(super) fn unreachable(address: &Url, why: &str) -> Error {
    Error::new(Kind::Unreachable, format!("cannot reach registry {}: {why}", clean(address.authority())))
}

/// The next bytes of a body.
pub(super) async fn chunk(response: &mut Response) -> Result<Option<Bytes>, String> {
    match tokio::time::timeout(SILENCE, response.chunk()).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(cause(&error)),
        Err(_) => Err("no data for a minute".into()),
    }
}

/// A whole body of at most `limit` bytes: `Ok(None)` if it is longer, an error text if it broke off.
pub(super) async fn whole(mut response: Response, limit: usize) -> Result<Option<Bytes>, String> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Ok(None);
    }
    let mut body = Vec::new();
    while let Some(bytes) = chunk(&mut response).await? {
        if body.len() + bytes.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&bytes);
    }
    Ok(Some(body.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_cannot_send_requests_anywhere() {
        let wire = Wire::new(Options { insecure: vec!["lab.example:80".into()], ..Options::default() });
        let from = |text: &str, to: &'static str| wire.follow(&Url::parse(text).unwrap(), &HeaderValue::from_static(to)).map(|url| url.to_string());
        let far = "https://far.example/v2/a/blobs/b";
        assert_eq!(from(far, "/other?x=1").unwrap(), "https://far.example/other?x=1");
        assert_eq!(from(far, "https://user:pw@cdn.example/x").unwrap(), "https://cdn.example/x");
        assert!(from(far, "http://lab.example/x").is_ok());
        for refused in ["http://cdn.example/x", "http://127.0.0.1:22/", "https://localhost/", "file:///etc/passwd", "ftp://cdn.example/"] {
            assert_eq!(from(far, refused).unwrap_err().kind(), Kind::Protocol, "{refused}");
        }
        assert!(from("http://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/x").is_ok());
        assert!(from("http://127.0.0.1:5000/v2/", "http://cdn.example/x").is_err());
    }
}
