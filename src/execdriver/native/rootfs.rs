//! The container's root: attached, made the only one, filled with what every container has, and closed.

use super::cgroup::Cgroup;
use super::child::step;
use super::mounts::{self, Sources, attach_at, copy_of, file_system, find, restrict};
use crate::execdriver::{Bundle, StartError};
use crate::sys;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, LinuxNamespaceType, Mount, Spec};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, makedev};
use rustix::mount::{MountPropagationFlags, OpenTreeFlags, UnmountFlags, mount_change, open_tree, unmount};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Makes the bundle's root the process's root and mounts what the specification says.
pub fn enter(bundle: &Bundle<'_>, sources: &Sources, cgroup: &Cgroup) -> Result<(), StartError> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(step("cannot make the mount namespace private"))?;
    // Onto the old root, then in front of it: nothing of this machine needs a folder for it.
    let old = open("/")?;
    attach_at(bundle.rootfs, old.as_fd()).map_err(step("cannot attach the container's root"))?;
    rustix::process::fchdir(bundle.rootfs).map_err(step("cannot enter the container's root"))?;
    rustix::process::pivot_root(".", ".").map_err(step("cannot make the container's root the only one"))?;
    unmount(".", UnmountFlags::DETACH).map_err(step("cannot let go of this machine's root"))?;
    rustix::process::chdir("/").map_err(step("cannot enter the container's root"))?;
    let root = open("/")?;
    let root = root.as_fd();
    for (mount, source) in bundle.spec.mounts().iter().flatten().zip(sources) {
        if mount.typ().as_deref() == Some("cgroup") {
            cgroups(root, mount, cgroup)?;
        } else {
            one(root, mount, source.as_ref(), bundle.spec)?;
        }
        if mount.destination() == Path::new("/dev") {
            devices(root, bundle.spec)?;
        }
    }
    Ok(())
}

fn open(path: &str) -> Result<OwnedFd, StartError> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(step(format_args!("cannot open {path}")))
}

/// One mount; /sys of this machine's own network namespace cannot be mounted anew without owning it, nor /proc of its
/// processes changed: those are what the kernel gives.
fn one(root: BorrowedFd<'_>, mount: &Mount, source: Option<&OwnedFd>, spec: &Spec) -> Result<(), StartError> {
    let made = mounts::mount(root, mount, source);
    let shares_network = !spec.linux().as_ref().and_then(|l| l.namespaces().as_ref()).into_iter().flatten().any(|n| n.typ() == LinuxNamespaceType::Network);
    match made {
        Err(_) if mount.typ().as_deref() == Some("sysfs") && shares_network => Ok(()),
        other => other,
    }
}

/// Docker's devices, links and those the user added.
fn devices(root: BorrowedFd<'_>, spec: &Spec) -> Result<(), StartError> {
    const NODES: [(&str, u32, u32); 6] = [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
    const LINKS: [(&str, &str); 6] = [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("/proc/kcore", "core"),
        ("pts/ptmx", "ptmx"),
    ];
    let dev = mounts::open_in(root, Path::new("/dev"), OFlags::PATH | OFlags::DIRECTORY).map_err(step("cannot open /dev"))?;
    let before = rustix::process::umask(Mode::empty());
    let made = (|| {
        for (name, major, minor) in NODES {
            node(&dev, name, FileType::CharacterDevice, 0o666, major, minor)?;
        }
        for (target, name) in LINKS {
            rustix::fs::symlinkat(target, &dev, name).map_err(step(format_args!("cannot make /dev/{name}")))?;
        }
        for device in spec.linux().as_ref().and_then(|linux| linux.devices().as_ref()).into_iter().flatten() {
            added(root, device)?;
        }
        Ok(())
    })();
    rustix::process::umask(before);
    made
}

fn node(folder: &OwnedFd, name: &str, kind: FileType, mode: u32, major: u32, minor: u32) -> Result<(), StartError> {
    rustix::fs::mknodat(folder, name, kind, Mode::from_raw_mode(mode), makedev(major, minor)).map_err(step(format_args!("cannot make the device {name}")))
}

fn added(root: BorrowedFd<'_>, device: &LinuxDevice) -> Result<(), StartError> {
    let path = device.path();
    let kind = if device.typ() == LinuxDeviceType::B { FileType::BlockDevice } else { FileType::CharacterDevice };
    let (Some(above), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(StartError::Failed(format!("--device: {} is no path for a device", path.display())));
    };
    let folder = mounts::place(root, above, true).map_err(step(format_args!("--device: cannot make the folder {}", above.display())))?;
    let mode = device.file_mode().unwrap_or(0o666);
    match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(step(format_args!("cannot replace {}", path.display()))(error)),
    }
    node(&folder, name, kind, mode & 0o777, device.major() as u32, device.minor() as u32)?;
    let owner = |id: Option<u32>| id.unwrap_or(0);
    rustix::fs::chownat(
        &folder,
        name,
        Some(rustix::fs::Uid::from_raw(owner(device.uid()))),
        Some(rustix::fs::Gid::from_raw(owner(device.gid()))),
        AtFlags::SYMLINK_NOFOLLOW,
    )
    .map_err(step(format_args!("cannot give {} its owner", path.display())))
}

