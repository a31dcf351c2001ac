//! The conformance suite of the network drivers: what each promises, on a network namespace of its own.

use crate::store::enter_network;
use kapal::container::network::Mac;
use kapal::container::{Endpoint, Network, Place, Subnet};
use kapal::id::{ContainerId, NetworkId};
use kapal::networkdriver::{DRIVERS, Mark, NetworkDriver, message, sweep};
use kapal::sys::netlink::{Netlink, ROUTE, within};
use std::fs::File;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::thread;

/// A network namespace of its own.
fn space() -> File {
    let make = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        File::open("/proc/thread-self/ns/net").unwrap()
    };
    thread::spawn(make).join().unwrap()
}

fn mark(root: &str) -> Mark {
    Mark::of(&Place { root: PathBuf::from(root), run_root: PathBuf::from(root) })
}

fn network(driver: &str, link: &str, blocks: &[&str]) -> Network {
    let subnet = |text: &&str| {
        let block: kapal::container::Cidr = text.parse().unwrap();
        Subnet { block, gateway: block.nth(1).unwrap(), range: None, chosen: false }
    };
    Network {
        id: NetworkId::random().unwrap(),
        name: "tested".to_owned(),
        created: jiff::Timestamp::now(),
        driver: driver.to_owned(),
        link: link.to_owned(),
        subnets: blocks.iter().map(subnet).collect(),
        internal: false,
        icc: true,
        masquerade: true,
        mtu: Some(1400),
        labels: std::collections::BTreeMap::default(),
        options: std::collections::BTreeMap::default(),
    }
}

fn endpoint(network: &Network, at: u64) -> Endpoint {
    let addresses: Vec<(IpAddr, u8)> = network.subnets.iter().map(|subnet| (subnet.block.nth(at).unwrap(), subnet.block.prefix())).collect();
    Endpoint {
        container: ContainerId::random().unwrap(),
        network: network.id.clone(),
        link: format!("kvtested{at}"),
        inside: "eth0".to_owned(),
        mac: Mac([2, 0, 0, 0, 0, at as u8]),
        addresses,
        aliases: Vec::new(),
    }
}

fn links(space: &File) -> Vec<String> {
    let all = within(space.as_fd(), || message::links(&mut Netlink::open(ROUTE).unwrap()).unwrap()).unwrap();
    // Kernels make some for every namespace.
    all.into_iter().filter(|link| link.is_bridge || link.is_veth).map(|link| link.name).collect()
}

fn drivers() -> impl Iterator<Item = (&'static str, Box<dyn NetworkDriver>)> {
    DRIVERS.iter().map(|(name, open)| (*name, open(&mark("/tested"))))
}

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: this test needs root");
    }
    root
}

#[test]
fn every_driver_comes_up_twice_and_leaves_nothing() {
    if !is_root() {
        return;
    }
    let machine = space();
    for (name, driver) in drivers() {
        assert_eq!(driver.name(), name);
        let net = network(name, "kptested", &["10.99.0.0/24", "fd99::/64"]);
        within(machine.as_fd(), || {
            driver.up(&net).unwrap();
            driver.up(&net).unwrap();
            assert!(driver.detach(&net, &endpoint(&net, 7)).is_empty(), "{name}: a place that is not there is no error");
            assert!(driver.down(&net).is_empty());
            assert!(driver.down(&net).is_empty(), "{name}: a link that is not there is no error");
        })
        .unwrap();
        assert!(links(&machine).is_empty(), "{name}: {:?}", links(&machine));
    }
}

