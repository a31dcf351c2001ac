//! What surrounds our networks on this machine: its own addresses, and other people's firewalls.

use super::Mark;
use super::firewall::{self, Obstacle};
use crate::sys::netlink::{NETFILTER, Netlink};
use std::io;
use std::net::IpAddr;

/// This machine's addresses, those of links that are down left out, each once.
///
/// # Errors
/// The kernel's.
pub fn addresses() -> io::Result<Vec<IpAddr>> {
    use nix::net::if_::InterfaceFlags;
    let mut found: Vec<IpAddr> = Vec::new();
    for link in nix::ifaddrs::getifaddrs()?.filter(|link| link.flags.contains(InterfaceFlags::IFF_UP)) {
        let Some(address) = link.address else { continue };
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let v6 = address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
        found.extend(v4.or(v6).filter(|address| !found.contains(address)));
    }
    Ok(found)
}

/// Other people's chains that our packets pass, see [`firewall::obstacles`].
///
/// # Errors
/// The kernel's.
pub fn obstacles(mark: &Mark) -> io::Result<Vec<Obstacle>> {
    firewall::obstacles(&mut Netlink::open(NETFILTER)?, &mark.table)
}
