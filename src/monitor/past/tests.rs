//! The chronicle of a container on a made-up kernel, whose clocks go as they are told.

use super::*;
use crate::execdriver::usage::{Cpu, Memory, Throttling};
use crate::id::ContainerId;
use std::sync::{Arc, Mutex};

/// A container as the kernel would count it.
#[derive(Clone, Debug, Default)]
struct Kernel(Arc<Mutex<(Usage, Refusals, bool)>>);

impl Meter for Kernel {
    fn read(&mut self, usage: &mut Usage) -> io::Result<bool> {
        let state = self.0.lock().unwrap();
        usage.clone_from(&state.0);
        Ok(!state.2)
    }
}

impl Alarm for Kernel {
    fn wakes(&self) -> Option<PollFd<'_>> {
        None
    }

    fn read(&mut self) -> io::Result<Option<Refusals>> {
        let state = self.0.lock().unwrap();
        Ok((!state.2).then_some(state.1))
    }
}

/// A chronicle with a machine around it, whose two clocks go as they are told.
struct Bench {
    chronicle: Chronicle,
    kernel: Kernel,
    now: Instant,
    wall: i64,
}

impl Bench {
    fn new(wall: i64) -> Self {
        let log = KernelLog::new("/kapal", &ContainerId::random().unwrap());
        let mut bench = Self { chronicle: Chronicle::new(log), kernel: Kernel::default(), now: Instant::now(), wall };
        bench.begin();
        bench
    }

    fn clock(&self) -> Timespec {
        Timespec { tv_sec: self.wall, tv_nsec: 1000 }
    }

    fn begin(&mut self) {
        self.chronicle.begin(self.now, self.clock());
        assert!(self.chronicle.is_blind());
        self.chronicle.observe(Box::new(self.kernel.clone()), Some(Box::new(self.kernel.clone())));
        self.sample();
    }

    fn sample(&mut self) -> u64 {
        self.chronicle.sample(self.now, self.clock()).unwrap()
    }

    /// A second in which the container uses something.
    fn second(&mut self, uses: impl FnOnce(&mut Usage, &mut Refusals)) -> u64 {
        self.now += Duration::from_secs(1);
        self.wall += 1;
        {
            let mut state = self.kernel.0.lock().unwrap();
            let (usage, refusals, _) = &mut *state;
            uses(usage, refusals);
        }
        self.sample()
    }

    fn happened(&self) -> Vec<Happening> {
        self.chronicle.occurrences(None).map(|occurrence| occurrence.what.clone()).collect()
    }

    fn times(&self, since: Option<i64>) -> Vec<i64> {
        self.chronicle.seconds(since).map(|moment| moment.at).collect()
    }
}

fn busy(usage: &mut Usage, _: &mut Refusals) {
    usage.cpu = Cpu { total: Some(usage.cpu.total.unwrap_or(0) + 500_000_000), limit: Some(1_500_000_000), ..usage.cpu.clone() };
    usage.memory.working_set = Some(1 << 20);
}

#[test]
fn each_second_is_a_moment_and_each_minute_a_mean() {
    let mut bench = Bench::new(6000);
    bench.second(busy);
    (0..150).for_each(|_| assert_eq!(bench.second(busy), 0));
    assert_eq!(bench.times(None), (6001..=6151).collect::<Vec<_>>());
    assert_eq!(bench.times(Some(6149)), [6150, 6151]);
    assert_eq!(bench.times(Some(6151)), [0; 0]);
    let last = bench.chronicle.seconds(Some(6150)).next().unwrap();
    assert_eq!((last.cpu, last.cpu_limit, last.memory, last.sent), (Some(0.5), Some(1.5), Some(1 << 20), None));
    let minutes: Vec<Moment> = bench.chronicle.minutes(None).collect();
    assert_eq!(minutes.iter().map(|minute| (minute.at, minute.cpu)).collect::<Vec<_>>(), [(6060, Some(0.5)), (6120, Some(0.5))]);
    assert_eq!(bench.chronicle.minutes(Some(6060)).count(), 1);
    assert_eq!(bench.chronicle.minutes(Some(6151)).count(), 0);
}

#[test]
fn the_next_sample_is_due_on_the_second() {
    let after = |tv_sec, tv_nsec| second(Timespec { tv_sec, tv_nsec });
    assert_eq!(after(10, 0), (10, Duration::from_secs(1)));
    assert_eq!(after(10, 400_000_000), (10, Duration::from_millis(600)));
    assert_eq!(after(10, 900_000_000), (10, Duration::from_millis(100)), "late");
    assert_eq!(after(9, 999_999_000), (10, Duration::from_micros(1_000_001)), "a little early");
}

