//! What the whole machine uses, told with the words for one container: whoever shows one can show the other.
//!
//! ```text
//!  cpu       /proc/stat: all but idle and iowait          limit: the processors that are online
//!  memory    /proc/meminfo: MemTotal - MemFree            working set: MemTotal - MemAvailable; limit: MemTotal
//!  devices   /proc/diskstats                              disks alone: not what is stacked on them, no partitions
//!  links     /proc/net/dev of this network namespace      network cards alone; where there is none, all links
//!  waiting   /proc/pressure
//! ```
//!
//! Source: the kernel's Documentation/filesystems/proc.rst, admin-guide/iostats.rst and accounting/psi.rst.

use super::counters::{self, Counters, Room, Shape, entries, lines, number, words};
use super::rate::Sample;
use super::usage::{Cpu, Device, Link, Memory, Usage};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The bytes of a sector as `/proc/diskstats` counts them, whatever the disk's own are.
const SECTOR: u64 = 512;

/// Of how many names it is remembered whether there is a device behind them.
const MOST_NAMES: usize = 4096;

/// The whole machine at one moment. Its figures mean what they mean for a container; what is of containers alone
/// (throttling, failures, events, a limit of processes) and what this kernel does not tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// What it uses, and when; [`Sample::rate`] tells what happened since another one.
    ///
    /// `cpu.limit` is all of its processors, `memory.limit` all of its memory, of which `memory.working_set` is not available
    /// any more, `memory.swap_limit` all of its swap space.
    pub sample: Sample,
    /// The processors that are online; 0 where the kernel does not tell.
    pub processors: usize,
}

/// Takes samples of the whole machine. It holds seven descriptors.
#[derive(Debug)]
pub struct MachineSampler {
    files: Files,
    /// Where `/sys` is.
    devices: PathBuf,
    room: Room,
    /// Nanoseconds of one of the kernel's ticks.
    tick: u64,
    known: HashMap<Vec<u8>, bool>,
}

#[derive(Debug)]
struct Files {
    stat: Option<Counters>,
    memory: Option<Counters>,
    disks: Option<Counters>,
    links: Option<Counters>,
    /// Of processors, memory and I/O.
    pressure: [Option<Counters>; 3],
}

impl MachineSampler {
    /// Opens what there is; what is not there is told as absent.
    pub fn open() -> Self {
        Self::of(Path::new("/proc"), Path::new("/sys"))
    }

    fn of(proc: &Path, sys: &Path) -> Self {
        let open = |name, shape| Counters::open(proc, name, shape).ok().flatten();
        let files = Files {
            stat: open("stat", Shape::Whole),
            memory: open("meminfo", Shape::Whole),
            disks: open("diskstats", Shape::Entries),
            links: open("self/net/dev", Shape::Entries),
            pressure: ["pressure/cpu", "pressure/memory", "pressure/io"].map(|name| open(name, Shape::Whole)),
        };
        Self { files, devices: sys.to_owned(), room: Room::new(), tick: counters::tick(), known: HashMap::new() }
    }

    /// What it uses now. It blocks for some ten microseconds.
    pub fn sample(&mut self) -> Machine {
        let mut usage = Usage::default();
        if let Some(text) = read(self.files.stat.as_ref(), &mut self.room) {
            usage.cpu = processors(text, self.tick);
        }
        if let Some(text) = read(self.files.memory.as_ref(), &mut self.room) {
            usage.memory = memory(text);
        }
        if let Some(text) = read(self.files.disks.as_ref(), &mut self.room) {
            let block = self.devices.join("block");
            usage.devices = Some(disks(text, |name| is_device(&mut self.known, &block, name)));
        }
        if let Some(text) = read(self.files.links.as_ref(), &mut self.room) {
            let net = self.devices.join("class/net");
            usage.links = Some(cards(text, |name| is_device(&mut self.known, &net, name)));
        }
        let [cpu, memory, io] = [0, 1, 2].map(|kind: usize| read(self.files.pressure[kind].as_ref(), &mut self.room).and_then(counters::pressure));
        (usage.pressure.cpu, usage.pressure.memory, usage.pressure.io) = (cpu, memory, io);
        let processors = usage.cpu.each.as_ref().map_or(0, Vec::len);
        Machine { sample: Sample { at: Instant::now(), usage }, processors }
    }
}

