//! Overlay mounts on kernels before Linux 6.5: a page of options, filled with names as short as can be.

use super::overlay::Stack;
use rustix::fs::CWD;
use rustix::mount::{MountFlags, MountPropagationFlags, OpenTreeFlags, mount as mount_legacy, mount_change, open_tree};
use std::fmt::Write;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What a page of options holds, with the NUL at its end.
const PAGE: usize = 4095;

/// Mounts a stack and gives a detached copy; the mount itself goes with the thread that made it.
pub(super) fn mount(stack: &Stack<'_>) -> io::Result<OwnedFd> {
    aside(&stack.paths(), || {
        here(stack, "+m")?;
        Ok(open_tree(CWD, "+m", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?)
    })
}

/// Folders of this machine that a folder in memory may cover for a moment, in a mount namespace of its own.
const COVERED: [&str; 7] = ["/mnt", "/srv", "/opt", "/tmp", "/media", "/home", "/boot"];

/// Runs `work` on a thread whose mount namespace is its own and whose working folder is an empty one in memory that
/// covers none of `paths`. What it mounts there goes with the thread; a detached copy of it stays.
///
/// # Errors
/// The kernel's, those of `work`, and one if no folder can be covered.
pub fn aside(paths: &[PathBuf], work: impl FnOnce() -> io::Result<OwnedFd> + Send) -> io::Result<OwnedFd> {
    let free = |folder: &&str| Path::new(folder).is_dir() && paths.iter().all(|path| !path.starts_with(folder));
    let folder = COVERED.into_iter().find(free).ok_or_else(|| io::Error::other("no folder of this machine can be covered for a moment"))?;
    let run = move || {
        crate::sys::clone::unshare((libc::CLONE_NEWNS | libc::CLONE_FS) as u32)?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        mount_legacy("tmpfs", folder, "tmpfs", MountFlags::empty(), Some(c"size=1m,mode=700"))?;
        rustix::process::chdir(folder)?;
        work()
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|_| Err(io::Error::other("the mounting thread broke down"))))
}

/// Mounts a stack at `name` in the working folder. Links with names of one or two letters stand for long paths.
pub(super) fn here(stack: &Stack<'_>, name: &str) -> io::Result<()> {
    let mut options = String::from("lowerdir=");
    for (number, lower) in stack.lowers.iter().enumerate() {
        let link = short(number);
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(lower, &link)?;
        if number > 0 {
            options.push(':');
        }
        options.push_str(&link);
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
    std::fs::create_dir(name)?;
    Ok(mount_legacy("overlay", name, "overlay", flags, Some(options.as_c_str()))?)
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
