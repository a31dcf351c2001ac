//! One layer's whole way in one pass: compressed bytes, their digest and copy, decompression, diff id, extraction.
//!
//! ```text
//!  bytes ─► sha256 ─► blob file ─► decompression ══ channel ══► sha256 (diff id) ─► tar ─► files
//!          └────────── a thread of its own ─────┘              └──── the caller's thread ───┘
//! ```
//!
//! Nothing is read back. Two threads, because decompression takes about as long as all the rest.

use super::diff::{self, Extracted, Form, Limits};
use super::stream::{BUFFER, Compression, Measured, Tee, decompress};
use crate::id::{DiffId, Digest};
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Buffers on the way between the two threads.
const AHEAD: usize = 8;

/// A layer that was unpacked.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// Digest of the bytes as they came.
    pub blob: Digest,
    /// How many they were.
    pub size: u64,
    /// Digest of the tar stream.
    pub diff: DiffId,
    /// Its length, bytes.
    pub plain_size: u64,
    /// What came out of it.
    pub extracted: Extracted,
}

/// Unpacks the layer that `stream` gives into the empty folder `root` in diff form, and copies the bytes as they come
/// to `blob`. Should extraction fail, one more read of `stream` is waited for: it has to end when it is given up. The caller compares the digests with those it expects before it commits anything.
///
/// # Errors
/// As [`diff::extract`]; those of the stream with their kind; a stream longer than `limits.bytes`.
pub fn unpack<R: Read + Send>(
    stream: R,
    compression: Compression,
    blob: Option<&mut (dyn Write + Send)>,
    root: BorrowedFd<'_>,
    limits: &Limits,
) -> io::Result<Unpacked> {
    let (full, filled) = sync_channel(AHEAD);
    let (empty, emptied) = channel();
    std::thread::scope(|scope| {
        let ahead = std::thread::Builder::new().name("layer".into()).spawn_scoped(scope, move || {
            let copy: Box<dyn Write + Send + '_> = match blob {
                Some(blob) => Box::new(blob),
                None => Box::new(io::sink()),
            };
            let stream = Measured::new(Tee::new(stream, copy), u64::MAX);
            read_ahead(stream, compression, &full, &emptied)
        })?;
        // Headers and padding come on top of the contents.
        let most = limits.bytes.saturating_add(limits.entries.saturating_mul(4096));
        let mut plain = Measured::new(Piped { filled, empty, buffer: Vec::new(), at: 0 }, most);
        let extracted = diff::extract(&mut plain, root, Form::Layer, limits);
        // An archive may end without a word where its stream goes on.
        let drained = extracted.and_then(|extracted| io::copy(&mut plain, &mut io::sink()).map(|_| extracted));
        let (diff, plain_size, piped) = plain.finish();
        drop(piped);
        let ahead = ahead.join().unwrap_or_else(|_| Err(io::Error::other("the thread that decompresses the layer failed")));
        // The first fault of the stream reached the reader through the channel already, with the entry's name.
        let extracted = drained?;
        let (blob, size) = ahead?;
        Ok(Unpacked { blob, size, diff, plain_size, extracted })
    })
}

/// Decompresses the stream into buffers until its end, or until nobody wants them. Gives the digest and length of the
/// stream below.
fn read_ahead<R: Read>(
    stream: Measured<R>,
    compression: Compression,
    full: &SyncSender<io::Result<Vec<u8>>>,
    emptied: &Receiver<Vec<u8>>,
) -> io::Result<(Digest, u64)> {
    let mut plain = decompress(stream, compression)?;
    loop {
        let mut buffer = emptied.try_recv().unwrap_or_else(|_| vec![0; BUFFER]);
        buffer.resize(BUFFER, 0);
        let mut length = 0;
        let mut ended = false;
        while length < BUFFER && !ended {
            match plain.read(&mut buffer[length..]) {
                Ok(0) => ended = true,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let told = io::Error::new(error.kind(), error.to_string());
                    let _ = full.send(Err(error));
                    return Err(told);
                }
            }
        }
        buffer.truncate(length);
        if length > 0 && full.send(Ok(buffer)).is_err() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if ended {
            let (digest, size, _) = plain.finish()?.finish();
            return Ok((digest, size));
        }
    }
}

/// The other end of the channel, as a reader; gives buffers back when they are empty.
struct Piped {
    filled: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    buffer: Vec<u8>,
    at: usize,
}

impl Read for Piped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() {
            // A closed channel is the end: a fault was sent through it.
            let Ok(next) = self.filled.recv() else { return Ok(0) };
            let old = std::mem::replace(&mut self.buffer, next?);
            self.at = 0;
            if old.capacity() > 0 {
                let _ = self.empty.send(old);
            }
        }
        let count = into.len().min(self.buffer.len() - self.at);
        into[..count].copy_from_slice(&self.buffer[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::content::Content;
    use crate::graph::tar::{Entry, Kind, Writer};
    use std::os::fd::AsFd;

    fn layer() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        for n in 0..50u32 {
            let entry =
                Entry { path: format!("folder/{n}").into_bytes(), kind: Kind::File, mode: 0o640, uid: owner.0.into(), gid: owner.1.into(), ..Entry::default() };
            writer.whole(&entry, &vec![n as u8; 20_000]).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn one_pass_gives_both_digests_and_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::open(&folder.path().join("blobs")).unwrap();
        let tar = layer();
        let compressed = zstd::encode_all(&tar[..], 1).unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let fd = std::fs::File::open(&root).unwrap();
        let mut blob = content.writer().unwrap();
        let unpacked = unpack(&compressed[..], Compression::Zstd, Some(&mut blob), fd.as_fd(), &Limits::default()).unwrap();
        assert_eq!((unpacked.diff, unpacked.plain_size), (Digest::of(&tar), tar.len() as u64));
        assert_eq!((unpacked.blob, unpacked.size), blob.commit(None).unwrap());
        assert_eq!(std::fs::read(root.join("folder/49")).unwrap(), vec![49; 20_000]);
    }

    #[test]
    fn a_cut_stream_names_the_entry() {
        let folder = tempfile::tempdir().unwrap();
        let compressed = zstd::encode_all(&layer()[..], 1).unwrap();
        let fd = std::fs::File::open(folder.path()).unwrap();
        let error = unpack(&compressed[..compressed.len() / 2], Compression::Zstd, None, fd.as_fd(), &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("entry \"folder/"), "{error}");
    }
}
