//! Ports of this machine, held for a container as long as it runs: whoever else wants one is told by the kernel that it is taken.

use crate::container::{PortBinding, Protocol, Published};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

/// How often a port that is free for one family is looked for that is free for the other, too.
const ATTEMPTS: usize = 32;
/// Connections from `[::1]` that wait at a door until they are let in.
const WAITING: i32 = 128;
/// The most processes that are asked whether they hold a port.
const MOST_PROCESSES: usize = 100_000;

/// A port that is held.
#[derive(Debug)]
pub struct Held {
    /// Where it leads.
    pub port: Published,
    /// The wish that it fulfils.
    pub wish: PortBinding,
    /// What holds it, unless the door does. A kernel without SCTP holds none of those.
    _socket: Option<OwnedFd>,
    /// Where those come in whom the firewall cannot lead there (see [`super::proxy`]): it listens at `[::1]`, or at `[::]`.
    pub door: Option<OwnedFd>,
}

const LOOPBACK: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Holds a port for a wish, one for each family if all addresses are meant and the container has an IPv6 address. `[::1]` is
/// among all addresses in any case, and needs none of the container.
///
/// # Errors
/// A sentence that names the port and who has it.
pub fn hold(wish: &PortBinding, v6: bool) -> Result<Vec<Held>, String> {
    let addresses = match wish.address {
        Some(LOOPBACK) if wish.protocol == Protocol::Sctp => {
            return Err("cannot publish an SCTP port at [::1]: the kernel has no way from there, and only TCP and UDP are passed on".to_owned());
        }
        Some(IpAddr::V6(address)) if !v6 && address != LOOPBACK => {
            return Err(format!("cannot publish a port at [{address}]: the container has no IPv6 address; its network was not made with --ipv6"));
        }
        Some(address) => vec![address],
        None if v6 => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        None => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    };
    let mut refused = None;
    let candidates: Box<dyn Iterator<Item = u16>> = match wish.ports {
        Some((first, last)) => Box::new(first..=last),
        None => Box::new(std::iter::repeat_n(0, ATTEMPTS)),
    };
    for port in candidates {
        match hold_at(wish, &addresses, port) {
            Ok(held) => return Ok(held),
            Err(error) => refused = Some(error),
        }
    }
    let (address, port, error) = refused.unwrap_or((addresses[0], 0, io::Error::other("there is none to choose from")));
    let shown = match wish.ports {
        Some((first, last)) if first < last => format!("{address}:{first}-{last}"),
        _ => SocketAddr::new(address, wish.ports.map_or(port, |(port, _)| port)).to_string(),
    };
    let protocol = wish.protocol.as_str();
    match error.kind() {
        io::ErrorKind::AddrInUse if wish.ports.is_some_and(|(first, last)| first < last) => {
            Err(format!("all of the ports {shown}/{protocol} are already allocated"))
        }
        io::ErrorKind::AddrInUse => Err(format!("port {shown}/{protocol} is already allocated: {}", holder(wish.protocol, port))),
        io::ErrorKind::AddrNotAvailable => Err(format!("cannot publish at {shown}: this machine does not have the address {address}")),
        _ => Err(format!("cannot publish at {shown}/{protocol}: {error}")),
    }
}

fn hold_at(wish: &PortBinding, addresses: &[IpAddr], port: u16) -> Result<Vec<Held>, (IpAddr, u16, io::Error)> {
    let mut held: Vec<Held> = Vec::new();
    for address in addresses {
        let port = held.first().map_or(port, |first| first.port.port);
        let failed = |address: IpAddr, port: u16| move |error| (address, port, error);
        let leads = |address: IpAddr| wish.protocol != Protocol::Sctp && [LOOPBACK, IpAddr::V6(Ipv6Addr::UNSPECIFIED)].contains(&address);
        let (holder, door, port) = if leads(*address) {
            let (door, port) = open(wish.protocol, *address, port).map_err(failed(*address, port))?;
            (None, Some(door), port)
        } else {
            let (holder, port) = bind(wish.protocol, *address, port, false).map_err(failed(*address, port))?;
            let alone = wish.address.is_none() && addresses.len() == 1 && leads(LOOPBACK);
            let door = if alone { open_beside(wish.protocol, port).map_err(failed(LOOPBACK, port))? } else { None };
            (holder, door, port)
        };
        let port = Published { protocol: wish.protocol, address: *address, port, inside: wish.inside };
        held.push(Held { port, wish: wish.clone(), _socket: holder, door });
    }
    Ok(held)
}

/// Opens a door at an address: a socket at which nobody waits.
fn open(protocol: Protocol, address: IpAddr, port: u16) -> io::Result<(OwnedFd, u16)> {
    let (socket, port) = bind(protocol, address, port, true)?;
    let socket = socket.ok_or(io::ErrorKind::Unsupported)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    if protocol == Protocol::Tcp {
        rustix::net::listen(&socket, WAITING)?;
    }
    Ok((socket, port))
}

/// Opens a door at `[::1]` for a port that is held elsewhere; none where this machine has no such address.
fn open_beside(protocol: Protocol, port: u16) -> io::Result<Option<OwnedFd>> {
    match open(protocol, LOOPBACK, port) {
        Ok((door, _)) => Ok(Some(door)),
        Err(error) if [Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT].iter().any(|none| error.raw_os_error() == Some(none.raw_os_error())) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A socket that has the port and does nothing with it. A door's may come after another's whose last connections are not
/// forgotten yet; as it listens, nobody else can come beside it all the same.
fn bind(protocol: Protocol, address: IpAddr, port: u16, door: bool) -> io::Result<(Option<OwnedFd>, u16)> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, None),
        Protocol::Udp => (SocketType::DGRAM, None),
        Protocol::Sctp => (SocketType::STREAM, Some(rustix::net::ipproto::SCTP)),
    };
    let socket = match rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, number) {
        // The firewall may know SCTP where the kernel speaks none; a port must be named then.
        Err(Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT) if protocol == Protocol::Sctp && port != 0 => return Ok((None, port)),
        other => other?,
    };
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if door && protocol == Protocol::Tcp {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    rustix::net::bind(&socket, &SocketAddr::new(address, port))?;
    let bound = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    Ok((Some(socket), bound.port()))
}

/// Who has a port, as well as can be found out.
fn holder(protocol: Protocol, port: u16) -> String {
    let inodes: Vec<u64> = ["", "6"].iter().flat_map(|family| inodes(&format!("/proc/net/{}{family}", protocol.as_str()), port)).collect();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().take(MOST_PROCESSES);
    let mut who = String::new();
    for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let has = open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|link| {
            let inode = link.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            inode.is_some_and(|inode| inodes.contains(&inode))
        });
        if has {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let name: String = name.trim().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            let _ = write!(who, "{}{name} (process {pid})", if who.is_empty() { "" } else { ", " });
        }
    }
    if who.is_empty() { "something on this machine has it".to_owned() } else { format!("{who} has it") }
}

/// The sockets that are bound to a port. Source: proc_net_tcp(5): the local address is the second word, the inode the tenth.
fn inodes(path: &str, port: u16) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let rows = text.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let bound = u16::from_str_radix(words.get(1)?.rsplit_once(':')?.1, 16).ok()?;
        (bound == port).then(|| words.get(9)?.parse().ok())?
    });
    rows.filter(|inode| *inode != 0).collect()
}
