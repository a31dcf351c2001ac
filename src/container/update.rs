//! A change of a container's limits and of its restart policy: what it makes of them, whether they fit each other, and what
//! is told of it.

use super::host_config::{DeviceRate, DeviceWeight, HostConfig, Resources};
use super::restart::RestartPolicy;
use serde::{Deserialize, Serialize};

/// The least memory a container may have, in bytes.
pub const LEAST_MEMORY: u64 = 6 << 20;

/// What is to change; `None` leaves as it is. Nought, or an empty text, takes a limit away.
///
/// A monitor that does not know all of its fields refuses it: half a change is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Update {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory kept under pressure.
    pub memory_reservation: Option<u64>,
    /// Bytes of memory and swap together; `u64::MAX` is without limit, nought is twice the memory again.
    pub memory_swap: Option<u64>,
    /// How readily it is swapped out; below nought is as this machine is.
    pub memory_swappiness: Option<i64>,
    /// Billionths of a processor.
    pub nano_cpus: Option<u64>,
    /// Microseconds of processor time in each period.
    pub cpu_quota: Option<u64>,
    /// Length of the period in microseconds.
    pub cpu_period: Option<u64>,
    /// Relative weight of processor time.
    pub cpu_shares: Option<u64>,
    /// Processors it may use.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes it may use.
    pub cpuset_mems: Option<String>,
    /// Most processes and threads.
    pub pids_limit: Option<u64>,
    /// Relative weight of block I/O.
    pub blkio_weight: Option<u16>,
    /// Weights on disks, each beside those of other disks.
    pub blkio_weight_device: Vec<DeviceWeight>,
    /// Limits on disks, likewise: bytes read in a second.
    pub blkio_device_read_bps: Vec<DeviceRate>,
    /// Bytes written in a second.
    pub blkio_device_write_bps: Vec<DeviceRate>,
    /// Operations in a second that read.
    pub blkio_device_read_iops: Vec<DeviceRate>,
    /// Operations in a second that write.
    pub blkio_device_write_iops: Vec<DeviceRate>,
    /// What happens when its process ends.
    pub restart_policy: Option<RestartPolicy>,
}

impl Update {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Lays the change over what a container has.
    ///
    /// # Errors
    /// A sentence on what does not fit; `host` is then as it was.
    pub fn apply(&self, host: &mut HostConfig) -> Result<(), String> {
        if host.auto_remove && self.restart_policy.is_some_and(|policy| policy != RestartPolicy::No) {
            return Err("--rm and --restart exclude each other: a removed container is not started again".to_owned());
        }
        let mut resources = host.resources.clone();
        self.apply_memory(&mut resources);
        self.apply_processors(&mut resources)?;
        put(&mut resources.pids_limit, self.pids_limit);
        put(&mut resources.blkio_weight, self.blkio_weight);
        for weight in &self.blkio_weight_device {
            resources.blkio_weight_device.retain(|known| known.path != weight.path);
            resources.blkio_weight_device.extend(Some(weight.clone()).filter(|weight| weight.weight > 0));
        }
        for (rates, changes) in [
            (&mut resources.blkio_device_read_bps, &self.blkio_device_read_bps),
            (&mut resources.blkio_device_write_bps, &self.blkio_device_write_bps),
            (&mut resources.blkio_device_read_iops, &self.blkio_device_read_iops),
            (&mut resources.blkio_device_write_iops, &self.blkio_device_write_iops),
        ] {
            for change in changes {
                rates.retain(|known| known.path != change.path);
                rates.extend(Some(change.clone()).filter(|rate| rate.rate > 0));
            }
        }
        check(&resources)?;
        host.resources = resources;
        host.restart_policy = self.restart_policy.unwrap_or(host.restart_policy);
        Ok(())
    }

    fn apply_memory(&self, resources: &mut Resources) {
        put(&mut resources.memory, self.memory);
        if resources.memory.is_none() && self.memory.is_some() {
            // What bounds both together means nothing without what bounds the one.
            resources.memory_swap = resources.memory_swap.filter(|swap| *swap == u64::MAX);
        }
        put(&mut resources.memory_swap, self.memory_swap);
        put(&mut resources.memory_reservation, self.memory_reservation);
        if let Some(swappiness) = self.memory_swappiness {
            resources.memory_swappiness = u64::try_from(swappiness).ok();
        }
    }

