//! Meters on folders of files, as machines of each kind have them.

use super::super::Hierarchy;
use super::*;
use crate::execdriver::METER_DESCRIPTORS;
use crate::execdriver::usage::{Cpu, Device, Link, Memory, Pressure, Throttling};
use std::path::Path;

type Text = (&'static str, &'static str);

/// Linux 6.x with all of v1.
const CPUACCT: &[Text] = &[("cpuacct.usage", "7000000124\n"), ("cpuacct.usage_percpu", "7000000100 23 \n"), ("cpuacct.stat", "user 500\nsystem 200\n")];
const CPU: &[Text] = &[
    ("cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 12345\nnr_bursts 0\nburst_time 0\n"),
    ("cpu.cfs_quota_us", "150000\n"),
    ("cpu.cfs_period_us", "100000\n"),
];
const MEMORY: &[Text] = &[
    ("memory.usage_in_bytes", "50000\n"),
    (
        "memory.stat",
        "cache 1\nrss 2\nswap 3\ninactive_file 1\nhierarchical_memory_limit 65536\nhierarchical_memsw_limit 98304\n\
         total_cache 30000\ntotal_rss 15000\ntotal_swap 4096\ntotal_inactive_file 20000\n",
    ),
    ("memory.max_usage_in_bytes", "60000\n"),
    ("memory.kmem.usage_in_bytes", "5000\n"),
    ("memory.failcnt", "4\n"),
    ("memory.memsw.failcnt", "2\n"),
    ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
];
const PIDS: &[Text] = &[("pids.current", "3\n"), ("pids.max", "max\n")];
const BLKIO: &[Text] = &[
    ("blkio.throttle.io_service_bytes_recursive", "8:0 Read 4096\n8:0 Write 512\n8:0 Sync 1\n8:16 Read 7\n8:0 Total 4608\nTotal 4608\n"),
    ("blkio.throttle.io_serviced_recursive", "8:0 Read 2\n8:0 Write 1\nTotal 3\n"),
];
/// What each cgroup of the v2 tree has, with controllers or without.
const BARE: &[Text] = &[
    ("cpu.stat", "usage_usec 42\nuser_usec 30\nsystem_usec 12\nnice_usec 0\n"),
    ("cpu.pressure", "some avg10=0.59 avg60=0.86 avg300=1.22 total=1269\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"),
    ("memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4\n"),
    ("io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"),
];
/// Linux 6.1 with all controllers.
const V2: &[Text] = &[
    ("cpu.stat", "usage_usec 42\nuser_usec 30\nsystem_usec 12\nnr_periods 9\nnr_throttled 3\nthrottled_usec 7\nnr_bursts 0\nburst_usec 0\n"),
    ("cpu.max", "50000 100000\n"),
    ("memory.current", "1000\n"),
    ("memory.stat", "anon 500\nfile 300\nkernel 200\nkernel_stack 16\npagetables 8\npercpu 4\nsock 0\ninactive_file 2000\nslab 90\n"),
    ("memory.peak", "3000\n"),
    ("memory.max", "4096\n"),
    ("memory.swap.current", "64\n"),
    ("memory.swap.max", "max\n"),
    ("memory.events", "low 0\nhigh 5\nmax 4\noom 3\noom_kill 1\noom_group_kill 0\n"),
    ("pids.current", "0\n"),
    ("pids.max", "10\n"),
    ("io.stat", "254:16 \n254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=9 dios=9\n"),
];

/// A machine in a folder of files.
struct Made {
    folder: tempfile::TempDir,
    cgroups: Cgroups,
    id: ContainerId,
}

