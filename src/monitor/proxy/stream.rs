//! Connections (TCP) carried between `[::1]` and the container, both ways, each way to its own end.
//!
//! What has come in on one side is looked at where it lies (`MSG_PEEK`), sent on, and only what the other side took is taken
//! away (`MSG_TRUNC`, without a copy). So a slow reader slows its writer down as it would on one connection, nothing is kept
//! here, and it costs no more than reading into a buffer does.
//!
//! ```text
//!  connecting ──► open ── one side says no more ──► its way is over (the other side hears so), the other way goes on
//!      │            │                                        └── both are over ──► closed
//!      └─ refused: the next address, or else ───► reset, and so for every error
//! ```

use super::{Source, Watch, is_loopback};
use rustix::event::epoll::EventFlags as Interest;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Connections at once, for all ports of one container: who comes then waits at the door, in the kernel's queue.
pub(super) const MOST: usize = 256;
/// Bytes that one way carries in one turn, at most.
const SHARE: usize = 256 << 10;
/// Bytes that the kernel keeps for each way of each of our two sockets: enough for links that are this near, and a bound for what
/// all who read slowly have waiting here.
const ROOM: usize = 256 << 10;
/// Who is let in by one door in one turn.
const GUESTS: usize = 16;

/// All connections of a container; their numbers are their places.
#[derive(Debug, Default)]
pub(super) struct Streams(Vec<Option<Stream>>);

/// One connection.
#[derive(Debug)]
struct Stream {
    client: OwnedFd,
    inside: OwnedFd,
    /// Where it is connected to.
    target: SocketAddr,
    /// How many of the container's addresses were tried before.
    tried: usize,
    connecting: bool,
    asking: Way,
    answering: Way,
    /// What both ends are looked at for: the client's, the container's.
    wanted: [Interest; 2],
}

/// One of the two ways through a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// Its writer has said all, and its reader was told so.
    over: bool,
    /// Its reader takes no more for now.
    stuck: bool,
}

/// How a connection stands after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Open,
    Over,
}

impl Streams {
    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.0.len() < MOST || self.0.iter().any(Option::is_none)
    }

    /// Lets in who waits at a door.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(super) fn accept(&mut self, watch: &Watch, door: BorrowedFd<'_>, inside: u16, targets: &[IpAddr]) -> io::Result<()> {
        for _ in 0..GUESTS {
            if !self.has_room() {
                break;
            }
            let (client, from) = match rustix::net::acceptfrom_with(door, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(come) => come,
                Err(Errno::AGAIN) => break,
                Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => return Err(error.into()),
                // One that is gone already; and the kernel hands on errors of the network.
                Err(_) => continue,
            };
            let allowed = from.and_then(|from| SocketAddr::try_from(from).ok()).is_some_and(is_loopback);
            match connect(targets, inside, 0).filter(|_| allowed) {
                Some((socket, target, tried)) => self.enter(watch, client, socket, target, tried),
                None => reset(&client),
            }
        }
        Ok(())
    }

    fn enter(&mut self, watch: &Watch, client: OwnedFd, inside: OwnedFd, target: SocketAddr, tried: usize) {
        let ways = (Way::default(), Way::default());
        settle(&client);
        let mut stream = Stream { client, inside, target, tried, connecting: true, asking: ways.0, answering: ways.1, wanted: [Interest::empty(); 2] };
        let number = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        if stream.look(watch, number).is_err() {
            return stream.reset();
        }
        match self.0.get_mut(number) {
            Some(place) => *place = Some(stream),
            None => self.0.push(Some(stream)),
        }
    }

    /// Something happened at an end of a connection.
    pub(super) fn turn(&mut self, watch: &Watch, number: usize, targets: &[IpAddr], buffer: &mut [u8]) {
        let Some(place) = self.0.get_mut(number) else { return };
        let Some(stream) = place else { return };
        let turned = stream.turn(targets, buffer).and_then(|standing| stream.look(watch, number).map(|()| standing));
        match turned {
            Ok(Standing::Open) => return,
            Ok(Standing::Over) => *place = None,
            Err(_) => place.take().iter().for_each(Stream::reset),
        }
        self.shrink();
    }

    /// Resets the connections to some addresses.
    pub(super) fn cut(&mut self, concerned: impl Fn(IpAddr) -> bool) {
        for place in &mut self.0 {
            place.take_if(|stream| concerned(stream.target.ip())).iter().for_each(Stream::reset);
        }
        self.shrink();
    }

    /// Passes on what has come, without waiting, and ends all. Who was not told the end by the container itself is reset.
    pub(super) fn finish(&mut self, buffer: &mut [u8]) {
        for mut stream in self.0.drain(..).flatten() {
            while !stream.connecting && !stream.answering.over && !stream.answering.stuck {
                match carry(&stream.inside, &stream.client, &mut stream.answering, buffer) {
                    Ok(SHARE..) => {}
                    _ => break,
                }
            }
            if !stream.answering.over {
                stream.reset();
            }
        }
        self.shrink();
    }

    /// Gives memory back that nobody needs.
    fn shrink(&mut self) {
        while self.0.last().is_some_and(Option::is_none) {
            self.0.pop();
        }
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }
}

