//! Overlay mounts on kernels before Linux 6.5: a page of options, filled with names as short as can be.

use super::overlay::Stack;
use rustix::fs::CWD;
use rustix::mount::{MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags, mount as mount_legacy, mount_change, open_tree, unmount};
use std::fmt::Write;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// What a page of options holds, with the NUL at its end.
const PAGE: usize = 4095;

/// Mounts a stack on a thread of its own, whose mount namespace and working folder are its own, and gives a detached
/// copy; the mount itself goes with the thread.
pub(super) fn mount(stack: &Stack<'_>) -> io::Result<OwnedFd> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| on_own_thread(stack));
        worker.join().unwrap_or_else(|_| Err(io::Error::other("the mounting thread broke down")))
    })
}

fn on_own_thread(stack: &Stack<'_>) -> io::Result<OwnedFd> {
    let failed = |what: &str, error: rustix::io::Errno| io::Error::new(io::Error::from(error).kind(), format!("{what}: {}", io::Error::from(error)));
    crate::sys::clone::unshare((libc::CLONE_NEWNS | libc::CLONE_FS) as u32)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(|e| failed("mount namespace", e))?;
    // Links with names of one or two letters in a folder in memory stand for the layers' long paths.
    mount_legacy("tmpfs", "/tmp", "tmpfs", MountFlags::empty(), Some(c"size=1m,mode=700")).map_err(|e| failed("tmpfs", e))?;
    rustix::process::chdir("/tmp")?;
    std::fs::create_dir("m")?;
    let mut options = String::from("lowerdir=");
    for (number, lower) in stack.lowers.iter().enumerate() {
        let name = short(number);
        std::os::unix::fs::symlink(lower, &name)?;
        if number > 0 {
            options.push(':');
        }
        options.push_str(&name);
    }
    if let Some((upper, work)) = &stack.upper {
        std::os::unix::fs::symlink(upper, "+u")?;
        std::os::unix::fs::symlink(work, "+w")?;
        let _ = write!(options, ",upperdir=+u,workdir=+w");
    }
    for feature in ["redirect_dir", "metacopy", "index"] {
        if Path::new("/sys/module/overlay/parameters").join(feature).exists() {
            let _ = write!(options, ",{feature}=off");
        }
    }
    if options.len() > PAGE {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} layers are more than this kernel can mount: Linux 6.5 can", stack.lowers.len())));
    }
    let options = std::ffi::CString::new(options).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let flags = if stack.read_only { MountFlags::RDONLY } else { MountFlags::empty() };
    mount_legacy("overlay", "m", "overlay", flags, Some(options.as_c_str()))?;
    let copy = open_tree(CWD, "m", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    unmount("m", UnmountFlags::DETACH)?;
    Ok(copy)
}

/// 0 → `a`, 25 → `z`, 26 → `aa` …
fn short(mut number: usize) -> String {
    let mut name = Vec::new();
    loop {
        name.push(b'a' + (number % 26) as u8);
        number /= 26;
        if number == 0 {
            break;
        }
        number -= 1;
    }
    name.reverse();
    String::from_utf8_lossy(&name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn short_names_are_unique() {
        let names: std::collections::HashSet<String> = (0..1000).map(short).collect();
        assert_eq!(names.len(), 1000);
        assert!((0..128).map(short).map(|name| name.len() + 1).sum::<usize>() < 1000);
    }
}
