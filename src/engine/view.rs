//! A container that does not run, as its processes would see it: its files with its volumes mounted on them.

use super::{Engine, Error, Kind, Result};
use crate::container::{Container, Mount, MountKind};
use crate::execdriver::native::{bind_beneath, open_in, shut};
use crate::graphdriver;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

impl Engine {
    /// The root in which `path` of a container is found, whether it runs or not, with what is mounted in it.
    ///
    /// # Errors
    /// `write` is asked for where the container itself may not write; its files cannot be mounted.
    pub fn root_for(&self, container: &Container, path: &Path, write: bool) -> Result<OwnedFd> {
        let alive = container.state.status.is_alive();
        let whole = path.components().all(|part| matches!(part, Component::RootDir | Component::CurDir));
        // All of a running one is its files and volumes: /proc, /sys and /dev are the kernel's, and cannot be copied.
        if alive && (write || !whole) {
            return self.root(container, !write);
        }
        if write {
            check_writable(container, path)?;
        }
        let mounts = mounts(container);
        let mut root = self.files(container, !write)?;
        let lacks = |mount: &&Mount| open_in(root.as_fd(), Path::new(&mount.destination), OFlags::PATH).is_err();
        // Where the image has nothing to mount on it is made, as at a start.
        if !write && !alive && mounts.iter().any(lacks) {
            drop(root);
            root = self.files(container, false)?;
        }
        if mounts.is_empty() {
            return Ok(root);
        }
        // A link in a volume may lead out of it, and where it leads is not to be written either.
        with_mounts(&root, &mounts, container.host_config.readonly_rootfs)
            .map_err(|e| Error::io(format_args!("container {}: cannot mount its volumes", container.name), &e))
    }
}

/// What is mounted from the store or this machine, parents first. What is there no more has nothing to show.
fn mounts(container: &Container) -> Vec<&Mount> {
    let there = |mount: &&Mount| mount.kind != MountKind::Tmpfs && Path::new(&mount.source).exists();
    let mut mounts: Vec<&Mount> = container.host_config.mounts.iter().filter(there).collect();
    mounts.sort_by_key(|mount| mount.destination.split('/').count());
    mounts
}

/// Refuses to write where the container's processes could not.
fn check_writable(container: &Container, path: &Path) -> Result<()> {
    let clean: PathBuf = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    let mounts = container.host_config.mounts.iter().filter(|mount| mount.kind != MountKind::Tmpfs && clean.starts_with(&mount.destination));
    match mounts.max_by_key(|mount| mount.destination.len()) {
        Some(mount) if mount.read_only => Err(Error::conflict(format!("{} of container {} is mounted read-only", mount.destination, container.name))),
        Some(mount) if !Path::new(&mount.source).exists() => {
            Err(Error::new(Kind::NotFound, format!("{} is not there: it is mounted at {} of container {}", mount.source, mount.destination, container.name)))
        }
        None if container.host_config.readonly_rootfs => Err(Error::conflict(format!("the files of container {} are marked read-only", container.name))),
        _ => Ok(()),
    }
}

/// A root and its mounts as one detached tree, put together where nobody else sees it.
fn with_mounts(root: &OwnedFd, mounts: &[&Mount], read_only: bool) -> io::Result<OwnedFd> {
    let sources: Vec<PathBuf> = mounts.iter().map(|mount| PathBuf::from(&mount.source)).collect();
    graphdriver::aside(&sources, || {
        std::fs::create_dir("root")?;
        move_mount(root, "", CWD, "root", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        let inside = rustix::fs::open("root", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        for mount in mounts {
            bind_beneath(inside.as_fd(), Path::new(&mount.source), Path::new(&mount.destination), mount.read_only)
                .map_err(|error| io::Error::new(error.kind(), format!("{} at {}: {error}", mount.source, mount.destination)))?;
        }
        if read_only {
            shut(inside.as_fd())?;
        }
        Ok(open_tree(CWD, "root", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE)?)
    })
}
