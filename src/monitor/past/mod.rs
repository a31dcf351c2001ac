//! A container's past, kept by its monitor: a sample a second on the second, folded into minutes, and what happened.
//!
//! ```text
//!  start ──► first second: files are opened ──► each second: meter ─► rate ─► moment ─► seconds ─► minutes
//!    ▲                                             └─ alarm: counts of refusals ─► occurrences
//!    └──── restart by the policy ◄── end: files are closed; what is known stays
//! ```
//!
//! It is in memory alone, and ends with the monitor. Rates are of monotonic time; a moment carries the wall clock's time of
//! its end. In a time in which nothing was sampled (the machine slept, say) there are no moments.

mod kernel_log;
mod minute;
mod ring;
#[cfg(test)]
mod tests;

pub use kernel_log::KernelLog;

use crate::container::past::{Happening, MINUTES, Moment, OCCURRENCES, Occurrence, SECONDS};
use crate::execdriver::rate::{Rate, Sample};
use crate::execdriver::{Alarm, Meter, Refusals, Usage};
use kernel_log::Kill;
use minute::Minute;
use ring::Ring;
use rustix::event::PollFd;
use rustix::time::Timespec;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// A sample that comes so late says nothing of the second in which it is taken.
const TOO_LATE: Duration = Duration::from_secs(10);
/// The share of the scheduler's periods in which a container must be held back to be told as throttled.
const THROTTLED: f64 = 0.25;
/// What comes again within this time goes on, and did not happen anew.
const QUIET: Duration = Duration::from_secs(60);
/// How long the kernel may take from the alarm to the kill.
const KILL: Duration = Duration::from_millis(20);
/// So many kills are told one by one that were noticed at once.
const KILLS: u64 = 8;
/// The longest sentence that is kept, in bytes.
const SENTENCE: usize = 512;

/// What a monitor knows of its container's past.
#[derive(Debug)]
pub struct Chronicle {
    seconds: Ring,
    minutes: Ring,
    minute: Option<Minute>,
    occurrences: VecDeque<Occurrence>,
    log: KernelLog,
    run: Option<Run>,
    /// How the run before ended, if another is to follow.
    ended: Option<i32>,
    /// Kills that were found at its end, and how long it was.
    untold: (u64, Duration),
    throttled: Stretch,
    memory_high: Stretch,
    too_many: Stretch,
}

/// The container's process as it is observed.
struct Run {
    began: Instant,
    /// When the next sample is due; `None` if there will be none.
    due: Option<Instant>,
    gauges: Option<Gauges>,
    /// When to look whether the kernel has killed what its alarm was for.
    look: Option<Instant>,
    /// It was looked since the last sample: the alarm is not heard before the next.
    deaf: bool,
    counted: Refusals,
}

/// What a running container is observed by.
struct Gauges {
    meter: Box<dyn Meter>,
    alarm: Option<Box<dyn Alarm>>,
    /// The last sample, once there is one, and room for the next.
    last: Option<Sample>,
    next: Usage,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run(for {:?})", self.began.elapsed())
    }
}

/// Something that lasts and is told once, when it begins.
#[derive(Debug, Default)]
struct Stretch(Option<Instant>);

impl Stretch {
    /// Whether it begins, given whether it holds now.
    fn begins(&mut self, now: Instant, holds: bool) -> bool {
        if !holds {
            return false;
        }
        self.0.replace(now).is_none_or(|last| now.saturating_duration_since(last) > QUIET)
    }
}

/// The second of the wall clock that has just ended, and how long it is until the next ends.
fn second(time: Timespec) -> (i64, Duration) {
    // A wake-up may come a little early for the wall clock, which is being slewed.
    let ended = time.tv_sec + i64::from(time.tv_nsec >= 990_000_000);
    let left = (ended + 1 - time.tv_sec) * 1_000_000_000 - time.tv_nsec;
    (ended, Duration::from_nanos(left as u64))
}

impl Chronicle {
    /// Nothing has happened yet. The reader of the kernel's log is for the container.
    pub fn new(log: KernelLog) -> Self {
        Self {
            seconds: Ring::new(SECONDS),
            minutes: Ring::new(MINUTES),
            minute: None,
            occurrences: VecDeque::new(),
            log,
            run: None,
            ended: None,
            untold: (0, Duration::ZERO),
            throttled: Stretch::default(),
            memory_high: Stretch::default(),
            too_many: Stretch::default(),
        }
    }