impl Made {
    /// Each hierarchy of v1 by its controllers, and the v2 tree with its own.
    fn new(v1: &[(&str, &[Text])], v2: Option<(&str, &[&[Text]])>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let id = ContainerId::random().unwrap();
        let make = |mount: &Path, files: &[Text]| {
            let inner = mount.join("kapal").join(id.as_str());
            std::fs::create_dir_all(&inner).unwrap();
            for (name, text) in files {
                std::fs::write(inner.join(name), text).unwrap();
            }
        };
        let mut hierarchies = Vec::new();
        for (controllers, files) in v1 {
            let mount = folder.path().join(controllers);
            make(&mount, files);
            hierarchies.push(Hierarchy { mount, controllers: controllers.split(',').map(str::to_owned).collect() });
        }
        let unified = folder.path().join("unified");
        for files in v2.iter().flat_map(|(_, files)| *files) {
            make(&unified, files);
        }
        let v2_controllers = v2.iter().flat_map(|(controllers, _)| controllers.split_whitespace()).map(str::to_owned).collect();
        let cgroups = Cgroups { parent: "kapal".into(), v1: hierarchies, v2: v2.map(|_| unified), v2_controllers };
        Self { folder, cgroups, id }
    }

    fn told(&self) -> Usage {
        let mut usage = Usage::default();
        self.tell(&mut usage);
        usage
    }

    fn tell(&self, usage: &mut Usage) {
        assert!(self.cgroups.meter(&self.id, None, Detail::Full).unwrap().unwrap().read(usage).unwrap());
    }

    fn outline(&self) -> Usage {
        let mut usage = Usage::default();
        assert!(self.cgroups.meter(&self.id, None, Detail::Outline).unwrap().unwrap().read(&mut usage).unwrap());
        usage
    }

    fn without(self, file: &str) -> Self {
        let (hierarchy, name) = file.split_once('/').unwrap();
        std::fs::remove_file(self.folder.path().join(hierarchy).join("kapal").join(self.id.as_str()).join(name)).unwrap();
        self
    }

    /// How many descriptors a meter holds.
    fn held(&self, detail: Detail) -> usize {
        let meter = self.cgroups.meter(&self.id, Some(1), detail).unwrap().unwrap();
        let inside = |path: &Path| std::fs::read_link(path).is_ok_and(|path| path.starts_with(self.folder.path()));
        let held = std::fs::read_dir("/proc/self/fd").unwrap().flatten().filter(|entry| inside(&entry.path())).count();
        drop(meter);
        held
    }
}

fn old() -> Made {
    Made::new(&[("cpu", CPU), ("cpuacct", CPUACCT), ("memory", MEMORY), ("pids", PIDS), ("blkio", BLKIO)], None)
}

fn old_usage() -> Usage {
    Usage {
        cpu: Cpu {
            total: Some(7_000_000_123),
            user: Some(5_000_000_000),
            system: Some(2_000_000_000),
            each: Some(vec![7_000_000_100, 23]),
            limit: Some(1_500_000_000),
            throttling: Some(Throttling { periods: 10, throttled: 4, time: 12345 }),
        },
        memory: Memory {
            total: Some(50_000),
            working_set: Some(30_000),
            cache: Some(30_000),
            anon: Some(15_000),
            kernel: Some(5000),
            swap: Some(4096),
            peak: Some(60_000),
            limit: Some(65_536),
            swap_limit: Some(32_768),
            failures: Some(6),
            high: None,
            oom: None,
            oom_kills: Some(2),
        },
        processes: Some(3),
        processes_limit: None,
        devices: Some(vec![Device { number: (8, 0), read: 4096, written: 512, reads: 2, writes: 1 }, Device { number: (8, 16), read: 7, ..Device::default() }]),
        links: None,
        pressure: Pressure::default(),
    }
}

fn waited() -> Pressure {
    let stall = |some, full| Some(Stall { some, full: Some(full) });
    Pressure { cpu: stall(1269, 0), memory: stall(5, 4), io: stall(0, 0) }
}

fn bare_cpu() -> Cpu {
    Cpu { total: Some(42_000), user: Some(30_000), system: Some(12_000), ..Cpu::default() }
}

#[test]
fn v1_is_read() {
    assert_eq!(old().told(), old_usage());
    let together = Made::new(&[("cpu,cpuacct", &[CPU, CPUACCT].concat()), ("memory", MEMORY), ("pids", PIDS), ("blkio", BLKIO)], None);
    assert_eq!(together.told(), old_usage());
}

