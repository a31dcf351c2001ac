//! The table itself: what the kernel makes of it, what it costs, and that it stays among its own.

use super::TABLE;
use super::bed::{Bed, Server, Space};
use crate::store::until;
use kapal::container::network::Traffic;
use kapal::networkdriver::firewall::obstacle::Owner;
use kapal::networkdriver::firewall::{self, Fate, Hook, Obstacle, Table, Verdict, sysctl};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn the_kernel_understands_what_was_meant() {
    let Some(mut bed) = Bed::new(false) else { return };
    bed.networks[1].icc = false;
    let traffic = bed.traffic(&["0.0.0.0:8080 172.31.1.2:80/tcp", "127.0.0.1:53 172.31.2.2:53/udp", "[::]:8080 [fd00:1::2]:80/sctp"]);
    firewall::replace(&mut bed.machine.netlink(), TABLE, &traffic).unwrap();
    let rules = bed.machine.rules();
    for chain in Table::of(&traffic).chains {
        for rule in chain.rules {
            assert!(rules.lines().any(|line| line.trim() == rule.to_string()), "{rule}\n{rules}");
        }
    }
}

#[test]
fn an_unchanged_state_is_known_and_a_changed_one_too() {
    let Some(bed) = Bed::new(false) else { return };
    let mut netlink = bed.machine.netlink();
    let (one, other) = (bed.traffic(&["0.0.0.0:8080 172.31.1.2:80/tcp"]), bed.traffic(&["0.0.0.0:8081 172.31.1.2:80/tcp"]));
    let mut is = |traffic: &Traffic| firewall::look(&mut netlink, TABLE, traffic).unwrap().is_current;
    assert!(!is(&one), "there is no table yet");
    firewall::replace(&mut bed.machine.netlink(), TABLE, &one).unwrap();
    assert!(!is(&other));
    if !is(&one) {
        eprintln!("SKIPPED: this kernel keeps no mark of a table");
        return;
    }
    bed.machine.nft(&format!("delete chain inet {TABLE} input"));
    assert!(!is(&one), "a chain is missing");
    firewall::replace(&mut bed.machine.netlink(), TABLE, &one).unwrap();
    assert!(is(&one));
    bed.machine.nft("flush ruleset");
    assert!(!is(&one));
}

#[test]
fn others_tables_stay_as_they_are_and_nothing_is_left() {
    let Some(bed) = Bed::new(false) else { return };
    bed.machine.nft("table inet kapalx { chain f { type filter hook forward priority 0; policy drop; accept; }; }\ntable ip kapal { chain f { counter; }; }");
    let before = bed.machine.rules();
    let mut netlink = bed.machine.netlink();
    firewall::remove(&mut netlink, TABLE).unwrap();
    for forwards in [&["0.0.0.0:8080 172.31.1.2:80/tcp"][..], &[]] {
        firewall::replace(&mut netlink, TABLE, &bed.traffic(forwards)).unwrap();
        firewall::replace(&mut netlink, "kapal-1a2b3c", &bed.traffic(forwards)).unwrap();
    }
    firewall::remove(&mut netlink, TABLE).unwrap();
    assert!(bed.machine.rules().contains("table inet kapal-1a2b3c"), "another store's");
    firewall::remove(&mut netlink, "kapal-1a2b3c").unwrap();
    firewall::remove(&mut netlink, "kapal-1a2b3c").unwrap();
    assert_eq!(bed.machine.rules(), before);
}

