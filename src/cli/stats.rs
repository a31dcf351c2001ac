//! What containers use, shown again and again: docker's columns, and beside them how long they waited and were held back.

use super::face::{self, Face};
use super::live::Live;
use super::verb::Measuring;
use super::{size, terminal};
use crate::engine::stats::Share;
use crate::engine::{Engine, Error, Result, Usage};
use crate::job::stats::{Block, Figures};
use serde_json::{Value, json};
use std::io::{self, IsTerminal};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Receiver;

/// The columns of `stats`.
const COLUMNS: &[(&str, &str)] = &[
    ("CONTAINER ID", "ID"),
    ("NAME", "Name"),
    ("CPU %", "CPUPerc"),
    ("MEM USAGE / LIMIT", "MemUsage"),
    ("MEM %", "MemPerc"),
    ("NET I/O", "NetIO"),
    ("BLOCK I/O", "BlockIO"),
    ("PIDS", "PIDs"),
    ("PSI C/M/I", "PSI"),
    ("THROTTLED", "Throttled"),
];
/// Those that only a template asks for.
const MORE: &[(&str, &str)] = &[
    ("CONTAINER", "Container"),
    ("CPU PSI", "CPUPressure"),
    ("MEM PSI", "MemPressure"),
    ("I/O PSI", "IOPressure"),
    ("SWAP", "Swap"),
    ("OOM KILLS", "OOMKills"),
];

/// What is not counted.
const UNKNOWN: &str = "--";

/// `stats`.
pub async fn stats(verb: Measuring, engine: &Engine, face: &mut Face) -> Result<i32> {
    let Measuring { mut job, format, no_trunc } = verb;
    let one_a_line = format.as_deref() == Some("json");
    let shown = Shown { format, no_trunc, memory: memory_of_this_machine() };
    // What is wrong with a template is said before a second has gone.
    shown.text(&[])?;
    let stream = !job.no_stream;
    let live = stream && !one_a_line && !face.is_batch() && !face.is_json() && io::stdout().is_terminal();
    job.at_once = live;
    let mut blocks = engine.run(job).await?;
    if live && let Some(size) = terminal::size(io::stdout()) {
        return watch(&shown, &mut blocks, size).await;
    }
    let mut last = Value::Array(Vec::new());
    let mut called_off = Box::pin(face.left());
    loop {
        let block = tokio::select! {
            block = blocks.recv() => block,
            off = &mut called_off => {
                face.give(last);
                return Ok(super::exit_status(&Error::new(off, "cancelled"), 1));
            }
        };
        let Some(block) = block else { break };
        let rows = shown.rows(&block?);
        if !face.is_json() {
            face.print(&shown.text(&rows)?)?;
        } else if stream {
            // A result comes once, at the end: what is told until then is output.
            face.raw("stdout", face::formatted("json", &rows, &[])?.as_bytes())?;
        }
        last = Value::Array(rows);
    }
    face.give(last);
    Ok(0)
}

/// Redraws the figures until they end or a signal comes.
async fn watch(shown: &Shown, blocks: &mut Receiver<Result<Block>>, size: (u16, u16)) -> Result<i32> {
    let failed = |error: io::Error| Error::io("cannot draw on the terminal", &error);
    let here = || terminal::size(io::stdout()).unwrap_or(size);
    let mut resized = signal(SignalKind::window_change()).map_err(failed)?;
    let mut suspended = signal(SignalKind::from_raw(libc::SIGTSTP)).map_err(failed)?;
    let mut ended = Box::pin(terminal::restore_on_signals().map_err(failed)?);
    let mut live = Live::enter(io::stdout(), size).map_err(failed)?;
    loop {
        tokio::select! {
            block = blocks.recv() => match block {
                Some(block) => live.show(shown.text(&shown.rows(&block?))?).map_err(failed)?,
                None => return Ok(0),
            },
            _ = resized.recv() => live.resize(here()).map_err(failed)?,
            _ = suspended.recv() => {
                live.leave().map_err(failed)?;
                // Goes on here when the shell has it go on.
                let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP);
                live.enter_again(here()).map_err(failed)?;
            }
            number = &mut ended => return Ok(128 + number),
        }
    }
}