#[test]
fn v2_is_read() {
    let usage = Usage {
        cpu: Cpu { limit: Some(500_000_000), throttling: Some(Throttling { periods: 9, throttled: 3, time: 7000 }), ..bare_cpu() },
        memory: Memory {
            total: Some(1000),
            working_set: Some(0),
            cache: Some(300),
            anon: Some(500),
            kernel: Some(200),
            swap: Some(64),
            peak: Some(3000),
            limit: Some(4096),
            swap_limit: None,
            failures: Some(4),
            high: Some(5),
            oom: Some(3),
            oom_kills: Some(1),
        },
        processes: Some(0),
        processes_limit: Some(10),
        devices: Some(vec![Device { number: (254, 0), read: 4096, reads: 1, ..Device::default() }]),
        links: None,
        pressure: waited(),
    };
    let made = || Made::new(&[], Some(("cpu memory pids io", &[BARE, V2])));
    assert_eq!(made().told(), usage);
    // Linux 5.4: no peak, no sum of the kernel's memory, no PSI if it was built without.
    let old = made().without("unified/memory.peak").without("unified/cpu.pressure").without("unified/memory.pressure").without("unified/io.pressure");
    std::fs::write(old.folder.path().join("unified/kapal").join(old.id.as_str()).join("memory.stat"), "anon 500\nkernel_stack 16\nslab 90\n").unwrap();
    let told = old.told();
    assert_eq!((told.memory.peak, told.memory.kernel, told.memory.cache, told.pressure), (None, Some(106), None, Pressure::default()));
}

#[test]
fn hybrids_are_read() {
    let v1: [(&str, &[Text]); 5] = [("cpu", CPU), ("cpuacct", CPUACCT), ("memory", MEMORY), ("pids", PIDS), ("blkio", BLKIO)];
    let usage = Made::new(&v1, Some(("", &[BARE]))).told();
    assert_eq!(usage, Usage { pressure: waited(), ..old_usage() }, "a v2 tree without controllers tells the waiting");
    let some = Made::new(&v1[1..3], Some(("cpu pids io", &[BARE, V2]))).told();
    assert_eq!(some.cpu.total, old_usage().cpu.total);
    assert_eq!((some.cpu.limit, some.cpu.throttling.map(|throttling| throttling.periods)), (Some(500_000_000), Some(9)));
    assert_eq!((some.memory, some.processes_limit), (old_usage().memory, Some(10)));
    assert_eq!(some.devices.map(|devices| devices.len()), Some(1));
}

#[test]
fn an_outline_tells_what_lines_are_drawn_from() {
    let full = old_usage();
    let usage = Usage {
        cpu: Cpu { total: Some(7_000_000_124), user: None, system: None, each: None, ..full.cpu },
        memory: Memory { kernel: None, peak: None, oom_kills: None, ..full.memory },
        devices: full.devices.map(|devices| devices.into_iter().map(|device| Device { reads: 0, writes: 0, ..device }).collect()),
        ..full
    };
    assert_eq!(old().outline(), usage);
    let made = Made::new(&[], Some(("cpu memory pids io", &[BARE, V2])));
    let full = made.told();
    let memory = Memory { peak: None, swap: None, swap_limit: None, ..full.memory };
    assert_eq!(made.outline(), Usage { memory, processes_limit: None, ..full });
}