    /// Processor time is told as processors, or as a quota in a period: what was said last holds.
    fn apply_processors(&self, resources: &mut Resources) -> Result<(), String> {
        if self.nano_cpus.is_some() && (self.cpu_quota.is_some() || self.cpu_period.is_some()) {
            return Err("--cpus and --cpu-quota or --cpu-period exclude each other".to_owned());
        }
        if let Some(nano) = self.nano_cpus {
            (resources.nano_cpus, resources.cpu_quota, resources.cpu_period) = (Some(nano).filter(|nano| *nano > 0), None, None);
        }
        if let Some(quota) = self.cpu_quota {
            let quota = i64::try_from(quota).map_err(|_| format!("--cpu-quota {quota} is too large"))?;
            (resources.nano_cpus, resources.cpu_quota) = (None, Some(quota).filter(|quota| *quota > 0));
        }
        if let Some(period) = self.cpu_period {
            if let Some(nano) = resources.nano_cpus.take() {
                // As many processors as before, in periods of another length.
                let length = if period == 0 { 100_000 } else { period };
                resources.cpu_quota = i64::try_from(u128::from(nano) * u128::from(length) / 1_000_000_000).ok();
            }
            resources.cpu_period = Some(period).filter(|period| *period > 0);
        }
        put(&mut resources.cpu_shares, self.cpu_shares);
        for (list, change) in [(&mut resources.cpuset_cpus, &self.cpuset_cpus), (&mut resources.cpuset_mems, &self.cpuset_mems)] {
            if let Some(change) = change {
                *list = Some(change.clone()).filter(|list| !list.is_empty());
            }
        }
        Ok(())
    }
}

/// A limit in place of another one, nought for none.
fn put<T: Copy + Default + PartialEq>(limit: &mut Option<T>, change: Option<T>) {
    if let Some(change) = change {
        *limit = Some(change).filter(|change| *change != T::default());
    }
}

/// Whether limits are such as the kernel takes, and fit each other.
fn check(limits: &Resources) -> Result<(), String> {
    let within = |option: &str, value: Option<u64>, least: u64, most: u64, what: &str| match value {
        Some(value) if value < least && most == u64::MAX => Err(format!("{option} {value}: expected at least {least}{what}")),
        Some(value) if !(least..=most).contains(&value) => Err(format!("{option} {value}: expected {least} to {most}{what}")),
        _ => Ok(()),
    };
    match (limits.memory, limits.memory_swap) {
        (Some(memory), _) if memory < LEAST_MEMORY => return Err("the least memory a container may have is 6m".to_owned()),
        (None, Some(swap)) if swap != u64::MAX => return Err("--memory-swap needs --memory beside it".to_owned()),
        (Some(memory), Some(swap)) if swap < memory => {
            let (memory, swap) = (size(memory), size(swap));
            return Err(format!("--memory-swap is memory and swap together: it cannot be less than --memory ({swap} < {memory}); give both"));
        }
        _ => {}
    }
    if let (Some(memory), Some(kept)) = (limits.memory, limits.memory_reservation)
        && kept > memory
    {
        return Err(format!("--memory-reservation cannot be more than --memory ({} > {})", size(kept), size(memory)));
    }
    within("--memory-swappiness", limits.memory_swappiness, 0, 100, "")?;
    within("--cpu-quota", limits.cpu_quota.and_then(|quota| u64::try_from(quota).ok()), 1_000, u64::MAX, " microseconds")?;
    within("--cpu-period", limits.cpu_period, 1_000, 1_000_000, " microseconds")?;
    within("--cpu-shares", limits.cpu_shares, 2, 262_144, "")?;
    within("--blkio-weight", limits.blkio_weight.map(u64::from), 10, 1_000, "")?;
    limits.blkio_weight_device.iter().try_for_each(|one| within("--blkio-weight-device", Some(one.weight.into()), 10, 1_000, ""))
}

