//! Volumes: folders of the store that outlive containers.

use super::{Engine, Error, Result};
use crate::container::name;
use crate::graphdb::VolumeRow;
use serde::Serialize;
use std::collections::BTreeMap;

/// A volume, as inspect shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Volume {
    /// Unique.
    pub name: String,
    /// `local`: a folder of the store.
    pub driver: &'static str,
    /// Where its files lie.
    pub mountpoint: String,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// Name and value.
    pub labels: BTreeMap<String, String>,
    /// `local`: of this machine.
    pub scope: &'static str,
    /// Made for one container, without a name from the user.
    pub anonymous: bool,
    /// How many containers hold it.
    pub users: u64,
}

impl Engine {
    fn volume_of(&self, row: VolumeRow) -> Volume {
        Volume {
            mountpoint: self.place().volume(&row.name).display().to_string(),
            name: row.name,
            driver: "local",
            created_at: jiff::Timestamp::from_second(row.created).unwrap_or_default(),
            labels: serde_json::from_str(&row.labels).unwrap_or_default(),
            scope: "local",
            anonymous: row.anonymous,
            users: row.users.unsigned_abs(),
        }
    }

    /// Makes a volume if it is not there.
    pub fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<Volume> {
        name::check("volume", name).map_err(Error::invalid)?;
        // The files come before the name: a crash in between leaves an empty folder that the next sweep takes away.
        let folder = self.place().volume(name);
        std::fs::create_dir_all(&folder).map_err(|e| Error::io(format_args!("cannot make {}", folder.display()), &e))?;
        let labels = serde_json::to_string(labels).map_err(|e| Error::invalid(e.to_string()))?;
        if self.db().insert_volume(name, false, &labels)? {
            self.tell_of("volume", "create", name, name);
        }
        self.volume(name)
    }

    /// A folder for a volume of one container, with the name it is to have: named with the container, in one
    /// transaction, so that a crash in between leaves a folder that the next sweep takes away.
    pub fn anonymous_volume(&self) -> Result<(String, String)> {
        let name = crate::id::ContainerId::random().map_err(|e| Error::io("no random numbers", &e))?.to_string();
        let folder = self.place().volume(&name);
        std::fs::create_dir_all(&folder).map_err(|e| Error::io(format_args!("cannot make {}", folder.display()), &e))?;
        Ok((name, folder.display().to_string()))
    }

    /// The volume so named.
    pub fn volume(&self, name: &str) -> Result<Volume> {
        let row = self
            .db()
            .volume(name)?
            .ok_or_else(|| Error::not_found(format!("no such volume: {}", super::containers::shown(name))).hint("`kapal volume ls` lists them all"))?;
        Ok(self.volume_of(row))
    }

    /// All volumes, by name.
    pub fn volumes(&self) -> Result<Vec<Volume>> {
        Ok(self.db().volumes()?.into_iter().map(|row| self.volume_of(row)).collect())
    }

    /// Removes a volume that no container holds.
    pub fn remove_volume(&self, name: &str) -> Result<()> {
        self.volume(name)?;
        let _operation = self.operation()?;
        self.db().delete_volume(name)?;
        let folder = self.place().volumes().join(name);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(format_args!("volume {name}: cannot remove {}", folder.display()), &error));
            }
            _ => {}
        }
        self.tell_of("volume", "destroy", name, name);
        Ok(())
    }
}
