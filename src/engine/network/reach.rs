//! Who reaches a container's ports: from the firewall's own rules, other people's firewalls and this machine's addresses.

use super::{Answer, Asker, Obstacle, Reach};
use crate::container::network::Forward;
use crate::container::{Container, Endpoint, Network, NetworkMode, Protocol, Published};
use crate::engine::{Engine, Error, Result};
use crate::networkdriver::{firewall, surroundings};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Who reaches a container's ports.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The container's name.
    pub container: String,
    /// Its published ports that were asked for.
    pub ports: Vec<Reached>,
    /// What is to be known beside them, a sentence each.
    pub notes: Vec<String>,
    /// Other people's chains in the way.
    pub obstacles: Vec<Obstacle>,
}

/// A published port with who reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The port.
    pub forward: Forward,
    /// The name of the network it is reached on.
    pub network: String,
    /// For each who may ask.
    pub answers: Vec<Answer>,
}

impl Engine {
    /// Other people's chains that drop whatever they do not let through, each with the commands that let containers through, a
    /// sentence each.
    pub fn obstacle_warnings(&self) -> Vec<String> {
        // Who may not ask hears of it where it matters, when a container is started.
        let mut networks = self.traffic().map(|traffic| traffic.networks).unwrap_or_default();
        if networks.is_empty() {
            networks.extend(self.network(crate::container::network::DEFAULT).ok());
        }
        let obstacles = surroundings(&self.mark(), &networks).map(|(obstacles, _)| obstacles).unwrap_or_default();
        firewall::advice(obstacles.iter().filter(|one| one.drops()))
    }

    /// Who reaches a container's ports: all that are published, or the one asked for, by its number inside or on this machine.
    ///
    /// # Errors
    /// The store's and the kernel's.
    pub fn explanation(&self, container: &Container, asked: Option<(u16, Option<Protocol>)>) -> Result<Explanation> {
        let mut explanation = Explanation { container: container.name.clone(), ports: Vec::new(), notes: Vec::new(), obstacles: Vec::new() };
        if let Some(note) = nothing_of_its_own(container) {
            explanation.notes.push(note);
            return Ok(explanation);
        }
        let berths = self.berths_of(container)?;
        let networks: Vec<Network> = berths.iter().map(|(network, _)| network.clone()).collect();
        let around = surroundings(&self.mark(), &networks);
        let (obstacles, local) = around.map_err(|e| Error::io("cannot ask the kernel for this machine's addresses and firewalls", &e))?;
        explanation.obstacles = obstacles;
        let traffic = self.traffic()?;
        for forward in chosen(&traffic.forwards, container, asked) {
            let mut answers = firewall::explain(&traffic, forward, &explanation.obstacles, &local);
            from_loopback(&traffic.forwards, forward, &local, &mut answers);
            let network = traffic.networks.iter().find(|network| network.id == forward.network).map_or_else(String::new, |network| network.name.clone());
            explanation.ports.push(Reached { forward: forward.clone(), network, answers });
        }
        if explanation.ports.is_empty() {
            explanation.notes = unpublished(container, &berths, asked);
        }
        Ok(explanation)
    }
}

/// Who asks at `[::1]` meets no rule of ours, but the container's monitor, which passes on what is said (`monitor::proxy`): for
/// ports of `::1` and `::`, and for those of all addresses where the container has only an IPv4 one.
fn from_loopback(all: &[Forward], forward: &Forward, local: &[IpAddr], answers: &mut Vec<Answer>) {
    const LOOPBACK: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let Forward { container, port, target, .. } = forward;
    let here = [LOOPBACK, IpAddr::V6(Ipv6Addr::UNSPECIFIED)].contains(&port.address);
    let alone = port.address == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        && !all
            .iter()
            .any(|other| other.container == *container && other.port.port == port.port && other.port.protocol == port.protocol && other.port.address.is_ipv6());
    let beside = || alone && local.contains(&LOOPBACK) && is_bound(port);
    if !here && !beside() {
        return;
    }
    let (place, target, protocol) = (SocketAddr::new(LOOPBACK, port.port), SocketAddr::new(*target, port.inside), port.protocol.as_str());
    let (reach, step) = match port.protocol {
        Protocol::Sctp => (Reach::No, "the kernel has no way from ::1, and SCTP is not passed on".to_owned()),
        _ if !is_bound(port) => (Reach::No, format!("nobody listens at {place}/{protocol}")),
        _ => (
            Reach::Yes,
            format!("the container's monitor listens at {place}/{protocol} and passes on what it hears to {target}: the kernel has no way from ::1"),
        ),
    };
    let answer = Answer { asker: Asker::Loopback, place: Some(place), reach, steps: vec![step] };
    if here { answers.iter_mut().filter(|other| other.asker == Asker::Loopback).for_each(|other| other.clone_from(&answer)) } else { answers.insert(1, answer) }
}

/// Whether a port is bound at `::1`, as the kernel tells it. Source: proc_net_tcp(5): the local address is the second word, and
/// `0A` as the fourth says that it listens.
fn is_bound(port: &Published) -> bool {
    const PLACES: [&str; 2] = ["00000000000000000000000001000000", "00000000000000000000000000000000"];
    let text = std::fs::read_to_string(format!("/proc/thread-self/net/{}6", port.protocol.as_str())).unwrap_or_default();
    text.lines().skip(1).any(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().take(4).collect();
        let Some((address, number)) = words.get(1).and_then(|place| place.rsplit_once(':')) else { return false };
        let listens = port.protocol != Protocol::Tcp || words.get(3) == Some(&"0A");
        listens && PLACES.contains(&address) && u16::from_str_radix(number, 16) == Ok(port.port)
    })
}

