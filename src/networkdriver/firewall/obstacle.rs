//! Other people's firewalls on this machine: found and named, with the command that lets our packets through; never touched.
//!
//! A packet goes on only if no table drops it. What ours lets through may end in another one's chain.

use super::rule::Hook;
use super::wire;
use crate::sys::netlink::Netlink;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, ParseableParametrized};
use netlink_packet_netfilter::nftables::{ChainAttribute, ChainMessage, Hook as HookAttribute, NfTablesMessage};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};
use std::io;

/// Chains that are looked at, at most.
const MOST: usize = 16 << 10;
/// What the kernel says of a policy (`NF_DROP`).
const DROP: u32 = 0;

/// A chain of somebody else's that our packets pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Who made it, as far as its names tell.
    pub owner: Owner,
    /// The packets it sees.
    pub family: Packets,
    /// Its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// Where packets pass it: forward or input.
    pub hook: Hook,
    /// It drops what none of its rules lets through. If not, one of its rules may.
    pub drops: bool,
}

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packets {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Both.
    Both,
}

/// Who makes firewalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Docker, by `iptables`.
    Docker,
    /// firewalld.
    Firewalld,
    /// ufw, by `iptables`.
    Ufw,
    /// Somebody with `iptables`, of the kind that writes nftables.
    Iptables,
    /// Somebody with `iptables-legacy`: the kernel tells which tables there are, not what is in them.
    Legacy,
    /// Somebody with `nft`.
    Nft,
}

impl Packets {
    /// Whether it sees packets of this family.
    pub fn sees(self, v6: bool) -> bool {
        self == Self::Both || (self == Self::V6) == v6
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "ip",
            Self::V6 => "ip6",
            Self::Both => "inet",
        }
    }
}

impl Owner {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::Firewalld => "firewalld",
            Self::Ufw => "ufw",
            Self::Iptables => "iptables",
            Self::Legacy => "iptables-legacy",
            Self::Nft => "nft",
        }
    }
}

impl Obstacle {
    /// What it does to our packets, in a sentence.
    pub fn what(&self) -> String {
        let (owner, family, table, chain) = (self.owner.name(), self.family.as_str(), shown(&self.table), shown(&self.chain));
        let packets = match self.hook {
            Hook::Input => "what is sent to this machine itself, containers' questions among it",
            _ => "what goes to and from containers",
        };
        match (self.owner, self.drops) {
            (Owner::Legacy, _) => format!("{owner}: the table {table} may drop {packets}"),
            (_, true) => format!("{owner}: chain {chain} of table {family} {table} drops {packets}, but for what its rules let through"),
            (_, false) => format!("{owner}: a rule of chain {chain} of table {family} {table} may drop {packets}"),
        }
    }

    /// The commands that let a link's packets through there.
    pub fn way(&self, link: &str) -> Vec<String> {
        let link = &shown(link);
        let (chain, table) = (shown(&self.chain), shown(&self.table));
        let tools: &[&str] = match (self.owner == Owner::Legacy, self.family) {
            (false, Packets::V6) => &["ip6tables"],
            (false, _) => &["iptables"],
            (true, Packets::V6) => &["ip6tables-legacy"],
            (true, _) => &["iptables-legacy"],
        };
        let ways: &[(&str, &str)] = if self.hook == Hook::Input { &[("-i", "iifname")] } else { &[("-i", "iifname"), ("-o", "oifname")] };
        let iptables =
            |chain: &str| tools.iter().flat_map(|tool| ways.iter().map(move |(way, _)| format!("{tool} -I {chain} {way} {link} -j ACCEPT"))).collect();
        match self.owner {
            Owner::Docker if self.hook == Hook::Forward => iptables("DOCKER-USER"),
            Owner::Firewalld => vec![format!("firewall-cmd --permanent --zone=trusted --add-interface={link}"), "firewall-cmd --reload".to_owned()],
            Owner::Ufw if self.hook == Hook::Forward => vec![format!("ufw route allow in on {link}"), format!("ufw route allow out on {link}")],
            Owner::Ufw => vec![format!("ufw allow in on {link}")],
            Owner::Docker | Owner::Iptables | Owner::Legacy => iptables(&chain),
            Owner::Nft => {
                let family = self.family.as_str();
                ways.iter().map(|(_, name)| format!("nft insert rule {family} {table} {chain} {name} {link} accept")).collect()
            }
        }
    }
}

