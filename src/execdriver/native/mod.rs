//! The native driver: namespaces, cgroups and processes straight from the kernel, with no program beside it.
//!
//! ```text
//!  monitor (one thread)                      child
//!  make cgroups, open bind sources
//!  clone3(namespaces, v2 cgroup) ──────────► join v1 cgroups
//!  write "go" ─────────────────────────────► mounts, pivot_root
//!  links from outside, "go" again ─────────► terminal, limits, user, capabilities
//!  read the report ◄── error sentence ────── execve; its success closes the report without a word
//! ```
//!
//! The monitor is executed through a read-only detached copy of the mount of its own file, and the child is its fork:
//! so `/proc/self/exe`, should the container reach it before `execve` or make `execve` run it again, cannot be opened
//! for writing.

mod cgroup;
mod child;
mod credentials;
mod init;
mod mounts;
mod report;
mod rootfs;
mod terminal;

pub use mounts::{bind_beneath, open_in, shut};

use super::{Alarm, Beginning, Beside, Bundle, Detail, ExecDriver, Meanwhile, Meter, StartError, Started, Stdio};
use crate::id::ContainerId;
use crate::sys::clone::{self, Side};
use cgroup::Cgroups;
use oci_spec::runtime::{LinuxNamespaceType, LinuxResources, Spec};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// The driver.
#[derive(Debug)]
struct Native {
    cgroups: Cgroups,
    /// A cgroup of processes kept together was killed as one. Kernels that count how often (6.18 is one) kill at birth whoever
    /// is cloned into such a cgroup again: it is made anew.
    killed_apart: AtomicBool,
}

/// Opens the driver.
///
/// # Errors
/// The machine has no cgroup hierarchy mounted, or none that can be read.
pub fn open(cgroup_parent: &str, _state: &Path) -> io::Result<Box<dyn ExecDriver>> {
    Ok(Box::new(Native { cgroups: Cgroups::detect(cgroup_parent)?, killed_apart: AtomicBool::new(false) }))
}

/// Which cgroup hierarchies this machine has (`v1`, `v2`, `hybrid`), and which controllers are missing.
///
/// # Errors
/// None is mounted, or the mount table cannot be read.
pub fn cgroup_version() -> io::Result<(&'static str, Vec<&'static str>)> {
    let cgroups = Cgroups::detect("/kapal")?;
    Ok((cgroups.version(), cgroups.missing()))
}

/// Whether a weight of block I/O, which the kernel takes all the same, changes anything here now.
pub fn heeds_io_weight() -> bool {
    let disks = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let schedulers = disks.filter_map(|disk| std::fs::read_to_string(disk.path().join("queue/scheduler")).ok());
    let cost = Cgroups::detect("/kapal").ok().and_then(|cgroups| cgroups.io_cost());
    cgroup::heeds_io_weight(schedulers, cost.as_deref())
}

impl ExecDriver for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn start(&self, bundle: Bundle<'_>) -> Result<Started, StartError> {
        let cgroup = self.cgroups.create(bundle.id, bundle.spec.linux().as_ref().and_then(|linux| linux.resources().as_ref()))?;
        let started = start(&bundle, &cgroup);
        if started.is_err() {
            // What failed is told already; the teardown's own errors would hide it.
            let _ = self.cgroups.destroy(bundle.id);
        }
        started
    }

    fn exec(&self, beside: Beside<'_>) -> Result<Started, StartError> {
        let (pid, pidfd, channel) = self.beside(&beside)?;
        parent(pid, pidfd, channel, matches!(beside.stdio, Stdio::Terminal), None)
    }

    fn begin(&self, beside: Beside<'_>) -> Result<Beginning, StartError> {
        let begun = self.beside(&beside);
        // The caller lives on as what it was.
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable);
        let (pid, pidfd, channel) = begun?;
        let parent = channel.parent();
        // One that is gone already has said why, which is heard next.
        let _ = parent.go();
        Ok(Beginning { pid, pidfd, report: Box::new(parent) })
    }

    fn end_apart(&self, id: &ContainerId) -> io::Result<()> {
        self.killed_apart.store(true, Ordering::Relaxed);
        self.cgroups.end_apart(id)
    }

    fn freeze(&self, id: &ContainerId, frozen: bool) -> io::Result<()> {
        self.cgroups.freeze(id, frozen)
    }

    fn update(&self, id: &ContainerId, resources: &LinuxResources) -> io::Result<()> {
        self.cgroups.update(id, resources)
    }

    fn processes(&self, id: &ContainerId) -> io::Result<Vec<i32>> {
        self.cgroups.processes(id)
    }

    fn oom_kills(&self, id: &ContainerId) -> io::Result<u64> {
        self.cgroups.oom_kills(id)
    }

    fn meter(&self, id: &ContainerId, network: Option<i32>, detail: Detail) -> io::Result<Option<Box<dyn Meter>>> {
        self.cgroups.meter(id, network, detail)
    }

    fn alarm(&self, id: &ContainerId) -> io::Result<Option<Box<dyn Alarm>>> {
        self.cgroups.alarm(id)
    }

    fn destroy(&self, id: &ContainerId) -> Vec<io::Error> {
        self.cgroups.destroy(id)
    }

    fn containers(&self) -> io::Result<Vec<ContainerId>> {
        self.cgroups.containers()
    }
}

impl Native {
    /// A new process beside the first one, which waits for a word.
    fn beside(&self, beside: &Beside<'_>) -> Result<(i32, OwnedFd, report::Channel), StartError> {
        let cgroup = if beside.apart { self.cgroups.apart(beside.id, self.killed_apart.load(Ordering::Relaxed))? } else { self.cgroups.existing(beside.id)? };
        clone_beside(beside, &cgroup, || self.cgroups.holds(beside.id, beside.init_pid))
    }
}

