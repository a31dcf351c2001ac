//! Volumes: names of folders that outlive containers.

use super::{Error, GraphDb, Result, rows};
use rusqlite::{OptionalExtension, Row, params};

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeRow {
    /// Unique.
    pub name: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Made for one container, without a name from the user.
    pub anonymous: bool,
    /// JSON object of labels.
    pub labels: String,
    /// How many containers hold it.
    pub users: i64,
}

const SELECT: &str = "SELECT name, created, anonymous, labels, (SELECT count(*) FROM container_volumes c WHERE c.volume = name) FROM volumes";

fn read(row: &Row<'_>) -> rusqlite::Result<VolumeRow> {
    Ok(VolumeRow { name: row.get(0)?, created: row.get(1)?, anonymous: row.get(2)?, labels: row.get(3)?, users: row.get(4)? })
}

impl GraphDb {
    /// Enters a volume; tells whether it is new.
    pub fn insert_volume(&self, name: &str, anonymous: bool, labels: &str) -> Result<bool> {
        self.write(|tx| Ok(tx.execute("INSERT OR IGNORE INTO volumes VALUES (?1, unixepoch(), ?2, ?3)", params![name, anonymous, labels])? > 0))
    }

    /// The volume so named.
    pub fn volume(&self, name: &str) -> Result<Option<VolumeRow>> {
        Ok(self.connection().prepare_cached(&format!("{SELECT} WHERE name = ?1"))?.query_row([name], read).optional()?)
    }

    /// All volumes, by name.
    pub fn volumes(&self) -> Result<Vec<VolumeRow>> {
        rows(&self.connection(), &format!("{SELECT} ORDER BY name"), [], read)
    }

    /// The volumes a container holds.
    pub fn volumes_of(&self, container: &str) -> Result<Vec<VolumeRow>> {
        rows(&self.connection(), &format!("{SELECT} WHERE name IN (SELECT volume FROM container_volumes WHERE container = ?1)"), [container], read)
    }

    /// The containers that hold a volume, by identity.
    pub fn users_of_volume(&self, name: &str) -> Result<Vec<String>> {
        rows(&self.connection(), "SELECT container FROM container_volumes WHERE volume = ?1", [name], |r| r.get(0))
    }

    /// Takes a volume out if no container holds it.
    ///
    /// # Errors
    /// [`Error::Missing`], or [`Error::Conflict`] naming a holder.
    pub fn delete_volume(&self, name: &str) -> Result<()> {
        self.write(|tx| {
            let holder: Option<String> = tx.query_row("SELECT container FROM container_volumes WHERE volume = ?1 LIMIT 1", [name], |r| r.get(0)).optional()?;
            if let Some(holder) = holder {
                return Err(Error::Conflict(format!("volume {name} is in use by container {}", &holder[..holder.len().min(12)])));
            }
            match tx.execute("DELETE FROM volumes WHERE name = ?1", [name])? {
                0 => Err(Error::Missing(format!("volume: {name}"))),
                _ => Ok(()),
            }
        })
    }
}
