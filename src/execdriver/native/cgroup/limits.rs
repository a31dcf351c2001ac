//! Limits written into cgroup files; a limit that this machine cannot carry is an error, never ignored.
//!
//! Source: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.

use super::{Cgroup, Cgroups, named};
use crate::sys::bpf;
use oci_spec::runtime::{LinuxCpu, LinuxDeviceCgroup, LinuxDeviceType, LinuxMemory, LinuxResources};
use std::io;
use std::path::Path;

/// Applies all limits of the specification.
pub fn apply(cgroups: &Cgroups, cgroup: &Cgroup, resources: &LinuxResources) -> io::Result<()> {
    if let Some(memory) = resources.memory() {
        limit_memory(cgroups, cgroup, memory)?;
    }
    if let Some(cpu) = resources.cpu() {
        limit_cpu(cgroups, cgroup, cpu)?;
    }
    if let Some(pids) = resources.pids() {
        let file = file(cgroups, cgroup, "pids", "pids", "processes (--pids-limit)")?;
        write(&file.1.join("pids.max"), &pids.limit().to_string())?;
    }
    if let Some(weight) = resources.block_io().as_ref().and_then(oci_spec::runtime::LinuxBlockIo::weight) {
        limit_io(cgroups, cgroup, weight)?;
    }
    if let Some(devices) = resources.devices() {
        limit_devices(cgroup, devices)?;
    }
    Ok(())
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    std::fs::write(path, value).map_err(|error| io::Error::new(error.kind(), format!("cannot write {value} to {}: {error}", path.display())))
}

/// The folder whose files set a limit, and whether it is a v2 one.
fn file<'a>(cgroups: &Cgroups, cgroup: &'a Cgroup, old: &str, new: &str, what: &str) -> io::Result<(bool, &'a Path)> {
    if let Some(path) = cgroup.v1_of(old) {
        return Ok((false, path));
    }
    match &cgroup.unified_path {
        Some(path) if cgroups.v2_controllers.iter().any(|c| c == new) => Ok((true, path)),
        _ => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("cannot limit {what}: this machine's cgroups have no {new} controller; leave the limit out, or enable the controller"),
        )),
    }
}

fn limit_memory(cgroups: &Cgroups, cgroup: &Cgroup, memory: &LinuxMemory) -> io::Result<()> {
    let (v2, path) = file(cgroups, cgroup, "memory", "memory", "memory")?;
    let max = |bytes: i64| if bytes < 0 { "max".to_owned() } else { bytes.to_string() };
    if let Some(bytes) = memory.limit() {
        write(&path.join(if v2 { "memory.max" } else { "memory.limit_in_bytes" }), &bytes.to_string())?;
    }
    if let Some(both) = memory.swap() {
        // v1 counts memory and swap together, v2 swap alone. A kernel without swap accounting has no such file: then
        // there is nothing to limit, and memory alone bounds the container.
        let (name, value) = if v2 {
            let swap = if both < 0 { both } else { (both - memory.limit().unwrap_or(0)).max(0) };
            ("memory.swap.max", max(swap))
        } else {
            ("memory.memsw.limit_in_bytes", both.to_string())
        };
        let file = path.join(name);
        if file.exists() {
            write(&file, &value)?;
        }
    }
    if let Some(bytes) = memory.reservation() {
        write(&path.join(if v2 { "memory.low" } else { "memory.soft_limit_in_bytes" }), &bytes.to_string())?;
    }
    if memory.disable_oom_killer() == Some(true) {
        if v2 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "--oom-kill-disable is of cgroup v1, this machine has v2: leave it out"));
        }
        write(&path.join("memory.oom_control"), "1")?;
    }
    Ok(())
}

fn limit_cpu(cgroups: &Cgroups, cgroup: &Cgroup, cpu: &LinuxCpu) -> io::Result<()> {
    if cpu.quota().is_some() || cpu.period().is_some() {
        let (v2, path) = file(cgroups, cgroup, "cpu", "cpu", "processor time")?;
        if v2 {
            let quota = cpu.quota().filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
            write(&path.join("cpu.max"), &format!("{quota} {}", cpu.period().unwrap_or(100_000)))?;
        } else {
            if let Some(period) = cpu.period() {
                write(&path.join("cpu.cfs_period_us"), &period.to_string())?;
            }
            if let Some(quota) = cpu.quota() {
                write(&path.join("cpu.cfs_quota_us"), &quota.to_string())?;
            }
        }
    }
    if let Some(shares) = cpu.shares() {
        let (v2, path) = file(cgroups, cgroup, "cpu", "cpu", "processor shares")?;
        if v2 {
            // 2 … 262144 onto 1 … 10000, as runc maps them.
            let weight = 1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142;
            write(&path.join("cpu.weight"), &weight.to_string())?;
        } else {
            write(&path.join("cpu.shares"), &shares.to_string())?;
        }
    }
    for (name, list) in [("cpuset.cpus", cpu.cpus()), ("cpuset.mems", cpu.mems())] {
        if let Some(list) = list {
            let (_, path) = file(cgroups, cgroup, "cpuset", "cpuset", "the set of processors")?;
            write(&path.join(name), list)?;
        }
    }
    Ok(())
}

