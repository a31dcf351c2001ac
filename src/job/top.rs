//! `top`: the processes of a container.

use crate::engine::{Error, Job, JobContext, Result};
use clap::Args;
use serde::Serialize;

/// Show the processes of a container
#[derive(Args, Clone, Debug)]
pub struct Top {
    /// Container
    pub container: String,
    /// Columns, as ps names them: -o pid,ppid,user,args
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTIONS")]
    pub options: Vec<String>,
}

/// A container's processes as a table.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Processes {
    /// Headings.
    pub titles: Vec<String>,
    /// Rows, by process number.
    pub processes: Vec<Vec<String>>,
}

/// The columns there are: what users type, the heading, what it is.
const COLUMNS: [(&str, &str, Column); 13] = [
    ("user", "UID", Column::User),
    ("uid", "UID", Column::User),
    ("pid", "PID", Column::Pid),
    ("ppid", "PPID", Column::Parent),
    ("c", "C", Column::Share),
    ("stime", "STIME", Column::Started),
    ("tty", "TTY", Column::Terminal),
    ("time", "TIME", Column::Time),
    ("cmd", "CMD", Column::Command),
    ("args", "CMD", Column::Command),
    ("comm", "COMMAND", Column::Name),
    ("rss", "RSS", Column::Memory),
    ("stat", "STAT", Column::State),
];

#[derive(Clone, Copy, Debug)]
enum Column {
    User,
    Pid,
    Parent,
    Share,
    Started,
    Terminal,
    Time,
    Command,
    Name,
    Memory,
    State,
}

impl Job for Top {
    type Output = Processes;
    const VERB: &'static str = "top";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("top {}", self.container)
    }

    async fn run(self, context: JobContext) -> Result<Processes> {
        context.blocking(move |context| list(&self, context)).await
    }
}

fn columns(options: &[String]) -> Result<Vec<(&'static str, Column)>> {
    let wanted = match options {
        [] => "uid,pid,ppid,c,stime,tty,time,cmd".to_owned(),
        [full] if matches!(full.as_str(), "-ef" | "aux" | "-aux" | "-f") => "uid,pid,ppid,c,stime,tty,time,cmd".to_owned(),
        [flag, list] if matches!(flag.as_str(), "-o" | "-eo") => list.clone(),
        [list] if list.starts_with("-o") => list[2..].to_owned(),
        other => return Err(Error::invalid(format!("top: cannot follow {:?}: expected -o with columns such as pid,user,args", other.join(" ")))),
    };
    wanted
        .split(',')
        .map(|name| {
            let known = COLUMNS.iter().find(|(key, _, _)| *key == name.trim());
            let names: Vec<&str> = COLUMNS.iter().map(|(key, _, _)| *key).collect();
            known
                .map(|(_, title, column)| (*title, *column))
                .ok_or_else(|| Error::invalid(format!("top: unknown column {name:?}: expected some of {}", names.join(","))))
        })
        .collect()
}

fn list(top: &Top, context: &JobContext) -> Result<Processes> {
    let container = context.engine.container(&top.container)?;
    let columns = columns(&top.options)?;
    if !container.state.status.is_alive() {
        return Err(Error::conflict(format!("container {} is not running", container.name)));
    }
    let mut pids = context.engine.processes(&container)?;
    pids.sort_unstable();
    let now = Clock::now();
    let processes = pids.into_iter().filter_map(Process::read).map(|process| columns.iter().map(|(_, column)| process.cell(*column, &now)).collect()).collect();
    Ok(Processes { titles: columns.iter().map(|(title, _)| (*title).to_owned()).collect(), processes })
}

/// What the kernel counts time in, and what time it is.
struct Clock {
    ticks: u64,
    uptime: u64,
    now: jiff::Timestamp,
}

impl Clock {
    fn now() -> Self {
        let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec.unsigned_abs();
        Self { ticks: clock_ticks(), uptime, now: jiff::Timestamp::now() }
    }
}

/// A process as `/proc/PID` tells of it. Source: proc_pid_stat(5).
struct Process {
    pid: i32,
    stat: Vec<String>,
    name: String,
    command: String,
    uid: u32,
}

impl Process {
    /// `None` if it has ended meanwhile.
    fn read(pid: i32) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let folder = std::path::PathBuf::from(format!("/proc/{pid}"));
        let uid = std::fs::metadata(&folder).ok()?.uid();
        let text = std::fs::read(folder.join("stat")).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, tail) = text.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let line = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
        let command = if line.is_empty() { format!("[{name}]") } else { line };
        Some(Self { pid, stat: tail.split_ascii_whitespace().map(str::to_owned).collect(), name, command, uid })
    }

    /// Field `n` of the manual page, counted from 3.
    fn field(&self, n: usize) -> u64 {
        self.stat.get(n - 3).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn cell(&self, column: Column, clock: &Clock) -> String {
        let seconds = (self.field(14) + self.field(15)) / clock.ticks;
        let age = clock.uptime.saturating_sub(self.field(22) / clock.ticks);
        match column {
            Column::User => nix::unistd::User::from_uid(self.uid.into()).ok().flatten().map_or_else(|| self.uid.to_string(), |user| user.name),
            Column::Pid => self.pid.to_string(),
            Column::Parent => self.field(4).to_string(),
            Column::Share => (seconds * 100).checked_div(age).unwrap_or(0).min(99).to_string(),
            Column::Started => {
                let started = clock.now - jiff::SignedDuration::from_secs(age as i64);
                started.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string()
            }
            Column::Terminal => match self.field(7) {
                0 => "?".to_owned(),
                device => format!("pts/{}", device & 0xff | device >> 12 & 0xfff00),
            },
            Column::Time => format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
            Column::Command => self.command.clone(),
            Column::Name => self.name.clone(),
            Column::Memory => (self.field(24) * page_size() / 1024).to_string(),
            Column::State => self.stat.first().cloned().unwrap_or_default(),
        }
    }
}

fn system(name: nix::unistd::SysconfVar, otherwise: u64) -> u64 {
    nix::unistd::sysconf(name).ok().flatten().and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(otherwise)
}

fn clock_ticks() -> u64 {
    system(nix::unistd::SysconfVar::CLK_TCK, 100)
}

fn page_size() -> u64 {
    system(nix::unistd::SysconfVar::PAGE_SIZE, 4096)
}
