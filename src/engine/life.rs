//! A container's life as the engine moves it: start, stop, kill, freeze, wait, remove, and processes beside its own.

use super::attach::{Console, Output};
use super::{Engine, Error, Kind, Result, attach, lock};
use crate::container::{Container, Status};
use crate::execdriver::spec::ExecOptions;
use crate::id::ContainerId;
use crate::monitor::protocol::{Hello, Request};
use crate::monitor::{Idle, Outcome, Task};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::PoisonError;
use tokio::task::JoinHandle;

/// A failed start as the error the user sees.
fn refusal(status: i32, why: String) -> Error {
    match status {
        127 => Error::new(Kind::CommandNotFound, why),
        126 => Error::new(Kind::CommandNotExecutable, why),
        _ => Error::new(Kind::Failed, why),
    }
}

/// A monitor that is executed while it is still being found out what it is to look after.
#[derive(Debug)]
pub struct Foreseen(JoinHandle<std::io::Result<Idle>>);

impl Foreseen {
    pub(super) fn new() -> Self {
        Self(tokio::task::spawn_blocking(Idle::spawn))
    }

    async fn ready(self) -> Result<Idle> {
        let failed = |error| Error::io("cannot start a monitor", &error);
        self.0.await.map_err(|e| Error::new(Kind::Failed, format!("the start broke down: {e}")))?.map_err(failed)
    }
}

impl Engine {
    /// A start is to come: its monitor can be executed meanwhile. What is not used in the end leaves nothing.
    pub fn foresee(&self) -> Foreseen {
        let early = self.0.foreseen.lock().unwrap_or_else(PoisonError::into_inner).take();
        early.unwrap_or_else(Foreseen::new)
    }

    /// What the `host` image hides of this machine: the store itself.
    pub fn hidden_paths(&self) -> Vec<PathBuf> {
        vec![self.place().root.clone(), self.place().run_root.clone()]
    }

    /// A mark that files are being changed.
    pub fn operation(&self) -> Result<lock::Operation> {
        lock::Operation::begin(&self.place().operations())
    }

    /// Starts a container. With `first`, that socket's other end gets all output from the first byte on. One that runs
    /// already is left alone, unless it was to have a first client. Gives what the user should know, a sentence each.
    pub async fn start(&self, id: &ContainerId, first: Option<OwnedFd>, monitor: Foreseen) -> Result<Vec<String>> {
        let monitor = monitor.ready().await?;
        let (engine, id) = (self.clone(), id.clone());
        let run = move || engine.start_now(&id, first, monitor);
        tokio::task::spawn_blocking(run).await.map_err(|e| Error::new(Kind::Failed, format!("the start broke down: {e}")))?
    }

    fn start_now(&self, id: &ContainerId, first: Option<OwnedFd>, monitor: Idle) -> Result<Vec<String>> {
        let _lock = lock::exclusive(&self.place().lock(id))?;
        let container = self.settled(self.container_by_id(id)?)?;
        match container.state.status {
            Status::Created | Status::Exited => {}
            Status::Running | Status::Restarting if first.is_none() => return Ok(Vec::new()),
            Status::Running | Status::Restarting => return Err(Error::conflict(format!("container {} is running already", container.name))),
            Status::Paused => {
                return Err(
                    Error::conflict(format!("container {} is paused", container.name)).hint(format!("`kapal unpause {}` lets it go on", container.name))
                );
            }
            Status::Removing => return Err(Error::conflict(format!("container {} is being removed", container.name))),
        }
        let held = self.monitor_lock(&container)?;
        std::fs::create_dir_all(self.place().container(id)).map_err(|e| Error::io("cannot make the container's folder", &e))?;
        self.fill_volumes(&container)?;
        self.prepare_networks(&container)?;
        let task = Task { container, place: self.place().clone(), hidden: self.hidden_paths(), exec: None };
        match monitor.run(&task, held.into_fd(), first).map_err(|e| Error::io("cannot start the container's monitor", &e))? {
            Outcome::Started(_, warnings) => {
                self.publish(super::Event::ContainerChanged(id.clone()));
                Ok(warnings)
            }
            Outcome::Failed(status, why) => Err(refusal(status, why)),
        }
    }

