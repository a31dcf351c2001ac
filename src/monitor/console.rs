//! The process's side of the console: its streams, what waits to go in, what was written last.

use super::log::Stream;
use super::start::Running;
use rustix::io::Errno;
use rustix::termios::Winsize;
use std::os::fd::OwnedFd;

/// Input that may wait for the process, in bytes; beyond it clients are not read.
const INPUT: usize = 64 << 10;
/// Output of a terminal that a new client is shown, in bytes.
const SCROLLBACK: usize = 64 << 10;

/// The streams of a running process.
#[derive(Debug)]
pub struct Console {
    tty: bool,
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    input: Vec<u8>,
    /// No more input will come: the pipe is closed once what waits has gone in.
    ending: bool,
    scrollback: Vec<u8>,
    /// Rows and columns as the last client wanted them.
    size: Option<(u16, u16)>,
}

impl Console {
    /// Nothing runs yet.
    pub fn new(tty: bool) -> Self {
        Self { tty, stdin: None, stdout: None, stderr: None, input: Vec::new(), ending: false, scrollback: Vec::new(), size: None }
    }

    /// Takes over the streams of a process that just started.
    pub fn connect(&mut self, running: &mut Running) {
        self.stdin = running.stdin.take();
        self.stdout = running.stdout.take();
        self.stderr = running.stderr.take();
        self.input.clear();
        self.ending = false;
    }

    /// The process has a terminal.
    pub fn is_tty(&self) -> bool {
        self.tty
    }

    /// Where to read output, with the stream it is.
    pub fn outputs(&self) -> impl Iterator<Item = (&OwnedFd, Stream)> {
        self.stdout.iter().map(|fd| (fd, Stream::Stdout)).chain(self.stderr.iter().map(|fd| (fd, Stream::Stderr)))
    }

    /// Where input goes that waits.
    pub fn waiting_input(&self) -> Option<&OwnedFd> {
        if self.input.is_empty() { None } else { self.sink() }
    }

    fn sink(&self) -> Option<&OwnedFd> {
        if self.tty { self.stdout.as_ref() } else { self.stdin.as_ref() }
    }

    /// Whether clients' input can be taken now.
    pub fn takes_input(&self) -> bool {
        self.input.len() < INPUT
    }

    /// The most bytes that can wait in a stream to be read.
    pub fn capacity(&self, stream: Stream) -> usize {
        let source = if stream == Stream::Stdout { &self.stdout } else { &self.stderr };
        let pipe = source.as_ref().and_then(|fd| rustix::pipe::fcntl_getpipe_size(fd).ok());
        // A terminal has no such number; the kernel keeps less than this for it.
        pipe.unwrap_or(1 << 20)
    }

    /// Reads one buffer of a stream; `None` when the stream has ended.
    pub fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> Option<usize> {
        let source = if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr };
        let length = match rustix::io::read(source.as_ref()?, &mut *buffer) {
            Ok(0) => None,
            Ok(length) => Some(length),
            Err(Errno::AGAIN | Errno::INTR) => return Some(0),
            // A terminal whose inner side nobody holds gives EIO; it may be opened again, but not by a dead process.
            Err(_) => None,
        };
        if length.is_none() {
            *source = None;
        }
        if let (true, Some(length)) = (self.tty, length) {
            self.remember(&buffer[..length]);
        }
        length
    }

    fn remember(&mut self, bytes: &[u8]) {
        self.scrollback.extend_from_slice(bytes);
        if self.scrollback.len() > 2 * SCROLLBACK {
            self.scrollback.drain(..self.scrollback.len() - SCROLLBACK);
        }
    }

    /// What the terminal was written last.
    pub fn scrollback(&self) -> &[u8] {
        &self.scrollback[self.scrollback.len().saturating_sub(SCROLLBACK)..]
    }

    /// Takes in input.
    pub fn input(&mut self, bytes: &[u8]) {
        if self.sink().is_some() && !self.ending {
            self.input.extend_from_slice(bytes);
            self.write();
        }
    }

    /// No more input comes.
    pub fn end_input(&mut self) {
        self.ending = true;
        self.write();
    }

    /// Hands the process what it takes of the input that waits.
    pub fn write(&mut self) {
        let mut sent = 0;
        while sent < self.input.len() {
            let Some(sink) = self.sink() else { break };
            match rustix::io::write(sink, &self.input[sent..]) {
                Ok(length) => sent += length,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // The process reads no more.
                Err(_) => {
                    if !self.tty {
                        self.stdin = None;
                    }
                    sent = self.input.len();
                }
            }
        }
        self.input.drain(..sent);
        if self.input.is_empty() {
            self.input.shrink_to(4 << 10);
            if self.ending && !self.tty {
                self.stdin = None;
            }
        }
    }

    /// The size for a process that starts now.
    pub fn size(&self) -> Option<(u16, u16)> {
        self.size
    }

    /// The client's terminal has another size.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.size = Some((rows, columns));
        if let (true, Some(terminal)) = (self.tty, &self.stdout) {
            // A terminal whose process just ended has no size.
            let _ = rustix::termios::tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 });
        }
    }

    /// The process has ended: lets go of its streams.
    pub fn disconnect(&mut self) {
        self.stdin = None;
        self.stdout = None;
        self.stderr = None;
        self.input.clear();
    }
}
