//! `clone3`: a process made straight in new namespaces and in its cgroup.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// New process id namespace.
pub const NEWPID: u64 = libc::CLONE_NEWPID as u64;
/// New mount namespace.
pub const NEWNS: u64 = libc::CLONE_NEWNS as u64;
/// New host name namespace.
pub const NEWUTS: u64 = libc::CLONE_NEWUTS as u64;
/// New IPC namespace.
pub const NEWIPC: u64 = libc::CLONE_NEWIPC as u64;
/// New network namespace.
pub const NEWNET: u64 = libc::CLONE_NEWNET as u64;

const PIDFD: u64 = libc::CLONE_PIDFD as u64;
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which side of the fork we are on.
#[derive(Debug)]
pub enum Side {
    /// The new process. It is a copy: locks held by other threads stay locked for ever, so the caller has one thread.
    Child,
    /// The old one, with the child's number and descriptor.
    Parent {
        /// As the caller's process id namespace numbers it.
        pid: i32,
        /// Readable when the child has ended.
        pidfd: OwnedFd,
    },
}

/// `struct clone_args` of linux/sched.h, its first 88 bytes (Linux 5.7).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The size of `struct clone_args` before it knew cgroups (Linux 5.5): kernels up to 5.6 take no more.
const WITHOUT_CGROUP: usize = 80;

/// Makes a child in the namespaces `flags`, inside the v2 cgroup if one is given and the kernel can (Linux 5.7).
///
/// # Errors
/// The kernel's: EPERM without privileges, ENOSPC when namespaces are used up, EOPNOTSUPP or EINVAL where it cannot
/// clone into a cgroup: the caller then asks again without.
pub fn clone(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    let mut pidfd: i32 = -1;
    let mut args = CloneArgs { flags: flags | PIDFD, pidfd: (&raw mut pidfd) as u64, exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() };
    let mut size = WITHOUT_CGROUP;
    if let Some(cgroup) = cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
        size = size_of::<CloneArgs>();
    }
    // SAFETY: `args` is a valid clone_args of `size` bytes; without CLONE_VM the child has its own copy of all memory
    // and its own stack, so returning twice is what fork does. `pidfd` outlives the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        // SAFETY: the kernel stored a new descriptor, which nobody else owns, in `pidfd`.
        pid => Ok(Side::Parent { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

/// Moves the calling process, which has one thread, into new namespaces.
///
/// # Errors
/// The kernel's.
pub fn unshare(flags: u32) -> rustix::io::Result<()> {
    // SAFETY: the flags of namespaces move no memory or descriptors away from under anybody; that the process has one
    // thread is the caller's word.
    match unsafe { libc::unshare(flags as libc::c_int) } {
        0 => Ok(()),
        _ => Err(rustix::io::Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(rustix::io::Errno::INVAL)),
    }
}

/// Ignores a signal, also in what is executed from here.
pub fn ignore_signal(number: i32) {
    // SAFETY: SIG_IGN installs no handler of ours; a number that cannot be changed gives an error that is none here.
    unsafe { libc::signal(number, libc::SIG_IGN) };
}

/// Unblocks all signals and gives each its default meaning.
///
/// # Errors
/// The kernel's.
pub fn default_signals() -> io::Result<()> {
    for number in 1..=64 {
        // SAFETY: SIG_DFL installs no handler of ours; numbers that cannot be changed give an error that is none here.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    // SAFETY: sigemptyset initialises the set before sigprocmask reads it; both get valid pointers.
    let done = unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut())
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
