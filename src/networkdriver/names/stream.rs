//! Questions over TCP: a container's connections, and for each at most one to a resolver.
//!
//! ```text
//!  read ──► whole question? ──► answer ours ──────────────────────────┐
//!    ▲             └──► line to a resolver ──► its answer, or failure ─┤
//!    └────────────────────────── written ◄─────────────────────────────┘
//! ```
//!
//! One question after the other: what comes meanwhile waits in the kernel, so that a connection never holds more than one
//! question and one answer. Each is two bytes of length and a message (RFC 1035, 4.2.2).

use super::flight;
use super::message::{self, Question, Way};
use super::server::{Server, Verdict};
use super::watch::{Interest, Source};
use hickory_proto::op::Query;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Connections at once, of one container and of all.
const EACH: usize = 8;
const ALL: usize = 256;
/// How long a connection may be without a whole question, or an answer wait to be taken.
const IDLE: Duration = Duration::from_secs(10);
/// How long a resolver has from the first packet to the whole answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// Questions of one connection at a turn.
const SHARE: usize = 4;
/// Bytes of a length.
const LENGTH: usize = 2;

/// A connection of a container.
#[derive(Debug)]
pub(super) struct Stream {
    pub guest: u64,
    socket: OwnedFd,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    sent: usize,
    /// It will ask nothing more.
    ended: bool,
    idle: Instant,
    interest: Interest,
    line: Option<Line>,
}

/// A question that went on to a resolver.
#[derive(Debug)]
struct Line {
    socket: Option<OwnedFd>,
    question: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    query: Query,
    id: u16,
    /// The number the container gave it.
    theirs: u16,
    servers: Vec<SocketAddr>,
    attempt: usize,
    last: Vec<u8>,
    deadline: Instant,
}

/// How far something has come.
enum Progress<T> {
    Waits,
    Done(T),
}

impl Stream {
    /// When it has taken too long.
    pub fn deadline(&self) -> Instant {
        self.line.as_ref().map_or(self.idle, |line| line.deadline)
    }

    /// What it waits for.
    fn wanted(&self) -> Interest {
        if !self.outgoing.is_empty() {
            Interest::OUT
        } else if self.line.is_some() {
            Interest::empty()
        } else if self.frame().is_some() {
            // Its next question is here already and has only to wait for its turn.
            Interest::OUT
        } else {
            Interest::IN
        }
    }

    fn answer(&mut self, message: &[u8]) {
        self.outgoing = framed(message);
        self.sent = 0;
        self.idle = Instant::now() + IDLE;
    }

