//! Opens the folders that names lie in, always beneath the root, and makes those that are missing.

use super::name::{join, shown, split};
use super::{Form, OPAQUE};
use crate::graph::invalid;
use crate::graph::tar::NAME_MAX;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// How many folders stay open: streams go through trees folder by folder, so few suffice.
const OPEN_MAX: usize = 16;

/// Symbolic links followed for one name at most, as the kernel's own limit.
const LINKS_MAX: usize = 40;

/// Nothing above the folder given, and no link of any kind.
pub const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// An open folder.
pub struct Folder {
    /// Opened with `O_PATH`.
    pub fd: OwnedFd,
    /// Where it is below the root, without any link on the way; empty for the root.
    pub path: Vec<u8>,
}

impl Folder {
    /// The path of a name in it.
    pub fn child(&self, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::with_capacity(self.path.len() + name.len() + 1);
        path.extend_from_slice(&self.path);
        join(&mut path, name);
        path
    }

    /// What a name in it is, links not followed; `None` if it is not there.
    pub fn stat(&self, name: &[u8]) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the folder `name` in it hide what lower layers have there.
    pub fn set_opaque(&self, name: &[u8]) -> io::Result<()> {
        let name = if name.is_empty() { b"." } else { name };
        let fd = rustix::fs::openat(&self.fd, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        rustix::fs::fsetxattr(fd, OPAQUE, b"y", XattrFlags::empty())?;
        Ok(())
    }
}

/// Whether this is the mark of a removed name in diff form.
pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// The folders below one root.
pub struct Folders {
    root: Rc<Folder>,
    form: Form,
    /// The path asked for and what it is; the last used first.
    open: Vec<(Vec<u8>, Rc<Folder>)>,
    /// Folders made since this was last taken, and whether they replace a removed name.
    pub made: Vec<(Vec<u8>, bool)>,
}

impl Folders {
    /// The folders below `root`.
    pub fn new(root: BorrowedFd<'_>, form: Form) -> io::Result<Self> {
        let fd = open_beneath(root, b".", OFlags::PATH)?;
        Ok(Self { root: Rc::new(Folder { fd, path: Vec::new() }), form, open: Vec::new(), made: Vec::new() })
    }

    /// The root itself.
    pub fn root(&self) -> Rc<Folder> {
        Rc::clone(&self.root)
    }

    /// Forgets all open folders: one of them, or a link on the way to one, was replaced.
    pub fn forget(&mut self) {
        self.open.clear();
    }

    /// The folder at a clean path; missing ones are made if `make`.
    ///
    /// # Errors
    /// `NotFound` if it is missing and not to be made, `InvalidData` if something that is no folder is on the way.
    pub fn get(&mut self, path: &[u8], make: bool) -> io::Result<Rc<Folder>> {
        if path.is_empty() {
            return Ok(self.root());
        }
        if let Some(at) = self.open.iter().position(|(open, _)| open == path) {
            self.open[..=at].rotate_right(1);
            return Ok(Rc::clone(&self.open[0].1));
        }
        let folder = match open_beneath(self.root.fd.as_fd(), path, OFlags::PATH) {
            Ok(fd) => Rc::new(Folder { fd, path: path.to_vec() }),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => self.walk(path, make)?,
            Err(error) => return Err(error.into()),
        };
        self.open.truncate(OPEN_MAX - 1);
        self.open.insert(0, (path.to_vec(), Rc::clone(&folder)));
        Ok(folder)
    }

    /// Goes to `path` component by component, follows links beneath the root and makes what is missing.
    fn walk(&mut self, path: &[u8], make: bool) -> io::Result<Rc<Folder>> {
        let mut at = self.root();
        let mut todo: VecDeque<Vec<u8>> = path.split(|&b| b == b'/').map(<[u8]>::to_vec).collect();
        let mut links = 0;
        let mut steps = 0;
        while let Some(name) = todo.pop_front() {
            steps += 1;
            if steps > NAME_MAX {
                return Err(invalid(format!("too long a way through symbolic links to {}", shown(path))));
            }
            match &name[..] {
                b"" | b"." => {}
                b".." => at = self.above(&at)?,
                _ => match self.step(&at, &name, make)? {
                    Step::Into(folder) => at = folder,
                    Step::Link(target) => {
                        links += 1;
                        if links > LINKS_MAX {
                            return Err(invalid(format!("too many symbolic links on the way through {}", shown(&at.child(&name)))));
                        }
                        if target.starts_with(b"/") {
                            at = self.root();
                        }
                        for component in target.split(|&b| b == b'/').rev() {
                            todo.push_front(component.to_vec());
                        }
                    }
                },
            }
        }
        Ok(at)
    }

    /// The folder above `folder`; the root is above itself.
    fn above(&self, folder: &Folder) -> io::Result<Rc<Folder>> {
        let (path, _) = split(&folder.path);
        if path.is_empty() {
            return Ok(self.root());
        }
        let fd = open_beneath(self.root.fd.as_fd(), path, OFlags::PATH)?;
        Ok(Rc::new(Folder { fd, path: path.to_vec() }))
    }

    fn step(&mut self, at: &Folder, name: &[u8], make: bool) -> io::Result<Step> {
        let path = at.child(name);
        if path.len() >= NAME_MAX {
            return Err(invalid("a folder's path gets too long on the way through symbolic links"));
        }
        let mut replaced = false;
        match open_beneath(at.fd.as_fd(), name, OFlags::PATH) {
            Ok(fd) => return Ok(Step::Into(Rc::new(Folder { fd, path }))),
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR | Errno::LOOP) => match at.stat(name)? {
                Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                    return Ok(Step::Link(rustix::fs::readlinkat(&at.fd, name, Vec::new())?.into_bytes()));
                }
                Some(stat) if self.form == Form::Layer && is_whiteout(&stat) => replaced = true,
                _ => return Err(invalid(format!("{} is not a folder", shown(&path)))),
            },
            Err(error) => return Err(error.into()),
        }
        if !make {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("folder {} is not there", shown(&path))));
        }
        if replaced {
            rustix::fs::unlinkat(&at.fd, name, AtFlags::empty())?;
        }
        rustix::fs::mkdirat(&at.fd, name, Mode::RWXU)?;
        if replaced {
            at.set_opaque(name)?;
        }
        let fd = open_beneath(at.fd.as_fd(), name, OFlags::PATH)?;
        self.made.push((path.clone(), replaced));
        Ok(Step::Into(Rc::new(Folder { fd, path })))
    }
}

/// One step of a walk.
enum Step {
    Into(Rc<Folder>),
    Link(Vec<u8>),
}

/// Opens a folder beneath `base`, no link followed.
pub fn open_beneath(base: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    loop {
        match rustix::fs::openat2(base, path, flags | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), BENEATH) {
            // Something was renamed or mounted while the kernel looked: it wants to be asked again.
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
}
