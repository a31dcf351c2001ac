//! The bridge driver: a bridge for each network, a pair of links for each place on it.
//!
//! ```text
//!   this machine                          container
//!   eth0 ── routing, firewall ── kapal0 ──┬── kv…  ═══ eth0
//!                                gateway  └── kv…  ═══ eth0
//! ```

use super::message::{self, Link, Way, message};
use super::{Mark, NetworkDriver};
use crate::container::network::Mac;
use crate::container::{Endpoint, Network};
use crate::sys::netlink::{Netlink, ROUTE, within};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage};
use rtnetlink::{LinkBridge, LinkUnspec};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Opens the driver.
pub fn open(mark: &Mark) -> Box<dyn NetworkDriver> {
    Box::new(Bridge { mark: mark.clone() })
}

#[derive(Debug)]
struct Bridge {
    mark: Mark,
}

/// A failure with what was tried.
fn tried(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn exists(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EEXIST)
}

impl Bridge {
    fn netlink() -> io::Result<Netlink> {
        Netlink::open(ROUTE).map_err(tried("cannot talk to the kernel about links"))
    }

    /// The network's bridge if it is there and ours.
    ///
    /// # Errors
    /// `AddressInUse` if something else has its name.
    fn found(&self, netlink: &mut Netlink, network: &Network) -> io::Result<Option<Link>> {
        match message::link(netlink, &network.link)? {
            Some(link) if link.is_bridge && link.alias == self.mark.alias => Ok(Some(link)),
            Some(link) => {
                let whose = if link.alias.is_empty() { "it is not kapal's" } else { "another store's" };
                Err(io::Error::new(
                    io::ErrorKind::AddrInUse,
                    format!("network {} cannot have its link: there is a link {} already ({whose})", network.name, network.link),
                ))
            }
            None => Ok(None),
        }
    }

    fn make(&self, netlink: &mut Netlink, network: &Network) -> io::Result<Link> {
        let routes = message::routes(netlink)?;
        for subnet in &network.subnets {
            if let Some(route) = routes.iter().find(|route| super::clashes(route.to, subnet.block)) {
                let by = message::link_of(netlink, route.link)?.map_or_else(String::new, |link| format!(" by {}", link.name));
                return Err(io::Error::new(
                    io::ErrorKind::AddrInUse,
                    format!("network {} cannot have the addresses {}: this machine has a route to {}{by}", network.name, subnet.block, route.to),
                ));
            }
        }
        let mtu = match network.mtu {
            Some(mtu) => Some(mtu),
            None => default_mtu(netlink, &routes)?,
        };
        let mut bridge = LinkBridge::new(&network.link);
        // A bridge without an address of its own takes that of its lowest port, and its neighbours lose it with every new one.
        if let Some(IpAddr::V4(gateway)) = network.subnet(false).map(|subnet| subnet.gateway) {
            bridge = bridge.address(Mac::of(gateway).0.to_vec());
        }
        if let Some(mtu) = mtu {
            bridge = bridge.mtu(mtu);
        }
        let named = LinkUnspec::new_with_name(&network.link).alias(self.mark.alias.clone());
        let mut batch = [message(&RouteNetlinkMessage::NewLink(bridge.build()), Way::New), message(&RouteNetlinkMessage::SetLink(named.build()), Way::Change)];
        for result in netlink.batch(&mut batch)? {
            result.map_err(tried(format_args!("cannot make the bridge {}", network.link)))?;
        }
        message::link(netlink, &network.link)?.ok_or_else(|| io::Error::other(format!("the bridge {} is gone again", network.link)))
    }

    /// The pair of links, its far end in the namespace already, with its hardware address; the kernel brings that up only once
    /// both ends are there.
    fn pair(&self, bridge: &Link, network: &Network, endpoint: &Endpoint, namespace: BorrowedFd<'_>) -> [Vec<u8>; 2] {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(endpoint.inside.clone()),
            LinkAttribute::Address(endpoint.mac.0.to_vec()),
            LinkAttribute::Mtu(bridge.mtu),
            LinkAttribute::NetNsFd(namespace.as_raw_fd()),
        ];
        let mut pair = LinkMessage::default();
        pair.header = message::up();
        pair.attributes = vec![
            LinkAttribute::IfName(endpoint.link.clone()),
            LinkAttribute::Mtu(bridge.mtu),
            LinkAttribute::Controller(bridge.index),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)))]),
        ];
        // Ports that are not to reach each other are told so, and the bridge itself keeps them apart. A container that asks for
        // its own published port is answered by the way it came, where bridged packets pass the firewall (br_netfilter).
        let port = vec![InfoBridgePort::HairpinMode(true), InfoBridgePort::Isolated(!network.icc)];
        let named = LinkUnspec::new_with_name(&endpoint.link).alias(self.mark.alias.clone());
        let named = named.set_port_kind(InfoPortKind::Bridge).set_port_data(InfoPortData::BridgePort(port));
        [message(&RouteNetlinkMessage::NewLink(pair), Way::New), message(&RouteNetlinkMessage::NewLink(named.build()), Way::Change)]
    }

    fn inside(network: &Network, endpoint: &Endpoint, namespace: BorrowedFd<'_>, default: bool) -> io::Result<()> {
        let here = within(namespace, || {
            if endpoint.address(true).is_none() {
                // Without it a link has an IPv6 address that nobody gave it. A kernel without IPv6 has no such file.
                let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", endpoint.inside), "1");
            }
            Netlink::open(ROUTE)
        });
        let mut netlink = here.flatten().map_err(tried("cannot talk to the kernel about the container's links"))?;
        let link = message::link(&mut netlink, &endpoint.inside)?.ok_or_else(|| io::Error::other(format!("{} did not arrive inside", endpoint.inside)))?;
        let mut rise = LinkMessage::default();
        rise.header = message::up();
        rise.header.index = link.index;
        let mut what = vec![format!("cannot bring {} up", endpoint.inside)];
        let mut batch = vec![message(&RouteNetlinkMessage::SetLink(rise), Way::Change)];
        for (address, prefix) in &endpoint.addresses {
            batch.push(message(&message::address(link.index, *address, *prefix), Way::New));
            what.push(format!("cannot give {} the address {address}", endpoint.inside));
        }
        for subnet in network.subnets.iter().filter(|subnet| default && endpoint.address(subnet.block.is_v6()).is_some()) {
            batch.push(message(&message::default_route(link.index, subnet.gateway), Way::New));
            what.push(format!("cannot set the way out by {}", subnet.gateway));
        }
        for (result, what) in netlink.batch(&mut batch)?.into_iter().zip(what) {
            result.map_err(tried(what))?;
        }
        Ok(())
    }
}

