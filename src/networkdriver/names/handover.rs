//! What a monitor hands over: who its container is, what it may ask, and the two sockets it asks through.
//!
//! One message of a SEQPACKET connection is one JSON object; the first carries the UDP and the TCP socket (SCM_RIGHTS), the
//! ones after it nothing: they only change the settings.

use crate::id::ContainerId;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of the longest message.
const LONGEST: usize = 16 << 10;

/// How a container's questions are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Settings {
    /// Its own resolvers (`--dns`), the first three of which are asked; those of this machine if there are none.
    pub servers: Vec<IpAddr>,
    /// All its networks are internal: names of the world are not looked for.
    pub internal: bool,
}

/// A container that introduces itself, or tells what has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Hello {
    pub container: ContainerId,
    pub settings: Settings,
}

/// What came over a connection.
#[derive(Debug)]
pub(super) enum Arrival {
    Hello(Hello, Vec<OwnedFd>),
    Nothing,
    End,
}

/// Sends a message; does not wait.
pub(super) fn send(connection: BorrowedFd<'_>, hello: &Hello, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let text = serde_json::to_vec(hello).map_err(io::Error::other)?;
    if text.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the settings for names are longer than {LONGEST} bytes")));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() {
        rights.push(SendAncillaryMessage::ScmRights(sockets));
    }
    loop {
        match rustix::net::sendmsg(connection, &[IoSlice::new(&text)], &mut rights, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map(drop).map_err(io::Error::from),
        }
    }
}

/// Takes a message if there is one; does not wait.
///
/// # Errors
/// The kernel's; a message that is none of ours.
pub(super) fn receive(connection: BorrowedFd<'_>) -> io::Result<Arrival> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut text = vec![0; LONGEST];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let got = match rustix::net::recvmsg(connection, &mut [IoSliceMut::new(&mut text)], &mut rights, flags) {
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(Arrival::Nothing),
        Err(rustix::io::Errno::CONNRESET) => return Ok(Arrival::End),
        other => other?.bytes,
    };
    let parts = rights.drain().filter_map(|part| if let RecvAncillaryMessage::ScmRights(fds) = part { Some(fds) } else { None });
    let fds = parts.flatten().collect();
    if got == 0 {
        return Ok(Arrival::End);
    }
    let hello = serde_json::from_slice(&text[..got]).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Arrival::Hello(hello, fds))
}

/// Whether the other end of a connection is the same user's, or root's.
pub(super) fn same_user(connection: impl AsFd) -> io::Result<bool> {
    let peer = rustix::net::sockopt::socket_peercred(connection)?;
    Ok(peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}
