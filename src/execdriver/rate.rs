//! What happens in a container: the difference of two samples over the monotonic time between them.

use super::usage::{Stall, Throttling, Usage};
use std::time::{Duration, Instant};

/// One container's use at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, on the monotonic clock.
    pub at: Instant,
    /// What it used.
    pub usage: Usage,
}

/// What happened between two samples. What is not counted, or was counted from nought again, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Between them.
    pub over: Duration,
    /// Processors that were busy with it: 1.0 is one, all the time.
    pub cpu: Option<f64>,
    /// Share of the scheduler's periods in which it was held back, 0 to 1.
    pub throttled: Option<f64>,
    /// Bytes a second read from block devices.
    pub read: Option<f64>,
    /// Bytes a second written to block devices.
    pub written: Option<f64>,
    /// Operations a second that read from block devices.
    pub reads: Option<f64>,
    /// Operations a second that wrote to block devices.
    pub writes: Option<f64>,
    /// Bytes a second received, over all links but the loopback one.
    pub received: Option<f64>,
    /// Bytes a second sent, over all links but the loopback one.
    pub sent: Option<f64>,
    /// Waiting for a processor.
    pub cpu_pressure: Share,
    /// Waiting for memory.
    pub memory_pressure: Share,
    /// Waiting for block I/O.
    pub io_pressure: Share,
}

/// Shares of the time between two samples in which processes waited, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// In which at least one waited.
    pub some: Option<f64>,
    /// In which all did.
    pub full: Option<f64>,
}

impl Sample {
    /// What happened since `previous`, an earlier sample of the same container; `None` if no time has passed.
    pub fn rate(&self, previous: &Self) -> Option<Rate> {
        let over = self.at.checked_duration_since(previous.at).filter(|over| !over.is_zero())?;
        let (now, then, seconds) = (&self.usage, &previous.usage, over.as_secs_f64());
        // What went back was counted from nought again: nobody knows by how much.
        let difference = |now: Option<u64>, then: Option<u64>| now?.checked_sub(then?);
        let share = |now: Option<Stall>, then: Option<Stall>| {
            let of = |stalled: Option<u64>| stalled.map(|micros| (micros as f64 / 1e6 / seconds).min(1.0));
            Share {
                some: of(difference(now.map(|stall| stall.some), then.map(|stall| stall.some))),
                full: of(difference(now.and_then(|stall| stall.full), then.and_then(|stall| stall.full))),
            }
        };
        let a_second = |count: fn(&Usage) -> Option<u64>| difference(count(now), count(then)).map(|count| count as f64 / seconds);
        Some(Rate {
            over,
            cpu: difference(now.cpu.total, then.cpu.total).map(|nanos| nanos as f64 / over.as_nanos() as f64),
            throttled: throttled(now.cpu.throttling, then.cpu.throttling),
            read: a_second(|usage| usage.sum_devices(|device| device.read)),
            written: a_second(|usage| usage.sum_devices(|device| device.written)),
            reads: a_second(|usage| usage.sum_devices(|device| device.reads)),
            writes: a_second(|usage| usage.sum_devices(|device| device.writes)),
            received: a_second(|usage| usage.sum_links(|link| link.received.bytes)),
            sent: a_second(|usage| usage.sum_links(|link| link.sent.bytes)),
            cpu_pressure: share(now.pressure.cpu, then.pressure.cpu),
            memory_pressure: share(now.pressure.memory, then.pressure.memory),
            io_pressure: share(now.pressure.io, then.pressure.io),
        })
    }
}

/// The share of the periods in which a container was held back; nought if it did not want to run in any.
fn throttled(now: Option<Throttling>, then: Option<Throttling>) -> Option<f64> {
    let (now, then) = (now?, then?);
    let periods = now.periods.checked_sub(then.periods)?;
    let throttled = now.throttled.checked_sub(then.throttled)?;
    Some(if periods == 0 { 0.0 } else { throttled as f64 / periods as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execdriver::usage::Cpu;

    #[test]
    fn rates_are_of_monotonic_time() {
        let at = Instant::now();
        let sample = |seconds: u64, cpu: Option<u64>| Sample {
            at: at + Duration::from_secs(seconds),
            usage: Usage { cpu: Cpu { total: cpu, ..Cpu::default() }, ..Usage::default() },
        };
        let rate = sample(4, Some(3_000_000_000)).rate(&sample(2, Some(0))).unwrap();
        assert!(rate.cpu.is_some_and(|cpu| (cpu - 1.5).abs() < 1e-9) && rate.over == Duration::from_secs(2), "{rate:?}");
        assert_eq!(sample(4, Some(1)).rate(&sample(2, Some(7))).unwrap().cpu, None, "it started anew");
        assert_eq!(sample(4, Some(1)).rate(&sample(2, None)).unwrap().cpu, None, "not counted");
        assert_eq!(sample(2, Some(1)).rate(&sample(2, Some(1))), None);
        assert_eq!(sample(1, Some(1)).rate(&sample(2, Some(1))), None, "the wrong way round");
    }
}
