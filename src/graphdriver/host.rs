//! The `host` image: this machine's own root file system, read-only, below a container's writable layer.
//!
//! ```text
//!  writable layer (store)          ── upper
//!    └ overlay A, read-only        ── lower: an overlay of its own, so that the kernel sees no folder inside itself
//!        ├ mask (memory)           names of the engine's files whited out, /proc /sys /dev /run emptied
//!        └ /                       the root file system
//! ```
//!
//! File systems mounted below `/` are not in it: an overlay sees one file system, and those are mounts.

use super::overlay::{Stack, modern};
use super::{legacy, merge, place};
use rustix::fs::{CWD, Dev, FileType, Mode, XattrFlags, mkdirat, mknodat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen, open_tree,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// Emptied: they are this machine's life, not its files.
const EMPTIED: [&str; 4] = ["proc", "sys", "dev", "run"];

/// Mounts this machine's root below the writable layer `diff`.
pub fn mount(hidden: &[PathBuf], diff: &Path, work: &Path, read_only: bool) -> io::Result<OwnedFd> {
    let mask = mask(hidden)?;
    let made = match detached(&mask, diff, work, read_only) {
        Ok(made) => Ok(made),
        // Older kernels take no lower folder from a mount that is attached nowhere, or know no `lowerdir+`.
        Err(_) => attached(&mask, diff, work, read_only),
    };
    made.map_err(|error| io::Error::new(error.kind(), format!("the host image cannot be mounted here: {error}; pull an image from a registry instead")))
}

/// Two overlays, the lower one read-only and attached nowhere.
fn detached(mask: &OwnedFd, diff: &Path, work: &Path, read_only: bool) -> io::Result<OwnedFd> {
    let reach = |fd: &OwnedFd| PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let below = modern(&Stack { lowers: &[reach(mask), PathBuf::from("/")], upper: None, read_only: true })?;
    Ok(if read_only {
        modern(&Stack { lowers: &[diff.to_owned(), reach(&below)], upper: None, read_only: true })?
    } else {
        modern(&Stack { lowers: &[reach(&below)], upper: Some((diff.to_owned(), work.to_owned())), read_only: false })?
    })
}

/// The same with both attached in a mount namespace of a thread's own. Where the root is an overlay itself, the kernel
/// stacks no third one on it: then a single one does, if the store is on another file system.
fn attached(mask: &OwnedFd, diff: &Path, work: &Path, read_only: bool) -> io::Result<OwnedFd> {
    let used = [diff.to_owned(), work.to_owned()];
    legacy::aside(&used, || {
        std::fs::create_dir("+k")?;
        rustix::mount::move_mount(mask, "", CWD, "+k", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        let upper = || (!read_only).then(|| (diff.to_owned(), work.to_owned()));
        let lowers = |below: &[&str]| {
            let own = read_only.then(|| diff.to_owned());
            own.into_iter().chain(below.iter().map(PathBuf::from)).collect::<Vec<_>>()
        };
        let two = legacy::here(&Stack { lowers: &["+k".into(), "/".into()], upper: None, read_only: true }, "+b")
            .and_then(|()| legacy::here(&Stack { lowers: &lowers(&["+b"]), upper: upper(), read_only }, "+m"));
        if two.is_err() {
            for name in ["+u", "+w", "+m"] {
                // Left by the attempt, if it came so far.
                let _ = std::fs::remove_file(name).or_else(|_| std::fs::remove_dir(name));
            }
            legacy::here(&Stack { lowers: &lowers(&["+k", "/"]), upper: upper(), read_only }, "+m")?;
        }
        Ok(open_tree(CWD, "+m", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?)
    })
}

/// A layer in memory that hides what must not be seen.
fn mask(hidden: &[PathBuf]) -> io::Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "size", "1m")?;
    fsconfig_set_string(&context, "mode", "755")?;
    fsconfig_create(&context)?;
    let mask = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    merge::copy_attributes(&place::open_folder(Path::new("/"))?, &open(mask.as_fd(), ".")?)?;
    for name in EMPTIED {
        if Path::new("/").join(name).is_dir() {
            mkdirat(&mask, name, Mode::from_raw_mode(0o755))?;
            let folder = open(mask.as_fd(), name)?;
            merge::copy_attributes(&place::open_folder(&Path::new("/").join(name))?, &folder)?;
            rustix::fs::fsetxattr(&folder, "trusted.overlay.opaque", b"y", XattrFlags::empty())?;
        }
    }
    for path in hidden {
        hide(&mask, path)?;
    }
    Ok(mask)
}

fn open(folder: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    use rustix::fs::OFlags;
    Ok(rustix::fs::openat(folder, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// Whites out one path; the folders above it keep their attributes.
fn hide(mask: &OwnedFd, path: &Path) -> io::Result<()> {
    let Ok(path) = std::fs::canonicalize(path) else { return Ok(()) };
    let names: Vec<_> = path.components().filter_map(|part| if let Component::Normal(name) = part { name.to_str() } else { None }).collect();
    let Some((last, above)) = names.split_last() else { return Ok(()) };
    if above.first().or(Some(last)).is_some_and(|first| EMPTIED.contains(first)) {
        return Ok(());
    }
    let mut folder = open(mask.as_fd(), ".")?;
    let mut so_far = PathBuf::from("/");
    for name in above {
        so_far.push(name);
        match mkdirat(&folder, *name, Mode::from_raw_mode(0o755)) {
            Ok(()) => merge::copy_attributes(&place::open_folder(&so_far)?, &open(folder.as_fd(), name)?)?,
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        folder = match open(folder.as_fd(), name) {
            Ok(folder) => folder,
            // Hidden already, with all above it.
            Err(_) => return Ok(()),
        };
    }
    match mknodat(&folder, *last, FileType::CharacterDevice, Mode::empty(), Dev::default()) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