/// Bytes of the largest packet that the machine's way to everywhere takes; nothing if it has none.
fn default_mtu(netlink: &mut Netlink, routes: &[message::Route]) -> io::Result<Option<u32>> {
    let everywhere = routes.iter().filter(|route| route.to.prefix() == 0).min_by_key(|route| route.to.is_v6());
    match everywhere {
        Some(route) => Ok(message::link_of(netlink, route.link)?.map(|link| link.mtu).filter(|mtu| (576..=65535).contains(mtu))),
        None => Ok(None),
    }
}

impl NetworkDriver for Bridge {
    fn name(&self) -> &'static str {
        "bridge"
    }

    fn up(&self, network: &Network) -> io::Result<()> {
        let mut netlink = Self::netlink()?;
        let link = match self.found(&mut netlink, network)? {
            Some(link) => link,
            None => self.make(&mut netlink, network)?,
        };
        let addresses = network.subnets.iter().map(|subnet| message(&message::address(link.index, subnet.gateway, subnet.block.prefix()), Way::New));
        for (result, subnet) in netlink.batch(&mut addresses.collect::<Vec<_>>())?.into_iter().zip(&network.subnets) {
            match result {
                Err(error) if exists(&error) => {}
                other => other.map_err(tried(format_args!("cannot give {} the address {}", network.link, subnet.gateway)))?,
            }
        }
        Ok(())
    }

    fn attach(&self, network: &Network, endpoint: &Endpoint, namespace: BorrowedFd<'_>, default: bool) -> io::Result<()> {
        let mut netlink = Self::netlink()?;
        let bridge = self.found(&mut netlink, network)?.ok_or_else(|| io::Error::other(format!("the bridge {} is gone", network.link)))?;
        let mut made = netlink.batch(&mut self.pair(&bridge, network, endpoint, namespace))?.into_iter();
        if made.as_slice().first().is_some_and(|first| first.as_ref().is_err_and(exists)) {
            // That of the same container's last run, which the kernel has not taken away yet.
            remove(&self.mark, &endpoint.link)?;
            made = netlink.batch(&mut self.pair(&bridge, network, endpoint, namespace))?.into_iter();
        }
        let what = || format!("cannot make the link {} to {}", endpoint.link, network.link);
        made.next().unwrap_or(Ok(())).map_err(tried(what()))?;
        let rest = made.next().unwrap_or(Ok(())).map_err(tried(what())).and_then(|()| Self::inside(network, endpoint, namespace, default && !network.internal));
        if rest.is_err() {
            // The first error is the one to tell.
            let _ = self.detach(network, endpoint);
        }
        rest
    }

    fn detach(&self, _network: &Network, endpoint: &Endpoint) -> Vec<io::Error> {
        remove(&self.mark, &endpoint.link).err().into_iter().collect()
    }

    fn down(&self, network: &Network) -> Vec<io::Error> {
        remove(&self.mark, &network.link).err().into_iter().collect()
    }
}

/// Takes a link of this store away; one that is gone, or is another's, is left alone.
fn remove(mark: &Mark, name: &str) -> io::Result<()> {
    let mut netlink = Bridge::netlink()?;
    let Some(link) = message::link(&mut netlink, name)?.filter(|link| link.alias == mark.alias) else { return Ok(()) };
    match netlink.batch(&mut [message::delete_link(link.index)])?.into_iter().next() {
        Some(Err(error)) if error.raw_os_error() != Some(libc::ENODEV) => Err(tried(format_args!("cannot take the link {name} away"))(error)),
        _ => Ok(()),
    }
}

/// Whether the network's link is there.
///
/// # Errors
/// The kernel's.
pub fn is_up(network: &Network) -> io::Result<bool> {
    Ok(message::link(&mut Bridge::netlink()?, &network.link)?.is_some())
}

/// Makes a place that a container has the one that leads everywhere for one family, unless another does.
///
/// # Errors
/// The kernel's.
pub fn lead_out(network: &Network, endpoint: &Endpoint, namespace: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    let mut netlink = Netlink::open_in(namespace, ROUTE)?;
    let link = message::link(&mut netlink, &endpoint.inside)?.ok_or_else(|| io::Error::other(format!("{} is gone", endpoint.inside)))?;
    let ours = network.subnets.iter().filter(|subnet| subnet.block.is_v6() == v6);
    let mut batch: Vec<Vec<u8>> = ours.map(|subnet| message(&message::default_route(link.index, subnet.gateway), Way::New)).collect();
    for result in netlink.batch(&mut batch)? {
        match result {
            Err(error) if exists(&error) => {}
            other => other?,
        }
    }
    Ok(())
}
