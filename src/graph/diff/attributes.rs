//! Owner, mode, extended attributes and times of what is extracted, in the order in which none undoes another.
//!
//! A change of owner clears setuid and file capabilities, a change of mode rewrites an access list, all of them change
//! times: so owner, mode, extended attributes, times.

use super::name::shown;
use crate::graph::invalid;
use crate::graph::tar::Entry;
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// How many attributes that could not be kept are named.
const UNKEPT_MAX: usize = 16;

/// What a stream says of a file beside its content.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    pub mtime: (i64, u32),
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Sets attributes; knows who makes the files, to leave out what is so already.
pub struct Setter {
    uid: u32,
    gid: u32,
    /// Mode bits that a new file may not get; all of them if that is not known.
    masked: u32,
    /// What this file system could not hold.
    pub unkept: Vec<String>,
}

impl Attributes {
    /// Those of an entry, without the attributes that only mean something to overlayfs itself.
    pub fn of(entry: &mut Entry) -> io::Result<Self> {
        // The highest number means "leave as it is" to the kernel.
        let id = |id: u64, what: &str| match u32::try_from(id) {
            Ok(id) if id != u32::MAX => Ok(id),
            _ => Err(invalid(format!("{what} {id} does not fit into 32 bits"))),
        };
        let mut xattrs = std::mem::take(&mut entry.xattrs);
        xattrs.retain(|(name, _)| !is_overlay(name));
        Ok(Self { uid: id(entry.uid, "owner")?, gid: id(entry.gid, "group")?, mode: entry.mode, mtime: entry.mtime, xattrs })
    }

    fn times(&self) -> Timestamps {
        let (tv_sec, nanos) = self.mtime;
        let time = Timespec { tv_sec, tv_nsec: nanos.into() };
        Timestamps { last_access: time, last_modification: time }
    }

    fn mode(&self) -> Mode {
        Mode::from_raw_mode(self.mode)
    }
}

/// Whether overlayfs keeps its own affairs in this attribute.
pub fn is_overlay(name: &[u8]) -> bool {
    name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.")
}

impl Setter {
    /// One for files made by this process below `root`.
    pub fn new(root: BorrowedFd<'_>) -> Self {
        // An access list to inherit decides instead of the mask.
        let inherits = rustix::fs::getxattr(format!("{}/.", magic_path(root)), "system.posix_acl_default", &mut [0u8; 0][..]);
        let masked = if matches!(inherits, Err(Errno::NODATA | Errno::OPNOTSUPP)) { umask() } else { None };
        Self {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            masked: masked.unwrap_or(0o777) | 0o7000,
            unkept: Vec::new(),
        }
    }

    /// One for files among others, whose folders may have access lists and groups to inherit.
    pub fn careful() -> Self {
        Self { uid: u32::MAX, gid: u32::MAX, masked: 0o7777, unkept: Vec::new() }
    }

    /// The mode to make a file with: its own if it can be born with it, else one for nobody else to read meanwhile.
    pub fn birth_mode(&self, attributes: &Attributes) -> Mode {
        if self.is_born_so(attributes) { attributes.mode() } else { Mode::RUSR | Mode::WUSR }
    }

    fn is_born_so(&self, attributes: &Attributes) -> bool {
        attributes.mode & self.masked == 0 && !self.is_foreign(attributes)
    }

    /// What a folder gets that no entry speaks of.
    pub fn unsaid() -> Attributes {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Attributes { uid, gid, mode: 0o755, ..Attributes::default() }
    }

    /// Whether what this process makes belongs to another in the stream.
    fn is_foreign(&self, attributes: &Attributes) -> bool {
        attributes.uid != self.uid || attributes.gid != self.gid
    }

    /// Sets all of an open file; `fresh` if it was just made with [`Setter::birth_mode`].
    pub fn file(&mut self, fd: BorrowedFd<'_>, attributes: &Attributes, path: &[u8], fresh: bool) -> io::Result<()> {
        if !fresh || self.is_foreign(attributes) {
            rustix::fs::fchown(fd, Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid)))?;
        }
        if !fresh || !self.is_born_so(attributes) {
            rustix::fs::fchmod(fd, attributes.mode())?;
        }
        for (name, value) in &attributes.xattrs {
            let set = rustix::fs::fsetxattr(fd, &name[..], value, XattrFlags::empty());
            self.judge(set, name, path)?;
        }
        rustix::fs::futimens(fd, &attributes.times())?;
        Ok(())
    }

    /// Sets all of a symbolic link that this process just made (a link has no mode).
    pub fn link(&mut self, folder: BorrowedFd<'_>, name: &[u8], attributes: &Attributes, path: &[u8]) -> io::Result<()> {
        if self.is_foreign(attributes) {
            let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
            rustix::fs::chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if !attributes.xattrs.is_empty() {
            let fd = rustix::fs::openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            self.xattrs_by_path(fd.as_fd(), attributes, path)?;
        }
        rustix::fs::utimensat(folder, name, &attributes.times(), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    /// Sets all of a device or named pipe, which is never opened: only pointed at.
    pub fn node(&mut self, folder: BorrowedFd<'_>, name: &[u8], attributes: &Attributes, path: &[u8]) -> io::Result<()> {
        let fd = rustix::fs::openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let magic = magic_path(fd.as_fd());
        rustix::fs::chownat(&fd, "", Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid)), AtFlags::EMPTY_PATH)?;
        rustix::fs::chmodat(CWD, &magic, attributes.mode(), AtFlags::empty())?;
        self.xattrs_by_path(fd.as_fd(), attributes, path)?;
        rustix::fs::utimensat(CWD, &magic, &attributes.times(), AtFlags::empty())?;
        Ok(())
    }

    fn xattrs_by_path(&mut self, fd: BorrowedFd<'_>, attributes: &Attributes, path: &[u8]) -> io::Result<()> {
        let magic = magic_path(fd);
        for (name, value) in &attributes.xattrs {
            let set = rustix::fs::setxattr(&magic, &name[..], value, XattrFlags::empty());
            self.judge(set, name, path)?;
        }
        Ok(())
    }

    /// An attribute that the file system or the kind of file cannot hold is noted, as Docker does; all else is an error.
    fn judge(&mut self, set: Result<(), Errno>, name: &[u8], path: &[u8]) -> io::Result<()> {
        match set {
            Ok(()) => Ok(()),
            // EPERM: the kernel allows `user.` attributes on files and folders only.
            Err(error) if error == Errno::OPNOTSUPP || (error == Errno::PERM && name.starts_with(b"user.")) => {
                if self.unkept.len() < UNKEPT_MAX {
                    self.unkept.push(format!("{}: {}", shown(path), shown(name)));
                }
                Ok(())
            }
            Err(error) => Err(io::Error::new(io::Error::from(error).kind(), format!("extended attribute {}: {}", shown(name), io::Error::from(error)))),
        }
    }
}

/// The process's file mode creation mask, read without changing it.
fn umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}

/// A path that is exactly what `fd` points at, even if that is a link.
pub fn magic_path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}
