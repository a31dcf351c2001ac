//! A container's process brought up: root, user, specification, start; and the word about it to whoever waits.

use super::network::Harbour;
use super::{Outcome, Record, Task, etc, toolbox};
use crate::container::NetworkMode;
use crate::execdriver::user::User;
use crate::execdriver::{self, Beside, Bundle, ExecDriver, Meanwhile, Program, StartError, Started, Stdio, spec, user};
use crate::graphdriver::{self, Base};
use oci_spec::runtime::{BoxBuilder, Process};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

/// The pipe on which the engine waits for one word.
#[derive(Debug)]
pub struct Ready(Option<OwnedFd>);

impl Ready {
    /// The monitor's end.
    pub fn new(fd: OwnedFd) -> Self {
        Self(Some(fd))
    }

    /// Says how the start went; only the first word is heard.
    pub fn say(&mut self, outcome: &Outcome) {
        if let Some(fd) = self.0.take() {
            // An engine that is gone hears nothing; the store tells the next one.
            let _ = std::fs::File::from(fd).write_all(&serde_json::to_vec(outcome).unwrap_or_default());
        }
    }
}

/// The console socket, bound through its folder's descriptor: a store's path may be longer than a socket's may.
pub fn listen(task: &Task) -> io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = match &task.exec {
        Some((name, _)) => task.place.exec_console(&task.container.id, name),
        None => task.place.console(&task.container.id),
    };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(io::Error::other("no place for a socket"));
    };
    std::fs::create_dir_all(folder)?;
    let _ = std::fs::remove_file(&path);
    let folder = rustix::fs::open(folder, rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = rustix::net::bind(&socket, &SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))?);
    rustix::process::umask(before);
    bound?;
    rustix::net::listen(&socket, 64)?;
    Ok(socket)
}

/// The process with the other ends of its streams.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub started: Started,
    /// Where its input goes; `None` with a terminal.
    pub stdin: Option<OwnedFd>,
    /// Where its output comes from; with a terminal that is the terminal, and error output is part of it.
    pub stdout: Option<OwnedFd>,
    /// Where its error output comes from.
    pub stderr: Option<OwnedFd>,
    /// Whom it began as.
    pub user: User,
}

/// Below which cgroup a task's container has its own.
pub fn cgroup_parent(task: &Task) -> &str {
    let parent = &task.container.host_config.cgroup_parent;
    if parent.is_empty() { "/kapal" } else { parent }
}

/// The execdriver of a task.
pub fn driver(task: &Task) -> std::io::Result<Box<dyn ExecDriver>> {
    let (_, open) = execdriver::DRIVERS[0];
    open(cgroup_parent(task), &task.place.run_root)
}

/// Rows and columns of a terminal, if a client brought them.
type Size = Option<(u16, u16)>;

/// Brings the task's process up, on a terminal of this size if it has one.
pub fn start(task: &Task, driver: &dyn ExecDriver, size: Size, harbour: &mut Harbour, record: &mut dyn Record) -> Result<Running, StartError> {
    match &task.exec {
        None => container(task, driver, size, harbour, record),
        Some((_, options)) => beside(task, driver, options, size),
    }
}

fn set_size(process: &mut Process, size: Size) {
    let built = size.and_then(|(rows, columns)| BoxBuilder::default().height(rows).width(columns).build().ok());
    process.set_console_size(built);
}