    /// Something happened just now.
    pub fn note(&mut self, mut what: Happening) {
        if let Happening::Limits(sentence) = &mut what {
            sentence.truncate(sentence.floor_char_boundary(SENTENCE));
        }
        if self.occurrences.len() == OCCURRENCES {
            self.occurrences.pop_front();
        }
        self.occurrences.push_back(Occurrence { at: jiff::Timestamp::now(), what });
    }

    /// The process runs: what it uses is observed from now on. The wall clock's time tells when its second ends.
    pub fn begin(&mut self, now: Instant, clock: Timespec) {
        let what = self.ended.take().map_or(Happening::Started, Happening::Restarted);
        self.note(what);
        let due = now + second(clock).1;
        self.run = Some(Run { began: now, due: Some(due), gauges: None, look: None, deaf: false, counted: Refusals::default() });
    }

    /// It has ended, and the kernel had killed so many processes of it for want of memory; how many of them were not known yet.
    /// Nothing of it is held open any more, and its counters are gone with it.
    pub fn end(&mut self, oom_kills: u64) -> u64 {
        let Some(run) = self.run.take() else { return 0 };
        let kills = oom_kills.saturating_sub(run.counted.oom_kills.unwrap_or(0));
        self.untold = (kills, run.began.elapsed());
        kills
    }

    /// It has ended with this status and is to be started again: its past goes on.
    pub fn go_on(&mut self, status: i32) {
        self.ended = Some(status);
        let (kills, since) = std::mem::take(&mut self.untold);
        self.note_kills(kills, since);
    }

    /// When it next wants to be awake.
    pub fn deadline(&self) -> Option<Instant> {
        let run = self.run.as_ref()?;
        run.due.into_iter().chain(run.look).min()
    }

    /// Whether a sample is due.
    pub fn is_due(&self, now: Instant) -> bool {
        self.run.as_ref().is_some_and(|run| run.due.is_some_and(|due| due <= now))
    }

    /// The kernel's alarm, unless it was heard just now.
    pub fn alarm(&self) -> Option<PollFd<'_>> {
        let run = self.run.as_ref().filter(|run| run.look.is_none() && !run.deaf)?;
        run.gauges.as_ref()?.alarm.as_ref()?.wakes()
    }

    /// The alarm rang: whether somebody was killed is to be seen in a moment.
    pub fn alarmed(&mut self, now: Instant) {
        if let Some(run) = &mut self.run {
            run.look = Some(now + KILL);
        }
    }

    /// Whether it is time to look after an alarm.
    pub fn is_to_look(&self, now: Instant) -> bool {
        self.run.as_ref().is_some_and(|run| run.look.is_some_and(|look| look <= now))
    }

    /// Whether the files of the run are still to be opened.
    pub fn is_blind(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.gauges.is_none())
    }

    /// What to observe it by.
    pub fn observe(&mut self, meter: Box<dyn Meter>, alarm: Option<Box<dyn Alarm>>) {
        if let Some(run) = &mut self.run {
            run.gauges = Some(Gauges { meter, alarm, last: None, next: Usage::default() });
        }
    }

    /// It cannot be observed: nothing more is sampled in this run.
    pub fn give_up(&mut self) {
        if let Some(run) = &mut self.run {
            (run.due, run.gauges, run.look) = (None, None, None);
        }
    }

    /// Takes a sample; how many processes the kernel has killed meanwhile for want of memory.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn sample(&mut self, now: Instant, clock: Timespec) -> io::Result<u64> {
        let (at, left) = second(clock);
        let Some(run) = self.run.as_mut().filter(|run| run.due.is_some()) else { return Ok(0) };
        run.due = Some(now + left);
        run.deaf = false;
        let Some(gauges) = &mut run.gauges else { return Ok(0) };
        if self.seconds.last().is_some_and(|last| last.at == at) {
            // The clock was set back a little: the second is told already, and the next one's rates are of both.
            return Ok(self.look(now));
        }
        // It may just have ended, of which the loop hears by itself.
        if let Some((rate, high)) = gauges.read(now)? {
            if let Some(rate) = rate.filter(|rate| rate.over < TOO_LATE)
                && let Some(sample) = &gauges.last
            {
                let moment = moment(at, &rate, &sample.usage);
                self.remember(moment);
                if self.throttled.begins(now, rate.throttled.is_some_and(|share| share >= THROTTLED)) {
                    self.note(Happening::Throttled);
                }
            }
            if self.memory_high.begins(now, high) {
                self.note(Happening::MemoryHigh);
            }
        }
        Ok(self.look(now))
    }

    /// Looks at what was refused; how many processes the kernel has killed since the last look for want of memory.
    pub fn look(&mut self, now: Instant) -> u64 {
        let Some(run) = &mut self.run else { return 0 };
        if run.look.take_if(|look| *look <= now).is_some() {
            run.deaf = true;
        }
        let Some(gauges) = &mut run.gauges else { return 0 };
        let Some(Ok(Some(counted))) = gauges.alarm.as_mut().map(|alarm| alarm.read()) else {
            // Its cgroup is gone, or cannot be read: an alarm that rings for ever would keep us awake.
            gauges.alarm = None;
            return 0;
        };
        let before = std::mem::replace(&mut run.counted, counted);
        let more = |now: Option<u64>, before: Option<u64>| now.unwrap_or(0).saturating_sub(before.unwrap_or(0));
        let kills = more(counted.oom_kills, before.oom_kills);
        let began = run.began;
        if self.too_many.begins(now, more(counted.processes, before.processes) > 0) {
            self.note(Happening::TooManyProcesses);
        }
        self.note_kills(kills, now.saturating_duration_since(began));
        kills
    }

    fn note_kills(&mut self, kills: u64, since: Duration) {
        if kills == 0 {
            return;
        }
        let count = kills.min(KILLS) as usize;
        // Without the right to read it, nobody tells who it was.
        let mut told = self.log.kills(count, since).unwrap_or_default();
        // The kernel does not write down all of many.
        told.resize_with(told.len().max(1), Kill::default);
        for Kill { victim, cgroup } in told {
            self.note(Happening::OomKill { victim, cgroup });
        }
    }

    fn remember(&mut self, moment: Moment) {
        self.seconds.push(&moment);
        let minute = match self.minute.take() {
            Some(mut minute) if minute.holds(&moment) => {
                minute.add(moment);
                minute
            }
            other => {
                other.into_iter().for_each(|minute| self.minutes.push(&minute.close()));
                Minute::of(moment)
            }
        };
        if minute.ends_with(&moment) {
            self.minutes.push(&minute.close());
        } else {
            self.minute = Some(minute);
        }
    }

    /// The seconds after this time, oldest first.
    pub fn seconds(&self, since: Option<i64>) -> impl Iterator<Item = Moment> + '_ {
        self.seconds.after(self.known(since))
    }

    /// The minutes that ended after this time, oldest first.
    pub fn minutes(&self, since: Option<i64>) -> impl Iterator<Item = Moment> + '_ {
        self.minutes.after(self.known(since))
    }

    /// What happened in this second or later, oldest first.
    pub fn occurrences(&self, since: Option<i64>) -> impl Iterator<Item = &Occurrence> + '_ {
        let since = self.known(since);
        self.occurrences.iter().filter(move |occurrence| since.is_none_or(|since| occurrence.at.as_second() >= since))
    }

    /// Until when a reader knows all. One who knows more than there is knows it by another clock, and is told all anew.
    fn known(&self, since: Option<i64>) -> Option<i64> {
        since.filter(|since| self.seconds.last().is_some_and(|last| *since <= last.at))
    }
}

