//! This program executed again as another process, from a copy of its own mount that nobody can write through.

use super::clone::{self, Side};
use super::mount;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{OpenTreeFlags, open_tree};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The descriptors that a new process finds, from 3 on, in this order.
pub const FIRST_FD: i32 = 3;

/// Numbers from here on are not handed to the new process.
const CLEAR: libc::c_int = 64;

/// Our own file: a read-only detached copy of its mount, so that `/proc/PID/exe` of the new process (and of whatever a
/// container makes it execute) cannot be opened for writing. Where the kernel refuses, the file itself.
fn own_file() -> io::Result<OwnedFd> {
    let copy = open_tree(CWD, "/proc/self/exe", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC);
    if let Ok(copy) = copy
        && mount::set(copy.as_fd(), mount::RDONLY, false).is_ok()
    {
        return Ok(copy);
    }
    Ok(rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Executes this program again as `name`, in a session of its own, with `fds` as its descriptors from 3 on and
/// `error` as standard error. The caller may have threads. Returns the child's number and descriptor.
///
/// # Errors
/// The kernel's.
pub fn again(name: &str, fds: &[BorrowedFd<'_>], error: BorrowedFd<'_>) -> io::Result<(i32, OwnedFd)> {
    let own = own_file()?;
    let name = CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let mut list: Vec<i32> = vec![null.as_raw_fd(), null.as_raw_fd(), error.as_raw_fd()];
    list.extend(fds.iter().map(AsRawFd::as_raw_fd));
    let wanted = list.as_mut_slice();
    // Everything is made before the fork: between it and the new program only plain system calls are allowed.
    let arguments = [name.as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null::<libc::c_char>()];
    let empty = c"";
    match clone::clone(0, None)? {
        Side::Parent { pid, pidfd } => Ok((pid, pidfd)),
        Side::Child => {
            // SAFETY: a fork of a process that may have threads: only async-signal-safe calls follow, on memory made
            // before, until execveat or _exit. Descriptors are plain numbers here, nothing is dropped.
            unsafe {
                libc::setsid();
                // Copies out of the way first: a wanted descriptor may have a number that another is to get.
                for fd in &mut *wanted {
                    *fd = libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, CLEAR);
                }
                let exe = libc::fcntl(own.as_raw_fd(), libc::F_DUPFD_CLOEXEC, CLEAR);
                for (at, fd) in wanted.iter().enumerate() {
                    if libc::dup2(*fd, at as i32) < 0 {
                        libc::_exit(126);
                    }
                }
                let first = wanted.len() as libc::c_uint;
                // Marked, not closed: the new program must still be read through its descriptor.
                libc::syscall(libc::SYS_close_range, first, u32::MAX, 1u32 << 2);
                libc::chdir(c"/".as_ptr());
                libc::syscall(libc::SYS_execveat, exe, empty.as_ptr(), arguments.as_ptr(), environment.as_ptr(), libc::AT_EMPTY_PATH);
                libc::_exit(127)
            }
        }
    }
}

/// Descriptor `number` as one that this process owns; for a process that was executed by [`again`], once each.
///
/// # Errors
/// It is not open.
pub fn inherited(number: i32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: the number is checked to be open before it is owned, and no one else in a fresh process owns it.
    unsafe {
        if libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(number))
    }
}

/// Gives memory that was freed back to the kernel: a monitor that has set everything up needs little of it again.
pub fn trim_memory() {
    // SAFETY: malloc_trim only returns free memory of the allocator; where the C library has none, nothing happens.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
