//! Containers, their names, and what they hold on to.

use super::events::{EventRow, tell};
use super::{Error, GraphDb, Result, rows};
use rusqlite::{OptionalExtension, Row, params};

/// A container as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerRow {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Unique.
    pub name: String,
    /// The state's word.
    pub status: String,
    /// The graphdriver with its files.
    pub driver: String,
    /// Its image's identity.
    pub image: Option<String>,
    /// Milliseconds since 1970: the order in which containers are listed.
    pub created: i64,
    /// The container without its state and name.
    pub json: String,
    /// Its state.
    pub state: String,
}

const COLUMNS: &str = "id, name, status, driver, image, created, json, state";

fn read(row: &Row<'_>) -> rusqlite::Result<ContainerRow> {
    Ok(ContainerRow {
        id: row.get(0)?,
        name: row.get(1)?,
        status: row.get(2)?,
        driver: row.get(3)?,
        image: row.get(4)?,
        created: row.get(5)?,
        json: row.get(6)?,
        state: row.get(7)?,
    })
}

impl GraphDb {
    /// Enters a new container with the layers and volumes it holds, and names the `anonymous` ones among these with it.
    ///
    /// # Errors
    /// [`Error::Taken`] for its name; [`Error::Missing`] if its image or a volume went away meanwhile.
    pub fn insert_container(&self, row: &ContainerRow, layers: &[String], volumes: &[String], anonymous: &[String]) -> Result<()> {
        self.write(|tx| {
            let holder: Option<String> = tx.prepare_cached("SELECT id FROM containers WHERE name = ?1")?.query_row([&row.name], |r| r.get(0)).optional()?;
            if let Some(by) = holder {
                return Err(Error::Taken { name: row.name.clone(), by: format!("container {}", &by[..by.len().min(12)]) });
            }
            if let Some(image) = &row.image {
                let there = tx.prepare_cached("SELECT 1 FROM images WHERE driver = ?1 AND id = ?2")?.exists(params![row.driver, image])?;
                if !there {
                    return Err(Error::Missing(format!("image {image}: it was removed meanwhile")));
                }
            }
            tx.prepare_cached("INSERT INTO containers (id, name, status, driver, image, created, json, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
                .execute(params![row.id, row.name, row.status, row.driver, row.image, row.created, row.json, row.state])?;
            for layer in layers {
                tx.prepare_cached("INSERT OR IGNORE INTO container_layers VALUES (?1, ?2, ?3)")?.execute(params![row.id, row.driver, layer])?;
            }
            for volume in anonymous {
                tx.prepare_cached("INSERT INTO volumes VALUES (?1, unixepoch(), 1, '{}')")?.execute([volume])?;
            }
            for volume in volumes {
                if !tx.prepare_cached("SELECT 1 FROM volumes WHERE name = ?1")?.exists([volume])? {
                    return Err(Error::Missing(format!("volume {volume}: it was removed meanwhile")));
                }
                tx.prepare_cached("INSERT OR IGNORE INTO container_volumes VALUES (?1, ?2)")?.execute(params![row.id, volume])?;
            }
            Ok(())
        })
    }

    /// The container with this whole identity.
    pub fn container(&self, id: &str) -> Result<Option<ContainerRow>> {
        Ok(self.connection().prepare_cached(&format!("SELECT {COLUMNS} FROM containers WHERE id = ?1"))?.query_row([id], read).optional()?)
    }

    /// The containers that `text` may mean: the one so named, else those whose identity begins with it (at most two).
    pub fn containers_like(&self, text: &str) -> Result<Vec<ContainerRow>> {
        let connection = self.connection();
        let exact = rows(&connection, &format!("SELECT {COLUMNS} FROM containers WHERE id = ?1 OR name = ?1"), [text], read)?;
        if !exact.is_empty() || text.is_empty() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(exact);
        }
        rows(&connection, &format!("SELECT {COLUMNS} FROM containers WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2"), [text.to_ascii_lowercase()], read)
    }

    /// All containers, newest first.
    pub fn containers(&self) -> Result<Vec<ContainerRow>> {
        rows(&self.connection(), &format!("SELECT {COLUMNS} FROM containers ORDER BY created DESC, id"), [], read)
    }

