//! What packets are told, seen by real packets between network namespaces made for the test.

mod bed;
mod table;

use crate::store::until;
use bed::{Bed, Server, Space, ask_over};
use kapal::container::network::Traffic;
use kapal::networkdriver::firewall::{self, Asker, Reach, sysctl};
use std::io;
use std::net::{IpAddr, UdpSocket};

const TABLE: &str = "kapal";

impl Bed {
    /// Tells packets of this.
    #[track_caller]
    pub fn tell(&self, traffic: &Traffic) {
        firewall::replace(&mut self.machine.netlink(), TABLE, traffic).unwrap();
        for network in &traffic.networks {
            self.machine.within(|| sysctl::loopback_way(&network.link)).unwrap();
        }
    }
}

/// Whom the server sees when it is asked, over TCP and UDP; it must be the same.
#[track_caller]
fn seen(space: &Space, place: &str) -> IpAddr {
    let [tcp, udp] = [answer(place, || space.asks(place)), answer(place, || space.asks_udp(place))];
    assert_eq!(tcp, udp, "{place}: over TCP and over UDP");
    tcp
}

/// An answer, which may come late: then it is asked for again.
#[track_caller]
fn answer(place: &str, mut ask: impl FnMut() -> io::Result<IpAddr>) -> IpAddr {
    let mut told = None;
    until(place, || {
        told = ask().ok();
        told.is_some()
    });
    told.unwrap()
}

#[track_caller]
fn sees(space: &Space, place: &str, expected: &str) {
    assert_eq!(seen(space, place).to_string(), expected, "{place}");
}

#[track_caller]
fn unreached(space: &Space, place: &str) {
    assert_eq!((space.asks(place).ok(), space.asks_udp(place).ok()), (None, None), "{place} is reached");
}

const BOTH: [&str; 4] = ["0.0.0.0:8080 172.31.1.2:80/tcp", "0.0.0.0:8080 172.31.1.2:80/udp", "[::]:8080 [fd00:1::2]:80/tcp", "[::]:8080 [fd00:1::2]:80/udp"];

#[test]
fn a_published_port_is_reached_from_everywhere() {
    for filter in [false, true] {
        let Some(bed) = Bed::new(filter) else { return };
        let _server = Server::new(&bed.a, "[::]:80");
        unreached(&bed.machine, "127.0.0.1:8080");
        bed.tell(&bed.traffic(&BOTH));
        for (who, space, place, expected) in [
            ("the machine by loopback", &bed.machine, "127.0.0.1:8080", "172.31.1.1"),
            ("the machine by another loopback address", &bed.machine, "127.7.7.7:8080", "172.31.1.1"),
            ("the machine by its address", &bed.machine, "192.0.2.1:8080", "172.31.1.1"),
            ("the machine by the network's address", &bed.machine, "172.31.1.1:8080", "172.31.1.1"),
            ("the machine by another network's address", &bed.machine, "172.31.3.1:8080", "172.31.1.1"),
            ("another machine", &bed.client, "192.0.2.1:8080", "192.0.2.9"),
            ("a neighbour by the machine's address", &bed.b, "192.0.2.1:8080", "172.31.1.1"),
            ("a neighbour by the network's address", &bed.b, "172.31.1.1:8080", "172.31.1.1"),
            ("a neighbour directly", &bed.b, "172.31.1.2:80", "172.31.1.3"),
            ("another network's container", &bed.c, "192.0.2.1:8080", "172.31.1.1"),
            ("another network's container by its gateway", &bed.c, "172.31.2.1:8080", "172.31.1.1"),
            ("itself", &bed.a, "192.0.2.1:8080", "172.31.1.1"),
            ("the machine by its IPv6 address", &bed.machine, "[2001:db8::1]:8080", "fd00:1::1"),
            ("the machine by the network's IPv6 address", &bed.machine, "[fd00:1::1]:8080", "fd00:1::1"),
            ("another machine by IPv6", &bed.client, "[2001:db8::1]:8080", "2001:db8::9"),
            ("a neighbour by the machine's IPv6 address", &bed.b, "[2001:db8::1]:8080", "fd00:1::1"),
            ("another network's container by IPv6", &bed.c, "[2001:db8::1]:8080", "fd00:1::1"),
            ("itself by IPv6", &bed.a, "[2001:db8::1]:8080", "fd00:1::1"),
        ] {
            let found = seen(space, place).to_string();
            assert_eq!(found, expected, "{who} at {place}, bridges ask the firewall: {filter}");
        }
        // The kernel cannot answer ::1: refused at once, not left waiting.
        let refused = bed.machine.asks("[::1]:8080").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        unreached(&bed.d, "192.0.2.1:8080");
        unreached(&bed.d, "172.31.3.1:8080");
    }
}

