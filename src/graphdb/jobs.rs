//! Jobs: what runs, in whichever process, and the last thousand that ended.

use super::{GraphDb, Result, rows};
use rusqlite::{Row, params};

/// How many ended jobs are kept.
pub const KEPT: i64 = 1000;

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Its number.
    pub id: i64,
    /// The verb.
    pub verb: String,
    /// The command line it equals.
    pub title: String,
    /// `running`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// Milliseconds since 1970.
    pub started: i64,
    /// Milliseconds since 1970.
    pub finished: Option<i64>,
    /// Why it failed.
    pub error: String,
    /// The last thing it said of itself.
    pub progress: String,
    /// The process it runs in.
    pub pid: i64,
    /// When that process started, in ticks since boot.
    pub pid_start: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        id: row.get(0)?,
        verb: row.get(1)?,
        title: row.get(2)?,
        state: row.get(3)?,
        started: row.get(4)?,
        finished: row.get(5)?,
        error: row.get(6)?,
        progress: row.get(7)?,
        pid: row.get(8)?,
        pid_start: row.get(9)?,
    })
}

impl GraphDb {
    /// Enters a running job and returns its number; the number in `row` is not looked at.
    pub fn insert_job(&self, row: &JobRow) -> Result<i64> {
        self.write(|tx| {
            tx.prepare_cached("INSERT INTO jobs (verb, title, state, started, pid, pid_start) VALUES (?1, ?2, 'running', ?3, ?4, ?5)")?.execute(params![
                row.verb,
                row.title,
                row.started,
                row.pid,
                row.pid_start
            ])?;
            let id = tx.last_insert_rowid();
            tx.prepare_cached("DELETE FROM jobs WHERE id <= ?1 AND state <> 'running'")?.execute([id - KEPT])?;
            Ok(id)
        })
    }

    /// Records how a job ended.
    pub fn finish_job(&self, id: i64, state: &str, finished: i64, error: &str) -> Result<()> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE jobs SET state = ?2, finished = ?3, error = ?4 WHERE id = ?1")?.execute(params![id, state, finished, error])?;
            Ok(())
        })
    }

    /// Records what a running job says of itself.
    pub fn set_job_progress(&self, id: i64, progress: &str) -> Result<()> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE jobs SET progress = ?2 WHERE id = ?1")?.execute(params![id, progress])?;
            Ok(())
        })
    }

    /// All jobs, newest first.
    pub fn jobs(&self) -> Result<Vec<JobRow>> {
        rows(&self.connection(), "SELECT id, verb, title, state, started, finished, error, progress, pid, pid_start FROM jobs ORDER BY id DESC", [], read)
    }
}
