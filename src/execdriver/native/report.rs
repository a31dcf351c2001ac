//! What parent and child tell each other until the command runs: "go", the terminal's other side, a failure.

use crate::execdriver::{Report, StartError};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A pair of sockets that keep messages apart; the child's side is closed by `execve`.
#[derive(Debug)]
pub struct Channel {
    parent: OwnedFd,
    child: OwnedFd,
}

/// The parent's side.
#[derive(Debug)]
pub struct Parent(OwnedFd);

/// The child's side.
#[derive(Debug)]
pub struct Child(OwnedFd);

/// The longest sentence.
const LONGEST: usize = 4096;

impl Channel {
    /// A new pair.
    pub fn open() -> io::Result<Self> {
        let (parent, child) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok(Self { parent, child })
    }

    /// Keeps the parent's side and closes the other, so that the child's end is noticed.
    pub fn parent(self) -> Parent {
        Parent(self.parent)
    }

    /// Keeps the child's side.
    pub fn child(self) -> Child {
        Child(self.child)
    }
}

impl Child {
    /// Waits for the parent; without one there is nothing to go on for.
    pub fn wait(&self) -> Result<(), StartError> {
        let mut word = [0u8; 1];
        match rustix::net::recv(&self.0, &mut word, RecvFlags::empty()) {
            Ok((_, 1)) => Ok(()),
            _ => Err(StartError::Failed("the monitor is gone".to_owned())),
        }
    }

    /// Hands the terminal's other side to the parent.
    pub fn console(&self, console: BorrowedFd<'_>) -> io::Result<()> {
        let fds = [console];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        rustix::net::sendmsg(&self.0, &[IoSlice::new(b"t")], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Tells why it did not work.
    pub fn fail(&self, error: &StartError) {
        let (letter, text) = match error {
            StartError::NotFound(text) => (b'n', text),
            StartError::NotExecutable(text) => (b'x', text),
            StartError::Failed(text) => (b'f', text),
        };
        let mut message = vec![letter];
        message.extend(text.bytes().take(LONGEST - 1));
        // A parent that is gone hears nothing.
        let _ = rustix::net::send(&self.0, &message, SendFlags::NOSIGNAL);
    }
}

impl Parent {
    /// Lets the child go on.
    pub fn go(&self) -> io::Result<()> {
        rustix::net::send(&self.0, b"g", SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The failure that the child has told already, if it has.
    pub fn failure(&self) -> Option<StartError> {
        let mut bytes = [0u8; LONGEST];
        match rustix::net::recv(&self.0, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((_, length)) => failure(bytes.get(..length)?),
            Err(_) => None,
        }
    }

    /// Waits until the command runs, and gives the terminal's other side if one was to come.
    pub fn hear(&mut self, terminal: bool) -> Result<Option<OwnedFd>, StartError> {
        let mut console = None;
        loop {
            let mut bytes = [0u8; LONGEST];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let heard = loop {
                match rustix::net::recvmsg(self.0.as_fd(), &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
                    Err(rustix::io::Errno::INTR) => {}
                    other => break other.map_err(io::Error::from)?,
                }
            };
            match bytes.first() {
                _ if heard.bytes == 0 => break,
                Some(b't') => {
                    console = control.drain().find_map(|message| match message {
                        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
                        _ => None,
                    });
                }
                _ => return Err(failure(&bytes[..heard.bytes]).unwrap_or_else(nonsense)),
            }
        }
        if terminal && console.is_none() {
            return Err(StartError::Failed("the container's first process ended before its command ran".to_owned()));
        }
        Ok(console)
    }
}

impl Report for Parent {
    fn fd(&self) -> &OwnedFd {
        &self.0
    }

    fn hear(&mut self) -> Option<Result<(), StartError>> {
        let mut bytes = [0u8; LONGEST];
        match rustix::net::recv(&self.0, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Some(Ok(())),
            Ok((_, length)) => Some(Err(bytes.get(..length).and_then(failure).unwrap_or_else(nonsense))),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => None,
            Err(error) => Some(Err(io::Error::from(error).into())),
        }
    }
}

fn nonsense() -> StartError {
    StartError::Failed("the first process said nothing sensible".to_owned())
}

/// A failure as the child writes it.
fn failure(message: &[u8]) -> Option<StartError> {
    let (letter, text) = message.split_first()?;
    let text = String::from_utf8_lossy(text).into_owned();
    match letter {
        b'n' => Some(StartError::NotFound(text)),
        b'x' => Some(StartError::NotExecutable(text)),
        b'f' => Some(StartError::Failed(text)),
        _ => None,
    }
}