fn memory_of_this_machine() -> u64 {
    let system = rustix::system::sysinfo();
    system.totalram as u64 * u64::from(system.mem_unit)
}

/// How figures are printed.
struct Shown {
    format: Option<String>,
    no_trunc: bool,
    /// Bytes of memory of this machine: the limit of whoever has none.
    memory: u64,
}

impl Shown {
    fn rows(&self, block: &[Figures]) -> Vec<Value> {
        block.iter().map(|figures| row(figures, self.no_trunc, self.memory)).collect()
    }

    fn text(&self, rows: &[Value]) -> Result<String> {
        match self.format.as_deref().filter(|format| *format != "table") {
            None => Ok(face::table(rows, COLUMNS)),
            Some(format) => face::formatted(format, rows, &[COLUMNS, MORE].concat()),
        }
    }
}

/// A row: docker's names, and ours.
fn row(figures: &Figures, whole: bool, memory: u64) -> Value {
    let id = &figures.container.id;
    let none = Usage::default();
    let usage = figures.sample.as_ref().map_or(&none, |sample| &sample.usage);
    let rate = figures.rate.unwrap_or_default();
    let own = usage.memory.working_set;
    let limit = usage.memory.limit.filter(|limit| *limit < memory).unwrap_or(memory);
    let bytes = |count: Option<u64>, how: fn(u64) -> String| count.map_or_else(|| UNKNOWN.to_owned(), how);
    let both = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (None, None) => UNKNOWN.to_owned(),
        (one, other) => format!("{} / {}", bytes(one, size::decimal), bytes(other, size::decimal)),
    };
    let waited = [rate.cpu_pressure, rate.memory_pressure, rate.io_pressure].map(|share: Share| share.some);
    json!({
        "Container": if whole || figures.asked != id.as_str() { figures.asked.as_str() } else { id.short() },
        "ID": if whole { id.as_str() } else { id.short() },
        "Name": figures.container.name,
        "CPUPerc": percent(rate.cpu, 2),
        "MemUsage": format!("{} / {}", bytes(own, size::binary), bytes(own.map(|_| limit), size::binary)),
        "MemPerc": percent(own.map(|own| own as f64 / limit.max(1) as f64), 2),
        "NetIO": both(usage.sum_links(|link| link.received.bytes), usage.sum_links(|link| link.sent.bytes)),
        "BlockIO": both(usage.sum_devices(|device| device.read), usage.sum_devices(|device| device.written)),
        "PIDs": usage.processes.map_or_else(|| UNKNOWN.to_owned(), |count| count.to_string()),
        "PSI": if waited == [None; 3] { UNKNOWN.to_owned() } else { waited.map(|share| percent(share, 1)).join("/") },
        // Nobody is held back by a limit that is not there.
        "Throttled": percent(rate.throttled.filter(|_| usage.cpu.limit.is_some()), 2),
        "CPUPressure": percent(waited[0], 2),
        "MemPressure": percent(waited[1], 2),
        "IOPressure": percent(waited[2], 2),
        "Swap": bytes(usage.memory.swap, size::binary),
        "OOMKills": usage.memory.oom_kills.map_or_else(|| UNKNOWN.to_owned(), |count| count.to_string()),
    })
}