#[test]
fn gaps_stay_gaps_and_clocks_are_set() {
    let mut bench = Bench::new(6000);
    (0..3).for_each(|_| {
        bench.second(busy);
    });
    bench.wall += 500;
    bench.second(busy);
    assert_eq!(bench.times(None), [6001, 6002, 6003, 6504], "it slept: the wall clock went on, the other did not");
    bench.now += Duration::from_secs(60);
    bench.wall += 60;
    bench.second(busy);
    bench.second(busy);
    assert_eq!(bench.times(Some(6504)), [6566], "nobody knows of the second in which it was stopped for a minute");
    bench.wall -= 1;
    bench.second(busy);
    assert_eq!(bench.times(Some(6504)), [6566], "the same second once more");
    assert_eq!(bench.chronicle.seconds(Some(6504)).next().unwrap().cpu, Some(0.5));
    bench.second(busy);
    assert_eq!(bench.chronicle.seconds(Some(6566)).next().unwrap().cpu, Some(0.5), "of both");
    bench.wall = 6001;
    bench.second(busy);
    assert_eq!(bench.times(None), [6001, 6002], "what lay ahead is not yet");
    assert_eq!(bench.times(Some(6567)), [6001, 6002], "who knew it is told all");
    assert_eq!(bench.chronicle.occurrences(Some(6567)).count(), 1);
}

#[test]
fn what_lasts_is_told_once() {
    let throttled = |share: u64| {
        move |usage: &mut Usage, _: &mut Refusals| {
            let before = usage.cpu.throttling.unwrap_or_default();
            usage.cpu.throttling = Some(Throttling { periods: before.periods + 10, throttled: before.throttled + share, time: 0 });
        }
    };
    let mut bench = Bench::new(6000);
    bench.second(throttled(0));
    (0..100).for_each(|_| {
        bench.second(throttled(2));
    });
    assert_eq!(bench.happened(), [Happening::Started], "a little is nothing");
    for _ in 0..100 {
        bench.second(throttled(9));
        bench.second(throttled(0));
    }
    assert_eq!(bench.happened(), [Happening::Started, Happening::Throttled]);
    (0..61).for_each(|_| {
        bench.second(throttled(0));
    });
    bench.second(throttled(10));
    assert_eq!(bench.happened()[2..], [Happening::Throttled]);
    let refused = |usage: &mut Usage, refusals: &mut Refusals| {
        usage.memory = Memory { failures: Some(usage.memory.failures.unwrap_or(0) + 5), ..Memory::default() };
        refusals.processes = Some(refusals.processes.unwrap_or(0) + 100);
    };
    (0..100).for_each(|_| {
        bench.second(refused);
    });
    assert_eq!(bench.happened()[3..], [Happening::TooManyProcesses, Happening::MemoryHigh]);
}

fn nobody() -> Happening {
    Happening::OomKill { victim: String::new(), cgroup: String::new() }
}

#[test]
fn a_kill_is_noticed_after_the_alarm_or_at_the_next_second_or_at_the_end() {
    let kills = |count: u64| move |_: &mut Usage, refusals: &mut Refusals| refusals.oom_kills = Some(count);
    let mut bench = Bench::new(6000);
    assert_eq!((bench.second(kills(0)), bench.second(kills(3)), bench.second(kills(3))), (0, 3, 0));
    assert_eq!(bench.happened(), [Happening::Started, nobody()], "nobody wrote down who");
    // The alarm rings before the kill; then not again before the next second.
    let alarm = bench.now + Duration::from_millis(100);
    bench.chronicle.alarmed(alarm);
    assert_eq!(bench.chronicle.deadline(), Some(alarm + KILL));
    assert!(!bench.chronicle.is_to_look(alarm) && bench.chronicle.is_to_look(alarm + KILL));
    bench.kernel.0.lock().unwrap().1.oom_kills = Some(4);
    assert_eq!(bench.chronicle.look(alarm + KILL), 1);
    assert_eq!(bench.chronicle.deadline(), Some(bench.now + Duration::from_micros(999_999)));
    assert_eq!(bench.second(kills(4)), 0);
    // Its cgroup goes; the last are told if it is started again.
    bench.kernel.0.lock().unwrap().2 = true;
    assert_eq!(bench.sample(), 0);
    assert_eq!(bench.chronicle.end(6), 2);
    assert_eq!((bench.chronicle.deadline(), bench.chronicle.end(6)), (None, 0));
    bench.chronicle.go_on(137);
    bench.kernel = Kernel::default();
    bench.begin();
    assert_eq!(bench.happened()[3..], [nobody(), Happening::Restarted(137)]);
    bench.second(busy);
    assert_eq!(bench.second(kills(1)), 1, "counted from nought again");
    assert_eq!(bench.times(None).len(), 5, "what was before the restart is known");
}

#[test]
fn the_list_of_what_happened_is_bounded() {
    let mut bench = Bench::new(6000);
    (0..1000).for_each(|number| bench.chronicle.note(Happening::Restarted(number)));
    bench.chronicle.note(Happening::Limits("é".repeat(9999)));
    let happened = bench.happened();
    assert_eq!((happened.len(), &happened[0]), (OCCURRENCES, &Happening::Restarted(745)));
    assert_eq!(happened[255], Happening::Limits("é".repeat(SENTENCE / 2)));
    let mut bytes = Vec::new();
    crate::monitor::protocol::occurrences(bench.chronicle.occurrences(None), &mut bytes);
    assert!(bytes.len() > 256 * 20);
}

#[test]
fn what_cannot_be_observed_is_let_be() {
    let mut bench = Bench::new(6000);
    bench.chronicle.give_up();
    assert_eq!((bench.second(busy), bench.chronicle.deadline(), bench.times(None)), (0, None, Vec::new()));
    assert_eq!(bench.chronicle.end(2), 2, "the end is told all the same");
}