    /// The lock its monitor is to hold. A monitor that has told its end needs a moment more to go.
    fn monitor_lock(&self, container: &Container) -> Result<lock::Lock> {
        lock::exclusive(&self.place().monitor_lock(&container.id))
    }

    /// A process beside the container's own; its console too, unless it is detached. Gives a name for it.
    pub async fn exec(&self, container: &Container, options: ExecOptions, detach: bool, monitor: Foreseen) -> Result<(String, Option<Console>)> {
        match container.state.status {
            Status::Running => {}
            Status::Paused => {
                return Err(
                    Error::conflict(format!("container {} is paused", container.name)).hint(format!("`kapal unpause {}` lets it go on", container.name))
                );
            }
            other => {
                return Err(Error::conflict(format!("container {} is not running: it is {}", container.name, other.as_str()))
                    .hint(format!("`kapal start {}`", container.name)));
            }
        }
        let name = ContainerId::random().map_err(|e| Error::io("no random numbers", &e))?.short().to_owned();
        let (ours, theirs) = attach::pair()?;
        let hello = Hello { stdin: options.stdin, output: true, scrollback: false, exit: true, size: options.size };
        let task = Task { container: container.clone(), place: self.place().clone(), hidden: Vec::new(), exec: Some((name.clone(), options)) };
        let place = self.place().exec_console(&container.id, &name).with_extension("lock");
        let start = move |monitor: Idle| {
            let held = lock::exclusive(&place)?;
            let outcome = monitor.run(&task, held.into_fd(), (!detach).then_some(theirs)).map_err(|e| Error::io("cannot start the command's monitor", &e));
            // The lock of such a monitor is asked for by nobody.
            let _ = std::fs::remove_file(&place);
            outcome
        };
        let console = if detach { None } else { Some(Console::open(ours, hello).await?) };
        let monitor = monitor.ready().await?;
        let outcome =
            tokio::task::spawn_blocking(move || start(monitor)).await.map_err(|e| Error::new(Kind::Failed, format!("the start broke down: {e}")))??;
        match outcome {
            Outcome::Started(..) => Ok((name, console)),
            Outcome::Failed(status, why) => Err(refusal(status, why)),
        }
    }

