//! Messages about links, addresses and routes, as bytes for a batch, and the links and routes that the kernel tells of.
//!
//! Source: rtnetlink(7), linux/if_link.h, linux/if_bridge.h.

use crate::container::Cidr;
use crate::sys::netlink::Netlink;
use netlink_packet_core::{Emitable, Parseable};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkHeader, LinkInfo, LinkMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{AddressMessageBuilder, RouteMessageBuilder};
use std::io;
use std::net::IpAddr;

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_MIN_TYPE: u16 = 16;

/// The most routes and links that are looked at: a router may have a million of them.
const MOST: usize = 100_000;

/// What a message does when its object is there, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Makes it; it must not be there.
    New,
    /// Changes it; it must be there.
    Change,
}

/// A message as bytes, its kernel's word wanted.
pub fn message(inner: &RouteNetlinkMessage, way: Way) -> Vec<u8> {
    let flags = NLM_F_REQUEST | NLM_F_ACK | if way == Way::New { NLM_F_CREATE | NLM_F_EXCL } else { 0 };
    bytes(inner, flags)
}

fn bytes(inner: &RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    const HEADER: usize = 16;
    let length = HEADER + inner.buffer_len();
    let mut message = vec![0; length];
    message[..4].copy_from_slice(&(length as u32).to_ne_bytes());
    message[4..6].copy_from_slice(&inner.message_type().to_ne_bytes());
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    inner.emit(&mut message[HEADER..]);
    message.resize(length.next_multiple_of(4), 0);
    message
}

/// An address on a link. IPv6 ones are used at once: nobody else on a network of ours can have them.
pub fn address(index: u32, address: IpAddr, prefix: u8) -> RouteNetlinkMessage {
    let mut message: AddressMessage = match address {
        IpAddr::V4(address) => AddressMessageBuilder::<std::net::Ipv4Addr>::new().index(index).address(address, prefix).build(),
        IpAddr::V6(address) => AddressMessageBuilder::<std::net::Ipv6Addr>::new().index(index).address(address, prefix).build(),
    };
    if address.is_ipv6() {
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    RouteNetlinkMessage::NewAddress(message)
}

/// The way to everywhere else by way of `gateway`.
pub fn default_route(index: u32, gateway: IpAddr) -> RouteNetlinkMessage {
    RouteNetlinkMessage::NewRoute(match gateway {
        IpAddr::V4(gateway) => RouteMessageBuilder::<std::net::Ipv4Addr>::new().gateway(gateway).output_interface(index).build(),
        IpAddr::V6(gateway) => RouteMessageBuilder::<std::net::Ipv6Addr>::new().gateway(gateway).output_interface(index).build(),
    })
}

/// A link as the kernel tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What was written on it.
    pub alias: String,
    /// It is a bridge.
    pub is_bridge: bool,
    /// It is one end of a pair.
    pub is_veth: bool,
    /// Bytes of its largest packet.
    pub mtu: u32,
    /// Bytes and packets received, then sent.
    pub traffic: [u64; 4],
}

fn read_link(message: &LinkMessage) -> Link {
    let mut link = Link { index: message.header.index, ..Link::default() };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::IfAlias(alias) => link.alias.clone_from(alias),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Stats64(stats) => link.traffic = [stats.rx_bytes, stats.rx_packets, stats.tx_bytes, stats.tx_packets],
            LinkAttribute::LinkInfo(infos) => {
                link.is_bridge |= infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
                link.is_veth |= infos.contains(&LinkInfo::Kind(InfoKind::Veth));
            }
            _ => {}
        }
    }
    link
}

