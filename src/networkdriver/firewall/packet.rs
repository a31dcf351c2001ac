//! The first packet of a connection on its way through a table, in thought.

use super::rule::{Hook, Kind, Match, Rule, Table, Verdict};
use crate::container::{Cidr, Protocol};
use std::net::{IpAddr, SocketAddr};

/// The first packet of a connection.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub protocol: Protocol,
    pub from: IpAddr,
    pub to: SocketAddr,
    /// The link it came in by; this machine sends it if absent.
    pub came: Option<String>,
    /// The link it goes out by, once that is known.
    pub goes: Option<String>,
    /// Its receiver was changed.
    pub redirected: bool,
}

/// What a machine knows besides its rules.
pub(super) struct Machine<'a> {
    /// Its addresses; those of loopback need not be among them.
    pub addresses: &'a [IpAddr],
    /// Blocks of addresses and the links they are on.
    pub links: Vec<(Cidr, &'a str)>,
}

/// How a way ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It goes out by this link to this receiver.
    Out(String, SocketAddr),
    /// It is for this machine itself.
    Here,
    /// This rule dropped it.
    Dropped,
    /// This machine has no network with such an address.
    Lost,
}

/// The rules that decided something, in their order, and the end.
pub(super) struct Way<'a> {
    pub rules: Vec<&'a Rule>,
    pub end: End,
    /// It went from one link to another, and so through everybody's forward chains.
    pub forwarded: bool,
}

impl Machine<'_> {
    fn has(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.addresses.contains(&address)
    }
}

/// Lets a packet go its way.
pub(super) fn walk<'a>(table: &'a Table, mut packet: Packet, machine: &Machine<'_>) -> Way<'a> {
    let mut rules = Vec::new();
    let end = |rules, end, forwarded| Way { rules, end, forwarded };
    let first = if packet.came.is_some() { Hook::Prerouting } else { Hook::Output };
    pass(table, first, &mut packet, machine, &mut rules);
    if machine.has(packet.to.ip()) {
        let passes = pass(table, Hook::Input, &mut packet, machine, &mut rules);
        return end(rules, if passes { End::Here } else { End::Dropped }, false);
    }
    let Some((_, link)) = machine.links.iter().find(|(block, _)| block.contains(packet.to.ip())) else { return end(rules, End::Lost, false) };
    packet.goes = Some((*link).to_owned());
    let forwarded = packet.came.is_some();
    if forwarded && !pass(table, Hook::Forward, &mut packet, machine, &mut rules) {
        return end(rules, End::Dropped, true);
    }
    pass(table, Hook::Postrouting, &mut packet, machine, &mut rules);
    end(rules, End::Out((*link).to_owned(), packet.to), forwarded)
}

/// Whether it comes through the chains of a hook.
fn pass<'a>(table: &'a Table, hook: Hook, packet: &mut Packet, machine: &Machine<'_>, rules: &mut Vec<&'a Rule>) -> bool {
    let mut chains: Vec<_> = table.chains.iter().filter_map(|chain| chain.base.filter(|base| base.hook == hook).map(|base| (base, chain))).collect();
    chains.sort_by_key(|(base, _)| (base.priority, base.kind == Kind::Filter));
    chains.into_iter().all(|(_, chain)| evaluate(table, &chain.rules, packet, machine, rules) != Some(false))
}

/// Whether a packet goes on: decided so, decided against, or left open.
fn evaluate<'a>(table: &'a Table, chain: &'a [Rule], packet: &mut Packet, machine: &Machine<'_>, rules: &mut Vec<&'a Rule>) -> Option<bool> {
    for rule in chain {
        if !rule.matches.iter().all(|one| holds(one, packet, machine)) {
            continue;
        }
        match &rule.verdict {
            Verdict::Jump(name) => {
                let further = table.chains.iter().find(|chain| chain.name == *name).map_or(&[][..], |chain| &chain.rules);
                if let Some(decided) = evaluate(table, further, packet, machine, rules) {
                    return Some(decided);
                }
                continue;
            }
            Verdict::Redirect(to) => (packet.to, packet.redirected) = (*to, true),
            Verdict::Return | Verdict::Accept | Verdict::Drop | Verdict::Masquerade => {}
        }
        rules.push(rule);
        return match rule.verdict {
            Verdict::Return => None,
            ref other => Some(*other != Verdict::Drop),
        };
    }
    None
}

fn holds(one: &Match, packet: &Packet, machine: &Machine<'_>) -> bool {
    let is = |link: &Option<String>, name: &String, holds: bool| (link.as_ref() == Some(name)) == holds;
    match one {
        Match::V6(v6) => packet.to.is_ipv6() == *v6,
        Match::Port(protocol, port) => packet.protocol == *protocol && packet.to.port() == *port,
        Match::From(block) => block.contains(packet.from),
        Match::To(block) => block.contains(packet.to.ip()),
        Match::FromHere => machine.has(packet.from),
        Match::ToHere => machine.has(packet.to.ip()),
        Match::In(name, holds) => is(&packet.came, name, *holds),
        Match::Out(name, holds) => is(&packet.goes, name, *holds),
        // It is the first of its connection.
        Match::Known(known) => !known,
        Match::Invalid => false,
        Match::Redirected => packet.redirected,
    }
}
