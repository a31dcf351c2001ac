//! Packing of files into a tar stream: a tree, a layer in diff form, a list of changes.

use super::attributes::{is_overlay, magic_path};
use super::folders::{Folders, is_whiteout, open_beneath};
use super::name::{self, join, shown, split};
use super::walk::Walk;
use super::{Form, OPAQUE, WHITEOUT};
use crate::graph::stream::BUFFER;
use crate::graph::tar::{Entry, Kind, Writer};
use crate::graph::{invalid, named};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How [`pack_tree`] writes.
#[derive(Clone, Debug, Default)]
pub struct Pack<'a> {
    /// What the packed file or folder is called in the stream. Without a name a folder's content is named from the
    /// top, and the folder itself is not in the stream.
    pub name: Option<&'a Path>,
    /// If it is a symbolic link, pack what it leads to.
    pub follow: bool,
}

/// A path that [`pack_changes`] writes.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a> {
    /// Relative to the root.
    pub path: &'a Path,
    /// It is gone: a whiteout is written.
    pub deleted: bool,
}

/// Packs the file or folder at `sub` below `root`, and gives the output back, flushed. Links in `sub` are followed
/// within the root. Sockets are left out.
///
/// # Errors
/// `NotFound`, those of the file system with the path, and those of the output.
pub fn pack_tree<W: Write>(root: BorrowedFd<'_>, sub: &Path, output: W, options: &Pack<'_>) -> io::Result<W> {
    let (folder, base) = locate(root, sub.as_os_str().as_bytes(), options.follow).map_err(|error| named(sub.display(), &error))?;
    let mut packer = Packer::new(output, false);
    let prefix = match options.name {
        Some(name) => name::clean(name.as_os_str().as_bytes())?,
        None => Vec::new(),
    };
    // A folder opens as one; anything else is written alone.
    match open_beneath(folder.as_fd(), &base, OFlags::RDONLY) {
        Ok(top) => {
            if !prefix.is_empty() {
                packer.add(folder.as_fd(), &base, &prefix)?;
            }
            packer.tree(top.as_fd(), &prefix)?;
        }
        Err(Errno::NOTDIR | Errno::LOOP) => {
            let name = if prefix.is_empty() { split(&base).1 } else { &prefix };
            packer.add(folder.as_fd(), &base, name)?;
        }
        Err(error) => return Err(named(sub.display(), &error.into())),
    }
    packer.finish()
}

/// Packs a folder in diff form as a layer's stream, and gives the output back, flushed.
///
/// # Errors
/// As [`pack_tree`]; `InvalidData` for what only overlayfs itself can read (folders moved by `redirect_dir`).
pub fn pack_layer<W: Write>(upper: BorrowedFd<'_>, output: W) -> io::Result<W> {
    let mut packer = Packer::new(output, true);
    packer.add(upper, b".", b"./")?;
    packer.tree(upper, b"")?;
    packer.finish()
}

/// Packs changes of the tree `root` as a layer's stream, in the order given, and gives the output back, flushed.
/// Folders are written without what is in them: that is among the changes itself. What went away meanwhile is left out.
///
/// # Errors
/// As [`pack_tree`]; `InvalidData` for a file whose own name would be read as a whiteout.
pub fn pack_changes<'a, W: Write>(root: BorrowedFd<'_>, changes: impl IntoIterator<Item = Changed<'a>>, output: W) -> io::Result<W> {
    let mut packer = Packer::new(output, false);
    let mut open: Option<(Vec<u8>, OwnedFd)> = None;
    for change in changes {
        let path = name::clean(change.path.as_os_str().as_bytes())?;
        let (above, base) = split(&path);
        if change.deleted {
            packer.whiteout(above, base)?;
            continue;
        }
        if base.starts_with(WHITEOUT) {
            return Err(invalid(format!("{} cannot be in a layer: its name means that another is removed", shown(&path))));
        }
        if open.as_ref().is_none_or(|(path, _)| path != above) {
            open = match open_beneath(root, if above.is_empty() { b"." } else { above }, OFlags::PATH) {
                Ok(fd) => Some((above.to_vec(), fd)),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => None,
                Err(error) => return Err(named(shown(above), &error.into())),
            };
        }
        if let Some((_, folder)) = &open {
            let (base, name) = if base.is_empty() { (&b"."[..], &b"./"[..]) } else { (base, &path[..]) };
            packer.add(folder.as_fd(), base, name)?;
        }
    }
    packer.finish()
}