    /// Asks a container's monitor for something; `None` if there is none any more.
    pub(super) async fn ask(&self, container: &Container, request: Request) -> Result<Option<()>> {
        let Some(mut console) = self.connect(container, Hello::default()).await? else { return Ok(None) };
        match console.request(request).await {
            Ok(Ok(())) => Ok(Some(())),
            Ok(Err(why)) => Err(Error::conflict(format!("container {} {why}", container.name))),
            // It ended while it was asked.
            Err(error) if error.kind == Kind::Unavailable => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stops a container and waits for its end; one that does not run is stopped.
    pub async fn stop(&self, container: &Container, signal: Option<i32>, seconds: Option<u64>) -> Result<()> {
        if !container.state.status.is_alive() {
            return Ok(());
        }
        self.ask(container, Request::Stop { signal, seconds }).await?;
        self.ended(container).await?;
        self.tell(container, "stop", &[]);
        Ok(())
    }

    /// Sends a signal.
    pub async fn kill(&self, container: &Container, signal: i32) -> Result<()> {
        let not_running = || Error::conflict(format!("cannot kill container {}: it is not running", container.name));
        if !container.state.status.is_alive() {
            return Err(not_running());
        }
        self.ask(container, Request::Signal(signal)).await?.ok_or_else(not_running)?;
        if signal == libc::SIGKILL {
            self.ended(container).await?;
        }
        Ok(())
    }

    /// Freezes or thaws all processes.
    pub async fn freeze(&self, container: &Container, frozen: bool) -> Result<()> {
        let not_running = || Error::conflict(format!("container {} is not running", container.name));
        match container.state.status {
            Status::Running | Status::Paused => {}
            _ => return Err(not_running()),
        }
        self.ask(container, if frozen { Request::Pause } else { Request::Unpause }).await?.ok_or_else(not_running)
    }

    /// Asks a running container whether it is well, now.
    ///
    /// # Errors
    /// It is not, and why; it does not run, is paused, or has no health check.
    pub async fn probe(&self, container: &Container) -> Result<()> {
        let not_running = || Error::conflict(format!("container {} is not running", container.name));
        match container.state.status {
            Status::Running | Status::Paused => self.ask(container, Request::Probe).await?.ok_or_else(not_running),
            _ => Err(not_running()),
        }
    }

    /// Waits until the container's process has ended, and gives its status; at once if it does not run.
    pub async fn wait(&self, id: &ContainerId) -> Result<i32> {
        let mut last = 0;
        loop {
            let container = match self.container_by_id(id) {
                Ok(container) => self.settled(container)?,
                // Removed by its own wish (`--rm`) after it ended.
                Err(error) if error.kind == Kind::NotFound => return Ok(last),
                Err(error) => return Err(error),
            };
            if !container.state.status.is_alive() {
                return Ok(container.state.exit_code);
            }
            let Some(console) = self.connect(&container, Hello { exit: true, ..Hello::default() }).await? else {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                continue;
            };
            // The writer stays open: a client that hangs up is told nothing.
            let (mut reader, _writer) = console.split();
            loop {
                match reader.next().await? {
                    Output::Exit(status) => return Ok(status),
                    Output::Closed => break,
                    _ => {}
                }
            }
            last = container.state.exit_code;
        }
    }

    /// Waits until the container's monitor is gone: then its lock is free and the store tells its end.
    async fn ended(&self, container: &Container) -> Result<()> {
        let (engine, container) = (self.clone(), container.clone());
        let wait = move || {
            let path = engine.place().monitor_lock(&container.id);
            if path.exists() {
                drop(lock::exclusive(&path)?);
            }
            match engine.container_by_id(&container.id) {
                Ok(container) => engine.settled(container).map(|_| ()),
                Err(error) if error.kind == Kind::NotFound => {
                    let _ = std::fs::remove_dir_all(engine.place().run(&container.id));
                    Ok(())
                }
                Err(error) => Err(error),
            }
        };
        tokio::task::spawn_blocking(wait).await.map_err(|e| Error::new(Kind::Failed, format!("the wait broke down: {e}")))?
    }

    /// Removes a container; with `force` it is ended first if it runs.
    pub async fn remove(&self, container: &Container, force: bool, with_volumes: bool) -> Result<()> {
        if container.state.status.is_alive() {
            if !force {
                return Err(Error::conflict(format!("container {} is {}: it cannot be removed", container.name, container.state.status.as_str()))
                    .hint(format!("stop it first, or `kapal rm -f {}`", container.name)));
            }
            self.ask(container, Request::Stop { signal: Some(libc::SIGKILL), seconds: Some(0) }).await?;
            self.ended(container).await?;
        }
        let (engine, id, name) = (self.clone(), container.id.clone(), container.name.clone());
        let remove = move || {
            let _lock = lock::exclusive(&engine.place().lock(&id))?;
            let container = match engine.container_by_id(&id) {
                Ok(container) => engine.settled(container)?,
                Err(error) if error.kind == Kind::NotFound => {
                    // Someone else removed it; the lock just taken made its folder again.
                    let _ = std::fs::remove_dir_all(engine.place().run(&id));
                    return if force { Ok(()) } else { Err(Error::not_found(format!("no such container: {name}"))) };
                }
                Err(error) => return Err(error),
            };
            if container.state.status.is_alive() {
                return Err(Error::conflict(format!("container {name} was started meanwhile")));
            }
            let _operation = engine.operation()?;
            engine.finish_removal(&container, with_volumes)
        };
        tokio::task::spawn_blocking(remove).await.map_err(|e| Error::new(Kind::Failed, format!("the removal broke down: {e}")))?
    }
}
