//! Blobs by digest: compressed layers exactly as they came, configuration documents, manifests.
//!
//! ```text
//!  blobs/sha256/HEX        a whole blob; its name is its digest
//!  blobs/tmp/RANDOM/N      blobs being written; the folder is locked by whoever writes them
//! ```
//!
//! What is being written has no name until it is whole and its digest is right. The lock of a writer that is gone is
//! free: [`Content::sweep`] removes what it left. Nothing is synced blob by blob; [`Content::sync`] once, before what
//! was written is named in the database, makes all of it durable.

use super::{invalid, named};
use crate::id::{Digest, hex};
use ring::digest::{Context, SHA256};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A store of blobs; any number of processes may have it open.
#[derive(Clone, Debug)]
pub struct Content {
    folder: PathBuf,
}

impl Content {
    /// The store in `folder` (`blobs` of the root), made if it is not there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path) -> io::Result<Self> {
        for part in ["sha256", "tmp"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(|error| named(path.display(), &error))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where a blob lies or would lie.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("sha256").join(digest.hex())
    }

    /// A place for a new blob.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn writer(&self) -> io::Result<BlobWriter> {
        Arc::new(self.batch()?).writer()
    }

    /// A place for many new blobs, which are kept or thrown away together.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn batch(&self) -> io::Result<Batch> {
        loop {
            let mut random = [0u8; 16];
            rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
            let folder = self.folder.join("tmp").join(hex(&random));
            fs::create_dir(&folder).map_err(|error| named(folder.display(), &error))?;
            // A sweep may have come between: it holds the lock while it removes, or has removed already.
            if let Some(lock) = lock(&folder)? {
                return Ok(Batch { content: self.clone(), folder, count: AtomicU64::new(0), _lock: lock });
            }
        }
    }

    /// Writes a small blob whole, such as a document.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn put(&self, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest::of(bytes);
        if !self.has(&digest)? {
            let mut writer = self.writer()?;
            writer.write_all(bytes)?;
            writer.commit(Some(&digest))?;
        }
        Ok(digest)
    }

    /// Whether the blob is here.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn has(&self, digest: &Digest) -> io::Result<bool> {
        self.path(digest).try_exists()
    }

    /// The blob's length, bytes.
    ///
    /// # Errors
    /// `NotFound`, and those of the file system.
    pub fn size(&self, digest: &Digest) -> io::Result<u64> {
        fs::metadata(self.path(digest)).map(|meta| meta.len()).map_err(|error| named(format_args!("blob {digest}"), &error))
    }

    /// The blob, to be read.
    ///
    /// # Errors
    /// `NotFound`, and those of the file system.
    pub fn open_blob(&self, digest: &Digest) -> io::Result<File> {
        File::open(self.path(digest)).map_err(|error| named(format_args!("blob {digest}"), &error))
    }

    /// A whole small blob, its digest checked.
    ///
    /// # Errors
    /// `InvalidData` if it is longer than `limit` bytes or damaged, `NotFound`, and those of the file system.
    pub fn read(&self, digest: &Digest, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_blob(digest)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(invalid(format!("blob {digest} is longer than {limit} bytes")));
        }
        if Digest::of(&bytes) != *digest {
            return Err(invalid(format!("blob {digest} is damaged: its content has another digest")));
        }
        Ok(bytes)
    }

    /// Whether the blob's content still has its digest.
    ///
    /// # Errors
    /// `NotFound`, and those of the file system.
    pub fn verify(&self, digest: &Digest) -> io::Result<bool> {
        let mut measured = super::stream::Measured::new(self.open_blob(digest)?, u64::MAX);
        let mut buffer = vec![0; super::stream::BUFFER];
        while measured.read(&mut buffer)? > 0 {}
        Ok(measured.finish().0 == *digest)
    }

    /// Removes a blob; one that is not there is no error.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, digest: &Digest) -> io::Result<()> {
        match fs::remove_file(self.path(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(named(format_args!("blob {digest}"), &error)),
            _ => Ok(()),
        }
    }

    /// All blobs, in no order. Files whose name is no digest are left out.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn list(&self) -> io::Result<Vec<Digest>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.folder.join("sha256"))? {
            if let Some(Ok(digest)) = entry?.file_name().to_str().map(|name| format!("sha256:{name}").parse()) {
                all.push(digest);
            }
        }
        Ok(all)
    }

    /// Removes what writers that are gone left behind.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.folder.join("tmp"))? {
            let path = entry?.path();
            if lock(&path)?.is_some() {
                match fs::remove_dir_all(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(named(path.display(), &error)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Makes everything written on this file system durable.
    ///
    /// # Errors
    /// Those of the file system, for data that could not be written.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.folder)?)?)
    }
}

/// Locks a folder; `None` if it is gone or another holds it.
fn lock(folder: &Path) -> io::Result<Option<OwnedFd>> {
    let fd = match rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        // What is no folder was not made here.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        other => other.map_err(|error| named(folder.display(), &error.into()))?,
    };
    match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::AGAIN) => return Ok(None),
        other => other?,
    }
    // Removed between the two: whoever removes a folder holds its lock.
    Ok(folder.try_exists()?.then_some(fd))
}

/// Blobs being written, in a locked folder of their own. What was not committed goes with it.
#[derive(Debug)]
pub struct Batch {
    content: Content,
    folder: PathBuf,
    count: AtomicU64,
    _lock: OwnedFd,
}

