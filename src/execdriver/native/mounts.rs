//! Mounts of the specification, each made detached and then put in its place beneath the container's root.

use super::child::step;
use super::path_of;
use crate::execdriver::StartError;
use crate::sys;
use oci_spec::runtime::{Mount, Spec};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
    move_mount, open_tree,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// The file system type of /proc. Source: linux/magic.h.
const PROC_MAGIC: rustix::fs::FsWord = 0x9fa0;

/// The sources of bind mounts, opened where this machine's files can still be seen; one for each mount, in order.
pub type Sources = Vec<Option<OwnedFd>>;

/// Opens the sources of all bind mounts.
pub fn open_sources(spec: &Spec) -> Result<Sources, StartError> {
    spec.mounts().iter().flatten().map(|mount| if is_bind(mount) { bind_source(mount).map(Some) } else { Ok(None) }).collect()
}

fn is_bind(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("bind") || options(mount).any(|option| option == "bind" || option == "rbind")
}

fn options(mount: &Mount) -> impl Iterator<Item = &str> {
    mount.options().iter().flatten().map(String::as_str)
}

fn bind_source(mount: &Mount) -> Result<OwnedFd, StartError> {
    let source = mount.source().as_deref().unwrap_or(Path::new(""));
    let recursive = if options(mount).any(|option| option == "rbind") { OpenTreeFlags::AT_RECURSIVE } else { OpenTreeFlags::empty() };
    open_tree(CWD, source, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | recursive).map_err(|error| match error {
        Errno::NOENT => StartError::Failed(format!("bind source path does not exist: {}", source.display())),
        error => step(format_args!("cannot bind {}", source.display()))(error),
    })
}

/// A new file system, detached, under the name that mount tables show as its source: options that belong to the mount go
/// there, the others to the file system.
pub fn file_system<'a>(kind: &str, source: &str, options: impl Iterator<Item = &'a str>) -> Result<OwnedFd, StartError> {
    let failed = |error| step(format_args!("cannot make a {kind} file system"))(error);
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
    fsconfig_set_string(&context, "source", source).map_err(failed)?;
    let mut attributes = MountAttrFlags::empty();
    for option in options {
        match option {
            "ro" => attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY,
            "nosuid" => attributes |= MountAttrFlags::MOUNT_ATTR_NOSUID,
            "nodev" => attributes |= MountAttrFlags::MOUNT_ATTR_NODEV,
            "noexec" => attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC,
            "noatime" => attributes |= MountAttrFlags::MOUNT_ATTR_NOATIME,
            "strictatime" => attributes |= MountAttrFlags::MOUNT_ATTR_STRICTATIME,
            "rw" | "suid" | "dev" | "exec" | "relatime" | "async" | "sync" | "newinstance" => {}
            option => match option.split_once('=') {
                Some((key, value)) => fsconfig_set_string(&context, key, value).map_err(|e| step(format_args!("{kind} option {option:?}"))(e))?,
                None => fsconfig_set_flag(&context, option).map_err(|e| step(format_args!("{kind} option {option:?}"))(e))?,
            },
        }
    }
    fsconfig_create(&context).map_err(failed)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(failed)
}

/// Puts a detached mount at `path` beneath the root, through no symbolic link that leaves it. What is missing on the
/// way is made, as a file where a file is mounted.
pub fn attach(root: BorrowedFd<'_>, mount: BorrowedFd<'_>, path: &Path) -> Result<(), StartError> {
    let is_folder = rustix::fs::fstat(mount).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir());
    let place = place(root, path, is_folder).map_err(|error| step(format_args!("cannot make the mount point {}", path.display()))(error))?;
    if covers_proc(mount, place.as_fd(), path) {
        return Err(StartError::Failed(format!("cannot mount at {}: it is inside /proc, which shows the container its own processes", path.display())));
    }
    attach_at(mount, place.as_fd()).map_err(|error| match error {
        Errno::NOTDIR => StartError::Failed(format!("cannot mount at {}: a file cannot be mounted on a folder, nor a folder on a file", path.display())),
        error => step(format_args!("cannot mount at {}", path.display()))(error),
    })
}

/// Whether a mount would cover something of the container's /proc, or all of it: what is masked there could be uncovered,
/// and who reads it could be deceived. As runc has it, /proc of this machine may take its place, and some files of numbers
/// may be covered by those of lxcfs.
fn covers_proc(mount: BorrowedFd<'_>, place: BorrowedFd<'_>, path: &Path) -> bool {
    const NUMBERS: [&str; 10] = ["cpuinfo", "diskstats", "loadavg", "meminfo", "net/dev", "slabinfo", "stat", "swaps", "sys/kernel/ns_last_pid", "uptime"];
    let is_proc = |fd: BorrowedFd<'_>| rustix::fs::fstatfs(fd).is_ok_and(|found| found.f_type == PROC_MAGIC);
    let allowed = || NUMBERS.iter().any(|name| path == Path::new("/proc").join(name)) || (path == Path::new("/proc") && is_proc(mount));
    is_proc(place) && !allowed()
}

/// Puts a detached mount onto an open place.
pub fn attach_at(mount: BorrowedFd<'_>, place: BorrowedFd<'_>) -> rustix::io::Result<()> {
    move_mount(mount, "", place, "", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH)
}