#[test]
fn what_is_published_at_one_address_is_not_at_others() {
    let Some(bed) = Bed::new(false) else { return };
    let _server = Server::new(&bed.a, "[::]:80");
    let forwards = |address: &str| bed.traffic(&[&format!("{address}:8080 172.31.1.2:80/tcp"), &format!("{address}:8080 172.31.1.2:80/udp")]);
    bed.tell(&forwards("127.0.0.1"));
    sees(&bed.machine, "127.0.0.1:8080", "172.31.1.1");
    for (space, place) in [
        (&bed.machine, "192.0.2.1:8080"),
        (&bed.machine, "127.0.0.2:8080"),
        (&bed.client, "192.0.2.1:8080"),
        (&bed.a, "172.31.1.1:8080"),
        (&bed.c, "172.31.2.1:8080"),
    ] {
        unreached(space, place);
    }
    // Not even who routes loopback to this machine reaches it, be it a neighbour or a container.
    for (space, gateway) in [(&bed.client, "192.0.2.1"), (&bed.c, "172.31.2.1"), (&bed.b, "172.31.1.1")] {
        space.ip("link set lo down");
        space.ip("addr flush dev lo");
        space.ip(&format!("route add 127.0.0.1 via {gateway} table main"));
        space.sysctl("ipv4/conf/all/route_localnet", "1");
        unreached(space, "127.0.0.1:8080");
    }
    bed.tell(&forwards("192.0.2.1"));
    sees(&bed.client, "192.0.2.1:8080", "192.0.2.9");
    sees(&bed.machine, "192.0.2.1:8080", "172.31.1.1");
    unreached(&bed.machine, "127.0.0.1:8080");
    unreached(&bed.c, "172.31.2.1:8080");
}

#[test]
fn loopback_is_this_machines_alone() {
    let Some(bed) = Bed::new(false) else { return };
    let _service = Server::new(&bed.machine, "0.0.0.0:7000");
    bed.tell(&bed.traffic(&[]));
    sees(&bed.a, "172.31.1.1:7000", "172.31.1.2");
    bed.a.ip("link set lo down");
    bed.a.ip("addr flush dev lo");
    bed.a.ip("route add 127.0.0.1 via 172.31.1.1 table main");
    bed.a.sysctl("ipv4/conf/all/route_localnet", "1");
    unreached(&bed.a, "127.0.0.1:7000");
    firewall::remove(&mut bed.machine.netlink(), TABLE).unwrap();
    until("the hole that the rules shut is there without them", || bed.a.asks_udp("127.0.0.1:7000").is_ok() || bed.a.asks("127.0.0.1:7000").is_ok());
}

#[test]
fn networks_are_shut_against_each_other() {
    for filter in [false, true] {
        let Some(mut bed) = Bed::new(filter) else { return };
        let _outside = Server::new(&bed.client, "[::]:9000");
        let _servers = [&bed.a, &bed.b, &bed.c, &bed.d].map(|space| Server::new(space, "[::]:80"));
        bed.tell(&bed.traffic(&[]));
        // Out: with the machine's address.
        sees(&bed.a, "192.0.2.9:9000", "192.0.2.1");
        sees(&bed.a, "[2001:db8::9]:9000", "2001:db8::1");
        unreached(&bed.d, "192.0.2.9:9000");
        unreached(&bed.d, "[2001:db8::9]:9000");
        // In: from this machine and the network itself alone.
        for place in ["172.31.1.2:80", "172.31.2.2:80", "172.31.3.2:80", "[fd00:1::2]:80", "[fd00:2::2]:80", "[fd00:3::2]:80"] {
            unreached(&bed.client, place);
            seen(&bed.machine, place);
        }
        for (space, place) in
            [(&bed.a, "172.31.2.2:80"), (&bed.c, "172.31.1.2:80"), (&bed.a, "172.31.3.2:80"), (&bed.d, "172.31.1.2:80"), (&bed.d, "[fd00:1::2]:80")]
        {
            unreached(space, place);
        }
        sees(&bed.b, "172.31.1.2:80", "172.31.1.3");
        // Without masquerade others see the container itself.
        bed.networks[0].masquerade = false;
        bed.tell(&bed.traffic(&[]));
        sees(&bed.a, "192.0.2.9:9000", "172.31.1.2");
        // Bridges that ask the firewall do so for the containers of one network, too.
        bed.networks[0].icc = false;
        bed.tell(&bed.traffic(&BOTH));
        if filter {
            unreached(&bed.b, "172.31.1.2:80");
        } else {
            seen(&bed.b, "172.31.1.2:80");
        }
        sees(&bed.b, "192.0.2.1:8080", "172.31.1.1");
    }
}

