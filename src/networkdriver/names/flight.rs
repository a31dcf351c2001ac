//! Questions over UDP that went on to a resolver: each from a port and with a number of its own.
//!
//! A forger would have to guess both: every question gets a fresh socket, connected, so that the kernel lets nobody else's
//! answer in, and a random number. An answer that repeats another question is not taken. One that was cut short goes on as
//! it is: the client asks again over TCP.

use super::message::{self, Question, Way};
use super::server::Server;
use super::watch::{Interest, Source};
use hickory_proto::op::Query;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Questions under way, of one container and of all.
const EACH: usize = 256;
const ALL: usize = 1024;
/// How long a resolver has for its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Attempts at least: a lone resolver is asked again, a packet may have been lost.
const ATTEMPTS: usize = 2;
/// Answers to other questions that one resolver may send.
const STRANGERS: usize = 16;

/// A question under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub guest: u64,
    /// When the next resolver is asked.
    pub deadline: Instant,
    from: SocketAddr,
    bytes: Vec<u8>,
    query: Query,
    /// What to say if nobody answers, or a resolver's word that it cannot.
    last: Vec<u8>,
    servers: Vec<SocketAddr>,
    attempt: usize,
    id: u16,
    /// The number the container gave it.
    theirs: u16,
    strangers: usize,
    socket: Option<OwnedFd>,
}

impl Flight {
    /// Asks the next resolver; false if all have been asked.
    fn ask(&mut self) -> io::Result<bool> {
        while self.attempt < self.servers.len().max(ATTEMPTS) {
            let server = self.servers[self.attempt % self.servers.len()];
            self.attempt += 1;
            self.strangers = 0;
            self.socket = None;
            self.id = random()?;
            message::set_id(&mut self.bytes, self.id);
            let socket = socket(server, SocketType::DGRAM)?;
            // A resolver that cannot be reached is passed over.
            let sent = rustix::net::connect(&socket, &server).and_then(|()| rustix::net::send(&socket, &self.bytes, SendFlags::NOSIGNAL));
            if sent.is_ok() {
                self.socket = Some(socket);
                self.deadline = Instant::now() + PATIENCE;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A socket that does not wait, for packets to a resolver.
pub(super) fn socket(server: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = if server.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    Ok(rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}

/// A random number for a question.
pub(super) fn random() -> io::Result<u16> {
    let mut bytes = [0; 2];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(u16::from_ne_bytes(bytes))
}

impl Server {
    /// Sends a container's question on.
    pub(super) fn launch(&mut self, guest: u64, from: SocketAddr, bytes: Vec<u8>, question: &Question, servers: Vec<SocketAddr>) {
        if !self.has_room(guest) {
            return;
        }
        let number = self.number();
        let flight = Flight {
            guest,
            deadline: Instant::now(),
            from,
            theirs: message::id(&bytes),
            bytes,
            query: question.query.clone(),
            last: question.failure(Way::Udp),
            servers,
            attempt: 0,
            id: 0,
            strangers: 0,
            socket: None,
        };
        if let Some(guest) = self.guests.get_mut(&guest) {
            guest.flights += 1;
            self.flights.insert(number, flight);
            self.retry(number);
        }
    }

    /// Asks the next resolver, or tells the container that none could help.
    pub(super) fn retry(&mut self, number: u64) {
        let Some(flight) = self.flights.get_mut(&number) else { return };
        let asked = flight.ask().and_then(|asked| match &flight.socket {
            Some(socket) if asked => self.watch.add(socket, Source::Flight(number), Interest::IN).map(|()| true),
            _ => Ok(false),
        });
        let deadline = flight.deadline;
        match asked {
            Ok(true) => self.wake_at(deadline),
            Ok(false) => self.finish(number, None),
            Err(error) => {
                self.complain("cannot ask a resolver", &error);
                self.finish(number, None);
            }
        }
    }

    /// Something came for a question under way.
    pub(super) fn land(&mut self, number: u64) {
        let Some(flight) = self.flights.get_mut(&number) else { return };
        let Some(socket) = &flight.socket else { return };
        let length = match rustix::net::recv(socket.as_fd(), &mut self.buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, length)) => length.min(self.buffer.len()),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
            // Nobody listens there.
            Err(_) => return self.retry(number),
        };
        let bytes = &self.buffer[..length];
        if !message::answers(bytes, flight.id, &flight.query) {
            flight.strangers += 1;
            if flight.strangers > STRANGERS {
                self.retry(number);
            }
        } else if message::is_refusal(bytes) {
            bytes.clone_into(&mut flight.last);
            // A lone resolver that has said so is not asked twice.
            if flight.attempt < flight.servers.len() { self.retry(number) } else { self.finish(number, None) }
        } else {
            let answer = bytes.to_vec();
            self.finish(number, Some(answer));
        }
    }

    fn finish(&mut self, number: u64, answer: Option<Vec<u8>>) {
        let Some(flight) = self.drop_flight(number) else { return };
        let mut answer = answer.unwrap_or(flight.last);
        message::set_id(&mut answer, flight.theirs);
        self.reply(flight.guest, flight.from, &answer);
    }

    fn drop_flight(&mut self, number: u64) -> Option<Flight> {
        let flight = self.flights.remove(&number)?;
        if let Some(guest) = self.guests.get_mut(&flight.guest) {
            guest.flights -= 1;
        }
        Some(flight)
    }

    /// Whether a container may ask one more question; where all together are too many, the one with the most loses its
    /// oldest, and will ask it again.
    ///
    /// A container's own limit stops its newest instead: dropping its oldest would let it ask without end, and resolvers
    /// that are flooded answer nobody.
    fn has_room(&mut self, guest: u64) -> bool {
        if self.guests.get(&guest).is_none_or(|guest| guest.flights >= EACH) {
            return false;
        }
        if self.flights.len() >= ALL {
            let victim = self.guests.iter().max_by_key(|(_, guest)| guest.flights).map(|(number, _)| *number);
            let oldest = self.flights.iter().find(|(_, flight)| Some(flight.guest) == victim).map(|(number, _)| *number);
            if let Some(number) = oldest {
                self.drop_flight(number);
            }
        }
        true
    }
}
