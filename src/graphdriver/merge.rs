//! Layers in diff form seen as one tree: looked up, completed from those below, compared.

use super::{Change, ChangeKind, Unsaid};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// The attribute that makes a folder hide all below it.
pub const OPAQUE: &str = "trusted.overlay.opaque";

/// Open folders of layers, topmost first.
#[derive(Debug)]
pub struct Trees(Vec<OwnedFd>);

/// Opens a name beneath `root`, through no symbolic link.
pub fn open_beneath(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    loop {
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty(), how) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
}

/// Whether an entry is the mark of a removed name.
pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Whether an entry is a folder.
pub fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_dir()
}

/// Whether a folder hides all below it.
pub fn is_opaque(folder: &OwnedFd) -> bool {
    let mut value = [0u8; 2];
    matches!(rustix::fs::fgetxattr(folder, OPAQUE, &mut value), Ok(1) if value[0] == b'y')
}

impl Trees {
    /// Layers, topmost first.
    pub fn new(layers: Vec<OwnedFd>) -> Self {
        Self(layers)
    }

    /// The entry that is seen at `path`, through no symbolic link.
    pub fn look(&self, path: &Path) -> io::Result<Option<(OwnedFd, Stat)>> {
        for layer in &self.0 {
            match open_beneath(layer.as_fd(), path, OFlags::PATH) {
                Ok(found) => {
                    let stat = rustix::fs::statat(&found, "", AtFlags::EMPTY_PATH)?;
                    return Ok(if is_whiteout(&stat) { None } else { Some((found, stat)) });
                }
                Err(Errno::NOENT) => {
                    if hides(layer, path)? {
                        return Ok(None);
                    }
                }
                // A name on the way is no folder here: whatever is below is hidden by it.
                Err(Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// The names seen in the folder at `path`, each with what it is.
    pub fn list(&self, path: &Path) -> io::Result<BTreeMap<OsString, Stat>> {
        let mut seen: BTreeMap<OsString, Option<Stat>> = BTreeMap::new();
        for layer in &self.0 {
            let folder = match open_beneath(layer.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY) {
                Ok(folder) => folder,
                Err(Errno::NOENT) => {
                    if hides(layer, path)? {
                        break;
                    }
                    continue;
                }
                Err(Errno::NOTDIR | Errno::LOOP) => break,
                Err(error) => return Err(error.into()),
            };
            for (name, stat) in entries(&folder)? {
                seen.entry(name).or_insert_with(|| if is_whiteout(&stat) { None } else { Some(stat) });
            }
            if is_opaque(&folder) || hides(layer, path)? {
                break;
            }
        }
        Ok(seen.into_iter().filter_map(|(name, stat)| Some((name, stat?))).collect())
    }
}

/// Whether some folder on the way to `path` (not `path` itself) is opaque or removed in this layer.
fn hides(layer: &OwnedFd, path: &Path) -> io::Result<bool> {
    let mut above = path.parent();
    while let Some(folder) = above.filter(|folder| !folder.as_os_str().is_empty()) {
        match open_beneath(layer.as_fd(), folder, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(found) => {
                if is_opaque(&found) {
                    return Ok(true);
                }
            }
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        above = folder.parent();
    }
    Ok(false)
}

/// The entries of a folder but `.` and `..`.
pub fn entries(folder: &OwnedFd) -> io::Result<Vec<(OsString, Stat)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => found.push((OsString::from_vec(name.to_bytes().to_vec()), stat)),
            // Removed meanwhile.
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Fills in what a layer's stream left unsaid and its parents know.
pub fn complete(layer: &OwnedFd, parents: &Trees, unsaid: &Unsaid) -> io::Result<()> {
    for path in &unsaid.folders {
        match parents.look(path)? {
            Some((_, stat)) if is_folder(&stat) => {
                let own = match open_beneath(layer.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY) {
                    Ok(own) => own,
                    Err(Errno::NOENT | Errno::NOTDIR) => continue,
                    Err(error) => return Err(error.into()),
                };
                if let Some((found, _)) = parents.look(path)? {
                    let theirs = reopen(found.as_fd(), OFlags::RDONLY | OFlags::DIRECTORY)?;
                    copy_attributes(&theirs, &own)?;
                }
            }
            Some((link, stat)) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => follow(layer, parents, path, &link)?,
            _ => {}
        }
    }
    for (link, target) in &unsaid.links {
        let Some((found, stat)) = parents.look(target)? else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("hard link {} leads to {}, which no layer has", link.display(), target.display())));
        };
        if is_folder(&stat) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("hard link {} leads to the folder {}", link.display(), target.display())));
        }
        if open_beneath(layer.as_fd(), target, OFlags::PATH).is_err() {
            make_parents(layer, parents, target)?;
            super::copy::entry(found.as_fd(), &stat, layer.as_fd(), target)?;
        }
        let (from, from_name) = parent_of(layer, target)?;
        let (to, to_name) = parent_of(layer, link)?;
        let _ = rustix::fs::unlinkat(&to, &to_name, AtFlags::empty());
        rustix::fs::linkat(&from, &from_name, &to, &to_name, AtFlags::empty())?;
    }
    Ok(())
}

/// Opens for reading what is open as a mere path.
pub fn reopen(found: BorrowedFd<'_>, flags: OFlags) -> io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    Ok(rustix::fs::open(format!("/proc/self/fd/{}", found.as_raw_fd()), flags | OFlags::CLOEXEC, Mode::empty())?)
}

