//! The child, from its birth to its command.

use super::report::Child;
use super::{cgroup, credentials, init, mounts, rootfs, terminal};
use crate::execdriver::search::Command;
use crate::execdriver::{Beside, Bundle, Program, StartError, Stdio, toolbox};
use crate::sys;
use oci_spec::runtime::{LinuxNamespaceType, Process, Spec};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A failure of one step, with what was tried.
pub fn step(what: impl std::fmt::Display) -> impl FnOnce(rustix::io::Errno) -> StartError {
    move |error| StartError::Failed(format!("{what}: {}", io::Error::from(error)))
}

/// Where the child belongs among the cgroups.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub cgroup: &'a cgroup::Cgroup,
    /// It was born in the v2 one.
    pub cloned: bool,
}

impl Place<'_> {
    /// Puts this process there, then waits for the parent: once it has spoken, it is alive and its death will be noticed.
    fn take(self, report: &Child) -> Result<(), StartError> {
        self.cgroup.join(self.cloned).map_err(step("cannot enter the container's cgroups"))?;
        report.wait()
    }
}

/// The container's first process. Never returns: it becomes the command, or tells why not and ends.
pub fn begin(bundle: &Bundle<'_>, sources: &mounts::Sources, place: Place<'_>, report: &Child) -> ! {
    let error = match first(bundle, sources, place, report) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    report.fail(&error);
    leave(1)
}

/// A process beside the first one. Never returns either.
pub fn beside(beside: &Beside<'_>, init: BorrowedFd<'_>, place: Place<'_>, report: &Child) -> ! {
    let error = match join(beside, init, place, report) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    report.fail(&error);
    leave(1)
}

/// Ends at once: what the parent registered to do at its exit is not ours.
pub fn leave(status: i32) -> ! {
    sys::fd::exit(status)
}

fn first(bundle: &Bundle<'_>, sources: &mounts::Sources, place: Place<'_>, report: &Child) -> Result<std::convert::Infallible, StartError> {
    let spec = bundle.spec;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).map_err(step("cannot tie the container to its monitor"))?;
    place.take(report)?;
    shared(spec)?;
    let process = spec.process().as_ref().ok_or_else(|| StartError::Failed("the specification names no process".to_owned()))?;
    rustix::process::setsid().map_err(step("cannot begin a session"))?;
    let has = |kind| has_namespace(spec, kind);
    if has(LinuxNamespaceType::Cgroup) {
        unshare(UnshareFlags::NEWCGROUP).map_err(step("cannot make a cgroup namespace"))?;
    }
    if has(LinuxNamespaceType::Uts) {
        names(spec)?;
    }
    if has(LinuxNamespaceType::Network) {
        sys::link::loopback_up().map_err(|error| StartError::Failed(format!("cannot bring the loopback link up: {error}")))?;
    }
    rootfs::enter(bundle, sources, place.cgroup)?;
    if bundle.meanwhile.is_some() {
        report.wait()?;
    }
    sysctls(spec)?;
    // From here on /proc/sys cannot be written.
    rootfs::hide(spec)?;
    streams(&bundle.stdio, process, report, true)?;
    rootfs::close(spec)?;
    credentials::make_folder(process.cwd())?;
    finish(process, bundle.init, Program::Own)
}

/// Enters the namespaces of others that the specification names.
fn shared(spec: &Spec) -> Result<(), StartError> {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    for namespace in namespaces.into_iter().flatten() {
        let Some(path) = namespace.path() else { continue };
        let kind = namespace.typ();
        let what = || format!("cannot enter the {kind} namespace {}", path.display());
        if kind != LinuxNamespaceType::Network {
            return Err(StartError::Failed(format!("{}: only a network can be another's", what())));
        }
        let opened = rustix::fs::open(path, rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty()).map_err(step(what()))?;
        move_into_thread_name_spaces(opened.as_fd(), ThreadNameSpaceType::NETWORK).map_err(step(what()))?;
    }
    Ok(())
}

/// Leaves the namespaces it shares with its parent; the process has one thread.
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    sys::clone::unshare(flags.bits())
}

/// Whether it has a namespace of this kind to itself.
fn has_namespace(spec: &Spec, kind: LinuxNamespaceType) -> bool {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    namespaces.into_iter().flatten().any(|namespace| namespace.typ() == kind && namespace.path().is_none())
}

fn names(spec: &Spec) -> Result<(), StartError> {
    if let Some(name) = spec.hostname().as_ref().filter(|name| !name.is_empty()) {
        rustix::system::sethostname(name.as_bytes()).map_err(step(format_args!("cannot set the host name {name:?}")))?;
    }
    if let Some(name) = spec.domainname().as_ref().filter(|name| !name.is_empty()) {
        rustix::system::setdomainname(name.as_bytes()).map_err(step(format_args!("cannot set the domain name {name:?}")))?;
    }
    Ok(())
}

