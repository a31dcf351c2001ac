//! SIGKILL at any instant: what was done stays done, what was not is as if it had never begun.

use crate::registry::Registry;
use crate::store::{Store, in_guest, name_of, processes_of, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// At how many instants something is killed.
fn instants() -> u32 {
    if in_guest() { 10 } else { 50 }
}

/// Numbers that differ from run to run; the seed is printed, so that a failure can be seen again.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most.max(1)
    }
}

/// Starts the program and kills it, and its monitors too if told, after this time; true if it had ended by itself.
fn killed_after(store: &Store, arguments: &[&str], time: Duration, monitors: bool) -> bool {
    let mut engine = store.command(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The instant is what is being swept; nothing is waited for here.
    thread::sleep(time);
    let ended = engine.try_wait().unwrap().is_some();
    engine.kill().unwrap();
    engine.wait().unwrap();
    if monitors {
        for pid in processes_of(&store.base).into_iter().filter(|pid| name_of(*pid).starts_with("kapal")) {
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
        }
    }
    ended
}

#[test]
fn a_pull_may_end_anywhere() {
    let Some(store) = Store::new() else { return };
    let name = Registry::get().name("large:1");
    let began = Instant::now();
    store.ok(&["pull", "-q", &name]);
    let whole = began.elapsed();
    store.ok(&["rmi", &name]);
    let mut dice = Dice::new();
    let mut done = 0;
    for round in 0..instants() {
        let time = Duration::from_micros(dice.below(whole.as_micros() as u64 * 11 / 10));
        killed_after(&store, &["pull", "-q", &name], time, false);
        let check = store.kapal(&["system", "check"]);
        assert_eq!(check.status, 0, "round {round}, killed after {time:?}: {} {}", check.out, check.err);
        if !store.ok(&["images", "-q"]).is_empty() {
            done += 1;
            assert_eq!(store.ok(&["run", "--rm", &name, "cat", "/more/3/4"]), "3 4", "round {round}, killed after {time:?}");
            store.ok(&["rmi", &name]);
        }
    }
    println!("{done} of {} were done before they were killed", instants());
    store.ok(&["pull", "-q", &name]);
    assert_eq!(store.ok(&["run", "--rm", &name, "cat", "/data/20/50"]), "20 50");
}

fn runs_may_end_anywhere(monitors: bool) {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let began = Instant::now();
    store.ok(&["run", "--rm", &image, "true"]);
    let whole = began.elapsed();
    let mut dice = Dice::new();
    for round in 0..instants() {
        let time = Duration::from_micros(dice.below(whole.as_micros() as u64 * 12 / 10));
        let name = format!("n{round}");
        let mut arguments = vec!["run", "--name", &name];
        if round % 2 == 0 {
            arguments.push("--rm");
        }
        if round % 3 == 0 {
            arguments.push("-d");
        }
        arguments.extend(["-v", "/anonymous", &image, "sh", "-c", "echo x"]);
        killed_after(&store, &arguments, time, monitors);
        let check = store.kapal(&["system", "check"]);
        assert_eq!(check.status, 0, "round {round}, {arguments:?} killed after {time:?}: {} {}", check.out, check.err);
        assert_eq!(store.ok(&["run", "--rm", &image, "echo", "on"]), "on", "round {round}");
    }
    for name in store.ok(&["ps", "-a", "--format", "{{.Names}}"]).lines() {
        // The monitor of one that goes when it ends may be about to remove it.
        let status = store.kapal(&["inspect", "--format", "{{.State.Status}}", name]).out;
        assert!(["created", "running", "exited", "dead", "removing", ""].contains(&status.as_str()), "{name} is {status}");
        store.kapal(&["rm", "-f", "-v", name]);
    }
    until("all are removed", || store.ok(&["ps", "-aq"]).is_empty());
    assert_eq!(store.ok(&["volume", "ls", "-q"]), "", "anonymous volumes are left");
}

#[test]
fn an_engine_may_end_anywhere() {
    runs_may_end_anywhere(false);
}

#[test]
fn an_engine_and_its_monitors_may_end_anywhere() {
    runs_may_end_anywhere(true);
}

#[test]
fn a_container_dies_with_its_monitor_and_lives_without_its_engine() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let mut engine =
        store.command(&["run", "--name", "kept", &image, "sh", "-c", "echo on; exec sleep 1000"]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    until("it runs", || store.kapal(&["logs", "kept"]).out == "on");
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert_eq!(store.field("kept", ".State.Status"), "running");
    let (monitor, init) = (store.field("kept", ".State.MonitorPid"), store.field("kept", ".State.Pid"));
    kill(Pid::from_raw(monitor.parse().unwrap()), Signal::SIGKILL).unwrap();
    until("the container ended", || !std::path::Path::new(&format!("/proc/{init}/root/bin")).exists());
    assert_eq!(store.field("kept", ".State.Status"), "exited");
    store.ok(&["start", "kept"]);
    assert_eq!(store.field("kept", ".State.Status"), "running");
}
