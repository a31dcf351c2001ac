//! A monitor's side: the two sockets in its container's namespace, and a process that answers through them.
//!
//! The monitor waits on [`Client::fd`] and until [`Client::due`], and calls [`Client::tend`] when either has come: that is
//! all it takes for the sockets to be answered as long as it lives.

use super::handover::{self, Arrival, Hello, Settings};
use super::{ADDRESS, Inheritance, NAME};
use crate::container::Place;
use crate::id::ContainerId;
use crate::sys::{link, netlink, spawn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, MemfdFlags, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io::{self, Write};
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The most that [`Client::register`] waits for another process that holds the lock.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a process must have answered for its end to be bad luck, after which the next one is started at once.
const HEALTHY: Duration = Duration::from_secs(5);
/// The first wait before another try, doubled each time up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(30);
/// Bytes of complaints that are kept.
const COMPLAINTS: i64 = 64 << 10;
/// Ports that are tried until one is free for both protocols.
const PORTS: usize = 64;

/// A container's questions about names, and the way to who answers them.
#[derive(Debug)]
pub struct Client {
    place: Place,
    hello: Hello,
    datagrams: OwnedFd,
    calls: OwnedFd,
    port: u16,
    connection: Option<OwnedFd>,
    since: Instant,
    wait: Duration,
    due: Option<Instant>,
    /// The process that we started, to be waited for once it ends.
    child: Option<OwnedFd>,
}

impl Client {
    /// Makes a container's sockets in its network namespace, on [`ADDRESS`], and brings its loopback link up. Nobody answers before [`Client::register`],
    /// but questions wait.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(namespace: BorrowedFd<'_>, place: Place, container: ContainerId, settings: Settings) -> io::Result<Self> {
        let (datagrams, calls, port) = netlink::within(namespace, sockets)??;
        let hello = Hello { container, settings };
        Ok(Self { place, hello, datagrams, calls, port, connection: None, since: Instant::now(), wait: Duration::ZERO, due: None, child: None })
    }

    /// The port of both sockets.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The connection to who answers: readable when it has ended. None while there is nobody.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.connection.as_ref().map(AsFd::as_fd)
    }

    /// When [`Client::tend`] is to be called though nothing has happened.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Hands the sockets to the process that answers, which is started if there is none. Takes about a millisecond, and
    /// half a second at most.
    ///
    /// # Errors
    /// The kernel's; `TimedOut` if another process holds the lock and does not listen. It is tried again when
    /// [`Client::due`] says so.
    pub fn register(&mut self) -> io::Result<()> {
        self.connection = None;
        self.due = None;
        self.reap();
        match self.connect() {
            Ok(connection) => {
                self.connection = Some(connection);
                self.since = Instant::now();
                Ok(())
            }
            Err(error) => {
                self.back_off();
                Err(error)
            }
        }
    }

    /// Looks whether there is still somebody who answers, and finds another when it is time to.
    ///
    /// # Errors
    /// Those of [`Client::register`].
    pub fn tend(&mut self) -> io::Result<()> {
        if let Some(connection) = &self.connection {
            // Nothing is ever said to us; whatever there is to read is the end.
            if matches!(handover::receive(connection.as_fd()), Ok(Arrival::Nothing)) {
                return Ok(());
            }
            self.connection = None;
            if self.since.elapsed() >= HEALTHY {
                self.wait = Duration::ZERO;
            }
            self.back_off();
        }
        if self.due.is_some_and(|due| due <= Instant::now()) { self.register() } else { Ok(()) }
    }

    /// Changes how the container's questions are treated from now on.
    ///
    /// # Errors
    /// The kernel's, also if the process that answers has just ended: it will hear of it when [`Client::due`] says so.
    pub fn update(&mut self, settings: Settings) -> io::Result<()> {
        self.hello.settings = settings;
        let told = self.connection.as_ref().map_or(Ok(()), |connection| handover::send(connection.as_fd(), &self.hello, &[]));
        if told.is_err() {
            self.connection = None;
            self.back_off();
        }
        told
    }

    fn back_off(&mut self) {
        self.due = Some(Instant::now() + self.wait);
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LAST_WAIT);
    }

    /// Lets go of the process that we started if it has ended.
    fn reap(&mut self) {
        if let Some(child) = &self.child {
            // Its connections end a moment before itself.
            let moment = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            let _ = poll(&mut [PollFd::new(child, PollFlags::IN)], Some(&moment));
            let flags = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOHANG;
            if !matches!(rustix::process::waitid(rustix::process::WaitId::PidFd(child.as_fd()), flags), Ok(None)) {
                self.child = None;
            }
        }
    }

    fn connect(&mut self) -> io::Result<OwnedFd> {
        let path = self.place.names_socket();
        let (began, mut started) = (Instant::now(), false);
        loop {
            if let Some(connection) = knock(&path)? {
                match handover::send(connection.as_fd(), &self.hello, &[self.datagrams.as_fd(), self.calls.as_fd()]) {
                    // It ended between the two: so it is as if it had not been there.
                    Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {}
                    other => return other.map(|()| connection),
                }
            }
            if let Some(lock) = lock(&self.place.names_lock())? {
                if std::mem::replace(&mut started, true) {
                    let words = self.place.names_errors();
                    return Err(io::Error::other(format!("the process that answers about names ended at once; its last words are in {}", words.display())));
                }
                self.child = Some(spawn(&self.place, &lock)?);
            } else if began.elapsed() >= PATIENCE {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("nobody answers at {}", path.display())));
            } else {
                // Somebody is starting it or it is ending: either is over in a moment.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// A UDP and a listening TCP socket at one port of [`ADDRESS`], in the namespace where the calling thread is.
fn sockets() -> io::Result<(OwnedFd, OwnedFd, u16)> {
    let open = |kind, port| -> io::Result<OwnedFd> {
        let socket = rustix::net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        rustix::net::bind(&socket, &SocketAddrV4::new(ADDRESS, port))?;
        Ok(socket)
    };
    // The address is there once the loopback link is up. A socket that was bound before (IP_FREEBIND) would answer from
    // another address: in a namespace without any route the kernel takes this one for a broadcast.
    link::loopback_up()?;
    for _ in 0..PORTS {
        let datagrams = open(SocketType::DGRAM, 0)?;
        let port = SocketAddr::try_from(rustix::net::getsockname(&datagrams)?).map_err(io::Error::from)?.port();
        match open(SocketType::STREAM, port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
            Ok(calls) => {
                rustix::net::listen(&calls, 64)?;
                return Ok((datagrams, calls, port));
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "found no port that is free for both UDP and TCP"))
}

/// The address of a unix socket; by its folder's descriptor, as a path may be longer than an address (sun_path).
fn address(path: &Path) -> io::Result<(OwnedFd, SocketAddrUnix)> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let address = SocketAddrUnix::new(PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name))?;
    Ok((folder, address))
}