#[test]
fn no_connection_is_lost_while_rules_are_replaced() {
    let Some(bed) = Bed::new(false) else { return };
    let _server = Server::new(&bed.a, "[::]:80");
    let more: Vec<String> = (0..50).map(|port| format!("0.0.0.0:{} 172.31.2.2:80/tcp", 9000 + port)).collect();
    let mut forwards = vec!["0.0.0.0:8080 172.31.1.2:80/tcp"];
    let one = bed.traffic(&forwards);
    forwards.extend(more.iter().map(String::as_str));
    let two = bed.traffic(&forwards);
    bed.tell(&one);
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let spaces = [&bed.client, &bed.machine, &bed.c];
    let lost = || spaces.map(Space::lost_beginnings);
    let before = lost();
    std::thread::scope(|scope| {
        for (space, place) in [(&bed.client, "192.0.2.1:8080"), (&bed.machine, "127.0.0.1:8080"), (&bed.c, "172.31.2.1:8080")] {
            let (stop, asked) = (&stop, &asked);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // A packet that is lost is sent again after a second: that is seen below, not by how long it takes.
                    if let Err(error) = space.asks_within(place, Duration::from_secs(60)) {
                        stop.store(true, Ordering::Relaxed);
                        panic!("{place}: {error}");
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut netlink = bed.machine.netlink();
        for round in 0..100 {
            let seen = asked.load(Ordering::Relaxed);
            firewall::replace(&mut netlink, TABLE, if round % 2 == 0 { &two } else { &one }).unwrap();
            while asked.load(Ordering::Relaxed) < seen + 5 && !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(lost(), before, "first packets were lost");
    eprintln!("{} connections during 100 replacements", asked.into_inner());
}

#[test]
fn five_hundred_ports_are_published_at_once() {
    let Some(bed) = Bed::new(false) else { return };
    let _server = Server::new(&bed.a, "[::]:80");
    let many: Vec<String> = (0..500).map(|port| format!("0.0.0.0:{} 172.31.1.2:80/tcp", 10_000 + port)).collect();
    let traffic = bed.traffic(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let mut netlink = bed.machine.netlink();
    let timed = |what: &str, work: &mut dyn FnMut()| {
        let began = Instant::now();
        work();
        eprintln!("{what}: {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(30));
    };
    timed("500 ports, new", &mut || firewall::replace(&mut netlink, TABLE, &traffic).unwrap());
    timed("500 ports, again", &mut || firewall::replace(&mut netlink, TABLE, &traffic).unwrap());
    timed("500 ports, is it current", &mut || {
        firewall::look(&mut netlink, TABLE, &traffic).unwrap();
    });
    until("both ends are published", || bed.client.asks("192.0.2.1:10000").is_ok() && bed.client.asks("192.0.2.1:10499").is_ok());
    assert!(bed.client.asks("192.0.2.1:10500").is_err());
}

#[test]
fn a_refusal_names_the_rule_and_leaves_the_old_table() {
    let Some(bed) = Bed::new(false) else { return };
    let mut netlink = bed.machine.netlink();
    firewall::replace(&mut netlink, TABLE, &bed.traffic(&["0.0.0.0:8080 172.31.1.2:80/tcp"])).unwrap();
    let before = bed.machine.rules();
    // Longer than any name in the kernel may be.
    let long = "x".repeat(400);
    assert!(firewall::replace(&mut netlink, &long, &bed.traffic(&[])).unwrap_err().to_string().contains("table x"));
    assert_eq!(bed.machine.rules(), before);
    let mut rules = Table::of(&bed.traffic(&["0.0.0.0:8081 172.31.1.2:80/tcp"]));
    rules.chains[1].rules[1].verdict = Verdict::Jump("nowhere");
    let error = firewall::put(&mut netlink, TABLE, &rules).unwrap_err();
    let why = "the rule of chain prerouting \"fib daddr type local jump nowhere comment";
    assert!(error.kind() == std::io::ErrorKind::NotFound && error.to_string().contains(why) && error.to_string().contains("CONFIG_NFT_FIB_INET"), "{error}");
    assert_eq!(bed.machine.rules(), before);
    let may_not = bed.machine.within(|| {
        std::thread::spawn(|| {
            // Capabilities are a thread's own.
            let mut netlink = kapal::sys::netlink::Netlink::open(kapal::sys::netlink::NETFILTER).unwrap();
            rustix::thread::set_capabilities(
                None,
                rustix::thread::CapabilitySets {
                    effective: rustix::thread::CapabilitySet::empty(),
                    permitted: rustix::thread::CapabilitySet::empty(),
                    inheritable: rustix::thread::CapabilitySet::empty(),
                },
            )
            .unwrap();
            firewall::remove(&mut netlink, TABLE).unwrap_err()
        })
        .join()
        .unwrap()
    });
    assert!(may_not.kind() == std::io::ErrorKind::PermissionDenied && may_not.to_string().contains("the firewall"), "{may_not}");
    assert_eq!(bed.machine.rules(), before);
}

#[test]
fn a_containers_questions_for_names_find_the_server() {
    let Some(bed) = Bed::new(false) else { return };
    let _server = Server::new(&bed.a, "127.0.0.11:5353");
    for _ in 0..2 {
        firewall::names(&mut bed.a.netlink(), 5353).unwrap();
        super::sees(&bed.a, "127.0.0.11:53", "127.0.0.1");
    }
    assert!(bed.a.asks("127.0.0.1:53").is_err());
    assert_eq!(bed.machine.rules(), "");
    firewall::remove(&mut bed.a.netlink(), TABLE).unwrap();
    assert_eq!(bed.a.rules(), "");
}

#[test]
fn other_firewalls_are_found_and_their_commands_help() {
    let Some(bed) = Bed::new(false) else { return };
    let _server = Server::new(&bed.a, "[::]:80");
    let traffic = bed.traffic(&["0.0.0.0:8080 172.31.1.2:80/tcp"]);
    bed.tell(&traffic);
    let find = |space: &Space| space.within(|| firewall::obstacles(&mut space.netlink(), TABLE, &traffic.networks[..1])).unwrap();
    assert_eq!(find(&bed.machine), []);
    bed.machine
        .nft("table ip filter { chain DOCKER-USER { return; }; chain FORWARD { type filter hook forward priority 0; policy drop; jump DOCKER-USER; }; }");
    bed.machine.nft("table inet mine { chain guard { type filter hook forward priority 10; policy drop; ct state established accept; }; }");
    let found = find(&bed.machine);
    assert_eq!(
        found.iter().map(|one| (one.owner, one.hook, one.leaving, one.coming)).collect::<Vec<_>>(),
        [(Owner::Docker, Hook::Forward, Fate::Drops, Fate::Drops), (Owner::Nft, Hook::Forward, Fate::Drops, Fate::Drops)]
    );
    assert!(bed.client.asks("192.0.2.1:8080").is_err());
    let local = ["192.0.2.1".parse().unwrap()];
    let answers = firewall::explain(&traffic, &traffic.forwards[0], &found, &local);
    let told = format!("{answers:?}");
    assert!(told.contains("Docker: chain FORWARD") && told.contains("nft insert rule inet mine guard"), "{told}");
    for command in found.iter().flat_map(Obstacle::ways) {
        let mut words = command.split(' ');
        let program = words.next().unwrap();
        if program == "iptables" && std::process::Command::new(program).arg("-V").output().is_err() {
            bed.machine.nft("insert rule ip filter DOCKER-USER iifname k1 accept\ninsert rule ip filter DOCKER-USER oifname k1 accept");
            continue;
        }
        bed.machine.tool(program, &words.collect::<Vec<_>>(), "");
    }
    assert_eq!(find(&bed.machine), [], "what lets it through is seen");
    // It goes through: the last of the two opened the way for answers, too.
    until("it goes through", || bed.client.asks("192.0.2.1:8080").is_ok());
}

#[test]
fn switches_are_set_where_they_are_off() {
    let Some(bed) = Bed::new(false) else { return };
    let space = &bed.client;
    let value = |name: &str| space.within(|| std::fs::read_to_string(format!("/proc/sys/net/{name}"))).unwrap().trim().to_owned();
    // A new namespace may have what this machine has.
    for (name, off) in [("ipv4/ip_forward", "0"), ("ipv6/conf/all/forwarding", "0"), ("ipv6/conf/eth0/accept_ra", "1")] {
        space.sysctl(name, off);
    }
    space.within(|| sysctl::forward(false, false)).unwrap();
    assert_eq!((value("ipv4/ip_forward").as_str(), value("ipv6/conf/all/forwarding").as_str()), ("0", "0"));
    space.within(|| sysctl::forward(true, true)).unwrap();
    space.within(|| sysctl::loopback_way("eth0")).unwrap();
    for (name, expected) in [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/eth0/accept_ra", "2"),
        ("ipv4/conf/eth0/route_localnet", "1"),
        ("ipv4/conf/all/route_localnet", "0"),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert_eq!(space.within(|| sysctl::loopback_way("none")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}
