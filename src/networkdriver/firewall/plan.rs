//! From the networks in use and what is published on them to the chains and rules that make it so.
//!
//! ```text
//!                 ┌─► prerouting ─┐                                ┌─► forward ─┐
//!  links ─────────┘   publish?    ├─ for another ─────────────────►┘            ├─► postrouting ─► links
//!                                 └─ for this machine ─► input     output ──────┘   masquerade?
//!                                                                  publish?
//! ```
//!
//! - Who asks for a published port asks for an address of this machine. `publish` gives the connection the container as its
//!   receiver, be it asked from outside (prerouting), from a container (prerouting) or from this machine (output).
//! - The answers must come back through this machine, to have their sender changed back. They would not where asker and
//!   container share a link, or where the asker's address means something else to the container (127.0.0.1, or this
//!   machine's address on a network that the container has no route to): those connections get the link's own address.
//! - What was not published is not forwarded to a network, wherever it comes from: other networks and other machines alike.
//! - Loopback is this machine's alone. `route_localnet` on a network's link, which the first of these needs for
//!   127.0.0.1, would let its containers send to 127.0.0.0/8 and from it: prerouting and input shut that.
//!
//! The kernel has no `route_localnet` for IPv6: it drops the answer that is to become one for `::1`. No rule leads connections
//! from `::1` anywhere, then: they come to a socket of this machine, at which the container's monitor listens and carries the
//! bytes itself.

use super::rule::{Base, Chain, Hook, Kind, Match, Rule, Table, Verdict};
use crate::container::Cidr;
use crate::container::network::{Forward, Network, Traffic};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The priority of chains that change receivers (`dstnat`), and senders (`srcnat`); linux/netfilter_ipv4.h.
const DSTNAT: i32 = -100;
const SRCNAT: i32 = 100;
const FILTER: i32 = 0;

/// The chain of published ports.
const PUBLISH: &str = "publish";

impl Table {
    /// What `traffic` needs. The same traffic gives the same table.
    pub fn of(traffic: &Traffic) -> Self {
        let base = |name, kind, hook, priority, rules| Chain { name, base: Some(Base { kind, hook, priority }), rules };
        let all = |rules: fn(&Network) -> Vec<Rule>| traffic.networks.iter().flat_map(rules).collect::<Vec<_>>();
        let mut prerouting = vec![rule(&[Match::To(loopback())], Verdict::Return, "loopback is this machine's alone".to_owned())];
        prerouting.push(to_publish());
        let mut forward = vec![rule(&[Match::Known(true)], Verdict::Accept, "connections that were let through, and their answers".to_owned())];
        // All that shuts comes before what opens: an internal network's ports are published to this machine alone.
        forward.extend(all(internal));
        forward.extend(all(passage));
        Self {
            chains: vec![
                Chain { name: PUBLISH, base: None, rules: published(traffic) },
                base("prerouting", Kind::Nat, Hook::Prerouting, DSTNAT, prerouting),
                base("output", Kind::Nat, Hook::Output, DSTNAT, vec![to_publish()]),
                base("postrouting", Kind::Nat, Hook::Postrouting, SRCNAT, all(masquerade)),
                base("forward", Kind::Filter, Hook::Forward, FILTER, forward),
                base("input", Kind::Filter, Hook::Input, FILTER, all(hole)),
            ],
        }
    }

    /// What a container's own namespace needs for a name server at 127.0.0.11 that cannot have port 53 there.
    pub fn names(port: u16) -> Self {
        use crate::container::Protocol::{Tcp, Udp};
        let server = IpAddr::V4(super::NAMES);
        let rules = [Udp, Tcp].map(|protocol| {
            let why = format!("names: {server}:53 -> {server}:{port}/{}", protocol.as_str());
            rule(&[to(server), Match::Port(protocol, 53)], Verdict::Redirect(SocketAddr::new(server, port)), why)
        });
        let base = Some(Base { kind: Kind::Nat, hook: Hook::Output, priority: DSTNAT });
        Self { chains: vec![Chain { name: "output", base, rules: rules.to_vec() }] }
    }
}

fn rule(matches: &[Match], verdict: Verdict, why: String) -> Rule {
    Rule { matches: matches.to_vec(), verdict, why }
}

fn block(address: IpAddr, prefix: u8) -> Cidr {
    Cidr::around(address, prefix).unwrap_or_else(|| unreachable!("prefixes of this file are as short as their addresses"))
}

/// 127.0.0.0/8.
fn loopback() -> Cidr {
    block(IpAddr::V4(Ipv4Addr::LOCALHOST), 8)
}

