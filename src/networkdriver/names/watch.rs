//! Which of the many sockets has something to say: epoll, with what each socket is for.

use rustix::event::{Timespec, epoll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Events taken at once: whoever had one comes last in the kernel's list, so that all get their turn.
const EVENTS: usize = 64;

pub(super) use rustix::event::epoll::EventFlags as Interest;

/// What a socket is for. Numbers are given once and never again: an event that comes late finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Where monitors knock.
    Door,
    /// A monitor's connection.
    Guest(u64),
    /// A container's UDP questions.
    Datagrams(u64),
    /// A container's new TCP connections.
    Calls(u64),
    /// A question that went on to a resolver over UDP.
    Flight(u64),
    /// A TCP connection of a container.
    Stream(u64),
    /// Its connection to a resolver.
    Line(u64),
}

/// Bits of a number; the kind of source is above them.
const BITS: u32 = 56;

impl Source {
    fn code(self) -> u64 {
        let (kind, number) = match self {
            Self::Door => (0, 0),
            Self::Guest(number) => (1, number),
            Self::Datagrams(number) => (2, number),
            Self::Calls(number) => (3, number),
            Self::Flight(number) => (4, number),
            Self::Stream(number) => (5, number),
            Self::Line(number) => (6, number),
        };
        kind << BITS | number
    }

    fn of(code: u64) -> Self {
        let number = code & ((1 << BITS) - 1);
        match code >> BITS {
            1 => Self::Guest(number),
            2 => Self::Datagrams(number),
            3 => Self::Calls(number),
            4 => Self::Flight(number),
            5 => Self::Stream(number),
            6 => Self::Line(number),
            _ => Self::Door,
        }
    }
}

/// The sockets that are waited for. One that is closed is forgotten.
pub(super) struct Watch {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Watch {
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?, events: Vec::with_capacity(EVENTS) })
    }

    pub fn add(&self, socket: impl AsFd, source: Source, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, epoll::EventData::new_u64(source.code()), interest)?)
    }

    pub fn change(&self, socket: impl AsFd, source: Source, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, epoll::EventData::new_u64(source.code()), interest)?)
    }

    pub fn forget(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, socket)?)
    }

    /// Waits for at most so long; the sources that have something, each with what.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Vec<(Source, Interest)>> {
        // Whole milliseconds, rounded up: finer ones need Linux 5.11.
        let timeout = timeout.map(|time| time.as_micros().div_ceil(1000).min(60_000) as i64);
        let timeout = timeout.map(|millis| Timespec { tv_sec: millis / 1000, tv_nsec: millis % 1000 * 1_000_000 });
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            other => other?,
        };
        Ok(self.events.iter().map(|event| (Source::of(event.data.u64()), event.flags)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn sources_come_back_from_the_kernel_as_they_went() {
        let number = (1 << 40) + 7;
        let all =
            [Source::Door, Source::Guest(0), Source::Datagrams(number), Source::Calls(1), Source::Flight(number), Source::Stream(2), Source::Line(number)];
        for source in all {
            assert_eq!(Source::of(source.code()), source);
        }
    }
}
