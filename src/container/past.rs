//! A container's past: what it used, second by second and minute by minute, and what happened to it.

use serde::{Deserialize, Serialize};

/// How many seconds are kept one by one.
pub const SECONDS: usize = 3600;
/// How many minutes are kept.
pub const MINUTES: usize = 24 * 60;
/// How many occurrences are kept.
pub const OCCURRENCES: usize = 256;

/// What a container used in one span of time, a second or a minute. What is not counted is `None`, never nought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When the span ended, seconds since 1970.
    pub at: i64,
    /// Processors that were busy with it.
    pub cpu: Option<f32>,
    /// Processors it may keep busy; `None` also without a limit.
    pub cpu_limit: Option<f32>,
    /// Share of the scheduler's periods in which it was held back, 0 to 1.
    pub throttled: Option<f32>,
    /// Bytes of memory it works with; the most within a minute.
    pub memory: Option<u64>,
    /// Bytes of memory it may have; `None` also without a limit.
    pub memory_limit: Option<u64>,
    /// Processes and threads; the most within a minute.
    pub processes: Option<u32>,
    /// Bytes a second read from block devices.
    pub read: Option<f32>,
    /// Bytes a second written to block devices.
    pub written: Option<f32>,
    /// Bytes a second received over its links but the loopback one.
    pub received: Option<f32>,
    /// Bytes a second sent over its links but the loopback one.
    pub sent: Option<f32>,
    /// Share of the time in which some of it waited for a processor, 0 to 1.
    pub cpu_pressure: Option<f32>,
    /// Share of the time in which some of it waited for memory, 0 to 1.
    pub memory_pressure: Option<f32>,
    /// Share of the time in which some of it waited for block I/O, 0 to 1.
    pub io_pressure: Option<f32>,
}

/// What happened to a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happening {
    /// Its process started.
    Started,
    /// Its process ended with this status and is started again.
    Restarted(i32),
    /// It wanted more processor time than it may have.
    Throttled,
    /// Its memory came to the limit at which the kernel begins to take it back (`memory.high`), or to the hard one.
    MemoryHigh,
    /// The kernel killed a process for want of memory.
    OomKill {
        /// The process, its name and number on this machine; empty where the kernel does not say. Foreign text.
        victim: String,
        /// The cgroup whose limit it was; empty where the kernel does not say.
        cgroup: String,
    },
    /// It was not given another process.
    TooManyProcesses,
    /// It turned out to be well.
    Healthy,
    /// It turned out to be unhealthy.
    Unhealthy,
    /// Its limits are other ones now: a sentence.
    Limits(String),
    /// It was frozen.
    Paused,
    /// It was thawed.
    Unpaused,
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// When; of what lasts, its beginning.
    pub at: jiff::Timestamp,
    /// What.
    pub what: Happening,
}

/// A container's past, or what is new of it; each list oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The last hour at most, second by second.
    pub seconds: Vec<Moment>,
    /// The last day at most, minute by minute.
    pub minutes: Vec<Moment>,
    /// What happened.
    pub occurrences: Vec<Occurrence>,
}

impl Past {
    /// When its last moment ended; with it, [`append`](Self::append) can be given what is new.
    pub fn last(&self) -> Option<i64> {
        self.seconds.last().map(|moment| moment.at)
    }

    /// Goes on with what is newer. What came before is not doubled; what lies ahead of the new was told by a clock that was
    /// set back since, and goes; and no list becomes longer than it may be.
    pub fn append(&mut self, newer: Self) {
        let moments = |known: &mut Vec<Moment>, new: Vec<Moment>, most: usize| {
            if let Some(first) = new.first() {
                known.truncate(known.partition_point(|moment| moment.at < first.at));
            }
            known.extend(new);
            known.drain(..known.len().saturating_sub(most));
        };
        moments(&mut self.seconds, newer.seconds, SECONDS);
        moments(&mut self.minutes, newer.minutes, MINUTES);
        for occurrence in newer.occurrences {
            if !self.occurrences.contains(&occurrence) {
                self.occurrences.push(occurrence);
            }
        }
        self.occurrences.drain(..self.occurrences.len().saturating_sub(OCCURRENCES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(times: std::ops::Range<i64>) -> Vec<Moment> {
        times.map(|at| Moment { at, ..Moment::default() }).collect()
    }

    fn paused(at: i64) -> Occurrence {
        Occurrence { at: jiff::Timestamp::from_second(at).unwrap(), what: Happening::Paused }
    }

    #[test]
    fn what_is_new_is_appended_once() {
        let mut past = Past { seconds: seconds(1..5), minutes: seconds(0..1), occurrences: vec![paused(1), paused(4)] };
        past.append(Past { seconds: seconds(5..7), minutes: Vec::new(), occurrences: vec![paused(4), paused(6)] });
        assert_eq!((past.seconds.clone(), past.last()), (seconds(1..7), Some(6)));
        assert_eq!(past.minutes, seconds(0..1));
        assert_eq!(past.occurrences, [paused(1), paused(4), paused(6)]);
        past.append(Past { seconds: seconds(3..5), ..Past::default() });
        assert_eq!(past.seconds, seconds(1..5), "the clock was set back");
        past.append(Past { seconds: seconds(5..5000), ..Past::default() });
        assert_eq!((past.seconds.len(), past.last()), (SECONDS, Some(4999)));
        past.append(Past::default());
        assert_eq!(past.last(), Some(4999));
    }
}
