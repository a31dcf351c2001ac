//! A process as `ps` tells of it: the columns there are, and what stands in them.
//!
//! Source: proc_pid_stat(5); names and forms of columns as in ps(1) of procps.

use std::os::unix::fs::MetadataExt;

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Whose it is, by name.
    User,
    /// Whose it is, by number.
    Uid,
    /// Its number.
    Pid,
    /// Its parent's.
    Parent,
    /// Its process group's.
    Group,
    /// Its session's.
    Session,
    /// Whole per cents of a processor, over its life.
    Share,
    /// The same, to a tenth.
    Processor,
    /// Per cents of this machine's memory.
    MemoryShare,
    /// KiB of addresses.
    Addresses,
    /// KiB of memory.
    Memory,
    /// Its terminal.
    Terminal,
    /// R, S, D, Z …
    State,
    /// The same with marks.
    StateMarks,
    /// When it started: the time, or the day.
    Started,
    /// For how long it has run.
    Age,
    /// The same in seconds.
    Seconds,
    /// Processor time it took.
    Time,
    /// The same in minutes and seconds.
    Minutes,
    /// How nice it is.
    Nice,
    /// Its threads.
    Threads,
    /// The processor it ran on last.
    On,
    /// What it was called with.
    Command,
    /// Its short name.
    Name,
}

/// The columns: what users type, the heading, what it is.
pub const COLUMNS: [(&str, &str, Column); 41] = [
    ("user", "USER", Column::User),
    ("euser", "EUSER", Column::User),
    ("uname", "USER", Column::User),
    ("uid", "UID", Column::Uid),
    ("euid", "EUID", Column::Uid),
    ("pid", "PID", Column::Pid),
    ("ppid", "PPID", Column::Parent),
    ("pgid", "PGID", Column::Group),
    ("pgrp", "PGRP", Column::Group),
    ("sid", "SID", Column::Session),
    ("sess", "SESS", Column::Session),
    ("c", "C", Column::Share),
    ("pcpu", "%CPU", Column::Processor),
    ("%cpu", "%CPU", Column::Processor),
    ("pmem", "%MEM", Column::MemoryShare),
    ("%mem", "%MEM", Column::MemoryShare),
    ("vsz", "VSZ", Column::Addresses),
    ("vsize", "VSZ", Column::Addresses),
    ("rss", "RSS", Column::Memory),
    ("rsz", "RSZ", Column::Memory),
    ("tty", "TT", Column::Terminal),
    ("tt", "TT", Column::Terminal),
    ("tname", "TTY", Column::Terminal),
    ("s", "S", Column::State),
    ("state", "S", Column::State),
    ("stat", "STAT", Column::StateMarks),
    ("stime", "STIME", Column::Started),
    ("start_time", "START", Column::Started),
    ("etime", "ELAPSED", Column::Age),
    ("etimes", "ELAPSED", Column::Seconds),
    ("time", "TIME", Column::Time),
    ("cputime", "TIME", Column::Time),
    ("bsdtime", "TIME", Column::Minutes),
    ("ni", "NI", Column::Nice),
    ("nice", "NI", Column::Nice),
    ("nlwp", "NLWP", Column::Threads),
    ("psr", "PSR", Column::On),
    ("args", "COMMAND", Column::Command),
    ("command", "COMMAND", Column::Command),
    ("cmd", "CMD", Column::Command),
    ("comm", "COMMAND", Column::Name),
];

/// What this machine counts in, and what time it is.
pub struct Clock {
    ticks: u64,
    memory: u64,
    uptime: u64,
    now: jiff::Zoned,
}

impl Clock {
    /// Now, here.
    pub fn now() -> Self {
        use nix::unistd::SysconfVar::CLK_TCK;
        let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec.unsigned_abs();
        let machine = rustix::system::sysinfo();
        let memory = (machine.totalram as u64 * u64::from(machine.mem_unit)).max(1);
        Self { ticks: system(CLK_TCK, 100), memory, uptime, now: jiff::Zoned::now() }
    }
}

fn system(name: nix::unistd::SysconfVar, otherwise: u64) -> u64 {
    nix::unistd::sysconf(name).ok().flatten().and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(otherwise)
}

