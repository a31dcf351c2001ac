//! What running containers use.

use crate::allocations;
use crate::store::{Store, in_guest, until};
use kapal::engine::stats::{Detail, Rate, Sample};
use kapal::engine::{Memory, Usage};
use std::time::{Duration, Instant};

#[test]
fn use_is_counted_by_the_kernel_and_limits_are_told() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "busy", &image, "sh", "-c", "while :; do :; done"]);
    let script = "dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; echo ready; sleep 1000; true";
    store.ok(&["run", "-d", "--name", "holder", "-m", "64m", "--pids-limit", "20", &image, "sh", "-c", script]);
    until("it holds its memory", || store.kapal(&["logs", "holder"]).out == "ready");
    let engine = store.engine();
    let mut sampler = engine.sampler(Detail::Full);
    let containers = engine.containers().unwrap();
    let mut sample = |name: &str| -> Option<Sample> {
        let id = &containers.iter().find(|container| container.name == name).unwrap().id;
        sampler.sample(&engine.containers().unwrap()).unwrap();
        sampler.of(id).cloned()
    };
    let first = sample("busy").unwrap();
    // One thread, and as much of one processor as the machine lets it have.
    let uses = |rate: Rate, least: f64, most: f64| rate.over > Duration::from_secs(1) && rate.cpu.is_some_and(|cpu| cpu >= least && cpu < most);
    until("the busy one is seen to be busy", || sample("busy").unwrap().rate(&first).is_some_and(|rate| uses(rate, 0.02, 1.5)));
    // What it logs, it logs before it has a child.
    until("it waits", || sample("holder").unwrap().usage.processes == Some(2));
    let Usage { memory: Memory { working_set: memory, limit: memory_limit, .. }, processes, processes_limit, .. } = sample("holder").unwrap().usage;
    assert!(memory.is_some_and(|bytes| (20 << 20..40 << 20).contains(&bytes)), "{memory:?}");
    assert_eq!((memory_limit, processes, processes_limit), (Some(64 << 20), Some(2), Some(20)));
    assert_eq!(first.usage.memory.limit, None);
    let idle = sample("holder").unwrap();
    until("the other one is seen to be idle", || sample("holder").unwrap().rate(&idle).is_some_and(|rate| uses(rate, 0.0, 0.5)));
    // One that has ended is left out, also if whoever asks does not know yet; started again, it is counted anew.
    store.ok(&["stop", "-t", "0", "busy"]);
    assert_eq!(engine.sampler(Detail::Full).sample(&containers).unwrap(), 1);
    assert!(sample("busy").is_none());
    store.ok(&["start", "busy"]);
    assert!(sample("busy").unwrap().usage.cpu.total.is_some());
}

#[test]
fn rates_are_of_the_last_two_samples_and_a_sample_allocates_nothing() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    for name in ["one", "two"] {
        store.ok(&["run", "-d", "--name", name, &image, "sleep", "1000"]);
    }
    let engine = store.engine();
    for detail in [Detail::Full, Detail::Outline] {
        let mut sampler = engine.sampler(detail);
        let containers = engine.containers().unwrap();
        let id = &containers.iter().find(|container| container.name == "one").unwrap().id;
        assert!(sampler.of(id).is_none() && sampler.rate(id).is_none());
        assert_eq!(sampler.sample(&containers).unwrap(), 2);
        let first = sampler.of(id).unwrap().clone();
        assert!(sampler.rate(id).is_none(), "there is one sample");
        assert_eq!(sampler.sample(&containers).unwrap(), 2);
        assert_eq!(sampler.rate(id), sampler.of(id).unwrap().rate(&first));
        assert!(sampler.rate(id).is_some());
        let taken = allocations::of(|| assert_eq!(sampler.sample(&containers).unwrap(), 2));
        assert_eq!(taken, 0, "allocations of a sample");
        // Another life counts from nought.
        store.ok(&["restart", "-t", "0", "one"]);
        let containers = engine.containers().unwrap();
        assert_eq!(sampler.sample(&containers).unwrap(), 2);
        assert!(sampler.of(id).is_some() && sampler.rate(id).is_none());
        assert_eq!(sampler.sample(&[]).unwrap(), 0);
        assert!(sampler.of(id).is_none());
    }
}

#[test]
fn fifty_containers_are_sampled_at_once() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let many = if in_guest() { 5 } else { 50 };
    let script = (0..many).map(|n| format!("run -d --name c{n} {image} sleep 1000")).collect::<Vec<_>>().join("\n");
    assert_eq!(store.fed(script.as_bytes(), &["--batch", "-"]).status, 0);
    let engine = store.engine();
    let mut sampler = engine.sampler(Detail::Full);
    let (mut best, mut seen) = (Duration::MAX, Duration::MAX);
    for _ in 0..20 {
        let began = Instant::now();
        let snapshot = engine.snapshot().unwrap();
        seen = seen.min(began.elapsed());
        let began = Instant::now();
        let found = sampler.sample(&snapshot.containers).unwrap();
        best = best.min(began.elapsed());
        assert_eq!(found, many);
        for container in &snapshot.containers {
            let usage = &sampler.of(&container.id).unwrap().usage;
            assert!(usage.cpu.total.is_some() && usage.processes == Some(1), "{usage:?}");
        }
    }
    println!("{many} running containers: a sample in {best:?}, a snapshot in {seen:?}");
    let script = (0..many).map(|n| format!("rm -f c{n}")).collect::<Vec<_>>().join("\n");
    assert_eq!(store.fed(script.as_bytes(), &["--batch", "-"]).status, 0);
    assert_eq!(sampler.sample(&engine.containers().unwrap()).unwrap(), 0);
}
