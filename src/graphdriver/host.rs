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

use super::overlay::{Stack, mount as overlay};
use super::{merge, place};
use rustix::fs::{Dev, FileType, Mode, XattrFlags, mkdirat, mknodat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// Emptied: they are this machine's life, not its files.
const EMPTIED: [&str; 4] = ["proc", "sys", "dev", "run"];

/// Mounts this machine's root below the writable layer `diff`.
pub fn mount(hidden: &[PathBuf], diff: PathBuf, work: PathBuf, read_only: bool) -> io::Result<OwnedFd> {
    let mask = mask(hidden)?;
    let reach = |fd: &OwnedFd| PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    // The legacy way works in another mount namespace, where descriptors of detached mounts are still good.
    let below = overlay(&Stack { lowers: &[reach(&mask), PathBuf::from("/")], upper: None, read_only: true });
    let told =
        |error: &io::Error| io::Error::new(error.kind(), format!("the host image cannot be mounted here: {error}; pull an image from a registry instead"));
    let below = match below {
        Ok(below) => below,
        Err(error) => return Err(told(&error)),
    };
    let stacked = if read_only {
        overlay(&Stack { lowers: &[diff.clone(), reach(&below)], upper: None, read_only: true })
    } else {
        overlay(&Stack { lowers: &[reach(&below)], upper: Some((diff.clone(), work.clone())), read_only: false })
    };
    match stacked {
        // The root is an overlay itself, and the kernel stacks no more than two: without ours in between it may do,
        // if the store is on another file system.
        Err(_) if !read_only => {
            overlay(&Stack { lowers: &[reach(&mask), PathBuf::from("/")], upper: Some((diff, work)), read_only: false }).map_err(|error| told(&error))
        }
        Err(_) => overlay(&Stack { lowers: &[diff, reach(&mask), PathBuf::from("/")], upper: None, read_only: true }).map_err(|error| told(&error)),
        stacked => stacked,
    }
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
