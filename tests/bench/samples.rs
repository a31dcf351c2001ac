//! What it costs to see what containers use: processor time of the engine's sampler, and of all that looks after a store.
//!
//! ```text
//! samples once STORE RUN ROUNDS      one sample of all running containers, again and again
//! samples idle STORE RUN SECONDS     each second a sample; what that takes, and what the monitors take meanwhile
//! ```
//!
//! Time is what the scheduler says that tasks were on a processor (`/proc/PID/task/*/schedstat`), to the nanosecond.
#![allow(clippy::unwrap_used)]

use kapal::container::Place;
use kapal::engine::{Engine, Options, network};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// What this process took so far.
fn own() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What another process took so far; nought once it has ended.
fn taken(pid: i32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of = |text: String| text.split(' ').next()?.parse::<u64>().ok();
    Duration::from_nanos(tasks.filter_map(|task| of(std::fs::read_to_string(task.path().join("schedstat")).ok()?)).sum())
}

fn once(engine: &Engine, rounds: usize) {
    let containers = engine.containers().unwrap();
    let mut sampler = engine.sampler();
    let mut times: Vec<Duration> = Vec::new();
    let mut found = 0;
    for _ in 0..=rounds {
        let before = own();
        found = sampler.sample(&containers).unwrap().len();
        times.push(own().saturating_sub(before));
    }
    let first = times.remove(0);
    times.sort();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "  a sample of {found} containers               median {:7.2} ms   most {:7.2} ms   the first {:7.2} ms",
        millis(median),
        millis(most),
        millis(first)
    );
    let mut machine = engine.machine_sampler();
    let before = own();
    (0..rounds).for_each(|_| drop(machine.sample()));
    println!("  a sample of the whole machine             mean {:7.3} ms", millis(own().saturating_sub(before)) / rounds as f64);
}

fn idle(engine: &Engine, seconds: u64) {
    let containers = engine.containers().unwrap();
    let monitors: Vec<i32> = containers.iter().filter(|container| container.state.status.is_alive()).map(|container| container.state.monitor_pid).collect();
    let mut sampler = engine.sampler();
    sampler.sample(&containers).unwrap();
    let all = || monitors.iter().map(|pid| taken(*pid)).sum::<Duration>();
    let (began, own_before, before) = (Instant::now(), own(), all());
    let mut sampling = Duration::ZERO;
    for _ in 0..seconds {
        std::thread::sleep(Duration::from_secs(1));
        let start = own();
        sampler.sample(&engine.containers().unwrap()).unwrap();
        sampling += own().saturating_sub(start);
    }
    // What is read here of others is no part of it.
    let own_after = own();
    let (monitoring, over) = (all().saturating_sub(before), began.elapsed());
    let share = |time: Duration| time.as_secs_f64() / over.as_secs_f64() * 100.0;
    println!(
        "  an engine that looks each second          {:6.3} % of a processor, of that {:6.3} % the samples",
        share(own_after.saturating_sub(own_before)),
        share(sampling)
    );
    println!("  their {:3} monitors                         {:6.3} % of a processor", monitors.len(), share(monitoring));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, root, run_root, count] = &arguments[..] else {
        // Cargo runs it so when benchmarks are asked for: it only works as a part of tests/bench/run.
        eprintln!("samples: see the head of tests/bench/samples.rs; tests/bench/run calls it");
        std::process::exit(125);
    };
    let place = Place { root: root.into(), run_root: run_root.into() };
    let options = Options { place, storage_driver: None, insecure: Vec::new(), docker_config: "/nonexistent".into(), network: network::Settings::default() };
    let engine = Engine::open(options).unwrap();
    let count: u32 = count.parse().unwrap();
    match what.as_str() {
        "once" => once(&engine, count as usize),
        _ => idle(&engine, count.into()),
    }
}
