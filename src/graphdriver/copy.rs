//! Files copied whole: content (shared with the original where the file system can), holes, links and attributes.

use super::merge::{attributes, entries, is_folder, is_opaque, is_whiteout, open_beneath, reopen, times};
use super::place;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom, Stat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Copies one entry that is no folder to `path` beneath `root`, whose folder is there.
pub fn entry(found: BorrowedFd<'_>, stat: &Stat, root: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let folder = open_beneath(root, path.parent().unwrap_or(Path::new("")), OFlags::RDONLY | OFlags::DIRECTORY)?;
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    file(found, stat, &folder, name)
}

fn file(found: BorrowedFd<'_>, stat: &Stat, folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let from = reopen(found, OFlags::RDONLY | OFlags::NONBLOCK)?;
            let to = rustix::fs::openat(
                folder,
                name,
                OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW,
                Mode::from_raw_mode(0o600),
            )?;
            content(&from, &to, stat.st_size as u64)?;
            return super::merge::copy_attributes(&from, &to);
        }
        FileType::Symlink => rustix::fs::symlinkat(rustix::fs::readlinkat(found, "", Vec::new())?, folder, name)?,
        kind @ (FileType::CharacterDevice | FileType::BlockDevice | FileType::Fifo) => {
            rustix::fs::mknodat(folder, name, kind, Mode::from_raw_mode(stat.st_mode & 0o7777), stat.st_rdev)?;
        }
        // A socket is nothing without the process that listens on it.
        _ => return Ok(()),
    }
    rustix::fs::chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        rustix::fs::chmodat(folder, name, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())?;
    }
    rustix::fs::utimensat(folder, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// The content: shared if the file system can, copied by the kernel otherwise, holes left as they are.
fn content(from: &OwnedFd, to: &OwnedFd, size: u64) -> io::Result<()> {
    if size == 0 || rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    rustix::fs::ftruncate(to, size)?;
    let mut at = 0u64;
    while at < size {
        let data = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => at,
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(from, SeekFrom::Hole(data)).unwrap_or(size);
        let (mut read, mut write) = (data, data);
        while read < end {
            let rest = (end - read) as usize;
            match rustix::fs::copy_file_range(from, Some(&mut read), to, Some(&mut write), rest) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Ok(_) => {}
                Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    by_hand(from, to, read, end)?;
                    read = end;
                }
                Err(error) => return Err(error.into()),
            }
        }
        at = end;
    }
    Ok(())
}

fn by_hand(from: &OwnedFd, to: &OwnedFd, mut at: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0u8; 128 << 10];
    while at < end {
        let most = buffer.len().min((end - at) as usize);
        let length = rustix::io::pread(from, &mut buffer[..most], at)?;
        if length == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let mut written = 0;
        while written < length {
            written += rustix::io::pwrite(to, &buffer[written..length], at + written as u64)?;
        }
        at += length as u64;
    }
    Ok(())
}

/// Copies the tree `from` into the empty folder `to`, with links between its files kept.
pub fn tree(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    overlay(from, to, false)
}

/// Lays a layer in diff form over the tree `onto`: removed names are removed, opaque folders emptied first.
pub fn apply(layer: &OwnedFd, onto: &OwnedFd) -> io::Result<()> {
    overlay(layer, onto, true)
}

fn overlay(from: &OwnedFd, to: &OwnedFd, diff: bool) -> io::Result<()> {
    let mut links: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let mut waiting = vec![PathBuf::new()];
    let mut folders = Vec::new();
    while let Some(path) = waiting.pop() {
        let source = open_beneath(from.as_fd(), &path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let target = open_beneath(to.as_fd(), &path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        if diff && is_opaque(&source) {
            clear(&target)?;
        }
        for (name, stat) in entries(&source)? {
            let inner = path.join(&name);
            if is_folder(&stat) {
                make_folder(&target, &name)?;
                waiting.push(inner);
                continue;
            }
            if diff {
                remove(&target, &name)?;
                if is_whiteout(&stat) {
                    continue;
                }
            }
            if stat.st_nlink > 1 {
                if let Some(first) = links.get(&(stat.st_dev, stat.st_ino)) {
                    let above = open_beneath(to.as_fd(), first.parent().unwrap_or(Path::new("")), OFlags::RDONLY | OFlags::DIRECTORY)?;
                    rustix::fs::linkat(&above, first.file_name().unwrap_or_default(), &target, &name, AtFlags::empty())?;
                    continue;
                }
                links.insert((stat.st_dev, stat.st_ino), inner);
            }
            let found = rustix::fs::openat(&source, &name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            file(found.as_fd(), &stat, &target, &name)?;
        }
        folders.push(path);
    }
    // Last, and the deepest first: making an entry changes the time of its folder.
    for path in folders.iter().rev() {
        let source = open_beneath(from.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let target = open_beneath(to.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        for (name, _) in attributes(&target)? {
            // An attribute that the upper folder has no more.
            let _ = rustix::fs::fremovexattr(&target, &name);
        }
        super::merge::copy_attributes(&source, &target)?;
    }
    Ok(())
}

fn make_folder(target: &OwnedFd, name: &OsString) -> io::Result<()> {
    match rustix::fs::mkdirat(target, name, Mode::from_raw_mode(0o700)) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => {
            let stat = rustix::fs::statat(target, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if !is_folder(&stat) {
                rustix::fs::unlinkat(target, name, AtFlags::empty())?;
                rustix::fs::mkdirat(target, name, Mode::from_raw_mode(0o700))?;
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn remove(target: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(target, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR) => place::remove_in(target.as_fd(), name),
        Err(error) => Err(error.into()),
    }
}

fn clear(target: &OwnedFd) -> io::Result<()> {
    entries(target)?.into_iter().try_for_each(|(name, _)| remove(target, &name))
}