/// Bytes as people write them, four digits at most, in powers of 1024.
pub fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = (bytes.max(1).ilog2() / 10) as usize;
    let value = bytes as f64 / (1u64 << (10 * unit)) as f64;
    let text = format!("{value:.2}");
    format!("{}{}", text.trim_end_matches('0').trim_end_matches('.'), units[unit])
}

/// What is other in `after` than it was in `before`, as a sentence: `memory 64MiB → 128MiB, restart no → always`; empty if
/// nothing is.
pub fn told(before: &HostConfig, after: &HostConfig) -> String {
    let (mut parts, restart) = (Vec::new(), |host: &HostConfig| match host.restart_policy {
        RestartPolicy::OnFailure(most) if most > 0 => format!("on-failure:{most}"),
        policy => policy.name().to_owned(),
    });
    let lists = (listed(&before.resources), listed(&after.resources));
    for ((name, old), (_, new)) in lists.0.iter().zip(&lists.1).filter(|(old, new)| old != new) {
        let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "no limit".to_owned());
        parts.push(format!("{name} {} → {}", word(old), word(new)));
    }
    if before.restart_policy != after.restart_policy {
        parts.push(format!("restart {} → {}", restart(before), restart(after)));
    }
    parts.join(", ")
}

/// Every limit by its name, as people write it.
fn listed(limits: &Resources) -> Vec<(&'static str, Option<String>)> {
    fn number<T: ToString>(value: Option<T>) -> Option<String> {
        value.map(|value| value.to_string())
    }
    let rates = |rates: &[DeviceRate], bytes: bool| {
        let rate = |one: &DeviceRate| format!("{}:{}", one.path, if bytes { size(one.rate) } else { one.rate.to_string() });
        Some(rates.iter().map(rate).collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
    };
    let weights = limits.blkio_weight_device.iter().map(|one| format!("{}:{}", one.path, one.weight)).collect::<Vec<_>>().join(" ");
    vec![
        ("memory", limits.memory.map(size)),
        ("memory and swap", limits.memory_swap.map(|swap| if swap == u64::MAX { "endless".to_owned() } else { size(swap) })),
        ("memory reservation", limits.memory_reservation.map(size)),
        ("swappiness", number(limits.memory_swappiness)),
        ("cpus", limits.nano_cpus.map(|nano| (nano as f64 / 1e9).to_string())),
        ("cpu quota", number(limits.cpu_quota.filter(|quota| *quota > 0))),
        ("cpu period", number(limits.cpu_period)),
        ("cpu shares", number(limits.cpu_shares)),
        ("processors", limits.cpuset_cpus.clone()),
        ("memory nodes", limits.cpuset_mems.clone()),
        ("processes", number(limits.pids_limit)),
        ("I/O weight", number(limits.blkio_weight)),
        ("I/O weights", Some(weights).filter(|text| !text.is_empty())),
        ("bytes read", rates(&limits.blkio_device_read_bps, true)),
        ("bytes written", rates(&limits.blkio_device_write_bps, true)),
        ("reads", rates(&limits.blkio_device_read_iops, false)),
        ("writes", rates(&limits.blkio_device_write_iops, false)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn changed(host: &HostConfig, update: &Update) -> Result<HostConfig, String> {
        let mut after = host.clone();
        update.apply(&mut after).map(|()| after)
    }

    fn with(resources: Resources) -> HostConfig {
        HostConfig { resources, ..HostConfig::default() }
    }

    #[test]
    fn a_limit_comes_changes_and_goes() {
        let plain = HostConfig::default();
        let first = changed(&plain, &Update { memory: Some(64 * MIB), pids_limit: Some(20), ..Update::default() }).unwrap();
        assert_eq!((first.resources.memory, first.resources.pids_limit), (Some(64 * MIB), Some(20)));
        let second = changed(&first, &Update { memory: Some(128 * MIB), ..Update::default() }).unwrap();
        assert_eq!((second.resources.memory, second.resources.pids_limit), (Some(128 * MIB), Some(20)), "what is not named stays");
        assert_eq!(told(&first, &second), "memory 64MiB → 128MiB");
        let gone = changed(&second, &Update { memory: Some(0), pids_limit: Some(0), ..Update::default() }).unwrap();
        assert_eq!(gone, plain);
        assert_eq!(told(&first, &gone), "memory 64MiB → no limit, processes 20 → no limit");
        assert_eq!(told(&first, &first), "");
    }

    #[test]
    fn memory_and_swap_fit_each_other() {
        let host = with(Resources { memory: Some(64 * MIB), memory_swap: Some(96 * MIB), ..Resources::default() });
        let refused = changed(&host, &Update { memory: Some(128 * MIB), ..Update::default() }).unwrap_err();
        assert!(refused.contains("96MiB < 128MiB"), "{refused}");
        let both = Update { memory: Some(128 * MIB), memory_swap: Some(u64::MAX), ..Update::default() };
        assert_eq!(changed(&host, &both).unwrap().resources.memory_swap, Some(u64::MAX));
        assert_eq!(changed(&host, &Update { memory: Some(0), ..Update::default() }).unwrap().resources, Resources::default());
        assert!(changed(&host, &Update { memory: Some(MIB), ..Update::default() }).is_err());
        assert!(changed(&HostConfig::default(), &Update { memory_swap: Some(64 * MIB), ..Update::default() }).is_err());
        assert!(changed(&host, &Update { memory_reservation: Some(65 * MIB), ..Update::default() }).is_err());
    }

    #[test]
    fn processor_time_is_told_one_way() {
        let half = with(Resources { nano_cpus: Some(500_000_000), ..Resources::default() });
        let quota = changed(&half, &Update { cpu_quota: Some(20_000), ..Update::default() }).unwrap().resources;
        assert_eq!((quota.nano_cpus, quota.cpu_quota), (None, Some(20_000)));
        let shorter = changed(&half, &Update { cpu_period: Some(50_000), ..Update::default() }).unwrap().resources;
        assert_eq!((shorter.nano_cpus, shorter.cpu_quota, shorter.cpu_period), (None, Some(25_000), Some(50_000)));
        let whole = changed(&with(quota), &Update { nano_cpus: Some(1_000_000_000), ..Update::default() }).unwrap().resources;
        assert_eq!((whole.nano_cpus, whole.cpu_quota), (Some(1_000_000_000), None));
        assert!(changed(&half, &Update { cpu_quota: Some(999), ..Update::default() }).is_err());
        assert!(changed(&half, &Update { cpu_period: Some(2_000_000), ..Update::default() }).is_err());
        assert!(changed(&half, &Update { cpu_period: Some(1_000), ..Update::default() }).is_err(), "500 microseconds are too few");
    }

    #[test]
    fn disks_have_limits_of_their_own() {
        let rate = |path: &str, rate| DeviceRate { path: path.to_owned(), rate };
        let host = with(Resources { blkio_device_read_bps: vec![rate("/dev/a", 5), rate("/dev/b", 6)], ..Resources::default() });
        let update = Update { blkio_device_read_bps: vec![rate("/dev/b", 0), rate("/dev/a", 2 * MIB)], ..Update::default() };
        let after = changed(&host, &update).unwrap();
        assert_eq!(after.resources.blkio_device_read_bps, [rate("/dev/a", 2 * MIB)]);
        assert_eq!(told(&host, &after), "bytes read /dev/a:5B /dev/b:6B → /dev/a:2MiB");
    }

    #[test]
    fn what_is_removed_at_its_end_is_not_restarted() {
        let host = HostConfig { auto_remove: true, ..HostConfig::default() };
        let update = |policy| changed(&host, &Update { restart_policy: Some(policy), ..Update::default() });
        assert!(update(RestartPolicy::Always).is_err() && update(RestartPolicy::No).is_ok());
        let after = changed(&HostConfig::default(), &Update { restart_policy: Some(RestartPolicy::OnFailure(3)), ..Update::default() }).unwrap();
        assert_eq!(told(&HostConfig::default(), &after), "restart no → on-failure:3");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (64 * MIB, "64MiB"), (3 << 29, "1.5GiB"), (MIB + MIB / 3, "1.33MiB"), (u64::MAX, "16EiB")] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(serde_json::from_str::<Update>(r#"{"memory":1,"gravity":2}"#).is_err());
        assert_eq!(serde_json::from_str::<Update>(r#"{"memory":1}"#).unwrap(), Update { memory: Some(1), ..Update::default() });
    }
}
