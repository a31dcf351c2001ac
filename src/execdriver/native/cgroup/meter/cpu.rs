//! Processor time, the limit of it, and how often the limit was felt.

use crate::execdriver::Detail;
use crate::execdriver::counters::{Counters, Room, Shape, Unreadable, entries, number, text, tick, value, words};
use crate::execdriver::usage::{Cpu, Throttling};
use std::io;
use std::path::Path;

/// The open files. `None` is one that this machine does not have.
#[derive(Debug)]
pub struct Files {
    /// v1, `cpuacct.usage`; not opened beside the next one, whose sum it is.
    total: Option<Counters>,
    /// v1, `cpuacct.usage_percpu`.
    each: Option<Counters>,
    /// v1, `cpuacct.stat`: programs and kernel, in ticks.
    split: Option<Counters>,
    /// v1, `cpu.stat`: throttling alone.
    throttling: Option<Counters>,
    quota: Option<Counters>,
    period: Option<Counters>,
    /// v2, `cpu.stat`: times always, throttling with the controller.
    stat: Option<Counters>,
    max: Option<Counters>,
    tick: u64,
}

impl Files {
    /// `account` and `schedule` are the folders of v1's two controllers, `unified` is v2's, `controlled` if it has the controller.
    pub fn open(account: Option<&Path>, schedule: Option<&Path>, unified: Option<&Path>, controlled: bool, detail: Detail) -> io::Result<Self> {
        let open = |folder: Option<&Path>, name| folder.map_or(Ok(None), |folder| Counters::open(folder, name, Shape::Whole));
        let controller = unified.filter(|_| controlled);
        let times = if account.is_none() { unified } else { controller };
        let (whole, kinds) = if detail == Detail::Full { (None, account) } else { (account, None) };
        Ok(Self {
            total: open(whole, "cpuacct.usage")?,
            each: open(kinds, "cpuacct.usage_percpu")?,
            split: open(kinds, "cpuacct.stat")?,
            throttling: open(schedule, "cpu.stat")?,
            quota: open(schedule, "cpu.cfs_quota_us")?,
            period: open(schedule, "cpu.cfs_period_us")?,
            stat: open(times, "cpu.stat")?,
            max: open(controller, "cpu.max")?,
            tick: tick(),
        })
    }

    pub fn read(&self, room: &mut Room, cpu: &mut Cpu) -> Result<(), Unreadable> {
        let each = cpu.each.take();
        *cpu = Cpu::default();
        if let Some(text) = text(self.stat.as_ref(), room)? {
            unified(text, cpu);
        }
        if self.total.is_some() {
            cpu.total = value(self.total.as_ref(), room)?;
        }
        if let Some(text) = text(self.each.as_ref(), room)? {
            let mut each = each.unwrap_or_default();
            each.clear();
            each.extend(words(text).map_while(number));
            cpu.total = Some(each.iter().fold(0, |sum, time| sum.saturating_add(*time)));
            cpu.each = Some(each);
        }
        for (key, ticks) in text(self.split.as_ref(), room)?.into_iter().flat_map(entries) {
            let time = Some(ticks.saturating_mul(self.tick));
            match key {
                b"user" => cpu.user = time,
                b"system" => cpu.system = time,
                _ => {}
            }
        }
        if let Some(text) = text(self.throttling.as_ref(), room)? {
            cpu.throttling = throttling(text, "throttled_time", 1);
        }
        // -1 is no number, and no limit.
        if let Some(quota) = value(self.quota.as_ref(), room)?
            && let Some(period) = value(self.period.as_ref(), room)?
        {
            cpu.limit = share(quota, period);
        }
        if let Some(text) = text(self.max.as_ref(), room)? {
            let mut words = words(text).map(number);
            if let (Some(Some(quota)), Some(Some(period))) = (words.next(), words.next()) {
                cpu.limit = share(quota, period);
            }
        }
        Ok(())
    }
}

/// v2's `cpu.stat`.
fn unified(text: &[u8], cpu: &mut Cpu) {
    for (key, micros) in entries(text) {
        let time = Some(micros.saturating_mul(1000));
        match key {
            b"usage_usec" => cpu.total = time,
            b"user_usec" => cpu.user = time,
            b"system_usec" => cpu.system = time,
            _ => {}
        }
    }
    cpu.throttling = throttling(text, "throttled_usec", 1000);
}

/// `None` without the controller: then `cpu.stat` has no such lines.
fn throttling(text: &[u8], time: &str, nanoseconds: u64) -> Option<Throttling> {
    let (mut found, mut counted) = (Throttling::default(), false);
    for (key, count) in entries(text) {
        match key {
            b"nr_periods" => (found.periods, counted) = (count, true),
            b"nr_throttled" => found.throttled = count,
            key if key == time.as_bytes() => found.time = count.saturating_mul(nanoseconds),
            _ => {}
        }
    }
    counted.then_some(found)
}

/// Nanoseconds of processor time in a second.
fn share(quota: u64, period: u64) -> Option<u64> {
    u64::try_from(u128::from(quota) * 1_000_000_000 / u128::from(period).max(1)).ok()
}
