//! What becomes of a packet in a chain of somebody else's: walked in thought, rule by rule.
//!
//! Of a packet is known where it comes from and goes to (a container on one of our links, somebody far away by any other), that it
//! is the first of its connection, and whether it came to a published port. A rule about anything else lets some packets through, which is no
//! reason to hope, or drops some, which is one to say *perhaps*.

use super::foreign::{Element, Field, Rule, Step, Verdict};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a link's name as the kernel compares it.
const NAME: usize = 16;
/// Bytes of all registers.
const REGISTERS: usize = 64;
/// The first packet of a connection, as `ct state` has it; its receiver was changed, as `ct status` has it.
const NEW: u32 = 8;
const DNAT: u32 = 32;
/// The same as a state, as `iptables` has it (`XT_CONNTRACK_STATE_DNAT`).
const XT_DNAT: u32 = 1 << 7;
/// Chains that jump to each other, at most; the kernel has the same bound.
const DEPTH: usize = 16;
/// Rules that are walked for one packet, at most.
const PATIENCE: usize = 64 << 10;

/// What becomes of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// They go on.
    Passes,
    /// They go on, unless a rule about what cannot be foreseen drops them.
    Perhaps,
    /// They are dropped, unless a rule about what cannot be foreseen lets them through.
    Drops,
}

/// The first packet of a connection, from one of our links or to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// Our link.
    pub link: &'a str,
    /// The packet goes out by it; if not, it came in by it.
    pub to_link: bool,
    /// The container's address.
    pub container: IpAddr,
    /// It came to a published port.
    pub published: bool,
}

/// A table: its rules by their chains, its sets as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub rules: HashMap<String, Vec<Rule>>,
    pub sets: HashMap<String, Option<Vec<Element>>>,
}

impl Table {
    /// What becomes of a packet in one of its base chains, whose policy may be to drop.
    pub(super) fn fate(&self, chain: &str, drops: bool, packet: &Packet<'_>) -> Fate {
        let mut walk = Walk { table: self, packet, perhaps: false, left: PATIENCE };
        match walk.chain(chain, 0) {
            None if walk.left == 0 => Fate::Perhaps,
            Some(false) => Fate::Drops,
            None if drops => Fate::Drops,
            Some(true) | None if walk.perhaps => Fate::Perhaps,
            Some(true) | None => Fate::Passes,
        }
    }
}

/// Whether something holds; nothing if that cannot be told.
type Holds = Option<bool>;

struct Walk<'a> {
    table: &'a Table,
    packet: &'a Packet<'a>,
    perhaps: bool,
    left: usize,
}

/// The bytes in registers, as far as they are known.
struct Registers {
    bytes: [Option<u8>; REGISTERS],
    /// Where a link's name is that is any but this one.
    other: Option<(usize, [u8; NAME])>,
}

