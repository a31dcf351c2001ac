//! Events are hints: whoever changes something pokes the others, and they look at the store again.

use crate::container::Place;
use crate::id::{ContainerId, JobId};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

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
    /// Another process changed something: look at the snapshot again.
    Missed,
}

/// Tells every listening process that something changed. Failures are none of the teller's business.
pub fn poke(place: &Place) {
    let Ok(entries) = std::fs::read_dir(place.listeners()) else { return };
    let mut socket: Option<OwnedFd> = None;
    for entry in entries.flatten() {
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
