//! Descriptors closed in ranges, so that a new program inherits what it is meant to and nothing else.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::sync::OnceLock;

/// How many descriptors this process might have before it wished for more.
static USUAL: OnceLock<Rlimit> = OnceLock::new();

/// Lets this process have as many descriptors as it may: the soft limit becomes the hard one. Where that is refused, all
/// stays as it is.
pub fn raise_limit() {
    let usual = USUAL.get_or_init(|| getrlimit(Resource::Nofile));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: usual.maximum, maximum: usual.maximum });
}

/// In a child that is to be somebody else's: undoes [`raise_limit`], which was done for its parent alone.
pub fn usual_limit() {
    if let Some(usual) = USUAL.get() {
        let _ = setrlimit(Resource::Nofile, *usual);
    }
}

/// Marks every descriptor from `first` on to be closed by the next `execve`.
///
/// Linux 5.11 does it in one call; before, each entry of `/proc/self/fd` is marked by itself.
///
/// # Errors
/// The kernel's.
pub fn close_from_on_exec(first: u32) -> io::Result<()> {
    const CLOEXEC: u32 = 1 << 2;
    // SAFETY: close_range with CLOSE_RANGE_CLOEXEC changes only a flag of descriptors and touches no memory.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOEXEC) };
    if done == 0 {
        return Ok(());
    }
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if number >= first as i32 {
            // SAFETY: F_SETFD changes only a flag; a number that is not open (any more) gives EBADF.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// Makes descriptor `number` a copy of `fd`, open across `execve`. What `number` was before is closed.
///
/// # Errors
/// The kernel's.
pub fn duplicate_onto(fd: std::os::fd::BorrowedFd<'_>, number: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: only called with 0, 1 and 2, which no OwnedFd of this program owns.
    if unsafe { libc::dup2(fd.as_raw_fd(), number) } == number { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Ends the process at once, without what was registered to run at its exit: in a fork that is the parent's business.
pub fn exit(status: i32) -> ! {
    // SAFETY: _exit never returns and touches no memory of ours.
    unsafe { libc::_exit(status) }
}

/// Closes every descriptor from `first` on.
///
/// # Errors
/// The kernel's.
pub fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: only called in a process that lives on with no more than its standard streams; no OwnedFd is used after.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if done == 0 {
        return Ok(());
    }
    // The limit may have been lowered below a number that is open already.
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(0).clamp(1 << 16, 1 << 20);
    for number in i64::from(first)..limit as i64 {
        // SAFETY: as above; a number that is not open gives EBADF.
        unsafe { libc::close(number as i32) };
    }
    Ok(())
}

/// Sends a signal, any of the kernel's 64, to the process behind a descriptor.
///
/// # Errors
/// The kernel's; ESRCH if it has ended.
pub fn signal(pidfd: std::os::fd::BorrowedFd<'_>, number: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: pidfd_send_signal without a siginfo reads no memory.
    let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), number, std::ptr::null::<libc::siginfo_t>(), 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
