//! Word from the kernel, without asking, that a container's memory has run out.
//!
//! ```text
//!        wakes                                                          counts
//!  v1    an eventfd, registered in cgroup.event_control for             memory.oom_control: oom_kill
//!        memory.oom_control
//!  v2    memory.events (POLLPRI), until it is read again                memory.events: oom_kill
//!  both                                                                 pids.events: max
//! ```
//!
//! Source: the kernel's Documentation/admin-guide/cgroup-v1/memory.rst (10. OOM Control) and cgroup-v2.rst.

use super::{Cgroups, named};
use crate::execdriver::{Alarm, Refusals};
use crate::id::ContainerId;
use rustix::event::{EventfdFlags, PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

/// Longer than any of these files.
const LONGEST: usize = 1024;

/// The files of one container that count refusals. `None` is what this machine does not have.
#[derive(Debug, Default)]
struct Files {
    memory: Option<OwnedFd>,
    /// v2: `memory` itself can be waited for.
    wakes: bool,
    /// v1: signalled by the kernel.
    event: Option<OwnedFd>,
    processes: Option<OwnedFd>,
}

impl Cgroups {
    /// An alarm for the container; `None` if it has no cgroup here (any more).
    pub fn alarm(&self, id: &ContainerId) -> io::Result<Option<Box<dyn Alarm>>> {
        let mut files = Files::default();
        if let Some(path) = self.v1_path("memory", id) {
            files.memory = open(&path.join("memory.oom_control"))?;
            // A kernel without events still counts.
            files.event = files.memory.as_ref().and_then(|control| register(&path, control).ok());
        } else if let Some(path) = self.v2_path(id) {
            files.memory = open(&path.join("memory.events"))?;
            files.wakes = true;
        }
        if let Some(path) = self.v1_path("pids", id).or_else(|| self.v2_path(id)) {
            files.processes = open(&path.join("pids.events"))?;
        }
        let some = files.memory.is_some() || files.processes.is_some();
        Ok(some.then(|| Box::new(files) as Box<dyn Alarm>))
    }
}

/// Opens a file of a cgroup; `None` if it is not there.
fn open(path: &Path) -> io::Result<Option<OwnedFd>> {
    match rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NODEV) => Ok(None),
        Err(error) => Err(named(path, &error.into())),
    }
}

/// Asks to be told of what happens at a v1 cgroup's `memory.oom_control`.
fn register(folder: &Path, control: &OwnedFd) -> io::Result<OwnedFd> {
    let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    std::fs::write(folder.join("cgroup.event_control"), format!("{} {}", event.as_raw_fd(), control.as_raw_fd()))?;
    Ok(event)
}

/// The number in the line that begins with `key`; `None` if the kernel does not tell it, an error once the cgroup is gone.
fn count(file: Option<&OwnedFd>, key: &str) -> rustix::io::Result<Option<u64>> {
    let mut buffer = [0; LONGEST];
    let Some(file) = file else { return Ok(None) };
    let length = rustix::io::pread(file, &mut buffer, 0)?;
    let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
    Ok(text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok()))
}

impl Alarm for Files {
    fn wakes(&self) -> Option<PollFd<'_>> {
        match (&self.event, &self.memory) {
            (Some(event), _) => Some(PollFd::new(event, PollFlags::IN)),
            (None, Some(file)) if self.wakes => Some(PollFd::new(file, PollFlags::PRI)),
            _ => None,
        }
    }

    fn read(&mut self) -> io::Result<Option<Refusals>> {
        if let Some(event) = &self.event {
            // What it counts is no matter; that nothing is there is no error.
            let _ = rustix::io::read(event.as_fd(), &mut [0; 8]);
        }
        let counted = count(self.memory.as_ref(), "oom_kill").and_then(|oom_kills| {
            let processes = count(self.processes.as_ref(), "max")?;
            Ok(Refusals { oom_kills, processes })
        });
        match counted {
            Ok(counted) => Ok(Some(counted)),
            Err(Errno::NODEV | Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
