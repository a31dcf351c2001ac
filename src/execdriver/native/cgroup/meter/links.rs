//! The links of a container's network namespace, counted from outside.
//!
//! An open `net/dev` would keep its namespace alive, with every link in it, for as long as somebody looks on (`seq_open_net`
//! holds a reference). So the process's folder is kept instead, which keeps nothing but a number from being given out again,
//! and the file is opened for each reading.

use crate::execdriver::counters::{Counters, Room, Shape, Unreadable, links};
use crate::execdriver::usage::Link;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

/// A process whose network namespace is looked at.
#[derive(Debug)]
pub struct Files(OwnedFd);

impl Files {
    /// `None` without such a process; `is_its` tells whether the process is the container's: its number may be another's by now.
    pub fn open(pid: i32, is_its: impl FnOnce() -> bool) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, format!("/proc/{pid}"), flags, Mode::empty()).ok()?;
        is_its().then_some(Self(folder))
    }

    pub fn read(&self, room: &mut Room, found: &mut Option<Vec<Link>>) -> Result<(), Unreadable> {
        let file = match Counters::beneath(self.0.as_fd(), "net/dev", Shape::Entries) {
            // The process has ended, or is another user's: the cgroup tells whether the container has.
            Err(Unreadable { errno: Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM | Errno::INVAL, .. }) => {
                *found = None;
                return Ok(());
            }
            other => other?,
        };
        links(file.read(room)?, found.get_or_insert_default());
        Ok(())
    }
}
