//! A registry on loopback whose every answer a test decides.

use kapal::id::Digest;
use kapal::registry::{Client, Notice, Options, Platform, Repository, Version};
use std::collections::HashMap;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// An answer, right or wrong.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The `Content-Length` that is claimed; none: the end of the connection ends the body.
    claimed: Option<usize>,
    /// After how many bytes the connection is cut.
    cut: Option<usize>,
    endless: bool,
    /// Nothing comes after the body, and the connection stays.
    stalled: bool,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status, headers: Vec::new(), claimed: Some(body.len()), body, cut: None, endless: false, stalled: false }
    }

    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn cut(mut self, at: usize) -> Self {
        self.cut = Some(at);
        self
    }

    pub fn claim(mut self, length: Option<usize>) -> Self {
        self.claimed = length;
        self
    }

    pub fn endless(mut self) -> Self {
        (self.endless, self.claimed) = (true, None);
        self
    }

    pub fn stalled(mut self) -> Self {
        self.stalled = true;
        self
    }

    fn write(&self, stream: &mut TcpStream, head_only: bool) -> std::io::Result<()> {
        write!(stream, "HTTP/1.1 {} Status\r\nConnection: close\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        if let Some(length) = self.claimed {
            write!(stream, "Content-Length: {length}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        if head_only {
            return Ok(());
        }
        stream.write_all(&self.body[..self.cut.unwrap_or(self.body.len()).min(self.body.len())])?;
        if self.stalled {
            std::io::copy(stream, &mut std::io::sink())?;
        }
        // Until the client hangs up.
        std::io::copy(&mut std::io::repeat(b' ').take(if self.endless { u64::MAX } else { 0 }), stream).map(drop)
    }
}

/// A server until it is dropped.
pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn new(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, log) = (answer.clone(), log.clone());
                std::thread::spawn(move || serve(stream.ok()?, &*answer, &log));
            }
        });
        Self { address, seen }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn repository(&self) -> Repository {
        Repository::new(self.host(), "a/b")
    }

    /// What was asked so far, but for the first knock at `/v2/`.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().iter().filter(|r| r.target != "/v2/").cloned().collect()
    }

    pub fn asked(&self, part: &str) -> Vec<Request> {
        self.seen().into_iter().filter(|r| r.target.contains(part)).collect()
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Request) -> Reply, log: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    let request = Request { method, target, headers, body };
    log.lock().unwrap().push(request.clone());
    answer(&request).write(&mut stream, request.method == "HEAD").ok()
}

/// An image with one layer, and the answers of a registry that has it.
#[derive(Clone)]
pub struct Image {
    pub layer: Vec<u8>,
    pub config: Vec<u8>,
    pub manifest: Vec<u8>,
}

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

impl Image {
    pub fn new(layer: impl Into<Vec<u8>>) -> Self {
        Self::of(layer.into(), GZIP)
    }

    pub fn of(layer: Vec<u8>, media_type: &str) -> Self {
        let config = br#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}"#.to_vec();
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(&config), "size": config.len()},
            "layers": [{"mediaType": media_type, "digest": Digest::of(&layer), "size": layer.len()}],
        });
        Self { layer, config, manifest: manifest.to_string().into_bytes() }
    }

    pub fn layer_address(&self) -> String {
        format!("/blobs/{}", Digest::of(&self.layer))
    }

    /// The right answer to any request for it.
    pub fn answer(&self, request: &Request) -> Reply {
        let blob = |bytes: &[u8]| request.target.ends_with(&format!("/blobs/{}", Digest::of(bytes)));
        if request.target.ends_with("/manifests/1") || request.target.ends_with(&format!("/manifests/{}", Digest::of(&self.manifest))) {
            Reply::new(200, self.manifest.clone()).with("Content-Type", MANIFEST).with("Docker-Content-Digest", Digest::of(&self.manifest))
        } else if blob(&self.config) {
            Reply::new(200, self.config.clone())
        } else if blob(&self.layer) {
            ranged(request, &self.layer)
        } else if request.target == "/v2/" {
            Reply::new(200, "{}")
        } else {
            Reply::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#)
        }
    }
}

/// Bytes as a server gives them that knows ranges.
pub fn ranged(request: &Request, bytes: &[u8]) -> Reply {
    match request.header("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()) {
        Some(from) if from < bytes.len() => Reply::new(206, &bytes[from..]).with("Content-Range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len())),
        Some(_) => Reply::new(416, ""),
        None => Reply::new(200, bytes),
    }
}

/// A client whose configuration lies in `dir`, and what it was told to wait for.
pub fn client(dir: &Path) -> (Client, Arc<Mutex<Vec<Notice>>>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let log = notices.clone();
    let client = Client::new(Options { docker_config_dir: dir.to_owned(), ..Options::default() });
    (client.with_listener(Arc::new(move |notice: &Notice| log.lock().unwrap().push(notice.clone()))), notices)
}

/// A client without any configuration.
pub fn plain() -> Client {
    client(Path::new("/nonexistent")).0
}

pub fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

pub fn one() -> Version {
    Version::Tag("1".into())
}
