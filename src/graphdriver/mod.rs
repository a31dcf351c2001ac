//! The family of graph drivers: where layers and containers' files lie, and how they are mounted on top of each other.
//!
//! # The manual of a driver
//! A layer is extracted once, into a folder that [`GraphDriver::stage`] gives, always in one form, the *diff form*: the
//! layer's own files, a removed name as a character device 0:0, a folder that hides all below it with the extended
//! attribute `trusted.overlay.opaque=y`. [`GraphDriver::commit`] puts it in its place on top of its parents. What was
//! staged and never committed is swept by [`GraphDriver::sweep`], never seen.
//!
//! A container's root is a *detached* mount: it is in no mount table of this machine until the container's first
//! process attaches it inside its own mount namespace, and it is gone with the last process or descriptor that holds it.
//! So nothing needs unmounting after a crash.
//!
//! All calls block; the engine makes them on its blocking pool. All are safe to make from many processes at once.

use crate::id::{ContainerId, LayerId};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

mod copy;
mod host;
mod legacy;
mod listing;
mod merge;
pub mod overlay;
mod place;
pub mod vfs;

pub use legacy::aside;
pub use listing::{FileKind, LayerChange, LayerEntry, LayerTree, list};
pub use place::tree_size;

/// How a path in a container differs from its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// `C`: there in both, different.
    Changed,
    /// `A`: only in the container.
    Added,
    /// `D`: only in the image.
    Deleted,
}

/// One path that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Relative to the root, no leading slash; bytes as the file system has them.
    pub path: PathBuf,
    /// How.
    pub kind: ChangeKind,
}

/// What lies below a container's writable layer.
#[derive(Clone, Copy, Debug)]
pub enum Base<'a> {
    /// An image's layers, bottom first; may be empty (an image from scratch).
    Layers(&'a [LayerId]),
    /// This machine's own root file system, without `/proc`, `/sys`, `/dev`, `/run` and the paths named here.
    Host {
        /// Absolute paths that appear as absent (the engine's own store and run-time files).
        hidden: &'a [PathBuf],
    },
}

/// How a layer's folder holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its own files alone, in diff form (see the manual above).
    Diff,
    /// All that is seen once it lies on top of its parents.
    Whole,
}

/// A driver of layers and containers' files.
pub trait GraphDriver: Send + Sync {
    /// As `--storage-driver` names it.
    fn name(&self) -> &'static str;

    /// A new empty folder, mode 0700, on the driver's file system, to extract a layer into (see the manual above).
    fn stage(&self) -> io::Result<Staging>;

    /// Puts a staged layer in its place above `parents` (bottom first, all committed). Done twice, the first wins and
    /// the second's staging is dropped: a layer id says what is in it. Before it is named, what tar streams leave
    /// unsaid is filled in from the parents: attributes of folders the stream did not list, targets of hard links that
    /// lie in a lower layer.
    fn commit(&self, staging: Staging, id: &LayerId, parents: &[LayerId], unsaid: &Unsaid) -> io::Result<()>;

    /// Whether the layer is committed.
    fn has(&self, id: &LayerId) -> io::Result<bool>;

    /// All committed layers.
    fn layers(&self) -> io::Result<Vec<LayerId>>;

    /// All containers with files here.
    fn containers(&self) -> io::Result<Vec<ContainerId>>;

    /// A committed layer's folder, to be looked at and never changed.
    fn look_into(&self, id: &LayerId) -> io::Result<(OwnedFd, Form)>;

    /// Removes a layer's files; one that is not there is no error.
    fn remove_layer(&self, id: &LayerId) -> io::Result<()>;

    /// Removes what was staged by processes that are gone, and half-removed trees.
    fn sweep(&self) -> io::Result<()>;