/// A process as `/proc/PID` tells of it.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    stat: Vec<String>,
    name: String,
    command: String,
    uid: u32,
    /// KiB of memory. Field 24 of the manual page is not exact.
    memory: u64,
}

impl Process {
    /// `None` if it has ended meanwhile.
    pub fn read(pid: i32) -> Option<Self> {
        let folder = std::path::PathBuf::from(format!("/proc/{pid}"));
        let uid = std::fs::metadata(&folder).ok()?.uid();
        let text = std::fs::read(folder.join("stat")).ok()?;
        let line = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        let status = std::fs::read(folder.join("status")).unwrap_or_default();
        let mut process = Self::parse(pid, uid, &String::from_utf8_lossy(&text), &String::from_utf8_lossy(&line))?;
        process.memory = resident(&String::from_utf8_lossy(&status));
        Some(process)
    }

    fn parse(pid: i32, uid: u32, stat: &str, line: &str) -> Option<Self> {
        // Its name is its own choice, brackets and all.
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let line = line.trim_end_matches('\0').replace('\0', " ");
        let command = if line.is_empty() { format!("[{name}]") } else { line };
        Some(Self { pid, stat: tail.split_ascii_whitespace().map(str::to_owned).collect(), name, command, uid, memory: 0 })
    }

    /// Field `n` of the manual page, counted from 3; nought where there is none.
    fn field(&self, n: usize) -> i64 {
        self.stat.get(n - 3).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn count(&self, n: usize) -> u64 {
        self.field(n).unsigned_abs()
    }

    /// Ticks of processor time.
    fn busy(&self) -> u64 {
        self.count(14) + self.count(15)
    }

    /// Seconds since it started.
    fn age(&self, clock: &Clock) -> u64 {
        clock.uptime.saturating_sub(self.count(22) / clock.ticks)
    }

    /// Thousandths of a processor, over its life.
    fn share(&self, clock: &Clock) -> u64 {
        (self.busy() * 1000 / clock.ticks).checked_div(self.age(clock)).unwrap_or(0)
    }

    /// What a column is sorted by: a number where it is one.
    pub fn rank(&self, column: Column, clock: &Clock) -> Option<i64> {
        Some(match column {
            Column::Uid => i64::from(self.uid),
            Column::Pid => i64::from(self.pid),
            Column::Parent => self.field(4),
            Column::Group => self.field(5),
            Column::Session => self.field(6),
            Column::Share | Column::Processor => self.share(clock) as i64,
            Column::MemoryShare | Column::Memory => self.memory as i64,
            Column::Addresses => self.field(23),
            Column::Started => self.field(22),
            Column::Age | Column::Seconds => self.age(clock) as i64,
            Column::Time | Column::Minutes => self.busy() as i64,
            Column::Nice => self.field(19),
            Column::Threads => self.field(20),
            Column::On => self.field(39),
            Column::User | Column::Terminal | Column::State | Column::StateMarks | Column::Command | Column::Name => return None,
        })
    }

    /// What stands in a column.
    pub fn cell(&self, column: Column, clock: &Clock) -> String {
        let seconds = self.busy() / clock.ticks;
        let tenths = |thousandths: u64| format!("{}.{}", thousandths / 10, thousandths % 10);
        match column {
            Column::User => nix::unistd::User::from_uid(self.uid.into()).ok().flatten().map_or_else(|| self.uid.to_string(), |user| user.name),
            Column::Share => (self.share(clock) / 10).min(99).to_string(),
            Column::Processor => tenths(self.share(clock)),
            Column::MemoryShare => tenths(self.memory.saturating_mul(1024 * 1000) / clock.memory),
            Column::Addresses => (self.count(23) / 1024).to_string(),
            Column::Memory => self.memory.to_string(),
            Column::Terminal => self.terminal(),
            Column::State => self.stat.first().cloned().unwrap_or_default(),
            Column::StateMarks => self.state_marks(),
            Column::Started => started(&clock.now, self.age(clock)),
            Column::Age => elapsed(self.age(clock)),
            Column::Time => format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
            Column::Minutes => format!("{}:{:02}", seconds / 60, seconds % 60),
            Column::Command => self.command.clone(),
            Column::Name => self.name.clone(),
            Column::Uid | Column::Pid | Column::Parent | Column::Group | Column::Session | Column::Seconds | Column::Nice | Column::Threads | Column::On => {
                self.rank(column, clock).unwrap_or(0).to_string()
            }
        }
    }

    fn terminal(&self) -> String {
        match self.count(7) {
            0 => "?".to_owned(),
            device if (device >> 8 & 0xfff) == 4 => format!("tty{}", device & 0xff),
            device => format!("pts/{}", device & 0xff | device >> 12 & 0xfff00),
        }
    }

    fn state_marks(&self) -> String {
        let mut state = self.stat.first().cloned().unwrap_or_default();
        let (nice, foreground) = (self.field(19), self.field(8) == self.field(5));
        let marks = [('<', nice < 0), ('N', nice > 0), ('s', self.field(6) == i64::from(self.pid)), ('l', self.field(20) > 1), ('+', foreground)];
        state.extend(marks.iter().filter(|(_, holds)| *holds).map(|(mark, _)| *mark));
        state
    }
}

/// KiB of memory; nought for one that has none of its own. Source: proc_pid_status(5).
fn resident(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The time of day, or of what has run longer the day, or the year.
fn started(now: &jiff::Zoned, age: u64) -> String {
    let Ok(then) = now.checked_sub(jiff::SignedDuration::from_secs(age as i64)) else { return "?".to_owned() };
    let form = match (now.year() == then.year(), now.day_of_year() == then.day_of_year()) {
        (true, true) => "%H:%M",
        (true, false) => "%b%d",
        (false, _) => "%Y",
    };
    then.strftime(form).to_string()
}

/// `[[days-]hours:]minutes:seconds`.
fn elapsed(seconds: u64) -> String {
    let (days, hours, rest) = (seconds / 86_400, seconds / 3600 % 24, format!("{:02}:{:02}", seconds / 60 % 60, seconds % 60));
    match (days, hours) {
        (0, 0) => rest,
        (0, hours) => format!("{hours:02}:{rest}"),
        (days, hours) => format!("{days}-{hours:02}:{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        let now = "2026-03-05T12:00:00[UTC]".parse().unwrap();
        Clock { ticks: 100, memory: 1 << 30, uptime: 1000, now }
    }

    #[test]
    fn a_process_reads_as_ps_tells_it() {
        let stat = "77 (a) b) S 1 77 77 34817 77 0 0 0 0 0 4000 1000 0 0 20 5 2 0 50000 8388608 2560 0";
        let mut process = Process::parse(77, 0, stat, "/bin/x\0-y\0").unwrap();
        process.memory = resident("Name:\ta\nVmRSS:\t   10240 kB\n");
        let cell = |column| process.cell(column, &clock());
        assert_eq!([Column::Pid, Column::Parent, Column::Name, Column::Command].map(cell), ["77", "1", "a) b", "/bin/x -y"]);
        assert_eq!([Column::Share, Column::Processor, Column::Memory, Column::MemoryShare].map(cell), ["10", "10.0", "10240", "0.9"]);
        assert_eq!([Column::Addresses, Column::Terminal, Column::StateMarks].map(cell), ["8192", "pts/1", "SNsl+"]);
        assert_eq!([Column::Started, Column::Age, Column::Time, Column::Minutes].map(cell), ["11:51", "08:20", "00:00:50", "0:50"]);
        assert_eq!(Process::parse(2, 0, "2 (k) S 0 0", "").unwrap().cell(Column::Command, &clock()), "[k]");
        assert!(Process::parse(2, 0, "nothing", "").is_none());
    }

    #[test]
    fn long_times_are_short() {
        assert_eq!((elapsed(59), elapsed(3600), elapsed(90_061)), ("00:59".to_owned(), "01:00:00".to_owned(), "1-01:01:01".to_owned()));
        let now = clock().now;
        assert_eq!((started(&now, 86_400), started(&now, 100 * 86_400)), ("Mar04".to_owned(), "2025".to_owned()));
    }
}
