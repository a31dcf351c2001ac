//! What a container uses, from its cgroup's files: kept open, read by `pread`, parsed where they lie.
//!
//! ```text
//!               v1                                         v2
//!  cpu          cpuacct.usage (ns)                         cpu.stat (also without the controller)
//!   its kinds * cpuacct.usage_percpu, cpuacct.stat         cpu.stat
//!  its limit    cpu.cfs_quota_us, cpu.cfs_period_us        cpu.max
//!  throttling   cpu.stat                                   cpu.stat
//!  memory       memory.usage_in_bytes                      memory.current
//!  its kinds    memory.stat: total_…                       memory.stat
//!   kernel's  * memory.kmem.usage_in_bytes                 memory.stat
//!   swap space* memory.stat                                memory.swap.current, memory.swap.max
//!   its peak  * memory.max_usage_in_bytes                  memory.peak
//!   its limit   memory.stat: hierarchical_…                memory.max
//!   its events  memory[.memsw].failcnt                     memory.events
//!   OOM kills * memory.oom_control                         memory.events
//!  processes    pids.current                               the same
//!   limit     * pids.max                                   the same
//!  devices      blkio.throttle.io_service_bytes…           io.stat
//!   operations* blkio.throttle.io_serviced…                io.stat
//!  waiting      (the v2 tree's, without controllers, too)  cpu.pressure, memory.pressure, io.pressure
//!  links        /proc/PID/net/dev
//! ```
//!
//! `*` is what only [`Detail::Full`] opens. A meter holds 20 descriptors on v1 with a v2 tree beside it, 16 on v2; an outline
//! 14 and 12. A file takes one or two microseconds, `memory.stat` four and `net/dev` six: the kernel's time to write it down.
//!
//! Source: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.

mod block;
mod cpu;
mod links;
mod memory;

use super::Cgroups;
use crate::execdriver::counters::{Counters, Room, Shape, Unreadable, pressure, value};
use crate::execdriver::usage::Stall;
use crate::execdriver::{Detail, Meter, Usage};
use crate::id::ContainerId;
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;

/// The open files of one container. `None` is what this machine does not count.
#[derive(Debug)]
struct Files {
    cpu: cpu::Files,
    memory: Option<memory::Files>,
    processes: Option<Counters>,
    processes_limit: Option<Counters>,
    devices: Option<block::Files>,
    links: Option<links::Files>,
    /// For processors, memory and I/O.
    pressure: [Option<Counters>; 3],
    room: Room,
}

impl Cgroups {
    /// Opens what tells the container's use; `None` if it has no cgroup here (any more). `network` is a process of its own
    /// network namespace.
    pub fn meter(&self, id: &ContainerId, network: Option<i32>, detail: Detail) -> io::Result<Option<Box<dyn Meter>>> {
        let folder = |path: Option<PathBuf>| path.filter(|path| path.is_dir());
        let old = |controller| folder(self.v1_path(controller, id));
        let unified = folder(self.v2_path(id));
        let has = |controller: &str| self.v2_controllers.iter().any(|known| known == controller);
        let v2 = |controller: &str| unified.as_deref().filter(|_| has(controller));
        let [account, schedule, memory, pids, blkio] = ["cpuacct", "cpu", "memory", "pids", "blkio"].map(old);
        if [&account, &schedule, &memory, &pids, &blkio, &unified].iter().all(|folder| folder.is_none()) {
            return Ok(None);
        }
        let pids = pids.as_deref().or_else(|| v2("pids"));
        let full = detail == Detail::Full;
        let files = Files {
            cpu: cpu::Files::open(account.as_deref(), schedule.as_deref(), unified.as_deref(), has("cpu"), detail)?,
            memory: match (&memory, v2("memory")) {
                (Some(folder), _) => Some(memory::Files::v1(folder, detail)?),
                (None, Some(folder)) => Some(memory::Files::v2(folder, detail)?),
                (None, None) => None,
            },
            processes: pids.map_or(Ok(None), |folder| Counters::open(folder, "pids.current", Shape::Whole))?,
            processes_limit: pids.filter(|_| full).map_or(Ok(None), |folder| Counters::open(folder, "pids.max", Shape::Whole))?,
            devices: match (&blkio, self.hierarchy("blkio"), v2("io")) {
                (Some(folder), Some(hierarchy), _) => block::Files::v1(&hierarchy.mount, folder, detail)?,
                (_, _, Some(folder)) => block::Files::v2(folder)?,
                _ => None,
            },
            links: network.filter(|pid| *pid > 0).and_then(|pid| links::Files::open(pid, || self.holds(id, pid))),
            pressure: match &unified {
                Some(folder) => {
                    let open = |name| Counters::open(folder, name, Shape::Whole);
                    [open("cpu.pressure")?, open("memory.pressure")?, open("io.pressure")?]
                }
                None => [const { None }; 3],
            },
            room: Room::new(),
        };
        Ok(Some(Box::new(files)))
    }
}

/// Waiting of one kind. A file of it that is gone says that somebody has switched PSI off for this cgroup (`cgroup.pressure`),
/// not that the cgroup is gone.
fn waiting(file: Option<&Counters>, room: &mut Room) -> Result<Option<Stall>, Unreadable> {
    match file.map(|file| file.read(room)) {
        None | Some(Err(Unreadable { errno: Errno::NODEV | Errno::OPNOTSUPP, .. })) => Ok(None),
        Some(text) => Ok(pressure(text?)),
    }
}

impl Files {
    fn usage(&mut self, usage: &mut Usage) -> Result<(), Unreadable> {
        let room = &mut self.room;
        self.cpu.read(room, &mut usage.cpu)?;
        match &self.memory {
            Some(memory) => memory.read(room, &mut usage.memory)?,
            None => usage.memory = crate::execdriver::usage::Memory::default(),
        }
        usage.processes = value(self.processes.as_ref(), room)?;
        usage.processes_limit = value(self.processes_limit.as_ref(), room)?;
        match &self.devices {
            Some(devices) => devices.read(room, &mut usage.devices)?,
            None => usage.devices = None,
        }
        match &self.links {
            Some(links) => links.read(room, &mut usage.links)?,
            None => usage.links = None,
        }
        let [cpu, memory, io] = &self.pressure;
        usage.pressure.cpu = waiting(cpu.as_ref(), room)?;
        usage.pressure.memory = waiting(memory.as_ref(), room)?;
        usage.pressure.io = waiting(io.as_ref(), room)?;
        Ok(())
    }
}

impl Meter for Files {
    fn read(&mut self, usage: &mut Usage) -> io::Result<bool> {
        match self.usage(usage) {
            Ok(()) => Ok(true),
            Err(Unreadable { errno: Errno::NODEV | Errno::NOENT, .. }) => Ok(false),
            Err(unreadable) => Err(unreadable.into()),
        }
    }
}

#[cfg(test)]
mod tests;
