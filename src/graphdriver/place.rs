//! Folders of a driver: staged under a lock, renamed into their place, moved to the trash and removed by descriptor.

use super::Staging;
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A name nobody else uses now: process, boot-wide clock and a counter.
fn fresh_name() -> String {
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    format!("{}.{}{:09}.{}", std::process::id(), clock.tv_sec, clock.tv_nsec, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes a folder and those above it, unless they are there.
pub fn make_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match std::fs::DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path),
        other => other,
    }
}

/// Opens a folder.
pub fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| io::Error::new(io::Error::from(error).kind(), format!("{}: {}", path.display(), io::Error::from(error))))
}

/// A new locked folder below `staging`.
pub fn staging(staging: &Path) -> io::Result<Staging> {
    loop {
        let path = staging.join(fresh_name());
        std::fs::create_dir(&path)?;
        let lock = match open_folder(&path) {
            Ok(lock) => lock,
            // A sweep saw it before it was locked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if path.exists() => {
                rustix::fs::fchmod(&lock, Mode::from_raw_mode(0o755))?;
                return Ok(Staging { path, lock });
            }
            Ok(()) | Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The entries of a folder that `read` makes something of, sorted.
pub fn names<T: Ord>(folder: &Path, read: impl Fn(&str) -> Option<T>) -> io::Result<Vec<T>> {
    let mut found: Vec<T> = std::fs::read_dir(folder)?.flatten().filter_map(|entry| read(entry.file_name().to_str()?)).collect();
    found.sort();
    Ok(found)
}

/// Takes a tree away: renamed into the trash first, so that it disappears at once, then removed.
pub fn discard(path: &Path, trash: &Path) -> io::Result<()> {
    let aside = trash.join(fresh_name());
    match rustix::fs::rename(path, &aside) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    }
    remove_tree(&aside)
}

/// Removes staged folders whose lock is free, and the trash.
pub fn sweep(staging: &Path, trash: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(staging)?.flatten() {
        let path = entry.path();
        let Ok(folder) = open_folder(&path) else { continue };
        if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove_tree(&path)?;
        }
    }
    for entry in std::fs::read_dir(trash)?.flatten() {
        remove_tree(&entry.path())?;
    }
    Ok(())
}

/// Removes a tree by descriptors: no name in it leads anywhere else, however it is changed meanwhile, and no depth
/// exhausts the stack.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    remove_in(open_folder(above)?.as_fd(), name)
}

/// Removes a name in a folder, with all below it.
pub fn remove_in(parent: BorrowedFd<'_>, name: &std::ffi::OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    match open_child(parent, name) {
        Ok(folder) => empty(&folder)?,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn open_child<N: rustix::path::Arg>(folder: BorrowedFd<'_>, name: N) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(folder, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Empties a folder: a folder found in it is moved up to it and emptied in its turn, so that one level is enough.
fn empty(top: &OwnedFd) -> io::Result<()> {
    loop {
        let mut left = false;
        for entry in Dir::read_from(top)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if entry.file_type() != FileType::Directory {
                match rustix::fs::unlinkat(top, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => continue,
                    Err(Errno::ISDIR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let folder = match open_child(top.as_fd(), name) {
                Ok(folder) => folder,
                // Another process removes the same tree.
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            left |= flatten(top, &folder)?;
            match rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                // A folder was moved up into it by another process just then.
                Err(Errno::NOTEMPTY) => left = true,
                Err(error) => return Err(error.into()),
            }
        }
        if !left {
            return Ok(());
        }
    }
}

/// Removes the files of a folder and moves its folders up beside it; tells whether there were any.
fn flatten(top: &OwnedFd, folder: &OwnedFd) -> io::Result<bool> {
    let mut moved = false;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if entry.file_type() != FileType::Directory {
            match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(Errno::ISDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => match rustix::fs::renameat(folder, name, top, format!("{}.gone", fresh_name())) {
                Ok(()) => moved = true,
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(moved)
}

/// Bytes of the files in a tree, each counted once whatever its links; what cannot be read counts nothing.
pub fn tree_size(path: &Path) -> io::Result<u64> {
    let mut seen = std::collections::HashSet::new();
    let mut total = 0;
    let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            use std::os::unix::fs::MetadataExt;
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                waiting.push(entry.path());
            } else if meta.is_file() && (meta.nlink() == 1 || seen.insert((meta.dev(), meta.ino()))) {
                total += meta.size();
            }
        }
    }
    Ok(total)
}
