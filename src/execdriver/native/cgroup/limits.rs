//! Limits written into cgroup files; a limit that this machine cannot carry is an error, never ignored.
//!
//! What takes a limit away where the controller is missing has nothing to do.
//! Source: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.

use super::writer::{Writer, number_in};
use super::{Cgroup, Cgroups, devices, io_limits, named};
use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxResources};
use std::io;
use std::path::Path;

/// Applies all limits of the specification.
pub fn apply(writer: &mut Writer, cgroups: &Cgroups, cgroup: &Cgroup, resources: &LinuxResources) -> io::Result<()> {
    if let Some(memory) = resources.memory() {
        limit_memory(writer, cgroups, cgroup, memory)?;
    }
    if let Some(cpu) = resources.cpu() {
        limit_time(writer, cgroups, cgroup, cpu)?;
        weigh_time(writer, cgroups, cgroup, cpu)?;
        choose(writer, cgroups, cgroup, cpu)?;
    }
    if let Some(pids) = resources.pids()
        && let Some((_, path)) = file(cgroups, cgroup, ["pids", "pids"], "processes (--pids-limit)", pids.limit() < 0)?
    {
        writer.set(&path.join("pids.max"), &max(pids.limit()))?;
    }
    if let Some(io) = resources.block_io() {
        io_limits::apply(writer, cgroups, cgroup, io)?;
    }
    if let Some(rules) = resources.devices() {
        devices::restrict(writer, cgroup, rules)?;
    }
    Ok(())
}

/// Below nought is without limit.
fn max(number: i64) -> String {
    if number < 0 { "max".to_owned() } else { number.to_string() }
}

/// The folder whose files set a limit, and whether it is a v2 one; `None` where the controller is missing and the limit is to go.
pub fn file<'a>(cgroups: &Cgroups, cgroup: &'a Cgroup, [old, new]: [&str; 2], what: &str, no_longer: bool) -> io::Result<Option<(bool, &'a Path)>> {
    if let Some(path) = cgroup.v1_of(old) {
        return Ok(Some((false, path)));
    }
    match &cgroup.unified_path {
        Some(path) if cgroups.v2_controllers.iter().any(|c| c == new) => Ok(Some((true, path))),
        _ if no_longer => Ok(None),
        _ => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("cannot limit {what}: this machine's cgroups have no {new} controller; leave the limit out, or enable the controller"),
        )),
    }
}

fn limit_memory(writer: &mut Writer, cgroups: &Cgroups, cgroup: &Cgroup, memory: &LinuxMemory) -> io::Result<()> {
    let numbers = [memory.limit(), memory.swap(), memory.reservation()];
    let no_longer = numbers.into_iter().flatten().all(|bytes| bytes < 0) && memory.swappiness().is_none() && memory.disable_oom_killer() != Some(true);
    let Some((v2, path)) = file(cgroups, cgroup, ["memory"; 2], "memory", no_longer)? else { return Ok(()) };
    if v2 {
        limit_memory_v2(writer, path, memory)?;
    } else {
        limit_memory_v1(writer, path, memory)?;
    }
    if let Some(bytes) = memory.reservation() {
        match (v2, bytes) {
            (true, ..0) => writer.set(&path.join("memory.low"), "0")?,
            (true, _) => writer.set(&path.join("memory.low"), &bytes.to_string())?,
            (false, _) => writer.set(&path.join("memory.soft_limit_in_bytes"), &bytes.to_string())?,
        }
    }
    if v2 && (memory.disable_oom_killer() == Some(true) || memory.swappiness().is_some()) {
        let option = if memory.swappiness().is_some() { "--memory-swappiness" } else { "--oom-kill-disable" };
        return Err(io::Error::new(io::ErrorKind::Unsupported, format!("{option} is of cgroup v1, this machine has v2: leave it out")));
    }
    if let Some(inclination) = memory.swappiness() {
        writer.set(&path.join("memory.swappiness"), &inclination.to_string())?;
    }
    if memory.disable_oom_killer() == Some(true) {
        writer.set(&path.join("memory.oom_control"), "1")?;
    }
    Ok(())
}

