//! Locks that a crash lets go: `flock` on files of the run-time folder.

use super::error::{Error, Result};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A lock held until it is dropped, or until its process ends, however that comes.
#[derive(Debug)]
pub struct Lock(OwnedFd);

impl Lock {
    /// The descriptor that holds it, to hand to another process.
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let open = || rustix::fs::open(path, OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::from_raw_mode(0o600));
    match open() {
        Err(rustix::io::Errno::NOENT) => {
            // A reboot takes the run-time folders away.
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            Ok(open()?)
        }
        other => Ok(other?),
    }
}

fn acquire(path: &Path, operation: FlockOperation) -> io::Result<Option<Lock>> {
    loop {
        let fd = open(path)?;
        match flock(&fd, operation) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        // The file may have been removed between opening and locking: then the lock guards nothing.
        let held = rustix::fs::fstat(&fd)?;
        match rustix::fs::stat(path) {
            Ok(named) if (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino) => return Ok(Some(Lock(fd))),
            _ => {}
        }
    }
}

/// Waits for the exclusive lock.
pub fn exclusive(path: &Path) -> Result<Lock> {
    let lock = acquire(path, FlockOperation::LockExclusive).map_err(|e| Error::io(format_args!("cannot lock {}", path.display()), &e))?;
    lock.ok_or_else(|| Error::conflict(format!("cannot lock {}", path.display())))
}

/// Waits for a shared lock.
pub fn shared(path: &Path) -> Result<Lock> {
    let lock = acquire(path, FlockOperation::LockShared).map_err(|e| Error::io(format_args!("cannot lock {}", path.display()), &e))?;
    lock.ok_or_else(|| Error::conflict(format!("cannot lock {}", path.display())))
}

/// The exclusive lock, or `None` if another holds it.
pub fn try_exclusive(path: &Path) -> Result<Option<Lock>> {
    acquire(path, FlockOperation::NonBlockingLockExclusive).map_err(|e| Error::io(format_args!("cannot lock {}", path.display()), &e))
}

/// Whether some process holds the lock; nothing is made if the file is not there.
pub fn is_held(path: &Path) -> bool {
    let Ok(fd) = rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()) else { return false };
    flock(&fd, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}

/// A mark that an operation on files is under way; should the process die, the mark's lock is free and the next engine
/// knows that there is something to sweep.
#[derive(Debug)]
pub struct Operation {
    path: PathBuf,
    _lock: Lock,
}

impl Operation {
    /// Marks an operation below the folder `operations`.
    pub fn begin(operations: &Path) -> Result<Self> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = operations.join(&name);
        // Locked before it has its name: nobody may see it free and take it for one that was cut short.
        let aside = operations.join(format!(".{name}"));
        let lock = exclusive(&aside)?;
        std::fs::rename(&aside, &path).map_err(|e| Error::io(format_args!("cannot mark an operation in {}", operations.display()), &e))?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // Best effort: a mark that stays costs the next engine one sweep that finds nothing.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The marks of operations that were cut short.
pub fn cut_short(operations: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(operations) else { return Vec::new() };
    let named = entries.flatten().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    named.map(|entry| entry.path()).filter(|path| path.exists() && !is_held(path) && path.exists()).collect()
}
