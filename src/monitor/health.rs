//! When a container is asked whether it is well, and what the answers make of its health: pure, its clock is given.
//!
//! ```text
//!                         well
//!            ┌──────────────────────────┐
//!  start ──► starting ── well ──► healthy │◄─┐
//!                │                  │     │  │ well
//!                └─ retries ill in a row ─┴──┴─► unhealthy
//! ```
//!
//! Within the start period being ill does not count as long as it was never well; a start begins anew. Source: Docker's
//! daemon, whose first question comes one interval after the start, and each later one an interval after the last answer.

use crate::container::{Health, HealthCheck, HealthStatus, Probe};
use std::time::{Duration, Instant};

/// The health of one run of a container.
#[derive(Debug)]
pub struct Course {
    check: HealthCheck,
    health: Health,
    begun: Instant,
    due: Option<Instant>,
}

/// A time of a check, or what it usually is.
fn time(set: u64, usual: u64) -> Duration {
    Duration::from_nanos(if set == 0 { usual } else { set })
}

impl Course {
    /// A run begins now; of the one before there may be probes.
    pub fn new(check: HealthCheck, health: Health, now: Instant) -> Self {
        let mut course = Self { check, health, begun: now, due: None };
        course.await_next(now);
        course
    }

    /// When the next probe is to begin; `None` while one is under way, and while the container is paused.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What a probe may take.
    pub fn timeout(&self) -> Duration {
        time(self.check.timeout, HealthCheck::TIMEOUT)
    }

    /// What is known now.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// No probe is to begin until more is said: one is under way, or the container is paused.
    pub fn hold(&mut self) {
        self.due = None;
    }

    /// The next probe begins one interval from now.
    pub fn await_next(&mut self, now: Instant) {
        let interval = if self.health.status == HealthStatus::Starting && self.is_early(now) {
            time(self.check.start_interval, HealthCheck::START_INTERVAL)
        } else {
            time(self.check.interval, HealthCheck::INTERVAL)
        };
        self.due = Some(now + interval);
    }

    fn is_early(&self, moment: Instant) -> bool {
        moment.saturating_duration_since(self.begun) < Duration::from_nanos(self.check.start_period)
    }

    /// Takes an answer in that was asked for at `asked`; the new status if it is another now.
    pub fn take(&mut self, probe: Probe, asked: Instant, now: Instant) -> Option<HealthStatus> {
        let before = self.health.status;
        let well = probe.exit_code == 0;
        self.health.log.push(probe);
        let surplus = self.health.log.len().saturating_sub(Health::KEPT);
        self.health.log.drain(..surplus);
        if well {
            self.health.failing_streak = 0;
            self.health.status = HealthStatus::Healthy;
        } else if before != HealthStatus::Starting || !self.is_early(asked) {
            self.health.failing_streak = self.health.failing_streak.saturating_add(1);
            let most = if self.check.retries == 0 { HealthCheck::RETRIES } else { self.check.retries };
            if self.health.failing_streak >= most {
                self.health.status = HealthStatus::Unhealthy;
            }
        }
        self.await_next(now);
        Some(self.health.status).filter(|status| *status != before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HealthStatus::{Healthy, Starting, Unhealthy};

    const SECOND: u64 = 1_000_000_000;

    /// A course with a clock that stands until it is moved.
    struct Clock {
        course: Course,
        begun: Instant,
        now: Instant,
    }

    impl Clock {
        fn new(check: HealthCheck) -> Self {
            let now = Instant::now();
            Self { course: Course::new(check, Health::default(), now), begun: now, now }
        }

        /// Waits until a probe is due, which takes a second; when it was due, seconds after the start, and what it changed.
        fn probe(&mut self, exit_code: i32) -> (u64, Option<HealthStatus>) {
            let asked = self.course.due().unwrap();
            self.course.hold();
            assert_eq!(self.course.due(), None, "no probe overlaps another");
            self.now = asked + Duration::from_secs(1);
            let changed = self.course.take(Probe { exit_code, ..Probe::default() }, asked, self.now);
            ((asked - self.begun).as_secs(), changed)
        }

        fn streak(&self) -> u32 {
            self.course.health().failing_streak
        }
    }

    fn check(interval: u64, retries: u32, start_period: u64, start_interval: u64) -> HealthCheck {
        HealthCheck {
            interval: interval * SECOND,
            retries,
            start_period: start_period * SECOND,
            start_interval: start_interval * SECOND,
            ..HealthCheck::default()
        }
    }

    #[test]
    fn as_many_failures_in_a_row_as_told_make_it_unhealthy_and_one_success_well() {
        let mut clock = Clock::new(check(10, 2, 0, 0));
        assert_eq!(clock.course.health().status, Starting);
        assert_eq!(clock.probe(1), (10, None));
        assert_eq!(clock.probe(0), (21, Some(Healthy)));
        assert_eq!(clock.probe(1), (32, None));
        assert_eq!(clock.streak(), 1, "a success in between began it anew");
        assert_eq!(clock.probe(-1).1, Some(Unhealthy));
        assert_eq!(clock.probe(137).1, None);
        assert_eq!(clock.streak(), 3);
        assert_eq!(clock.probe(0).1, Some(Healthy));
        assert_eq!(clock.streak(), 0);
    }

    #[test]
    fn what_is_not_told_is_as_usual() {
        let mut clock = Clock::new(HealthCheck::default());
        assert_eq!(clock.course.timeout(), Duration::from_secs(30));
        assert_eq!([clock.probe(1), clock.probe(2), clock.probe(1)], [(30, None), (61, None), (92, Some(Unhealthy))]);
    }

    #[test]
    fn failures_within_the_start_period_do_not_count() {
        let mut clock = Clock::new(check(60, 1, 20, 4));
        assert_eq!([clock.probe(1), clock.probe(1), clock.probe(1)], [(4, None), (9, None), (14, None)]);
        assert_eq!(clock.streak(), 0);
        assert_eq!(clock.probe(1), (19, None), "it was asked for within the period");
        assert_eq!(clock.probe(1), (80, Some(Unhealthy)), "and then comes the usual interval");
    }

    #[test]
    fn a_success_ends_the_start_period() {
        let mut clock = Clock::new(check(10, 1, 100, 0));
        assert_eq!(clock.probe(1), (5, None));
        assert_eq!(clock.probe(0), (11, Some(Healthy)));
        assert_eq!(clock.probe(1), (22, Some(Unhealthy)), "from then on failures count");
    }

    #[test]
    fn a_pause_is_not_asked_into() {
        let mut clock = Clock::new(check(10, 1, 0, 0));
        clock.probe(0);
        clock.course.hold();
        assert_eq!(clock.course.due(), None);
        let thawed = clock.now + Duration::from_secs(1000);
        clock.course.await_next(thawed);
        assert_eq!(clock.course.due(), Some(thawed + Duration::from_secs(10)));
        assert_eq!(clock.course.health().status, Healthy);
    }

    #[test]
    fn the_last_probes_are_kept() {
        let mut clock = Clock::new(check(1, 0, 0, 0));
        for code in 0..20 {
            clock.probe(code);
        }
        assert_eq!(clock.course.health().log.iter().map(|probe| probe.exit_code).collect::<Vec<_>>(), [15, 16, 17, 18, 19]);
    }

    #[test]
    fn the_longest_times_are_survived() {
        let most = HealthCheck { interval: u64::MAX, timeout: u64::MAX, start_period: u64::MAX, start_interval: u64::MAX, ..HealthCheck::default() };
        let mut clock = Clock::new(most);
        clock.probe(1);
        assert!(clock.course.timeout() > Duration::from_secs(1 << 30));
    }
}