fn socket() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}

/// A connection, if somebody listens.
fn knock(path: &Path) -> io::Result<Option<OwnedFd>> {
    let (_folder, address) = address(path)?;
    let socket = socket()?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => Ok(Some(socket)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED | rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The lock, if it is free. Its file is never removed.
fn lock(path: &Path) -> io::Result<Option<OwnedFd>> {
    let file = rustix::fs::open(path, OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::from_raw_mode(0o600))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Starts the process, with the lock and a socket that listens already.
fn spawn(place: &Place, lock: &OwnedFd) -> io::Result<OwnedFd> {
    let path = place.names_socket();
    // The lock is ours: a socket that is there is one that nobody listens at.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let door = socket()?;
    let (_folder, address) = address(&path)?;
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = rustix::net::bind(&door, &address);
    rustix::process::umask(before);
    bound?;
    rustix::net::listen(&door, 4096)?;
    let mut text = std::fs::File::from(rustix::fs::memfd_create("place", MemfdFlags::CLOEXEC)?);
    text.write_all(&serde_json::to_vec(place).map_err(io::Error::other)?)?;
    rustix::fs::seek(&text, rustix::fs::SeekFrom::Start(0))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let errors = rustix::fs::open(place.names_errors(), flags, Mode::from_raw_mode(0o600))?;
    // What the last one complained about is kept, but not for ever.
    if rustix::fs::fstat(&errors)?.st_size > COMPLAINTS {
        rustix::fs::ftruncate(&errors, 0)?;
    }
    let given = Inheritance { lock: lock.as_fd(), door: door.as_fd(), place: text.as_fd() };
    let (_, child) = spawn::again(NAME, &[given.lock, given.door, given.place], errors.as_fd())?;
    Ok(child)
}
