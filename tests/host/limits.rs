//! Limits that bite: what the kernel holds back or kills is seen in the figures, and nobody else feels it.

use crate::figures::Eyes;
use crate::store::{Store, in_guest, until};
use std::time::Duration;

#[test]
fn a_quota_is_seen_as_throttling() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "held", "--cpus", "0.1", &image, "sh", "-c", "while :; do :; done"]);
    store.ok(&["run", "-d", "--name", "free", &image, "sleep", "1000"]);
    let mut eyes = Eyes::on(&store);
    let first = eyes.see("held").unwrap();
    assert_eq!(first.usage.cpu.limit, Some(100_000_000));
    let throttled = |eyes: &mut Eyes| eyes.see("held").unwrap().rate(&first).is_some_and(|rate| rate.throttled.is_some_and(|share| share > 0.0));
    until("it is throttled", || throttled(&mut eyes));
    let mut last = first.clone();
    until("it has its tenth of a processor", || {
        last = eyes.see("held").unwrap();
        last.rate(&first).is_some_and(|rate| rate.over > Duration::from_secs(1) && rate.cpu.is_some_and(|cpu| cpu > 0.0 && cpu < 0.2))
    });
    let throttling = last.usage.cpu.throttling.unwrap();
    assert!(throttling.time > 0 && throttling.throttled > 0 && throttling.throttled <= throttling.periods, "{throttling:?}");
    // Whoever is held back waits for a processor, and says so where the kernel counts it.
    if let Some(stall) = last.usage.pressure.cpu {
        until("it is seen waiting", || eyes.see("held").unwrap().usage.pressure.cpu.unwrap().some > stall.some);
    }
    let free = eyes.see("free").unwrap().usage.cpu;
    assert_eq!((free.limit, free.throttling.map_or(0, |throttling| throttling.throttled)), (None, 0));
}

#[test]
fn a_kill_for_want_of_memory_is_counted() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let limits = ["-m", "32m"];
    let glutton = "dd if=/dev/zero of=/dev/null bs=200M count=1";
    let run = |options: &[&str], script: &str| store.kapal(&[&["run"], options, &limits, &[&image, "sh", "-c", script]].concat());
    // Its first process is killed.
    let done = run(&["--name", "killed"], &format!("exec {glutton}"));
    assert_eq!(done.status, 137, "{}", done.err);
    assert_eq!(store.field("killed", ".State.OOMKilled"), "true");
    // Another one is, and it goes on.
    let done = run(&["-d", "--name", "bitten"], &format!("{glutton}; echo bitten; exec sleep 1000"));
    assert_eq!(done.status, 0, "{}", done.err);
    until("it was bitten", || store.ok(&["logs", "bitten"]).ends_with("bitten"));
    let memory = Eyes::on(&store).see("bitten").unwrap().usage.memory;
    assert!(memory.oom_kills.is_some_and(|kills| kills >= 1) && memory.failures.is_some_and(|failures| failures >= 1), "{memory:?}");
    // Swap space is as much again, unless this kernel does not count it.
    assert_eq!((memory.limit, memory.swap_limit.unwrap_or(32 << 20)), (Some(32 << 20), 32 << 20));
    assert!(memory.peak.is_none_or(|peak| peak > 16 << 20 && peak <= 32 << 20), "{memory:?}");
    assert_eq!(store.field("bitten", ".State.Status"), "running");
}

#[test]
fn no_more_processes_than_allowed() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    // The shell that is refused ends; it is not the first process.
    let many = "(for n in $(seq 40); do sleep 1000 & done) 2>&1; exec sleep 1000";
    store.ok(&["run", "-d", "--name", "many", "--pids-limit", "10", &image, "sh", "-c", many]);
    until("the kernel refuses", || store.ok(&["logs", "many"]).contains("Resource temporarily unavailable"));
    let usage = Eyes::on(&store).see("many").unwrap().usage;
    assert_eq!(usage.processes_limit, Some(10));
    assert!(usage.processes.is_some_and(|processes| (2..=10).contains(&processes)), "{:?}", usage.processes);
}

#[test]
fn bombs_harm_nobody_else() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "bystander", &image, "sh", "-c", "n=0; while echo $n; do n=$((n + 1)); sleep 0.2; done"]);
    let most = if in_guest() { "20" } else { "200" };
    let caged = ["-m", "64m", "--memory-swap", "64m", "--pids-limit", most, "--cpus", "1"];
    let light = |name: &str, script: &str| store.ok(&[&["run", "-d", "--name", name], &caged[..], &[&image, "sh", "-c", script]].concat());
    light("forks", "bomb() { while :; do bomb & done; }; (bomb 2>/dev/null) & exec sleep 1000");
    light("memory", "while :; do dd if=/dev/zero of=/dev/null bs=500M count=1; done 2>/dev/null");
    let mut eyes = Eyes::on(&store);
    let limit: u64 = most.parse().unwrap();
    until("the forks are at their limit", || eyes.see("forks").is_some_and(|sample| sample.usage.processes.is_some_and(|processes| processes >= limit)));
    until("memory is fought for", || eyes.see("memory").is_some_and(|sample| sample.usage.memory.oom_kills.is_some_and(|kills| kills >= 2)));
    // Meanwhile all is as ever.
    let counted = || store.ok(&["logs", "--tail", "1", "bystander"]).parse::<u64>().unwrap_or(0);
    let before = counted();
    until("the bystander goes on", || counted() > before + 1);
    assert_eq!(store.ok(&["exec", "bystander", "echo", "here"]), "here");
    assert_eq!(store.ok(&["run", "--rm", &image, "echo", "new"]), "new");
    assert_eq!(store.ok(&["ps", "-q"]).lines().count(), 3);
    assert!(eyes.see("bystander").is_some_and(|sample| sample.usage.memory.oom_kills.unwrap_or(0) == 0));
    // Whoever starts one, ends it: at once, and whole.
    assert_eq!(store.ok(&["stop", "-t", "0", "forks", "memory"]), "forks\nmemory");
    assert_eq!(store.ok(&["rm", "forks", "memory"]), "forks\nmemory");
    assert_eq!(store.field("bystander", ".State.Status"), "running");
}
