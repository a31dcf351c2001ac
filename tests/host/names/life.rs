//! How the process comes, goes and comes again.

use super::{Container, Machine, question};
use crate::store::until;
use kapal::networkdriver::names::{Client, Settings};
use kapal::sys::netlink::within;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

/// What a monitor does when the connection has something or a moment has come.
fn tend(machine: &Machine, container: &mut Container) {
    let _ = within(machine.namespace.as_fd(), || container.client.tend()).unwrap();
}

fn end(pid: u32) {
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
}

/// Whether nothing is open in a process any more: at most its status is left, for whoever started it.
fn is_dead(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn it_ends_with_the_last_container_and_comes_again_with_the_next() {
    let Some(machine) = Machine::new("* web 10.1.0.2\n") else { return };
    for _ in 0..2 {
        let first = machine.container(&[]);
        let second = machine.container(&[]);
        assert_eq!(first.ask("web.").0, ["10.1.0.2"]);
        let pids = machine.processes();
        assert_eq!(pids.len(), 1);
        drop(first);
        assert_eq!(second.ask("web.").0, ["10.1.0.2"]);
        // Longer than it lingers without any.
        thread::sleep(Duration::from_millis(1500));
        assert_eq!(second.ask("web.").0, ["10.1.0.2"]);
        assert_eq!(machine.processes(), pids);
        drop(second);
        until("it ends", || machine.processes().is_empty());
        assert!(!machine.place.names_socket().exists());
    }
}

#[test]
fn one_that_was_killed_is_followed_by_another_with_the_same_sockets() {
    let Some(machine) = Machine::new("* web 10.1.0.2\n") else { return };
    let mut containers = [machine.container(&[]), machine.container(&[])];
    let ports = containers.each_ref().map(|container| container.client.port());
    for round in 0..3 {
        assert_eq!(containers[1].ask("web.").0, ["10.1.0.2"]);
        let old = machine.processes();
        assert_eq!(old.len(), 1);
        end(old[0]);
        until("it is dead", || machine.processes().is_empty());
        // Asked while nobody is there to answer.
        let waiting = containers[0].socket();
        waiting.send(&question(round, "web.")).unwrap();
        for container in &mut containers {
            until("another is found", || {
                tend(&machine, container);
                container.client.fd().is_some()
            });
        }
        let mut bytes = [0; 512];
        waiting.recv(&mut bytes).unwrap();
        assert_eq!(bytes[1], round as u8);
        for container in &containers {
            assert_eq!(container.ask("web.").0, ["10.1.0.2"]);
        }
        assert_eq!(machine.processes().len(), 1);
        assert_eq!(containers.each_ref().map(|container| container.client.port()), ports);
    }
}

#[test]
fn it_has_nothing_of_the_monitor_that_started_it() {
    let Some(machine) = Machine::new("* web 10.1.0.2\n") else { return };
    let mut mask = nix::sys::signal::SigSet::empty();
    mask.add(Signal::SIGTERM);
    mask.thread_block().unwrap();
    let container = machine.container(&[]);
    mask.thread_unblock().unwrap();
    assert_eq!(container.ask("web.").0, ["10.1.0.2"]);
    let pid = machine.process();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
    assert_eq!(nix::unistd::getsid(Some(Pid::from_raw(pid as i32))).unwrap().as_raw(), pid as i32);
    let target = |fd: i32| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
    assert_eq!([target(0), target(1)], ["/dev/null", "/dev/null"].map(std::path::PathBuf::from));
    assert_eq!(target(2), machine.place.names_errors());
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    // Lock, door, epoll, connection, two sockets.
    assert_eq!(open, 9);
    kill(Pid::from_raw(pid as i32), Signal::SIGTERM).unwrap();
    until("it ends", || machine.processes().is_empty());
}

#[test]
fn one_that_dies_again_and_again_is_tried_less_and_less() {
    let Some(machine) = Machine::new("") else { return };
    let mut round = 0;
    let (mut found, mut container) = (Instant::now(), machine.container(&[]));
    while round < 5 {
        let pid = machine.process();
        end(pid);
        until("it is dead", || is_dead(pid));
        let lost = Instant::now();
        tend(&machine, &mut container);
        // When the next try is to be is told, however long this one took.
        let due = container.client.due();
        let waits = [due.map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now())), due.map_or(Duration::ZERO, |due| due - lost)];
        let wanted = Duration::from_millis([0, 50, 100, 200, 400][round]);
        if found.elapsed() >= Duration::from_secs(5) || round > 0 && lost.elapsed() >= wanted {
            // The machine stood still: the one before may count as healthy, or the wait was over within the call.
            (round, found, container) = (0, Instant::now(), machine.container(&[]));
            continue;
        }
        assert!(waits[0] <= wanted && wanted <= waits[1], "{round}: {waits:?}");
        assert_eq!(container.client.fd().is_some(), round == 0, "the first time another is found at once");
        until("another is found", || {
            found = Instant::now();
            tend(&machine, &mut container);
            container.client.fd().is_some()
        });
        round += 1;
    }
}

