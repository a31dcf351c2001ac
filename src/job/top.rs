//! `top`: the processes of a container, with the options of `ps` that people give.

use super::process::{COLUMNS, Clock, Column, Process};
use crate::engine::{Error, Job, JobContext, Result};
use clap::Args;
use serde::Serialize;
use std::cmp::Ordering;

/// Show the processes of a container
#[derive(Args, Clone, Debug)]
pub struct Top {
    /// Container
    pub container: String,
    /// As of ps: -ef, aux, -o pid,user,args, --sort=-rss
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTIONS")]
    pub options: Vec<String>,
}

/// A container's processes as a table.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Processes {
    /// Headings.
    pub titles: Vec<String>,
    /// Rows, by process number unless they are sorted otherwise.
    pub processes: Vec<Vec<String>>,
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

/// What is to be shown: headings and columns, and what the rows are sorted by, downwards or not.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    columns: Vec<(String, Column)>,
    sort: Vec<(Column, bool)>,
}

/// The columns of `ps -ef`: names and headings, those that `-o` has otherwise among them.
const FULL: &str = "user=UID pid ppid c stime tname time cmd";
/// Those of `ps aux`.
const LONG: &str = "user pid %cpu %mem vsz rss tname stat start_time bsdtime command";

fn wanted(options: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    let mut words = options.iter().map(String::as_str);
    let mut usual = FULL;
    while let Some(word) = words.next() {
        let unknown = || Error::invalid(format!("top: cannot follow {word:?}: expected -ef, aux, -o with columns such as pid,user,args, or --sort=-rss"));
        let mut value = |given: &str| match given.trim_start_matches('=') {
            "" => words.next().map(str::to_owned).ok_or_else(|| Error::invalid(format!("top: a list of columns is missing after {word:?}"))),
            given => Ok(given.to_owned()),
        };
        if let Some(given) = word.strip_prefix("--sort") {
            wanted.sort.extend(sort(&value(given)?)?);
            continue;
        }
        if let Some(given) = word.strip_prefix("--format") {
            wanted.columns.extend(columns(&value(given)?)?);
            continue;
        }
        let letters = word.strip_prefix('-').unwrap_or(word);
        // The column list may follow its letter in the same word.
        let (letters, list) = letters.split_once('o').map_or((letters, None), |(letters, list)| (letters, Some(list)));
        match (word.starts_with('-'), letters) {
            (_, "aux" | "auxw" | "auxww" | "axu" | "uax" | "u") => usual = LONG,
            (true, letters) if letters.chars().all(|letter| "eAadfFwx".contains(letter)) => {}
            (false, letters) if letters.chars().all(|letter| "axw".contains(letter)) => {}
            _ => return Err(unknown()),
        }
        match list {
            Some(list) => wanted.columns.extend(columns(&value(list)?)?),
            None if letters.is_empty() => return Err(unknown()),
            None => {}
        }
    }
    if wanted.columns.is_empty() {
        wanted.columns = columns(&usual.replace(' ', ","))?;
    }
    Ok(wanted)
}

fn column(name: &str) -> Result<(&'static str, Column)> {
    let names = || COLUMNS.iter().map(|(key, _, _)| *key).collect::<Vec<_>>().join(",");
    let known = COLUMNS.iter().find(|(key, _, _)| *key == name).map(|(_, title, column)| (*title, *column));
    known.ok_or_else(|| Error::invalid(format!("top: unknown column {name:?}: expected some of {}", names())))
}

/// `pid,user=WHO,args`: a heading of one's own may follow each.
fn columns(list: &str) -> Result<Vec<(String, Column)>> {
    let one = |part: &str| {
        let (name, own) = part.split_once('=').map_or((part, None), |(name, title)| (name, Some(title)));
        let (title, column) = column(name.trim())?;
        Ok((own.unwrap_or(title).to_owned(), column))
    };
    list.split([',', ' ']).filter(|part| !part.is_empty()).map(one).collect()
}

/// `-rss,pid`: downwards by memory, then upwards by number.
fn sort(list: &str) -> Result<Vec<(Column, bool)>> {
    list.split(',').map(|key| column(key.trim_start_matches(['+', '-'])).map(|(_, column)| (column, key.starts_with('-')))).collect()
}

fn list(top: &Top, context: &JobContext) -> Result<Processes> {
    let container = context.engine.container(&top.container)?;
    let wanted = wanted(&top.options)?;
    if !container.state.status.is_alive() {
        return Err(Error::conflict(format!("container {} is not running", container.name)));
    }
    let mut pids = context.engine.processes(&container)?;
    pids.sort_unstable();
    let clock = Clock::now();
    let mut processes: Vec<Process> = pids.into_iter().filter_map(Process::read).collect();
    processes.sort_by(|one, other| wanted.sort.iter().map(|key| compare(one, other, *key, &clock)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal));
    let row = |process: &Process| wanted.columns.iter().map(|(_, column)| process.cell(*column, &clock)).collect();
    let processes = processes.iter().map(row).collect();
    Ok(Processes { titles: wanted.columns.into_iter().map(|(title, _)| title).collect(), processes })
}

fn compare(one: &Process, other: &Process, (column, down): (Column, bool), clock: &Clock) -> Ordering {
    let order = match (one.rank(column, clock), other.rank(column, clock)) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => one.cell(column, clock).cmp(&other.cell(column, clock)),
    };
    if down { order.reverse() } else { order }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(line: &str) -> Result<String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        wanted(&words).map(|wanted| wanted.columns.into_iter().map(|(title, _)| title).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_ways_people_ask_ps() {
        let full = "UID PID PPID C STIME TTY TIME CMD";
        for line in ["", "-ef", "-f", "-e", "-A", "ax"] {
            assert_eq!(titles(line).unwrap(), full, "{line}");
        }
        for line in ["aux", "-aux", "auxw"] {
            assert_eq!(titles(line).unwrap(), "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND", "{line}");
        }
        for line in ["-o pid,comm", "-eo pid,comm", "-opid,comm", "o pid,comm", "-e -o pid -o comm", "--format=pid,comm", "axo pid,comm"] {
            assert_eq!(titles(line).unwrap(), "PID COMMAND", "{line}");
        }
        assert_eq!(titles("-o pid=WHO,user,args").unwrap(), "WHO USER COMMAND");
        for line in ["-o", "-y", "foo", "-", "-o nothing", "-eLf", "--sort", "--sort=size", "--help"] {
            assert!(titles(line).is_err(), "{line}");
        }
    }

    #[test]
    fn rows_are_sorted_by_what_is_asked_for() {
        let sort = |line: &str| wanted(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap().sort;
        assert_eq!(sort("aux --sort=-rss,pid"), [(Column::Memory, true), (Column::Pid, false)]);
        assert_eq!(sort("-ef --sort +%cpu"), [(Column::Processor, false)]);
    }
}
