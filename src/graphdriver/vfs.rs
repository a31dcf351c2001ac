//! The vfs driver: every layer and every container a whole tree of its own. Works everywhere, and is what the others
//! are compared with; content is shared between copies where the file system can.
//!
//! ```text
//!  ROOT/vfs/layers/HEX         a layer with all below it
//!  ROOT/vfs/containers/ID      a container's files
//!  ROOT/vfs/{staging,trash}    being made, being removed
//! ```

use super::merge::{self, Trees, is_folder};
use super::{Base, Change, ChangeKind, Form, GraphDriver, Staging, Unsaid, copy, place};
use crate::id::{ContainerId, Digest, LayerId};
use crate::sys;
use rustix::fs::{CWD, FileType, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The driver.
#[derive(Debug)]
struct Vfs {
    root: PathBuf,
}

/// Opens the driver below `root`.
pub fn open(root: &Path) -> io::Result<Box<dyn GraphDriver>> {
    let root = root.join("vfs");
    for name in ["layers", "containers", "staging", "trash", "empty"] {
        place::make_folder(&root.join(name))?;
    }
    Ok(Box::new(Vfs { root }))
}

impl Vfs {
    fn layer(&self, id: &LayerId) -> PathBuf {
        self.root.join("layers").join(id.hex())
    }

    fn container(&self, id: &ContainerId) -> PathBuf {
        self.root.join("containers").join(id.as_str())
    }

    fn top(&self, layers: &[LayerId]) -> PathBuf {
        layers.last().map_or_else(|| self.root.join("empty"), |top| self.layer(top))
    }
}

/// A folder as a detached mount of its own.
fn detached(path: &Path, read_only: bool) -> io::Result<OwnedFd> {
    let mount = open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    if read_only {
        sys::mount::set(mount.as_fd(), sys::mount::RDONLY, false)?;
    }
    Ok(mount)
}

/// Puts a made folder in its place, unless another was faster.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl GraphDriver for Vfs {
    fn name(&self) -> &'static str {
        "vfs"
    }

    fn stage(&self) -> io::Result<Staging> {
        place::staging(&self.root.join("staging"))
    }

    fn commit(&self, staging: Staging, id: &LayerId, parents: &[LayerId], unsaid: &Unsaid) -> io::Result<()> {
        let to = self.layer(id);
        if to.exists() {
            return Ok(());
        }
        let layer = place::open_folder(&staging.path)?;
        let below = place::open_folder(&self.top(parents))?;
        merge::complete(&layer, &Trees::new(vec![rustix::io::dup(&below)?]), unsaid)?;
        let aside = self.stage()?;
        let tree = place::open_folder(&aside.path)?;
        copy::tree(&below, &tree)?;
        copy::apply(&layer, &tree)?;
        put(&aside.path, &to)
    }

    fn has(&self, id: &LayerId) -> io::Result<bool> {
        Ok(self.layer(id).is_dir())
    }

    fn layers(&self) -> io::Result<Vec<LayerId>> {
        place::names(&self.root.join("layers"), |name| format!("sha256:{name}").parse::<Digest>().ok())
    }

    fn containers(&self) -> io::Result<Vec<ContainerId>> {
        place::names(&self.root.join("containers"), |name| name.parse().ok())
    }

    fn look_into(&self, id: &LayerId) -> io::Result<(OwnedFd, Form)> {
        Ok((place::open_folder(&self.layer(id))?, Form::Whole))
    }

    fn remove_layer(&self, id: &LayerId) -> io::Result<()> {
        place::discard(&self.layer(id), &self.root.join("trash"))
    }

    fn sweep(&self) -> io::Result<()> {
        place::sweep(&self.root.join("staging"), &self.root.join("trash"))
    }

    fn create(&self, container: &ContainerId, base: Base<'_>) -> io::Result<()> {
        let Base::Layers(layers) = base else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the host image needs the overlay driver: vfs would copy the whole machine"));
        };
        let aside = self.stage()?;
        copy::tree(&place::open_folder(&self.top(layers))?, &place::open_folder(&aside.path)?)?;
        put(&aside.path, &self.container(container))
    }

    fn mount(&self, container: &ContainerId, _base: Base<'_>, read_only: bool) -> io::Result<OwnedFd> {
        detached(&self.container(container), read_only)
    }

    fn mount_image(&self, layers: &[LayerId]) -> io::Result<OwnedFd> {
        detached(&self.top(layers), true)
    }

    fn changes(&self, container: &ContainerId, base: Base<'_>) -> io::Result<Vec<Change>> {
        let Base::Layers(layers) = base else { return Err(io::Error::from(io::ErrorKind::Unsupported)) };
        compare(place::open_folder(&self.top(layers))?, place::open_folder(&self.container(container))?)
    }

    fn size(&self, container: &ContainerId) -> io::Result<u64> {
        place::tree_size(&self.container(container))
    }

    fn remove(&self, container: &ContainerId) -> io::Result<()> {
        place::discard(&self.container(container), &self.root.join("trash"))
    }
}