/// The container's own cgroups, seen through its cgroup namespace.
fn cgroups(root: BorrowedFd<'_>, mount: &Mount, cgroup: &Cgroup) -> Result<(), StartError> {
    let path = mount.destination();
    let options: Vec<&str> = mount.options().iter().flatten().map(String::as_str).collect();
    if cgroup.is_v2() {
        let made = file_system("cgroup2", "cgroup", options.iter().copied())?;
        return mounts::attach(root, made.as_fd(), path);
    }
    let read_only = options.contains(&"ro");
    let folder = file_system("tmpfs", "tmpfs", ["nosuid", "nodev", "noexec", "mode=755"].into_iter())?;
    mounts::attach(root, folder.as_fd(), path)?;
    for hierarchy in cgroup.hierarchies() {
        let made = file_system("cgroup", "cgroup", options.iter().copied().chain(hierarchy.controllers.iter().map(String::as_str)))?;
        let name = hierarchy.controllers.join(",");
        mounts::attach(root, made.as_fd(), &path.join(&name))?;
        if hierarchy.controllers.len() > 1 {
            // Programs look for each controller under its own name.
            for alone in &hierarchy.controllers {
                rustix::fs::symlinkat(&name, &folder, alone).map_err(step(format_args!("cannot make {}/{alone}", path.display())))?;
            }
        }
    }
    if read_only {
        restrict(folder.as_fd(), sys::mount::RDONLY, false).map_err(|error| StartError::Failed(format!("cannot close {}: {error}", path.display())))?;
    }
    Ok(())
}

/// An empty folder that nothing can be put into.
fn nothing() -> Result<OwnedFd, StartError> {
    file_system("tmpfs", "tmpfs", ["ro", "nosuid", "nodev", "noexec", "size=0k"].into_iter())
}

/// Covers what a container must not read, and makes read-only what it must not change.
pub fn hide(spec: &Spec) -> Result<(), StartError> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    let root = open("/")?;
    let root = root.as_fd();
    let failed = |path: &str| step(format!("cannot hide {path}"));
    let mut empty: Option<OwnedFd> = None;
    for path in linux.masked_paths().iter().flatten() {
        let Some(found) = find(root, path) else { continue };
        let is_folder = rustix::fs::fstat(&found).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir());
        let cover = match (&empty, is_folder) {
            // One empty folder covers all of them. The first is covered by itself, not by a copy: to let go of a mount that is
            // attached nowhere takes the kernel as long as the other twenty mounts together.
            (None, true) => nothing()?,
            (Some(first), true) => {
                let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
                open_tree(first, "", flags).map_err(failed(path))?
            }
            (_, false) => copy_of(root, "/dev/null").map_err(failed(path))?,
        };
        attach_at(cover.as_fd(), found.as_fd()).map_err(failed(path))?;
        if is_folder {
            empty.get_or_insert(cover);
        }
    }
    for path in linux.readonly_paths().iter().flatten() {
        let Some(found) = find(root, path) else { continue };
        let copy = open_tree(
            &found,
            "",
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH | OpenTreeFlags::AT_RECURSIVE,
        )
        .map_err(failed(path))?;
        attach_at(copy.as_fd(), found.as_fd()).map_err(failed(path))?;
        let flags = sys::mount::RDONLY | sys::mount::NOSUID | sys::mount::NODEV | sys::mount::NOEXEC;
        restrict(copy.as_fd(), flags, true).map_err(|error| StartError::Failed(format!("cannot make {path} read-only: {error}")))?;
    }
    Ok(())
}

/// Closes the root against writing, if the specification says so; its mount points are there by now.
pub fn close(spec: &Spec) -> Result<(), StartError> {
    if !spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false) {
        return Ok(());
    }
    let root = rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(step("cannot open the root"))?;
    restrict(root.as_fd(), sys::mount::RDONLY, false).map_err(|error| StartError::Failed(format!("cannot make the root read-only: {error}")))
}
