//! A terminal of the container's own devpts.

use super::child::step;
use super::mounts;
use crate::execdriver::StartError;
use oci_spec::runtime::Process;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Both sides.
#[derive(Debug)]
pub struct Opened {
    /// What the monitor reads and writes.
    pub master: OwnedFd,
    /// What the process has as standard streams.
    pub slave: OwnedFd,
}

/// Opens a terminal and makes it the session's own.
pub fn open(process: &Process) -> Result<Opened, StartError> {
    let master = rustix::fs::openat(CWD, "/dev/pts/ptmx", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
        .map_err(step("cannot open a terminal: /dev/pts/ptmx of the container"))?;
    rustix::pty::unlockpt(&master).map_err(step("cannot unlock the terminal"))?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .map_err(step("cannot open the terminal's inner side"))?;
    rustix::process::ioctl_tiocsctty(&slave).map_err(step("cannot make the terminal the session's own"))?;
    let uid = rustix::fs::Uid::from_raw(process.user().uid());
    rustix::fs::fchown(&slave, Some(uid), None).map_err(step("cannot give the terminal to the user"))?;
    if let Some(size) = process.console_size() {
        let size = Winsize { ws_row: size.height() as u16, ws_col: size.width() as u16, ws_xpixel: 0, ws_ypixel: 0 };
        // A size that is not set now comes with the first client.
        let _ = rustix::termios::tcsetwinsize(&master, size);
    }
    Ok(Opened { master, slave })
}

/// Makes the terminal the container's /dev/console.
pub fn as_console(opened: &Opened) -> Result<(), StartError> {
    let name = rustix::pty::ptsname(&opened.master, Vec::new()).map_err(step("cannot name the terminal"))?;
    let console = open_tree(CWD, name, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC).map_err(step("cannot find the terminal"))?;
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(step("cannot open the root"))?;
    mounts::attach(root.as_fd(), console.as_fd(), Path::new("/dev/console"))
}
