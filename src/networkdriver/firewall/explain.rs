//! Who reaches a published port, and by which rules: told from the rules themselves.

use super::judge::{Fate, stranger};
use super::obstacle::Obstacle;
use super::packet::{End, Machine, Packet, walk};
use super::rule::{Hook, Table};
use crate::container::network::{Forward, Traffic};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Somebody who may ask for a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// This machine, at its loopback address.
    Loopback,
    /// This machine, at another of its addresses.
    Machine,
    /// Other machines.
    Others,
    /// A container of the same network.
    Neighbour,
    /// A container of this other network.
    Network(String),
    /// The container itself.
    Itself,
}

/// Whether somebody reaches a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As far as this machine's rules go.
    Yes,
    /// Our rules let it through; somebody else's may drop it.
    Perhaps,
    /// No.
    No,
}

/// The answer for one asker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who asks.
    pub asker: Asker,
    /// Where; absent if there is no address to ask at.
    pub place: Option<SocketAddr>,
    /// Whether it comes there.
    pub reach: Reach,
    /// The sentences of the rules it meets, in their order, and at the end what came of it, if that is no yes.
    pub steps: Vec<String>,
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("this machine by loopback"),
            Self::Machine => f.write_str("this machine by its addresses"),
            Self::Others => f.write_str("other machines"),
            Self::Neighbour => f.write_str("containers of the same network"),
            Self::Network(name) => write!(f, "containers of network {name}"),
            Self::Itself => f.write_str("the container itself"),
        }
    }
}

/// Who reaches a published port and who does not. `foreign` are other people's chains, `local` this machine's addresses
/// (those of its networks' links among them).
pub fn explain(traffic: &Traffic, forward: &Forward, foreign: &[Obstacle], local: &[IpAddr]) -> Vec<Answer> {
    let v6 = forward.port.address.is_ipv6();
    let links = traffic.networks.iter().flat_map(|network| network.subnets.iter().map(|subnet| (subnet.block, network.link.as_str()))).collect();
    let question = Question { table: Table::of(traffic), machine: Machine { addresses: local, links }, forward, foreign };
    let loopback: IpAddr = if v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
    let place = question.place();
    let mut answers = vec![
        question.answer(Asker::Loopback, Some(loopback), Some(loopback), None),
        question.answer(Asker::Machine, place, place, None),
        question.answer(Asker::Others, place, Some(stranger(v6)), Some("another link")),
    ];
    for network in &traffic.networks {
        let link = Some(network.link.as_str());
        let Some(subnet) = network.subnet(v6) else { continue };
        // Any address but the network's own and the target's.
        let asker = (1..).map_while(|offset| subnet.block.nth(offset)).find(|address| *address != subnet.gateway && *address != forward.target);
        if network.id == forward.network {
            answers.push(question.answer(Asker::Neighbour, place, asker, link));
            answers.push(question.answer(Asker::Itself, place, Some(forward.target), link));
        } else {
            answers.push(question.answer(Asker::Network(network.name.clone()), place, asker, link));
        }
    }
    answers
}

struct Question<'a> {
    table: Table,
    machine: Machine<'a>,
    forward: &'a Forward,
    foreign: &'a [Obstacle],
}

impl Question<'_> {
    /// Where others ask: at the published address, or at one of this machine's.
    fn place(&self) -> Option<IpAddr> {
        let address = self.forward.port.address;
        let usable = |one: &&IpAddr| one.is_ipv6() == address.is_ipv6() && !one.is_loopback() && !is_link_local(**one);
        let published = (!address.is_unspecified() && !address.is_loopback()).then_some(address);
        // Better one that others know than that of a network's link.
        let inner = |one: &IpAddr| self.machine.links.iter().any(|(block, _)| block.contains(*one));
        published.or_else(|| self.machine.addresses.iter().filter(usable).min_by_key(|one| inner(one)).copied())
    }

    fn answer(&self, asker: Asker, place: Option<IpAddr>, from: Option<IpAddr>, came: Option<&str>) -> Answer {
        let port = &self.forward.port;
        let (Some(place), Some(from)) = (place, from) else {
            let why = if place.is_none() { "this machine has no address of this family to ask at" } else { "the network has no room for another container" };
            return Answer { asker, place: None, reach: Reach::No, steps: vec![why.to_owned()] };
        };
        let to = SocketAddr::new(place, port.port);
        let packet = Packet { protocol: port.protocol, from, to, came: came.map(str::to_owned), goes: None, redirected: false };
        let way = walk(&self.table, packet, &self.machine);
        let mut steps: Vec<String> = way.rules.iter().map(|rule| rule.why.clone()).collect();
        let mut reach = Reach::No;
        match way.end {
            End::Out(_, receiver) if receiver == SocketAddr::new(self.forward.target, port.inside) => reach = Reach::Yes,
            End::Out(_, receiver) => steps.push(format!("{to} leads elsewhere, to {receiver}")),
            End::Dropped => steps.push("dropped".to_owned()),
            End::Here => steps.push(format!("nothing is published at {to}: this machine itself is asked")),
            End::Lost if !port.address.is_unspecified() && place == port.address => steps.push(format!("this machine has no address {place}")),
            End::Lost => steps.push(format!("no network in use has {}", self.forward.target)),
        }
        if reach == Reach::Yes && way.forwarded {
            // What is redirected is what comes to a published port, whoever sent it.
            let sees = |one: &&Obstacle| one.hook == Hook::Forward && one.coming > Fate::Passes && one.family.sees(port.address.is_ipv6());
            for obstacle in self.foreign.iter().filter(sees) {
                reach = if obstacle.coming == Fate::Drops || reach == Reach::No { Reach::No } else { Reach::Perhaps };
                steps.push(obstacle.advice());
            }
        }
        Answer { asker, place: Some(to), reach, steps }
    }
}