fn read<'room>(file: Option<&Counters>, room: &'room mut Room) -> Option<&'room [u8]> {
    file?.read(room).ok()
}

/// `/proc/stat`: of a processor's times (user, nice, system, idle, iowait, irq, softirq, steal) all that it worked.
fn processors(text: &[u8], tick: u64) -> Cpu {
    let mut cpu = Cpu::default();
    let mut each = Vec::new();
    for line in lines(text).take_while(|line| line.starts_with(b"cpu")) {
        let mut found = words(line);
        let all = found.next() == Some(b"cpu");
        let mut times = [0; 7];
        for (time, word) in times.iter_mut().zip(found) {
            *time = number(word).unwrap_or(0).saturating_mul(tick);
        }
        let (user, system) = (times[0].saturating_add(times[1]), times[2].saturating_add(times[5]).saturating_add(times[6]));
        let total = user.saturating_add(system);
        if all {
            (cpu.user, cpu.system, cpu.total) = (Some(user), Some(system), Some(total));
        } else {
            each.push(total);
        }
    }
    cpu.limit = (!each.is_empty()).then(|| each.len() as u64 * 1_000_000_000);
    cpu.each = (!each.is_empty()).then_some(each);
    cpu
}

/// `/proc/meminfo`, in KiB.
fn memory(text: &[u8]) -> Memory {
    let [mut total, mut free, mut available, mut anon, mut swap, mut swap_free] = [None; 6];
    let [mut cache, mut kernel] = [None::<u64>; 2];
    for (key, kib) in entries(text) {
        let bytes = kib.saturating_mul(1024);
        let add = |sum: &mut Option<u64>| *sum = Some(sum.unwrap_or(0).saturating_add(bytes));
        match key {
            b"MemTotal:" => total = Some(bytes),
            b"MemFree:" => free = Some(bytes),
            b"MemAvailable:" => available = Some(bytes),
            b"AnonPages:" => anon = Some(bytes),
            b"SwapTotal:" => swap = Some(bytes),
            b"SwapFree:" => swap_free = Some(bytes),
            b"Buffers:" | b"Cached:" => add(&mut cache),
            b"Slab:" | b"KernelStack:" | b"PageTables:" | b"Percpu:" => add(&mut kernel),
            _ => {}
        }
    }
    let without = |all: Option<u64>, part: Option<u64>| Some(all?.saturating_sub(part?));
    Memory {
        total: without(total, free),
        working_set: without(total, available),
        cache,
        anon,
        kernel,
        swap: without(swap, swap_free),
        limit: total,
        swap_limit: swap,
        ..Memory::default()
    }
}

/// `/proc/diskstats`: major, minor, name, reads, merged, sectors, time, writes, merged, sectors …
fn disks(text: &[u8], mut is_disk: impl FnMut(&[u8]) -> bool) -> Vec<Device> {
    let disk = |line| {
        let mut found = words(line);
        let mut next = || found.next();
        let number = |word: Option<&[u8]>| number(word?);
        let (major, minor, name) = (number(next())?, number(next())?, next()?);
        if !is_disk(name) {
            return None;
        }
        let (reads, _, read, _) = (number(next())?, next(), number(next())?, next());
        let (writes, _, written) = (number(next())?, next(), number(next())?);
        let number = (u32::try_from(major).ok()?, u32::try_from(minor).ok()?);
        Some(Device { number, read: read.saturating_mul(SECTOR), written: written.saturating_mul(SECTOR), reads, writes })
    };
    lines(text).filter_map(disk).collect()
}

/// Network cards: what containers send passes links of theirs, a bridge and at last a card, and counts once.
fn cards(text: &[u8], mut is_card: impl FnMut(&[u8]) -> bool) -> Vec<Link> {
    let mut all = Vec::new();
    counters::links(text, &mut all);
    let name = |link: &Link| link.name.iter().position(|byte| *byte == 0).unwrap_or(link.name.len());
    let cards: Vec<Link> = all.iter().filter(|link| is_card(&link.name[..name(link)])).copied().collect();
    if cards.is_empty() { all } else { cards }
}

