//! The engine: the one place behind every face that keeps containers and images and does all work as jobs.
//!
//! Any number of engines, in any number of processes, work on one store. The database is the truth; locks that a crash
//! lets go order those who change the same container; what a crash cut short is unnamed, and swept by the next engine.

pub mod attach;
pub mod check;
pub mod collection;
pub mod commit;
pub mod containers;
pub mod contents;
mod documents;
mod elf;
pub mod error;
pub mod event;
pub mod files;
pub mod graph;
pub mod images;
pub mod import;
pub mod job;
pub mod layers;
pub mod life;
pub mod lock;
pub mod logs;
pub mod network;
pub mod past;
pub mod process;
pub mod record;
pub mod recovery;
pub mod registries;
pub mod removal;
pub mod shell;
pub mod snapshot;
pub mod stats;
mod update;
mod view;
pub mod volumes;

// What jobs hand through from the rooms below, which they do not enter themselves.
pub use crate::execdriver::spec::{ALL_CAPABILITIES, ExecOptions};
pub use crate::execdriver::usage::{Carried, Cpu, Device, Link, Memory, Pressure, Stall, Throttling, Usage};
pub use crate::graphdb::{BlobRow, JobRow, SCHEMA_VERSION};
pub use crate::graphdriver::{Base, Change, ChangeKind, FileKind, LayerChange, LayerEntry, LayerTree, Staging, Unsaid};
pub use crate::monitor::protocol::Hello;
pub use error::{Error, Kind, Result};
pub use event::{Event, Listening};
pub use job::{Job, JobContext, JobHandle, Progress};
pub use snapshot::Snapshot;

use crate::container::Place;
use crate::graph::content::Content;
use crate::graphdb::GraphDb;
use crate::graphdriver::{self, GraphDriver, PassedOver};
use crate::registry;
use documents::Documents;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::broadcast;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the store lies.
    pub place: Place,
    /// The graphdriver asked for; probed otherwise.
    pub storage_driver: Option<String>,
    /// Registries that may be spoken to without TLS or with a certificate nobody vouches for.
    pub insecure: Vec<String>,
    /// The folder of `config.json` with the credentials.
    pub docker_config: PathBuf,
    /// Where networks get their addresses from, and where ports are published.
    pub network: network::Settings,
}

/// The engine. A clone is the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    options: Options,
    db: GraphDb,
    content: Content,
    graph: OnceLock<Drivers>,
    registry: OnceLock<registry::Client>,
    events: broadcast::Sender<Event>,
    /// The socket on which this engine hears of other processes' changes, if it listens.
    ear: Mutex<Option<PathBuf>>,
    documents: Documents,
    foreseen: Mutex<Option<life::Foreseen>>,
}

struct Drivers {
    driver: Box<dyn GraphDriver>,
    passed_over: Vec<PassedOver>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({})", self.0.options.place.root.display())
    }
}

impl Engine {
    /// Opens the store, made if it is not there, and sweeps what crashes left behind.
    pub fn open(options: Options) -> Result<Self> {
        let place = &options.place;
        // Also for what needs no driver: a name that means nothing is a slip that is better told than passed over.
        if let Some(wanted) = &options.storage_driver {
            graphdriver::named(wanted).map_err(|e| Error::new(Kind::Unsupported, e.to_string()))?;
        }
        for folder in [&place.root, &place.run_root] {
            make_private(folder)?;
        }
        let db = GraphDb::open(&place.database()).map_err(|error| match error {
            crate::graphdb::Error::Sqlite(error) => Error::new(Kind::Failed, format!("cannot open the store {}: {error}", place.database().display()))
                .hint("is the folder writable? `kapal system check` tells whether the store is sound"),
            other => other.into(),
        })?;
        let content = Content::open(&place.blobs()).map_err(|e| Error::io(format_args!("cannot open {}", place.blobs().display()), &e))?;
        let inner = Inner {
            options,
            db,
            content,
            graph: OnceLock::new(),
            registry: OnceLock::new(),
            events: broadcast::channel(1024).0,
            ear: Mutex::default(),
            documents: Documents::default(),
            foreseen: Mutex::default(),
        };
        let engine = Self(Arc::new(inner));
        engine.recover()?;
        Ok(engine)
    }

