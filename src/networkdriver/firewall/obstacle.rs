//! Other people's firewalls on this machine: found and named, with the command that lets our packets through; never touched.
//!
//! A packet goes on only if no table drops it. What ours lets through may end in another one's chain.

use super::foreign::{self, Chain};
use super::judge::{self, Fate, Packet};
use super::rule::Hook;
use crate::container::Network;
use crate::sys::netlink::Netlink;
use std::collections::HashSet;
use std::io;

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
    /// What becomes of what containers begin: on its way elsewhere, or to this machine itself.
    pub leaving: Fate,
    /// What becomes of what comes to their published ports.
    pub coming: Fate,
    /// The links of ours that this is so for.
    pub links: Vec<String>,
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
    /// The packets that a family's tables see (linux/netfilter.h, `NFPROTO_…`).
    pub(super) fn of(family: u8) -> Option<Self> {
        [Self::Both, Self::V4, Self::V6].into_iter().find(|packets| packets.number() == family)
    }

    pub(super) fn number(self) -> u8 {
        match self {
            Self::Both => 1,
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

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
    /// Whether it drops what none of its rules lets through; if not, a rule about what cannot be foreseen may.
    pub fn drops(&self) -> bool {
        self.leaving == Fate::Drops || self.coming == Fate::Drops
    }

    /// What it does to our packets, in a sentence.
    pub fn what(&self) -> String {
        let (owner, family, table, chain) = (self.owner.name(), self.family.as_str(), shown(&self.table), shown(&self.chain));
        let touches = |fate: Fate| if self.drops() { fate == Fate::Drops } else { fate == Fate::Perhaps };
        let packets = match (self.hook, touches(self.leaving), touches(self.coming)) {
            (Hook::Input, ..) => "what containers ask this machine itself",
            (_, true, true) => "what goes to and from containers",
            (_, true, false) => "what containers send (not what comes to published ports)",
            (_, false, _) => "what comes to published ports",
        };
        match (self.owner, self.drops()) {
            (Owner::Legacy, _) => format!("{owner}: the table {table} may drop {packets}"),
            (_, true) => format!("{owner}: chain {chain} of table {family} {table} drops {packets}, but for what its rules let through"),
            (_, false) => format!("{owner}: a rule of chain {chain} of table {family} {table} may drop {packets}"),
        }
    }

    /// What it does, and what to do about it, in a sentence.
    pub fn advice(&self) -> String {
        format!("{}; to let it through: {}", self.what(), self.ways().join("; "))
    }

    /// The commands that let the packets of all those links through.
    pub fn ways(&self) -> Vec<String> {
        let mut ways: Vec<String> = self.links.iter().flat_map(|link| self.way(link)).collect();
        // Some commands are needed once for all.
        let mut told = HashSet::new();
        ways.reverse();
        ways.retain(|way| told.insert(way.clone()));
        ways.reverse();
        ways
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

/// What some obstacles do, and what to do about them, a sentence each; what is done for one already, such as the same chain for
/// the other family, is not told again.
pub fn advice<'a>(obstacles: impl Iterator<Item = &'a Obstacle>) -> Vec<String> {
    let mut told = HashSet::new();
    let is_new = |one: &&Obstacle| one.ways().into_iter().filter(|way| told.insert(way.clone())).count() > 0;
    obstacles.filter(is_new).map(Obstacle::advice).collect()
}

/// A name as it may stand in a sentence and on a command line.
fn shown(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || "-_.@/".contains(c) { c } else { '?' }).collect()
}

/// All chains of others that what goes to and from containers of these networks passes, or from them to this machine, and may not
/// come through. `own` is our table's name, and what begins with it and a `-` is a table of another store of ours.
///
/// The old tables (`iptables-legacy`) are those of the calling thread's network namespace; what is in them is not asked.
///
/// # Errors
/// The kernel's. One without nftables has no such chains.
pub fn obstacles(netlink: &mut Netlink, own: &str, networks: &[Network]) -> io::Result<Vec<Obstacle>> {
    let chains = foreign::chains(netlink)?;
    let mut found = Vec::new();
    for chain in chains.iter().filter(|chain| !is_ours(&chain.table, own)) {
        let Some(base) = chain.base.filter(|base| base.drops || base.rules > 0) else { continue };
        let Some(hook) = [Hook::Forward, Hook::Input].into_iter().find(|known| *known as u32 == base.hook) else { continue };
        let table = if base.rules > 0 { table(netlink, chain)? } else { judge::Table::default() };
        let mut obstacle = Obstacle {
            owner: owner(chain, &chains),
            family: chain.family,
            table: chain.table.clone(),
            chain: chain.name.clone(),
            hook,
            leaving: Fate::Passes,
            coming: Fate::Passes,
            links: Vec::new(),
        };
        for network in networks.iter().filter(|network| !network.internal) {
            let (leaving, coming) = judged(&table, chain, hook, base.drops, network);
            if leaving.max(coming) > Fate::Passes {
                (obstacle.leaving, obstacle.coming) = (obstacle.leaving.max(leaving), obstacle.coming.max(coming));
                obstacle.links.push(network.link.clone());
            }
        }
        found.extend(Some(obstacle).filter(|obstacle| !obstacle.links.is_empty()));
    }
    found.extend(legacy(networks));
    Ok(found)
}

/// Whether a table is one of ours.
pub(super) fn is_ours(table: &str, own: &str) -> bool {
    table == own || table.strip_prefix(own).is_some_and(|rest| rest.starts_with('-'))
}

/// A chain's table, with the sets that its rules ask.
fn table(netlink: &mut Netlink, chain: &Chain) -> io::Result<judge::Table> {
    let mut table = judge::Table::default();
    for rule in foreign::rules(netlink, chain.family, &chain.table)? {
        for step in &rule.steps {
            if let foreign::Step::Lookup { set, .. } = step
                && !table.sets.contains_key(set)
            {
                // A set that is gone meanwhile is one that cannot be read.
                table.sets.insert(set.clone(), foreign::elements(netlink, chain.family, &chain.table, set).unwrap_or_default());
            }
        }
        table.rules.entry(rule.chain.clone()).or_default().push(rule);
    }
    Ok(table)
}

/// What becomes of what a network's containers send, and of what comes to their ports.
fn judged(table: &judge::Table, chain: &Chain, hook: Hook, drops: bool, network: &Network) -> (Fate, Fate) {
    let containers = network.subnets.iter().filter(|subnet| chain.family.sees(subnet.block.is_v6())).filter_map(|subnet| subnet.block.nth(2));
    let fate = |to_link: bool| {
        let fates = containers.clone().map(|container| {
            let packet = Packet { link: &network.link, to_link, container, published: to_link };
            table.fate(&chain.name, drops, &packet)
        });
        fates.max().unwrap_or(Fate::Passes)
    };
    // What is led to a container does not come to this machine's own programs.
    (fate(false), if hook == Hook::Forward { fate(true) } else { Fate::Passes })
}

/// The old tables there are: one that filters may drop.
fn legacy(networks: &[Network]) -> Vec<Obstacle> {
    let links: Vec<String> = networks.iter().filter(|network| !network.internal).map(|network| network.link.clone()).collect();
    // Absent where the kernel has no such tables.
    let names = |file: &str| std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
    let filters = |(_, file): &(Packets, &str)| !links.is_empty() && names(file).lines().any(|name| name == "filter");
    let tables = [(Packets::V4, "ip_tables_names"), (Packets::V6, "ip6_tables_names")].into_iter().filter(filters);
    let obstacle = |(family, _)| Obstacle {
        owner: Owner::Legacy,
        family,
        table: "filter".to_owned(),
        chain: "FORWARD".to_owned(),
        hook: Hook::Forward,
        leaving: Fate::Perhaps,
        coming: Fate::Perhaps,
        links: links.clone(),
    };
    tables.map(obstacle).collect()
}

/// Who made a base chain: its own name, and those of the chains beside it.
fn owner(chain: &Chain, all: &[Chain]) -> Owner {
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

    fn obstacle(owner: Owner, family: Packets, table: &str, chain: &str, hook: Hook) -> Obstacle {
        let (table, chain) = (table.to_owned(), chain.to_owned());
        Obstacle { owner, family, table, chain, hook, leaving: Fate::Drops, coming: Fate::Drops, links: vec!["kapal0".to_owned()] }
    }

    #[test]
    fn makers_are_known_by_their_names() {
        let chain = |family, table: &str, name: &str| Chain { family, table: table.to_owned(), name: name.to_owned(), base: None };
        let chains = [
            chain(Packets::V4, "filter", "FORWARD"),
            chain(Packets::V4, "filter", "INPUT"),
            chain(Packets::V4, "filter", "DOCKER-USER"),
            chain(Packets::V6, "filter", "FORWARD"),
            chain(Packets::V6, "filter", "ufw6-before-forward"),
            chain(Packets::Both, "firewalld", "filter_FORWARD"),
            chain(Packets::Both, "mine", "fwd"),
        ];
        let owners: Vec<Owner> = chains.iter().map(|chain| owner(chain, &chains)).collect();
        assert_eq!(owners, [Owner::Docker, Owner::Iptables, Owner::Nft, Owner::Ufw, Owner::Nft, Owner::Firewalld, Owner::Nft]);
        for (table, ours) in [("kapal", true), ("kapal-1a2b3c", true), ("kapalx", false), ("filter", false)] {
            assert_eq!(is_ours(table, "kapal"), ours, "{table}");
        }
    }

    #[test]
    fn each_maker_has_its_command() {
        let docker = obstacle(Owner::Docker, Packets::V4, "filter", "FORWARD", Hook::Forward);
        assert_eq!(docker.ways(), ["iptables -I DOCKER-USER -i kapal0 -j ACCEPT", "iptables -I DOCKER-USER -o kapal0 -j ACCEPT"]);
        let mut ufw = obstacle(Owner::Ufw, Packets::V6, "filter", "FORWARD", Hook::Forward);
        assert_eq!(ufw.ways()[0], "ufw route allow in on kapal0");
        (ufw.leaving, ufw.coming) = (Fate::Passes, Fate::Perhaps);
        assert_eq!(ufw.what(), "ufw: a rule of chain FORWARD of table ip6 filter may drop what comes to published ports");
        let mut firewalld = obstacle(Owner::Firewalld, Packets::Both, "firewalld", "filter_FORWARD", Hook::Forward);
        firewalld.coming = Fate::Passes;
        firewalld.links.push("kp-1".to_owned());
        assert_eq!(
            firewalld.ways(),
            [
                "firewall-cmd --permanent --zone=trusted --add-interface=kapal0",
                "firewall-cmd --permanent --zone=trusted --add-interface=kp-1",
                "firewall-cmd --reload"
            ]
        );
        assert!(firewalld.what().contains("drops what containers send (not what comes to published ports), but"), "{}", firewalld.what());
        let mine = obstacle(Owner::Nft, Packets::Both, "mine", "fwd", Hook::Forward);
        assert_eq!(mine.ways()[1], "nft insert rule inet mine fwd oifname kapal0 accept");
        assert_eq!(mine.what(), "nft: chain fwd of table inet mine drops what goes to and from containers, but for what its rules let through");
    }

    #[test]
    fn names_of_others_are_harmless_on_a_command_line() {
        let evil = obstacle(Owner::Nft, Packets::V4, "a; rm -rf \x1b[1m", "x$(y)", Hook::Input);
        assert_eq!(evil.ways(), ["nft insert rule ip a??rm?-rf???1m x??y? iifname kapal0 accept"]);
        assert!(!evil.what().contains(['\x1b', '$', ';']));
    }
}