impl Gauges {
    /// Takes the next sample. What happened since the last one, if there is one, and whether memory came to a limit; `None` once
    /// the container has ended.
    fn read(&mut self, now: Instant) -> io::Result<Option<(Option<Rate>, bool)>> {
        if !self.meter.read(&mut self.next)? {
            return Ok(None);
        }
        let sample = Sample { at: now, usage: std::mem::take(&mut self.next) };
        let rate = self.last.as_ref().and_then(|last| sample.rate(last));
        let high = self.last.as_ref().is_some_and(|last| {
            let (now, before) = (&sample.usage.memory, &last.usage.memory);
            let more = |now: Option<u64>, before: Option<u64>| now.zip(before).is_some_and(|(now, before)| now > before);
            more(now.high, before.high) || more(now.failures, before.failures)
        });
        // The room of the one before is used again.
        self.next = self.last.replace(sample).map(|last| last.usage).unwrap_or_default();
        Ok(Some((rate, high)))
    }
}

/// The moment that ends now.
fn moment(at: i64, rate: &Rate, usage: &Usage) -> Moment {
    let real = |value: Option<f64>| value.map(|value| value as f32);
    Moment {
        at,
        cpu: real(rate.cpu),
        cpu_limit: usage.cpu.limit.map(|nanos| (nanos as f64 / 1e9) as f32),
        throttled: real(rate.throttled),
        memory: usage.memory.working_set,
        memory_limit: usage.memory.limit,
        processes: usage.processes.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        read: real(rate.read),
        written: real(rate.written),
        received: real(rate.received),
        sent: real(rate.sent),
        cpu_pressure: real(rate.cpu_pressure.some),
        memory_pressure: real(rate.memory_pressure.some),
        io_pressure: real(rate.io_pressure.some),
    }
}
