//! The way from `[::1]` to published ports: the kernel has none, so that the monitor carries the bytes itself.
//!
//! ```text
//!  client ── [::1]:PORT ── door ─► stream, or peer ─► a socket of our own ── link ─► container
//! ```
//!
//! Doors are sockets of [`super::ports`]: that of `[::]`, where it holds the port for the container's IPv6 address, or one at
//! `[::1]` alone. All others who ask are led by the firewall before they come to a socket; what comes from elsewhere all the
//! same (before the rules are there, or after somebody has taken them away) is not let in.
//!
//! It is a part of the monitor and no process of its own: its life is the container's, it is told at once what is published,
//! and nobody need find, start or mourn it. The monitor's loop sees one descriptor, an `epoll` that holds all others; each
//! turn carries a bounded share, so that console and log keep their turn. No bytes are kept here: what cannot be passed on
//! yet stays in the kernel's buffer of who sent it ([`stream`]). Until somebody comes there are the doors and nothing else.

mod datagram;
mod stream;

use super::ports::Held;
use crate::container::{Protocol, Published};
use datagram::Peers;
use rustix::event::epoll::{self, EventData, EventFlags};
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use stream::Streams;

/// What one turn looks at, at most.
const EVENTS: usize = 64;
/// How long nobody is let in when this process or the machine has no descriptors left.
const OUT_OF_ROOM: Duration = Duration::from_secs(1);

/// What carries bytes between `[::1]` and one container.
#[derive(Debug, Default)]
pub struct Proxy {
    watch: Option<Watch>,
    streams: Streams,
    peers: Peers,
    /// Nobody is let in until then.
    shut_until: Option<Instant>,
}

/// What a descriptor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// One of the doors for streams.
    Doors,
    /// The door for datagrams with this number.
    Datagrams(i32),
    /// An end of the stream with this number.
    Stream(usize),
    /// The peer with this number.
    Peer(usize),
}

/// All descriptors that may have something to say. Doors for streams are in an `epoll` of their own, so that all of them are
/// shut by one call.
#[derive(Debug)]
struct Watch {
    all: OwnedFd,
    doors: OwnedFd,
    is_open: bool,
}

impl Source {
    fn code(self) -> u64 {
        let (kind, number) = match self {
            Self::Doors => (0, 0),
            Self::Datagrams(number) => (1, number as u64),
            Self::Stream(number) => (2, number as u64),
            Self::Peer(number) => (3, number as u64),
        };
        kind << 32 | number
    }

    fn of(code: u64) -> Self {
        let number = code & u64::from(u32::MAX);
        match code >> 32 {
            0 => Self::Doors,
            1 => Self::Datagrams(number as i32),
            2 => Self::Stream(number as usize),
            _ => Self::Peer(number as usize),
        }
    }

    fn data(self) -> EventData {
        EventData::new_u64(self.code())
    }
}

impl Watch {
    fn new() -> io::Result<Self> {
        let (all, doors) = (epoll::create(epoll::CreateFlags::CLOEXEC)?, epoll::create(epoll::CreateFlags::CLOEXEC)?);
        epoll::add(&all, &doors, Source::Doors.data(), EventFlags::IN)?;
        Ok(Self { all, doors, is_open: true })
    }

    /// Lets people in, or leaves them waiting at the doors.
    fn open(&mut self, open: bool) {
        if open != self.is_open {
            let done = if open { epoll::add(&self.all, &self.doors, Source::Doors.data(), EventFlags::IN) } else { epoll::delete(&self.all, &self.doors) };
            self.is_open = if done.is_ok() { open } else { self.is_open };
        }
    }

    /// Sees to it that a descriptor is looked at for what is wanted of it; not at all if that is nothing, as the kernel tells of
    /// a connection's end whether it was asked to or not.
    fn want(&self, fd: &OwnedFd, source: Source, before: EventFlags, now: EventFlags) -> io::Result<()> {
        match (before.is_empty(), now.is_empty()) {
            _ if before == now => Ok(()),
            (true, _) => Ok(epoll::add(&self.all, fd, source.data(), now)?),
            (_, true) => Ok(epoll::delete(&self.all, fd)?),
            _ => Ok(epoll::modify(&self.all, fd, source.data(), now)?),
        }
    }
}