/// Opens the folder that a path's last component lies in, links on the way followed within the root.
fn locate(root: BorrowedFd<'_>, path: &[u8], follow: bool) -> io::Result<(OwnedFd, Vec<u8>)> {
    let mut folders = Folders::new(root, Form::Files)?;
    let mut path = name::clean(path)?;
    for _ in 0..40 {
        let (above, base) = split(&path);
        if matches!(base, b"" | b"." | b"..") {
            return Ok((folders.get(&path, false)?.fd.try_clone()?, b".".to_vec()));
        }
        let folder = folders.get(above, false)?;
        let stat = folder.stat(base)?.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file or folder"))?;
        if !follow || FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok((folder.fd.try_clone()?, base.to_vec()));
        }
        let target = rustix::fs::readlinkat(&folder.fd, base, Vec::new())?.into_bytes();
        path = if target.starts_with(b"/") { Vec::new() } else { folder.path.clone() };
        for component in target.split(|&b| b == b'/').filter(|component| !component.is_empty()) {
            join(&mut path, component);
        }
    }
    Err(invalid("too many symbolic links on the way"))
}

/// Writes files into a stream.
struct Packer<W: Write> {
    writer: Writer<BufWriter<W>>,
    /// Names in the stream of files that have several, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
    /// What is packed is in diff form.
    layer: bool,
    buffer: Vec<u8>,
}

impl<W: Write> Packer<W> {
    fn new(output: W, layer: bool) -> Self {
        Self { writer: Writer::new(BufWriter::with_capacity(BUFFER, output)), links: HashMap::new(), layer, buffer: vec![0; BUFFER] }
    }

    fn finish(self) -> io::Result<W> {
        self.writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
    }

