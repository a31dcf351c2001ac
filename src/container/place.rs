//! Where the store keeps things: one map of paths, known to the engine and to the monitors alike.
//!
//! ```text
//!  ROOT /var/lib/kapal                      RUN ROOT /run/kapal
//!    graph.db                                 collection.lock
//!    blobs/sha256/HEX                         operations/PID.N, departures/PID.N
//!    overlay/ or vfs/                         listeners/PID.N.sock
//!    containers/ID/ID-json.log                containers/ID/{lock,monitor.lock,console.sock,exec/…}
//!    volumes/NAME/_data                    names.{lock,sock,err}
//!    booted
//! ```

use crate::id::ContainerId;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where a store lasts unless another place is asked for.
pub const USUAL_ROOT: &str = "/var/lib/kapal";

/// The two folders a store lives in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What lasts.
    pub root: PathBuf,
    /// What a reboot takes away.
    pub run_root: PathBuf,
}

impl Place {
    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root.join("graph.db")
    }

    /// The boot of this machine in which the store was looked over.
    pub fn booted(&self) -> PathBuf {
        self.root.join("booted")
    }

    /// Blobs by digest.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// All volumes.
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// A volume's files.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.volumes().join(name).join("_data")
    }

    /// All containers' lasting files.
    pub fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// A container's lasting files.
    pub fn container(&self, id: &ContainerId) -> PathBuf {
        self.containers().join(id.as_str())
    }

    /// A container's log.
    pub fn log(&self, id: &ContainerId) -> PathBuf {
        self.container(id).join(format!("{id}-json.log"))
    }

    /// All containers' run-time files.
    pub fn running(&self) -> PathBuf {
        self.run_root.join("containers")
    }

    /// A container's run-time files.
    pub fn run(&self, id: &ContainerId) -> PathBuf {
        self.running().join(id.as_str())
    }

    /// Held by whoever changes the container.
    pub fn lock(&self, id: &ContainerId) -> PathBuf {
        self.run(id).join("lock")
    }

    /// Held by the container's monitor for its life.
    pub fn monitor_lock(&self, id: &ContainerId) -> PathBuf {
        self.run(id).join("monitor.lock")
    }

    /// Where the monitor listens.
    pub fn console(&self, id: &ContainerId) -> PathBuf {
        self.run(id).join("console.sock")
    }

    /// Where the monitor of a process beside the first one listens.
    pub fn exec_console(&self, id: &ContainerId, exec: &str) -> PathBuf {
        self.run(id).join("exec").join(format!("{exec}.sock"))
    }

    /// Shared by those who bring layers and blobs in, exclusive for those who take unused ones away.
    pub fn collection_lock(&self) -> PathBuf {
        self.run_root.join("collection.lock")
    }

    /// A file for each operation under way; one whose lock is free was cut short.
    pub fn operations(&self) -> PathBuf {
        self.run_root.join("operations")
    }

    /// A file for each container that is leaving networks; one whose lock is free was cut short.
    pub fn departures(&self) -> PathBuf {
        self.run_root.join("departures")
    }

    /// A socket for each process that wants to hear of changes.
    pub fn listeners(&self) -> PathBuf {
        self.run_root.join("listeners")
    }

    /// Held by the process that answers containers' questions about names, for its life.
    pub fn names_lock(&self) -> PathBuf {
        self.run_root.join("names.lock")
    }

    /// Where that process listens for monitors.
    pub fn names_socket(&self) -> PathBuf {
        self.run_root.join("names.sock")
    }

    /// What it had to complain about.
    pub fn names_errors(&self) -> PathBuf {
        self.run_root.join("names.err")
    }
}