/// Why there is nothing to explain by rules, for a container that has no place on networks.
fn nothing_of_its_own(container: &Container) -> Option<String> {
    let name = &container.name;
    match &container.host_config.network_mode {
        NetworkMode::None => Some(format!("{name} is on no network: nobody reaches it but its own processes")),
        NetworkMode::Host => {
            Some(format!("{name} is on this machine's own network: what it listens to is reached as any program's here, and no rule of kapal is about it"))
        }
        NetworkMode::Container(other) => {
            let other: String = other.chars().take(12).collect();
            Some(format!("{name} shares the network of container {other}: ask about that one (kapal network explain {other})"))
        }
        NetworkMode::Networks(_) if !container.state.status.is_alive() => {
            let wishes: Vec<String> = container.host_config.port_bindings.iter().map(ToString::to_string).collect();
            let then = if wishes.is_empty() { String::new() } else { format!("; at its next start it publishes {}", wishes.join(", ")) };
            Some(format!("{name} does not run: nobody reaches it{then}"))
        }
        NetworkMode::Networks(_) => None,
    }
}

/// The published ports of a container that were asked for: by the number inside, or else by the one here.
fn chosen<'a>(all: &'a [Forward], container: &Container, asked: Option<(u16, Option<Protocol>)>) -> Vec<&'a Forward> {
    let own: Vec<&Forward> = all.iter().filter(|forward| forward.container == container.id).collect();
    let Some((number, protocol)) = asked else { return own };
    let by = |port: fn(&Forward) -> u16| -> Vec<&'a Forward> {
        own.iter().copied().filter(|forward| port(forward) == number && protocol.is_none_or(|protocol| protocol == forward.port.protocol)).collect()
    };
    let inside = by(|forward| forward.port.inside);
    if inside.is_empty() { by(|forward| forward.port.port) } else { inside }
}

/// What is reached of a container although it is not published.
fn unpublished(container: &Container, berths: &[(Network, Endpoint)], asked: Option<(u16, Option<Protocol>)>) -> Vec<String> {
    let name = &container.name;
    let port = asked.map(|(number, protocol)| (number, protocol.unwrap_or(Protocol::Tcp).as_str()));
    let mut notes = vec![match port {
        Some((number, protocol)) => format!("port {number}/{protocol} of {name} is not published: other machines and other networks do not reach it"),
        None => format!("{name} publishes no port: other machines and other networks do not reach it"),
    }];
    let places = |endpoint: &Endpoint| -> String {
        let place = |address: &std::net::IpAddr| asked.map_or_else(|| address.to_string(), |(number, _)| SocketAddr::new(*address, number).to_string());
        endpoint.addresses.iter().map(|(address, _)| place(address)).collect::<Vec<_>>().join(" and ")
    };
    for (network, endpoint) in berths.iter().filter(|(_, endpoint)| !endpoint.addresses.is_empty()) {
        notes.push(format!("this machine reaches it at {}, its place on network {}", places(endpoint), network.name));
        notes.push(match (network.icc, network.has_names()) {
            (false, _) => format!("containers of network {} do not reach it: the network was made with icc=false", network.name),
            (true, false) => format!("containers of network {} reach it there, too", network.name),
            (true, true) => {
                let names: Vec<&str> = std::iter::once(name.as_str()).chain(endpoint.aliases.iter().map(String::as_str)).collect();
                format!("containers of network {} reach it there, too, and by name: {}", network.name, names.join(", "))
            }
        });
    }
    let wish = port.map_or_else(|| "PORT:INSIDE".to_owned(), |(number, protocol)| format!("{number}:{number}/{protocol}"));
    if berths.iter().any(|(network, _)| !network.internal) {
        notes.push(format!("to publish it: kapal port {name} --publish {wish}"));
    } else {
        notes.push("it cannot be published: it is on internal networks only".to_owned());
    }
    notes
}

impl Explanation {
    /// As programs read it.
    pub fn value(&self) -> Value {
        let answer = |answer: &Answer| {
            json!({
                "Reach": reach(answer.reach),
                "Asker": answer.asker.to_string(),
                "Place": answer.place.map(|place| place.to_string()),
                "Steps": answer.steps,
            })
        };
        let port = |reached: &Reached| {
            let Forward { port, target, .. } = &reached.forward;
            json!({
                "HostIp": port.address,
                "HostPort": port.port.to_string(),
                "ContainerPort": format!("{}/{}", port.inside, port.protocol.as_str()),
                "ContainerIp": target,
                "Network": reached.network,
                "Answers": reached.answers.iter().map(answer).collect::<Vec<_>>(),
            })
        };
        let obstacle = |obstacle: &Obstacle| json!({ "What": obstacle.what(), "Drops": obstacle.drops(), "Ways": obstacle.ways() });
        json!({
            "Container": self.container,
            "Ports": self.ports.iter().map(port).collect::<Vec<_>>(),
            "Notes": self.notes,
            "Obstacles": self.obstacles.iter().map(obstacle).collect::<Vec<_>>(),
        })
    }
}

/// Yes, perhaps or no.
pub fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Yes => "yes",
        Reach::Perhaps => "perhaps",
        Reach::No => "no",
    }
}
