//! Images on their way out: blobs that are missing are mounted or streamed, then the manifest names them.
//!
//! ```text
//! HEAD blob → 200: existed
//! POST uploads/?mount=D&from=other → 201: mounted
//!                                  → 202, Location ─► PUT Location&digest=D, the bytes as one body → 201: uploaded
//! PUT manifests/TAG
//! ```
//! Source: distribution specification, "Pushing blobs", "POST then PUT", "Mounting a blob from another repository".

use super::Client;
use super::blob::Progress;
use super::error::{Error, Kind};
use super::manifest::Descriptor;
use super::patience::{Notice, Patience};
use super::repository::{Repository, Version};
use super::session::Session;
use super::wire::{Ask, Payload};
use crate::id::Digest;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long an upload may stand still: registries take their time to hand a large blob to their storage.
const STANDSTILL: Duration = Duration::from_secs(600);

/// The size of the pieces in which a blob is read, in bytes.
const PIECE: usize = 256 * 1024;

/// Opens what is uploaded, at its beginning; called again if an upload has to start anew.
pub type Opener = Arc<dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync>;

/// How a blob came to be where it was wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It was there.
    Existed,
    /// The registry took it from another repository.
    Mounted,
    /// Its bytes were sent.
    Uploaded,
}

/// Where an upload goes on.
enum Begun {
    Mounted,
    At(Url),
}

impl Client {
    /// Whether a repository has a blob.
    ///
    /// # Errors
    /// Whatever the way to the registry brings.
    pub async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
        let session = self.wire.session(&repository.host)?;
        self.exists(&session, repository, digest, "pull").await
    }

    async fn exists(&self, session: &Session, repository: &Repository, digest: &Digest, actions: &str) -> Result<bool, Error> {
        let address = session.address(self, repository, &format!("blobs/{digest}")).await?;
        let ask = Ask::plain(Method::HEAD, address, vec![repository.scope(actions)], format!("blob {digest} of {repository}"));
        match self.send(session, &ask).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Brings a blob into a repository, by the cheapest way there is; `from` is a repository of the same registry that may have it.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] if what `open` gives is not what the descriptor says, [`Kind::Unauthorized`], [`Kind::Denied`] and whatever the way brings.
    pub async fn push_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        open: Opener,
        from: Option<&Repository>,
        progress: Option<Progress>,
    ) -> Result<Pushed, Error> {
        let session = self.wire.session(&repository.host)?;
        let from = from.filter(|from| from.host == repository.host && from.name != repository.name);
        let upload = Upload { client: self, session: &session, repository, blob, name: format!("blob {} for {repository}", blob.digest), progress };
        let mut patience = Patience::default();
        loop {
            if self.exists(&session, repository, &blob.digest, "pull,push").await? {
                return Ok(Pushed::Existed);
            }
            let Begun::At(address) = upload.begin(from).await? else { return Ok(Pushed::Mounted) };
            let error = match upload.stream(address, &open).await {
                Ok(()) => return Ok(Pushed::Uploaded),
                Err(error) => error,
            };
            // A lost connection leaves half an upload behind, which the registry forgets in time: the next begins anew.
            let passing = matches!(error.kind(), Kind::Unreachable | Kind::Unavailable | Kind::NotFound);
            let Some(pause) = patience.fault().filter(|_| passing) else { return Err(error) };
            self.tell(&Notice::Retrying { what: upload.name.clone(), reason: error.to_string() });
            tokio::time::sleep(pause).await;
        }
    }

    /// Stores a manifest (or an index) under a tag or its digest; returns its digest.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if `version` is another digest, [`Kind::NotFound`] or [`Kind::Protocol`] if the registry misses a blob of it, and whatever the way brings.
    pub async fn push_manifest(&self, repository: &Repository, version: &Version, media_type: &str, manifest: Bytes) -> Result<Digest, Error> {
        let session = self.wire.session(&repository.host)?;
        let digest = Digest::of(&manifest);
        let what = format!("manifest for {repository}{version}");
        if let Version::Digest(asked) = version
            && *asked != digest
        {
            return Err(Error::new(Kind::Invalid, format!("{what}: its digest is {digest}")));
        }
        let address = session.address(self, repository, &format!("manifests/{}", version.reference()?)).await?;
        let mut ask = Ask::plain(Method::PUT, address, vec![repository.scope("pull,push")], what.clone());
        let media_type = HeaderValue::from_str(media_type).map_err(|_| Error::new(Kind::Invalid, format!("{what}: invalid media type {media_type:?}")))?;
        ask.headers.insert(CONTENT_TYPE, media_type);
        ask.payload = Payload::Bytes(manifest);
        let answer = self.send(&session, &ask).await?;
        match answer.headers().get("docker-content-digest").and_then(|v| v.to_str().ok()) {
            Some(said) if said.starts_with("sha256:") && said != digest.as_str() => {
                Err(Error::new(Kind::Corrupt, format!("{what}: the registry stored {}, expected {digest}", super::error::clean(said))))
            }
            _ => Ok(digest),
        }
    }
}

