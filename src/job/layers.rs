//! Layers brought in: streamed once each, several at a time, put in their places bottom first.

use crate::engine::{Error, JobContext, Kind, Progress, Result, Staging, Unsaid};
use crate::graph::content::{Batch, BlobWriter};
use crate::graph::diff::Limits;
use crate::graph::layer::{Unpacked, unpack};
use crate::graph::stream::Compression;
use crate::id::{DiffId, LayerId};
use crate::registry::{Descriptor, Error as RegistryError, Progress as Heard};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// Layers on their way at once.
const AT_ONCE: usize = 3;

/// A layer that is to be in its place.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Chain id.
    pub id: LayerId,
    /// The digest of its tar stream.
    pub diff: DiffId,
    /// Its blob.
    pub descriptor: Descriptor,
    /// How the blob is compressed.
    pub compression: Compression,
}

impl Wanted {
    fn short(&self) -> String {
        self.descriptor.digest.short().to_owned()
    }
}

/// A layer whose blob is kept. Its files are not in their place yet, if it was extracted.
struct Extracted(Option<(Staging, Unpacked)>);

/// What a job that was called off ends with.
pub fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "cancelled")
}

/// Brings all layers in; `open` gives a blob's bytes, `done` is what is said of a layer at its end. The caller holds the collection
/// lock shared. Called off, it ends once every thread has let go of what it was making.
pub async fn bring<R: Read + Send + 'static>(
    wanted: Vec<Wanted>,
    open: impl Fn(&Wanted, Heard) -> R + Clone + Send + 'static,
    done: &'static str,
    context: &JobContext,
) -> Result<()> {
    let batch = Arc::new(context.engine.content().batch().map_err(|e| Error::io("cannot keep blobs", &e))?);
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let stop = Arc::new(AtomicBool::new(false));
    // Should this future be dropped half-way (the job was called off), the threads stop at their next read.
    let _stop = StopOnDrop(Arc::clone(&stop));
    let mut tasks = Vec::with_capacity(wanted.len());
    for layer in &wanted {
        say(context, &layer.short(), "Waiting", None);
        let (layer, batch, gate, stop, open, context) =
            (layer.clone(), Arc::clone(&batch), Arc::clone(&gate), Arc::clone(&stop), open.clone(), context.clone());
        tasks.push(tokio::spawn(async move {
            let permit = gate.acquire_owned().await;
            let result = context.blocking(move |context| fetch(&layer, &batch, &stop, open, context)).await;
            drop(permit);
            result
        }));
    }
    let mut parents: Vec<LayerId> = Vec::new();
    let mut failure = None;
    for (layer, task) in wanted.into_iter().zip(tasks) {
        let extracted = task.await.unwrap_or_else(|e| Err(Error::new(Kind::Failed, format!("a layer's thread broke down: {e}"))));
        if failure.is_some() {
            continue;
        }
        let placed = match extracted {
            Ok(extracted) => {
                let (id, parents) = (layer.id.clone(), parents.clone());
                let result = context.blocking(move |context| place(&layer, extracted, &parents, done, context)).await;
                result.map(|()| id)
            }
            Err(error) => Err(error),
        };
        match placed {
            Ok(id) => parents.push(id),
            Err(error) => {
                stop.store(true, Ordering::Relaxed);
                // Whatever a thread says that was stopped on its way, this is why.
                failure = Some(if context.is_cancelled() { cancelled() } else { error });
            }
        }
    }
    failure.map_or(Ok(()), Err)
}

/// After a failure, with the collection lock let go: what came of an image that is not what it says to be goes, and nothing of it is
/// left behind. What came before a connection was lost, or before the user called it off, stays for the next attempt.
pub async fn refused(error: Error, context: &JobContext) -> Error {
    if matches!(error.kind, Kind::Corrupt | Kind::Unsupported) {
        // What cannot be taken away now is taken by the next prune.
        let _ = context.blocking(|context| context.engine.collect()).await;
    }
    error
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn say(context: &JobContext, id: &str, status: &str, bytes: Option<(u64, u64)>) {
    context.progress(Progress { id: id.to_owned(), status: status.to_owned(), current: bytes.map(|b| b.0), total: bytes.map(|b| b.1) });
}

/// A stream that ends with an error once nobody wants it any more.
struct Stoppable<R> {
    inner: R,
    stop: Arc<AtomicBool>,
    context: JobContext,
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) || self.context.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        self.inner.read(buffer)
    }
}