/// fe80::/10 and 169.254.0.0/16: they mean something on one link only.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::obstacle::{Owner, Packets};
    use super::super::plan::tests::{forward, network};
    use super::*;
    use crate::container::Network;

    /// `LMONI2` of who reaches it: loopback, machine, others, neighbour, itself, the other network.
    fn told(traffic: &Traffic, foreign: &[Obstacle], local: &[&str]) -> (String, Vec<Answer>) {
        let local: Vec<IpAddr> = local.iter().map(|text| text.parse().unwrap()).collect();
        let answers = explain(traffic, &traffic.forwards[0], foreign, &local);
        let letter = |answer: &Answer| match (answer.reach, &answer.asker) {
            (Reach::Perhaps, _) => '?',
            (Reach::No, _) => '-',
            (_, Asker::Loopback) => 'L',
            (_, Asker::Machine) => 'M',
            (_, Asker::Others) => 'O',
            (_, Asker::Neighbour) => 'N',
            (_, Asker::Itself) => 'I',
            (_, Asker::Network(_)) => '2',
        };
        (answers.iter().map(letter).collect(), answers)
    }

    const LOCAL: &[&str] = &["127.0.0.1", "172.31.1.1", "192.0.2.1", "::1", "fe80::1", "2001:db8::1"];

    #[test]
    fn each_asker_has_its_answer() {
        let (one, two) = (network(1), network(2));
        let with = |one: &Network, text: &str| Traffic { networks: vec![one.clone(), two.clone()], forwards: vec![forward(one, text)] };
        for (text, expected) in [
            ("0.0.0.0:80 172.31.1.2:8080", "LMONI2"),
            ("127.0.0.1:80 172.31.1.2:8080", "L-----"),
            ("192.0.2.1:80 172.31.1.2:8080", "-MONI2"),
            ("192.0.2.77:80 172.31.1.2:8080", "------"),
            ("[::]:80 [fd00:1::2]:8080", "-MONI2"),
        ] {
            assert_eq!(told(&with(&one, text), &[], LOCAL).0, expected, "{text}");
        }
        let inner = Network { internal: true, ..one.clone() };
        assert_eq!(told(&with(&inner, "0.0.0.0:80 172.31.1.2:8080"), &[], LOCAL).0, "LM-NI-");
        let (seen, answers) = told(&with(&one, "0.0.0.0:80 172.31.1.2:8080"), &[], LOCAL);
        assert_eq!((seen.as_str(), answers[2].place.unwrap().to_string().as_str()), ("LMONI2", "192.0.2.1:80"), "not the link's own address");
        assert_eq!(answers[2].steps, ["web: 0.0.0.0:80 -> 172.31.1.2:8080/tcp", "net1: what came to a published port"]);
        assert_eq!(answers[4].steps[2], "net1: its own published ports answer by way of this machine");
        let (seen, answers) = told(&with(&one, "[::]:80 [fd00:1::2]:8080"), &[], &["192.0.2.1"]);
        assert_eq!((seen.as_str(), answers[1].place), ("------", None));
        assert!(answers[0].steps[0].contains("::1"));
    }

    #[test]
    fn others_rules_make_it_uncertain_for_what_is_forwarded() {
        let one = network(1);
        let traffic = Traffic { forwards: vec![forward(&one, "0.0.0.0:80 172.31.1.2:8080")], networks: vec![one] };
        let wall = |family, coming| {
            let (table, chain, links) = ("filter".to_owned(), "FORWARD".to_owned(), vec!["k1".to_owned()]);
            Obstacle { owner: Owner::Docker, family, table, chain, hook: Hook::Forward, leaving: Fate::Drops, coming, links }
        };
        assert_eq!(told(&traffic, &[wall(Packets::V4, Fate::Passes)], LOCAL).0, "LMONI", "only what containers begin is dropped");
        assert_eq!(told(&traffic, &[wall(Packets::V4, Fate::Perhaps)], LOCAL).0, "LM???");
        let (seen, answers) = told(&traffic, &[wall(Packets::V4, Fate::Drops), wall(Packets::V4, Fate::Perhaps)], LOCAL);
        assert_eq!(seen, "LM---");
        assert!(answers[2].steps.last().unwrap().contains("iptables -I DOCKER-USER -i k1 -j ACCEPT"));
        assert_eq!(told(&traffic, &[wall(Packets::V6, Fate::Drops)], LOCAL).0, "LMONI");
    }
}
