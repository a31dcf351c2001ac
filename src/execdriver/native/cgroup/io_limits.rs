//! Limits and weights of block I/O.
//!
//! ```text
//!                 v1                                v2
//!  weight         blkio.weight, blkio.bfq.weight    io.bfq.weight, io.weight (default N)
//!  of a disk      …_device: MAJOR:MINOR N           the same files: MAJOR:MINOR N
//!  rate of one    blkio.throttle.read_bps_device …  io.max: MAJOR:MINOR rbps=N
//! ```
//!
//! Source: the kernel's Documentation/admin-guide/cgroup-v1/blkio-controller.rst, cgroup-v2.rst and block/bfq-iosched.rst.

use super::limits::file;
use super::writer::Writer;
use super::{Cgroup, Cgroups};
use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};
use std::io;
use std::path::Path;

/// Applies weights and limits; 0 takes one away.
pub fn apply(writer: &mut Writer, cgroups: &Cgroups, cgroup: &Cgroup, io: &LinuxBlockIo) -> io::Result<()> {
    if let Some(weight) = io.weight()
        && let Some((v2, path)) = file(cgroups, cgroup, ["blkio", "io"], "block I/O", weight == 0)?
    {
        weigh(writer, v2, path, weight)?;
    }
    for device in io.weight_device().iter().flatten() {
        let weight = device.weight().unwrap_or(0);
        if let Some((v2, path)) = file(cgroups, cgroup, ["blkio", "io"], "block I/O", weight == 0)? {
            weigh_device(writer, v2, path, &format!("{}:{}", device.major(), device.minor()), weight)?;
        }
    }
    let kinds = [
        (io.throttle_read_bps_device(), "read_bps", "rbps"),
        (io.throttle_write_bps_device(), "write_bps", "wbps"),
        (io.throttle_read_iops_device(), "read_iops", "riops"),
        (io.throttle_write_iops_device(), "write_iops", "wiops"),
    ];
    for (devices, old, new) in kinds {
        for device in devices.iter().flatten() {
            if let Some((v2, path)) = file(cgroups, cgroup, ["blkio", "io"], "block I/O", device.rate() == 0)? {
                throttle(writer, v2, path, device, if v2 { new } else { old })?;
            }
        }
    }
    Ok(())
}

fn weightless(option: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("cannot weigh block I/O: this machine's I/O scheduler has no weights (bfq has); leave {option} out"))
}

/// 10 … 1000 onto 1 … 10000, as runc maps them.
fn scaled(weight: u16) -> u64 {
    1 + (u64::from(weight).clamp(10, 1000) - 10) * 9_999 / 990
}

fn weigh(writer: &mut Writer, v2: bool, path: &Path, weight: u16) -> io::Result<()> {
    // What the kernel begins with is bfq's 100, cfq's 500.
    let or = |usual: u16| if weight == 0 { usual } else { weight };
    let cost = if weight == 0 { 100 } else { scaled(weight) };
    let candidates: &[(&str, String)] = &if v2 {
        [("io.bfq.weight", or(100).to_string()), ("io.weight", cost.to_string())]
    } else {
        [("blkio.weight", or(500).to_string()), ("blkio.bfq.weight", or(100).to_string())]
    };
    let mut there = candidates.iter().filter(|(name, _)| path.join(name).exists()).peekable();
    if there.peek().is_none() && weight > 0 {
        return Err(weightless("--blkio-weight"));
    }
    // A scheduler may have come since a weight was set: what is taken away is taken away everywhere.
    for (name, value) in there.take(if weight == 0 { usize::MAX } else { 1 }) {
        if v2 { writer.set_line(&path.join(name), "default", value, value)? } else { writer.set(&path.join(name), value)? }
    }
    Ok(())
}

fn weigh_device(writer: &mut Writer, v2: bool, path: &Path, number: &str, weight: u16) -> io::Result<()> {
    let candidates: &[(&str, u64)] = if v2 {
        &[("io.bfq.weight", weight.into()), ("io.weight", scaled(weight))]
    } else {
        &[("blkio.weight_device", weight.into()), ("blkio.bfq.weight_device", weight.into())]
    };
    match candidates.iter().find(|(name, _)| path.join(name).exists()) {
        Some((name, value)) => writer.set_line(&path.join(name), number, &if weight == 0 { "default".to_owned() } else { value.to_string() }, "default"),
        None if weight == 0 => Ok(()),
        None => Err(weightless("--blkio-weight-device")),
    }
}

fn throttle(writer: &mut Writer, v2: bool, path: &Path, device: &LinuxThrottleDevice, key: &str) -> io::Result<()> {
    let (number, rate) = (format!("{}:{}", device.major(), device.minor()), device.rate());
    if v2 {
        let value = if rate == 0 { format!("{key}=max") } else { format!("{key}={rate}") };
        return writer.set_line(&path.join("io.max"), &number, &value, "rbps=max wbps=max riops=max wiops=max");
    }
    writer.set_line(&path.join(format!("blkio.throttle.{key}_device")), &number, &rate.to_string(), "0")
}

/// Whether weights of block I/O change anything: some disk has a scheduler that knows them, or the kernel weighs by cost.
pub fn heeds_io_weight(schedulers: impl IntoIterator<Item = String>, cost: Option<&str>) -> bool {
    let by_cost = cost.is_some_and(|disks| disks.contains("enable=1"));
    by_cost || schedulers.into_iter().any(|names| names.contains("[bfq]") || names.contains("[cfq]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_need_a_scheduler_that_knows_them() {
        let heeded = |schedulers: &[&str], cost| heeds_io_weight(schedulers.iter().map(ToString::to_string), cost);
        assert!(!heeded(&["[none] mq-deadline bfq", "none [mq-deadline] kyber bfq"], None));
        assert!(heeded(&["[none]", "none mq-deadline [bfq]"], None));
        assert!(heeded(&["[none]"], Some("8:0 enable=1 ctrl=auto")));
        assert!(!heeded(&[], Some("8:0 enable=0 ctrl=auto")));
    }
}