    /// The containers in one of the states `words`.
    pub fn containers_in(&self, words: &[&str]) -> Result<Vec<ContainerRow>> {
        let connection = self.connection();
        let mut found = Vec::new();
        for word in words {
            found.extend(rows(&connection, &format!("SELECT {COLUMNS} FROM containers WHERE status = ?1"), [word], read)?);
        }
        Ok(found)
    }

    /// Writes a container's state, provided that its status is still `from`, and the event that tells of it. One that `ended` lets
    /// go of its places on networks and its ports.
    ///
    /// # Errors
    /// [`Error::Missing`] if it is gone, [`Error::Conflict`] if its status is another by now.
    pub fn set_state(&self, id: &str, from: &str, status: &str, state: &str, ended: bool, event: Option<&EventRow>) -> Result<()> {
        self.write(|tx| {
            let now: Option<String> = tx.prepare_cached("SELECT status FROM containers WHERE id = ?1")?.query_row([id], |r| r.get(0)).optional()?;
            match now {
                None => Err(Error::Missing(format!("container {id}"))),
                Some(now) if now != from => Err(Error::Conflict(format!("container {id} is {now} by now, not {from}"))),
                Some(_) => {
                    tx.prepare_cached("UPDATE containers SET status = ?2, state = ?3 WHERE id = ?1")?.execute(params![id, status, state])?;
                    if ended {
                        super::networks::release(tx, id)?;
                    }
                    tell(tx, event);
                    Ok(())
                }
            }
        })
    }

    /// Replaces a container's configuration document.
    pub fn set_container_json(&self, id: &str, json: &str) -> Result<()> {
        self.write(|tx| match tx.prepare_cached("UPDATE containers SET json = ?2 WHERE id = ?1")?.execute(params![id, json])? {
            0 => Err(Error::Missing(format!("container {id}"))),
            _ => Ok(()),
        })
    }

    /// Gives a container another name.
    pub fn rename_container(&self, id: &str, name: &str) -> Result<()> {
        self.write(|tx| {
            let holder: Option<String> = tx.query_row("SELECT id FROM containers WHERE name = ?1", [name], |r| r.get(0)).optional()?;
            match holder {
                Some(by) if by != id => Err(Error::Taken { name: name.to_owned(), by: format!("container {}", &by[..by.len().min(12)]) }),
                _ if tx.execute("UPDATE containers SET name = ?2 WHERE id = ?1", [id, name])? == 0 => Err(Error::Missing(format!("container {id}"))),
                _ => Ok(()),
            }
        })
    }

    /// Takes a container out, with all it held; one that is not there is no error. With `volumes`, the anonymous volumes
    /// that it alone held go in the same transaction: their names are returned.
    pub fn delete_container(&self, id: &str, volumes: bool, event: Option<&EventRow>) -> Result<Vec<String>> {
        self.write(|tx| {
            let sql = "SELECT v.name FROM volumes v JOIN container_volumes c ON c.volume = v.name WHERE c.container = ?1 AND v.anonymous
                AND NOT EXISTS (SELECT 1 FROM container_volumes o WHERE o.volume = v.name AND o.container <> ?1)";
            let gone = if volumes { rows(tx, sql, [id], |r| r.get(0))? } else { Vec::new() };
            for name in &gone {
                tx.prepare_cached("DELETE FROM volumes WHERE name = ?1")?.execute([name])?;
            }
            tx.prepare_cached("DELETE FROM container_layers WHERE container = ?1")?.execute([id])?;
            tx.prepare_cached("DELETE FROM container_volumes WHERE container = ?1")?.execute([id])?;
            super::networks::release(tx, id)?;
            tx.prepare_cached("DELETE FROM containers WHERE id = ?1")?.execute([id])?;
            tell(tx, event);
            Ok(gone)
        })
    }

    /// The containers (identity, name, status) made from an image.
    pub fn containers_of_image(&self, driver: &str, image: &str) -> Result<Vec<(String, String, String)>> {
        rows(&self.connection(), "SELECT id, name, status FROM containers WHERE driver = ?1 AND image = ?2", [driver, image], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })
    }
}
