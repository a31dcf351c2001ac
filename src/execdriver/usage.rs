//! What a container uses, as far as the kernel counts it.

/// What a container uses at one moment, or has used since it started. What this machine does not count is `None`, never nought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processors.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// The most of them it may have; also `None` without a limit.
    pub processes_limit: Option<u64>,
    /// Block devices it read or wrote; `None` if that is not counted.
    pub devices: Option<Vec<Device>>,
    /// The links of its network namespace; `None` if it shares another's, or that is not counted.
    pub links: Option<Vec<Link>>,
    /// Waiting.
    pub pressure: Pressure,
}

impl Usage {
    /// A figure of all block devices together.
    pub fn sum_devices(&self, figure: impl Fn(&Device) -> u64) -> Option<u64> {
        self.devices.as_ref().map(|devices| devices.iter().map(figure).fold(0, u64::saturating_add))
    }

    /// A figure of all links but the loopback one together.
    pub fn sum_links(&self, figure: impl Fn(&Link) -> u64) -> Option<u64> {
        self.links.as_ref().map(|links| links.iter().filter(|link| !link.is_loopback()).map(figure).fold(0, u64::saturating_add))
    }
}

/// Use of processors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// Nanoseconds of all its processes since it started.
    pub total: Option<u64>,
    /// Of these, in programs.
    pub user: Option<u64>,
    /// Of these, in the kernel.
    pub system: Option<u64>,
    /// Nanoseconds on each of the machine's processors; `None` where they are not told apart (cgroup v2).
    pub each: Option<Vec<u64>>,
    /// Nanoseconds of processor time it may use in a second; also `None` without a limit.
    pub limit: Option<u64>,
    /// How it was held back; `None` if that is not counted.
    pub throttling: Option<Throttling>,
}

/// How a container was held back by its limit of processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// The scheduler's periods in which it wanted to run.
    pub periods: u64,
    /// Those of them in which it was held back.
    pub throttled: u64,
    /// For how many nanoseconds, of all processors.
    pub time: u64,
}

/// Use of memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All that is charged to it.
    pub total: Option<u64>,
    /// What it works with: all but file pages that were not touched lately, which the kernel can drop at once.
    pub working_set: Option<u64>,
    /// Pages of files.
    pub cache: Option<u64>,
    /// Pages of no file.
    pub anon: Option<u64>,
    /// The kernel's own for it.
    pub kernel: Option<u64>,
    /// What was moved to swap space.
    pub swap: Option<u64>,
    /// The most that was ever charged to it.
    pub peak: Option<u64>,
    /// The most it may have; also `None` without a limit.
    pub limit: Option<u64>,
    /// The most swap space it may have; also `None` without a limit.
    pub swap_limit: Option<u64>,
    /// How often it was refused more (v1: `memory.failcnt` and `memory.memsw.failcnt`; v2: `max` of `memory.events`).
    pub failures: Option<u64>,
    /// How often it was slowed down at `memory.high`.
    pub high: Option<u64>,
    /// How often the kernel found no memory for it within its limit.
    pub oom: Option<u64>,
    /// How many of its processes the kernel killed for want of memory.
    pub oom_kills: Option<u64>,
}

/// Use of a block device since the container started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its major and minor number.
    pub number: (u32, u32),
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Operations that read.
    pub reads: u64,
    /// Operations that wrote.
    pub writes: u64,
}

/// Use of a link since it is there, as the container sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its name inside, filled up with noughts.
    pub name: [u8; 16],
    /// What came in.
    pub received: Carried,
    /// What went out.
    pub sent: Carried,
}

impl Link {
    /// Its name inside. The kernel allows any bytes but `/` and white space: foreign text.
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        let end = self.name.iter().position(|byte| *byte == 0).unwrap_or(self.name.len());
        String::from_utf8_lossy(&self.name[..end])
    }

    /// Whether it is the one that leads back to the container itself.
    pub fn is_loopback(&self) -> bool {
        self.name.starts_with(b"lo\0")
    }
}

/// What a link carried in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets that were damaged.
    pub errors: u64,
    /// Packets that were dropped.
    pub dropped: u64,
}

/// For how long its processes waited (PSI), since the cgroup was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// For a processor.
    pub cpu: Option<Stall>,
    /// For memory.
    pub memory: Option<Stall>,
    /// For block I/O.
    pub io: Option<Stall>,
}

/// Time spent waiting, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    /// When at least one of its tasks waited.
    pub some: u64,
    /// When all of them did; `None` where the kernel does not tell (for processors, before 5.13).
    pub full: Option<u64>,
}
