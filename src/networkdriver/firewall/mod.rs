//! What packets are told: one table of nftables of our own, written as a whole, and nobody else's touched.

pub mod connections;
pub mod explain;
pub mod obstacle;
mod packet;
mod plan;
pub mod rule;
pub mod sysctl;
mod wire;

pub use connections::forget;
pub use explain::{Answer, Asker, Reach, explain};
pub use obstacle::{Obstacle, obstacles};
pub use rule::{Chain, Hook, Match, Rule, Table, Verdict};

use crate::container::network::Traffic;
use crate::id::Digest;
use crate::sys::netlink::Netlink;
use netlink_packet_core::ParseableParametrized;
use netlink_packet_netfilter::nftables::{NfTablesMessage, TableAttribute};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner};
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
    let rules = Table::of(traffic);
    apply(netlink, table, Some(&rules))
}

/// Takes the table away; one that is not there is no error. Connections that were changed go on being changed.
///
/// # Errors
/// The kernel's.
pub fn remove(netlink: &mut Netlink, table: &str) -> io::Result<()> {
    apply(netlink, table, None)
}

/// Redirects a container's questions for names to its name server's real port, in the namespace of `netlink`.
///
/// # Errors
/// The kernel's, with the rule it refused.
pub fn names(netlink: &mut Netlink, port: u16) -> io::Result<()> {
    apply(netlink, "kapal", Some(&Table::names(port)))
}

/// Whether the table is there and was made for this very traffic; one small question. Linux before 5.10 does not
/// keep the mark that this is seen by: there it is never so.
///
/// # Errors
/// The kernel's.
pub fn is_current(netlink: &mut Netlink, table: &str, traffic: &Traffic) -> io::Result<bool> {
    let rules = Table::of(traffic);
    let answers = match netlink.ask(&mut wire::get_table(table)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        answers => answers?,
    };
    let expected = mark(&rules);
    Ok(answers.iter().any(|answer| match NetfilterMessage::parse_with_param(&answer.payload, answer.kind) {
        Ok(NetfilterMessage { inner: NetfilterMessageInner::NfTables(NfTablesMessage::NewTable(found)), .. }) => {
            // `nft flush ruleset` takes the mark away with all, `nft delete chain` only what it names.
            let whole = found.attributes.iter().any(|one| matches!(one, TableAttribute::Use(chains) if *chains as usize == rules.chains.len()));
            whole && found.attributes.iter().any(|one| matches!(one, TableAttribute::UserData(found) if *found == expected))
        }
        _ => false,
    }))
}

/// What tells this table from others: a comment, so that `nft list` shows it.
fn mark(table: &Table) -> Vec<u8> {
    let mut text = String::new();
    for chain in &table.chains {
        text += &format!("{} {:?}\n", chain.name, chain.base);
        chain.rules.iter().for_each(|rule| text += &format!("{rule}\n"));
    }
    let digest = Digest::of(text.as_bytes()).to_string();
    let digits: String = digest.trim_start_matches("sha256:").chars().take(32).collect();
    wire::comment(&format!("kapal's own, replaced as a whole: {digits}"))
}

fn apply(netlink: &mut Netlink, name: &str, table: Option<&Table>) -> io::Result<()> {
    let mut batch = Batch::replace(name, table, table.map(mark).as_deref());
    let results = netlink.batch(&mut batch.messages)?;
    for (result, about) in results.into_iter().zip(&batch.about) {
        if let Err(error) = result {
            return Err(io::Error::new(error.kind(), format!("the kernel refused {about}: {error}")));
        }
    }
    Ok(())
}
