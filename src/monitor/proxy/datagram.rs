//! Datagrams (UDP) between `[::1]` and the container: each who sends some gets a socket of its own, by which it is answered.

use super::{Source, Watch, is_loopback};
use rustix::event::epoll::EventFlags as Interest;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Senders at once, for all ports of one container: who comes then takes the place of who has been silent for longest.
const MOST: usize = 128;
/// How long one who is silent, and not answered, is remembered.
const SILENCE: Duration = Duration::from_secs(60);
/// Datagrams that are carried in one turn by one socket.
const SHARE: usize = 64;

/// All who send; their numbers are their places.
#[derive(Debug, Default)]
pub(super) struct Peers(Vec<Option<Peer>>);

/// One who sends.
#[derive(Debug)]
pub(super) struct Peer {
    client: SocketAddr,
    /// The number of the door by which it came.
    pub(super) door: i32,
    /// The container's address that it is led to.
    pub(super) address: IpAddr,
    /// Connected there.
    inside: OwnedFd,
    heard: Instant,
}

impl Peers {
    /// When the first of them will have been silent for too long.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().flatten().map(|peer| peer.heard + SILENCE).min()
    }

    /// Forgets who has been silent for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        self.leave(|peer| peer.heard + SILENCE <= now);
    }

    /// Forgets some.
    pub(super) fn leave(&mut self, concerned: impl Fn(&Peer) -> bool) {
        for place in &mut self.0 {
            place.take_if(|peer| concerned(peer));
        }
        while self.0.last().is_some_and(Option::is_none) {
            self.0.pop();
        }
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    /// Passes on what waits at a door. What cannot be passed on is lost, as datagrams are.
    pub(super) fn take(&mut self, watch: &Watch, door: BorrowedFd<'_>, inside: u16, targets: &[IpAddr], buffer: &mut [u8], now: Instant) {
        for _ in 0..SHARE {
            let (length, from) = match rustix::net::recvfrom(door, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((length, _, from)) => (length, from.and_then(|from| SocketAddr::try_from(from).ok())),
                Err(Errno::AGAIN) => return,
                Err(_) => continue,
            };
            let Some(client) = from.filter(|from| is_loopback(*from)) else { continue };
            let known = |place: &Option<Peer>| place.as_ref().is_some_and(|peer| peer.client == client && peer.door == door.as_raw_fd());
            let number = self.0.iter().position(known).or_else(|| self.enter(watch, client, door.as_raw_fd(), inside, targets, now));
            if let Some(peer) = number.and_then(|number| self.0[number].as_mut()) {
                peer.heard = now;
                // An error of an earlier datagram is told at the next one, which is not sent then.
                let send = || rustix::net::send(&peer.inside, &buffer[..length], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
                let _ = send().or_else(|_| send());
            }
        }
    }

    fn enter(&mut self, watch: &Watch, client: SocketAddr, door: i32, inside: u16, targets: &[IpAddr], now: Instant) -> Option<usize> {
        let target = SocketAddr::new(*targets.first()?, inside);
        let oldest = || self.0.iter().enumerate().min_by_key(|(_, place)| place.as_ref().map(|peer| peer.heard)).map_or(0, |(at, _)| at);
        let number = if self.0.len() < MOST { self.0.iter().position(Option::is_none).unwrap_or(self.0.len()) } else { oldest() };
        let family = if target.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let socket = rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None).ok()?;
        rustix::net::connect(&socket, &target).ok()?;
        watch.want(&socket, Source::Peer(number), Interest::empty(), Interest::IN).ok()?;
        let peer = Some(Peer { client, door, address: target.ip(), inside: socket, heard: now });
        match self.0.get_mut(number) {
            Some(place) => *place = peer,
            None => self.0.push(peer),
        }
        Some(number)
    }

    /// Passes on what the container has answered to one of them, by the door that it came in by.
    pub(super) fn answer<'a>(&mut self, number: usize, door: impl Fn(i32) -> Option<BorrowedFd<'a>>, buffer: &mut [u8], now: Instant) {
        let Some(peer) = self.0.get_mut(number).and_then(Option::as_mut) else { return };
        let Some(door) = door(peer.door) else { return };
        for _ in 0..SHARE {
            match rustix::net::recv(&peer.inside, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    peer.heard = now;
                    let _ = rustix::net::sendto(door, &buffer[..length], SendFlags::NOSIGNAL | SendFlags::DONTWAIT, &peer.client);
                }
                Err(Errno::AGAIN) => return,
                // Nobody listens there: told once for each that was sent.
                Err(_) => {}
            }
        }
    }
}