    /// A writable layer for a new container.
    fn create(&self, container: &ContainerId, base: Base<'_>) -> io::Result<()>;

    /// The container's root as a detached mount, writable unless `read_only`; may be called for a running container
    /// by other processes only with `read_only`, to look at its files.
    fn mount(&self, container: &ContainerId, base: Base<'_>, read_only: bool) -> io::Result<OwnedFd>;

    /// An image's root as a detached read-only mount.
    fn mount_image(&self, layers: &[LayerId]) -> io::Result<OwnedFd>;

    /// What the container changed against its base, sorted by path; parents of a change are listed as changed only if
    /// they differ themselves or docker lists them so (a folder in which a name was added or removed is `C`).
    fn changes(&self, container: &ContainerId, base: Base<'_>) -> io::Result<Vec<Change>>;

    /// Bytes in the container's writable layer.
    fn size(&self, container: &ContainerId) -> io::Result<u64>;

    /// Removes the container's files; one that is not there is no error.
    fn remove(&self, container: &ContainerId) -> io::Result<()>;
}

/// A folder a layer is being extracted into. Dropping it removes it.
#[derive(Debug)]
pub struct Staging {
    /// The folder, on the driver's file system.
    pub path: PathBuf,
    /// Held locked while the folder is in use, so that a sweep leaves it alone.
    pub lock: OwnedFd,
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Best effort: what stays behind is swept by the next engine.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// What a layer's stream did not say and only its parents know.
#[derive(Clone, Debug, Default)]
pub struct Unsaid {
    /// Folders made because a name below them needed them; relative paths, parents first.
    pub folders: Vec<PathBuf>,
    /// Hard links whose target is not in this layer: (link, target), relative paths, in the stream's order.
    pub links: Vec<(PathBuf, PathBuf)>,
}

/// Opens a driver below `root` (made if missing). An error says why this machine or file system does not carry it.
pub type Open = fn(root: &Path) -> io::Result<Box<dyn GraphDriver>>;

/// The drivers, best first.
pub const DRIVERS: &[(&str, Open)] = &[("overlay", overlay::open), ("vfs", vfs::open)];

/// The names `--storage-driver` takes that this build knows but cannot carry yet.
pub const LATER: &[&str] = &["btrfs", "devmapper", "aufs"];

/// A driver that was passed over, and why.
pub type PassedOver = (&'static str, String);

/// The driver of this name.
///
/// # Errors
/// There is none: a sentence that names those there are.
pub fn named(wanted: &str) -> io::Result<(&'static str, Open)> {
    // Docker's name for the same layout, which many an environment still sets.
    let wanted = if wanted == "overlay2" { "overlay" } else { wanted };
    DRIVERS.iter().find(|(name, _)| *name == wanted).copied().ok_or_else(|| {
        let known: Vec<_> = DRIVERS.iter().map(|(name, _)| *name).collect();
        let why = if LATER.contains(&wanted) { "is not in this version" } else { "does not exist" };
        io::Error::new(io::ErrorKind::InvalidInput, format!("storage driver {wanted:?} {why}: choose one of {}", known.join(", ")))
    })
}

/// Opens the driver `wanted`, or else the first that opens, with those passed over on the way.
///
/// # Errors
/// The wanted driver does not exist or does not open, or none opens: a sentence that says why for each.
pub fn open(root: &Path, wanted: Option<&str>) -> io::Result<(Box<dyn GraphDriver>, Vec<PassedOver>)> {
    if let Some(wanted) = wanted {
        let (name, open) = named(wanted)?;
        return open(root).map(|driver| (driver, Vec::new())).map_err(|error| io::Error::new(error.kind(), format!("storage driver {name}: {error}")));
    }
    let mut passed = Vec::new();
    for (name, open) in DRIVERS {
        match open(root) {
            Ok(driver) => return Ok((driver, passed)),
            Err(error) => passed.push((*name, error.to_string())),
        }
    }
    let why: Vec<_> = passed.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    Err(io::Error::other(format!("no storage driver works below {}: {}", root.display(), why.join("; "))))
}
