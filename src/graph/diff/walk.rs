//! Walks a tree by descriptors, folders before what is in them, names in the order of their bytes.

use super::folders::open_beneath;
use super::name::join;
use rustix::fs::OFlags;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How many folders stay open; those above are opened again by their path on the way back.
const OPEN_MAX: usize = 64;

/// A walk below one folder.
pub struct Walk<'a> {
    root: BorrowedFd<'a>,
    frames: Vec<Frame>,
}

/// A folder that the walk is in.
struct Frame {
    fd: Option<OwnedFd>,
    /// Below the root; empty for the root.
    path: Vec<u8>,
    names: std::vec::IntoIter<Vec<u8>>,
}

impl<'a> Walk<'a> {
    /// A walk through what is in `root`.
    pub fn new(root: BorrowedFd<'a>) -> io::Result<Self> {
        let mut walk = Self { root, frames: Vec::new() };
        walk.enter(Vec::new())?;
        Ok(walk)
    }

    /// The next name: calls `visit` with its folder, itself and its path below the root; it says whether to go into it.
    /// Gives `false` at the end.
    pub fn step(&mut self, visit: impl FnOnce(BorrowedFd<'_>, &[u8], &[u8]) -> io::Result<bool>) -> io::Result<bool> {
        loop {
            let Some(frame) = self.frames.last_mut() else { return Ok(false) };
            let Some(name) = frame.names.next() else {
                self.frames.pop();
                continue;
            };
            if frame.fd.is_none() {
                frame.fd = open(self.root, &frame.path)?;
            }
            // A folder that went away meanwhile has nothing more to show.
            let Some(fd) = &frame.fd else {
                self.frames.pop();
                continue;
            };
            let mut path = frame.path.clone();
            join(&mut path, &name);
            if visit(fd.as_fd(), &name, &path)? {
                self.enter(path)?;
            }
            return Ok(true);
        }
    }

    fn enter(&mut self, path: Vec<u8>) -> io::Result<()> {
        let Some(fd) = open(self.root, &path)? else { return Ok(()) };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(name.to_vec());
            }
        }
        names.sort_unstable();
        let depth = self.frames.len();
        if let Some(above) = depth.checked_sub(OPEN_MAX) {
            self.frames[above].fd = None;
        }
        self.frames.push(Frame { fd: Some(fd), path, names: names.into_iter() });
        Ok(())
    }
}

/// The folder at `path`; `None` if it is no folder, or gone.
fn open(root: BorrowedFd<'_>, path: &[u8]) -> io::Result<Option<OwnedFd>> {
    use rustix::io::Errno;
    let path = if path.is_empty() { b"." } else { path };
    match open_beneath(root, path, OFlags::RDONLY) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