impl Walk<'_> {
    /// Whether a chain lets the packet through; nothing if it leaves that to who comes after it.
    fn chain(&mut self, name: &str, depth: usize) -> Holds {
        let table = self.table;
        // A rule that cannot be foreseen may have sent it back from here.
        let mut gone = false;
        for rule in table.rules.get(name).map(Vec::as_slice).unwrap_or_default() {
            if depth > DEPTH || self.left == 0 {
                self.left = 0;
                return None;
            }
            self.left -= 1;
            let (holds, verdict) = self.rule(rule);
            let Some(verdict) = verdict else { continue };
            let decided = match &verdict {
                Verdict::Accept => Some(true),
                Verdict::Drop => Some(false),
                Verdict::Return => None,
                Verdict::Jump(chain) | Verdict::Goto(chain) => self.chain(chain, depth + 1),
            };
            match (holds, verdict) {
                (None, Verdict::Return) => gone = true,
                (None, _) => self.perhaps |= decided == Some(false),
                (Some(false), _) => {}
                (_, Verdict::Jump(_)) if decided.is_none() => {}
                (Some(true), _) if gone && decided == Some(false) => {
                    self.perhaps = true;
                    return None;
                }
                (Some(true), _) => return decided,
            }
        }
        None
    }

    /// Whether a rule is about the packet, and what it decides then.
    fn rule(&self, rule: &Rule) -> (Holds, Option<Verdict>) {
        let mut registers = Registers { bytes: [None; REGISTERS], other: None };
        let mut all = Some(true);
        for step in &rule.steps {
            let holds = match step {
                Step::Load { field, to, length } => {
                    self.load(&mut registers, *field, *to, *length);
                    Some(true)
                }
                Step::Mask { from, to, mask, xor } => {
                    registers.mask(*from, *to, mask, xor);
                    Some(true)
                }
                Step::Compare { at, value, equal } => registers.is(*at, value).map(|is| is == *equal),
                Step::Lookup { at, set, inverted, decides } => {
                    let (has, verdict) = self.lookup(&registers, *at, set, *decides);
                    if verdict.is_some() {
                        return (if all == Some(true) { has } else { all }, verdict);
                    }
                    has.map(|has| has != *inverted)
                }
                Step::State { states, inverted } => Some((states & self.states() != 0) != *inverted),
                Step::Unknown => None,
                Step::Decide(verdict) => return (all, Some(verdict.clone())),
            };
            match holds {
                Some(true) => {}
                Some(false) => return (Some(false), None),
                None => all = None,
            }
        }
        (all, None)
    }

    /// What `iptables` calls the connection's states.
    fn states(&self) -> u32 {
        if self.packet.published { NEW | XT_DNAT } else { NEW }
    }

    fn load(&self, registers: &mut Registers, field: Field, to: usize, length: usize) {
        let end = (to + length).min(REGISTERS);
        registers.bytes[to..end].fill(None);
        registers.other = registers.other.filter(|(at, _)| at + NAME <= to || *at >= end);
        let family: u8 = if self.packet.container.is_ipv6() { 10 } else { 2 };
        match field {
            Field::InLink | Field::OutLink if (field == Field::OutLink) == self.packet.to_link => registers.put(to, &name(self.packet.link)),
            Field::InLink | Field::OutLink => registers.other = Some((to, name(self.packet.link))),
            Field::Family => registers.put(to, &[family]),
            Field::State => registers.put(to, &NEW.to_ne_bytes()),
            Field::Status if self.packet.published => registers.put(to, &DNAT.to_ne_bytes()),
            Field::Status => registers.put(to, &[0; 4]),
            Field::Header(from) => {
                let octets = |address| match address {
                    IpAddr::V4(address) => address.octets().to_vec(),
                    IpAddr::V6(address) => address.octets().to_vec(),
                };
                let (container, stranger) = (octets(self.packet.container), octets(stranger(self.packet.container.is_ipv6())));
                let addresses = if self.packet.to_link { [stranger, container] } else { [container, stranger] }.concat();
                // Sources: RFC 791, RFC 8200; the sender stands before the receiver.
                let first = if addresses.len() == 8 { 12 } else { 8 };
                if let Some(piece) = from.checked_sub(first).and_then(|at| addresses.get(at..at + length)) {
                    registers.put(to, piece);
                }
            }
            Field::Other => {}
        }
    }

    /// Whether a set has the bytes of a register, and the verdict of a map that has them.
    fn lookup(&self, registers: &Registers, at: usize, set: &str, decides: bool) -> (Holds, Option<Verdict>) {
        // What may drop is what is to be known of a map that cannot be read.
        let Some(Some(elements)) = self.table.sets.get(set) else { return (None, decides.then_some(Verdict::Drop)) };
        if elements.iter().any(|element| element.ends) {
            let length = elements.first().map_or(0, |element| element.key.len());
            let Some(value) = registers.known(at, length) else { return (None, decides.then_some(Verdict::Drop)) };
            // Whatever begins or ends last before it, or with it, tells whether it is inside.
            let last = elements.iter().filter(|element| element.key <= value).max_by(|one, other| one.key.cmp(&other.key).then(other.ends.cmp(&one.ends)));
            return last.filter(|last| !last.ends).map_or((Some(false), None), |last| (Some(true), last.verdict.clone()));
        }
        let mut perhaps = None;
        for element in elements {
            match registers.is(at, &element.key) {
                Some(true) => return (Some(true), element.verdict.clone()),
                Some(false) => {}
                None => perhaps = Some(perhaps.filter(|found| *found == Some(Verdict::Drop)).unwrap_or_else(|| element.verdict.clone())),
            }
        }
        perhaps.map_or((Some(false), None), |verdict| (None, verdict))
    }
}

