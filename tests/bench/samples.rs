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
use kapal::engine::stats::{Detail, MachineSampler};
use kapal::engine::{Engine, Options, network};
use rustix::fs::{Mode, OFlags};
use rustix::time::{ClockId, clock_gettime};
use std::os::fd::{BorrowedFd, RawFd};
use std::path::PathBuf;
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

/// In so many stretches samples and the kernel's part of them are measured by turns.
const STRETCHES: usize = 10;

/// Milliseconds that `work` took, again and again: the median.
fn taken_by(rounds: usize, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let before = own();
            work();
            own().saturating_sub(before)
        })
        .collect();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// What the kernel alone takes to tell what a sampler asks it: the same files, read by the same calls, and nothing made of them.
fn floor(rounds: usize) -> f64 {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open: Vec<(RawFd, PathBuf)> =
        open.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, std::fs::read_link(entry.path()).ok()?))).collect();
    let files: Vec<RawFd> = open.iter().filter(|(_, path)| path.starts_with("/sys/fs/cgroup")).map(|(fd, _)| *fd).collect();
    let is_process = |path: &PathBuf| path.parent().is_some_and(|parent| parent == "/proc");
    let processes: Vec<RawFd> = open.iter().filter(|(_, path)| is_process(path)).map(|(fd, _)| *fd).collect();
    let mut room = [0; 4096];
    taken_by(rounds, || {
        for fd in &files {
            // SAFETY: the sampler holds them all open, and lives longer.
            rustix::io::pread(unsafe { BorrowedFd::borrow_raw(*fd) }, &mut room, 0).unwrap();
        }
        for fd in &processes {
            // SAFETY: as above.
            let folder = unsafe { BorrowedFd::borrow_raw(*fd) };
            let file = rustix::fs::openat(folder, "net/dev", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
            rustix::io::pread(&file, &mut room, 0).unwrap();
        }
    })
}

fn once(engine: &Engine, rounds: usize) {
    let containers = engine.containers().unwrap();
    for (detail, name) in [(Detail::Full, "everything"), (Detail::Outline, "an outline")] {
        let mut sampler = engine.sampler(detail);
        let before = own();
        let found = sampler.sample(&containers).unwrap();
        let first = own().saturating_sub(before).as_secs_f64() * 1000.0;
        // By turns, as the machine is a slower or a quicker one from moment to moment.
        let mut stretches: Vec<[f64; 2]> = Vec::new();
        for _ in 0..STRETCHES {
            let sample = taken_by(rounds.div_ceil(STRETCHES), || assert_eq!(sampler.sample(&containers).unwrap(), found));
            stretches.push([sample, floor(rounds.div_ceil(STRETCHES))]);
        }
        stretches.sort_by(|one, other| one[0].total_cmp(&other[0]));
        let [quickest, slowest] = [stretches[0], stretches[STRETCHES - 1]];
        println!(
            "  {name} of {found} containers        {:6.2} to {:6.2} ms, {:.2} to {:.2} of the kernel's own part   (the first time {first:.2} ms)",
            quickest[0],
            slowest[0],
            quickest[0] / quickest[1],
            slowest[0] / slowest[1]
        );
    }
    let mut machine = MachineSampler::open();
    println!("  everything of the machine                {:7.3} ms", taken_by(rounds, || drop(machine.sample())));
}

fn idle(engine: &Engine, seconds: u64) {
    let containers = engine.containers().unwrap();
    let monitors: Vec<i32> = containers.iter().filter(|container| container.state.status.is_alive()).map(|container| container.state.monitor_pid).collect();
    let mut sampler = engine.sampler(Detail::Outline);
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
