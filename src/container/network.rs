//! Networks, and a container's places on them, as plain values.

use super::cidr::Cidr;
use super::port::Published;
use crate::id::{ContainerId, NetworkId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The name of the network that containers are on unless told otherwise.
pub const DEFAULT: &str = "bridge";

/// A network of containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Network {
    /// 64 hexadecimal digits.
    pub id: NetworkId,
    /// Unique in the store.
    pub name: String,
    /// When it was created.
    pub created: jiff::Timestamp,
    /// The driver that makes it (`bridge`).
    pub driver: String,
    /// Its link on this machine (`kapal0`).
    pub link: String,
    /// Its blocks of addresses, at most one of each family.
    pub subnets: Vec<Subnet>,
    /// Nothing leads out of it and nothing in but from this machine.
    pub internal: bool,
    /// Its containers reach each other.
    pub icc: bool,
    /// What leaves it gets this machine's address.
    pub masquerade: bool,
    /// Bytes of the largest packet; that of the machine's default route if absent.
    pub mtu: Option<u32>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Options of its driver, as they were given.
    pub options: BTreeMap<String, String>,
}

/// A network's block of addresses of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Subnet {
    /// The whole block.
    pub block: Cidr,
    /// The network's own address on this machine, by which containers reach all others.
    pub gateway: IpAddr,
    /// The part from which containers get theirs; all of it if absent.
    pub range: Option<Cidr>,
    /// It was chosen, not asked for: another will do if this machine has come to use it.
    pub chosen: bool,
}

impl Network {
    /// Its block of addresses of one family.
    pub fn subnet(&self, v6: bool) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.block.is_v6() == v6)
    }

    /// Whether containers find each other by name on it: on all but the default one, as people know it.
    pub fn has_names(&self) -> bool {
        self.name != DEFAULT
    }
}

/// What a container is to have on a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Attachment {
    /// The network, by name.
    pub network: String,
    /// Names beside its own.
    pub aliases: Vec<String>,
    /// This IPv4 address and no other.
    pub v4: Option<std::net::Ipv4Addr>,
    /// This IPv6 address and no other.
    pub v6: Option<std::net::Ipv6Addr>,
    /// This hardware address.
    pub mac: Option<Mac>,
}

/// A container's place on a network while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Endpoint {
    /// Whose.
    pub container: ContainerId,
    /// On which network.
    pub network: NetworkId,
    /// The link on this machine (`kv…`).
    pub link: String,
    /// The link inside (`eth0`).
    pub inside: String,
    /// Its hardware address inside.
    pub mac: Mac,
    /// Its addresses, each with the length of its network's prefix; at most one of each family.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Names beside the container's own.
    pub aliases: Vec<String>,
}

impl Endpoint {
    /// Its address of one family.
    pub fn address(&self, v6: bool) -> Option<IpAddr> {
        self.addresses.iter().map(|(address, _)| *address).find(|address| address.is_ipv6() == v6)
    }
}

/// A published port with the container's address it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Whose.
    pub container: ContainerId,
    /// The container's name.
    pub name: String,
    /// The network it is reached on.
    pub network: NetworkId,
    /// Where on this machine, and the port inside.
    pub port: Published,
    /// The container's address on that network, of the same family as the address here; for `::1` it may be of the other one.
    pub target: IpAddr,
}

/// All that packets are to be told: the networks in use and what is published on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// In the order of their identities.
    pub networks: Vec<Network>,
    /// In the order of protocol, address and port.
    pub forwards: Vec<Forward>,
}

/// A hardware address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address that goes with an IPv4 address (`02:42:…` and its four bytes, as Docker does it): the same one has
    /// the same, so that neighbours need not forget.
    pub fn of(address: std::net::Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.map(|byte| format!("{byte:02x}")).join(":");
        f.pad(&text)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("invalid hardware address {:?}: {why} (02:42:ac:11:00:02)", text.chars().take(40).collect::<String>());
        let mut bytes = [0u8; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = part.and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or_else(|| wrong("expected six bytes"))?;
        }
        if parts.next().is_some() {
            return Err(wrong("expected six bytes"));
        }
        if bytes[0] & 1 == 1 || bytes == [0; 6] {
            return Err(wrong("it is nobody's own, but a group's or nothing"));
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_are_six_bytes_of_somebody() {
        assert_eq!("02:42:AC:11:00:02".parse::<Mac>().unwrap(), Mac::of("172.17.0.2".parse().unwrap()));
        for text in ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "01:42:ac:11:00:02", "00:00:00:00:00:00", "2:42:ac:11:0:2", "+2:42:ac:11:00:02"] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}