fn fetch<R: Read + Send>(
    layer: &Wanted,
    batch: &Arc<Batch>,
    stop: &Arc<AtomicBool>,
    open: impl Fn(&Wanted, Heard) -> R,
    context: &JobContext,
) -> Result<Option<Extracted>> {
    context.check()?;
    if stop.load(Ordering::Relaxed) {
        return Err(cancelled());
    }
    let engine = &context.engine;
    let driver = engine.graph()?;
    let has_layer = engine.db().layer(driver.name(), layer.id.as_str())?.is_some();
    let has_blob = has_blob(layer, context)?;
    if has_layer && has_blob {
        say(context, &layer.short(), "Already exists", None);
        return Ok(None);
    }
    if has_blob {
        // A pull was cut short after this blob had come, or another driver has its files.
        let file = engine.content().open_blob(&layer.descriptor.digest).map_err(|e| Error::io("cannot read a blob", &e))?;
        say(context, &layer.short(), "Extracting", None);
        match receive(layer, Stoppable { inner: file, stop: Arc::clone(stop), context: context.clone() }, None, context) {
            // Damaged here: the registry has it whole.
            Err(error) if error.kind == Kind::Corrupt => {}
            done => return done.map(Some),
        }
    }
    let stream = Stoppable { inner: open(layer, listener(layer, context)), stop: Arc::clone(stop), context: context.clone() };
    let mut writer = Arc::clone(batch).writer().map_err(|e| Error::io("cannot keep the blob", &e))?;
    if has_layer {
        // The files are here, the blob that they came from is not: it is kept for pushes and archives.
        let mut stream = stream;
        io::copy(&mut stream, &mut writer).map_err(|e| lost(layer, e))?;
        keep(layer, writer)?;
        return Ok(Some(Extracted(None)));
    }
    let extracted = receive(layer, stream, Some(&mut writer), context)?;
    keep(layer, writer)?;
    Ok(Some(extracted))
}

/// Whether the layer's blob is here, in its whole length.
fn has_blob(layer: &Wanted, context: &JobContext) -> Result<bool> {
    match context.engine.content().size(&layer.descriptor.digest) {
        Ok(size) => Ok(size == layer.descriptor.size),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("cannot look at blobs", &error)),
    }
}

/// Who hears how many bytes have come: a word for every hundredth, not for every packet.
fn listener(layer: &Wanted, context: &JobContext) -> Heard {
    let (id, total) = (layer.short(), layer.descriptor.size);
    let told = AtomicU64::new(0);
    let context = context.clone();
    Arc::new(move |bytes| {
        let step = (total / 100).max(64 << 10);
        if bytes == total {
            say(&context, &id, "Extracting", Some((bytes, total)));
        } else if bytes >= told.load(Ordering::Relaxed) + step || bytes == 0 {
            told.store(bytes, Ordering::Relaxed);
            say(&context, &id, "Downloading", Some((bytes, total)));
        }
    })
}

/// Names a blob as soon as it is whole: a pull that is killed goes on with it, though the layers below it are still on their way.
fn keep(layer: &Wanted, writer: BlobWriter) -> Result<()> {
    let parked = writer.park();
    check(layer, parked.digest.as_str(), layer.descriptor.digest.as_str())?;
    parked.commit().map_err(|e| Error::io("cannot keep the blob", &e))?;
    Ok(())
}

/// Extracts a layer from its stream, aside, and compares the digests.
fn receive<R: Read + Send>(layer: &Wanted, stream: R, blob: Option<&mut BlobWriter>, context: &JobContext) -> Result<Extracted> {
    let staging = context.engine.graph()?.stage().map_err(|e| Error::io("cannot make a folder for a layer", &e))?;
    let unpacked = unpack(stream, layer.compression, blob.map(|blob| blob as _), staging.lock.as_fd(), &Limits::default()).map_err(|e| lost(layer, e))?;
    check(layer, unpacked.blob.as_str(), layer.descriptor.digest.as_str())?;
    check(layer, unpacked.diff.as_str(), layer.diff.as_str())?;
    for name in &unpacked.extracted.unkept {
        context.say(format!("WARNING: layer {}: this file system cannot hold the extended attribute {name}", layer.short()));
    }
    Ok(Extracted(Some((staging, unpacked))))
}

fn check(layer: &Wanted, found: &str, expected: &str) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::new(Kind::Corrupt, format!("layer {}: digest mismatch: expected {expected}, the content has {found}", layer.descriptor.digest)))
}

/// The registry's own words, if it was the registry that failed.
fn lost(layer: &Wanted, error: io::Error) -> Error {
    match RegistryError::from_reader(error) {
        Ok(error) => error.into(),
        Err(error) if error.to_string().contains("cancelled") => cancelled(),
        Err(error) => {
            let kind = match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Kind::Corrupt,
                // The registry's, with the name of the entry it broke off in.
                io::ErrorKind::ConnectionAborted => Kind::Unavailable,
                _ => Kind::Failed,
            };
            Error::new(kind, format!("layer {}: {error}", layer.descriptor.digest))
        }
    }
}

/// Puts an extracted layer in its place and names it.
fn place(layer: &Wanted, extracted: Option<Extracted>, parents: &[LayerId], done: &str, context: &JobContext) -> Result<()> {
    let Some(Extracted(files)) = extracted else { return Ok(()) };
    if let Some((staging, unpacked)) = files {
        let engine = &context.engine;
        let unsaid = Unsaid { folders: unpacked.extracted.unsaid.folders, links: unpacked.extracted.unsaid.links };
        engine.graph()?.commit(staging, &layer.id, parents, &unsaid).map_err(|e| Error::io(format_args!("layer {}", layer.descriptor.digest), &e))?;
        engine.enter_layer(&layer.id, parents.last(), &layer.diff, unpacked.extracted.bytes)?;
    }
    say(context, &layer.short(), done, None);
    Ok(())
}
