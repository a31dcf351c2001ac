//! One line of the list of jobs: a verb of this session with the jobs it became, or a job of another process.

use crate::engine::JobRow;
use crate::text::when;
use crate::tui::session::{CANCELLED, Work};
use crate::tui::widget::bars::clock;
use crate::tui::widget::pager::{Kind, Line};
use crate::tui::widget::table::{Cell, Row};
use crate::tui::world::World;
use jiff::Timestamp;
use std::collections::HashSet;

/// What a line stands for.
#[derive(Debug)]
pub enum Entry<'a> {
    /// A verb of this session, with its rows in the store's list.
    Work(&'a Work, Vec<&'a JobRow>),
    /// A job that nobody here asked for.
    Job(&'a JobRow),
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Done,
    Cancelled,
    Failed(&'static str),
}

/// All, newest first.
pub fn entries(world: &World) -> Vec<Entry<'_>> {
    let jobs = &world.snapshot.jobs;
    let ours: HashSet<i64> = world.works.iter().flat_map(|work| work.jobs.iter().map(|job| job.0)).collect();
    let mut list: Vec<Entry<'_>> = jobs.iter().filter(|job| !ours.contains(&job.id)).map(Entry::Job).collect();
    list.extend(world.works.iter().map(|work| {
        let rows = if work.jobs.is_empty() { Vec::new() } else { jobs.iter().filter(|row| work.jobs.iter().any(|job| job.0 == row.id)).collect() };
        Entry::Work(work, rows)
    }));
    list.sort_by_key(|entry| std::cmp::Reverse(entry.started()));
    list
}

fn moment(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

impl Entry<'_> {
    /// What it is, the same from one look to the next.
    pub fn key(&self) -> String {
        match self {
            Self::Work(work, _) => format!("work {}", work.id.0),
            Self::Job(job) => format!("job {}", job.id),
        }
    }

    /// What it is called: the command as one would type it.
    pub fn title(&self) -> &str {
        match self {
            Self::Work(work, _) => &work.title,
            Self::Job(job) => &job.title,
        }
    }

    fn started(&self) -> Timestamp {
        match self {
            // The store tells to the thousandth, the clock on the screen goes by seconds.
            Self::Work(work, rows) => rows.iter().map(|row| moment(row.started)).min().unwrap_or(work.began),
            Self::Job(job) => moment(job.started),
        }
    }

    /// Seconds it took, or has taken so far.
    fn took(&self, now: Timestamp) -> f64 {
        let end = match self {
            Self::Work(work, rows) => match (&work.ended, rows.iter().filter_map(|row| row.finished).max()) {
                (None, _) => now,
                (Some((ended, _)), finished) => finished.map_or(*ended, |finished| moment(finished).max(*ended)),
            },
            Self::Job(job) => job.finished.map_or(now, moment),
        };
        when::since(self.started(), end).as_secs_f64()
    }

    fn state(&self) -> State {
        match self {
            Self::Work(work, _) => match &work.ended {
                None => State::Running,
                Some((_, Ok(0))) => State::Done,
                Some((_, Err(sentence))) if sentence == CANCELLED => State::Cancelled,
                Some(_) => State::Failed("failed"),
            },
            Self::Job(job) => match job.state.as_str() {
                "running" => State::Running,
                "done" => State::Done,
                "cancelled" => State::Cancelled,
                "lost" => State::Failed("lost"),
                _ => State::Failed("failed"),
            },
        }
    }

    /// Whether it is at work.
    pub fn is_running(&self) -> bool {
        self.state() == State::Running
    }

    /// What came of it, in a line; of what runs, how far it is.
    fn result(&self) -> String {
        match self {
            Self::Work(work, _) => match &work.ended {
                Some((_, Err(sentence))) if sentence != CANCELLED => sentence.clone(),
                Some((_, Err(_))) => String::new(),
                Some((_, Ok(status))) if *status != 0 => format!("status {status}"),
                None if !work.parts.list().is_empty() => {
                    let (done, total) = work.parts.sum();
                    let percent = if total == 0 { 0 } else { u128::from(done) * 100 / u128::from(total) };
                    let done = work.parts.list().iter().filter(|part| part.is_done()).count();
                    format!("{percent}%, {done} of {} layers", work.parts.list().len())
                }
                Some(_) if work.is_question() && work.lines.len() > 1 => format!("{} lines", work.lines.len()),
                _ => work.lines.back().cloned().unwrap_or_default(),
            },
            Self::Job(job) if job.error.is_empty() => {
                if job.state == "running" {
                    job.progress.clone()
                } else {
                    String::new()
                }
            }
            Self::Job(job) => job.error.clone(),
        }
    }

    /// Its line in the table.
    pub fn row(&self, world: &World) -> Row {
        let theme = &world.theme;
        let (sign, style, text) = match self.state() {
            State::Running => ("◌ running", theme.pending(), theme.text()),
            State::Done => ("✓ done", theme.success(), theme.text()),
            State::Cancelled => ("○ cancelled", theme.muted(), theme.muted()),
            State::Failed("lost") => ("✗ lost", theme.failed(), theme.text()),
            State::Failed(_) => ("✗ failed", theme.failed(), theme.text()),
        };
        let failed = matches!(self.state(), State::Failed(_));
        let (started, took) = (self.started(), self.took(world.now));
        let age = when::since(started, world.now).as_secs_f64();
        Row {
            key: self.key(),
            cells: vec![
                Cell::text(sign, style),
                Cell::text(self.title(), text),
                Cell::number(when::short_ago(started, world.now), Some(age), theme.muted()),
                Cell::number(clock(took), Some(took), text),
                Cell::text(&self.result(), if failed { theme.failed() } else { theme.muted() }),
            ],
        }
    }
}

/// All that the list tells of a job that belongs to another process.
pub fn about(job: &JobRow, world: &World) -> Vec<Line> {
    let started = moment(job.started);
    let mut lines = vec![
        Line::new(&format!("job {} of process {}", job.id, job.pid), Kind::Muted),
        Line::new(
            &format!("{} since {}", if job.state == "running" { "at work" } else { job.state.as_str() }, when::short_ago(started, world.now)),
            Kind::Plain,
        ),
    ];
    if let Some(finished) = job.finished {
        let took = clock(when::since(started, moment(finished)).as_secs_f64());
        lines[1] = Line::new(&format!("{}: began {}, took {took}", job.state, when::short_ago(started, world.now)), Kind::Plain);
    }
    if !job.progress.is_empty() {
        lines.push(Line::new(&job.progress, Kind::Plain));
    }
    if !job.error.is_empty() {
        lines.push(Line::new(&job.error, Kind::Error));
    }
    lines
}
