//! Limits as the runtime specification has them, and what is to be written for one set of limits in place of another.
//!
//! What is left out stays as it is; -1 (memory, swap, quota, processes), an empty list (processors, nodes) or 0 (shares, weights,
//! rates) take a limit away, as runtimes' `update` has it.
//! Source: OCI runtime specification, config-linux.md.

use super::devices::device_rules;
use crate::container::{DeviceRate, DeviceWeight, HostConfig, Resources};
use oci_spec::runtime::LinuxResources;
use rustix::fs::FileType;
use serde_json::{Value, json};

/// The limits of a new container, and the rules about devices.
///
/// # Errors
/// A sentence that names what is no disk.
pub fn resources(host: &HostConfig) -> Result<Value, String> {
    let mut value = difference(&Resources::default(), &host.resources)?;
    value["devices"] = json!(device_rules(host));
    if host.resources.oom_kill_disable {
        value["memory"]["disableOOMKiller"] = json!(true);
    }
    Ok(value)
}

/// What makes `after` of `before`, for a container that runs.
///
/// # Errors
/// A sentence on what is no disk, or does not fit into the standard's document.
pub fn change(before: &Resources, after: &Resources) -> Result<LinuxResources, String> {
    serde_json::from_value(difference(before, after)?).map_err(|error| format!("the limits do not fit the runtime specification: {error}"))
}

fn difference(before: &Resources, after: &Resources) -> Result<Value, String> {
    let mut value = json!({});
    let mut put = |group: &str, key: &str, what: Value| value[group][key] = what;
    let both = |limits: &Resources| match (limits.memory, limits.memory_swap) {
        (_, Some(u64::MAX)) | (None, _) => json!(-1),
        (Some(_), Some(both)) => json!(both),
        (Some(bytes), None) => json!(bytes.saturating_mul(2)),
    };
    // v2 tells swap from both: whichever changes, the other is needed.
    if (before.memory, both(before)) != (after.memory, both(after)) {
        put("memory", "limit", after.memory.map_or(json!(-1), |bytes| json!(bytes)));
        put("memory", "swap", both(after));
    }
    if before.memory_reservation != after.memory_reservation {
        put("memory", "reservation", after.memory_reservation.map_or(json!(-1), |bytes| json!(bytes)));
    }
    if before.memory_swappiness != after.memory_swappiness {
        put("memory", "swappiness", json!(after.memory_swappiness.unwrap_or_else(inclination)));
    }
    if processor_time(before) != processor_time(after) {
        let (quota, period) = processor_time(after);
        put("cpu", "quota", json!(quota));
        put("cpu", "period", json!(period));
    }
    if before.cpu_shares != after.cpu_shares {
        put("cpu", "shares", json!(after.cpu_shares.unwrap_or(0)));
    }
    for (key, old, new) in [("cpus", &before.cpuset_cpus, &after.cpuset_cpus), ("mems", &before.cpuset_mems, &after.cpuset_mems)] {
        if old != new {
            put("cpu", key, json!(new.as_deref().unwrap_or_default()));
        }
    }
    if before.pids_limit != after.pids_limit {
        put("pids", "limit", after.pids_limit.map_or(json!(-1), |limit| json!(limit)));
    }
    if before.blkio_weight != after.blkio_weight {
        put("blockIO", "weight", json!(after.blkio_weight.unwrap_or(0)));
    }
    let weights =
        |limits: &Resources| limits.blkio_weight_device.iter().map(|one: &DeviceWeight| (one.path.clone(), u64::from(one.weight))).collect::<Vec<_>>();
    for (path, weight) in changed(&weights(before), &weights(after)) {
        if let Some((major, minor)) = disk("--blkio-weight-device", &path, weight == 0)? {
            push(&mut value, "weightDevice", json!({ "major": major, "minor": minor, "weight": weight }));
        }
    }
    let rates = |rates: &[DeviceRate]| rates.iter().map(|one| (one.path.clone(), one.rate)).collect::<Vec<_>>();
    for (option, key, old, new) in [
        ("--device-read-bps", "throttleReadBpsDevice", &before.blkio_device_read_bps, &after.blkio_device_read_bps),
        ("--device-write-bps", "throttleWriteBpsDevice", &before.blkio_device_write_bps, &after.blkio_device_write_bps),
        ("--device-read-iops", "throttleReadIOPSDevice", &before.blkio_device_read_iops, &after.blkio_device_read_iops),
        ("--device-write-iops", "throttleWriteIOPSDevice", &before.blkio_device_write_iops, &after.blkio_device_write_iops),
    ] {
        for (path, rate) in changed(&rates(old), &rates(new)) {
            if let Some((major, minor)) = disk(option, &path, rate == 0)? {
                push(&mut value, key, json!({ "major": major, "minor": minor, "rate": rate }));
            }
        }
    }
    Ok(value)
}