impl Registers {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes.iter_mut().skip(at).zip(bytes).for_each(|(place, byte)| *place = Some(*byte));
    }

    fn mask(&mut self, from: usize, to: usize, mask: &[u8], xor: &[u8]) {
        for at in 0..mask.len().min(xor.len()) {
            let byte = self.bytes.get(from + at).copied().flatten();
            if let Some(place) = self.bytes.get_mut(to + at) {
                // Where nothing is kept, nothing need be known.
                *place = if mask[at] == 0 { Some(xor[at]) } else { byte.map(|byte| (byte & mask[at]) ^ xor[at]) };
            }
        }
        self.other = None;
    }

    /// So many bytes from `at` on, if all are known.
    fn known(&self, at: usize, length: usize) -> Option<Vec<u8>> {
        self.bytes.get(at..at + length)?.iter().copied().collect()
    }

    /// Whether the bytes from `at` on are these.
    fn is(&self, at: usize, value: &[u8]) -> Holds {
        // A whole name ends with a zero; what does not is the beginning of many.
        if self.other.is_some_and(|(place, name)| place == at && name.starts_with(value) && value.last() == Some(&0)) {
            return Some(false);
        }
        let mut all = Some(true);
        for (offset, expected) in value.iter().enumerate() {
            match self.bytes.get(at + offset).copied().flatten() {
                Some(byte) if byte == *expected => {}
                Some(_) => return Some(false),
                None => all = None,
            }
        }
        all
    }
}

/// Somebody elsewhere, of those addresses that documents use (RFC 5737, RFC 3849): nobody's.
pub(super) fn stranger(v6: bool) -> IpAddr {
    if v6 { Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xffff).into() } else { Ipv4Addr::new(198, 51, 100, 255).into() }
}