struct Ends {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

/// The process's streams and our ends of them.
fn streams(tty: bool, stdin: bool, uid: u32) -> Result<(Stdio, Ends), StartError> {
    use rustix::pipe::{PipeFlags, pipe_with};
    if tty {
        return Ok((Stdio::Terminal, Ends { stdin: None, stdout: None, stderr: None }));
    }
    let failed = |error: rustix::io::Errno| StartError::Failed(format!("cannot make the container's streams: {error}"));
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(failed);
    let (input, ours_in) = if stdin {
        let (read, write) = pipe()?;
        (read, Some(write))
    } else {
        (rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?, None)
    };
    let (ours_out, output) = pipe()?;
    let (ours_err, error) = pipe()?;
    for fd in [&output, &error] {
        // So that a user other than root can open /dev/stdout again. A file system may refuse; then so does open.
        let _ = rustix::fs::fchown(fd, Some(rustix::fs::Uid::from_raw(uid)), None);
    }
    for fd in ours_in.iter().chain([&ours_out, &ours_err]) {
        rustix::io::ioctl_fionbio(fd, true).map_err(failed)?;
    }
    Ok((Stdio::Streams([input, output, error]), Ends { stdin: ours_in, stdout: Some(ours_out), stderr: Some(ours_err) }))
}

fn running(started: Started, ends: Ends, user: User) -> Result<Running, StartError> {
    let mut running = Running { started, stdin: ends.stdin, stdout: ends.stdout, stderr: ends.stderr, user };
    if let Some(console) = running.started.console.take() {
        rustix::io::ioctl_fionbio(&console, true).map_err(|error| StartError::Failed(format!("cannot read the terminal: {error}")))?;
        running.stdout = Some(console);
    }
    Ok(running)
}

fn container(task: &Task, driver: &dyn ExecDriver, size: Size, harbour: &mut Harbour, record: &mut dyn Record) -> Result<Running, StartError> {
    let container = &task.container;
    harbour.claim(container, record).map_err(StartError::Failed)?;
    let (graph, _) = graphdriver::open(&task.place.root, Some(&container.driver))?;
    let base = if container.is_host_image() { Base::Host { hidden: &task.hidden } } else { Base::Layers(&container.layers) };
    let rootfs = graph.mount(&container.id, base, false).map_err(|error| StartError::Failed(format!("cannot mount the container's files: {error}")))?;
    let user = user::resolve(rootfs.as_fd(), &container.config.user, &container.host_config.group_add).map_err(StartError::Failed)?;
    let files = files(task, harbour, record)?;
    let mut spec = spec::spec(container, &user, &files).map_err(StartError::Failed)?;
    if let Some(process) = spec.process_mut() {
        set_size(process, size);
    }
    let (stdio, ends) = streams(container.config.tty, container.config.open_stdin, user.uid)?;
    let has_links = !harbour.berths().is_empty();
    let outside = RefCell::new((harbour, record));
    let attach = |pid| {
        let (harbour, record) = &mut *outside.borrow_mut();
        harbour.attach(pid, *record)?;
        harbour.open_names(pid, task)
    };
    let meanwhile = has_links.then_some(Meanwhile(&attach));
    let bundle = Bundle { id: &container.id, spec: &spec, rootfs: rootfs.as_fd(), stdio, init: container.host_config.init, meanwhile };
    running(driver.start(bundle)?, ends, user)
}

/// The files of /etc, the container's own or those of whose network it shares.
fn files(task: &Task, harbour: &Harbour, record: &mut dyn Record) -> Result<spec::Files, StartError> {
    let container = &task.container;
    if let NetworkMode::Container(other) = &container.host_config.network_mode {
        let (namespace, folder, name) = record.network_of(other).map_err(StartError::Failed)?;
        return Ok(spec::Files { shared_network: Some((namespace, name)), ..etc::those_in(&folder) });
    }
    etc::write(&task.place.run(&container.id), container, harbour.berths())
        .map_err(|error| StartError::Failed(format!("cannot write the container's /etc files: {error}")))
}

fn beside(task: &Task, driver: &dyn ExecDriver, options: &spec::ExecOptions, size: Size) -> Result<Running, StartError> {
    let container = &task.container;
    let root = format!("/proc/{}/root", container.state.pid);
    let root = rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|_| StartError::Failed(format!("container {} is not running", container.name)))?;
    let name = options.user.as_deref().unwrap_or(&container.config.user);
    let user = user::resolve(root.as_fd(), name, &container.host_config.group_add).map_err(StartError::Failed)?;
    let mut process = spec::exec_process(container, &user, options).map_err(StartError::Failed)?;
    set_size(&mut process, size);
    let (stdio, ends) = streams(options.tty, options.stdin, user.uid)?;
    let brought = match &options.toolbox {
        Some(spec::Toolbox::Program(path)) => Some(toolbox::copy(path)?),
        Some(spec::Toolbox::Applets) | None => None,
    };
    let program = match (&options.toolbox, &brought) {
        (_, Some(program)) => Program::Brought(program.as_fd()),
        (Some(spec::Toolbox::Applets), None) => Program::Applets,
        (_, None) => Program::Own,
    };
    let started = driver.exec(Beside { id: &container.id, init_pid: container.state.pid, process: &process, stdio, program, apart: false })?;
    running(started, ends, user)
}
