//! A layer as a tar stream, and as a folder in diff form: extraction that trusts nothing, and packing.
//!
//! # Forms
//! In a stream (OCI image specification, layer.md) a removed name `NAME` is an empty file `.wh.NAME` beside where it
//! was, and a folder that hides all that lower layers have in it holds a file `.wh..wh..opq`. In diff form, on disk,
//! the former is a character device 0:0 called `NAME`, the latter the extended attribute `trusted.overlay.opaque=y` of
//! the folder: what overlayfs reads. [`extract`] and [`pack_layer`] turn one into the other.
//!
//! # How extraction is safe
//! Names are cleaned as text first (`..` above the root is refused), then every folder is opened by the kernel beneath
//! the root without following any link (`openat2`), and all that is made is made by one name inside such a folder,
//! without following. Where a stream goes through a symbolic link that it made itself, the link is read and its
//! target walked the same way, the root standing for `/`. So nothing outside the root is ever named.

mod attributes;
mod extract;
mod folders;
#[cfg(test)]
mod hostile;
pub(super) mod name;
mod pack;
mod walk;

pub use extract::extract;
pub use pack::{Changed, Pack, pack_changes, pack_layer, pack_tree};

use std::path::PathBuf;

/// Extended attribute of a folder that hides what lower layers have in it.
const OPAQUE: &str = "trusted.overlay.opaque";

/// What stands before the name of a removed file in a stream.
const WHITEOUT: &[u8] = b".wh.";

/// What a stream's names mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A layer: `.wh.` names remove, what the stream leaves unsaid is recorded for the parents to say. The root must
    /// be an empty folder of the caller's own.
    Layer,
    /// Files into a tree that is there already, and maybe in use: no name means anything else, a hard link's target
    /// must be there, no folder is replaced by a file or the other way round.
    Files,
}

/// What is taken from a stream at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries.
    pub entries: u64,
    /// Bytes of files' contents, all together.
    pub bytes: u64,
    /// Bytes of names kept in memory until the end (folders', for their times).
    pub names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 10_000_000, bytes: 1 << 40, names: 256 << 20 }
    }
}

/// What a layer's stream did not say and only its parents know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsaid {
    /// Folders made because a name below them needed them (0755 root); relative paths, parents first; `.` for the root.
    pub folders: Vec<PathBuf>,
    /// Hard links whose target is not in this layer: (link, target), relative paths, in the stream's order.
    pub links: Vec<(PathBuf, PathBuf)>,
}

/// What came out of a stream.
#[derive(Clone, Debug, Default)]
pub struct Extracted {
    /// What its parents must say.
    pub unsaid: Unsaid,
    /// Entries read, those without effect included.
    pub entries: u64,
    /// Bytes of files' contents written.
    pub bytes: u64,
    /// Extended attributes that this file system cannot hold, `path: name`, the first few: worth a warning.
    pub unkept: Vec<String>,
}
