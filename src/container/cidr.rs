//! Blocks of addresses as networks have them: an address with the length of its prefix.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses, `172.18.0.0/16` or `fd00:1::/64`; the bits after the prefix are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// A text that is no block of addresses.
#[derive(Debug, thiserror::Error)]
#[error("invalid block of addresses {0:?}: expected an address and the length of its prefix (172.30.0.0/16, fd00:1::/64)")]
pub struct CidrError(String);

/// An address as a number, and how many bits its family has.
fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

impl Cidr {
    /// The block that `address` lies in; `None` if the prefix is longer than the family's addresses.
    pub fn around(address: IpAddr, prefix: u8) -> Option<Self> {
        let (value, bits) = number(address);
        let host = bits.checked_sub(prefix)?;
        let value = if host == 128 { 0 } else { value >> host << host };
        Some(Self { address: like(address, value), prefix })
    }

    /// Its first address.
    pub fn first(&self) -> IpAddr {
        self.address
    }

    /// Its last address.
    pub fn last(&self) -> IpAddr {
        let (value, bits) = number(self.address);
        let host = bits - self.prefix;
        like(self.address, value | if host == 128 { u128::MAX } else { (1 << host) - 1 })
    }

    /// The length of the prefix in bits.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether its addresses have 128 bits.
    pub fn is_v6(&self) -> bool {
        self.address.is_ipv6()
    }

    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::around(address, self.prefix).is_some_and(|block| block == *self)
    }

    /// Whether any address lies in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// The address `offset` after the first; `None` beyond the last.
    pub fn nth(&self, offset: u64) -> Option<IpAddr> {
        let (value, bits) = number(self.address);
        let host = bits - self.prefix;
        (host >= 64 || u128::from(offset) < (1 << host)).then(|| like(self.address, value + u128::from(offset)))
    }

    /// How far the address is from the first one; `None` if it lies outside or too far (beyond 2⁶³).
    pub fn offset(&self, address: IpAddr) -> Option<u64> {
        let far = number(address).0.checked_sub(number(self.address).0)?;
        (self.contains(address) && far < 1 << 63).then_some(far as u64)
    }

    /// The block of `prefix` bits that lies `index` such blocks after the first one within this; `None` beyond its end.
    pub fn part(&self, prefix: u8, index: u32) -> Option<Self> {
        let (value, bits) = number(self.address);
        let host = bits.checked_sub(prefix)?;
        let parts = prefix.checked_sub(self.prefix)?;
        (parts >= 32 || u64::from(index) < 1 << parts).then_some(())?;
        Some(Self { address: like(self.address, value + (u128::from(index).checked_shl(u32::from(host))?)), prefix })
    }
}

/// A number as an address of the same family as `model`.
fn like(model: IpAddr, value: u128) -> IpAddr {
    match model {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(value as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(value)),
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let wrong = || CidrError(text.chars().take(100).collect());
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let prefix = prefix.parse().map_err(|_| wrong())?;
        Self::around(address.parse().map_err(|_| wrong())?, prefix).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;

    fn try_from(text: String) -> Result<Self, CidrError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(block: Cidr) -> Self {
        block.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.address, self.prefix))
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn what_lies_after_the_prefix_is_cut_off() {
        assert_eq!(block("172.18.5.9/16").to_string(), "172.18.0.0/16");
        assert_eq!(block("fd00:1::5/64").to_string(), "fd00:1::/64");
        assert_eq!(block("0.0.0.0/0").last().to_string(), "255.255.255.255");
        assert_eq!(block("::/0").last(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse::<IpAddr>().unwrap());
        assert!("10.0.0.0/33".parse::<Cidr>().is_err());
        assert!("10.0.0.0".parse::<Cidr>().is_err());
    }

    #[test]
    fn addresses_are_counted_from_the_first() {
        let net = block("10.1.0.0/24");
        assert_eq!(net.nth(255).unwrap().to_string(), "10.1.0.255");
        assert_eq!(net.nth(256), None);
        assert_eq!(net.offset("10.1.0.7".parse().unwrap()), Some(7));
        assert_eq!(net.offset("10.1.1.7".parse().unwrap()), None);
        assert_eq!(block("fd00::/64").nth(u64::MAX).unwrap().to_string(), "fd00::ffff:ffff:ffff:ffff");
    }

    #[test]
    fn overlap_is_found_from_both_sides() {
        assert!(block("10.0.0.0/8").overlaps(&block("10.20.0.0/16")));
        assert!(block("10.20.0.0/16").overlaps(&block("10.0.0.0/8")));
        assert!(!block("10.20.0.0/16").overlaps(&block("10.21.0.0/16")));
        assert!(!block("::/0").overlaps(&block("10.21.0.0/16")));
        assert!(!block("0.0.0.0/0").overlaps(&block("fd00::/64")));
    }

    #[test]
    fn a_block_is_cut_into_parts() {
        let pool = block("172.16.0.0/12");
        assert_eq!(pool.part(16, 1).unwrap().to_string(), "172.17.0.0/16");
        assert_eq!(pool.part(16, 15).unwrap().to_string(), "172.31.0.0/16");
        assert_eq!(pool.part(16, 16), None);
        assert_eq!(pool.part(8, 0), None);
        assert_eq!(block("fd12:3456::/48").part(64, 3).unwrap().to_string(), "fd12:3456:0:3::/64");
    }
}