/// Kernel parameters that belong to the container's own namespaces; any other would be the machine's.
fn sysctls(spec: &Spec) -> Result<(), StartError> {
    const OF_IPC: [&str; 9] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
        "fs.mqueue.",
    ];
    let Some(sysctls) = spec.linux().as_ref().and_then(|linux| linux.sysctl().as_ref()) else { return Ok(()) };
    for (name, value) in sysctls {
        let own = (name.starts_with("net.") && has_namespace(spec, LinuxNamespaceType::Network))
            || (OF_IPC.iter().any(|prefix| name.starts_with(prefix)) && has_namespace(spec, LinuxNamespaceType::Ipc));
        if !own || name.contains('/') || name.contains("..") {
            return Err(StartError::Failed(format!("sysctl {name} does not belong to a namespace of the container's own")));
        }
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        std::fs::write(&path, value).map_err(|error| StartError::Failed(format!("cannot set sysctl {name}={value}: {error}")))?;
    }
    Ok(())
}

/// Standard input, output and error.
fn streams(stdio: &Stdio, process: &Process, report: &Child, own: bool) -> Result<(), StartError> {
    match stdio {
        Stdio::Terminal => {
            let opened = terminal::open(process)?;
            report.console(opened.master.as_fd()).map_err(|error| StartError::Failed(format!("cannot hand over the terminal: {error}")))?;
            if own {
                terminal::as_console(&opened)?;
            }
            let slave = &opened.slave;
            duplicate([slave, slave, slave])
        }
        Stdio::Streams([input, output, error]) => duplicate([input, output, error]),
    }
}

fn duplicate(fds: [&OwnedFd; 3]) -> Result<(), StartError> {
    // Copies above 2 first: one of the three may itself be 0, 1 or 2.
    let copies: Vec<OwnedFd> =
        fds.iter().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3)).collect::<rustix::io::Result<_>>().map_err(step("cannot connect the standard streams"))?;
    for (number, copy) in copies.iter().enumerate() {
        sys::fd::duplicate_onto(copy.as_fd(), number as i32).map_err(|error| StartError::Failed(format!("cannot connect the standard streams: {error}")))?;
    }
    Ok(())
}

/// Limits, user, capabilities, folder; then the command.
fn finish(process: &Process, with_init: bool, program: Program<'_>) -> Result<std::convert::Infallible, StartError> {
    credentials::limits(process)?;
    let command = Command::new(process)?;
    sys::fd::close_from_on_exec(3).map_err(|error| StartError::Failed(format!("cannot close descriptors: {error}")))?;
    if with_init {
        return init::run(process, &command);
    }
    credentials::take(process)?;
    reset_signals()?;
    match program {
        Program::Brought(program) => command.execute_brought(program),
        Program::Applets if toolbox::has(command.name()) => become_applet(&command),
        Program::Applets | Program::Own => command.execute(),
    }
}

/// Goes on as an applet of our own: what `execve` would have done to this process is done by hand.
///
/// The process shows this machine to nobody in there. Its memory and its maps can be read only by who may trace a
/// process that is not dumpable, which takes CAP_SYS_PTRACE; even then they hold no more than the task of this session's
/// monitor, which never opened the store, and what is mapped of files is private, for [`join`] let go of what was shared.
/// `/proc/PID/exe` is closed in the same way, and is a read-only detached copy of the mount of our own file (`sys::spawn`):
/// nobody writes to this machine's program through it. From here on nothing of the container's is loaded into this
/// process: names of users are read as text, no resolver of the library is called.
fn become_applet(command: &Command) -> Result<std::convert::Infallible, StartError> {
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).map_err(step("cannot close the toolbox to others"))?;
    // The report is among them: its end says that the command runs.
    sys::fd::close_from(3).map_err(|error| StartError::Failed(format!("cannot close descriptors: {error}")))?;
    leave(toolbox::run(command.arguments(), command.environment()))
}

/// Signals as a new program expects them: none blocked, none ignored.
pub fn reset_signals() -> Result<(), StartError> {
    sys::clone::default_signals().map_err(|error| StartError::Failed(format!("cannot reset signals: {error}")))
}

fn join(beside: &Beside<'_>, init: BorrowedFd<'_>, place: Place<'_>, report: &Child) -> Result<std::convert::Infallible, StartError> {
    if matches!(beside.program, Program::Applets) {
        // While /proc is still this machine's: what the container shows there may be a lie.
        sys::spawn::unmap_shared().map_err(|error| StartError::Failed(format!("cannot let go of shared memory: {error}")))?;
    }
    place.take(report)?;
    let root = format!("/proc/{}/root", beside.init_pid);
    let root = rustix::fs::open(&root, rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty())
        .map_err(step("cannot find the container's root"))?;
    let all = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::CONTROL_GROUP;
    move_into_thread_name_spaces(init, all).map_err(step("cannot enter the container's namespaces"))?;
    rustix::process::fchdir(&root).map_err(step("cannot enter the container's root"))?;
    rustix::process::chroot(".").map_err(step("cannot enter the container's root"))?;
    rustix::process::setsid().map_err(step("cannot begin a session"))?;
    streams(&beside.stdio, beside.process, report, false)?;
    finish(beside.process, false, beside.program)
}
