//! What a machine's owner decides about networks: from where their addresses come, and where ports are published.

use crate::container::Cidr;
use serde::Deserialize;
use std::net::IpAddr;

/// A block from which networks get theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The whole of it.
    pub base: Cidr,
    /// The prefix of each network's part.
    pub size: u8,
}

/// Decisions about networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where networks get their addresses from, in this order.
    pub pools: Vec<Pool>,
    /// Where ports are published that name no address; at all addresses if absent.
    pub publish: Option<IpAddr>,
}

impl Default for Settings {
    /// The blocks for private use that Docker takes, too: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in parts
    /// of /20; for IPv6 a block made for this machine alone.
    fn default() -> Self {
        let mut pools = Vec::new();
        for (base, size) in [("172.17.0.0/16", 16), ("172.18.0.0/15", 16), ("172.20.0.0/14", 16), ("172.24.0.0/13", 16), ("192.168.0.0/16", 20)] {
            pools.extend(base.parse().ok().map(|base| Pool { base, size }));
        }
        pools.extend(own_block().map(|base| Pool { base, size: 64 }));
        Self { pools, publish: None }
    }
}

/// A block of unique local addresses: fd and 40 bits that are this machine's.
///
/// Source: RFC 4193, section 3.2; the bits are made from the machine's identity so that they stay the same.
fn own_block() -> Option<Cidr> {
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    let digest = ring::digest::digest(&ring::digest::SHA256, &[b"kapal ".as_slice(), &machine].concat());
    let mut bytes = [0u8; 16];
    bytes[0] = 0xfd;
    bytes[1..6].copy_from_slice(digest.as_ref().get(..5)?);
    Cidr::around(IpAddr::from(bytes), 48)
}

impl Settings {
    /// The pools of one family, as the drivers' room takes them.
    pub fn pools_of(&self, v6: bool) -> Vec<(Cidr, u8)> {
        self.pools.iter().filter(|pool| pool.base.is_v6() == v6).map(|pool| (pool.base, pool.size)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_pools_are_private_and_whole() {
        let settings = Settings::default();
        assert_eq!(settings.pools_of(false).len(), 5);
        let six = settings.pools_of(true);
        assert_eq!(six.len(), 1);
        assert!(six[0].0.to_string().starts_with("fd"));
        assert_eq!(six[0].0.prefix(), 48);
        assert!(settings.pools.iter().all(|pool| pool.base.part(pool.size, 0).is_some()));
    }
}