#[test]
fn what_is_explained_is_what_happens() {
    for filter in [false, true] {
        let Some(mut bed) = Bed::new(filter) else { return };
        let _servers = [&bed.a, &bed.d].map(|space| Server::new(space, "[::]:80"));
        let local: Vec<IpAddr> =
            ["127.0.0.1", "192.0.2.1", "172.31.1.1", "172.31.2.1", "172.31.3.1", "::1", "2001:db8::1", "fd00:1::1", "fd00:2::1", "fd00:3::1"]
                .map(|address| address.parse().unwrap())
                .to_vec();
        for (masquerade, icc) in [(true, true), (false, false)] {
            (bed.networks[0].masquerade, bed.networks[0].icc) = (masquerade, icc);
            for (address, inside) in
                [("0.0.0.0", "172.31.1.2"), ("127.0.0.1", "172.31.1.2"), ("192.0.2.1", "172.31.1.2"), ("0.0.0.0", "172.31.3.2"), ("[::]", "[fd00:1::2]")]
            {
                let traffic = bed.traffic(&[&format!("{address}:8080 {inside}:80/tcp")]);
                bed.tell(&traffic);
                let (own, neighbour, others) = if inside.contains("31.3.") {
                    (&bed.d, None, [("net1", &bed.a), ("net2", &bed.c)])
                } else {
                    (&bed.a, Some(&bed.b), [("net2", &bed.c), ("net3", &bed.d)])
                };
                let answers = firewall::explain(&traffic, &traffic.forwards[0], &[], &local);
                assert_eq!(answers.len(), 7);
                for answer in answers {
                    let space = match &answer.asker {
                        Asker::Loopback | Asker::Machine => Some(&bed.machine),
                        Asker::Others => Some(&bed.client),
                        Asker::Neighbour => neighbour,
                        Asker::Itself => Some(own),
                        Asker::Network(name) => others.iter().find(|(other, _)| other == name).map(|(_, space)| *space),
                    };
                    if let (Some(space), Some(place)) = (space, answer.place) {
                        let place = place.to_string();
                        if answer.reach == Reach::Yes {
                            until(&format!("{answer:?}"), || space.asks(&place).is_ok());
                        } else {
                            assert!(space.asks(&place).is_err(), "{answer:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_client_does_not_go_on_with_a_dead_container() {
    let Some(bed) = Bed::new(false) else { return };
    let _servers = [&bed.a, &bed.b].map(|space| Server::new(space, "[::]:80"));
    let socket = bed.client.within(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
    let six = bed.client.within(|| UdpSocket::bind("[::]:0")).unwrap();
    let (place, place6) = ("192.0.2.1:8080".parse().unwrap(), "[2001:db8::1]:8080".parse().unwrap());
    bed.tell(&bed.traffic(&BOTH));
    answer("the first", || ask_over(&socket, place));
    answer("the first", || ask_over(&six, place6));
    bed.a.asks_udp("192.0.2.9:9").unwrap_err();
    bed.c.asks_udp("192.0.2.9:9").unwrap_err();
    bed.tell(&bed.traffic(&["0.0.0.0:8080 172.31.1.3:80/udp", "[::]:8080 [fd00:1::3]:80/udp"]));
    // The container is gone: its address answers no more.
    bed.a.ip("link set eth0 down");
    assert!(ask_over(&socket, place).is_err() && ask_over(&six, place6).is_err(), "the kernel remembers where it sent the first packet");
    let gone: Vec<IpAddr> = ["172.31.1.2", "fd00:1::2"].map(|address| address.parse().unwrap()).to_vec();
    let mut netlink = bed.machine.netlink();
    let before = firewall::forget(&mut netlink, &gone).unwrap();
    assert!(before >= 3, "{before}: two questions to it and one of its own");
    answer("the second", || ask_over(&socket, place));
    answer("the second", || ask_over(&six, place6));
    assert_eq!(firewall::forget(&mut netlink, &gone).unwrap(), 0, "what others have is left");
    assert!(firewall::forget(&mut netlink, &["172.31.2.2".parse().unwrap()]).unwrap() >= 1);
}