/// Whether a device is behind the name, not memory or another device.
fn is_device(known: &mut HashMap<Vec<u8>, bool>, folder: &Path, name: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt;
    if let Some(known) = known.get(name) {
        return *known;
    }
    // As a file's name, `/` is `!`; a link's may not be one of these.
    if name.is_empty() || name.contains(&b'/') || matches!(name, b"." | b"..") {
        return false;
    }
    let found = folder.join(std::ffi::OsStr::from_bytes(name)).join("device").exists();
    if known.len() >= MOST_NAMES {
        // Links of containers come and go, each by a new name.
        known.clear();
    }
    known.insert(name.to_owned(), found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execdriver::usage::{Carried, Stall};

    #[test]
    fn a_machine_is_read_like_a_container() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        file("proc/stat", "cpu  5 1 2 90 9 1 1 4 0 0\ncpu0 3 1 2 40 4 1 1 2 0 0\ncpu1 2 0 0 50 5 0 0 2 0 0\nintr 1 2\ncpufreq 7\n");
        file(
            "proc/meminfo",
            "MemTotal: 100 kB\nMemFree: 60 kB\nMemAvailable: 70 kB\nBuffers: 1 kB\nCached: 2 kB\nAnonPages: 9 kB\nSlab: 3 kB\nPercpu: 1 kB\n\
             SwapTotal: 8 kB\nSwapFree: 5 kB\n",
        );
        file("proc/diskstats", " 7 0 loop0 1 1 1 1 1 1 1\n 254 0 vda 10 1 4 5 20 6 8 7 0 1 2\n 254 1 vda1 1 1 1 1 1 1 1\n 8 0 short 1 2\n");
        file("proc/self/net/dev", "head\nlo: 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\neth0: 2 3 0 0 0 0 0 0 4 5 0 0 0 0 0 0\nveth1: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n");
        file("proc/pressure/io", "some avg10=0.59 avg60=0.86 avg300=1.22 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
        file("sys/block/vda/device/x", "");
        file("sys/class/net/eth0/device/x", "");
        let mut sampler = MachineSampler::of(&folder.path().join("proc"), &folder.path().join("sys"));
        sampler.tick = 10;
        let machine = sampler.sample();
        let usage = &machine.sample.usage;
        assert_eq!(machine.processors, 2);
        assert_eq!((usage.cpu.total, usage.cpu.user, usage.cpu.system), (Some(100), Some(60), Some(40)));
        assert_eq!((usage.cpu.each.as_deref(), usage.cpu.limit), (Some(&[80, 20][..]), Some(2_000_000_000)));
        let memory = usage.memory;
        assert_eq!((memory.total, memory.working_set, memory.limit), (Some(40 << 10), Some(30 << 10), Some(100 << 10)));
        assert_eq!((memory.cache, memory.anon, memory.kernel), (Some(3 << 10), Some(9 << 10), Some(4 << 10)));
        assert_eq!((memory.swap, memory.swap_limit, memory.peak, memory.oom_kills), (Some(3 << 10), Some(8 << 10), None, None));
        assert_eq!(usage.devices.as_deref(), Some(&[Device { number: (254, 0), read: 2048, written: 4096, reads: 10, writes: 20 }][..]));
        assert_eq!((usage.sum_links(|link| link.received.bytes), usage.links.as_ref().map(Vec::len)), (Some(2), Some(1)));
        assert_eq!(usage.links.as_ref().unwrap()[0].sent, Carried { bytes: 4, packets: 5, ..Carried::default() });
        assert_eq!((usage.pressure.cpu, usage.pressure.io), (None, Some(Stall { some: 12, full: Some(7) })));

        std::fs::remove_dir_all(folder.path().join("sys")).unwrap();
        let mut blind = MachineSampler::of(&folder.path().join("proc"), &folder.path().join("sys"));
        let usage = blind.sample().sample.usage;
        assert_eq!((usage.devices.map(|disks| disks.len()), usage.links.map(|links| links.len())), (Some(0), Some(3)), "no card: all links");
        let nothing = MachineSampler::of(&folder.path().join("none"), folder.path()).sample();
        assert_eq!((nothing.processors, nothing.sample.usage), (0, Usage::default()), "what is not told is not nought");
    }

    #[test]
    fn this_machine_is_read() {
        let mut sampler = MachineSampler::open();
        let (first, second) = (sampler.sample(), sampler.sample());
        assert!(first.processors > 0 && first.sample.usage.memory.limit > first.sample.usage.memory.working_set, "{first:?}");
        assert!(second.sample.usage.cpu.total >= first.sample.usage.cpu.total && second.sample.rate(&first.sample).is_some());
    }
}