/// This one receiver.
fn to(address: IpAddr) -> Match {
    Match::To(block(address, if address.is_ipv6() { 128 } else { 32 }))
}

fn to_publish() -> Rule {
    rule(&[Match::ToHere], Verdict::Jump(PUBLISH), "what asks for this machine may ask for a published port".to_owned())
}

/// One rule a published port; those of one address before those of all, whatever was first in the list.
fn published(traffic: &Traffic) -> Vec<Rule> {
    // A connection from `::1` could not be answered: it is left to who listens here.
    let mut rules =
        vec![rule(&[Match::From(block(IpAddr::V6(Ipv6Addr::LOCALHOST), 128))], Verdict::Return, "the kernel cannot answer ::1 from another link".to_owned())];
    let (all, one): (Vec<&Forward>, Vec<&Forward>) =
        traffic.forwards.iter().filter(|forward| possible(forward)).partition(|forward| forward.port.address.is_unspecified());
    if !one.iter().chain(&all).any(|forward| forward.target.is_ipv6()) {
        rules.clear();
    }
    rules.extend(one.into_iter().chain(all).map(|forward| {
        let address = forward.port.address;
        let place = if address.is_unspecified() { Match::V6(address.is_ipv6()) } else { to(address) };
        let target = SocketAddr::new(forward.target, forward.port.inside);
        rule(&[place, Match::Port(forward.port.protocol, forward.port.port)], Verdict::Redirect(target), sentence(forward))
    }));
    rules
}

/// The kernel changes no IPv4 connection into one of IPv6.
fn possible(forward: &Forward) -> bool {
    forward.target.is_ipv6() == forward.port.address.is_ipv6()
}

/// `web: 0.0.0.0:8080 -> 172.18.0.2:80/tcp`.
fn sentence(forward: &Forward) -> String {
    let port = &forward.port;
    let (here, there) = (SocketAddr::new(port.address, port.port), SocketAddr::new(forward.target, port.inside));
    format!("{}: {here} -> {there}/{}", forward.name, port.protocol.as_str())
}

/// Whose senders are changed on their way out.
fn masquerade(network: &Network) -> Vec<Rule> {
    let link = || network.link.clone();
    let mut rules = Vec::new();
    for subnet in &network.subnets {
        if network.masquerade && !network.internal {
            let why = format!("{}: goes out with this machine's address", network.name);
            rules.push(rule(&[Match::From(subnet.block), Match::Out(link(), false)], Verdict::Masquerade, why));
        }
        let why = format!("{}: its own published ports answer by way of this machine", network.name);
        rules.push(rule(&[Match::From(subnet.block), Match::Out(link(), true), Match::Redirected], Verdict::Masquerade, why));
    }
    let why = format!("{}: this machine asks with the network's own address", network.name);
    rules.push(rule(&[Match::Out(link(), true), Match::Redirected, Match::FromHere], Verdict::Masquerade, why));
    rules
}

/// What shuts an internal network.
fn internal(network: &Network) -> Vec<Rule> {
    if !network.internal {
        return Vec::new();
    }
    let crossing = |into: bool| vec![Match::In(network.link.clone(), !into), Match::Out(network.link.clone(), into)];
    let why = |way: &str| format!("{}: internal, nothing {way}", network.name);
    vec![rule(&crossing(false), Verdict::Drop, why("leads out")), rule(&crossing(true), Verdict::Drop, why("leads in"))]
}

/// Who may pass to and from a network.
fn passage(network: &Network) -> Vec<Rule> {
    let link = || network.link.clone();
    let mut rules = vec![rule(&[Match::Out(link(), true), Match::Redirected], Verdict::Accept, format!("{}: what came to a published port", network.name))];
    if !network.icc {
        let why = format!("{}: its containers do not reach each other", network.name);
        rules.push(rule(&[Match::In(link(), true), Match::Out(link(), true)], Verdict::Drop, why));
    }
    if !network.internal {
        let why = format!("{}: what is not published is not reached from elsewhere", network.name);
        rules.push(rule(&[Match::In(link(), false), Match::Out(link(), true)], Verdict::Drop, why));
    }
    if network.masquerade && !network.internal {
        let why = format!("{}: what belongs to no connection would leave with a container's address", network.name);
        rules.push(rule(&[Match::In(link(), true), Match::Out(link(), false), Match::Invalid], Verdict::Drop, why));
    }
    rules
}