fn percent(share: Option<f64>, digits: usize) -> String {
    share.map_or_else(|| UNKNOWN.to_owned(), |share| format!("{:.digits$}%", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Config, Container, HostConfig, State};
    use crate::engine::stats::{Rate, Sample};
    use crate::engine::{Device, Link, Memory};
    use crate::id::ContainerId;
    use std::time::Instant;

    fn figures(sample: Option<Usage>, rate: Option<Rate>) -> Figures {
        let container = Container {
            id: "a".repeat(64).parse::<ContainerId>().unwrap(),
            name: "web".to_owned(),
            created: jiff::Timestamp::UNIX_EPOCH,
            image: String::new(),
            image_id: None,
            layers: Vec::new(),
            driver: String::new(),
            config: Config::default(),
            host_config: HostConfig::default(),
            state: State::default(),
        };
        let sample = sample.map(|usage| Sample { at: Instant::now(), usage });
        Figures { container, asked: "we".to_owned(), sample, rate }
    }

    fn usage() -> Usage {
        let link = |name: &[u8], bytes| {
            let mut link = Link::default();
            link.name[..name.len()].copy_from_slice(name);
            link.received.bytes = bytes;
            link
        };
        Usage {
            memory: Memory { working_set: Some(64 << 20), limit: Some(256 << 20), ..Memory::default() },
            processes: Some(3),
            devices: Some(vec![Device { number: (8, 0), read: 4_100_000, ..Device::default() }]),
            links: Some(vec![link(b"lo", 77), link(b"eth0", 1_500)]),
            ..Usage::default()
        }
    }

    #[test]
    fn figures_read_as_dockers() {
        let share = Share { some: Some(0.125), full: None };
        let rate = Rate { cpu: Some(1.503), throttled: Some(0.5), io_pressure: share, ..Rate::default() };
        let row = row(&figures(Some(usage()), Some(rate)), false, 1 << 30);
        let field = |name: &str| row[name].as_str().unwrap().to_owned();
        assert_eq!(["Container", "ID", "Name"].map(field), ["we", "aaaaaaaaaaaa", "web"]);
        assert_eq!(["CPUPerc", "MemUsage", "MemPerc"].map(field), ["150.30%", "64MiB / 256MiB", "25.00%"]);
        assert_eq!(["NetIO", "BlockIO", "PIDs"].map(field), ["1.5kB / 0B", "4.1MB / 0B", "3"]);
        assert_eq!(["PSI", "IOPressure", "Throttled"].map(field), ["--/--/12.5%", "12.50%", "--"]);
    }

    #[test]
    fn what_is_not_known_is_not_nought() {
        let row = row(&figures(None, None), false, 1 << 30);
        let unknown = ["CPUPerc", "MemPerc", "NetIO", "BlockIO", "PIDs", "PSI", "Throttled", "Swap", "OOMKills"];
        assert!(unknown.iter().all(|name| row[name] == UNKNOWN), "{row}");
        assert_eq!(row["MemUsage"], "-- / --");
    }

    #[test]
    fn a_limit_beyond_the_machine_is_the_machine() {
        let endless = Usage { memory: Memory { working_set: Some(1 << 20), limit: None, ..Memory::default() }, ..Usage::default() };
        assert_eq!(row(&figures(Some(endless), None), false, 1 << 30)["MemUsage"], "1MiB / 1GiB");
        assert_eq!(row(&figures(Some(usage()), None), false, 128 << 20)["MemUsage"], "64MiB / 128MiB");
    }

    #[test]
    fn templates_name_every_column() {
        let shown = |format: &str| Shown { format: Some(format.to_owned()), no_trunc: false, memory: 1 << 30 };
        let names: Vec<String> = [COLUMNS, MORE].concat().iter().map(|(_, key)| format!("{{{{.{key}}}}}")).collect();
        let row = row(&figures(Some(usage()), None), false, 1 << 30);
        let text = shown(&format!("table {}", names.join("\\t"))).text(std::slice::from_ref(&row)).unwrap();
        assert!(text.starts_with("CONTAINER ID   NAME") && text.contains("I/O PSI") && text.lines().count() == 2, "{text}");
        assert_eq!(shown("{{.Name}} {{.PIDs}}").text(std::slice::from_ref(&row)).unwrap(), "web 3\n");
        assert!(shown("{{.Nothing").text(&[]).is_err());
    }
}
