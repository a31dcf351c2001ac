//! A monitor before its task: executed already, so that its own start runs beside the work that finds out what it is for.
//!
//! ```text
//!  engine ── execute ──► monitor (waits)
//!     └── one message: descriptors of the task, the word's pipe, the lock, the last words, a first client ──►┘
//! ```
//!
//! An engine that ends before it has sent the message hangs up, and the monitor ends without a trace.

use super::{NAME, Outcome, Task, reap_later};
use crate::sys::{fd, spawn};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

/// The most descriptors in the message.
const FDS: usize = 5;

/// A monitor that waits for its task. Dropped without one, it ends.
#[derive(Debug)]
pub struct Idle {
    socket: OwnedFd,
    pidfd: Option<OwnedFd>,
}

/// What a monitor is given when its waiting is over.
#[derive(Debug)]
pub(super) struct Given {
    pub task: Task,
    pub ready: OwnedFd,
    pub lock: OwnedFd,
    pub first_client: Option<OwnedFd>,
}

impl Idle {
    /// Executes this program again as a monitor.
    ///
    /// # Errors
    /// The kernel's.
    pub fn spawn() -> io::Result<Self> {
        let (socket, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let (_, pidfd) = spawn::again(NAME, &[theirs.as_fd()], null.as_fd())?;
        Ok(Self { socket, pidfd: Some(pidfd) })
    }

    /// Gives it its task and waits until the task's process runs, or does not.
    ///
    /// `lock` is the container's locked `monitor.lock`; `first_client` a socket whose other end gets all output from the
    /// first byte on.
    ///
    /// # Errors
    /// The kernel's, and a monitor that ended without a word.
    pub fn run(self, task: &Task, lock: OwnedFd, first_client: Option<OwnedFd>) -> io::Result<Outcome> {
        let mut text = std::fs::File::from(rustix::fs::memfd_create("task", MemfdFlags::CLOEXEC)?);
        text.write_all(&serde_json::to_vec(task).map_err(io::Error::other)?)?;
        rustix::fs::seek(&text, rustix::fs::SeekFrom::Start(0))?;
        let (mut ready, theirs) = io::pipe()?;
        let words = task.place.run(&task.container.id).join("monitor.err");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let words = rustix::fs::open(&words, flags, Mode::from_raw_mode(0o600))?;
        let mut fds = vec![text.as_fd(), theirs.as_fd(), lock.as_fd(), words.as_fd()];
        fds.extend(first_client.iter().map(AsFd::as_fd));
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        message.push(SendAncillaryMessage::ScmRights(&fds));
        let sent = rustix::net::sendmsg(&self.socket, &[IoSlice::new(b"!")], &mut message, SendFlags::NOSIGNAL);
        drop(fds);
        // Ours are closed before the word is waited for: it ends when the monitor's copy of the pipe does.
        drop((theirs, lock, first_client));
        let mut answer = Vec::new();
        sent.map_err(io::Error::from)
            .and_then(|_| ready.read_to_end(&mut answer))
            .and_then(|_| serde_json::from_slice(&answer).map_err(io::Error::other))
            .map_err(|_| {
                io::Error::other(format!("the monitor of container {} ended before it said a word; its last ones are in monitor.err", task.container.name))
            })
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // Nobody waits for a monitor; if it ends while we live, it must not stay as a zombie.
        self.pidfd.take().into_iter().for_each(reap_later);
    }
}

/// The monitor's side: waits for the task; nothing if it was not to be.
pub(super) fn wait() -> io::Result<Option<Given>> {
    let socket = spawn::inherited(spawn::FIRST_FD)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    if rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(&mut byte)], &mut message, RecvFlags::CMSG_CLOEXEC)?.bytes == 0 {
        return Ok(None);
    }
    let fds = message.drain().filter_map(|part| if let RecvAncillaryMessage::ScmRights(fds) = part { Some(fds) } else { None });
    let mut fds = fds.flatten();
    let mut next = || fds.next().ok_or_else(|| io::Error::other("the engine sent too few descriptors"));
    let (text, ready, lock, words) = (next()?, next()?, next()?, next()?);
    fd::duplicate_onto(words.as_fd(), 2)?;
    let first_client = fds.next();
    let mut task = Vec::new();
    std::fs::File::from(text).read_to_end(&mut task)?;
    Ok(Some(Given { task: serde_json::from_slice(&task).map_err(io::Error::other)?, ready, lock, first_client }))
}