/// A name as it may stand in a sentence and on a command line.
fn shown(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || "-_.@/".contains(c) { c } else { '?' }).collect()
}

/// A chain as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    family: Packets,
    table: String,
    name: String,
    /// For base chains: the hook's number, the policy, and how many rules there are.
    base: Option<(u32, u32, u32)>,
}

/// All chains of others that what goes to and from containers, or from them to this machine, passes and may not come through:
/// those that drop by policy, and those of well-known makers that have rules. `own` is our table's name, and what begins
/// with it and a `-` is a table of another store of ours.
///
/// The old tables (`iptables-legacy`) are those of the calling thread's network namespace.
///
/// # Errors
/// The kernel's. One without nftables has no such chains.
pub fn obstacles(netlink: &mut Netlink, own: &str) -> io::Result<Vec<Obstacle>> {
    let mut chains = Vec::new();
    let mut question =
        wire::message(NetfilterProtoFamily::Unspec, NLM_F_REQUEST | NLM_F_DUMP, NfTablesMessage::GetChain(ChainMessage { attributes: Vec::new() }));
    netlink.each(&mut question, |answer| {
        if chains.len() < MOST {
            chains.extend(listed(&answer.payload, answer.kind));
        }
    })?;
    let mut found = foreign(&chains, own);
    for (family, file) in [(Packets::V4, "ip_tables_names"), (Packets::V6, "ip6_tables_names")] {
        // Absent where the kernel has no such tables.
        let names = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
        if names.lines().any(|name| name == "filter") {
            found.push(Obstacle { owner: Owner::Legacy, family, table: "filter".to_owned(), chain: "FORWARD".to_owned(), hook: Hook::Forward, drops: false });
        }
    }
    Ok(found)
}

/// A chain of a family that our packets pass.
fn listed(payload: &[u8], kind: u16) -> Option<Listed> {
    let message = NetfilterMessage::parse_with_param(payload, kind).ok()?;
    let family = match message.header.family {
        NetfilterProtoFamily::Inet => Packets::Both,
        NetfilterProtoFamily::IPv4 => Packets::V4,
        NetfilterProtoFamily::IPv6 => Packets::V6,
        _ => return None,
    };
    let NetfilterMessageInner::NfTables(NfTablesMessage::NewChain(chain)) = message.inner else { return None };
    let (mut table, mut name, mut hook, mut policy, mut rules) = (None, None, None, None, 0);
    for one in chain.attributes {
        match one {
            ChainAttribute::Table(text) => table = Some(text),
            ChainAttribute::Name(text) => name = Some(text),
            ChainAttribute::Hook(parts) => {
                hook = parts.into_iter().find_map(|part| if let HookAttribute::Number(number) = part { Some(u32::from(number)) } else { None });
            }
            ChainAttribute::Policy(value) => policy = Some(value),
            // To a base chain nobody jumps: what uses it are its rules.
            ChainAttribute::Use(value) => rules = value,
            _ => {}
        }
    }
    Some(Listed { family, table: table?, name: name?, base: hook.map(|hook| (hook, policy.unwrap_or(1), rules)) })
}

fn foreign(chains: &[Listed], own: &str) -> Vec<Obstacle> {
    let ours = |table: &str| table == own || table.strip_prefix(own).is_some_and(|rest| rest.starts_with('-'));
    let mut found = Vec::new();
    for chain in chains.iter().filter(|chain| !ours(&chain.table)) {
        let Some((hook, policy, rules)) = chain.base else { continue };
        let Some(hook) = [Hook::Forward, Hook::Input].into_iter().find(|known| *known as u32 == hook) else { continue };
        let owner = owner(chain, chains);
        let drops = policy == DROP;
        if drops || (owner != Owner::Nft && rules > 0) {
            found.push(Obstacle { owner, family: chain.family, table: chain.table.clone(), chain: chain.name.clone(), hook, drops });
        }
    }
    found
}

