//! Other people's chains, rules and sets as the kernel lists them, read as far as they can be understood.
//!
//! Source: linux/netfilter/nf_tables.h, linux/netfilter/nf_tables_compat.h, linux/netfilter/xt_conntrack.h. What is read comes from
//! the kernel, but what it says is others': every number is looked for where it may be missing, and every list has its bound.

use super::obstacle::Packets;
use crate::sys::netlink::Netlink;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use std::io;

/// What is read of one table, at most: chains, rules, elements of a set.
const MOST: usize = 16 << 10;

/// Messages of the subsystem 10.
const GET_TABLE: u16 = 0x0a01;
const GET_CHAIN: u16 = 0x0a04;
const GET_RULE: u16 = 0x0a07;
const GET_ELEMENTS: u16 = 0x0a0d;

/// A table as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub family: Packets,
    pub name: String,
    /// How many chains and other things it has.
    pub uses: u32,
    /// What its maker wrote into it.
    pub mark: Vec<u8>,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub family: Packets,
    pub table: String,
    pub name: String,
    /// Where packets come to it by themselves; only from other chains if absent.
    pub base: Option<Base>,
}

/// How packets come to a chain, and what becomes of those that none of its rules decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// The hook's number.
    pub hook: u32,
    /// The policy is to drop.
    pub drops: bool,
    /// To a base chain nobody jumps: what uses it are its rules.
    pub rules: u32,
}

/// A rule: its chain, and what it does, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub chain: String,
    pub steps: Vec<Step>,
}

/// One thing that a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something of the packet into a register, so many bytes.
    Load { field: Field, to: usize, length: usize },
    /// Bytes of a register masked and changed into another.
    Mask { from: usize, to: usize, mask: Vec<u8>, xor: Vec<u8> },
    /// It goes on if the bytes of a register are these, or are not.
    Compare { at: usize, value: Vec<u8>, equal: bool },
    /// It goes on if a set has the bytes of a register, or has not; a map of verdicts decides.
    Lookup { at: usize, set: String, inverted: bool, decides: bool },
    /// It goes on if the connection is in one of these states (`ct state` has the same bits), or is not.
    State { states: u32, inverted: bool },
    /// It goes on for some packets; for which ones cannot be told.
    Unknown,
    /// The rule's end.
    Decide(Verdict),
}

/// Something of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    InLink,
    OutLink,
    Family,
    State,
    Status,
    /// Bytes of its network header, from here on.
    Header(usize),
    Other,
}

/// What a rule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(String),
    Goto(String),
}

/// An element of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub key: Vec<u8>,
    /// Ranges have two: this is the first behind one.
    pub ends: bool,
    /// In a map of verdicts.
    pub verdict: Option<Verdict>,
}

/// The attributes in a piece of a message: kind and content.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & 0x3fff;
        let content = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, content))
    })
}

fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, content)| content)
}

fn number(bytes: &[u8], kind: u16) -> Option<u32> {
    Some(u32::from_be_bytes(find(bytes, kind)?.get(..4)?.try_into().ok()?))
}

