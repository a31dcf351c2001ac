//! Events: what happened to containers, images and volumes, in order, the last ten thousand.

use super::{GraphDb, Result, rows};
use rusqlite::{Row, Transaction, params};

/// How many events are kept.
pub const KEPT: i64 = 10_000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Grows with every event.
    pub id: i64,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// `container`, `image` or `volume`.
    pub kind: String,
    /// `create`, `start`, `die`, `pull` …
    pub action: String,
    /// The identity of what it happened to.
    pub actor: String,
    /// JSON object: name, image, exitCode …
    pub attributes: String,
}

fn read(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow { id: row.get(0)?, time: row.get(1)?, kind: row.get(2)?, action: row.get(3)?, actor: row.get(4)?, attributes: row.get(5)? })
}

/// Adds an event within the transaction of what it tells of. One that cannot be told does not undo the change.
pub(super) fn tell(tx: &Transaction<'_>, event: Option<&EventRow>) {
    let _ = event.map(|row| insert(tx, row));
}

fn insert(tx: &Transaction<'_>, row: &EventRow) -> Result<i64> {
    tx.prepare_cached("INSERT INTO events (time, kind, action, actor, attributes) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        row.time,
        row.kind,
        row.action,
        row.actor,
        row.attributes
    ])?;
    let id = tx.last_insert_rowid();
    if id % 100 == 0 {
        tx.execute("DELETE FROM events WHERE id <= ?1", [id - KEPT])?;
    }
    Ok(id)
}

impl GraphDb {
    /// Adds an event; the number in `row` is not looked at.
    pub fn insert_event(&self, row: &EventRow) -> Result<i64> {
        self.write(|tx| insert(tx, row))
    }

    /// The events after number `after`, oldest first.
    pub fn events_after(&self, after: i64) -> Result<Vec<EventRow>> {
        rows(&self.connection(), "SELECT id, time, kind, action, actor, attributes FROM events WHERE id > ?1 ORDER BY id", [after], read)
    }

    /// The last event's number; 0 if there is none.
    pub fn last_event(&self) -> Result<i64> {
        Ok(self.connection().query_row("SELECT coalesce(max(id), 0) FROM events", [], |r| r.get(0))?)
    }
}
