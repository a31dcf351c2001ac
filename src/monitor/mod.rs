//! The monitor: one small process for each running container (and for each process that `exec` put beside one).
//!
//! ```text
//!  engine ── spawn ──► monitor ── clone3 ──► container's first process
//!     ▲                  │ ▲ │
//!     └── "it runs" ─────┘ │ ├─► log (json-file)
//!                          │ └─► store: running, paused, exited (Record)
//!        clients ◄── console.sock ── output, input, requests
//! ```
//!
//! It is this program executed again, with one thread and a poll loop. It holds the lock `monitor.lock` of its
//! container for its life, so that everybody can see whether it is there, and it outlives the engine that started it.

mod client;
mod console;
mod etc;
pub mod log;
pub mod protocol;
mod record;
mod session;
mod start;
mod toolbox;

pub use record::Record;

use crate::container::{Container, Place};
use crate::execdriver::spec::ExecOptions;
use crate::sys::spawn;
use rustix::fs::{MemfdFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// The name a monitor is executed under.
const NAME: &str = "kapal-monitor";

/// What a monitor is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The container.
    pub container: Container,
    /// The store.
    pub place: Place,
    /// Paths of this machine that the `host` image hides.
    pub hidden: Vec<PathBuf>,
    /// A process beside the first one, with the name of its socket; `None` for the container itself.
    pub exec: Option<(String, ExecOptions)>,
    /// A first client comes along as a descriptor.
    pub first_client: bool,
}

/// How a start went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It runs, as this process.
    Started(i32),
    /// It does not: the exit status, and why.
    Failed(i32, String),
}

/// Starts a monitor and waits until its process runs, or does not.
///
/// `lock` is the container's locked `monitor.lock`; `first_client` a socket whose other end gets all output from the
/// first byte on.
///
/// # Errors
/// The kernel's, where the monitor itself cannot be started.
pub fn run(task: &Task, lock: OwnedFd, first_client: Option<OwnedFd>) -> io::Result<Outcome> {
    let text = rustix::fs::memfd_create("task", MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(text);
    file.write_all(&serde_json::to_vec(task).map_err(io::Error::other)?)?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
    let (mut ready, theirs) = io::pipe()?;
    let words = task.place.run(&task.container.id).join("monitor.err");
    let words = rustix::fs::open(
        &words,
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::from_raw_mode(0o600),
    )?;
    let mut fds = vec![file.as_fd(), theirs.as_fd(), lock.as_fd()];
    fds.extend(first_client.iter().map(AsFd::as_fd));
    let (_, pidfd) = spawn::again(NAME, &fds, words.as_fd())?;
    drop(fds);
    drop((theirs, lock, first_client));
    let mut answer = Vec::new();
    ready.read_to_end(&mut answer)?;
    // Nobody waits for a monitor; if it ends while we live, it must not stay as a zombie.
    reap_later(pidfd);
    serde_json::from_slice(&answer).map_err(|_| {
        io::Error::other(format!("the monitor of container {} ended before it said a word; its last ones are in monitor.err", task.container.name))
    })
}

/// Reaps a monitor once it ends, on a thread that does nothing else for all of them.
fn reap_later(pidfd: OwnedFd) {
    use std::sync::OnceLock;
    use std::sync::mpsc::{Sender, channel};
    static REAPER: OnceLock<Option<Sender<OwnedFd>>> = OnceLock::new();
    let reaper = REAPER.get_or_init(|| {
        let (sender, receiver) = channel::<OwnedFd>();
        let run = move || {
            let mut waiting: Vec<OwnedFd> = Vec::new();
            loop {
                let word =
                    if waiting.is_empty() { receiver.recv().map_err(|_| ()) } else { receiver.recv_timeout(std::time::Duration::from_secs(1)).or(Err(())) };
                waiting.extend(word.ok());
                waiting.retain(|pidfd| {
                    let flags = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOHANG;
                    matches!(rustix::process::waitid(rustix::process::WaitId::PidFd(pidfd.as_fd()), flags), Ok(None))
                });
            }
        };
        std::thread::Builder::new().name("reaper".to_owned()).stack_size(64 << 10).spawn(run).ok().map(|_| sender)
    });
    if let Some(reaper) = reaper {
        // A reaper that is gone leaves a zombie until this process ends; no more.
        let _ = reaper.send(pidfd);
    }
}

/// If this process was executed as a monitor, does its work and ends; otherwise returns at once. `record` opens the
/// store for a task.
pub fn main_if_asked(record: fn(&Task) -> Box<dyn Record>) {
    if std::env::args_os().next().is_none_or(|name| name != NAME) {
        return;
    }
    let status = match work(record) {
        Ok(()) => 0,
        Err(error) => {
            // Standard error is the file of last words.
            let _ = writeln!(io::stderr(), "{error}");
            1
        }
    };
    crate::sys::fd::exit(status)
}

fn work(record: fn(&Task) -> Box<dyn Record>) -> io::Result<()> {
    let mut text = Vec::new();
    std::fs::File::from(spawn::inherited(spawn::FIRST_FD)?).read_to_end(&mut text)?;
    let task: Task = serde_json::from_slice(&text).map_err(io::Error::other)?;
    drop(text);
    let ready = spawn::inherited(spawn::FIRST_FD + 1)?;
    let lock = spawn::inherited(spawn::FIRST_FD + 2)?;
    let first = if task.first_client { Some(spawn::inherited(spawn::FIRST_FD + 3)?) } else { None };
    let _ = rustix::thread::set_name(c"kapal-monitor");
    let mut record = record(&task);
    let result = session::run(&task, &mut *record, start::Ready::new(ready), first);
    drop(lock);
    result
}
