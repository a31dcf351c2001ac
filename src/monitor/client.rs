//! A client of the console socket, as its monitor holds it: what it sent, what waits for it, how patient we are.

use super::log::Stream;
use super::protocol::{Decoder, Frame, Hello, Reply, Welcome};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Output that may wait for a client, in bytes; beyond it the client misses some.
const QUEUE: usize = 256 << 10;
/// How long a client that must miss nothing may take nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client.
#[derive(Debug)]
pub struct Client {
    fd: OwnedFd,
    decoder: Decoder,
    queue: Vec<u8>,
    sent: usize,
    missed: u64,
    /// Misses nothing: the container's output waits for it, until it has taken nothing for too long.
    lossless: bool,
    progress: Instant,
    /// What it is part of; nothing before its hello.
    pub hello: Hello,
    /// It waits for the answer to a stop.
    pub stopping: bool,
    /// It asked whether the container is well: the answer is its reply.
    pub asking: bool,
    gone: bool,
}

impl Client {
    /// A client that connected; `first` is the one that `run` brought along.
    pub fn new(fd: OwnedFd, first: bool) -> Self {
        Self {
            fd,
            decoder: Decoder::default(),
            queue: Vec::new(),
            sent: 0,
            missed: 0,
            lossless: first,
            progress: Instant::now(),
            hello: Hello::default(),
            stopping: false,
            asking: false,
            gone: false,
        }
    }

    /// Its socket.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// It hung up, or spoke something else than frames.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// Something waits to be sent.
    pub fn is_waiting(&self) -> bool {
        self.sent < self.queue.len()
    }

    /// The container's output must wait for it.
    pub fn holds_back(&self) -> bool {
        self.lossless && self.hello.output && self.queue.len() - self.sent >= QUEUE
    }

    /// When patience with it ends.
    pub fn deadline(&self) -> Option<Instant> {
        self.holds_back().then(|| self.progress + PATIENCE)
    }

    /// Ends the patience if it is time.
    pub fn lose_patience(&mut self, now: Instant) {
        if self.deadline().is_some_and(|end| end <= now) {
            self.lossless = false;
        }
    }

    /// Reads what it sent; one buffer at a time, so that no client keeps the others waiting.
    pub fn read(&mut self, buffer: &mut [u8]) {
        match rustix::net::recv(&self.fd, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => self.gone = true,
            Ok((_, length)) => self.decoder.feed(&buffer[..length]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.gone = true,
        }
    }

    /// The next frame it sent.
    pub fn frame(&mut self) -> Option<Frame> {
        if let Ok(frame) = self.decoder.frame() {
            frame
        } else {
            self.gone = true;
            None
        }
    }

    /// Greets it.
    pub fn welcome(&mut self, tty: bool) {
        Frame::Welcome(Welcome { tty }).encode(&mut self.queue);
    }

    /// Queues output, or counts it as missed.
    pub fn output(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.hello.output {
            return;
        }
        if self.queue.len() - self.sent >= QUEUE && !self.lossless {
            self.missed += bytes.len() as u64;
            return;
        }
        self.tell_missed();
        if !self.is_waiting() {
            self.progress = Instant::now();
        }
        let kind = if stream == Stream::Stdout { 17 } else { 18 };
        for chunk in bytes.chunks(super::protocol::LONGEST) {
            self.queue.extend_from_slice(&super::protocol::head(kind, chunk.len()));
            self.queue.extend_from_slice(chunk);
        }
    }

    fn tell_missed(&mut self) {
        if self.missed > 0 {
            Frame::Missed(std::mem::take(&mut self.missed)).encode(&mut self.queue);
        }
    }

    /// Answers a request.
    pub fn reply(&mut self, reply: Reply) {
        Frame::Reply(reply).encode(&mut self.queue);
    }

    /// Answers with a past, unless much still waits for the client: it cannot make us hold one past after the other.
    pub fn past(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.queue.len() - self.sent >= QUEUE {
            return self.reply(Err("does not tell its past again before what it told is taken".to_owned()));
        }
        encode(&mut self.queue);
        self.reply(Ok(()));
    }

    /// Tells that the process ended.
    pub fn exit(&mut self, status: i32) {
        if self.stopping {
            self.stopping = false;
            self.reply(Ok(()));
        }
        if self.hello.exit || self.hello.output {
            self.tell_missed();
            Frame::Exit(status).encode(&mut self.queue);
        }
    }

    /// Sends what it takes.
    pub fn write(&mut self) {
        while self.is_waiting() {
            match rustix::net::send(&self.fd, &self.queue[self.sent..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(length) => {
                    self.sent += length;
                    self.progress = Instant::now();
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.gone = true;
                    break;
                }
            }
        }
        if !self.is_waiting() {
            self.queue.clear();
            self.queue.shrink_to(4 << 10);
            self.sent = 0;
        } else if self.sent > QUEUE / 2 {
            self.queue.drain(..self.sent);
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    fn pair(first: bool) -> (Client, OwnedFd) {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        let mut client = Client::new(ours, first);
        client.hello.output = true;
        (client, theirs)
    }

    #[test]
    fn a_slow_client_misses_and_is_told() {
        let (mut client, theirs) = pair(false);
        for _ in 0..1000 {
            client.output(Stream::Stdout, &[b'y'; 4096]);
            client.write();
        }
        assert!(client.queue.len() <= 2 * QUEUE, "bounded: {}", client.queue.len());
        assert!(client.missed > 0 && !client.holds_back());
        let mut got = vec![0; 1 << 20];
        let mut decoder = Decoder::default();
        while rustix::net::recv(&theirs, &mut got[..], RecvFlags::DONTWAIT).is_ok_and(|(_, n)| {
            decoder.feed(&got[..n]);
            n > 0
        }) {
            client.write();
        }
        client.output(Stream::Stdout, b"z");
        client.write();
        let (_, n) = rustix::net::recv(&theirs, &mut got[..], RecvFlags::DONTWAIT).unwrap();
        decoder.feed(&got[..n]);
        let frames: Vec<Frame> = std::iter::from_fn(|| decoder.frame().unwrap()).collect();
        assert!(frames.iter().any(|frame| matches!(frame, Frame::Missed(n) if *n > 0)));
        assert_eq!(frames.last(), Some(&Frame::Stdout(b"z".to_vec())));
    }

    #[test]
    fn the_first_client_holds_the_output_back_until_patience_ends() {
        let (mut client, _theirs) = pair(true);
        while !client.holds_back() {
            client.output(Stream::Stdout, &[b'y'; 4096]);
            client.write();
        }
        client.lose_patience(Instant::now());
        assert!(client.holds_back());
        client.lose_patience(Instant::now() + PATIENCE + Duration::from_secs(1));
        assert!(!client.holds_back());
    }
}
