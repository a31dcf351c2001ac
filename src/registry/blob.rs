//! Blobs on their way in: one stream over as many connections as it takes, counted, hashed and held to its descriptor.
//!
//! ```text
//! GET blob ─► 200, bytes 0…  ─► connection lost at n ─► GET, Range: bytes=n- ─► 206 ─► bytes n… ─► all there: sha256 compared
//!                                                                          └─► 200 ─► n bytes are skipped
//! ```

use super::Client;
use super::error::{Error, Kind, clean};
use super::manifest::Descriptor;
use super::patience::{Notice, Patience};
use super::repository::Repository;
use super::wire::{Ask, chunk};
use crate::id::Digest;
use bytes::{Buf, Bytes};
use reqwest::header::{CONTENT_RANGE, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode};
use ring::digest::{Context, SHA256};
use std::io::{self, Read};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Told how many bytes have come (or gone) so far.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// How many pieces may wait for their reader; a piece is what one read of a connection gives, mostly below 400 KiB.
const AHEAD: usize = 8;

/// How often a blob is resumed, with progress or without.
const RESUMES: u32 = 100;

/// A blob's bytes in their order. The last piece was followed by the check of the digest when [`None`] comes.
///
/// Dropping it ends the download.
pub struct BlobStream {
    pieces: mpsc::Receiver<Result<Bytes, Error>>,
    download: JoinHandle<()>,
    state: State,
    expected: Digest,
    name: String,
}

/// How far a stream is.
enum State {
    Running(Box<Context>),
    /// All there, and what it should be.
    Whole,
    /// Said again to whoever reads on: what failed must not look like an end.
    Failed(Error),
}

impl Client {
    /// Starts to download a blob; to be called within a tokio runtime, whatever reads it then.
    pub fn blob(&self, repository: &Repository, blob: &Descriptor, progress: Option<Progress>) -> BlobStream {
        self.blob_until(repository, blob, progress, std::future::pending())
    }

    /// The same, given up once `end` comes: a reader that waits for a registry that says nothing is woken with an error.
    pub fn blob_until(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        progress: Option<Progress>,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> BlobStream {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let name = format!("blob {} of {repository}", blob.digest);
        let download = Download { client: self.clone(), repository: repository.clone(), blob: blob.clone(), name: name.clone(), progress, got: 0, sender };
        let download = tokio::spawn(async move {
            let given_up = Error::new(Kind::Io, format!("{}: given up", download.name));
            let sender = download.sender.clone();
            tokio::select! {
                () = download.run() => {}
                () = end => {
                    // A reader that is gone needs no word.
                    let _ = sender.send(Err(given_up)).await;
                }
            }
        });
        BlobStream { pieces, download, state: State::Running(Box::new(Context::new(&SHA256))), expected: blob.digest.clone(), name }
    }
}

impl BlobStream {
    /// The next piece.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        let piece = if let State::Running(_) = self.state { self.pieces.recv().await } else { None };
        self.account(piece)
    }

    /// The next piece, for a thread that may wait (not one that runs the runtime's tasks).
    pub fn blocking_next(&mut self) -> Option<Result<Bytes, Error>> {
        let piece = if let State::Running(_) = self.state { self.pieces.blocking_recv() } else { None };
        self.account(piece)
    }

    /// The same as something to read from on a thread that may wait. It has to be read to its end: only there the digest is compared.
    pub fn into_reader(self) -> BlobReader {
        BlobReader { stream: self, piece: Bytes::new() }
    }

    // Hashed by whoever reads, so that many downloads are hashed on many threads.
    fn account(&mut self, piece: Option<Result<Bytes, Error>>) -> Option<Result<Bytes, Error>> {
        let error = match (&mut self.state, piece) {
            (State::Running(hash), Some(Ok(bytes))) => {
                hash.update(&bytes);
                return Some(Ok(bytes));
            }
            (_, Some(Err(error))) => error,
            (State::Running(hash), None) => {
                let got = Digest::from_sha256(hash.clone().finish().as_ref());
                if got == self.expected {
                    self.state = State::Whole;
                    return None;
                }
                Error::new(Kind::Corrupt, format!("{} does not match its digest: expected {}, got {got}", self.name, self.expected))
            }
            (State::Whole, _) => return None,
            (State::Failed(error), _) => error.clone(),
        };
        self.state = State::Failed(error.clone());
        Some(Err(error))
    }
}

impl Drop for BlobStream {
    fn drop(&mut self) {
        self.download.abort();
    }
}

/// A blob as something to read from; errors of the registry are inside, see [`Error::from_reader`].
pub struct BlobReader {
    stream: BlobStream,
    piece: Bytes,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.stream.blocking_next() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let size = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..size]);
        Ok(size)
    }
}

struct Download {
    client: Client,
    repository: Repository,
    blob: Descriptor,
    name: String,
    progress: Option<Progress>,
    got: u64,
    sender: mpsc::Sender<Result<Bytes, Error>>,
}