fn parent_of(root: &OwnedFd, path: &Path) -> io::Result<(OwnedFd, OsString)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?.to_owned();
    Ok((open_beneath(root.as_fd(), path.parent().unwrap_or(Path::new("")), OFlags::RDONLY | OFlags::DIRECTORY)?, name))
}

/// Makes the folders above `path` in a layer, as they are in its parents.
fn make_parents(layer: &OwnedFd, parents: &Trees, path: &Path) -> io::Result<()> {
    let mut so_far = PathBuf::new();
    for part in path.parent().into_iter().flat_map(Path::components) {
        let Component::Normal(name) = part else { continue };
        let folder = open_beneath(layer.as_fd(), &so_far, OFlags::RDONLY | OFlags::DIRECTORY)?;
        so_far.push(name);
        match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                if let Some((found, stat)) = parents.look(&so_far)?
                    && is_folder(&stat)
                {
                    let own = open_beneath(layer.as_fd(), &so_far, OFlags::RDONLY | OFlags::DIRECTORY)?;
                    copy_attributes(&reopen(found.as_fd(), OFlags::RDONLY | OFlags::DIRECTORY)?, &own)?;
                }
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The stream went through a folder that is a symbolic link below: on one merged root its files land where the link
/// leads, so they are moved there. A link that leads nowhere, or out, is replaced by the folder.
fn follow(layer: &OwnedFd, parents: &Trees, path: &Path, link: &OwnedFd) -> io::Result<()> {
    let target = rustix::fs::readlinkat(link, "", Vec::new())?;
    let target = Path::new(OsStr::from_bytes(target.as_bytes())).to_owned();
    let Some(target) = within(path, &target) else { return Ok(()) };
    match parents.look(&target)? {
        Some((_, stat)) if is_folder(&stat) && target != path && !target.starts_with(path) => {}
        _ => return Ok(()),
    }
    make_parents(layer, parents, &target.join("x"))?;
    let Ok(from) = open_beneath(layer.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY) else { return Ok(()) };
    let to = open_beneath(layer.as_fd(), &target, OFlags::RDONLY | OFlags::DIRECTORY)?;
    for (name, _) in entries(&from)? {
        match rustix::fs::renameat_with(&from, &name, &to, &name, rustix::fs::RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (above, name) = parent_of(layer, path)?;
    match rustix::fs::unlinkat(&above, &name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOTEMPTY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Where a link at `path` leads, relative to the root; `None` if it climbs out.
fn within(path: &Path, target: &Path) -> Option<PathBuf> {
    let mut at = if target.is_absolute() { PathBuf::new() } else { path.parent()?.to_owned() };
    for part in target.components() {
        match part {
            Component::Normal(name) => at.push(name),
            Component::ParentDir if !at.pop() => return None,
            _ => {}
        }
    }
    Some(at)
}

/// Gives `to` the owner, mode, extended attributes and times of `from`; neither is a symbolic link.
pub fn copy_attributes(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    let stat = rustix::fs::fstat(from)?;
    rustix::fs::fchown(to, Some(rustix::fs::Uid::from_raw(stat.st_uid)), Some(rustix::fs::Gid::from_raw(stat.st_gid)))?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    for (name, value) in attributes(from)? {
        match rustix::fs::fsetxattr(to, &name, &value, XattrFlags::empty()) {
            // An attribute that the other file system has no room for.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    rustix::fs::futimens(to, &times(&stat))?;
    Ok(())
}

/// Modification time of `stat`; the access time follows it.
pub fn times(stat: &Stat) -> Timestamps {
    let time = Timespec { tv_sec: stat.st_mtime as _, tv_nsec: stat.st_mtime_nsec as _ };
    Timestamps { last_access: time, last_modification: time }
}

/// Extended attributes but those of overlays themselves.
pub fn attributes(file: &OwnedFd) -> io::Result<BTreeMap<CString, Vec<u8>>> {
    let mut names = vec![0u8; 64 << 10];
    let length = match rustix::fs::flistxattr(file, &mut names) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut found = BTreeMap::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty() && !name.starts_with(b"trusted.overlay.")) {
        let name = CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        let mut value = vec![0u8; 64 << 10];
        match rustix::fs::fgetxattr(file, &name, &mut value) {
            Ok(length) => {
                value.truncate(length);
                found.insert(name, value);
            }
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// What an upper layer changes against those below it, sorted by path.
pub fn changes(upper: &OwnedFd, below: &Trees) -> io::Result<Vec<Change>> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        let folder = match open_beneath(upper.as_fd(), &path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        let own = entries(&folder)?;
        if is_opaque(&folder) {
            for name in below.list(&path)?.into_keys().filter(|name| own.iter().all(|(own, _)| own != name)) {
                found.push(Change { path: path.join(name), kind: ChangeKind::Deleted });
            }
        }
        for (name, stat) in own {
            let path = path.join(&name);
            let before = below.look(&path)?;
            if is_whiteout(&stat) {
                if before.is_some() {
                    found.push(Change { path, kind: ChangeKind::Deleted });
                }
                continue;
            }
            let kind = if before.is_some() { ChangeKind::Changed } else { ChangeKind::Added };
            if is_folder(&stat) {
                waiting.push(path.clone());
            }
            found.push(Change { path, kind });
        }
    }
    found.sort();
    Ok(found)
}