    /// Opens the store as [`Engine::open`] does, for a start that is to come next: its monitor is executed beside that.
    ///
    /// # Errors
    /// As for `open`.
    pub fn open_to_start(options: Options) -> Result<Self> {
        let foreseen = life::Foreseen::new();
        let engine = Self::open(options)?;
        *engine.0.foreseen.lock().unwrap_or_else(PoisonError::into_inner) = Some(foreseen);
        Ok(engine)
    }

    /// How it was set up.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Where the store lies.
    pub fn place(&self) -> &Place {
        &self.0.options.place
    }

    /// Names and relations.
    pub fn db(&self) -> &GraphDb {
        &self.0.db
    }

    /// Blobs by digest.
    pub fn content(&self) -> &Content {
        &self.0.content
    }

    /// The graphdriver in use; chosen at the first call.
    pub fn graph(&self) -> Result<&dyn GraphDriver> {
        Ok(&*self.opened()?.driver)
    }

    /// The drivers that were tried before the one in use, and why they were passed over.
    pub fn passed_over(&self) -> Result<&[PassedOver]> {
        Ok(&self.opened()?.passed_over)
    }

    fn opened(&self) -> Result<&Drivers> {
        if self.0.graph.get().is_none() {
            let wanted = self.0.options.storage_driver.as_deref();
            let (driver, passed_over) = graphdriver::open(&self.place().root, wanted).map_err(|e| Error::new(Kind::Unsupported, e.to_string()))?;
            // Two threads may both have opened one; they are alike.
            let _ = self.0.graph.set(Drivers { driver, passed_over });
        }
        self.0.graph.get().ok_or_else(|| Error::new(Kind::Failed, "no graphdriver"))
    }

    /// The driver a container was made with, which may not be the one in use.
    pub fn graph_named(&self, name: &str) -> Result<Box<dyn GraphDriver>> {
        let (driver, _) = graphdriver::open(&self.place().root, Some(name)).map_err(|e| Error::new(Kind::Unsupported, e.to_string()))?;
        Ok(driver)
    }

    /// The client for registries.
    pub fn registry(&self) -> Result<&registry::Client> {
        if self.0.registry.get().is_none() {
            let options =
                registry::Options { insecure: self.0.options.insecure.clone(), docker_config_dir: self.0.options.docker_config.clone(), ..Default::default() };
            let _ = self.0.registry.set(registry::Client::new(options));
        }
        self.0.registry.get().ok_or_else(|| Error::new(Kind::Failed, "no registry client"))
    }

    /// What happens in this engine from now on, and a hint when another process changed something.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// Tells this engine's listeners of an event.
    pub fn publish(&self, event: Event) {
        // Nobody listening is no failure.
        let _ = self.0.events.send(event);
    }

    /// Tells this engine's listeners and every other process of a change.
    pub fn changed(&self, event: Event) {
        self.publish(event);
        let own = self.0.ear.lock().unwrap_or_else(PoisonError::into_inner).clone();
        event::poke_others(self.place(), own.as_deref());
    }

    /// Remembers the socket on which this engine hears of other processes' changes.
    fn set_ear(&self, socket: Option<PathBuf>) {
        *self.0.ear.lock().unwrap_or_else(PoisonError::into_inner) = socket;
    }
}

/// Makes a folder that only its owner enters, if it is not there.
fn make_private(folder: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if folder.is_dir() {
        return Ok(());
    }
    // 0711: bind mounts of volumes are reached through it by containers' users, its content is not listed.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(folder)
        .map_err(|e| Error::io(format_args!("cannot make the folder {}", folder.display()), &e))
}