/// What shuts the hole that `route_localnet` is.
fn hole(network: &Network) -> Vec<Rule> {
    if network.subnet(false).is_none() {
        return Vec::new();
    }
    let why = format!("{}: this machine's loopback is not for containers", network.name);
    let from = format!("{}: loopback's addresses are not for containers", network.name);
    vec![
        rule(&[Match::In(network.link.clone(), true), Match::To(loopback()), Match::Known(false)], Verdict::Drop, why),
        rule(&[Match::In(network.link.clone(), true), Match::From(loopback())], Verdict::Drop, from),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::container::network::Subnet;
    use crate::container::{Protocol, Published};
    use crate::id::{ContainerId, NetworkId};
    use std::collections::BTreeMap;

    /// `netN` on link `kN`: 172.31.N.0/24 and fd00:N::/64.
    pub fn network(index: u8) -> Network {
        let subnet = |block: String, gateway: String| Subnet { block: block.parse().unwrap(), gateway: gateway.parse().unwrap(), range: None, chosen: true };
        Network {
            id: NetworkId::random().unwrap(),
            name: format!("net{index}"),
            created: jiff::Timestamp::UNIX_EPOCH,
            driver: "bridge".to_owned(),
            link: format!("k{index}"),
            subnets: vec![
                subnet(format!("172.31.{index}.0/24"), format!("172.31.{index}.1")),
                subnet(format!("fd00:{index}::/64"), format!("fd00:{index}::1")),
            ],
            internal: false,
            icc: true,
            masquerade: true,
            mtu: None,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        }
    }

    /// `0.0.0.0:8080 172.31.1.2:80` on a network.
    pub fn forward(network: &Network, text: &str) -> Forward {
        let (here, there) = text.split_once(' ').unwrap();
        let (here, there): (SocketAddr, SocketAddr) = (here.parse().unwrap(), there.parse().unwrap());
        Forward {
            container: ContainerId::random().unwrap(),
            name: "web".to_owned(),
            network: network.id.clone(),
            port: Published { protocol: Protocol::Tcp, address: here.ip(), port: here.port(), inside: there.port() },
            target: there.ip(),
        }
    }

    fn rules(table: &Table, name: &str) -> Vec<String> {
        let chain = table.chains.iter().find(|chain| chain.name == name).unwrap();
        chain.rules.iter().map(|rule| rule.to_string().split(" comment").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn one_address_comes_before_all() {
        let net = network(1);
        let forwards =
            ["0.0.0.0:80 172.31.1.2:80", "[::]:80 [fd00:1::2]:80", "192.0.2.1:80 172.31.1.3:80", "0.0.0.0:81 [fd00:1::2]:80"].map(|text| forward(&net, text));
        let table = Table::of(&Traffic { networks: vec![net], forwards: forwards.to_vec() });
        assert_eq!(
            rules(&table, "publish"),
            [
                "ip6 saddr ::1 return",
                "ip daddr 192.0.2.1 tcp dport 80 dnat ip to 172.31.1.3:80",
                "meta nfproto ipv4 tcp dport 80 dnat ip to 172.31.1.2:80",
                "meta nfproto ipv6 tcp dport 80 dnat ip6 to [fd00:1::2]:80",
            ]
        );
        assert_eq!(table.chains[0].rules[2].why, "web: 0.0.0.0:80 -> 172.31.1.2:80/tcp");
    }

    #[test]
    fn what_shuts_comes_before_what_opens() {
        let (one, mut two) = (network(1), network(2));
        two.internal = true;
        two.icc = false;
        two.subnets.truncate(1);
        let table = Table::of(&Traffic { networks: vec![one, two], forwards: Vec::new() });
        assert_eq!(rules(&table, "publish"), [""; 0]);
        assert_eq!(
            rules(&table, "forward"),
            [
                "ct state established,related accept",
                "iifname \"k2\" oifname != \"k2\" drop",
                "iifname != \"k2\" oifname \"k2\" drop",
                "oifname \"k1\" ct status dnat accept",
                "iifname != \"k1\" oifname \"k1\" drop",
                "iifname \"k1\" oifname != \"k1\" ct state invalid drop",
                "oifname \"k2\" ct status dnat accept",
                "iifname \"k2\" oifname \"k2\" drop",
            ]
        );
        assert_eq!(
            rules(&table, "postrouting")[5..],
            ["ip saddr 172.31.2.0/24 oifname \"k2\" ct status dnat masquerade", "oifname \"k2\" ct status dnat fib saddr type local masquerade"]
        );
    }

    #[test]
    fn nothing_in_use_shuts_nothing() {
        let table = Table::of(&Traffic::default());
        assert_eq!(rules(&table, "forward"), ["ct state established,related accept"]);
        assert!(["publish", "postrouting", "input"].iter().all(|name| rules(&table, name).is_empty()));
    }
}
