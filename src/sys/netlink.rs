//! Netlink: messages to the kernel's networking, many at a time, and its answers.
//!
//! Source: RFC 3549, linux/netlink.h, netlink(7).

use netlink_sys::{Socket, SocketAddr};
use rustix::net::RecvFlags as Flags;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Links, addresses and routes.
pub const ROUTE: isize = netlink_sys::protocols::NETLINK_ROUTE;
/// The firewall and the table of connections.
pub const NETFILTER: isize = netlink_sys::protocols::NETLINK_NETFILTER;

/// Bytes of a message's header.
const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The room for one answer: the kernel sends no more than this at once.
const ANSWER: usize = 64 << 10;

/// A conversation with the kernel about one network namespace: the one the calling thread was in when it was opened.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// One answer of the kernel without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The message's type.
    pub kind: u16,
    /// What follows the header.
    pub payload: Vec<u8>,
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

impl Netlink {
    /// Opens a conversation about the caller's own network namespace.
    ///
    /// # Errors
    /// The kernel's; EPROTONOSUPPORT where it has no such part.
    pub fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 1 })
    }

    /// Opens one about another network namespace.
    ///
    /// # Errors
    /// The kernel's, also if this thread may not enter there.
    pub fn open_in(namespace: BorrowedFd<'_>, protocol: isize) -> io::Result<Self> {
        within(namespace, || Self::open(protocol))?
    }

    /// Sends whole messages (each with its header, its sequence number still to be given) as one piece and gives the
    /// kernel's word about each that asked for one (`NLM_F_ACK`), in their order. The kernel goes on after one that failed.
    ///
    /// # Errors
    /// The conversation itself broke down.
    pub fn batch(&mut self, messages: &mut [Vec<u8>]) -> io::Result<Vec<io::Result<()>>> {
        const NLM_F_ACK: u16 = 4;
        let first = self.sequence;
        let mut results: Vec<io::Result<()>> = Vec::with_capacity(messages.len());
        let mut waiting = Vec::new();
        let mut bytes = Vec::with_capacity(messages.iter().map(Vec::len).sum());
        for message in messages.iter_mut() {
            message[8..12].copy_from_slice(&self.sequence.to_ne_bytes());
            let flags = u16::from_ne_bytes([message[6], message[7]]);
            waiting.push(flags & NLM_F_ACK != 0);
            results.push(Ok(()));
            bytes.extend_from_slice(message);
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.enlarge(bytes.len(), messages.len());
        self.socket.send(&bytes, 0)?;
        // The kernel has done all of it when the sending returns: what it has to say lies there.
        while let Some(answers) = self.receive(Flags::DONTWAIT)? {
            for (sequence, _, answer) in answers {
                let at = sequence.wrapping_sub(first) as usize;
                if answer.kind != NLMSG_ERROR || at >= results.len() {
                    continue;
                }
                waiting[at] = false;
                let code = number(&answer.payload, 0) as i32;
                // The first word counts; a message that asked for none still hears of its failure.
                if code != 0 && results[at].is_ok() {
                    results[at] = Err(io::Error::from_raw_os_error(-code));
                }
            }
        }
        // One that fails as a whole is told about at its first message only.
        for (result, _) in results.iter_mut().zip(waiting).filter(|(_, waits)| *waits) {
            *result = Err(io::Error::other("the kernel did not come to it"));
        }
        Ok(results)
    }

    /// Sends one message and gives all that the kernel answers to it: a single answer, or a list to its end.
    ///
    /// # Errors
    /// The kernel's refusal, or the conversation broke down.
    pub fn ask(&mut self, message: &mut [u8]) -> io::Result<Vec<Answer>> {
        let mut answers = Vec::new();
        self.each(message, |answer| answers.push(answer))?;
        Ok(answers)
    }

    /// As [`Netlink::ask`], for lists too long to be kept: gives each answer as it comes.
    ///
    /// # Errors
    /// The kernel's refusal, or the conversation broke down.
    pub fn each(&mut self, message: &mut [u8], mut take: impl FnMut(Answer)) -> io::Result<()> {
        const NLM_F_MULTI: u16 = 2;
        let own = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        message[8..12].copy_from_slice(&own.to_ne_bytes());
        self.socket.send(message, 0)?;
        loop {
            let (mut more, mut some) = (false, false);
            for (sequence, flags, answer) in self.receive(Flags::empty())?.unwrap_or_default() {
                if sequence != own {
                    continue;
                }
                match answer.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => match number(&answer.payload, 0) as i32 {
                        0 => return Ok(()),
                        code => return Err(io::Error::from_raw_os_error(-code)),
                    },
                    _ => {
                        (more, some) = (more || flags & NLM_F_MULTI != 0, true);
                        take(answer);
                    }
                }
            }
            if some && !more {
                return Ok(());
            }
        }
    }

    /// Room for a long batch and the answers to it: the kernel takes a piece of at most its sending buffer, and each
    /// answer takes up to a page of the receiving one.
    fn enlarge(&mut self, bytes: usize, messages: usize) {
        use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force};
        // Where they may not grow, the kernel says so at the sending, or that answers were lost.
        if bytes > 64 << 10 {
            let _ = set_socket_send_buffer_size_force(&self.socket, bytes * 2);
        }
        if messages > 64 {
            let _ = set_socket_recv_buffer_size_force(&self.socket, messages.saturating_mul(2048));
        }
    }

    /// What has come, or waits for it; `None` if it is not to wait and nothing is there.
    fn receive(&mut self, flags: Flags) -> io::Result<Option<Vec<(u32, u16, Answer)>>> {
        let mut buffer = Vec::with_capacity(ANSWER);
        loop {
            buffer.clear();
            match self.socket.recv(&mut buffer, flags.bits() as i32) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                other => break other.map(|_| ())?,
            }
        }
        let mut answers = Vec::new();
        let mut rest = &buffer[..];
        while rest.len() >= HEADER {
            let length = (number(rest, 0) as usize).clamp(HEADER, rest.len());
            let kind = u16::from_ne_bytes([rest[4], rest[5]]);
            let flags = u16::from_ne_bytes([rest[6], rest[7]]);
            answers.push((number(rest, 8), flags, Answer { kind, payload: rest[HEADER..length].to_vec() }));
            rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        }
        Ok(Some(answers))
    }
}

/// Does something in another network namespace: the calling thread goes there and comes back.
///
/// # Errors
/// The kernel's, if it may not go there. A thread that cannot come back ends its process: it must not go on elsewhere.
pub fn within<T>(namespace: BorrowedFd<'_>, work: impl FnOnce() -> T) -> io::Result<T> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    let own = std::fs::File::open("/proc/thread-self/ns/net")?;
    move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network))?;
    let value = work();
    if move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Network)).is_err() {
        std::process::abort();
    }
    Ok(value)
}