impl Batch {
    /// A place for a new blob.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn writer(self: Arc<Self>) -> io::Result<BlobWriter> {
        let path = self.folder.join(self.count.fetch_add(1, Ordering::Relaxed).to_string());
        let file = File::create_new(&path).map_err(|error| named(path.display(), &error))?;
        Ok(BlobWriter { batch: self, file, path, hash: Context::new(&SHA256), bytes: 0 })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // Best effort: what stays behind is swept.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A blob being written; dropped without a commit, it is gone.
pub struct BlobWriter {
    batch: Arc<Batch>,
    file: File,
    path: PathBuf,
    hash: Context,
    bytes: u64,
}

impl BlobWriter {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the blob without naming it yet; its file is closed.
    pub fn park(self) -> Parked {
        Parked { digest: Digest::from_sha256(self.hash.finish().as_ref()), size: self.bytes, batch: self.batch, path: self.path }
    }

    /// Names the blob by its digest, which must be `expected`. Gives digest and length.
    ///
    /// # Errors
    /// `InvalidData` if the digest is another: the blob is gone then. And those of the file system.
    pub fn commit(self, expected: Option<&Digest>) -> io::Result<(Digest, u64)> {
        let parked = self.park();
        if let Some(expected) = expected
            && *expected != parked.digest
        {
            // Not all of the batch goes, only this one.
            let _ = fs::remove_file(&parked.path);
            return Err(invalid(format!("digest mismatch: expected {expected}, the content has {}", parked.digest)));
        }
        parked.commit()
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A blob that is whole and not named yet.
#[derive(Clone, Debug)]
pub struct Parked {
    /// Its digest.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
    batch: Arc<Batch>,
    path: PathBuf,
}

impl Parked {
    /// Reads it before it is named.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(&self) -> io::Result<File> {
        File::open(&self.path).map_err(|error| named(self.path.display(), &error))
    }

    /// Names it by its digest. Gives digest and length.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn commit(self) -> io::Result<(Digest, u64)> {
        match fs::rename(&self.path, self.batch.content.path(&self.digest)) {
            // Two of the same content in one batch, both committed: the first is in its place.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.batch.content.has(&self.digest)? => Ok((self.digest, self.size)),
            other => other.map(|()| (self.digest.clone(), self.size)).map_err(|error| named(format_args!("blob {}", self.digest), &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Content) {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::open(&folder.path().join("blobs")).unwrap();
        (folder, content)
    }

    fn temporary(content: &Content) -> usize {
        fs::read_dir(content.folder.join("tmp")).unwrap().count()
    }

    #[test]
    fn a_blob_is_there_once_it_is_committed() {
        let (_folder, content) = store();
        let mut writer = content.writer().unwrap();
        writer.write_all(b"hello").unwrap();
        let digest = Digest::of(b"hello");
        assert!(!content.has(&digest).unwrap());
        assert_eq!(writer.commit(Some(&digest)).unwrap(), (digest.clone(), 5));
        assert_eq!(content.read(&digest, 5).unwrap(), b"hello");
        assert!(content.read(&digest, 4).is_err());
        assert!(content.verify(&digest).unwrap());
        assert_eq!(content.list().unwrap(), std::slice::from_ref(&digest));
        assert_eq!(temporary(&content), 0);
        fs::write(content.path(&digest), b"hallo").unwrap();
        assert!(!content.verify(&digest).unwrap());
        assert!(content.read(&digest, 5).unwrap_err().to_string().contains("damaged"));
        content.remove(&digest).unwrap();
        content.remove(&digest).unwrap();
        assert!(!content.has(&digest).unwrap());
    }

    #[test]
    fn a_wrong_digest_leaves_nothing() {
        let (_folder, content) = store();
        let mut writer = content.writer().unwrap();
        writer.write_all(b"hello").unwrap();
        assert!(writer.commit(Some(&Digest::of(b"other"))).unwrap_err().to_string().contains("mismatch"));
        drop(content.writer().unwrap());
        assert!(content.list().unwrap().is_empty());
        assert_eq!(temporary(&content), 0);
    }

    #[test]
    fn a_sweep_takes_only_what_nobody_holds() {
        let (_folder, content) = store();
        let mut held = content.writer().unwrap();
        fs::create_dir(content.folder.join("tmp/dead")).unwrap();
        fs::write(content.folder.join("tmp/dead/0"), b"x").unwrap();
        content.sweep().unwrap();
        assert_eq!(temporary(&content), 1);
        held.write_all(b"y").unwrap();
        held.commit(None).unwrap();
        assert_eq!(content.list().unwrap(), [Digest::of(b"y")]);
    }

    #[test]
    fn a_batch_goes_together() {
        let (_folder, content) = store();
        let batch = Arc::new(content.batch().unwrap());
        let parked: Vec<_> = (0..3u8)
            .map(|n| {
                let mut writer = Arc::clone(&batch).writer().unwrap();
                writer.write_all(&[n / 2]).unwrap();
                writer.park()
            })
            .collect();
        drop(batch);
        assert!(content.list().unwrap().is_empty());
        for blob in parked {
            blob.commit().unwrap();
        }
        assert_eq!(content.list().unwrap().len(), 2);
        assert_eq!(temporary(&content), 0);
    }
}
