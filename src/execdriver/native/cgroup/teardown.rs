//! Freezing, killing and taking away: also of a container whose monitor is gone.

use super::{Cgroups, named, tree};
use crate::id::ContainerId;
use rustix::process::{Pid, Signal, kill_process};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the kernel is given to freeze, or to let go of killed processes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks again until it is so, first often, then less often; the kernel offers no event for these on v1.
fn until(mut done: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let end = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(50);
    loop {
        if done()? {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// How often a cgroup is gone through that the kernel does not kill as one.
const ROUNDS: usize = 16;

fn absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

impl Cgroups {
    /// Freezes or thaws every process of the container.
    pub fn freeze(&self, id: &ContainerId, frozen: bool) -> io::Result<()> {
        if let Some(path) = self.v1_path("freezer", id) {
            let file = path.join("freezer.state");
            let wanted = if frozen { "FROZEN" } else { "THAWED" };
            let done = until(|| {
                // A process that forks while it is frozen can slip through: the kernel asks to be told again.
                std::fs::write(&file, wanted).map_err(|e| named(&file, &e))?;
                Ok(std::fs::read_to_string(&file).map_err(|e| named(&file, &e))?.trim() == wanted)
            })?;
            return if done { Ok(()) } else { Err(io::Error::new(io::ErrorKind::TimedOut, format!("{}: the processes do not freeze", path.display()))) };
        }
        let Some(path) = self.v2_path(id) else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this machine's cgroups cannot freeze processes: there is no freezer"));
        };
        let file = path.join("cgroup.freeze");
        std::fs::write(&file, if frozen { "1" } else { "0" }).map_err(|e| named(&file, &e))?;
        let wanted = if frozen { "frozen 1" } else { "frozen 0" };
        let events = path.join("cgroup.events");
        let done = until(|| Ok(std::fs::read_to_string(&events).map_err(|e| named(&events, &e))?.lines().any(|line| line == wanted)))?;
        if done { Ok(()) } else { Err(io::Error::new(io::ErrorKind::TimedOut, format!("{}: the processes do not freeze", path.display()))) }
    }

    /// Kills what is left and removes the cgroups; goes on after an error.
    pub fn destroy(&self, id: &ContainerId) -> Vec<io::Error> {
        let mut errors = Vec::new();
        let inner = self.parent.join(id.as_str());
        let paths: Vec<PathBuf> = self.v1.iter().map(|h| h.mount.join(&inner)).chain(self.v2.iter().map(|mount| mount.join(&inner))).collect();
        let mut killed = false;
        for path in &paths {
            match remove(path) {
                Ok(()) => continue,
                Err(error) if absent(&error) => continue,
                Err(error) if error.raw_os_error() != Some(libc::EBUSY) => {
                    errors.push(named(path, &error));
                    continue;
                }
                Err(_) => {}
            }
            if !killed {
                killed = true;
                errors.extend(self.kill(id, &paths));
            }
            match until(|| match remove(path) {
                Ok(()) => Ok(true),
                Err(error) if absent(&error) => Ok(true),
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(false),
                Err(error) => Err(named(path, &error)),
            }) {
                Ok(true) => {}
                Ok(false) => errors.push(io::Error::new(io::ErrorKind::ResourceBusy, format!("{}: processes in it do not end", path.display()))),
                Err(error) => errors.push(error),
            }
        }
        for path in paths.iter().filter_map(|path| path.parent()) {
            // Another container may be in it, or just about to be.
            let _ = rustix::fs::rmdir(path);
        }
        errors
    }

    /// Kills every process of the container.
    fn kill(&self, id: &ContainerId, paths: &[PathBuf]) -> Vec<io::Error> {
        if let Some(unified) = self.v2_path(id) {
            // Linux 5.14; all at once, and no fork escapes.
            if std::fs::write(unified.join("cgroup.kill"), "1").is_ok() {
                let _ = self.thaw_for_death(id);
                return Vec::new();
            }
        }
        let mut errors = Vec::new();
        let _ = self.freeze(id, true);
        for path in paths.iter().flat_map(|path| tree(path)) {
            errors.extend(kill_each(&path).err());
        }
        let _ = self.thaw_for_death(id);
        errors
    }

    /// Kills what is kept together in the container, and waits for nobody.
    pub fn end_apart(&self, id: &ContainerId) -> io::Result<()> {
        let Some(path) = self.apart_path(id).filter(|path| path.exists()) else { return Ok(()) };
        if std::fs::write(path.join("cgroup.kill"), "1").is_ok() {
            return Ok(());
        }
        // Before Linux 5.14 there is no such word: what was forked between the reading and the killing is found next time,
        // and what forks faster than it is killed stays.
        for _ in 0..ROUNDS {
            if kill_each(&path)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// The v1 freezer holds even the dead: they go once it lets them.
    fn thaw_for_death(&self, id: &ContainerId) -> io::Result<()> {
        match self.v1_path("freezer", id) {
            Some(path) => std::fs::write(path.join("freezer.state"), "THAWED"),
            None => Ok(()),
        }
    }
}

/// Kills the processes of one cgroup; how many there were.
fn kill_each(path: &Path) -> io::Result<usize> {
    let Ok(text) = std::fs::read_to_string(path.join("cgroup.procs")) else { return Ok(0) };
    let pids: Vec<Pid> = text.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw).collect();
    let refused = |pid: &Pid| kill_process(*pid, Signal::KILL).err().filter(|error| *error != rustix::io::Errno::SRCH);
    // All of them, whatever happens to one.
    let errors: Vec<_> = pids.iter().filter_map(refused).collect();
    errors.first().map_or(Ok(pids.len()), |error| Err(named(path, &io::Error::from(*error))))
}

/// Removes a cgroup and those that the container made below it, the lowest first.
fn remove(path: &Path) -> io::Result<()> {
    match rustix::fs::rmdir(path) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::BUSY | rustix::io::Errno::NOTEMPTY) => {}
        Err(error) => return Err(error.into()),
    }
    for entry in std::fs::read_dir(path)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    Ok(rustix::fs::rmdir(path)?)
}