#[test]
fn places_reach_each_other_and_go_away_whole() {
    if !is_root() {
        return;
    }
    for (name, driver) in drivers() {
        let (machine, one, other) = (space(), space(), space());
        let net = network(name, "kptested", &["10.99.0.0/24", "fd99::/64"]);
        let (first, second) = (endpoint(&net, 2), endpoint(&net, 3));
        let attached = within(machine.as_fd(), || {
            driver.up(&net).unwrap();
            driver.attach(&net, &first, one.as_fd(), true).and_then(|()| driver.attach(&net, &second, other.as_fd(), false))
        })
        .unwrap();
        if name != "bridge" {
            assert_eq!(attached.unwrap_err().kind(), std::io::ErrorKind::Unsupported, "{name}");
            continue;
        }
        attached.unwrap();
        for address in ["10.99.0.3", "fd99::3"] {
            let address: IpAddr = address.parse().unwrap();
            let listener = within(other.as_fd(), || TcpListener::bind((address, 0)).unwrap()).unwrap();
            let port = listener.local_addr().unwrap().port();
            let from = within(one.as_fd(), || TcpStream::connect((address, port)).unwrap().local_addr().unwrap()).unwrap();
            assert_eq!(from.is_ipv6(), address.is_ipv6());
        }
        let inside = within(one.as_fd(), || message::link(&mut Netlink::open(ROUTE).unwrap(), "eth0").unwrap().unwrap()).unwrap();
        assert_eq!(inside.mtu, 1400);
        let routes = |space: &File| within(space.as_fd(), || message::routes(&mut Netlink::open(ROUTE).unwrap()).unwrap()).unwrap();
        let leads_out = |space: &File| routes(space).iter().filter(|route| route.to.prefix() == 0 && route.link == inside.index).count();
        assert_eq!((leads_out(&one), leads_out(&other)), (2, 0), "the way out is where it was asked for");
        within(machine.as_fd(), || {
            assert!(driver.detach(&net, &first).is_empty());
            assert!(driver.attach(&net, &first, one.as_fd(), true).is_ok(), "{name}: a place can come again");
            for place in [&first, &second] {
                assert!(driver.detach(&net, place).is_empty());
            }
            assert!(driver.down(&net).is_empty());
        })
        .unwrap();
        assert!([&machine, &one, &other].iter().all(|space| links(space).is_empty()));
    }
}

#[test]
fn an_attachment_that_fails_leaves_nothing() {
    if !is_root() {
        return;
    }
    let (machine, inside) = (space(), space());
    let driver = kapal::networkdriver::open("bridge", &mark("/tested")).unwrap();
    let net = network("bridge", "kptested", &["10.99.0.0/24"]);
    within(machine.as_fd(), || {
        driver.up(&net).unwrap();
        driver.attach(&net, &endpoint(&net, 2), inside.as_fd(), true).unwrap();
        // There is an eth0 inside already.
        assert!(driver.attach(&net, &endpoint(&net, 3), inside.as_fd(), true).is_err());
    })
    .unwrap();
    assert_eq!(links(&machine).len(), 2, "{:?}", links(&machine));
}

#[test]
fn what_is_not_ours_is_left_alone_and_named() {
    if !is_root() {
        return;
    }
    enter_network();
    let machine = space();
    within(machine.as_fd(), || {
        let ours = kapal::networkdriver::open("bridge", &mark("/tested")).unwrap();
        let others = kapal::networkdriver::open("bridge", &mark("/other")).unwrap();
        let net = network("bridge", "kptested", &["10.99.0.0/24"]);
        others.up(&net).unwrap();
        let refused = ours.up(&net).unwrap_err();
        assert!(refused.kind() == std::io::ErrorKind::AddrInUse && refused.to_string().contains("kptested"), "{refused}");
        let elsewhere = network("bridge", "kpelse", &["10.99.0.0/25"]);
        let refused = ours.up(&elsewhere).unwrap_err();
        assert!(refused.to_string().contains("10.99.0.0/24") && refused.to_string().contains("kptested"), "{refused}");
        assert!(ours.down(&net).is_empty());
        assert_eq!(sweep(&mark("/tested"), &[]).0, 0);
    })
    .unwrap();
    assert_eq!(links(&machine), ["kptested"]);
    let swept = within(machine.as_fd(), || sweep(&mark("/other"), &[])).unwrap();
    assert!(swept.0 == 1 && swept.1.is_empty() && links(&machine).is_empty());
}