/// v1 counts memory and swap together, and takes no limit of the one above that of both: the order depends on what is there.
fn limit_memory_v1(writer: &mut Writer, path: &Path, memory: &LinuxMemory) -> io::Result<()> {
    let (own, both) = (path.join("memory.limit_in_bytes"), path.join("memory.memsw.limit_in_bytes"));
    // A kernel without swap accounting has no such file: then there is nothing to limit, and memory alone bounds the container.
    let swap = memory.swap().filter(|_| both.exists());
    let raised = swap.is_some_and(|swap| swap < 0 || number_in(&both).is_some_and(|now| swap.unsigned_abs() >= now));
    let mut steps = vec![(&own, memory.limit()), (&both, swap)];
    if raised {
        steps.reverse();
    }
    for (file, bytes) in steps {
        if let Some(bytes) = bytes {
            writer.set(file, &bytes.to_string())?;
        }
    }
    Ok(())
}

/// v2 counts swap alone.
fn limit_memory_v2(writer: &mut Writer, path: &Path, memory: &LinuxMemory) -> io::Result<()> {
    if let Some(bytes) = memory.limit() {
        writer.set_memory_max(path, &max(bytes))?;
    }
    let file = path.join("memory.swap.max");
    if let Some(both) = memory.swap().filter(|_| file.exists()) {
        let swap = if both < 0 { both } else { (both - memory.limit().unwrap_or(0)).max(0) };
        writer.set(&file, &max(swap))?;
    }
    Ok(())
}

/// Quota and period. The kernel compares their ratio with that of the cgroup above at each step: it must not rise above what it
/// is to be in between.
fn limit_time(writer: &mut Writer, cgroups: &Cgroups, cgroup: &Cgroup, cpu: &LinuxCpu) -> io::Result<()> {
    if cpu.quota().is_none() && cpu.period().is_none() {
        return Ok(());
    }
    let no_longer = cpu.quota().is_none_or(|quota| quota < 0) && cpu.period().is_none_or(|period| period == 100_000);
    let Some((v2, path)) = file(cgroups, cgroup, ["cpu"; 2], "processor time", no_longer)? else { return Ok(()) };
    if v2 {
        let quota = cpu.quota().filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
        return writer.set(&path.join("cpu.max"), &format!("{quota} {}", cpu.period().unwrap_or(100_000)));
    }
    let (quota, period) = (path.join("cpu.cfs_quota_us"), path.join("cpu.cfs_period_us"));
    let shorter = cpu.period().is_some_and(|new| number_in(&period).is_some_and(|now| new < now));
    let mut steps = vec![(&period, cpu.period().map(|period| period.to_string())), (&quota, cpu.quota().map(|quota| quota.to_string()))];
    if shorter || cpu.quota().is_some_and(|quota| quota < 0) {
        steps.reverse();
    }
    for (file, value) in steps {
        if let Some(value) = value {
            writer.set(file, &value)?;
        }
    }
    Ok(())
}

fn weigh_time(writer: &mut Writer, cgroups: &Cgroups, cgroup: &Cgroup, cpu: &LinuxCpu) -> io::Result<()> {
    let Some(shares) = cpu.shares() else { return Ok(()) };
    match file(cgroups, cgroup, ["cpu"; 2], "processor shares", shares == 0)? {
        None => Ok(()),
        Some((false, path)) => writer.set(&path.join("cpu.shares"), &if shares == 0 { 1024 } else { shares }.to_string()),
        Some((true, path)) => {
            // 2 … 262144 onto 1 … 10000, as runc maps them.
            let weight = if shares == 0 { 100 } else { 1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142 };
            writer.set(&path.join("cpu.weight"), &weight.to_string())
        }
    }
}

/// Chooses processors and memory nodes; an empty list is what the cgroup above has. That is written out: no kernel takes an empty
/// list where processes are (v2 once it has had another).
fn choose(writer: &mut Writer, cgroups: &Cgroups, cgroup: &Cgroup, cpu: &LinuxCpu) -> io::Result<()> {
    for (name, list) in [("cpuset.cpus", cpu.cpus()), ("cpuset.mems", cpu.mems())] {
        let Some(list) = list else { continue };
        let Some((v2, path)) = file(cgroups, cgroup, ["cpuset"; 2], "the set of processors", list.is_empty())? else { continue };
        let above = path.parent().unwrap_or(path).join(if v2 { format!("{name}.effective") } else { name.to_owned() });
        let all = std::fs::read_to_string(&above).map_err(|error| named(&above, &error))?;
        writer.set_list(&path.join(name), list, all.trim())?;
    }
    Ok(())
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
                Writer::plain().set(&file, value.trim())?;
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
