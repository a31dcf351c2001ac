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
    let limit = super::fd::limit_for_others();
    match clone::clone(0, None)? {
        Side::Parent { pid, pidfd } => Ok((pid, pidfd)),
        Side::Child => {
            // SAFETY: a fork of a process that may have threads: only async-signal-safe calls follow, on memory made
            // before, until execveat or _exit. Descriptors are plain numbers here, nothing is dropped.
            unsafe {
                libc::setsid();
                if let Some(limit) = limit {
                    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
                }
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

/// Gives memory back to the kernel that a monitor needed to set everything up and needs little of again: what the
/// allocator holds free, and the pages of programs' text, which come back from the page cache when they are touched.
pub fn trim_memory() {
    // SAFETY: malloc_trim only returns free memory of the allocator.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    for (start, length) in texts(&maps) {
        // SAFETY: the range is a private mapping of a file that was never writable, so no page of it is our own: dropped
        // pages are read again from the file. A range that is gone gives an error and changes nothing.
        unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
    }
}

/// Lets go of the memory that a fork shares with others, such as the store's files: what `execve` does to a new program.
///
/// # Errors
/// The kernel's; the list of mappings cannot be read.
pub fn unmap_shared() -> io::Result<()> {
    for (start, length) in shared(&std::fs::read_to_string("/proc/self/maps")?) {
        // SAFETY: only called in a fork with one thread that ends without going back to what its parent was doing: whoever
        // made these mappings (the database's library) is not called again.
        if unsafe { libc::munmap(start as *mut libc::c_void, length) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The shared mappings in a process's map, as start and length. Source: proc_pid_maps(5).
fn shared(maps: &str) -> Vec<(usize, usize)> {
    maps.lines().filter_map(mapping).filter(|(_, _, rights)| rights.ends_with('s')).map(|(start, length, _)| (start, length)).collect()
}

/// Start, length and rights of a line.
fn mapping(line: &str) -> Option<(usize, usize, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some((start, end - start, fields.next()?))
}

/// The executable mappings of files in a process's map, and the constants right before each, as start and length. What
/// stands behind the text was written to while the program was linked. Source: proc_pid_maps(5).
fn texts(maps: &str) -> Vec<(usize, usize)> {
    let read = |line| {
        let (start, length, rights) = mapping(line)?;
        let path = line.split_ascii_whitespace().nth(5)?;
        path.starts_with('/').then_some((start, length, rights, path))
    };
    let files: Vec<_> = maps.lines().filter_map(read).collect();
    let mut found = Vec::new();
    for (at, (start, length, _, path)) in files.iter().enumerate().filter(|(_, file)| file.2 == "r-xp") {
        found
            .extend(at.checked_sub(1).map(|before| &files[before]).filter(|before| before.2 == "r--p" && before.3 == *path).map(|before| (before.0, before.1)));
        found.push((*start, *length));
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_is_shared_is_let_go_of() {
        let maps =
            "1000-2000 r--p 0 fe:00 7 /bin/x\n2000-5000 rw-s 0 fe:00 7 /store/graph.db-shm\n6000-7000 r-xp 0 00:00 0 [vdso]\n8000-9000 r--s 0 00:01 2 \n";
        assert_eq!(super::shared(maps), [(0x2000, 0x3000), (0x8000, 0x1000)]);
    }

    #[test]
    fn only_what_was_never_written_is_given_back() {
        let maps = "1000-2000 r--p 0 fe:00 7 /bin/x\n2000-5000 r-xp 0 fe:00 7 /bin/x\n5000-6000 rw-p 0 fe:00 7 /bin/x\n6000-7000 r-xp 0 00:00 0 [vdso]\n";
        assert_eq!(super::texts(maps), [(0x1000, 0x1000), (0x2000, 0x3000)]);
    }
}
