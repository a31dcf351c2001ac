//! A session and its container's past: what is observed while the process runs, and told to who asks.

use super::protocol::{self, MINUTES_KIND, SECONDS_KIND};
use super::session::{Session, say};
use crate::container::NetworkMode;
use crate::execdriver::Detail;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::io;
use std::time::Instant;

fn wall_clock() -> Timespec {
    clock_gettime(ClockId::Realtime)
}

impl Session<'_> {
    /// The process runs.
    pub(super) fn begin_past(&mut self) {
        if self.task.exec.is_none() {
            self.past.begin(Instant::now(), wall_clock());
        }
    }

    /// It has ended; whether the kernel had killed something in it for want of memory.
    pub(super) fn end_past(&mut self) -> bool {
        if self.task.exec.is_some() {
            return false;
        }
        let oom_kills = self.driver.oom_kills(&self.task.container.id).unwrap_or(0);
        let kills = self.past.end(oom_kills);
        self.tell_kills(kills);
        oom_kills > 0
    }

    /// Samples and looks, if it is time to; `alarmed` if the kernel called.
    pub(super) fn observe(&mut self, now: Instant, alarmed: bool) {
        if alarmed {
            self.past.alarmed(now);
        }
        if self.past.is_due(now) {
            if self.past.is_blind() {
                self.open_gauges();
            }
            // The time of the turn is not that of the sample: there was output to pass on.
            match self.past.sample(Instant::now(), wall_clock()) {
                Ok(kills) => self.tell_kills(kills),
                Err(error) => self.give_up_past(&error),
            }
        } else if self.past.is_to_look(now) {
            let kills = self.past.look(now);
            self.tell_kills(kills);
        }
    }

    /// Opens what a container is observed by, once it has lived for a moment: most that end at once are not worth it.
    fn open_gauges(&mut self) {
        let container = &self.task.container;
        let own_network = matches!(container.host_config.network_mode, NetworkMode::None | NetworkMode::Networks(_));
        let meter = self.driver.meter(&container.id, self.pid.filter(|_| own_network), Detail::Outline);
        let opened = meter.and_then(|meter| Ok((meter, self.driver.alarm(&container.id)?)));
        match opened {
            Ok((Some(meter), alarm)) => self.past.observe(meter, alarm),
            // It has just ended, of which the loop hears by itself.
            Ok((None, _)) => {}
            Err(error) => self.give_up_past(&error),
        }
    }

    fn give_up_past(&mut self, error: &io::Error) {
        self.past.give_up();
        say("what the container uses is not known any more", Err(error.to_string()));
    }

    fn tell_kills(&mut self, kills: u64) {
        if kills > 0 {
            let told = self.record.out_of_memory();
            say("cannot record that memory ran out", told);
            self.settle();
        }
    }

    /// Tells the client at `at` what is newer than `since`.
    pub(super) fn tell_past(&mut self, at: usize, since: Option<i64>) {
        let past = &self.past;
        self.clients[at].past(|out| {
            protocol::moments(SECONDS_KIND, past.seconds(since), out);
            protocol::moments(MINUTES_KIND, past.minutes(since), out);
            protocol::occurrences(past.occurrences(since), out);
        });
        if since.is_none() {
            // An hour is much, and asked for once.
            self.settle();
        }
    }
}
