//! The family of exec drivers: a container's first process, the processes beside it, its cgroups.
//!
//! # The manual of a driver
//! A driver is called by the container's monitor, a process with a single thread. It gets a runtime specification as
//! the OCI defines it (every field that `spec` fills in is honoured; the driver never looks at a container's
//! configuration), the root as a detached mount, and descriptors for the standard streams, and gives back a running
//! process. Everything it made is taken down by [`ExecDriver::destroy`], also after a crash, by any process, with
//! nothing but the identity known.

use crate::id::ContainerId;
use crate::sys::fd;
use oci_spec::runtime::{LinuxResources, Process, Spec};
use rustix::event::PollFd;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

mod counters;
mod devices;
pub mod limits;
pub mod machine;
pub mod native;
pub mod rate;
mod search;
pub mod spec;
mod toolbox;
pub mod usage;
pub mod user;

pub use usage::Usage;

/// What the first process has as standard streams.
#[derive(Debug)]
pub enum Stdio {
    /// A terminal of the container's own, made by the driver; its other side comes back in [`Started::console`].
    Terminal,
    /// These three.
    Streams([OwnedFd; 3]),
}

/// A container to bring up.
#[derive(Debug)]
pub struct Bundle<'a> {
    /// Whose.
    pub id: &'a ContainerId,
    /// What the kernel is asked for. `spec.root.path` is not used: the root is `rootfs`.
    pub spec: &'a Spec,
    /// The root, a detached mount (not yet attached anywhere).
    pub rootfs: BorrowedFd<'a>,
    /// The standard streams.
    pub stdio: Stdio,
    /// A small init runs as the first process, passes signals on and reaps orphans.
    pub init: bool,
    /// What is to be done from outside once its namespaces are there and before its command runs.
    pub meanwhile: Option<Meanwhile<'a>>,
}

/// Work from outside on a container that is coming up: given its first process, it gives its links, say. It is done while
/// the process sets up the inside, which waits for it.
pub struct Meanwhile<'a>(pub &'a dyn Fn(i32) -> Result<(), String>);

impl std::fmt::Debug for Meanwhile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

/// A process beside the first one.
#[derive(Debug)]
pub struct Beside<'a> {
    /// Whose.
    pub id: &'a ContainerId,
    /// The container's first process; the new one joins its namespaces and cgroups.
    pub init_pid: i32,
    /// Arguments, environment, folder, user, capabilities; user ids already resolved.
    pub process: &'a Process,
    /// The standard streams.
    pub stdio: Stdio,
    /// What runs by the command's name.
    pub program: Program<'a>,
    /// It is kept together with what it starts, where the kernel can: [`ExecDriver::end_apart`] ends them all.
    pub apart: bool,
}

/// What a process beside the first one becomes.
#[derive(Clone, Copy, Debug)]
pub enum Program<'a> {
    /// What the container has by the command's name.
    Own,
    /// A program brought along, whatever the container has. Nobody can write to it.
    Brought(BorrowedFd<'a>),
    /// An applet of this program; what the container has where there is none of the command's name.
    Applets,
}

/// A process that runs.
#[derive(Debug)]
pub struct Started {
    /// As this machine numbers it. It is a child of the caller, to be reaped by it.
    pub pid: i32,
    /// Its descriptor; readable when it has ended.
    pub pidfd: OwnedFd,
    /// The terminal's other side, if one was asked for; not blocking.
    pub console: Option<OwnedFd>,
}

/// A process that sets itself up and is not waited for.
#[derive(Debug)]
pub struct Beginning {
    /// As this machine numbers it. It is a child of the caller, to be reaped by it, also if its command never runs.
    pub pid: i32,
    /// Its descriptor; readable when it has ended.
    pub pidfd: OwnedFd,
    /// What is heard from it.
    pub report: Box<dyn Report>,
}

/// What is heard from a process that sets itself up.
pub trait Report: std::fmt::Debug {
    /// Readable when there is something to hear.
    fn fd(&self) -> &OwnedFd;

    /// Whether its command runs, or why not; `None` if nothing is known yet. Never waits.
    fn hear(&mut self) -> Option<Result<(), StartError>>;
}

/// Why a process did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The command does not exist inside: exit status 127.
    #[error("{0}")]
    NotFound(String),
    /// The command exists and cannot be executed (no permission, a folder, not a program): exit status 126.
    #[error("{0}")]
    NotExecutable(String),
    /// Anything else: exit status 125.
    #[error("{0}")]
    Failed(String),
}

impl StartError {
    /// The status the caller of `run` and `exec` sees.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable(_) => 126,
            Self::Failed(_) => 125,
        }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The most descriptors that a meter holds.
pub const METER_DESCRIPTORS: usize = 20;

/// How much of a container's use is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All that the kernel tells.
    Full,
    /// What a line over time is drawn from, for a third less of time: processors with their limit and throttling, memory with its
    /// limit and how often it was met, processes, bytes of devices, links and waiting. The rest is `None` unless
    /// it comes along, and operations of devices are nought.
    Outline,
}

