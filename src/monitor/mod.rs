//! The monitor: one small process for each running container (and for each process that `exec` put beside one).
//!
//! ```text
//!  engine ── spawn ──► monitor ── clone3 ──► container's first process
//!     ▲                  │ ▲ │
//!     └── "it runs" ─────┘ │ ├─► log (json-file)
//!                          │ ├─► the container's past, in memory
//!                          │ └─► store: running, paused, exited (Record)
//!        clients ◄── console.sock ── output, input, requests
//! ```
//!
//! It is this program executed again, with one thread and a poll loop. It holds the lock `monitor.lock` of its
//! container for its life, so that everybody can see whether it is there, and it outlives the engine that started it.

mod checkup;
mod client;
mod console;
mod etc;
mod health;
mod idle;
pub mod log;
mod network;
mod observe;
mod packed;
mod past;
mod ports;
mod probe;
pub mod protocol;
mod proxy;
mod record;
mod request;
mod session;
mod start;
mod toolbox;
mod update;
mod wait;

pub use idle::Idle;
pub use record::{Berth, Record};

use crate::container::{Container, Place};
use crate::execdriver::spec::ExecOptions;
use idle::Given;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
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
}

/// How a start went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It runs, as this process; what the user should know, a sentence each.
    Started(i32, Vec<String>),
    /// It does not: the exit status, and why.
    Failed(i32, String),
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
    let Some(Given { task, ready, lock, first_client }) = idle::wait()? else { return Ok(()) };
    let _ = rustix::thread::set_name(c"kapal-monitor");
    let mut record = record(&task);
    let result = session::run(&task, &mut *record, start::Ready::new(ready), first_client);
    // Whoever waits for the end need not wait for what is done at leisure.
    drop(lock);
    let departure = result?;
    if !departure.is_empty() {
        for why in departure.finish(&task.place, &mut *record) {
            let _ = writeln!(io::stderr(), "networks: {why}");
        }
    }
    record.rest();
    Ok(())
}
