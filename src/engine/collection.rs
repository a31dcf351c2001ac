//! What nothing leads to any more, collected: layers, blobs, files of containers and volumes without a row.
//!
//! Whoever brings layers or blobs in holds the collection lock shared until they are named; whoever takes unused ones
//! away holds it alone. Where someone is bringing in, the collection is left to the next one.

use super::{Engine, Error, Result, lock};
use std::collections::HashSet;
use std::io;

impl Engine {
    /// Held while layers and blobs are brought in and not yet named.
    pub fn bring_in(&self) -> Result<(lock::Operation, lock::Lock)> {
        Ok((self.operation()?, lock::shared(&self.place().collection_lock())?))
    }

    /// Takes away the layers and blobs that nothing uses. Bytes of layers given back.
    pub fn collect(&self) -> Result<u64> {
        let Some(_alone) = lock::try_exclusive(&self.place().collection_lock())? else { return Ok(0) };
        let _operation = self.operation()?;
        let driver = self.graph()?;
        let sizes: std::collections::HashMap<String, i64> = self.db().layers(driver.name())?.into_iter().map(|row| (row.id, row.size)).collect();
        let mut freed = 0;
        for id in self.db().delete_unused_layers(driver.name())? {
            freed += sizes.get(&id).copied().unwrap_or(0).unsigned_abs();
            if let Ok(id) = id.parse() {
                driver.remove_layer(&id).map_err(|e| Error::io(format_args!("cannot remove layer {id}"), &e))?;
            }
        }
        let used: HashSet<String> = self.db().used_blobs()?.into_iter().collect();
        for digest in self.content().list().map_err(|e| Error::io("cannot list blobs", &e))? {
            if !used.contains(digest.as_str()) {
                self.content().remove(&digest).map_err(|e| Error::io(format_args!("cannot remove blob {digest}"), &e))?;
            }
        }
        Ok(freed)
    }

    /// Sweeps what crashes left behind: half-made files, and whole ones that nothing names.
    pub fn sweep(&self) -> Result<()> {
        let failed = |what: &'static str| move |e: io::Error| Error::io(format_args!("cannot sweep {what}"), &e);
        let Some(_alone) = lock::try_exclusive(&self.place().collection_lock())? else { return Ok(()) };
        let driver = self.graph()?;
        driver.sweep().map_err(failed("layers"))?;
        self.content().sweep().map_err(failed("blobs"))?;
        for fault in self.unnamed()? {
            // What another process is just making has a lock or a mark; it is not in the list.
            fault.remove(self)?;
        }
        Ok(())
    }

    /// Whether this store has not been looked over since the machine was started.
    pub fn is_first_since_boot(&self) -> bool {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        std::fs::read_to_string(self.place().booted()).is_ok_and(|seen| seen != boot)
    }

    /// Throws away what a power failure may have left with a name and without its content, once a boot of the machine.
    ///
    /// An image is named only once all of it is on the disk, its layers and blobs are before: a pull that is killed goes
    /// on with them. When the machine has started anew, they are trusted no more. A whole blob proves itself.
    pub fn distrust(&self) -> Result<()> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mark = self.place().booted();
        if boot.is_empty() || std::fs::read_to_string(&mark).is_ok_and(|seen| seen == boot) {
            return Ok(());
        }
        // Whoever cannot open the driver, or meets others at work, leaves it to the next one.
        let (Ok(driver), Some(_alone)) = (self.graph(), lock::try_exclusive(&self.place().collection_lock())?) else { return Ok(()) };
        self.db().delete_unused_layers(driver.name())?;
        for left in self.unnamed()?.iter().filter(|left| matches!(left, Unnamed::Layer(_))) {
            left.remove(self)?;
        }
        let used: HashSet<String> = self.db().used_blobs()?.into_iter().collect();
        for digest in self.content().list().map_err(|e| Error::io("cannot list blobs", &e))? {
            if !used.contains(digest.as_str()) && !self.content().verify(&digest).unwrap_or(false) {
                self.content().remove(&digest).map_err(|e| Error::io(format_args!("cannot remove blob {digest}"), &e))?;
            }
        }
        // Best effort: without the mark the next start looks again.
        let _ = std::fs::write(mark, boot);
        Ok(())
    }

    /// Files that nothing names. Whole blobs and layers that no image uses are none: a pull that was cut short goes on
    /// with them, and a prune takes them. The caller holds the collection lock alone.
    pub fn unnamed(&self) -> Result<Vec<Unnamed>> {
        // Files and names are not read at one moment: only what is found twice was not just coming or going.
        let mut first = self.unnamed_now()?;
        if !first.is_empty() {
            let second = self.unnamed_now()?;
            first.retain(|found| second.contains(found));
        }
        Ok(first)
    }

    fn unnamed_now(&self) -> Result<Vec<Unnamed>> {
        let mut found = Vec::new();
        let listed = |what: &str, error: &io::Error| Error::io(format_args!("cannot list {what}"), error);
        let driver = self.graph()?;
        let layers: HashSet<String> = self.db().layers(driver.name())?.into_iter().map(|row| row.id).collect();
        found.extend(driver.layers().map_err(|e| listed("layers", &e))?.into_iter().filter(|id| !layers.contains(id.as_str())).map(Unnamed::Layer));
        // Those listed before the rows are read: a container that is made meanwhile has its row by the time it counts.
        let files = driver.containers().map_err(|e| listed("containers' files", &e))?;
        let logs = names(&self.place().containers());
        let volumes = names(&self.place().volumes());
        let making = self.others_at_work();
        let rows: HashSet<String> = self.db().containers()?.into_iter().map(|row| row.id).collect();
        if !making {
            found.extend(files.into_iter().filter(|id| !rows.contains(id.as_str())).map(Unnamed::Container));
            found.extend(logs.into_iter().filter(|name| !rows.contains(name)).filter_map(|name| name.parse().ok()).map(Unnamed::Container));
            let known: HashSet<String> = self.db().volumes()?.into_iter().map(|row| row.name).collect();
            found.extend(volumes.into_iter().filter(|name| !known.contains(name)).map(Unnamed::Volume));
        }
        Ok(found)
    }

    /// Whether someone, in this process or another, is in the middle of an operation on files.
    fn others_at_work(&self) -> bool {
        let Ok(entries) = std::fs::read_dir(self.place().operations()) else { return false };
        entries.flatten().any(|entry| lock::is_held(&entry.path()))
    }
}

fn names(folder: &std::path::Path) -> Vec<String> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Something in the store's folders that the database does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// A layer's files.
    Layer(crate::id::LayerId),
    /// A container's files.
    Container(crate::id::ContainerId),
    /// A volume's files.
    Volume(String),
}

impl std::fmt::Display for Unnamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Layer(id) => write!(f, "layer {id} has files but no name"),
            Self::Container(id) => write!(f, "container {id} has files but no name"),
            Self::Volume(name) => write!(f, "volume {name:?} has files but no name"),
        }
    }
}

impl Unnamed {
    /// Takes it away.
    pub fn remove(&self, engine: &Engine) -> Result<()> {
        let result = match self {
            Self::Layer(id) => engine.graph()?.remove_layer(id),
            Self::Container(id) => engine.graph()?.remove(id).and_then(|()| gone(std::fs::remove_dir_all(engine.place().container(id)))),
            Self::Volume(name) => gone(std::fs::remove_dir_all(engine.place().volumes().join(name))),
        };
        result.map_err(|e| Error::io(format_args!("cannot sweep: {self}"), &e))
    }
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
