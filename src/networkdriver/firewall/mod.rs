//! What packets are told: one table of nftables of our own, written as a whole, and nobody else's touched.
//!
//! - [`plan`] makes [`rule`]s of the networks in use and the published ports; every rule has a sentence on why it is there, which
//!   `nft list ruleset` shows. Nothing but netlink is used: no program need be installed.
//! - [`replace`] and [`remove`] are one transaction each; packets meet the old rules or the new ones.
//! - [`explain`](mod@explain) lets an imaginary packet walk the same rules, [`obstacle`] finds other people's.
//!
//! # What it needs
//! Linux 5.2 (chains of kind nat in a table of family inet), and `CONFIG_NF_TABLES_INET`, `NFT_NAT`, `NFT_MASQ`, `NFT_CT`,
//! `NFT_FIB_INET`. The mark that [`look`] compares is kept from 5.10 on, the list of connections filtered from 5.8
//! on. A refusal names the rule and what it needs.
//!
//! # What it leaves to the bridge
//! Packets between containers of one network pass the bridge, not these rules, unless `br_netfilter` sends them here: a network
//! without `icc` needs isolated ports (`IFLA_BRPORT_ISOLATED`) besides. Where `br_netfilter` is on, a container reaches its own
//! published port only if its bridge port sends packets back where they came from (`IFLA_BRPORT_MODE`, hairpin).
//! 127.0.0.1 leads to a container only with `route_localnet` on the network's link ([`sysctl::loopback_way`]).
//! The kernel has no such way from `::1`, and no rule here is about it: see [`plan`].

pub mod connections;
pub mod explain;
mod foreign;
mod judge;
pub mod obstacle;
mod packet;
pub mod plan;
pub mod rule;
pub mod sysctl;
mod wire;

pub use connections::{forget, forget_port};
pub use explain::{Answer, Asker, Reach, explain};
pub use judge::Fate;
pub use obstacle::{Obstacle, advice, obstacles};
pub use rule::{Chain, Hook, Match, Rule, Table, Verdict};

use crate::container::network::Traffic;
use crate::id::Digest;
use crate::sys::netlink::Netlink;
use std::fmt::Write;
use std::io;
use std::net::Ipv4Addr;
use wire::Batch;

/// Where a container's processes ask for names.
pub const NAMES: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// Makes the table (`kapal`) be what `traffic` needs, in one step: at no moment is any rule of both states missing.
///
/// # Errors
/// The kernel's, with the rule it refused; the old table is as it was then.
pub fn replace(netlink: &mut Netlink, table: &str, traffic: &Traffic) -> io::Result<()> {
    put(netlink, table, &Table::of(traffic))
}

/// Takes the table away; one that is not there is no error. Connections that were changed go on being changed.
///
/// # Errors
/// The kernel's.
pub fn remove(netlink: &mut Netlink, table: &str) -> io::Result<()> {
    apply(netlink, Batch::replace(table, None, None))
}

/// Redirects a container's questions for names to its name server's real port, in the namespace of `netlink`.
///
/// # Errors
/// The kernel's, with the rule it refused.
pub fn names(netlink: &mut Netlink, port: u16) -> io::Result<()> {
    put(netlink, "kapal", &Table::names(port))
}

/// What a look at this namespace's tables shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Our table is there and was made for this very traffic.
    pub is_current: bool,
    /// There are others', which may have something to say about our packets.
    pub others: bool,
}

/// Looks at the tables of this namespace; one small question. Linux before 5.10 does not keep the mark that ours is known to be
/// current by: there it never is.
///
/// # Errors
/// The kernel's.
pub fn look(netlink: &mut Netlink, table: &str, traffic: &Traffic) -> io::Result<Seen> {
    let rules = Table::of(traffic);
    let mut seen = Seen { is_current: false, others: false };
    for found in foreign::tables(netlink)? {
        seen.others |= !obstacle::is_ours(&found.name, table);
        // `nft flush ruleset` takes the mark away with all, `nft delete chain` only what it names.
        let whole = found.family == obstacle::Packets::Both && found.name == table && found.uses as usize == rules.chains.len();
        seen.is_current |= whole && found.mark == mark(&rules);
    }
    Ok(seen)
}

/// What tells this table from others: a digest of all that it is to be, in a comment, so that `nft list` shows it.
fn mark(table: &Table) -> Vec<u8> {
    let mut text = format!("{}\n", wire::FORM);
    for chain in &table.chains {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{} {:?}", chain.name, chain.base);
        for rule in &chain.rules {
            let _ = writeln!(text, "{rule}");
        }
    }
    let digest = Digest::of(text.as_bytes()).to_string();
    let digits: String = digest.trim_start_matches("sha256:").chars().take(32).collect();
    wire::comment(&format!("kapal's own, replaced as a whole: {digits}"))
}

/// Makes a table be these rules, in one step.
///
/// # Errors
/// The kernel's, with the rule it refused; the old table is as it was then.
pub fn put(netlink: &mut Netlink, table: &str, rules: &Table) -> io::Result<()> {
    apply(netlink, Batch::replace(table, Some(rules), Some(&mark(rules))))
}

fn apply(netlink: &mut Netlink, mut batch: Batch) -> io::Result<()> {
    let results = netlink.batch(&mut batch.messages)?;
    for (result, about) in results.into_iter().zip(&batch.about) {
        if let Err(error) = result {
            return Err(io::Error::new(error.kind(), format!("the kernel refused {about}: {error}")));
        }
    }
    Ok(())
}