/// What in an `epoll` has something to say now.
fn ready(epoll: &OwnedFd) -> impl Iterator<Item = u64> + use<> {
    let mut room = [MaybeUninit::uninit(); EVENTS];
    let mut codes = [0; EVENTS];
    let at_once = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    // A look that was interrupted saw nothing: there is another one.
    let events = epoll::wait(epoll, &mut room, Some(&at_once)).map_or(&mut [][..], |(seen, _)| seen);
    let count = events.len();
    codes.iter_mut().zip(events).for_each(|(code, event)| *code = { event.data }.u64());
    codes.into_iter().take(count)
}

/// The door with this number and what it leads to.
fn door(held: &[Held], number: i32) -> Option<(BorrowedFd<'_>, &Published)> {
    held.iter().find_map(|held| held.door.as_ref().filter(|door| door.as_raw_fd() == number).map(|door| (door.as_fd(), &held.port)))
}

/// Whether it is this machine's IPv6 loopback that asks.
fn is_loopback(address: SocketAddr) -> bool {
    address.ip() == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

impl Proxy {
    /// Opens a door: a socket that is bound to a port here and, for streams, listens. Neither waits.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(&mut self, door: &OwnedFd, protocol: Protocol) -> io::Result<()> {
        let watch = match &mut self.watch {
            Some(watch) => watch,
            none => none.insert(Watch::new()?),
        };
        let number = door.as_raw_fd();
        match protocol {
            Protocol::Udp => epoll::add(&watch.all, door, Source::Datagrams(number).data(), EventFlags::IN)?,
            _ => epoll::add(&watch.doors, door, EventData::new_u64(number as u64), EventFlags::IN)?,
        }
        Ok(())
    }

    /// A door is about to be closed: another may get its number. Who came in by it as a stream is left in peace.
    pub fn close(&mut self, door: &OwnedFd) {
        self.peers.leave(|peer| peer.door == door.as_raw_fd());
    }

    /// Readable when [`Proxy::tend`] has something to do; none before the first door.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.watch.as_ref()?.all.as_fd())
    }

    /// When it is to be called though nothing has happened.
    pub fn due(&self) -> Option<Instant> {
        self.peers.due().into_iter().chain(self.shut_until).min()
    }

    /// Lets in who waits, as far as there is room, and carries a share of what there is to be carried. `held` are the doors,
    /// `targets` the container's addresses, the best one first.
    pub fn tend(&mut self, held: &[Held], targets: &[IpAddr], buffer: &mut [u8]) {
        let Some(watch) = &mut self.watch else { return };
        let now = Instant::now();
        self.peers.expire(now);
        let mut refused = false;
        for code in ready(&watch.all) {
            match Source::of(code) {
                Source::Doors => {
                    let doors = ready(&watch.doors).filter_map(|number| door(held, number as i32));
                    refused |= doors.into_iter().any(|(door, port)| self.streams.accept(watch, door, port.inside, targets).is_err());
                }
                Source::Datagrams(number) => {
                    if let Some((door, port)) = door(held, number) {
                        self.peers.take(watch, door, port.inside, targets, buffer, now);
                    }
                }
                Source::Stream(number) => self.streams.turn(watch, number, targets, buffer),
                Source::Peer(number) => self.peers.answer(number, |peer| door(held, peer).map(|(door, _)| door), buffer, now),
            }
        }
        if refused {
            crate::sys::fd::allow_more(u64::MAX);
            self.shut_until = Some(now + OUT_OF_ROOM);
        }
        self.shut_until = self.shut_until.filter(|until| *until > now);
        watch.open(self.shut_until.is_none() && self.streams.has_room());
    }

    /// The container has these addresses no more: who was led to one of them is told.
    pub fn forget(&mut self, addresses: &[IpAddr]) {
        self.streams.cut(|address| addresses.contains(&address));
        self.peers.leave(|peer| addresses.contains(&peer.address));
        self.reopen();
    }

    /// The container's process has ended: what it said last is passed on as far as that goes at once, and then all is over. The
    /// doors stay as they are.
    pub fn finish(&mut self, buffer: &mut [u8]) {
        self.streams.finish(buffer);
        self.peers.leave(|_| true);
        self.reopen();
    }

    /// There is room again.
    fn reopen(&mut self) {
        self.shut_until = None;
        self.watch.iter_mut().for_each(|watch| watch.open(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_codes_of_their_own() {
        for source in [Source::Doors, Source::Datagrams(0), Source::Datagrams(i32::MAX), Source::Stream(0), Source::Stream(255), Source::Peer(127)] {
            assert_eq!(Source::of(source.code()), source);
        }
    }
}