/// Who made a base chain: its own name, and those of the chains beside it.
fn owner(chain: &Listed, all: &[Listed]) -> Owner {
    let beside = |begins: &str| all.iter().any(|other| other.family == chain.family && other.table == chain.table && other.name.starts_with(begins));
    match (chain.family, chain.table.as_str(), chain.name.as_str()) {
        (_, "firewalld", _) => Owner::Firewalld,
        // Docker itself puts nothing into INPUT.
        (Packets::V4 | Packets::V6, "filter", "FORWARD") if beside("DOCKER-USER") => Owner::Docker,
        (Packets::V4 | Packets::V6, "filter", "FORWARD" | "INPUT") if beside("ufw") => Owner::Ufw,
        (Packets::V4 | Packets::V6, "filter" | "mangle" | "security", "FORWARD" | "INPUT") => Owner::Iptables,
        _ => Owner::Nft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(family: Packets, table: &str, name: &str, base: Option<(u32, u32, u32)>) -> Listed {
        Listed { family, table: table.to_owned(), name: name.to_owned(), base }
    }

    #[test]
    fn makers_are_known_by_their_names() {
        let chains = [
            chain(Packets::V4, "filter", "FORWARD", Some((2, 0, 5))),
            chain(Packets::V4, "filter", "INPUT", Some((1, 1, 0))),
            chain(Packets::V4, "filter", "DOCKER-USER", None),
            chain(Packets::V6, "filter", "FORWARD", Some((2, 1, 3))),
            chain(Packets::V6, "filter", "ufw6-before-forward", None),
            chain(Packets::Both, "firewalld", "filter_FORWARD", Some((2, 1, 9))),
            chain(Packets::Both, "mine", "fwd", Some((2, 0, 0))),
            chain(Packets::Both, "mine", "in", Some((1, 1, 7))),
            chain(Packets::Both, "mine", "post", Some((4, 0, 7))),
            chain(Packets::Both, "kapal", "forward", Some((2, 1, 7))),
            chain(Packets::Both, "kapal-1a2b3c", "forward", Some((2, 0, 7))),
            chain(Packets::Both, "kapalx", "forward", Some((2, 0, 7))),
        ];
        let found = foreign(&chains, "kapal");
        let seen: Vec<_> = found.iter().map(|one| (one.owner, one.table.as_str(), one.hook, one.drops)).collect();
        assert_eq!(
            seen,
            [
                (Owner::Docker, "filter", Hook::Forward, true),
                (Owner::Ufw, "filter", Hook::Forward, false),
                (Owner::Firewalld, "firewalld", Hook::Forward, false),
                (Owner::Nft, "mine", Hook::Forward, true),
                (Owner::Nft, "kapalx", Hook::Forward, true),
            ]
        );
        assert_eq!(found[0].way("kapal0"), ["iptables -I DOCKER-USER -i kapal0 -j ACCEPT", "iptables -I DOCKER-USER -o kapal0 -j ACCEPT"]);
        assert_eq!(found[1].way("kapal0")[0], "ufw route allow in on kapal0");
        assert_eq!(found[3].way("kapal0")[1], "nft insert rule inet mine fwd oifname kapal0 accept");
        assert_eq!(found[3].what(), "nft: chain fwd of table inet mine drops what goes to and from containers, but for what its rules let through");
    }

    #[test]
    fn names_of_others_are_harmless_on_a_command_line() {
        let evil = Obstacle {
            owner: Owner::Nft,
            family: Packets::V4,
            table: "a; rm -rf \x1b[1m".to_owned(),
            chain: "x$(y)".to_owned(),
            hook: Hook::Input,
            drops: true,
        };
        assert_eq!(evil.way("k0"), ["nft insert rule ip a??rm?-rf???1m x??y? iifname k0 accept"]);
        assert!(!evil.what().contains(['\x1b', '$', ';']));
    }

    #[test]
    fn no_bytes_are_a_panic() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..bytes.len() {
            for kind in [0u16, 0x0a03, 0x0a06, 0xffff] {
                let _ = listed(&bytes[..length], kind);
            }
        }
    }
}
