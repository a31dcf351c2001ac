//! One layer's files as changes against the layers below it: what it adds, changes and removes, and what that hides.
//!
//! A layer in diff form is walked by itself, and each name looked up in the mounted tree of those below. One that is kept
//! whole is walked beside the tree below. Either way no link is followed, and what is listed is bounded.

use super::merge::{attributes, entries, is_folder, is_opaque, is_whiteout, open_beneath};
use super::{Form, GraphDriver};
use crate::id::LayerId;
use rustix::fs::{AtFlags, FileType, OFlags, Stat};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// What a layer does to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerChange {
    /// It was not there below.
    Added,
    /// Something of that name was there below.
    Changed,
    /// It was there below and is no more.
    Removed,
    /// A folder that was there below as it is here: listed for what it holds.
    Unchanged,
}

/// What sort of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A character or block device.
    Device,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl FileKind {
    /// Of a mode, as `stat` gives it.
    pub fn of(mode: u32) -> Self {
        match FileType::from_raw_mode(mode) {
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            FileType::CharacterDevice | FileType::BlockDevice => Self::Device,
            FileType::Fifo => Self::Fifo,
            FileType::Socket => Self::Socket,
            _ => Self::File,
        }
    }
}

/// One name of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerEntry {
    /// Relative to the root, no leading slash; bytes as the file system has them.
    pub path: PathBuf,
    /// What the layer does to it.
    pub change: LayerChange,
    /// What it is; for one that was removed, what it was.
    pub kind: FileKind,
    /// Bytes of a regular file; 0 of all others and of what was removed.
    pub size: u64,
    /// Permissions with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When its content changed last, seconds since 1970.
    pub modified: i64,
    /// Where a symbolic link leads.
    pub target: Option<PathBuf>,
    /// Bytes of files in the layers below that nobody sees any more because of this entry.
    pub hidden: u64,
}

/// A layer's names, sorted: folders before what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerTree {
    /// The names.
    pub entries: Vec<LayerEntry>,
    /// There are more than were asked for, or some lie too deep for a path.
    pub truncated: bool,
}

impl LayerTree {
    /// Bytes of files below that the layer's entries hide.
    pub fn hidden(&self) -> u64 {
        self.entries.iter().map(|entry| entry.hidden).sum()
    }
}

/// Lists a committed layer above `parents` (bottom first), at most `most` names.
///
/// # Errors
/// `NotFound` if the layer is not there, and those of the file system.
pub fn list(driver: &dyn GraphDriver, id: &LayerId, parents: &[LayerId], most: usize) -> io::Result<LayerTree> {
    let (own, form) = driver.look_into(id)?;
    let below = if parents.is_empty() { None } else { Some(driver.mount_image(parents)?) };
    let mut walk = Walk { own, below, most, tree: LayerTree::default() };
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        let result = match form {
            Form::Diff => walk.diff(&path, &mut waiting),
            Form::Whole => walk.whole(&path, &mut waiting),
        };
        match result {
            Ok(()) => {}
            // Deeper than a path can say.
            Err(error) if error.raw_os_error() == Some(Errno::NAMETOOLONG.raw_os_error()) => walk.tree.truncated = true,
            Err(error) => return Err(error),
        }
        if walk.tree.entries.len() >= most {
            walk.tree.truncated = true;
            break;
        }
    }
    let mut tree = walk.tree;
    tree.entries.sort_by(|a, b| a.path.cmp(&b.path));
    tree.truncated |= tree.entries.len() > most;
    tree.entries.truncate(most);
    if form == Form::Whole {
        drop_idle_folders(&mut tree.entries);
    }
    Ok(tree)
}

/// Takes out unchanged folders with nothing in them that is listed.
fn drop_idle_folders(entries: &mut Vec<LayerEntry>) {
    let mut kept: Vec<LayerEntry> = Vec::with_capacity(entries.len());
    while let Some(entry) = entries.pop() {
        if entry.change != LayerChange::Unchanged || kept.last().is_some_and(|next| next.path.starts_with(&entry.path)) {
            kept.push(entry);
        }
    }
    kept.reverse();
    *entries = kept;
}

struct Walk {
    own: OwnedFd,
    below: Option<OwnedFd>,
    most: usize,
    tree: LayerTree,
}

