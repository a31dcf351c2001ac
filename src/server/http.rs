//! The HTTP server: few connections, small requests, short lives.
//!
//! ```text
//!  bind (loopback, unless told otherwise) ──► accept, at most 16 at a time ──► one request, one answer, closed
//! ```

use super::metrics::{Collector, exposition};
use crate::engine::{Engine, Error, Kind, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 16;
/// Bytes of a request's head; the library takes no less.
const HEAD: usize = 8192;
/// Header lines of a request.
const HEADERS: usize = 64;
/// How long a request's head may take to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection lives at most.
const LIFETIME: Duration = Duration::from_secs(30);
/// How long is waited where the machine has no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// A place where figures are served.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening {
    /// Takes the address; one that others than this machine can reach only if that is meant (`expose`).
    ///
    /// # Errors
    /// Such an address that is not meant, and one that cannot be had.
    pub async fn bind(address: SocketAddr, expose: bool) -> Result<Self> {
        if !address.ip().to_canonical().is_loopback() && !expose {
            let message = format!("{address} can be reached from elsewhere: whoever does would read the names and figures of all containers, unasked");
            return Err(Error::new(Kind::Denied, message).hint("serve on 127.0.0.1, or say that it is meant: --any, or expose = true in config.toml"));
        }
        let failed = |error| Error::io(format_args!("cannot serve metrics on {address}"), &error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it is: the port, too, if any one was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether this machine alone can reach it.
    pub fn is_private(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    /// Serves the figures of all that `engine` looks after, until it is dropped.
    pub async fn serve(self, engine: Engine) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let source = Arc::new(Source { collector: Mutex::new(Collector::new(&engine)), private: self.is_private() });
        let mut guests = tokio::task::JoinSet::new();
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while guests.try_join_next().is_some() {}
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let source = Arc::clone(&source);
                    guests.spawn(async move {
                        let _ = tokio::time::timeout(LIFETIME, entertain(stream, source)).await;
                        drop(place);
                    });
                }
                // One that has hung up already is no matter; too few descriptors may pass.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// Where answers come from.
#[derive(Debug)]
struct Source {
    /// One sample at a time, however many ask.
    collector: Mutex<Collector>,
    private: bool,
}

async fn entertain(stream: TcpStream, source: Arc<Source>) {
    let service = service_fn(move |request| {
        let source = Arc::clone(&source);
        async move { Ok::<_, Infallible>(answer(&request, source).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD).max_headers(HEADERS).keep_alive(false);
    // A guest that misbehaves or leaves is not our failure.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: &Request<Incoming>, source: Arc<Source>) -> Response<Full<Bytes>> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if source.private && !is_own_name(host) {
        // A page in a browser on this machine, whose name was made to lead here.
        return plain(StatusCode::FORBIDDEN, "ask by an address of this machine or as localhost\n".to_owned());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "this is to be read: GET or HEAD\n".to_owned());
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/metrics" => {
            let work = move || source.collector.lock().unwrap_or_else(PoisonError::into_inner).text();
            match tokio::task::spawn_blocking(work).await {
                Ok(Ok(text)) => {
                    let mut answer = plain(StatusCode::OK, text);
                    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exposition::CONTENT_TYPE));
                    answer
                }
                Ok(Err(error)) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", error.sentence())),
                Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the sampling broke down\n".to_owned()),
            }
        }
        "/" => plain(StatusCode::OK, "kapal's figures are at /metrics\n".to_owned()),
        _ => plain(StatusCode::NOT_FOUND, "there is only /metrics here\n".to_owned()),
    }
}

fn plain(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// Whether `Host` is an address or `localhost`, not a name that somebody else gives out. Without one it is no browser.
fn is_own_name(host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    if host.parse::<SocketAddr>().is_ok() || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_others_give_out_are_refused() {
        for own in [None, Some("127.0.0.1:9323"), Some("127.0.0.1"), Some("[::1]:9323"), Some("[::1]"), Some("localhost"), Some("LocalHost:9323")] {
            assert!(is_own_name(own), "{own:?}");
        }
        for other in ["evil.example:9323", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert!(!is_own_name(Some(other)), "{other}");
        }
    }

    #[tokio::test]
    async fn an_address_for_everybody_must_be_meant() {
        for address in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"] {
            let error = Listening::bind(address.parse().unwrap(), false).await.unwrap_err();
            assert!(error.kind == Kind::Denied && error.sentence().contains("--any"), "{}", error.sentence());
        }
        let own = Listening::bind("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
        assert!(own.is_private() && own.address().port() != 0);
        let taken = Listening::bind(own.address(), false).await.unwrap_err();
        assert!(taken.message.contains(&own.address().to_string()), "{}", taken.message);
        assert!(!Listening::bind("0.0.0.0:0".parse().unwrap(), true).await.unwrap().is_private());
    }
}