    /// All below the folder `top`, named from `prefix`.
    fn tree(&mut self, top: BorrowedFd<'_>, prefix: &[u8]) -> io::Result<()> {
        let mut walk = Walk::new(top)?;
        let prefix = prefix.to_vec();
        loop {
            let more = walk.step(|folder, base, path| {
                let mut name = prefix.clone();
                join(&mut name, path);
                self.add(folder, base, &name)
            })?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Writes what `base` in `folder` is as `name`. Gives whether it is a folder to go into.
    fn add(&mut self, folder: BorrowedFd<'_>, base: &[u8], name: &[u8]) -> io::Result<bool> {
        self.add_unnamed(folder, base, name).map_err(|error| named(shown(name), &error))
    }

    fn add_unnamed(&mut self, folder: BorrowedFd<'_>, base: &[u8], name: &[u8]) -> io::Result<bool> {
        // Pointed at, not opened: opening a device or pipe does things.
        let fd = match rustix::fs::openat(folder, base, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(false),
            other => other?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if self.layer {
            if is_whiteout(&stat) {
                let (above, base) = split(name);
                return self.whiteout(above, base).map(|()| false);
            }
            if base.starts_with(WHITEOUT) {
                return Err(invalid("cannot be in a layer: its name means that another is removed"));
            }
        }
        let (xattrs, opaque) = self.xattrs(fd.as_fd())?;
        let mut entry = Entry { path: name.to_vec(), xattrs, ..of_stat(&stat) };
        entry.kind = match kind {
            FileType::Directory => Kind::Folder,
            FileType::RegularFile => Kind::File,
            FileType::Symlink => Kind::Symlink,
            FileType::CharacterDevice => Kind::Char,
            FileType::BlockDevice => Kind::Block,
            FileType::Fifo => Kind::Fifo,
            _ => return Ok(false),
        };
        if kind != FileType::Directory
            && stat.st_nlink > 1
            && let Some(first) = self.links.insert((stat.st_dev, stat.st_ino), name.to_vec())
        {
            self.links.insert((stat.st_dev, stat.st_ino), first.clone());
            self.writer.entry(&Entry { kind: Kind::HardLink, link: first, xattrs: Vec::new(), ..entry })?;
            return Ok(false);
        }
        match kind {
            FileType::RegularFile => self.file(fd.as_fd(), &entry)?,
            FileType::Symlink => {
                entry.link = rustix::fs::readlinkat(&fd, "", Vec::new())?.into_bytes();
                self.writer.entry(&entry)?;
            }
            _ => self.writer.entry(&entry)?,
        }
        if opaque {
            let mut mark = name::clean(name)?;
            join(&mut mark, b".wh..wh..opq");
            self.writer.entry(&Entry { path: mark, mtime: entry.mtime, ..Entry::default() })?;
        }
        Ok(kind == FileType::Directory)
    }

    /// A regular file with as much content as it had when it was looked at: one that grows meanwhile is cut, one that
    /// shrinks filled up with zeros.
    fn file(&mut self, fd: BorrowedFd<'_>, entry: &Entry) -> io::Result<()> {
        let file = rustix::fs::openat(CWD, magic_path(fd), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        self.writer.entry(entry)?;
        let mut left = entry.size;
        while left > 0 {
            let most = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut self.buffer[..most]))?;
            if count == 0 {
                return self.writer.fill_up();
            }
            self.writer.write_all(&self.buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    fn whiteout(&mut self, above: &[u8], base: &[u8]) -> io::Result<()> {
        let mut path = above.to_vec();
        join(&mut path, &[WHITEOUT, base].concat());
        self.writer.entry(&Entry { path, ..Entry::default() })
    }

    /// Extended attributes, those aside that are overlayfs's or this machine's own; and whether the folder is opaque.
    #[allow(clippy::type_complexity)]
    fn xattrs(&self, fd: BorrowedFd<'_>) -> io::Result<(Vec<(Vec<u8>, Vec<u8>)>, bool)> {
        let path = magic_path(fd);
        let list = match grow(|buffer| rustix::fs::listxattr(&path, buffer)) {
            Err(Errno::OPNOTSUPP) => return Ok((Vec::new(), false)),
            other => other?,
        };
        let mut all = Vec::new();
        let mut opaque = false;
        for name in list.split(|&b| b == 0).filter(|name| !name.is_empty()) {
            if self.layer && matches!(name, b"trusted.overlay.redirect" | b"trusted.overlay.metacopy") {
                return Err(invalid(format!("has the attribute {}: only overlayfs itself can read it", shown(name))));
            }
            // A label means something to this machine's policy alone.
            if name == b"security.selinux" || (is_overlay(name) && !(self.layer && name == OPAQUE.as_bytes())) {
                continue;
            }
            let value = match grow(|buffer| rustix::fs::getxattr(&path, name, buffer)) {
                Err(Errno::NODATA) => continue,
                other => other?,
            };
            if is_overlay(name) {
                opaque = value == b"y";
            } else {
                all.push((name.to_vec(), value));
            }
        }
        all.sort_unstable();
        Ok((all, opaque))
    }
}

/// Calls `read` with a buffer that is large enough.
fn grow(read: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 256];
    loop {
        match read(&mut buffer) {
            Ok(count) => {
                buffer.truncate(count);
                return Ok(buffer);
            }
            Err(Errno::RANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 16, 0),
            Err(error) => return Err(error),
        }
    }
}

fn of_stat(stat: &Stat) -> Entry {
    Entry {
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid.into(),
        gid: stat.st_gid.into(),
        size: stat.st_size as u64,
        mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
        device: (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)),
        ..Entry::default()
    }
}