/// A folder, open to be read; `None` if no folder is seen there.
fn folder(root: &OwnedFd, path: &Path) -> io::Result<Option<OwnedFd>> {
    match open_beneath(root.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn status(folder: Option<&OwnedFd>, name: &OsStr) -> io::Result<Option<Stat>> {
    let Some(folder) = folder else { return Ok(None) };
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Bytes that are not seen any more when this is hidden. One of several links to a file counts as its part of it.
fn weight(root: &OwnedFd, path: &Path, stat: &Stat) -> io::Result<u64> {
    if !is_folder(stat) {
        let is_file = FileKind::of(stat.st_mode) == FileKind::File;
        return Ok(if is_file { stat.st_size.unsigned_abs() / u64::max(1, stat.st_nlink) } else { 0 });
    }
    let mut total = 0;
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let Some(folder) = folder(root, &path)? else { continue };
        for (name, stat) in entries(&folder)? {
            if is_folder(&stat) {
                waiting.push(path.join(name));
            } else if FileKind::of(stat.st_mode) == FileKind::File {
                total += stat.st_size.unsigned_abs() / u64::max(1, stat.st_nlink);
            }
        }
    }
    Ok(total)
}

/// Whether two folders have the same permissions and owners.
fn alike(a: &Stat, b: &Stat) -> bool {
    (a.st_mode, a.st_uid, a.st_gid) == (b.st_mode, b.st_uid, b.st_gid)
}

impl Walk {
    fn full(&self) -> bool {
        self.tree.entries.len() >= self.most
    }

    fn lower(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        self.below.as_ref().map_or(Ok(None), |below| folder(below, path))
    }

    /// The bytes below that a change at `path` hides.
    fn hidden(&self, path: &Path, before: &Stat) -> io::Result<u64> {
        self.below.as_ref().map_or(Ok(0), |below| weight(below, path, before))
    }

    fn removed(&mut self, path: PathBuf, before: &Stat) -> io::Result<()> {
        let hidden = self.hidden(&path, before)?;
        self.tree.entries.push(LayerEntry { size: 0, hidden, change: LayerChange::Removed, ..entry(path, LayerChange::Removed, before, None) });
        Ok(())
    }

    /// Enters what is in the folder below and not among `names`.
    fn missing(&mut self, path: &Path, lower: &OwnedFd, names: &[(OsString, Stat)]) -> io::Result<()> {
        let names: HashSet<&OsString> = names.iter().map(|(name, _)| name).collect();
        for (name, before) in entries(lower)?.into_iter().filter(|(name, _)| !names.contains(name)) {
            self.removed(path.join(name), &before)?;
        }
        Ok(())
    }

    /// Enters a name that is there, and tells whether it is a folder to go on in.
    fn present(&mut self, folder: &OwnedFd, name: &OsStr, path: PathBuf, stat: &Stat, before: Option<&Stat>) -> io::Result<bool> {
        let change = match before {
            None => LayerChange::Added,
            Some(before) if is_folder(stat) && is_folder(before) && alike(stat, before) => LayerChange::Unchanged,
            Some(_) => LayerChange::Changed,
        };
        let both_folders = is_folder(stat) && before.is_some_and(is_folder);
        let hidden = match before {
            Some(before) if !both_folders => self.hidden(&path, before)?,
            _ => 0,
        };
        let target = if FileKind::of(stat.st_mode) == FileKind::Link { link(folder, name)? } else { None };
        self.tree.entries.push(LayerEntry { hidden, ..entry(path, change, stat, target) });
        Ok(is_folder(stat))
    }

    /// A folder of a layer in diff form.
    fn diff(&mut self, path: &Path, waiting: &mut Vec<PathBuf>) -> io::Result<()> {
        let Some(own) = folder(&self.own, path)? else { return Ok(()) };
        let lower = self.lower(path)?;
        let names = entries(&own)?;
        if is_opaque(&own)
            && let Some(lower) = &lower
        {
            self.missing(path, lower, &names)?;
        }
        for (name, stat) in names {
            if self.full() {
                break;
            }
            let inner = path.join(&name);
            let before = status(lower.as_ref(), &name)?;
            match (is_whiteout(&stat), before) {
                (true, Some(before)) => self.removed(inner, &before)?,
                // Nothing is left to be removed.
                (true, None) => {}
                (false, before) => {
                    if self.present(&own, &name, inner.clone(), &stat, before.as_ref())? {
                        waiting.push(inner);
                    }
                }
            }
        }
        Ok(())
    }

    /// A folder of a layer that is kept with all that lies below it.
    fn whole(&mut self, path: &Path, waiting: &mut Vec<PathBuf>) -> io::Result<()> {
        let Some(own) = folder(&self.own, path)? else { return Ok(()) };
        let lower = self.lower(path)?;
        let names = entries(&own)?;
        if let Some(lower) = &lower {
            self.missing(path, lower, &names)?;
        }
        for (name, stat) in names {
            if self.full() {
                break;
            }
            let inner = path.join(&name);
            let before = status(lower.as_ref(), &name)?;
            if let (Some(before), Some(lower)) = (&before, &lower)
                && !is_folder(&stat)
                && same(&own, lower, &name, before, &stat)?
            {
                continue;
            }
            if self.present(&own, &name, inner.clone(), &stat, before.as_ref())? {
                waiting.push(inner);
            }
        }
        Ok(())
    }
}

fn entry(path: PathBuf, change: LayerChange, stat: &Stat, target: Option<PathBuf>) -> LayerEntry {
    let kind = FileKind::of(stat.st_mode);
    LayerEntry {
        path,
        change,
        kind,
        size: if kind == FileKind::File { stat.st_size.unsigned_abs() } else { 0 },
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        modified: stat.st_mtime,
        target,
        hidden: 0,
    }
}

fn link(folder: &OwnedFd, name: &OsStr) -> io::Result<Option<PathBuf>> {
    match rustix::fs::readlinkat(folder, name, Vec::new()) {
        Ok(target) => Ok(Some(PathBuf::from(OsString::from_vec(target.into_bytes())))),
        // Removed meanwhile.
        Err(Errno::NOENT | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a name that is no folder is the same in both trees, as far as its attributes tell.
fn same(own: &OwnedFd, lower: &OwnedFd, name: &OsStr, before: &Stat, after: &Stat) -> io::Result<bool> {
    let shape = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev, stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    if shape(before) != shape(after) {
        return Ok(false);
    }
    match FileKind::of(after.st_mode) {
        FileKind::Link => Ok(link(own, name)? == link(lower, name)?),
        FileKind::File => {
            let read = |folder: &OwnedFd| attributes(&open_beneath(folder.as_fd(), Path::new(name), OFlags::RDONLY | OFlags::NONBLOCK)?);
            Ok(read(own)? == read(lower)?)
        }
        _ => Ok(true),
    }
}
