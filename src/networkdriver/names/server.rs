//! The loop: monitors that come and go, and their containers' questions, a few of each at every turn.
//!
//! No container gets more than its share: every socket is read a few times a turn, each container has so many questions and
//! connections under way and no more, and where all of them together are too many, the one with the most loses its oldest.

use super::Directory;
use super::flight::Flight;
use super::handover::{self, Arrival, Hello, Settings};
use super::message::{self, Question, Reading, Way, Wish};
use super::resolvers::{self, Resolvers};
use super::stream::Stream;
use super::watch::{Interest, Source, Watch};
use crate::id::ContainerId;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long it waits for another container after the last.
const LINGER: Duration = Duration::from_secs(1);
/// After so long it is here to stay: what its start needed is given back.
const SETTLED: Duration = Duration::from_secs(1);
/// Containers at once.
const GUESTS: usize = 4096;
/// Questions read from one socket, and connections taken from one, at a turn.
const SHARE: usize = 16;
/// Complaints about one sort of thing are this far apart: nobody fills the disk with them.
const QUIET: Duration = Duration::from_secs(60);

/// A container, from its monitor's first word to its hanging up.
#[derive(Debug)]
pub(super) struct Guest {
    connection: OwnedFd,
    place: Option<Place>,
    /// Its questions that went on over UDP.
    pub flights: usize,
    /// Its TCP connections.
    pub streams: usize,
}

/// What a monitor has handed over.
#[derive(Debug)]
struct Place {
    container: ContainerId,
    settings: Settings,
    datagrams: OwnedFd,
    calls: OwnedFd,
}

/// What is to be done with a question.
pub(super) enum Verdict {
    /// This is the answer.
    Answer(Vec<u8>),
    /// Others are asked, in this order.
    Forward(Box<Question>, Vec<SocketAddr>),
    /// Nothing.
    Silence,
}

/// Answers the questions of all containers of a store.
pub struct Server {
    pub(super) watch: Watch,
    pub(super) guests: BTreeMap<u64, Guest>,
    /// By number, so that the first is the oldest.
    pub(super) flights: BTreeMap<u64, Flight>,
    pub(super) streams: BTreeMap<u64, Stream>,
    pub(super) buffer: Vec<u8>,
    door: OwnedFd,
    directory: Box<dyn Directory>,
    resolvers: Resolvers,
    next: u64,
    wake: Option<Instant>,
    alone_since: Instant,
    complained: Option<Instant>,
}

