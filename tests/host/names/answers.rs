//! What is answered, as `dig` understands it.

use super::upstream::Upstream;
use super::{Container, Machine};
use kapal::networkdriver::names::Settings;
use std::os::fd::AsFd;
use std::process::Command;

const DIRECTORY: &str = "* web 10.1.0.2\n* alias.front 10.1.0.2\n* both 10.1.0.3 fd00::3\n* pool 10.1.0.4 10.1.0.5 10.1.0.6\n* empty\n";

fn has_dig() -> bool {
    let there = Command::new("dig").arg("-v").output().is_ok();
    if !there {
        eprintln!("SKIPPED: this test needs dig (bind9-dnsutils)");
    }
    there
}

/// The answers of `+short`, in order.
fn short(container: &Container, arguments: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = container.dig(&[&["+short"], arguments].concat()).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn containers_find_each_other() {
    let Some(machine) = Machine::new(DIRECTORY).filter(|_| has_dig()) else { return };
    let world = Upstream::new(machine.namespace.as_fd(), "127.0.0.1");
    let container = machine.container(&["127.0.0.1"]);
    assert_eq!(short(&container, &["web"]), ["10.1.0.2"]);
    assert_eq!(short(&container, &["+tcp", "WEB."]), ["10.1.0.2"]);
    assert_eq!(short(&container, &["alias.Front"]), ["10.1.0.2"]);
    assert_eq!(short(&container, &["both", "AAAA"]), ["fd00::3"]);
    assert_eq!(short(&container, &["pool"]), ["10.1.0.4", "10.1.0.5", "10.1.0.6"]);
    assert_eq!(short(&container, &["-x", "10.1.0.2"]), ["web."]);
    assert_eq!(short(&container, &["-x", "fd00::3"]), ["both."]);
    for arguments in [&["web", "AAAA"], &["empty", "A"], &["web", "MX"]] {
        says(&container.dig(arguments), &["status: NOERROR", "ANSWER: 0", "AUTHORITY: 0"]);
    }
    says(&container.dig(&["web"]), &["flags: qr rd ra;", "EDNS: version: 0, flags:; udp: 4096", "web.\t\t\t5\tIN\tA\t10.1.0.2"]);
    says(&container.dig(&["+noedns", "web"]), &["ADDITIONAL: 0"]);
    says(&container.dig(&["+dnssec", "web"]), &["EDNS: version: 0, flags: do;"]);
    says(&container.dig(&["+edns=1", "+noednsnegotiation", "web"]), &["status: BADVERS", "EDNS: version: 0"]);
    says(&container.dig(&["+noedns", "+opcode=status", "web"]), &["status: NOTIMP"]);
    assert_eq!(world.asked(), [""; 0], "the world was asked for names of ours");
}

#[test]
fn addresses_come_in_an_order_of_chance() {
    let Some(machine) = Machine::new(DIRECTORY) else { return };
    let container = machine.container(&[]);
    let firsts: std::collections::BTreeSet<String> = (0..100).map(|_| container.ask("pool.").0.remove(0)).collect();
    assert_eq!(firsts.len(), 3);
}

#[test]
fn other_names_are_asked_of_the_world() {
    let Some(machine) = Machine::new(DIRECTORY).filter(|_| has_dig()) else { return };
    let world = Upstream::new(machine.namespace.as_fd(), "127.0.0.1");
    let six = Upstream::new(machine.namespace.as_fd(), "::1");
    let container = machine.container(&["127.0.0.1"]);
    assert_eq!(short(&container, &["hello.example"]), ["192.0.2.1"]);
    assert_eq!(short(&container, &["+tcp", "HELLO.example"]), ["192.0.2.1"]);
    assert_eq!(world.asked(), ["udp hello.example.", "tcp HELLO.example."]);
    says(&container.dig(&["nothing.example"]), &["status: NXDOMAIN"]);
    says(&container.dig(&["+tcp", "nothing.example"]), &["status: NXDOMAIN"]);
    says(&container.dig(&["-x", "192.0.2.9"]), &["status: NXDOMAIN"]);
    says(&container.dig(&["+ignore", "big.example", "TXT"]), &["flags: qr tc rd ra;"]);
    let big = container.dig(&["big.example", "TXT"]);
    says(&big, &["ANSWER: 60", "(TCP)"]);
    assert_eq!(short(&container, &["forged.example"]), ["192.0.2.1"]);
    world.asked();
    let container = machine.container(&["::1"]);
    assert_eq!(short(&container, &["hello.example"]), ["192.0.2.1"]);
    assert_eq!(short(&container, &["+tcp", "hello.example"]), ["192.0.2.1"]);
    assert_eq!((world.asked(), six.asked()), (vec![], vec!["udp hello.example.".to_owned(), "tcp hello.example.".to_owned()]));
}

#[test]
fn the_next_resolver_is_asked_when_one_does_not_help() {
    let Some(machine) = Machine::new(DIRECTORY).filter(|_| has_dig()) else { return };
    let (one, two) = (Upstream::new(machine.namespace.as_fd(), "127.0.0.1"), Upstream::new(machine.namespace.as_fd(), "127.0.0.2"));
    // Nobody listens at the first.
    let mut container = machine.container(&["127.0.0.9", "127.0.0.2"]);
    for way in ["+notcp", "+tcp"] {
        assert_eq!(short(&container, &[way, "hello.example"]), ["192.0.2.1"]);
    }
    assert_eq!((one.asked().len(), two.asked().len()), (0, 2));
    let settings = |servers: &[&str], internal| Settings { servers: servers.iter().map(|server| server.parse().unwrap()).collect(), internal };
    container.client.update(settings(&["127.0.0.1", "127.0.0.2"], false)).unwrap();
    for way in ["+notcp", "+tcp"] {
        says(&container.dig(&[way, "refused.example"]), &["status: REFUSED"]);
        assert_eq!((one.asked().len(), two.asked().len()), (1, 1));
        says(&container.dig(&[way, "deaf.example"]), &["status: SERVFAIL"]);
        assert_eq!((one.asked().len(), two.asked().len()), (1, 1));
    }
    container.client.update(settings(&["127.0.0.9"], false)).unwrap();
    says(&container.dig(&["hello.example"]), &["status: SERVFAIL"]);
    // No way leads there.
    container.client.update(settings(&["192.0.2.7"], false)).unwrap();
    says(&container.dig(&["hello.example"]), &["status: SERVFAIL"]);
    container.client.update(settings(&["127.0.0.1"], true)).unwrap();
    for way in ["+notcp", "+tcp"] {
        says(&container.dig(&[way, "hello.example"]), &["status: SERVFAIL"]);
        assert_eq!(short(&container, &[way, "web"]), ["10.1.0.2"]);
    }
    assert_eq!((one.asked(), two.asked()), (vec![], vec![]));
}

#[test]
fn a_resolver_that_answers_late_does_not_keep_others_waiting() {
    let Some(machine) = Machine::new(DIRECTORY) else { return };
    let _world = Upstream::new(machine.namespace.as_fd(), "127.0.0.1");
    let container = machine.container(&["127.0.0.1"]);
    let overtakes = || {
        let (waiting, mut bytes) = (container.socket(), [0; 512]);
        waiting.send(&super::question(9, "deaf.example.")).unwrap();
        assert_eq!(container.ask("hello.example.").0, ["192.0.2.1"]);
        waiting.set_nonblocking(true).unwrap();
        let waits = waiting.recv(&mut bytes).is_err();
        waiting.set_nonblocking(false).unwrap();
        if waits {
            let length = waiting.recv(&mut bytes).unwrap();
            assert_eq!((length > 12, bytes[1], bytes[3] & 0xf), (true, 9, 2));
        }
        waits
    };
    // A machine that stands still for seconds has both answers at once.
    assert!((0..5).any(|_| overtakes()), "the first question was waited for");
}

#[test]
fn a_directory_that_cannot_be_read_is_a_failure_for_now() {
    let Some(machine) = Machine::new(DIRECTORY).filter(|_| has_dig()) else { return };
    let world = Upstream::new(machine.namespace.as_fd(), "127.0.0.1");
    let container = machine.container(&["127.0.0.1"]);
    let file = machine.place.root.join("directory");
    std::fs::remove_file(&file).unwrap();
    for way in ["+notcp", "+tcp"] {
        says(&container.dig(&[way, "web"]), &["status: SERVFAIL"]);
        says(&container.dig(&[way, "-x", "10.1.0.2"]), &["status: SERVFAIL"]);
    }
    assert_eq!(world.asked(), [""; 0], "a name that may be ours went out");
    std::fs::write(&file, DIRECTORY).unwrap();
    assert_eq!(short(&container, &["web"]), ["10.1.0.2"]);
    // However often it fails, it is said once a minute.
    let words = std::fs::read_to_string(machine.place.names_errors()).unwrap();
    assert_eq!(words.lines().count(), 1, "{words}");
    says(&words, &["the directory cannot be read: No such file"]);
    std::fs::write(machine.place.names_errors(), "").unwrap();
}
