//! The tar format: a streaming reader and a writer, exact and bounded, without a file system.
//!
//! ```text
//!  ┌────────┬────────────┬─────┐┌────────┬─────────────┐┌────────┬──────┬─────┐     ┌──────┬──────┐
//!  │ header │ pax records│ pad ││ header │ (no content)││ header │ data │ pad │ ... │ zero │ zero │ anything
//!  │ 512, x │ or a name  │     ││ 512, 5 │             ││ 512, 0 │      │     │     │ 512  │ 512  │ (ignored)
//!  └────────┴────────────┴─────┘└────────┴─────────────┘└────────┴──────┴─────┘     └──────┴──────┘
//! ```
//!
//! Sources: POSIX.1-2017 `pax`, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar
//! Format" and "Storing Sparse Files". Where they leave a choice, the reader does as Go's `archive/tar` does, because
//! most images are made and read with it: two readers that see different names in one stream are a way to smuggle.

mod number;
mod pax;
mod reader;
mod sparse;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

/// The unit of the format, bytes.
pub const BLOCK: usize = 512;

/// Longest name or link target taken, bytes: the kernel's `PATH_MAX`.
pub const NAME_MAX: usize = 4096;

/// Largest extended header, bytes.
const EXTENDED_MAX: u64 = 1 << 20;

/// Largest value of one extended attribute, bytes: the kernel's `XATTR_SIZE_MAX`.
const XATTR_MAX: usize = 64 << 10;

/// Most extents of a sparse file.
const EXTENTS_MAX: usize = 1 << 20;

/// What an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A file with content.
    #[default]
    File,
    /// Another name of a file named by `link`.
    HardLink,
    /// A symbolic link to `link`.
    Symlink,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A folder.
    Folder,
    /// A named pipe.
    Fifo,
}

/// A stretch of a sparse file that holds data; all between is zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where it lies in the file, bytes.
    pub offset: u64,
    /// How long it is, bytes.
    pub length: u64,
}

/// One member of an archive, its content aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// As the archive has it.
    pub path: Vec<u8>,
    /// Target of a link.
    pub link: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Length of the file as it is read, bytes; 0 for what is no file.
    pub size: u64,
    /// Modification time: seconds since 1970 and nanoseconds (0 … 999,999,999).
    pub mtime: (i64, u32),
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes, name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The stretches with data of a sparse file, ascending; they alone are stored.
    pub sparse: Option<Vec<Extent>>,
}
