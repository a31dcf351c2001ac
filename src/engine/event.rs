//! Events are hints: whoever changes something pokes the others, and they look at the store again.
//!
//! ```text
//!  process A: a change ──► a row in the store ──► "!" to every socket in listeners/ ──► process B: Event::Missed
//!                                                   └─ nobody behind it any more: the socket's file goes
//! ```
//!
//! An engine that lives long enough to show something listens ([`Engine::listen`]). A poke may be lost, and a monitor
//! that is killed can send none: so a listening engine looks again every few seconds, too.

use super::{Engine, Error, Result};
use crate::container::Place;
use crate::id::{ContainerId, JobId};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a listening engine waits for a poke before it looks by itself.
const FALLBACK: Duration = Duration::from_secs(5);

/// Pokes that come closer together than this count as one: what they tell of is looked at once.
const TOGETHER: Duration = Duration::from_millis(20);

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A job of this engine began.
    JobStarted(JobId),
    /// A job of this engine ended.
    JobFinished(JobId),
    /// A container was made, changed or removed.
    ContainerChanged(ContainerId),
    /// Images or tags changed.
    ImagesChanged,
    /// Volumes changed.
    VolumesChanged,
    /// Networks, or who is on them, changed.
    NetworksChanged,
    /// Another process changed something: look at the snapshot again.
    Missed,
}

/// Tells every listening process that something changed. Failures are none of the teller's business.
pub fn poke(place: &Place) {
    poke_others(place, None);
}

/// The same but for the socket `own`: its engine knows.
pub fn poke_others(place: &Place, own: Option<&Path>) {
    let Ok(entries) = std::fs::read_dir(place.listeners()) else { return };
    let mut socket: Option<OwnedFd> = None;
    for entry in entries.flatten().filter(|entry| Some(&*entry.path()) != own) {
        if socket.is_none() {
            socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None).ok();
        }
        let (Some(socket), Ok(address)) = (&socket, SocketAddrUnix::new(entry.path())) else { continue };
        let sent = rustix::net::sendto(socket, b"!", SendFlags::NOSIGNAL | SendFlags::DONTWAIT, &address);
        if sent == Err(rustix::io::Errno::CONNREFUSED) {
            // Its process is gone.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// A process's ear: readable when something changed elsewhere.
#[derive(Debug)]
pub struct Listener {
    socket: tokio::net::UnixDatagram,
    path: PathBuf,
}

impl Listener {
    /// Begins to listen.
    ///
    /// # Errors
    /// The kernel's, if the socket cannot be made.
    pub fn open(place: &Place) -> std::io::Result<Self> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let folder = place.listeners();
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let _ = std::fs::remove_file(&path);
        Ok(Self { socket: tokio::net::UnixDatagram::bind(&path)?, path })
    }

    /// Waits for the next poke; those that came meanwhile count as one.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn heard(&self) -> std::io::Result<()> {
        let mut buffer = [0; 16];
        self.socket.recv(&mut buffer).await?;
        while self.socket.try_recv(&mut buffer).is_ok() {}
        Ok(())
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// An engine that listens; it does so until this is dropped.
#[derive(Debug)]
pub struct Listening(tokio::task::JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Engine {
    /// Hears of what other processes change from now on: each time, and every few seconds without that, this engine's
    /// listeners get [`Event::Missed`]. To be called within a tokio runtime.
    ///
    /// # Errors
    /// The socket cannot be made. Should it be lost later on, the looking every few seconds stays, and a new one is tried.
    pub fn listen(&self) -> Result<Listening> {
        let open = |engine: &Self| {
            let listener = Listener::open(engine.place())?;
            engine.set_ear(Some(listener.path().to_owned()));
            Ok(listener)
        };
        let first = open(self).map_err(|e: std::io::Error| Error::io("cannot listen for changes", &e))?;
        let engine = self.clone();
        Ok(Listening(tokio::spawn(async move {
            let _ear = Ear(&engine);
            let mut listener = Some(first);
            loop {
                let heard = async {
                    match &listener {
                        Some(listener) => listener.heard().await,
                        None => std::future::pending().await,
                    }
                };
                let lost = match tokio::time::timeout(FALLBACK, heard).await {
                    Ok(heard) => heard.is_err(),
                    // Someone may have cleared the run-time folder: nobody would find the way here any more.
                    Err(_) => listener.as_ref().is_none_or(|listener| !listener.path().exists()),
                };
                engine.publish(Event::Missed);
                if lost {
                    listener = open(&engine).ok();
                }
                tokio::time::sleep(TOGETHER).await;
            }
        })))
    }
}

/// What pokes know as this engine's own socket, until the listening ends.
struct Ear<'a>(&'a Engine);

impl Drop for Ear<'_> {
    fn drop(&mut self) {
        self.0.set_ear(None);
    }
}