    /// Writes what there is to write.
    fn flush(&mut self) -> Result<Progress<()>, Errno> {
        while self.sent < self.outgoing.len() {
            match rustix::net::send(&self.socket, &self.outgoing[self.sent..], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(bytes) => self.sent += bytes,
                Err(Errno::AGAIN) => return Ok(Progress::Waits),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing = Vec::new();
        Ok(Progress::Done(()))
    }

    /// The length of the whole question that has come, if one has.
    fn frame(&self) -> Option<usize> {
        let length = usize::from(u16::from_be_bytes(*self.incoming.first_chunk()?));
        (self.incoming.len() >= LENGTH + length || length > message::LONGEST).then_some(length)
    }

    /// The next whole question; none, if there will be none.
    fn question(&mut self, buffer: &mut [u8]) -> Result<Progress<Option<Vec<u8>>>, Errno> {
        loop {
            match self.frame() {
                Some(length) if length > message::LONGEST => return Ok(Progress::Done(None)),
                Some(length) => {
                    let rest = self.incoming.split_off(LENGTH + length);
                    let question = std::mem::replace(&mut self.incoming, rest).split_off(LENGTH);
                    self.idle = Instant::now() + IDLE;
                    return Ok(Progress::Done(Some(question)));
                }
                None if self.ended => return Ok(Progress::Done(None)),
                None => {}
            }
            let room = LENGTH + message::LONGEST - self.incoming.len();
            match rustix::net::recv(&self.socket, &mut buffer[..room], RecvFlags::DONTWAIT) {
                Ok((0, _)) => self.ended = true,
                Ok((bytes, _)) => self.incoming.extend_from_slice(&buffer[..bytes]),
                Err(Errno::AGAIN) => return Ok(Progress::Waits),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Line {
    fn new(bytes: &[u8], question: &Question, servers: Vec<SocketAddr>) -> Self {
        Self {
            socket: None,
            question: framed(bytes),
            sent: 0,
            received: Vec::new(),
            query: question.query.clone(),
            id: 0,
            theirs: message::id(bytes),
            servers,
            attempt: 0,
            last: question.failure(Way::Tcp),
            deadline: Instant::now(),
        }
    }

    /// Calls the next resolver; false if all have been called.
    fn dial(&mut self) -> io::Result<bool> {
        while let Some(server) = self.servers.get(self.attempt) {
            self.attempt += 1;
            self.sent = 0;
            self.received = Vec::new();
            self.id = flight::random()?;
            message::set_id(&mut self.question[LENGTH..], self.id);
            let socket = flight::socket(*server, SocketType::STREAM)?;
            if matches!(rustix::net::connect(&socket, server), Ok(()) | Err(Errno::INPROGRESS)) {
                self.socket = Some(socket);
                self.deadline = Instant::now() + PATIENCE;
                return Ok(true);
            }
        }
        self.socket = None;
        Ok(false)
    }

    /// Writes the question and reads the answer as far as that goes.
    fn talk(&mut self, buffer: &mut [u8]) -> Result<Progress<()>, Errno> {
        let Some(socket) = &self.socket else { return Err(Errno::NOTCONN) };
        while self.sent < self.question.len() {
            match rustix::net::send(socket, &self.question[self.sent..], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(bytes) => self.sent += bytes,
                Err(Errno::AGAIN) => return Ok(Progress::Waits),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        loop {
            let whole = self.received.first_chunk().map_or(LENGTH, |length| LENGTH + usize::from(u16::from_be_bytes(*length)));
            if self.received.len() >= LENGTH && self.received.len() == whole {
                return Ok(Progress::Done(()));
            }
            match rustix::net::recv(socket, &mut buffer[..whole - self.received.len()], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Err(Errno::CONNRESET),
                Ok((bytes, _)) => self.received.extend_from_slice(&buffer[..bytes]),
                Err(Errno::AGAIN) => return Ok(Progress::Waits),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    // No message here is longer than its length can say: each was read with one, or made to fit.
    let mut bytes = Vec::with_capacity(LENGTH + message.len());
    bytes.extend_from_slice(&(message.len() as u16).to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

impl Server {
    /// A container has called.
    pub(super) fn open_stream(&mut self, guest: u64, socket: OwnedFd) {
        self.hang_up_one(guest);
        let number = self.number();
        let Some(host) = self.guests.get_mut(&guest) else { return };
        let idle = Instant::now() + IDLE;
        let (interest, ended, line) = (Interest::IN, false, None);
        if let Err(error) = self.watch.add(&socket, Source::Stream(number), interest) {
            return self.complain("cannot watch a connection", &error);
        }
        host.streams += 1;
        self.streams.insert(number, Stream { guest, socket, incoming: Vec::new(), outgoing: Vec::new(), sent: 0, ended, idle, interest, line });
        self.wake_at(idle);
    }

    /// A container's connection has something.
    pub(super) fn turn_stream(&mut self, number: u64, interest: Interest) {
        if interest.intersects(Interest::ERR | Interest::HUP) {
            return drop(self.drop_stream(number));
        }
        self.advance(number);
    }

    /// Does all that can be done for a connection now.
    fn advance(&mut self, number: u64) {
        let Some(mut stream) = self.streams.remove(&number) else { return };
        let lives = self.pump(number, &mut stream);
        let wanted = stream.wanted();
        let watched = wanted == stream.interest || self.watch.change(&stream.socket, Source::Stream(number), wanted).is_ok();
        stream.interest = wanted;
        let deadline = stream.deadline();
        self.streams.insert(number, stream);
        if lives && watched {
            self.wake_at(deadline);
        } else {
            self.drop_stream(number);
        }
    }

    /// Whether the connection is to stay.
    fn pump(&mut self, number: u64, stream: &mut Stream) -> bool {
        for _ in 0..SHARE {
            match stream.flush() {
                Ok(Progress::Done(())) => {}
                Ok(Progress::Waits) => return true,
                Err(_) => return false,
            }
            if stream.line.is_some() {
                return true;
            }
            let bytes = match stream.question(&mut self.buffer) {
                Ok(Progress::Done(Some(bytes))) => bytes,
                Ok(Progress::Waits) => return true,
                Ok(Progress::Done(None)) | Err(_) => return false,
            };
            match self.judge(stream.guest, &bytes, Way::Tcp) {
                Verdict::Answer(answer) => stream.answer(&answer),
                Verdict::Forward(question, servers) => {
                    stream.line = Some(Line::new(&bytes, &question, servers));
                    self.call_next(number, stream);
                }
                Verdict::Silence => return false,
            }
        }
        true
    }

    /// Calls the next resolver for a connection, or gives it the answer that there is none.
    fn call_next(&mut self, number: u64, stream: &mut Stream) {
        let Some(line) = &mut stream.line else { return };
        let dialled = line.dial().and_then(|dialled| match &line.socket {
            Some(socket) if dialled => self.watch.add(socket, Source::Line(number), Interest::OUT).map(|()| true),
            _ => Ok(false),
        });
        match dialled {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => self.complain("cannot call a resolver", &error),
        }
        if let Some(Line { mut last, theirs, .. }) = stream.line.take() {
            message::set_id(&mut last, theirs);
            stream.answer(&last);
        }
    }

    /// A resolver has something for a connection.
    pub(super) fn turn_line(&mut self, number: u64) {
        let Some(mut stream) = self.streams.remove(&number) else { return };
        self.talk(number, &mut stream);
        self.streams.insert(number, stream);
        self.advance(number);
    }

    fn talk(&mut self, number: u64, stream: &mut Stream) {
        let Some(line) = &mut stream.line else { return };
        match line.talk(&mut self.buffer) {
            Ok(Progress::Waits) => {
                // While the question is not out the socket is waited for to be writable, then for the answer.
                let interest = if line.sent < line.question.len() { Interest::OUT } else { Interest::IN };
                let Some(socket) = &line.socket else { return };
                if self.watch.change(socket, Source::Line(number), interest).is_err() {
                    self.call_next(number, stream);
                }
            }
            Ok(Progress::Done(())) => {
                let mut answer = line.received.split_off(LENGTH);
                if !message::answers(&answer, line.id, &line.query) {
                    self.call_next(number, stream);
                } else if message::is_refusal(&answer) {
                    line.last = answer;
                    self.call_next(number, stream);
                } else {
                    message::set_id(&mut answer, line.theirs);
                    stream.line = None;
                    stream.answer(&answer);
                }
            }
            Err(_) => self.call_next(number, stream),
        }
    }

    /// A connection's time is over, or its resolver's.
    pub(super) fn stream_is_late(&mut self, number: u64) {
        let Some(mut stream) = self.streams.remove(&number) else { return };
        let resolver = stream.line.is_some();
        if resolver {
            self.call_next(number, &mut stream);
        }
        self.streams.insert(number, stream);
        if resolver {
            self.advance(number);
        } else {
            self.drop_stream(number);
        }
    }

    fn drop_stream(&mut self, number: u64) -> Option<Stream> {
        let stream = self.streams.remove(&number)?;
        if let Some(guest) = self.guests.get_mut(&stream.guest) {
            guest.streams -= 1;
        }
        Some(stream)
    }

    /// Makes room for one more connection: the oldest of whoever has too many is closed.
    fn hang_up_one(&mut self, guest: u64) {
        let own = self.guests.get(&guest).map_or(0, |guest| guest.streams);
        let victim = if own >= EACH {
            Some(guest)
        } else if self.streams.len() >= ALL {
            self.guests.iter().max_by_key(|(_, guest)| guest.streams).map(|(number, _)| *number)
        } else {
            None
        };
        let oldest = victim.and_then(|victim| self.streams.iter().find(|(_, stream)| stream.guest == victim).map(|(number, _)| *number));
        if let Some(number) = oldest {
            self.drop_stream(number);
        }
    }
}