/// Opens a path beneath the root, as the container itself would see it.
pub fn open_in(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    loop {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS) {
            // A name on the way was changed just then.
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
}

/// The mount point, made if it is not there.
pub fn place(root: BorrowedFd<'_>, path: &Path, is_folder: bool) -> rustix::io::Result<OwnedFd> {
    match open_in(root, path, OFlags::PATH) {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    let parts: Vec<_> = path.components().filter_map(|part| if let Component::Normal(name) = part { Some(name) } else { None }).collect();
    let until = |count: usize| Path::new("/").join(parts[..count].iter().collect::<PathBuf>());
    // Most lack nothing but themselves: their folder is looked for from the end.
    let mut there = parts.len().saturating_sub(1);
    let mut above = loop {
        match open_in(root, &until(there), OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOENT) if there > 0 => there -= 1,
            found => break found?,
        }
    };
    for (at, name) in parts.iter().enumerate().skip(there) {
        let last = at + 1 == parts.len();
        let made = if last && !is_folder {
            rustix::fs::openat(&above, *name, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::from_raw_mode(0o644))
                .map(|_| ())
        } else {
            rustix::fs::mkdirat(&above, *name, Mode::from_raw_mode(0o755))
        };
        match made {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        if !last {
            above = open_in(root, &until(at + 1), OFlags::PATH | OFlags::DIRECTORY)?;
        }
    }
    open_in(root, path, OFlags::PATH)
}

/// Sets flags on a mount that is in its place, and on those below it; older kernels get each by a remount.
pub fn restrict(place: BorrowedFd<'_>, flags: u64, recursive: bool) -> std::io::Result<()> {
    match sys::mount::set(place, flags, recursive) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            let mut legacy = rustix::mount::MountFlags::BIND;
            for (flag, old) in [
                (sys::mount::RDONLY, rustix::mount::MountFlags::RDONLY),
                (sys::mount::NOSUID, rustix::mount::MountFlags::NOSUID),
                (sys::mount::NODEV, rustix::mount::MountFlags::NODEV),
                (sys::mount::NOEXEC, rustix::mount::MountFlags::NOEXEC),
            ] {
                if flags & flag != 0 {
                    legacy |= old;
                }
            }
            Ok(rustix::mount::mount_remount(path_of(place), legacy, "")?)
        }
        other => other,
    }
}

/// Mounts one entry of the specification.
pub fn mount(root: BorrowedFd<'_>, mount: &Mount, source: Option<&OwnedFd>) -> Result<(), StartError> {
    let path = mount.destination();
    if let Some(source) = source {
        bind(root, mount, source)
    } else {
        let kind = mount.typ().as_deref().unwrap_or_default();
        let source = mount.source().as_deref().and_then(Path::to_str).unwrap_or(kind);
        let made = file_system(kind, source, options(mount))?;
        attach(root, made.as_fd(), path)
    }
}

fn bind(root: BorrowedFd<'_>, mount: &Mount, source: &OwnedFd) -> Result<(), StartError> {
    let path = mount.destination();
    let recursive = options(mount).any(|option| option == "rbind");
    let propagation = options(mount).find_map(|option| {
        Some(match option {
            "private" | "rprivate" => libc::MS_PRIVATE,
            "slave" | "rslave" => libc::MS_SLAVE,
            "shared" | "rshared" => libc::MS_SHARED,
            _ => return None,
        })
    });
    let flags = options(mount).fold(0, |flags, option| {
        flags
            | match option {
                "ro" => sys::mount::RDONLY,
                "nosuid" => sys::mount::NOSUID,
                "nodev" => sys::mount::NODEV,
                "noexec" => sys::mount::NOEXEC,
                _ => 0,
            }
    });
    match sys::mount::propagate(source.as_fd(), propagation.unwrap_or(libc::MS_PRIVATE), recursive) {
        // Before Linux 5.12 the namespace as a whole is private, which is what is asked for but by experts.
        Err(error) if error.raw_os_error() != Some(libc::ENOSYS) => {
            return Err(StartError::Failed(format!("cannot set the propagation of {}: {error}", path.display())));
        }
        _ => {}
    }
    attach(root, source.as_fd(), path)?;
    if flags != 0 {
        restrict(source.as_fd(), flags, recursive).map_err(|error| StartError::Failed(format!("cannot make {} read-only: {error}", path.display())))?;
    }
    Ok(())
}

/// Binds a file or folder of this machine, and what is mounted below it, at `path` beneath a root that nothing runs in.
pub fn bind_beneath(root: BorrowedFd<'_>, source: &Path, path: &Path, read_only: bool) -> std::io::Result<()> {
    let source = open_tree(CWD, source, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE)?;
    attach(root, source.as_fd(), path).map_err(|error| std::io::Error::other(error.to_string()))?;
    if read_only { restrict(source.as_fd(), sys::mount::RDONLY, true) } else { Ok(()) }
}

/// Makes a root read-only, and nothing that is mounted on it.
pub fn shut(root: BorrowedFd<'_>) -> std::io::Result<()> {
    restrict(root, sys::mount::RDONLY, false)
}

/// A copy of one file's mount, detached: what covers a masked file.
pub fn copy_of(root: BorrowedFd<'_>, path: &str) -> rustix::io::Result<OwnedFd> {
    let file = open_in(root, Path::new(path), OFlags::PATH)?;
    open_tree(&file, "", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH)
}

/// Whether `path` is there, itself no symbolic link.
pub fn find(root: BorrowedFd<'_>, path: &str) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let found = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS).ok()?;
    rustix::fs::statat(&found, "", AtFlags::EMPTY_PATH).ok().map(|_| found)
}