struct Upload<'a> {
    client: &'a Client,
    session: &'a Session,
    repository: &'a Repository,
    blob: &'a Descriptor,
    name: String,
    progress: Option<Progress>,
}

impl Upload<'_> {
    async fn begin(&self, from: Option<&Repository>) -> Result<Begun, Error> {
        let mut address = self.session.address(self.client, self.repository, "blobs/uploads/").await?;
        let mut scopes = vec![self.repository.scope("pull,push")];
        if let Some(from) = from {
            from.check()?;
            address.query_pairs_mut().append_pair("mount", self.blob.digest.as_str()).append_pair("from", &from.name);
            scopes.push(from.scope("pull"));
        }
        let ask = Ask::plain(Method::POST, address.clone(), scopes, self.name.clone());
        let answer = self.client.send(self.session, &ask).await?;
        match (answer.status(), answer.headers().get(LOCATION)) {
            (StatusCode::CREATED, _) => Ok(Begun::Mounted),
            (StatusCode::ACCEPTED, Some(location)) => Ok(Begun::At(self.client.wire.follow(&address, location)?)),
            (status, _) => Err(Error::new(Kind::Protocol, format!("{}: the registry answered {} instead of a place for it", self.name, status.as_u16()))),
        }
    }

    async fn stream(&self, mut address: Url, open: &Opener) -> Result<(), Error> {
        address.query_pairs_mut().append_pair("digest", self.blob.digest.as_str());
        let moved = Arc::new(AtomicU64::new(0));
        let failure = Arc::new(std::sync::Mutex::new(None));
        let body = || {
            let (sender, receiver) = mpsc::channel(4);
            let source = Source {
                open: open.clone(),
                size: self.blob.size,
                name: self.name.clone(),
                progress: self.progress.clone(),
                moved: moved.clone(),
                failure: failure.clone(),
            };
            tokio::task::spawn_blocking(move || source.run(&sender));
            let stream = futures_util::stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|piece| (piece, receiver)) });
            Ok(reqwest::Body::wrap_stream(stream))
        };
        let mut ask = Ask::plain(Method::PUT, address, vec![self.repository.scope("pull,push")], self.name.clone());
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        ask.payload = Payload::Stream(self.blob.size, &body);
        let sent = tokio::select! {
            sent = self.client.send(self.session, &ask) => sent.map(drop),
            () = standstill(&moved) => Err(Error::new(Kind::Unreachable, format!("{}: the registry takes no more bytes", self.name))),
        };
        // What failed on this side is the cause of what then failed on the wire.
        let own = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        own.map_or(sent, Err)
    }
}

/// Ends when nothing has moved for too long.
async fn standstill(moved: &AtomicU64) {
    let mut last = moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(STANDSTILL).await;
        let now = moved.load(Ordering::Relaxed);
        if now == last {
            return;
        }
        last = now;
    }
}

/// The reading half of an upload, on a thread that may wait.
struct Source {
    open: Opener,
    size: u64,
    name: String,
    progress: Option<Progress>,
    moved: Arc<AtomicU64>,
    failure: Arc<std::sync::Mutex<Option<Error>>>,
}

impl Source {
    fn run(&self, sender: &mpsc::Sender<io::Result<Bytes>>) {
        if let Err(error) = self.read(sender) {
            *self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error.clone());
            // The body must not end as if it were whole.
            let _ = sender.blocking_send(Err(error.into()));
        }
    }

    fn read(&self, sender: &mpsc::Sender<io::Result<Bytes>>) -> Result<(), Error> {
        let failed = |e: &io::Error| Error::io(format!("cannot read {}", self.name), e);
        let mut input = (self.open)().map_err(|e| failed(&e))?;
        let mut gone = 0u64;
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            input.by_ref().take(PIECE as u64).read_to_end(&mut piece).map_err(|e| failed(&e))?;
            let size = piece.len() as u64;
            gone += size;
            if gone > self.size || (size == 0 && gone != self.size) {
                let relation = if gone > self.size { "more" } else { "only" };
                return Err(Error::new(Kind::Corrupt, format!("{}: expected {} bytes to send, there are {relation} {gone}", self.name, self.size)));
            }
            // A receiver that is gone means that the registry has answered already.
            if size == 0 || sender.blocking_send(Ok(piece.into())).is_err() {
                return Ok(());
            }
            self.moved.fetch_add(size, Ordering::Relaxed);
            self.progress.iter().for_each(|progress| progress(gone));
        }
    }
}