/// A link's name, as the kernel compares it.
fn name(link: &str) -> [u8; NAME] {
    let mut name = [0; NAME];
    name.iter_mut().take(NAME - 1).zip(link.bytes()).for_each(|(place, byte)| *place = byte);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(field: Field, link: &str, equal: bool) -> [Step; 2] {
        [Step::Load { field, to: 0, length: NAME }, Step::Compare { at: 0, value: name(link).to_vec(), equal }]
    }

    fn element(key: &[u8], verdict: Option<Verdict>) -> Element {
        Element { key: key.to_vec(), ends: false, verdict }
    }

    fn rule(chain: &str, matches: &[&[Step]], verdict: Verdict) -> Rule {
        Rule { chain: chain.to_owned(), steps: matches.concat().into_iter().chain([Step::Decide(verdict)]).collect() }
    }

    /// What becomes of what leaves by the link, of what comes to a published port, and of what comes otherwise.
    fn fates(rules: &[Rule], sets: &[(&str, Option<Vec<Element>>)], drops: bool) -> [Fate; 3] {
        let mut table = Table::default();
        for rule in rules {
            table.rules.entry(rule.chain.clone()).or_default().push(rule.clone());
        }
        table.sets = sets.iter().map(|(name, set)| ((*name).to_owned(), set.clone())).collect();
        let container = "172.17.0.2".parse().unwrap();
        [(false, false), (true, true), (true, false)]
            .map(|(to_link, published)| table.fate("forward", drops, &Packet { link: "kapal0", to_link, container, published }))
    }

    #[test]
    fn policies_and_last_rules_drop() {
        use Fate::{Drops, Passes};
        assert_eq!(fates(&[], &[], true), [Drops; 3]);
        assert_eq!(fates(&[], &[], false), [Passes; 3]);
        assert_eq!(fates(&[rule("forward", &[], Verdict::Drop)], &[], false), [Drops; 3]);
        assert_eq!(fates(&[rule("forward", &[], Verdict::Goto("gone".to_owned())), rule("forward", &[], Verdict::Accept)], &[], true), [Drops; 3]);
        assert_eq!(fates(&[rule("forward", &[], Verdict::Jump("gone".to_owned())), rule("forward", &[], Verdict::Accept)], &[], true), [Passes; 3]);
    }

    #[test]
    fn exceptions_are_seen() {
        use Fate::{Drops, Passes, Perhaps};
        let ours = rule("forward", &[&link(Field::InLink, "kapal0", true)], Verdict::Accept);
        assert_eq!(fates(std::slice::from_ref(&ours), &[], true), [Passes, Drops, Drops]);
        // firewalld's: what was led here passes, the rest by its zones.
        let state = Step::Load { field: Field::State, to: 0, length: 4 };
        let known = Step::Lookup { at: 0, set: "known".to_owned(), inverted: false, decides: false };
        let status = [
            Step::Load { field: Field::Status, to: 0, length: 4 },
            Step::Mask { from: 0, to: 0, mask: DNAT.to_ne_bytes().to_vec(), xor: vec![0; 4] },
            Step::Compare { at: 0, value: vec![0; 4], equal: false },
        ];
        let mut rules = vec![
            rule("forward", &[&[state.clone(), known]], Verdict::Drop),
            rule("forward", &[&status], Verdict::Accept),
            rule("forward", &[], Verdict::Jump("zones".to_owned())),
            rule("forward", &[], Verdict::Drop),
        ];
        let sets = [("known", Some([2u32, 4].map(|state| element(&state.to_ne_bytes(), None)).to_vec()))];
        assert_eq!(fates(&rules, &sets, false), [Drops, Passes, Drops]);
        rules.push(rule("zones", &[&link(Field::OutLink, "kapal0", false), &link(Field::InLink, "kapal0", true)], Verdict::Goto("trusted".to_owned())));
        rules.push(rule("trusted", &[], Verdict::Accept));
        assert_eq!(fates(&rules, &sets, false), [Passes, Passes, Drops]);
        // As ufw has it: what is not for this machine is dropped; which that is cannot be told.
        let unknown = Rule { chain: "local".to_owned(), steps: vec![Step::Unknown, Step::Decide(Verdict::Return)] };
        let local = [rule("forward", &[], Verdict::Jump("local".to_owned())), unknown, rule("local", &[], Verdict::Drop), ours];
        assert_eq!(fates(&local, &[], true), [Perhaps, Drops, Drops]);
        // A set that cannot be read may have anything.
        assert_eq!(fates(&rules[..2], &[("known", None)], false), [Perhaps, Perhaps, Perhaps]);
    }

    #[test]
    fn others_links_and_addresses_are_told_from_ours() {
        use Fate::{Drops, Passes, Perhaps};
        assert_eq!(fates(&[rule("forward", &[&link(Field::OutLink, "docker0", true)], Verdict::Drop)], &[], false), [Perhaps, Passes, Passes]);
        assert_eq!(fates(&[rule("forward", &[&link(Field::InLink, "kapal0", true)], Verdict::Drop)], &[], false), [Drops, Passes, Passes]);
        let from = |block: [u8; 2]| [Step::Load { field: Field::Header(12), to: 16, length: 2 }, Step::Compare { at: 16, value: block.to_vec(), equal: true }];
        assert_eq!(fates(&[rule("forward", &[&from([172, 17])], Verdict::Accept)], &[], true), [Passes, Drops, Drops]);
        assert_eq!(fates(&[rule("forward", &[&from([198, 51])], Verdict::Drop)], &[], false), [Passes, Drops, Drops]);
        let ranges = vec![
            element(&[100, 0], None),
            Element { ends: true, ..element(&[172, 17], None) },
            element(&[172, 17], None),
            Element { ends: true, ..element(&[172, 18], None) },
        ];
        let lookup = Step::Lookup { at: 16, set: "ranges".to_owned(), inverted: false, decides: false };
        let ranged = rule("forward", &[&from([0, 0])[..1], &[lookup]], Verdict::Drop);
        assert_eq!(fates(&[ranged], &[("ranges", Some(ranges))], false), [Drops, Passes, Passes]);
        let map = vec![element(&name("docker0"), Some(Verdict::Accept)), element(&name("kapal0"), Some(Verdict::Drop))];
        let vmap = Step::Lookup { at: 0, set: "zones".to_owned(), inverted: false, decides: true };
        let steps = vec![Step::Load { field: Field::InLink, to: 0, length: NAME }, vmap];
        let by_map = Rule { chain: "forward".to_owned(), steps };
        assert_eq!(fates(std::slice::from_ref(&by_map), &[("zones", Some(map))], false), [Drops, Passes, Passes]);
        assert_eq!(fates(&[by_map], &[], false), [Perhaps; 3]);
    }

    #[test]
    fn chains_that_never_end_are_left() {
        let rules = ["forward", "other"].map(|chain| rule(chain, &[], Verdict::Jump("other".to_owned())));
        assert_eq!(fates(&rules, &[], true), [Fate::Perhaps; 3]);
    }
}