fn text(bytes: &[u8], kind: u16) -> Option<String> {
    let bytes = find(bytes, kind)?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

/// A question for a list; the header, the family, and names by their kinds.
fn question(kind: u16, family: Option<Packets>, names: &[(u16, &str)]) -> Vec<u8> {
    let mut message = vec![0; 20];
    message[4..6].copy_from_slice(&kind.to_ne_bytes());
    message[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    message[16] = family.map_or(0, Packets::number);
    for (kind, name) in names {
        message.extend_from_slice(&(name.len() as u16 + 5).to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(name.as_bytes());
        message.resize((message.len() + 1).next_multiple_of(4), 0);
    }
    let length = message.len() as u32;
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

/// Asks for a list and reads what comes, as much as is kept; the family stands in front.
fn list<T>(netlink: &mut Netlink, mut question: Vec<u8>, read: impl Fn(u8, &[u8]) -> Option<T>) -> io::Result<Vec<T>> {
    let mut found = Vec::new();
    netlink.each(&mut question, |answer| {
        if let [family, _, _, _, rest @ ..] = &answer.payload[..]
            && found.len() < MOST
        {
            found.extend(read(*family, rest));
        }
    })?;
    Ok(found)
}

/// All tables of this namespace that see IPv4 or IPv6.
pub(super) fn tables(netlink: &mut Netlink) -> io::Result<Vec<Table>> {
    list(netlink, question(GET_TABLE, None, &[]), |family, rest| {
        let mark = find(rest, 6).unwrap_or_default().to_vec();
        Some(Table { family: Packets::of(family)?, name: text(rest, 1)?, uses: number(rest, 3)?, mark })
    })
}

/// All chains of such tables.
pub(super) fn chains(netlink: &mut Netlink) -> io::Result<Vec<Chain>> {
    list(netlink, question(GET_CHAIN, None, &[]), chain)
}

fn chain(family: u8, rest: &[u8]) -> Option<Chain> {
    let hook = find(rest, 4).and_then(|hook| number(hook, 1));
    let base = hook.map(|hook| Base { hook, drops: number(rest, 5) == Some(0), rules: number(rest, 6).unwrap_or(0) });
    Some(Chain { family: Packets::of(family)?, table: text(rest, 1)?, name: text(rest, 3)?, base })
}

/// All rules of a table.
pub(super) fn rules(netlink: &mut Netlink, family: Packets, table: &str) -> io::Result<Vec<Rule>> {
    // Before Linux 4.9 the kernel lists those of all tables.
    let own = |other: u8, rest: &[u8]| Packets::of(other) == Some(family) && text(rest, 1).as_deref() == Some(table);
    list(netlink, question(GET_RULE, Some(family), &[(1, table)]), |family, rest| if own(family, rest) { rule(rest) } else { None })
}

fn rule(rest: &[u8]) -> Option<Rule> {
    let steps = attributes(find(rest, 4).unwrap_or_default()).filter_map(|(_, one)| step(&text(one, 1)?, find(one, 2).unwrap_or_default()));
    Some(Rule { chain: text(rest, 2)?, steps: steps.collect() })
}

/// The elements of a set; none if it cannot be said what it has (ranges of several things at once, all others).
pub(super) fn elements(netlink: &mut Netlink, family: Packets, table: &str, set: &str) -> io::Result<Option<Vec<Element>>> {
    let read = |_: u8, rest: &[u8]| Some(attributes(find(rest, 3)?).map(|(_, one)| element(one)).collect::<Option<Vec<Element>>>());
    let pieces = list(netlink, question(GET_ELEMENTS, Some(family), &[(1, table), (2, set)]), read)?;
    Ok(pieces.into_iter().collect::<Option<Vec<_>>>().map(|pieces| pieces.concat()))
}

fn element(one: &[u8]) -> Option<Element> {
    let flags = number(one, 3).unwrap_or(0);
    let verdict = find(one, 2).and_then(|data| verdict(find(data, 2)?));
    // The one for all others has no key; a second key is the end of a range in several things.
    let whole = flags <= 1 && find(one, 10).is_none();
    whole.then_some(Element { key: find(find(one, 1)?, 1)?.to_vec(), ends: flags == 1, verdict })
}

fn verdict(data: &[u8]) -> Option<Verdict> {
    match (number(data, 1)? as i32, text(data, 2)) {
        (0, _) => Some(Verdict::Drop),
        (1, _) => Some(Verdict::Accept),
        (-3, Some(chain)) => Some(Verdict::Jump(chain)),
        (-4, Some(chain)) => Some(Verdict::Goto(chain)),
        (-5, _) => Some(Verdict::Return),
        _ => None,
    }
}

/// Where a register lies among all bytes of registers: the first four have 16 each, and the same bytes are 16 more of 4.
fn register(number: Option<u32>) -> Option<usize> {
    match number? {
        number @ 1..=4 => Some((number as usize - 1) * 16),
        number @ 8..=23 => Some((number as usize - 8) * 4),
        _ => None,
    }
}

/// A rule's expression; none for what changes nothing about where a packet goes.
fn step(name: &str, data: &[u8]) -> Option<Step> {
    let value = |kind: u16| find(data, kind).and_then(|nested| find(nested, 1)).map(<[u8]>::to_vec);
    match name {
        "meta" => {
            let (field, length) = match number(data, 2)? {
                6 => (Field::InLink, 16),
                7 => (Field::OutLink, 16),
                15 => (Field::Family, 1),
                _ => (Field::Other, 16),
            };
            Some(Step::Load { field, to: register(number(data, 1))?, length })
        }
        "ct" => {
            let field = match number(data, 2)? {
                0 => Field::State,
                2 => Field::Status,
                _ => Field::Other,
            };
            Some(Step::Load { field, to: register(number(data, 1))?, length: 4 })
        }
        "payload" => {
            let at = number(data, 3)? as usize;
            let field = if number(data, 2)? == 1 { Field::Header(at) } else { Field::Other };
            Some(Step::Load { field, to: register(number(data, 1))?, length: number(data, 4)? as usize })
        }
        "bitwise" => match (value(4), value(5)) {
            (Some(mask), Some(xor)) => Some(Step::Mask { from: register(number(data, 1))?, to: register(number(data, 2))?, mask, xor }),
            _ => Some(Step::Load { field: Field::Other, to: register(number(data, 2))?, length: 16 }),
        },
        "cmp" => match (register(number(data, 1)), number(data, 2), value(3)) {
            (Some(at), Some(operator @ (0 | 1)), Some(value)) => Some(Step::Compare { at, value, equal: operator == 0 }),
            _ => Some(Step::Unknown),
        },
        "lookup" => match (register(number(data, 2)), text(data, 1)) {
            (Some(at), Some(set)) => Some(Step::Lookup { at, set, inverted: number(data, 5) == Some(1), decides: number(data, 3) == Some(0) }),
            _ => Some(Step::Unknown),
        },
        "immediate" => find(data, 2).and_then(|data| find(data, 2)).and_then(verdict).map(Step::Decide),
        "reject" => Some(Step::Decide(Verdict::Drop)),
        "match" => compatible(&text(data, 1)?, find(data, 3).unwrap_or_default()),
        "target" => ["REJECT", "DROP"].contains(&text(data, 1)?.as_str()).then_some(Step::Decide(Verdict::Drop)),
        "counter" | "log" | "notrack" | "nat" | "masq" | "redir" | "dynset" | "objref" | "tproxy" | "dup" | "flow_offload" => None,
        // What loads something else into a register, or asks for something.
        _ => Some(Step::Unknown),
    }
}

/// A match of `iptables`: of those that are not written as the others are, little but the state of connections is understood.
fn compatible(name: &str, info: &[u8]) -> Option<Step> {
    /// Where `xt_conntrack_mtinfo3` and its elder siblings have what is matched, what is meant the other way round, and the states.
    const FLAGS: usize = 146;
    let short = |at: usize| Some(u32::from(u16::from_ne_bytes(info.get(at..at + 2)?.try_into().ok()?)));
    match name {
        "comment" => None,
        // Headers of IPv6 that no ordinary packet has.
        "rt" | "frag" | "ah" | "esp" | "hbh" | "dst" | "mh" => Some(Step::State { states: 0, inverted: false }),
        "conntrack" if short(FLAGS) == Some(1) => Some(Step::State { states: short(FLAGS + 4)?, inverted: short(FLAGS + 2)? & 1 == 1 }),
        _ => Some(Step::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_are_a_panic() {
        let bytes: Vec<u8> = (0..=255).map(|at| if at % 4 == 0 { 24 - at / 16 } else { at % 7 }).collect();
        for from in 0..bytes.len() {
            for to in from..bytes.len() {
                let piece = &bytes[from..to];
                let _ = (chain(2, piece), rule(piece), element(piece), verdict(piece));
                for name in ["meta", "ct", "payload", "bitwise", "cmp", "lookup", "immediate", "match", "target", "new"] {
                    let _ = step(name, piece);
                }
            }
        }
    }

    #[test]
    fn registers_of_both_kinds_are_the_same_bytes() {
        assert_eq!(
            [Some(1), Some(8), Some(2), Some(12), Some(23), Some(0), Some(5), None].map(register),
            [Some(0), Some(0), Some(16), Some(16), Some(60), None, None, None]
        );
    }
}
