//! `jobs`: what runs and what ran.

use crate::engine::{Job, JobContext, Result};
use clap::Args;
use serde::Serialize;

/// List jobs, those that run and the last thousand that ended
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Jobs {
    /// Only those that run
    #[arg(long)]
    pub running: bool,
    /// The last N
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<usize>,
}

/// A job in the list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    /// Its number.
    #[serde(rename = "ID")]
    pub id: i64,
    /// The verb.
    pub verb: String,
    /// The command line it equals.
    pub command: String,
    /// `running`, `done`, `failed`, `cancelled` or `lost`.
    pub state: String,
    /// When it began.
    pub started: jiff::Timestamp,
    /// When it ended.
    pub finished: Option<jiff::Timestamp>,
    /// Why it failed.
    pub error: String,
    /// The process it ran in.
    #[serde(rename = "PID")]
    pub pid: i64,
}

impl Job for Jobs {
    type Output = Vec<Listed>;
    const VERB: &'static str = "jobs";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "jobs".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Vec<Listed>> {
        let moment = |ms: i64| jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        let jobs = context.engine.jobs()?.into_iter().filter(|job| !self.running || job.state == "running").take(self.last.unwrap_or(usize::MAX));
        Ok(jobs
            .map(|job| Listed {
                id: job.id,
                verb: job.verb,
                command: job.title,
                state: job.state,
                started: moment(job.started),
                finished: job.finished.map(moment),
                error: job.error,
                pid: job.pid,
            })
            .collect())
    }
}