impl Stream {
    /// Carries what there is to be carried.
    fn turn(&mut self, targets: &[IpAddr], buffer: &mut [u8]) -> io::Result<Standing> {
        if self.connecting {
            match sockopt::socket_error(&self.inside)? {
                Ok(()) if rustix::net::getpeername(&self.inside).is_err() => return Ok(Standing::Open),
                Ok(()) => self.connecting = false,
                // A program may listen at one of the container's addresses and not at the other.
                Err(error) => {
                    let next = connect(targets, self.target.port(), self.tried + 1);
                    (self.inside, self.target, self.tried) = next.ok_or(error)?;
                    // The old socket took its place in the epoll with it.
                    self.wanted[1] = Interest::empty();
                    return Ok(Standing::Open);
                }
            }
        }
        carry(&self.client, &self.inside, &mut self.asking, buffer)?;
        carry(&self.inside, &self.client, &mut self.answering, buffer)?;
        Ok(if self.asking.over && self.answering.over { Standing::Over } else { Standing::Open })
    }

    /// Has both ends looked at for what they are waited for.
    fn look(&mut self, watch: &Watch, number: usize) -> io::Result<()> {
        let wants = |reads: Way, writes: Way| {
            let mut wants = Interest::empty();
            wants.set(Interest::IN, !reads.over && !reads.stuck);
            wants.set(Interest::OUT, writes.stuck);
            wants
        };
        let now = if self.connecting { [Interest::empty(), Interest::OUT] } else { [wants(self.asking, self.answering), wants(self.answering, self.asking)] };
        for (at, end) in [&self.client, &self.inside].into_iter().enumerate() {
            watch.want(end, Source::Stream(number), self.wanted[at], now[at])?;
            self.wanted[at] = now[at];
        }
        Ok(())
    }

    /// Tells both ends that it broke; they are closed with it.
    fn reset(&self) {
        reset(&self.client);
        reset(&self.inside);
    }
}

/// Sends what it is given at once, and keeps no more than there is room for. Neither is needed for it to work.
fn settle(socket: &OwnedFd) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
    let _ = sockopt::set_socket_recv_buffer_size(socket, ROOM);
    let _ = sockopt::set_socket_send_buffer_size(socket, ROOM);
}

/// Its closing will be a reset, as of a connection that broke.
fn reset(socket: &OwnedFd) {
    let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

/// Begins a connection to the first of the container's addresses, from the one at `tried` on, that does not fail at once.
fn connect(targets: &[IpAddr], port: u16, tried: usize) -> Option<(OwnedFd, SocketAddr, usize)> {
    targets.iter().enumerate().skip(tried).find_map(|(at, address)| {
        let target = SocketAddr::new(*address, port);
        let family = if target.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None).ok()?;
        settle(&socket);
        match rustix::net::connect(&socket, &target) {
            Ok(()) | Err(Errno::INPROGRESS) => Some((socket, target, at)),
            Err(_) => None,
        }
    })
}

/// Carries a share of one way; gives how many bytes it was.
fn carry(from: &OwnedFd, to: &OwnedFd, way: &mut Way, buffer: &mut [u8]) -> io::Result<usize> {
    let mut carried = 0;
    while carried < SHARE && !way.over {
        let length = match rustix::net::recv(from.as_fd(), &mut *buffer, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((length, _)) => length,
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => {
                way.stuck = false;
                break;
            }
            Err(error) => return Err(error.into()),
        };
        if length == 0 {
            rustix::net::shutdown(to, Shutdown::Write)?;
            *way = Way { over: true, stuck: false };
            break;
        }
        let sent = match rustix::net::send(to, &buffer[..length], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Err(Errno::AGAIN) => 0,
            Err(Errno::INTR) => continue,
            other => other?,
        };
        take_away(from, &mut buffer[..sent])?;
        carried += sent;
        way.stuck = sent < length;
        if way.stuck {
            break;
        }
    }
    Ok(carried)
}

/// Takes as many bytes as the buffer is long out of a socket that has them. Source: tcp(7), `MSG_TRUNC`.
fn take_away(from: &OwnedFd, buffer: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match rustix::net::recv(from, &mut buffer[done..], RecvFlags::TRUNC | RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((length, _)) => done += length,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