#[test]
fn a_start_takes_little_of_a_monitors_time() {
    let Some(machine) = Machine::new("") else { return };
    let mut times = Vec::new();
    let mut containers = Vec::new();
    for _ in 0..10 {
        let namespace = super::namespace(true);
        let id = kapal::id::ContainerId::random().unwrap();
        let began = Instant::now();
        let mut client = Client::open(namespace.as_fd(), machine.place.clone(), id, Settings::default()).unwrap();
        machine.register(&mut client);
        times.push(began.elapsed());
        containers.push(client);
    }
    times.sort();
    println!("{times:?}");
    // Half of them: any one may fall into a moment at which the machine stands still.
    assert!(times[times.len() / 2] < Duration::from_millis(500), "{times:?}");
}

#[test]
fn two_never_run_however_they_come_and_go() {
    let Some(machine) = Machine::new("* web 10.1.0.2\n") else { return };
    let machine = &machine;
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for at in 0..4u64 {
            threads.push(scope.spawn(move || {
                for round in 0..3 {
                    let mut container = machine.container(&[]);
                    let mut answered = false;
                    until("it is answered", || {
                        tend(machine, &mut container);
                        let socket = container.socket();
                        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
                        socket.send(&question(1, "web.")).unwrap();
                        answered = answered || socket.recv(&mut [0; 512]).is_ok();
                        answered
                    });
                    drop(container);
                    // Around the moment at which it ends.
                    thread::sleep(Duration::from_millis(970 + 10 * at + 7 * round));
                }
            }));
        }
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            let there = machine.processes();
            // One that has let the lock go may still be on its way out of the list.
            assert!(there.len() <= 2, "{there:?}");
            thread::sleep(Duration::from_millis(5));
        }
    });
}

#[test]
fn two_hundred_containers_are_told_apart() {
    let Some(machine) = Machine::new("") else { return };
    let began = Instant::now();
    let containers: Vec<Container> = (0..200).map(|_| machine.container(&[])).collect();
    println!("200 containers in {:?}", began.elapsed());
    let address = |at: usize| format!("10.2.{}.{}", at / 100, at % 100);
    let lines: Vec<String> = containers.iter().enumerate().map(|(at, container)| format!("{} me {}", container.id, address(at))).collect();
    std::fs::write(machine.place.root.join("directory"), lines.join("\n")).unwrap();
    for (at, container) in containers.iter().enumerate() {
        assert_eq!(container.ask("me.").0, [address(at)]);
    }
    let pids = machine.processes();
    assert_eq!(pids.len(), 1);
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", pids[0])).unwrap();
    println!("{}", rollup.lines().filter(|line| line.starts_with("Pss:") || line.starts_with("Private_Dirty:")).collect::<Vec<_>>().join(", "));
}