impl Server {
    /// A server for the monitors that knock at `door`, a listening unix socket for SEQPACKET connections.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(door: OwnedFd, directory: Box<dyn Directory>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&door, true)?;
        let watch = Watch::new()?;
        watch.add(&door, Source::Door, Interest::IN)?;
        Ok(Self {
            watch,
            guests: BTreeMap::new(),
            flights: BTreeMap::new(),
            streams: BTreeMap::new(),
            // The longest message there can be, and its length.
            buffer: vec![0; 2 + usize::from(u16::MAX)],
            door,
            directory,
            resolvers: Resolvers::new(PathBuf::from("/etc/resolv.conf")),
            next: 0,
            wake: None,
            alone_since: Instant::now(),
            complained: None,
        })
    }

    /// Answers until the last container has been gone for a second.
    ///
    /// # Errors
    /// The kernel's, if sockets can be waited for no more.
    pub fn run(&mut self) -> io::Result<()> {
        let mut settle = Some(Instant::now() + SETTLED);
        loop {
            let now = Instant::now();
            if settle.is_some_and(|at| at <= now) {
                settle = None;
                crate::sys::spawn::trim_memory();
            }
            if self.wake.is_some_and(|at| at <= now) {
                self.expire(now);
            }
            let end = self.guests.is_empty().then_some(self.alone_since + LINGER);
            let at = [self.wake, end, settle].into_iter().flatten().min();
            let events = self.watch.wait(at.map(|at| at.saturating_duration_since(Instant::now())))?;
            // Only with nobody at the door: a monitor that came at the last moment is let in.
            if events.is_empty() && end.is_some_and(|end| end <= Instant::now()) {
                return Ok(());
            }
            for (source, interest) in events {
                match source {
                    Source::Door => self.open_door(),
                    Source::Guest(guest) => self.listen_to(guest),
                    Source::Datagrams(guest) => self.read_datagrams(guest),
                    Source::Calls(guest) => self.take_calls(guest),
                    Source::Flight(flight) => self.land(flight),
                    Source::Stream(stream) => self.turn_stream(stream, interest),
                    Source::Line(stream) => self.turn_line(stream),
                }
            }
        }
    }

    /// A number that nothing has had.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Makes sure that the loop looks at the clock by then.
    pub(super) fn wake_at(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    fn expire(&mut self, now: Instant) {
        self.wake = None;
        let late: Vec<u64> = self.flights.iter().filter(|(_, flight)| flight.deadline <= now).map(|(number, _)| *number).collect();
        for number in late {
            self.retry(number);
        }
        let late: Vec<u64> = self.streams.iter().filter(|(_, stream)| stream.deadline() <= now).map(|(number, _)| *number).collect();
        for number in late {
            self.stream_is_late(number);
        }
        let rest = self.flights.values().map(|flight| flight.deadline).chain(self.streams.values().map(Stream::deadline)).min();
        if let Some(at) = rest {
            self.wake_at(at);
        }
    }

    fn open_door(&mut self) {
        for _ in 0..SHARE {
            let connection = match rustix::net::accept_with(&self.door, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(connection) => connection,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => return,
                Err(error) => return self.out_of_room(&error.into()),
            };
            if self.guests.len() >= GUESTS || !handover::same_user(&connection).unwrap_or(false) {
                continue;
            }
            let number = self.number();
            match self.watch.add(&connection, Source::Guest(number), Interest::IN) {
                Ok(()) => drop(self.guests.insert(number, Guest { connection, place: None, flights: 0, streams: 0 })),
                Err(error) => self.complain("cannot watch a monitor", &error),
            }
        }
    }

    /// There are no descriptors left: connections wait, and so does the loop, lest it turn for nothing.
    fn out_of_room(&mut self, error: &io::Error) {
        self.complain("cannot take a connection", error);
        std::thread::sleep(Duration::from_millis(5));
    }

    fn listen_to(&mut self, number: u64) {
        let Some(guest) = self.guests.get_mut(&number) else { return };
        let heard = match handover::receive(guest.connection.as_fd()) {
            Ok(Arrival::Nothing) => return,
            Ok(Arrival::End) => return self.leave(number),
            Ok(Arrival::Hello(hello, sockets)) => self.hear(number, hello, sockets),
            Err(error) => Err(error),
        };
        if let Err(error) = heard {
            self.complain("a monitor cannot be understood", &error);
            self.leave(number);
        }
    }

    fn hear(&mut self, number: u64, hello: Hello, sockets: Vec<OwnedFd>) -> io::Result<()> {
        let Some(guest) = self.guests.get_mut(&number) else { return Ok(()) };
        if let Some(place) = &mut guest.place {
            place.settings = hello.settings;
            return Ok(());
        }
        let Ok([datagrams, calls]) = <[OwnedFd; 2]>::try_from(sockets) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its first message is without two sockets"));
        };
        self.watch.add(&datagrams, Source::Datagrams(number), Interest::IN)?;
        self.watch.add(&calls, Source::Calls(number), Interest::IN)?;
        guest.place = Some(Place { container: hello.container, settings: hello.settings, datagrams, calls });
        Ok(())
    }

    fn leave(&mut self, number: u64) {
        self.flights.retain(|_, flight| flight.guest != number);
        self.streams.retain(|_, stream| stream.guest != number);
        if let Some(place) = self.guests.remove(&number).and_then(|guest| guest.place) {
            // The monitor keeps the sockets: closing ours is not enough for them to be forgotten.
            let _ = self.watch.forget(&place.datagrams);
            let _ = self.watch.forget(&place.calls);
        }
        self.alone_since = Instant::now();
    }

    fn read_datagrams(&mut self, number: u64) {
        for _ in 0..SHARE {
            let Some(place) = self.guests.get(&number).and_then(|guest| guest.place.as_ref()) else { return };
            let room = &mut self.buffer[..message::LONGEST];
            let received = rustix::net::recvfrom(&place.datagrams, room, RecvFlags::DONTWAIT | RecvFlags::TRUNC);
            // An error that a container has put on its own socket has been taken off it by being read.
            let Ok((_, length, Some(from))) = received else { return };
            let Ok(from) = SocketAddr::try_from(from) else { continue };
            if length > message::LONGEST {
                continue;
            }
            let bytes = self.buffer[..length].to_vec();
            match self.judge(number, &bytes, Way::Udp) {
                Verdict::Answer(answer) => self.reply(number, from, &answer),
                Verdict::Forward(question, servers) => self.launch(number, from, bytes, &question, servers),
                Verdict::Silence => {}
            }
        }
    }

    /// Sends an answer over UDP; one that the socket has no room for is lost, as on any network.
    pub(super) fn reply(&self, guest: u64, to: SocketAddr, answer: &[u8]) {
        if let Some(place) = self.guests.get(&guest).and_then(|guest| guest.place.as_ref()) {
            let _ = rustix::net::sendto(&place.datagrams, answer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL, &to);
        }
    }

    fn take_calls(&mut self, number: u64) {
        for _ in 0..SHARE {
            let Some(place) = self.guests.get(&number).and_then(|guest| guest.place.as_ref()) else { return };
            match rustix::net::accept_with(&place.calls, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.open_stream(number, socket),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => return,
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::NOBUFS | rustix::io::Errno::NOMEM) => {
                    return self.out_of_room(&io::ErrorKind::OutOfMemory.into());
                }
                Err(_) => {
                    // A container that may administer its network can shut the socket: it is its own loss, not our loop's.
                    let _ = self.watch.forget(&place.calls);
                    return;
                }
            }
        }
    }

    /// What is to be said to a container that sent this.
    pub(super) fn judge(&mut self, guest: u64, bytes: &[u8], way: Way) -> Verdict {
        let question = match message::read(bytes) {
            Reading::Question(question) => question,
            Reading::Refusal(answer) => return Verdict::Answer(answer),
            Reading::Nothing => return Verdict::Silence,
        };
        let Some(place) = self.guests.get(&guest).and_then(|guest| guest.place.as_ref()) else { return Verdict::Silence };
        let ours = match question.wish() {
            Wish::Addresses(name) => self.directory.find(&place.container, &name).map(|found| {
                found.map(|mut addresses| {
                    shuffle(&mut addresses);
                    question.addresses(&addresses, way)
                })
            }),
            Wish::Name(address) => self.directory.name_of(&place.container, address).map(|found| found.map(|name| question.name(&name, way))),
            Wish::Other => Ok(None),
        };
        let servers = match ours {
            Ok(Some(answer)) => return Verdict::Answer(answer),
            Err(error) => {
                self.complain("the directory cannot be read", &error);
                return Verdict::Answer(question.failure(way));
            }
            Ok(None) if place.settings.internal => Vec::new(),
            Ok(None) if place.settings.servers.is_empty() => self.resolvers.servers(),
            Ok(None) => place.settings.servers.iter().take(resolvers::MOST).map(|server| (*server, resolvers::PORT).into()).collect(),
        };
        if servers.is_empty() { Verdict::Answer(question.failure(way)) } else { Verdict::Forward(question, servers) }
    }

    /// Says on standard error what went wrong, once in a while.
    pub(super) fn complain(&mut self, what: &str, error: &io::Error) {
        if self.complained.is_none_or(|at| at.elapsed() >= QUIET) {
            self.complained = Some(Instant::now());
            eprintln!("{what}: {error}");
        }
    }
}

/// Puts addresses in an order of chance, so that each gets its share of those who take the first.
fn shuffle<T>(list: &mut [T]) {
    let mut bytes = [0u8; 256];
    // Without chance the order is the directory's.
    if list.len() > 1 && rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::NONBLOCK).is_ok() {
        for at in (1..list.len()).rev() {
            let [a, b] = [bytes[at * 2 % 256], bytes[(at * 2 + 1) % 256]];
            list.swap(at, usize::from(u16::from_le_bytes([a, b])) % (at + 1));
        }
    }
}