/// The namespaces that the specification asks for, as flags of clone.
fn flags(spec: &Spec) -> u64 {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    namespaces.into_iter().flatten().filter(|namespace| namespace.path().is_none()).fold(0, |flags, namespace| {
        flags
            | match namespace.typ() {
                LinuxNamespaceType::Pid => clone::NEWPID,
                LinuxNamespaceType::Mount => clone::NEWNS,
                LinuxNamespaceType::Uts => clone::NEWUTS,
                LinuxNamespaceType::Ipc => clone::NEWIPC,
                LinuxNamespaceType::Network => clone::NEWNET,
                // The cgroup namespace begins once the child is in its cgroup; users are those of this machine.
                LinuxNamespaceType::Cgroup | LinuxNamespaceType::User | LinuxNamespaceType::Time => 0,
            }
    })
}

fn start(bundle: &Bundle<'_>, cgroup: &cgroup::Cgroup) -> Result<Started, StartError> {
    let sources = mounts::open_sources(bundle.spec)?;
    let channel = report::Channel::open()?;
    let flags = flags(bundle.spec);
    let (side, cloned) = clone_into(flags, cgroup).map_err(|error| StartError::Failed(format!("cannot make the container's namespaces: {error}")))?;
    match side {
        Side::Child => child::begin(bundle, &sources, child::Place { cgroup, cloned }, &channel.child()),
        Side::Parent { pid, pidfd } => parent(pid, pidfd, channel, matches!(bundle.stdio, Stdio::Terminal), bundle.meanwhile.as_ref()),
    }
}

/// Clones into the v2 cgroup where the kernel can; tells whether it did.
fn clone_into(flags: u64, cgroup: &cgroup::Cgroup) -> io::Result<(Side, bool)> {
    if let Some(unified) = cgroup.unified() {
        match clone::clone(flags, Some(unified)) {
            Ok(side) => return Ok((side, true)),
            // Linux before 5.7 knows no such flag.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP | libc::E2BIG | libc::EBUSY)) => {}
            Err(error) => return Err(error),
        }
    }
    clone::clone(flags, None).map(|side| (side, false))
}

/// Lets the child go on, does beside it what is to be done from outside, and hears how it went.
fn parent(pid: i32, pidfd: OwnedFd, channel: report::Channel, terminal: bool, meanwhile: Option<&Meanwhile<'_>>) -> Result<Started, StartError> {
    let mut parent = channel.parent();
    let mut work = || {
        parent.go()?;
        if let Some(Meanwhile(work)) = meanwhile {
            // A child that failed meanwhile knows better why.
            work(pid).map_err(|why| parent.failure().unwrap_or(StartError::Failed(why)))?;
            // One that is gone has said why, which is heard next.
            let _ = parent.go();
        }
        parent.hear(terminal)
    };
    match work() {
        Ok(console) => Ok(Started { pid, pidfd, console }),
        Err(error) => {
            end(&pidfd);
            Err(error)
        }
    }
}

/// Kills and reaps a child that did not become what it was to be.
fn end(pidfd: &OwnedFd) {
    // It may have ended by itself; then the signal finds nobody and the wait returns at once.
    let _ = rustix::process::pidfd_send_signal(pidfd, rustix::process::Signal::KILL);
    let _ = rustix::process::waitid(rustix::process::WaitId::PidFd(pidfd.as_fd()), rustix::process::WaitIdOptions::EXITED);
}

fn clone_beside(beside: &Beside<'_>, cgroup: &cgroup::Cgroup, is_its_own: impl FnOnce() -> bool) -> Result<(i32, OwnedFd, report::Channel), StartError> {
    use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
    let gone = || StartError::Failed("the container is not running".to_owned());
    let init = rustix::process::Pid::from_raw(beside.init_pid).ok_or_else(gone)?;
    let init = rustix::process::pidfd_open(init, rustix::process::PidfdFlags::empty()).map_err(|_| gone())?;
    // The process id may be another's by now; from here on the descriptor holds whom we looked at.
    if !is_its_own() {
        return Err(gone());
    }
    let channel = report::Channel::open()?;
    // Until the new process is in the container's hands nobody in there may look into it.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).map_err(io::Error::from)?;
    // A process's children are born in the pid namespace it chose for them; its own stays.
    let own = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).map_err(io::Error::from)?;
    move_into_thread_name_spaces(init.as_fd(), ThreadNameSpaceType::PROCESS_ID)
        .map_err(|error| StartError::Failed(format!("cannot enter the container's process namespace: {error}")))?;
    let (side, cloned) = match clone_into(0, cgroup) {
        Ok(cloned) => cloned,
        Err(error) => {
            let _ = move_into_thread_name_spaces(own.as_fd(), ThreadNameSpaceType::PROCESS_ID);
            let why = if error.raw_os_error() == Some(libc::EAGAIN) { "it has as many processes as it may have".to_owned() } else { error.to_string() };
            return Err(StartError::Failed(format!("cannot make a process in the container: {why}")));
        }
    };
    match side {
        Side::Child => child::beside(beside, init.as_fd(), child::Place { cgroup, cloned }, &channel.child()),
        Side::Parent { pid, pidfd } => {
            if let Err(error) = move_into_thread_name_spaces(own.as_fd(), ThreadNameSpaceType::PROCESS_ID) {
                end(&pidfd);
                return Err(io::Error::from(error).into());
            }
            Ok((pid, pidfd, channel))
        }
    }
}

/// A descriptor as a path, for calls that take none.
fn path_of(fd: BorrowedFd<'_>) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}