/// Why a connection gave no more.
enum Break {
    /// Nobody wants the rest, or it must not be asked for again.
    Final(Error),
    /// The rest may come over another connection.
    Lost(String),
    /// The body ended as if it were whole.
    Short,
}

impl Download {
    async fn run(mut self) {
        if let Err(error) = self.all().await {
            // If nobody listens any more, nobody wants to know.
            let _ = self.sender.send(Err(error)).await;
        }
    }

    async fn all(&mut self) -> Result<(), Error> {
        let mut patience = Patience::default();
        for _ in 0..RESUMES {
            let before = self.got;
            let cause = match self.part().await {
                Ok(()) => return Ok(()),
                Err(Break::Final(error)) => return Err(error),
                Err(Break::Short) if self.got == before => return Err(self.truncated()),
                Err(Break::Short) => "the connection was closed".to_owned(),
                Err(Break::Lost(cause)) => cause,
            };
            if self.got > before {
                patience.renew();
            }
            let Some(pause) = patience.fault() else {
                return Err(Error::new(
                    Kind::Unreachable,
                    format!("{}: the connection was lost again and again, last after {} of {} bytes: {cause}", self.name, self.got, self.blob.size),
                ));
            };
            let reason = format!("{cause} after {} of {} bytes", self.got, self.blob.size);
            self.client.tell(&Notice::Retrying { what: self.name.clone(), reason });
            tokio::time::sleep(pause).await;
        }
        Err(Error::new(
            Kind::Unreachable,
            format!("{}: the connection was lost {RESUMES} times, last after {} of {} bytes", self.name, self.got, self.blob.size),
        ))
    }

    /// What one connection gives.
    async fn part(&mut self) -> Result<(), Break> {
        let mut response = self.open().await.map_err(Break::Final)?;
        let mut skip = self.begin(&response).map_err(Break::Final)?;
        loop {
            match chunk(&mut response).await {
                Ok(Some(mut piece)) => {
                    let skipped = skip.min(piece.len() as u64);
                    piece.advance(skipped as usize);
                    skip -= skipped;
                    if piece.len() as u64 > self.blob.size - self.got {
                        return Err(Break::Final(self.oversized()));
                    }
                    self.deliver(piece).await?;
                }
                Ok(None) | Err(_) if self.got == self.blob.size => return Ok(()),
                Ok(None) => return Err(Break::Short),
                Err(cause) => return Err(Break::Lost(cause)),
            }
        }
    }

    async fn deliver(&mut self, piece: Bytes) -> Result<(), Break> {
        if piece.is_empty() {
            return Ok(());
        }
        self.got += piece.len() as u64;
        if let Some(progress) = &self.progress {
            progress(self.got);
        }
        self.sender.send(Ok(piece)).await.map_err(|_| Break::Final(Error::new(Kind::Io, format!("{}: not read to its end", self.name))))
    }

    async fn open(&self) -> Result<Response, Error> {
        let session = self.client.wire.session(&self.repository.host)?;
        let address = session.address(&self.client, &self.repository, &format!("blobs/{}", self.blob.digest)).await?;
        let mut ask = Ask::plain(Method::GET, address, vec![self.repository.scope("pull")], self.name.clone());
        // Never at the end: a range must not be empty.
        if self.got > 0 {
            ask.headers.insert(RANGE, HeaderValue::from_str(&format!("bytes={}-", self.got)).map_err(|e| Error::new(Kind::Invalid, e.to_string()))?);
        }
        self.client.send(&session, &ask).await
    }

    /// How many bytes of an answer are there already.
    fn begin(&self, response: &Response) -> Result<u64, Error> {
        let length = response.content_length();
        if response.status() == StatusCode::PARTIAL_CONTENT {
            let range = response.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
            let start = range.strip_prefix("bytes ").and_then(|r| r.split('-').next()).and_then(|n| n.trim().parse::<u64>().ok());
            return match start {
                Some(start) if start == self.got => Ok(0),
                _ => Err(Error::new(Kind::Protocol, format!("{}: asked for the bytes from {} on, the registry gave {:?}", self.name, self.got, clean(range)))),
            };
        }
        match length {
            Some(length) if length < self.blob.size => Err(self.wrong_size(length)),
            Some(length) if length > self.blob.size => Err(self.oversized()),
            _ => Ok(self.got),
        }
    }

    fn wrong_size(&self, length: u64) -> Error {
        Error::new(Kind::Corrupt, format!("{} is truncated: expected {} bytes, got {length}", self.name, self.blob.size))
    }

    fn truncated(&self) -> Error {
        self.wrong_size(self.got)
    }

    fn oversized(&self) -> Error {
        Error::new(Kind::Corrupt, format!("{} is larger than the {} bytes that its manifest says", self.name, self.blob.size))
    }
}