/// Tells what one container uses, again and again, at little cost. It holds files open, [`METER_DESCRIPTORS`] at most.
pub trait Meter: Send {
    /// Puts what it uses now in place of what `usage` held, whose room is used again; false once the container has ended,
    /// also if it did so in the middle of the reading.
    fn read(&mut self, usage: &mut Usage) -> io::Result<bool>;
}

/// Tells at once when a container's memory has run out, and how often it was refused something.
pub trait Alarm: Send {
    /// What to wait for with `poll`; nothing where the kernel wakes nobody. The kernel tells before it has killed.
    fn wakes(&self) -> Option<PollFd<'_>>;

    /// What was counted so far, by which the waiting begins anew; `None` once the container has ended.
    fn read(&mut self) -> io::Result<Option<Refusals>>;
}

/// How often the kernel refused a container something. What it does not count is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Processes it killed for want of memory.
    pub oom_kills: Option<u64>,
    /// Processes and threads it did not make, because there are as many as may be.
    pub processes: Option<u64>,
}

/// Makes room for the descriptors of so many meters, as far as this process may; returns for how many there is room, beside
/// everything else that it does. What it starts from now on is not concerned.
pub fn make_room(meters: usize) -> usize {
    /// For everything else.
    const OTHERS: u64 = 512;
    let each = METER_DESCRIPTORS as u64;
    let may = fd::allow_more((meters as u64).saturating_mul(each).saturating_add(OTHERS));
    // Where there is little, the others get half of it.
    usize::try_from(may.saturating_sub(OTHERS.min(may / 2)) / each).unwrap_or(meters)
}

/// A driver of processes.
pub trait ExecDriver: Send + Sync {
    /// As `--exec-driver` names it.
    fn name(&self) -> &'static str;

    /// Starts the first process in new namespaces and cgroups.
    ///
    /// Returns once the command itself has been executed. On an error nothing is left.
    fn start(&self, bundle: Bundle<'_>) -> Result<Started, StartError>;

    /// Starts a process beside the first one.
    fn exec(&self, beside: Beside<'_>) -> Result<Started, StartError>;

    /// Begins with a process beside the first one, with streams, and does not wait for what only the process itself does: what
    /// the container does to its files or its cgroups holds up nobody else.
    fn begin(&self, beside: Beside<'_>) -> Result<Beginning, StartError>;

    /// Kills what was begun apart in the container, and all that it started. Does not wait for their end. Where the kernel
    /// cannot keep them together this does nothing: the process itself is the caller's to kill.
    fn end_apart(&self, id: &ContainerId) -> io::Result<()>;

    /// Freezes (`true`) or thaws (`false`) every process.
    fn freeze(&self, id: &ContainerId, frozen: bool) -> io::Result<()>;

    /// Changes limits of a container that runs (or is frozen), as `limits::change` tells them: all of them, or none. Rules about
    /// devices are not changed.
    ///
    /// An error says what the kernel refused and why; what was changed before it is put back.
    fn update(&self, id: &ContainerId, resources: &LinuxResources) -> io::Result<()>;

    /// The container's processes, as this machine numbers them.
    fn processes(&self, id: &ContainerId) -> io::Result<Vec<i32>>;

    /// How often the kernel killed something in it for want of memory.
    fn oom_kills(&self, id: &ContainerId) -> io::Result<u64>;

    /// A meter of the container; `None` if it does not run. `network` is a process in its network namespace, if that is its
    /// own: then its links are counted.
    fn meter(&self, id: &ContainerId, network: Option<i32>, detail: Detail) -> io::Result<Option<Box<dyn Meter>>>;

    /// An alarm for the container; `None` if it does not run.
    fn alarm(&self, id: &ContainerId) -> io::Result<Option<Box<dyn Alarm>>>;

    /// Kills what is left of the container and removes its cgroups; one that is not there is no error. Goes on after
    /// an error and returns all of them.
    fn destroy(&self, id: &ContainerId) -> Vec<io::Error>;

    /// The containers that have cgroups here.
    fn containers(&self) -> io::Result<Vec<ContainerId>>;
}

/// Opens a driver; `cgroup_parent` is absolute below each cgroup hierarchy (`/kapal`), `state` a folder for what the
/// driver must remember (made if missing). An error says why this machine does not carry it.
pub type Open = fn(cgroup_parent: &str, state: &Path) -> io::Result<Box<dyn ExecDriver>>;

/// The drivers, best first.
pub const DRIVERS: &[(&str, Open)] = &[("native", native::open)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_meters() {
        // What a process may have at least, wherever tests run; raised if it is less.
        assert!(make_room(20) >= 20, "{}", make_room(20));
        assert!(make_room(usize::MAX) >= 20, "as many as there can be");
    }
}