/// How two trees differ.
fn compare(before: OwnedFd, after: OwnedFd) -> io::Result<Vec<Change>> {
    let (old, new) = (Trees::new(vec![before]), Trees::new(vec![after]));
    let mut found = Vec::new();
    let mut waiting = vec![(PathBuf::new(), true)];
    while let Some((path, was)) = waiting.pop() {
        let theirs = if was { old.list(&path)? } else { std::collections::BTreeMap::new() };
        let ours = new.list(&path)?;
        let mut touched = false;
        for name in theirs.keys().filter(|name| !ours.contains_key(*name)) {
            found.push(Change { path: path.join(name), kind: ChangeKind::Deleted });
            touched = true;
        }
        for (name, stat) in &ours {
            let inner = path.join(name);
            let before = theirs.get(name);
            let both_folders = is_folder(stat) && before.is_some_and(is_folder);
            if is_folder(stat) {
                waiting.push((inner.clone(), both_folders));
            }
            match before {
                None => found.push(Change { path: inner, kind: ChangeKind::Added }),
                Some(before) if differs(&old, &new, &inner, before, stat)? => found.push(Change { path: inner, kind: ChangeKind::Changed }),
                Some(_) => continue,
            }
            touched = true;
        }
        if touched && was && !path.as_os_str().is_empty() {
            // As docker lists them: what changed inside changed its folders.
            found.extend(
                path.ancestors().filter(|above| !above.as_os_str().is_empty()).map(|above| Change { path: above.to_owned(), kind: ChangeKind::Changed }),
            );
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

fn differs(old: &Trees, new: &Trees, path: &Path, before: &Stat, after: &Stat) -> io::Result<bool> {
    let shape = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev);
    if shape(before) != shape(after) {
        return Ok(true);
    }
    let time = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec);
    if !is_folder(after) && (before.st_size != after.st_size || time(before) != time(after)) {
        return Ok(true);
    }
    if FileType::from_raw_mode(after.st_mode) == FileType::Symlink {
        let target = |trees: &Trees| -> io::Result<_> {
            match trees.look(path)? {
                Some((link, _)) => Ok(rustix::fs::readlinkat(link, "", Vec::new())?),
                None => Ok(std::ffi::CString::default()),
            }
        };
        return Ok(target(old)? != target(new)?);
    }
    if is_folder(after) || FileType::from_raw_mode(after.st_mode) == FileType::RegularFile {
        let read = |trees: &Trees| -> io::Result<_> {
            match trees.look(path)? {
                Some((found, _)) => merge::attributes(&merge::reopen(found.as_fd(), OFlags::RDONLY | OFlags::NONBLOCK)?),
                None => Ok(std::collections::BTreeMap::new()),
            }
        };
        return Ok(read(old)? != read(new)?);
    }
    Ok(false)
}