/// The link so named; `None` if there is none.
///
/// # Errors
/// The kernel's.
pub fn link(netlink: &mut Netlink, name: &str) -> io::Result<Option<Link>> {
    let mut asked = LinkMessage::default();
    asked.attributes.push(LinkAttribute::IfName(name.to_owned()));
    match netlink.ask(&mut bytes(&RouteNetlinkMessage::GetLink(asked), NLM_F_REQUEST)) {
        Ok(answers) => Ok(links_in(answers).next()),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The link of this number; `None` if there is none.
///
/// # Errors
/// The kernel's.
pub fn link_of(netlink: &mut Netlink, index: u32) -> io::Result<Option<Link>> {
    let mut asked = LinkMessage::default();
    asked.header.index = index;
    match netlink.ask(&mut bytes(&RouteNetlinkMessage::GetLink(asked), NLM_F_REQUEST)) {
        Ok(answers) => Ok(links_in(answers).next()),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

fn links_in(answers: Vec<crate::sys::netlink::Answer>) -> impl Iterator<Item = Link> {
    const RTM_NEWLINK: u16 = NLMSG_MIN_TYPE;
    answers
        .into_iter()
        .take(MOST)
        .filter(|answer| answer.kind == RTM_NEWLINK)
        .filter_map(|answer| LinkMessage::parse(&answer.payload).ok().map(|message| read_link(&message)))
}

/// All links.
///
/// # Errors
/// The kernel's.
pub fn links(netlink: &mut Netlink) -> io::Result<Vec<Link>> {
    let asked = RouteNetlinkMessage::GetLink(LinkMessage::default());
    Ok(links_in(netlink.ask(&mut bytes(&asked, NLM_F_REQUEST | NLM_F_DUMP))?).collect())
}

/// This machine's addresses.
///
/// # Errors
/// The kernel's.
pub fn addresses(netlink: &mut Netlink) -> io::Result<Vec<IpAddr>> {
    let asked = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let answers = netlink.ask(&mut bytes(&asked, NLM_F_REQUEST | NLM_F_DUMP))?;
    let read = |answer: crate::sys::netlink::Answer| {
        let message = AddressMessage::parse(&answer.payload).ok()?;
        // On a link between two the address is the other end's, and ours the local one.
        let local = message.attributes.iter().find_map(|one| if let AddressAttribute::Local(address) = one { Some(*address) } else { None });
        local.or_else(|| message.attributes.iter().find_map(|one| if let AddressAttribute::Address(address) = one { Some(*address) } else { None }))
    };
    Ok(answers.into_iter().take(MOST).filter_map(read).collect())
}

/// A message that takes a link away.
pub fn delete_link(index: u32) -> Vec<u8> {
    let mut gone = LinkMessage::default();
    gone.header.index = index;
    message(&RouteNetlinkMessage::DelLink(gone), Way::Change)
}

/// The head of a link that is up.
pub fn up() -> LinkHeader {
    LinkHeader { flags: LinkFlags::Up, change_mask: LinkFlags::Up, ..LinkHeader::default() }
}

/// A route as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads; everywhere with a prefix of no bits.
    pub to: Cidr,
    /// By which link.
    pub link: u32,
}

/// The routes to other machines, of all tables.
///
/// # Errors
/// The kernel's.
pub fn routes(netlink: &mut Netlink) -> io::Result<Vec<Route>> {
    let mut found = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut asked = RouteMessage::default();
        asked.header.address_family = family;
        let answers = match netlink.ask(&mut bytes(&RouteNetlinkMessage::GetRoute(asked), NLM_F_REQUEST | NLM_F_DUMP)) {
            // A kernel without IPv6 has no such routes.
            Err(error) if family == AddressFamily::Inet6 && matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT)) => continue,
            other => other?,
        };
        found.extend(answers.iter().take(MOST).filter_map(|answer| route(&RouteMessage::parse(&answer.payload).ok()?)));
    }
    Ok(found)
}

fn route(message: &RouteMessage) -> Option<Route> {
    if !matches!(message.header.kind, RouteType::Unicast | RouteType::BlackHole | RouteType::Unreachable | RouteType::Prohibit) {
        return None;
    }
    let mut to = None;
    let mut link = 0;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => to = Some(IpAddr::V4(*address)),
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => to = Some(IpAddr::V6(*address)),
            RouteAttribute::Oif(index) => link = *index,
            _ => {}
        }
    }
    let everywhere = match message.header.address_family {
        AddressFamily::Inet => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    };
    Some(Route { to: Cidr::around(to.unwrap_or(everywhere), message.header.destination_prefix_length)?, link })
}