fn limit_io(cgroups: &Cgroups, cgroup: &Cgroup, weight: u16) -> io::Result<()> {
    let (v2, path) = file(cgroups, cgroup, "blkio", "io", "block I/O")?;
    let candidates: &[(&str, String)] = &if v2 {
        let scaled = 1 + (u64::from(weight).clamp(10, 1000) - 10) * 9_999 / 990;
        [("io.bfq.weight", weight.to_string()), ("io.weight", format!("default {scaled}"))]
    } else {
        [("blkio.weight", weight.to_string()), ("blkio.bfq.weight", weight.to_string())]
    };
    match candidates.iter().find(|(name, _)| path.join(name).exists()) {
        Some((name, value)) => write(&path.join(name), value),
        None => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "cannot weigh block I/O: this machine's I/O scheduler has no weights (bfq has); leave --blkio-weight out",
        )),
    }
}

/// Whether weights of block I/O change anything: some disk has a scheduler that knows them, or the kernel weighs by cost.
pub fn heeds_io_weight(schedulers: impl IntoIterator<Item = String>, cost: Option<&str>) -> bool {
    let by_cost = cost.is_some_and(|disks| disks.contains("enable=1"));
    by_cost || schedulers.into_iter().any(|names| names.contains("[bfq]") || names.contains("[cfq]"))
}

fn limit_devices(cgroup: &Cgroup, rules: &[LinuxDeviceCgroup]) -> io::Result<()> {
    if let Some(path) = cgroup.v1_of("devices") {
        for rule in rules {
            let name = if rule.allow() { "devices.allow" } else { "devices.deny" };
            write(&path.join(name), &old_rule(rule))?;
        }
        return Ok(());
    }
    // The specification's last fitting rule decides, the program's first one.
    let program: Vec<bpf::Rule> = rules.iter().rev().map(new_rule).collect();
    match &cgroup.unified {
        Some(fd) => bpf::allow_devices(std::os::fd::AsFd::as_fd(fd), &program)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot restrict devices: {error}"))),
        None => Ok(()),
    }
}

fn old_rule(rule: &LinuxDeviceCgroup) -> String {
    let number = |number: Option<i64>| number.map_or("*".to_owned(), |n| n.to_string());
    let kind = match rule.typ() {
        Some(LinuxDeviceType::B) => "b",
        Some(LinuxDeviceType::C) => "c",
        _ => "a",
    };
    format!("{kind} {}:{} {}", number(rule.major()), number(rule.minor()), rule.access().as_deref().unwrap_or("rwm"))
}

fn new_rule(rule: &LinuxDeviceCgroup) -> bpf::Rule {
    let kind = match rule.typ() {
        Some(LinuxDeviceType::B) => Some(b'b'),
        Some(LinuxDeviceType::C) => Some(b'c'),
        _ => None,
    };
    let access = rule.access().as_deref().unwrap_or("rwm").bytes().fold(0, |access, letter| {
        access
            | match letter {
                b'm' => 1,
                b'r' => 2,
                b'w' => 4,
                _ => 0,
            }
    });
    let number = |number: Option<i64>| number.and_then(|n| u32::try_from(n).ok());
    bpf::Rule { allow: rule.allow(), kind, major: number(rule.major()), minor: number(rule.minor()), access }
}

/// A new v1 cpuset is empty and takes no process: each level gets what its parent has.
pub fn inherit_cpuset(mount: &Path, parent: &Path, path: &Path) -> io::Result<()> {
    let mut above = mount.to_owned();
    let levels = parent.components().map(|part| part.as_os_str().to_owned()).chain(path.file_name().map(ToOwned::to_owned));
    for level in levels {
        let below = above.join(level);
        for name in ["cpuset.cpus", "cpuset.mems"] {
            let file = below.join(name);
            let own = std::fs::read_to_string(&file).map_err(|e| named(&file, &e))?;
            if own.trim().is_empty() {
                let from = above.join(name);
                let value = std::fs::read_to_string(&from).map_err(|e| named(&from, &e))?;
                write(&file, value.trim())?;
            }
        }
        above = below;
    }
    Ok(())
}

/// Hands the controllers down to the container's level of the v2 tree. One that cannot be is missing below, and a
/// limit that needs it says so.
pub fn delegate(mount: &Path, parent: &Path, controllers: &[String]) {
    let mut level = mount.to_owned();
    let mut levels = vec![level.clone()];
    for part in parent.components() {
        level = level.join(part);
        levels.push(level.clone());
    }
    for level in levels {
        let file = level.join("cgroup.subtree_control");
        let enabled = std::fs::read_to_string(&file).unwrap_or_default();
        for controller in controllers.iter().filter(|c| ["cpu", "cpuset", "io", "memory", "pids"].contains(&c.as_str())) {
            if !enabled.split_whitespace().any(|name| name == controller) {
                let _ = std::fs::write(&file, format!("+{controller}"));
            }
        }
    }
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
