//! The graph database: names and relations of images, layers, containers, volumes and networks, jobs and events, in SQLite.
//!
//! It knows rows and strings and no other room. Every process that works on the store opens it; SQLite's write-ahead
//! log lets readers go on beside one writer, and a transaction is what makes a name unique among all of them.
//!
//! ```text
//!  tags ──► images ──► image_layers ──► layers ──► parent layer …
//!              │  └──► image_blobs                   ▲
//!              ▲                                     │
//!  containers ─┘──────────────► container_layers ────┘
//!      ▲ └──────── endpoints ──► networks
//!      └── ports
//! ```
//!
//! Durability: with `synchronous=NORMAL` a committed transaction survives the death of any process; a power failure
//! may take the last ones back, whole, never in part. Files are named here only after they are in their place.

mod containers;
mod events;
mod images;
mod jobs;
mod leftover;
mod lineage;
mod networks;
mod schema;
mod volumes;

pub use containers::ContainerRow;
pub use events::EventRow;
pub use images::{BlobRow, ImageRow, LayerRow, TagRow};
pub use jobs::JobRow;
pub use lineage::{ShareRow, StandRow};
pub use networks::{Claim, EndpointRow, NetworkRow, Pool, PortRow};
pub use schema::VERSION as SCHEMA_VERSION;
pub use volumes::VolumeRow;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, config::DbConfig};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A write-ahead log of this many bytes is worth the syncs of moving it into the file.
const LONG_LOG: u64 = 512 << 10;

/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(30);

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store was written by a newer version of this program.
    #[error("the store {path} has schema version {found}, this kapal knows versions up to {SCHEMA_VERSION}: use a newer kapal, or another --root", path = path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The name is taken; by whom.
    #[error("the name {name:?} is already in use by {by}")]
    Taken {
        /// The name asked for.
        name: String,
        /// Its holder's identity.
        by: String,
    },
    /// The row is not there (any more).
    #[error("no such {0}")]
    Missing(String),
    /// The row is not as the change needs it.
    #[error("{0}")]
    Conflict(String),
    /// SQLite's own.
    #[error("the store's database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file system's.
    #[error("the store's database {path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
}

/// What calls here return.
pub type Result<T> = std::result::Result<T, Error>;

/// The database, open. Every call is short and blocks; calls from several threads take turns.
#[derive(Debug)]
pub struct GraphDb {
    connection: Mutex<Connection>,
}

impl GraphDb {
    /// Opens `file`, made with its tables if missing.
    pub fn open(file: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(BUSY)?;
        // Closing must not cost a checkpoint with its syncs at the end of every short command.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.execute_batch("PRAGMA synchronous=NORMAL; PRAGMA cache_size=-512; PRAGMA wal_autocheckpoint=1000; PRAGMA temp_store=MEMORY;")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found > SCHEMA_VERSION {
            return Err(Error::Newer { path: file.to_owned(), found });
        }
        if found < SCHEMA_VERSION {
            if found == 0 {
                write_ahead(&connection)?;
            }
            schema::bring_up(&mut connection)?;
        }
        connection.set_prepared_statement_cache_capacity(32);
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic of another thread inside a transaction rolled it back; the connection itself is sound.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in one writing transaction: all of it, or nothing.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Moves a write-ahead log that has grown into the file and empties it, unless another process is in the middle of
    /// something. Whoever opens the store next, and alone, reads the whole log first: this is for moments in which nobody waits.
    pub fn fold(&self) -> Result<()> {
        let connection = self.connection();
        let log = connection.path().map(|path| format!("{path}-wal"));
        if log.and_then(|log| std::fs::metadata(log).ok()).is_none_or(|log| log.len() < LONG_LOG) {
            return Ok(());
        }
        connection.busy_timeout(Duration::ZERO)?;
        let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        connection.busy_timeout(BUSY)?;
        Ok(folded?)
    }

    /// What SQLite finds wrong with the file itself; empty when all is well.
    pub fn integrity(&self) -> Result<Vec<String>> {
        let connection = self.connection();
        let mut statement = connection.prepare("PRAGMA integrity_check(50)")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }
}

/// Turns the write-ahead log on, which the file then remembers. Where several open a new store at once, SQLite refuses all but
/// one without asking its own patience; whoever comes later finds it done.
fn write_ahead(connection: &Connection) -> Result<()> {
    let until = Instant::now() + BUSY;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return Ok(other?),
        }
    }
}

/// Reads all rows of a query.
fn rows<T>(connection: &Connection, sql: &str, params: impl rusqlite::Params, read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?.collect::<rusqlite::Result<Vec<T>>>()?;
    Ok(rows)
}

#[cfg(test)]
mod tests;