fn push(value: &mut Value, key: &str, one: Value) {
    match &mut value["blockIO"][key] {
        Value::Array(list) => list.push(one),
        none => *none = json!([one]),
    }
}

/// Quota (-1 for none) and period in microseconds.
fn processor_time(limits: &Resources) -> (i64, u64) {
    let period = limits.cpu_period.unwrap_or(100_000);
    let quota = match limits.nano_cpus {
        Some(nano) => i64::try_from((nano / 10_000).max(1_000)).unwrap_or(i64::MAX),
        None => limits.cpu_quota.unwrap_or(-1),
    };
    (quota, period)
}

/// How readily this machine swaps out, as whatever has no inclination of its own does.
fn inclination() -> u64 {
    std::fs::read_to_string("/proc/sys/vm/swappiness").ok().and_then(|text| text.trim().parse().ok()).unwrap_or(60)
}

/// What is new or other, and with nought what is gone.
fn changed(before: &[(String, u64)], after: &[(String, u64)]) -> Vec<(String, u64)> {
    let gone: Vec<_> = before.iter().filter(|(path, _)| after.iter().all(|(kept, _)| kept != path)).map(|(path, _)| (path.clone(), 0)).collect();
    let new = after.iter().filter(|one| !before.contains(one)).cloned();
    gone.into_iter().chain(new).collect()
}

/// A disk's number; `None` for one that is gone and is to be limited no longer.
fn disk(option: &str, path: &str, no_longer: bool) -> Result<Option<(u32, u32)>, String> {
    let stat = match rustix::fs::stat(path) {
        Ok(stat) => stat,
        Err(_) if no_longer => return Ok(None),
        Err(error) => return Err(format!("{option} {path}: {error}")),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::BlockDevice {
        return Err(format!("{option} {path}: this is no disk: expected a block device"));
    }
    let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let known = format!("/sys/dev/block/{}:{}", number.0, number.1);
    if std::path::Path::new(&known).join("partition").exists() {
        let whole = std::fs::canonicalize(known).ok().and_then(|path| Some(path.parent()?.file_name()?.to_string_lossy().into_owned()));
        return Err(format!("{option} {path}: this is a part of a disk, and only whole ones are limited: give /dev/{}", whole.as_deref().unwrap_or("DISK")));
    }
    Ok(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(before: &Resources, after: &Resources) -> Value {
        difference(before, after).unwrap()
    }

    #[test]
    fn half_a_processor_is_half_a_period() {
        let host = HostConfig { resources: Resources { nano_cpus: Some(500_000_000), memory: Some(1 << 20), ..Resources::default() }, ..HostConfig::default() };
        let value = resources(&host).unwrap();
        assert_eq!((value["cpu"]["quota"].as_i64(), value["cpu"]["period"].as_i64()), (Some(50_000), Some(100_000)));
        assert_eq!(value["memory"]["swap"].as_i64(), Some(2 << 20));
    }

    #[test]
    fn only_what_changed_is_told_and_what_goes_is_said() {
        let none = Resources::default();
        assert_eq!(value(&none, &none), json!({}));
        let some = Resources { memory: Some(64), pids_limit: Some(5), cpuset_cpus: Some("0".to_owned()), cpu_quota: Some(2000), ..Resources::default() };
        assert_eq!(value(&some, &some), json!({}));
        let gone = json!({ "memory": { "limit": -1, "swap": -1 }, "pids": { "limit": -1 }, "cpu": { "cpus": "", "quota": -1, "period": 100_000 } });
        assert_eq!(value(&some, &none), gone);
        assert!(change(&some, &none).unwrap().pids().is_some_and(|pids| pids.limit() == -1));
        let swapped = Resources { memory_swap: Some(u64::MAX), ..some.clone() };
        assert_eq!(value(&some, &swapped), json!({ "memory": { "limit": 64, "swap": -1 } }));
        let weighed = Resources { cpu_shares: Some(7), blkio_weight: Some(20), memory_reservation: Some(9), ..Resources::default() };
        assert_eq!(value(&weighed, &none), json!({ "cpu": { "shares": 0 }, "blockIO": { "weight": 0 }, "memory": { "reservation": -1 } }));
    }

    #[test]
    fn a_disk_is_a_block_device_and_a_whole_one() {
        assert!(disk("--device-read-bps", "/dev/null", false).unwrap_err().contains("--device-read-bps /dev/null"));
        assert!(disk("--device-read-bps", "/nowhere", false).is_err());
        assert_eq!(disk("--device-read-bps", "/nowhere", true), Ok(None), "what is gone needs no limit");
        let pair = |path: &str, rate| (path.to_owned(), rate);
        assert_eq!(changed(&[pair("a", 1), pair("b", 2), pair("c", 3)], &[pair("a", 1), pair("b", 5)]), [pair("c", 0), pair("b", 5)]);
    }
}