#[test]
fn what_is_not_counted_is_not_nought() {
    let usage = Made::new(&[("freezer", &[])], Some(("", &[BARE]))).told();
    assert_eq!(usage, Usage { cpu: bare_cpu(), pressure: waited(), ..Usage::default() });
    // Swap space is not counted, nor is the kernel's memory, nor are disks that no throttle was ever set for.
    let made = old().without("memory/memory.kmem.usage_in_bytes").without("memory/memory.stat");
    let blkio = made.folder.path().join("blkio");
    let file = blkio.join("kapal").join(made.id.as_str()).join(BLKIO[0].0);
    std::fs::write(&file, "Total 0\n").unwrap();
    std::fs::remove_file(file.with_file_name(BLKIO[1].0)).unwrap();
    let mut usage = old_usage();
    made.tell(&mut usage);
    assert_eq!((usage.memory.kernel, usage.memory.swap, usage.memory.limit, usage.memory.working_set), (None, None, None, Some(50_000)));
    assert_eq!(usage.devices, None);
    std::fs::write(blkio.join(BLKIO[0].0), "8:0 Read 0\nTotal 0\n").unwrap();
    assert_eq!(made.told().devices, Some(Vec::new()), "others' throttles: now they are counted, and it used none");
}

#[test]
fn no_limit_is_none() {
    let made = old();
    let write = |hierarchy: &str, name: &str, text: &str| {
        std::fs::write(made.folder.path().join(hierarchy).join("kapal").join(made.id.as_str()).join(name), text).unwrap();
    };
    write("cpu", "cpu.cfs_quota_us", "-1\n");
    write("memory", "memory.stat", "hierarchical_memory_limit 9223372036854771712\nhierarchical_memsw_limit 9223372036854771712\n");
    let usage = made.told();
    assert_eq!((usage.cpu.limit, usage.memory.limit, usage.memory.swap_limit), (None, None, None));
    write("memory", "memory.stat", "hierarchical_memory_limit 4096\nhierarchical_memsw_limit 9223372036854771712\n");
    assert_eq!((made.told().memory.limit, made.told().memory.swap_limit), (Some(4096), None));
}

#[test]
fn room_is_used_again_and_nothing_stays() {
    let made = old();
    let mut usage = Usage {
        cpu: Cpu { each: Some(vec![9; 64]), ..Cpu::default() },
        memory: Memory { high: Some(9), oom: Some(9), ..Memory::default() },
        devices: Some(vec![Device { read: 9, ..Device::default() }; 64]),
        links: Some(Vec::new()),
        pressure: waited(),
        ..Usage::default()
    };
    let room = usage.devices.as_ref().unwrap().as_ptr();
    made.tell(&mut usage);
    assert_eq!(usage, old_usage());
    assert_eq!(usage.devices.as_ref().unwrap().as_ptr(), room);
}

#[test]
fn a_meter_holds_as_many_descriptors_as_it_says() {
    let v1: [(&str, &[Text]); 5] = [("cpu", CPU), ("cpuacct", CPUACCT), ("memory", MEMORY), ("pids", PIDS), ("blkio", BLKIO)];
    // One more is the folder of a process in the container, which these have not.
    let old = Made::new(&v1, Some(("", &[BARE])));
    assert_eq!([Detail::Full, Detail::Outline].map(|detail| old.held(detail) + 1), [METER_DESCRIPTORS, 14]);
    let new = Made::new(&[], Some(("cpu memory pids io", &[BARE, V2])));
    assert_eq!([Detail::Full, Detail::Outline].map(|detail| new.held(detail) + 1), [16, 12]);
}

#[test]
fn who_is_not_there_is_no_error() {
    assert!(old().cgroups.meter(&ContainerId::random().unwrap(), None, Detail::Full).unwrap().is_none());
}

#[test]
fn links_are_those_of_a_process_that_is_the_containers() {
    let own = std::process::id() as i32;
    assert!(links::Files::open(own, || false).is_none());
    let mut found = None;
    links::Files::open(own, || true).unwrap().read(&mut Room::new(), &mut found).unwrap();
    assert!(found.unwrap().iter().any(crate::execdriver::usage::Link::is_loopback));
    // One that has ended: its folder stays open, its number is nobody's.
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let links = links::Files::open(child.id() as i32, || true).unwrap();
    let mut found = Some(vec![Link::default()]);
    child.wait().unwrap();
    links.read(&mut Room::new(), &mut found).unwrap();
    assert_eq!(found, None);
}
