//! Memory: what is charged, of which kind, and what happened at the limit.

use crate::execdriver::Detail;
use crate::execdriver::counters::{Counters, Room, Shape, Unreadable, entries, text, value};
use crate::execdriver::usage::Memory;
use std::io;
use std::path::Path;

/// v1 writes "no limit" as the largest number of pages; whatever is near it is none.
const UNLIMITED: u64 = 1 << 62;

/// The open files of a machine of either kind. `None` is one that this kernel does not have.
#[derive(Debug)]
pub enum Files {
    V1 {
        used: Option<Counters>,
        stat: Option<Counters>,
        peak: Option<Counters>,
        kernel: Option<Counters>,
        failures: Option<Counters>,
        /// At the limit of memory and swap space together, which is asked first. Linux 6.18 has the file and counts nothing in it.
        both_failures: Option<Counters>,
        oom: Option<Counters>,
    },
    V2 {
        used: Option<Counters>,
        stat: Option<Counters>,
        peak: Option<Counters>,
        limit: Option<Counters>,
        swap: Option<Counters>,
        swap_limit: Option<Counters>,
        events: Option<Counters>,
    },
}

impl Files {
    pub fn v1(folder: &Path, detail: Detail) -> io::Result<Self> {
        let open = |name| Counters::open(folder, name, Shape::Whole);
        let full = |name| if detail == Detail::Full { open(name) } else { Ok(None) };
        Ok(Self::V1 {
            used: open("memory.usage_in_bytes")?,
            stat: open("memory.stat")?,
            peak: full("memory.max_usage_in_bytes")?,
            kernel: full("memory.kmem.usage_in_bytes")?,
            failures: open("memory.failcnt")?,
            both_failures: open("memory.memsw.failcnt")?,
            oom: full("memory.oom_control")?,
        })
    }

    pub fn v2(folder: &Path, detail: Detail) -> io::Result<Self> {
        let open = |name| Counters::open(folder, name, Shape::Whole);
        let full = |name| if detail == Detail::Full { open(name) } else { Ok(None) };
        Ok(Self::V2 {
            used: open("memory.current")?,
            stat: open("memory.stat")?,
            // Linux 5.19.
            peak: full("memory.peak")?,
            limit: open("memory.max")?,
            swap: full("memory.swap.current")?,
            swap_limit: full("memory.swap.max")?,
            events: open("memory.events")?,
        })
    }

    pub fn read(&self, room: &mut Room, memory: &mut Memory) -> Result<(), Unreadable> {
        *memory = Memory::default();
        let mut inactive = None;
        match self {
            Self::V1 { used, stat, peak, kernel, failures, both_failures, oom } => {
                memory.total = value(used.as_ref(), room)?;
                if let Some(text) = text(stat.as_ref(), room)? {
                    inactive = old_kinds(text, memory);
                }
                memory.peak = value(peak.as_ref(), room)?;
                memory.kernel = value(kernel.as_ref(), room)?;
                let both = value(both_failures.as_ref(), room)?.unwrap_or(0);
                memory.failures = value(failures.as_ref(), room)?.map(|failures| failures.saturating_add(both));
                let mut lines = text(oom.as_ref(), room)?.into_iter().flat_map(entries);
                memory.oom_kills = lines.find_map(|(key, count)| (key == b"oom_kill").then_some(count));
            }
            Self::V2 { used, stat, peak, limit, swap, swap_limit, events } => {
                memory.total = value(used.as_ref(), room)?;
                if let Some(text) = text(stat.as_ref(), room)? {
                    inactive = new_kinds(text, memory);
                }
                memory.peak = value(peak.as_ref(), room)?;
                memory.limit = value(limit.as_ref(), room)?;
                memory.swap = value(swap.as_ref(), room)?;
                memory.swap_limit = value(swap_limit.as_ref(), room)?;
                for (key, count) in text(events.as_ref(), room)?.into_iter().flat_map(entries) {
                    let figure = match key {
                        b"max" => &mut memory.failures,
                        b"high" => &mut memory.high,
                        b"oom" => &mut memory.oom,
                        b"oom_kill" => &mut memory.oom_kills,
                        _ => continue,
                    };
                    *figure = Some(count);
                }
            }
        }
        // The two are not read at one moment.
        memory.working_set = memory.total.map(|total| total.saturating_sub(inactive.unwrap_or(0)));
        Ok(())
    }
}

/// v1's `memory.stat`: with what is below the cgroup, `total_`, and the limits that hold here, whoever set them. Gives the
/// pages of files that were not touched lately.
fn old_kinds(text: &[u8], memory: &mut Memory) -> Option<u64> {
    let (mut inactive, mut both) = (None, None);
    for (key, bytes) in entries(text) {
        match key {
            b"total_inactive_file" => inactive = Some(bytes),
            b"total_cache" => memory.cache = Some(bytes),
            b"total_rss" => memory.anon = Some(bytes),
            b"total_swap" => memory.swap = Some(bytes),
            b"hierarchical_memory_limit" => memory.limit = Some(bytes).filter(|limit| *limit < UNLIMITED),
            b"hierarchical_memsw_limit" => both = Some(bytes).filter(|limit| *limit < UNLIMITED),
            _ => {}
        }
    }
    // Memory and swap space have one limit here.
    memory.swap_limit = both.zip(memory.limit).map(|(both, limit)| both.saturating_sub(limit));
    inactive
}

/// v2's `memory.stat`, the same way.
fn new_kinds(text: &[u8], memory: &mut Memory) -> Option<u64> {
    let (mut inactive, mut parts) = (None, None::<u64>);
    for (key, bytes) in entries(text) {
        match key {
            b"inactive_file" => inactive = Some(bytes),
            b"file" => memory.cache = Some(bytes),
            b"anon" => memory.anon = Some(bytes),
            b"kernel" => memory.kernel = Some(bytes),
            b"slab" | b"kernel_stack" | b"pagetables" | b"percpu" => parts = Some(parts.unwrap_or(0).saturating_add(bytes)),
            _ => {}
        }
    }
    // Before 5.18 there is no sum.
    memory.kernel = memory.kernel.or(parts);
    inactive
}
