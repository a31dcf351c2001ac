//! Consoles from the outside: a monitor's socket as frames in tokio.

use super::{Engine, Error, Kind, Result};
use crate::container::Container;
use crate::monitor::protocol::{Decoder, Frame, Hello, Reply, Request};
use std::os::fd::OwnedFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// What a console brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Output, and all of a terminal.
    Stdout(Vec<u8>),
    /// Error output.
    Stderr(Vec<u8>),
    /// So many bytes were dropped: we were too slow.
    Missed(u64),
    /// The process ended with this status.
    Exit(i32),
    /// The monitor hung up without a word.
    Closed,
}

/// A connection to a monitor.
#[derive(Debug)]
pub struct Console {
    reader: ConsoleReader,
    writer: ConsoleWriter,
}

/// Its output side.
#[derive(Debug)]
pub struct ConsoleReader {
    socket: OwnedReadHalf,
    decoder: Decoder,
    buffer: Vec<u8>,
}

/// Its input side.
#[derive(Debug)]
pub struct ConsoleWriter {
    socket: OwnedWriteHalf,
}

fn failed(error: &std::io::Error) -> Error {
    Error::new(Kind::Unavailable, format!("the container's monitor does not answer: {error}"))
}

impl Console {
    /// Says hello over a connected socket.
    pub async fn open(socket: std::os::unix::net::UnixStream, hello: Hello) -> Result<Self> {
        socket.set_nonblocking(true).map_err(|e| failed(&e))?;
        let (reader, writer) = UnixStream::from_std(socket).map_err(|e| failed(&e))?.into_split();
        let mut writer = ConsoleWriter { socket: writer };
        writer.send(&Frame::Hello(hello)).await?;
        Ok(Self { reader: ConsoleReader { socket: reader, decoder: Decoder::default(), buffer: vec![0; 64 << 10] }, writer })
    }

    /// Waits until the monitor knows us: nothing that is written from then on goes untold. False if it hung up instead.
    pub async fn known(&mut self) -> Result<bool> {
        // Its welcome is the first that it says.
        Ok(self.reader.frame().await?.is_some())
    }

    /// Both sides, to be used at once.
    pub fn split(self) -> (ConsoleReader, ConsoleWriter) {
        (self.reader, self.writer)
    }

    /// Asks for something and waits for the answer.
    pub async fn request(&mut self, request: Request) -> Result<Reply> {
        self.writer.send(&Frame::Request(request)).await?;
        loop {
            match self.reader.frame().await? {
                Some(Frame::Reply(reply)) => return Ok(reply),
                Some(_) => {}
                None => return Err(Error::new(Kind::Unavailable, "the container's monitor hung up")),
            }
        }
    }
}

impl ConsoleReader {
    pub(super) async fn frame(&mut self) -> Result<Option<Frame>> {
        loop {
            match self.decoder.frame() {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => {}
                Err(error) => return Err(Error::new(Kind::Corrupt, error.to_string())),
            }
            match self.socket.read(&mut self.buffer).await {
                Ok(0) => return Ok(None),
                Ok(length) => self.decoder.feed(&self.buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    /// What comes next. Safe to give up while waiting: nothing is lost.
    pub async fn next(&mut self) -> Result<Output> {
        loop {
            return Ok(match self.frame().await? {
                Some(Frame::Stdout(bytes)) => Output::Stdout(bytes),
                Some(Frame::Stderr(bytes)) => Output::Stderr(bytes),
                Some(Frame::Missed(count)) => Output::Missed(count),
                Some(Frame::Exit(status)) => Output::Exit(status),
                Some(_) => continue,
                None => Output::Closed,
            });
        }
    }
}

impl ConsoleWriter {
    pub(super) async fn send(&mut self, frame: &Frame) -> Result<()> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.socket.write_all(&bytes).await.map_err(|e| failed(&e))
    }

    /// Input for the process; waits while it takes none.
    pub async fn stdin(&mut self, bytes: &[u8]) -> Result<()> {
        self.send(&Frame::Stdin(bytes.to_vec())).await
    }

    /// No more input.
    pub async fn eof(&mut self) -> Result<()> {
        self.send(&Frame::StdinEof).await
    }

    /// The terminal here has this size.
    pub async fn resize(&mut self, rows: u16, columns: u16) -> Result<()> {
        self.send(&Frame::Resize(rows, columns)).await
    }

    /// A signal for the process.
    pub async fn signal(&mut self, number: i32) -> Result<()> {
        self.send(&Frame::Request(Request::Signal(number))).await
    }
}

/// A pair of connected sockets: ours, and the one a monitor gets as its first client.
pub fn pair() -> Result<(std::os::unix::net::UnixStream, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(|e| Error::io("cannot make a console", &e))?;
    Ok((ours, theirs.into()))
}

impl Engine {
    /// Connects to the monitor of a container; `None` if there is none.
    pub async fn connect(&self, container: &Container, hello: Hello) -> Result<Option<Console>> {
        use std::os::fd::AsRawFd;
        // A socket's path may not be longer than 107 bytes, a store's may: so through its folder.
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let Ok(folder) = rustix::fs::open(self.place().run(&container.id), flags, rustix::fs::Mode::empty()) else { return Ok(None) };
        match std::os::unix::net::UnixStream::connect(format!("/proc/self/fd/{}/console.sock", folder.as_raw_fd())) {
            Ok(socket) => match Console::open(socket, hello).await {
                // It hung up at once: it is on its way out.
                Err(error) if error.kind == Kind::Unavailable => Ok(None),
                other => other.map(Some),
            },
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// The console of a running container.
    pub async fn attach(&self, container: &Container) -> Result<Console> {
        let hello = Hello { stdin: container.config.open_stdin, output: true, scrollback: true, exit: true, size: None };
        if !container.state.status.is_alive() {
            return Err(Error::conflict(format!("container {} is not running: nothing to attach to", container.name))
                .hint(format!("start it first: `kapal start -a {}`", container.name)));
        }
        match self.connect(container, hello).await? {
            Some(console) => Ok(console),
            None => Err(Error::conflict(format!("container {} has just ended", container.name))),
        }
    }
}
