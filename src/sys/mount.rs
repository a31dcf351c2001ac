//! `mount_setattr`: the flags of a mount and of all below it, changed at once.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Cannot be written.
pub const RDONLY: u64 = 0x1;
/// setuid bits mean nothing.
pub const NOSUID: u64 = 0x2;
/// Devices mean nothing.
pub const NODEV: u64 = 0x4;
/// Programs are not executed.
pub const NOEXEC: u64 = 0x8;

/// `struct mount_attr` of linux/mount.h.
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

const RECURSIVE: libc::c_uint = libc::AT_RECURSIVE as libc::c_uint;

fn setattr(mount: BorrowedFd<'_>, attr: &MountAttr, flags: libc::c_uint) -> io::Result<()> {
    let empty: &CStr = c"";
    // SAFETY: the path is a NUL-terminated string, `attr` a valid mount_attr of the size given, both outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            empty.as_ptr(),
            libc::AT_EMPTY_PATH as libc::c_uint | flags,
            &raw const *attr,
            size_of::<MountAttr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets flags on the mount (and, if `recursive`, on all mounted below it). Linux 5.12.
///
/// # Errors
/// The kernel's; ENOSYS before Linux 5.12.
pub fn set(mount: BorrowedFd<'_>, flags: u64, recursive: bool) -> io::Result<()> {
    setattr(mount, &MountAttr { set: flags, ..MountAttr::default() }, if recursive { RECURSIVE } else { 0 })
}

/// Sets the propagation (`MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`) of the mount and, if `recursive`, of all below it.
///
/// # Errors
/// The kernel's; ENOSYS before Linux 5.12.
pub fn propagate(mount: BorrowedFd<'_>, propagation: u64, recursive: bool) -> io::Result<()> {
    setattr(mount, &MountAttr { propagation, ..MountAttr::default() }, if recursive { RECURSIVE } else { 0 })
}
