//! Extraction of one tar stream beneath a root.

use super::attributes::{Attributes, Setter};
use super::folders::{Folder, Folders, is_whiteout, open_beneath};
use super::name::{self, Meaning, shown, split};
use super::{Extracted, Form, Limits, Unsaid};
use crate::graph::tar::{Entry, Kind, Reader};
use crate::graph::{invalid, named};
use rustix::fs::{AtFlags, Dev, FileType, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::rc::Rc;

/// Extracts a tar stream beneath `root`, and reads the stream to its end.
///
/// On an error the root holds whatever came before it: the caller throws it away.
///
/// # Errors
/// `InvalidData` or `UnexpectedEof` if the stream is not what it should be, any other kind from this machine's file
/// system; the message names the entry.
pub fn extract<R: Read>(stream: R, root: BorrowedFd<'_>, form: Form, limits: &Limits) -> io::Result<Extracted> {
    let mut extraction = Extraction::new(root, form, *limits)?;
    let mut reader = Reader::new(stream);
    let mut entry = Entry::default();
    let mut last = Vec::new();
    loop {
        match reader.next(&mut entry) {
            Ok(true) => {}
            Ok(false) => return extraction.finish(),
            Err(error) if extraction.entries == 0 => return Err(error),
            Err(error) => return Err(named(format_args!("after entry \"{}\"", shown(&last)), &error)),
        }
        extraction.entry(&mut reader, &mut entry).map_err(|error| named(format_args!("entry \"{}\"", shown(&entry.path)), &error))?;
        std::mem::swap(&mut last, &mut entry.path);
    }
}

/// What the stream said so far.
struct Extraction {
    folders: Folders,
    form: Form,
    limits: Limits,
    setter: Setter,
    entries: u64,
    bytes: u64,
    /// Bytes of names kept.
    names: usize,
    /// What folders get at the end, when nothing more is made in them.
    attributes: BTreeMap<Vec<u8>, Attributes>,
    /// Folders no entry spoke of.
    implied: BTreeSet<Vec<u8>>,
    /// Hard links to what is not in this layer: link, its place in the order, target.
    links: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
}

impl Extraction {
    fn new(root: BorrowedFd<'_>, form: Form, limits: Limits) -> io::Result<Self> {
        let implied = if form == Form::Layer { BTreeSet::from([Vec::new()]) } else { BTreeSet::new() };
        Ok(Self {
            folders: Folders::new(root, form)?,
            form,
            limits,
            setter: if form == Form::Layer { Setter::new(root) } else { Setter::careful() },
            entries: 0,
            bytes: 0,
            names: 0,
            attributes: BTreeMap::new(),
            implied,
            links: BTreeMap::new(),
        })
    }

    fn entry<R: Read>(&mut self, reader: &mut Reader<R>, entry: &mut Entry) -> io::Result<()> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(invalid(format!("more than {} entries", self.limits.entries)));
        }
        let path = name::clean(&entry.path)?;
        let attributes = Attributes::of(entry)?;
        if path.is_empty() {
            if entry.kind != Kind::Folder {
                return Err(invalid("the root is not a folder"));
            }
            // Files go into a tree whose root is not theirs to change.
            return if self.form == Form::Layer { self.say(Vec::new(), attributes) } else { Ok(()) };
        }
        let (above, base) = split(&path);
        if self.form == Form::Layer {
            match name::meaning(&path)? {
                Meaning::Itself => {}
                Meaning::Nothing => return Ok(()),
                Meaning::Opaque => return self.folder(above)?.set_opaque(b""),
                Meaning::Removes(removed) => return self.remove(above, removed),
            }
        }
        let folder = self.folder(above)?;
        match entry.kind {
            Kind::Folder => self.make_folder(&folder, base, attributes),
            Kind::File => self.make_file(&folder, base, &attributes, reader, entry),
            Kind::Symlink => self.make_symlink(&folder, base, &attributes, &entry.link),
            Kind::HardLink => self.make_link(&folder, base, &entry.link),
            Kind::Char | Kind::Block | Kind::Fifo => self.make_node(&folder, base, &attributes, entry),
        }
    }

    /// The folder at a clean path, made if missing.
    fn folder(&mut self, path: &[u8]) -> io::Result<Rc<Folder>> {
        let folder = self.folders.get(path, true)?;
        for (path, replaced) in std::mem::take(&mut self.folders.made) {
            self.keep(path.len())?;
            self.attributes.insert(path.clone(), Setter::unsaid());
            // What replaces a removed folder has no attributes to take from it.
            if !replaced && self.form == Form::Layer {
                self.implied.insert(path);
            }
        }
        Ok(folder)
    }

    /// Counts a name that is kept until the end.
    fn keep(&mut self, length: usize) -> io::Result<()> {
        // With what the maps need for themselves.
        self.names += length + 128;
        if self.names > self.limits.names {
            return Err(invalid(format!("its folders' names need more than {} bytes of memory", self.limits.names)));
        }
        Ok(())
    }

    /// Keeps what the stream says of a folder until the end.
    fn say(&mut self, path: Vec<u8>, attributes: Attributes) -> io::Result<()> {
        self.keep(path.len() + attributes.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>())?;
        self.implied.remove(&path);
        self.attributes.insert(path, attributes);
        Ok(())
    }

    /// Makes `name` free in `folder`, if something is there. Gives whether a removal stood there.
    fn make_way(&mut self, folder: &Folder, name: &[u8]) -> io::Result<bool> {
        let Some(stat) = folder.stat(name)? else { return Ok(false) };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            if self.form == Form::Files {
                return Err(invalid("a folder of this name is there already and is not replaced"));
            }
            self.remove_tree(folder.child(name))?;
            return Ok(false);
        }
        if self.form == Form::Files && is_mount(folder, name) {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "a file is mounted there, which only another file's content can replace"));
        }
        rustix::fs::unlinkat(&folder.fd, name, AtFlags::empty())?;
        if kind == FileType::Symlink {
            self.folders.forget();
        }
        Ok(self.form == Form::Layer && is_whiteout(&stat))
    }

    /// Removes a folder that an earlier entry made, with all in it, and what was to be done to it.
    fn remove_tree(&mut self, path: Vec<u8>) -> io::Result<()> {
        self.folders.forget();
        self.attributes.remove(&path);
        self.implied.remove(&path);
        for gone in remove_below(&mut self.attributes, &path) {
            self.implied.remove(&gone);
        }
        remove_below(&mut self.links, &path);
        let root = self.folders.root();
        let mut folders = vec![path];
        let mut at = 0;
        while at < folders.len() {
            let fd = open_beneath(root.fd.as_fd(), &folders[at], OFlags::RDONLY)?;
            for child in rustix::fs::Dir::read_from(&fd)? {
                let child = child?;
                let name = child.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                match rustix::fs::unlinkat(&fd, name, AtFlags::empty()) {
                    Err(Errno::ISDIR) => {
                        let mut path = folders[at].clone();
                        name::join(&mut path, name);
                        folders.push(path);
                    }
                    other => other?,
                }
            }
            at += 1;
        }
        for path in folders.iter().rev() {
            let (above, name) = split(path);
            let above = if above.is_empty() { b"." } else { above };
            rustix::fs::unlinkat(open_beneath(root.fd.as_fd(), above, OFlags::PATH)?, name, AtFlags::REMOVEDIR)?;
        }
        Ok(())
    }

    /// A whiteout. It hides what lower layers have: what this layer has itself stays, a folder without theirs.
    fn remove(&mut self, above: &[u8], name: &[u8]) -> io::Result<()> {
        let folder = self.folder(above)?;
        let path = folder.child(name);
        match folder.stat(name)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                self.implied.remove(&path);
                folder.set_opaque(name)
            }
            Some(_) => Ok(()),
            None if self.links.contains_key(&path) => Ok(()),
            None => Ok(rustix::fs::mknodat(&folder.fd, name, FileType::CharacterDevice, Mode::empty(), 0)?),
        }
    }

    fn make_folder(&mut self, folder: &Folder, name: &[u8], attributes: Attributes) -> io::Result<()> {
        let path = folder.child(name);
        self.links.remove(&path);
        match rustix::fs::mkdirat(&folder.fd, name, Mode::RWXU) {
            Err(Errno::EXIST) => {
                let there = folder.stat(name)?.map(|stat| FileType::from_raw_mode(stat.st_mode));
                if there != Some(FileType::Directory) {
                    if self.form == Form::Files {
                        return Err(invalid("something else of this name is there already and is not replaced by a folder"));
                    }
                    let removal = self.make_way(folder, name)?;
                    rustix::fs::mkdirat(&folder.fd, name, Mode::RWXU)?;
                    if removal {
                        folder.set_opaque(name)?;
                    }
                }
            }
            other => other?,
        }
        self.say(path, attributes)
    }

    /// Calls `make` until nothing is in its way.
    fn make<T>(&mut self, folder: &Folder, name: &[u8], mut make: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
        if !self.links.is_empty() {
            self.links.remove(&folder.child(name));
        }
        match make() {
            Err(Errno::EXIST) => {
                self.make_way(folder, name)?;
                Ok(make()?)
            }
            other => Ok(other?),
        }
    }

    fn make_file<R: Read>(&mut self, folder: &Folder, name: &[u8], attributes: &Attributes, reader: &mut Reader<R>, entry: &Entry) -> io::Result<()> {
        let left = self.limits.bytes - self.bytes;
        if reader.stored() > left {
            return Err(invalid(format!("{} bytes where all files together may have {} more", reader.stored(), left)));
        }
        self.bytes += reader.stored();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = self.setter.birth_mode(attributes);
        // A name taken away in one mount namespace takes the mounts on it away in all others: such a file stays what it
        // is, and gets the content alone.
        let is_file = |stat: rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let mounted = self.form == Form::Files && is_mount(folder, name) && folder.stat(name)?.is_some_and(is_file);
        let fd = if mounted {
            rustix::fs::openat(&folder.fd, name, OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?
        } else {
            self.make(folder, name, || rustix::fs::openat(&folder.fd, name, flags, mode))?
        };
        match &entry.sparse {
            None => write_whole(reader, &fd)?,
            Some(extents) => {
                rustix::fs::ftruncate(&fd, entry.size)?;
                for extent in extents {
                    write_extent(reader, &fd, extent.offset, extent.length)?;
                }
            }
        }
        if mounted { Ok(()) } else { self.setter.file(fd.as_fd(), attributes, &entry.path, true) }
    }

    fn make_symlink(&mut self, folder: &Folder, name: &[u8], attributes: &Attributes, target: &[u8]) -> io::Result<()> {
        self.make(folder, name, || rustix::fs::symlinkat(target, &folder.fd, name))?;
        self.setter.link(folder.fd.as_fd(), name, attributes, &folder.child(name))
    }

    /// A hard link. Its target may lie in a lower layer, and then only the parents can make it.
    fn make_link(&mut self, folder: &Folder, name: &[u8], target: &[u8]) -> io::Result<()> {
        let wanted = name::clean(target).map_err(|error| named(format_args!("hard link target \"{}\"", shown(target)), &error))?;
        let (above, base) = split(&wanted);
        if base.is_empty() {
            return Err(invalid("a hard link to the root"));
        }
        let from = match self.folders.get(above, false) {
            Ok(from) => Some(from),
            // No folder, or something that is none: a lower layer may have it.
            Err(error) if self.form == Form::Layer && matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => None,
            Err(error) => return Err(named(format_args!("hard link target \"{}\"", shown(target)), &error)),
        };
        let there = match &from {
            Some(from) => from.stat(base)?.filter(|stat| self.form == Form::Files || !is_whiteout(stat)),
            None => None,
        };
        let path = folder.child(name);
        match (from, there) {
            (Some(from), Some(_)) if from.child(base) == path => Ok(()),
            (Some(from), Some(_)) => self
                .make(folder, name, || rustix::fs::linkat(&from.fd, base, &folder.fd, name, AtFlags::empty()))
                .map_err(|error| named(format_args!("hard link to \"{}\"", shown(target)), &error)),
            (from, _) if self.form == Form::Layer => {
                let wanted = from.map_or(wanted.clone(), |from| from.child(base));
                // A link to a link that waits itself: wait for the same.
                let wanted = self.links.get(&wanted).map_or(wanted, |(_, target)| target.clone());
                self.make_way(folder, name)?;
                self.keep(path.len() + wanted.len())?;
                if wanted != path {
                    self.links.insert(path, (self.entries, wanted));
                }
                Ok(())
            }
            _ => Err(invalid(format!("hard link target \"{}\" is not there", shown(target)))),
        }
    }

    fn make_node(&mut self, folder: &Folder, name: &[u8], attributes: &Attributes, entry: &Entry) -> io::Result<()> {
        let (major, minor) = entry.device;
        let (kind, device): (FileType, Dev) = match entry.kind {
            Kind::Char if entry.device == (0, 0) => return Err(invalid("a character device 0:0, which would remove a name without saying so")),
            Kind::Char => (FileType::CharacterDevice, rustix::fs::makedev(major, minor)),
            Kind::Block => (FileType::BlockDevice, rustix::fs::makedev(major, minor)),
            _ => (FileType::Fifo, 0),
        };
        // What the kernel's numbers cannot say must not become another device, least of all 0:0.
        if kind != FileType::Fifo && (major >= 1 << 12 || minor >= 1 << 20) {
            return Err(invalid(format!("device number {major}:{minor} does not fit")));
        }
        self.make(folder, name, || rustix::fs::mknodat(&folder.fd, name, kind, Mode::empty(), device))?;
        self.setter.node(folder.fd.as_fd(), name, attributes, &entry.path)
    }

    /// Gives folders their attributes, the deepest first, and says what came out.
    fn finish(mut self) -> io::Result<Extracted> {
        let root = self.folders.root();
        if self.form == Form::Layer {
            self.attributes.entry(Vec::new()).or_insert_with(Setter::unsaid);
        }
        for (path, attributes) in self.attributes.iter().rev() {
            let from_root = if path.is_empty() { b"." } else { &path[..] };
            let set = open_beneath(root.fd.as_fd(), from_root, OFlags::RDONLY)
                .map_err(io::Error::from)
                .and_then(|fd| self.setter.file(fd.as_fd(), attributes, path, false));
            set.map_err(|error| named(format_args!("folder \"{}\"", shown(path)), &error))?;
        }
        let mut links: Vec<_> = self.links.into_iter().collect();
        links.sort_by_key(|(_, (order, _))| *order);
        let path = |bytes: Vec<u8>| PathBuf::from(OsString::from_vec(if bytes.is_empty() { b".".to_vec() } else { bytes }));
        let unsaid = Unsaid {
            folders: self.implied.into_iter().map(path).collect(),
            links: links.into_iter().map(|(link, (_, target))| (path(link), path(target))).collect(),
        };
        Ok(Extracted { unsaid, entries: self.entries, bytes: self.bytes, unkept: self.setter.unkept })
    }
}

/// Whether another file is mounted on this name. Kernels before Linux 5.8 do not say.
fn is_mount(folder: &Folder, name: &[u8]) -> bool {
    let found = rustix::fs::statx(&folder.fd, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes_mask.intersects(StatxAttributes::MOUNT_ROOT) && found.stx_attributes.intersects(StatxAttributes::MOUNT_ROOT))
}

/// Takes all paths below `path` out of `map`, and gives them.
fn remove_below<V>(map: &mut BTreeMap<Vec<u8>, V>, path: &[u8]) -> Vec<Vec<u8>> {
    // All that begin with "path/" lie between these two: '0' follows '/'.
    let range = [path, b"/"].concat()..[path, b"0"].concat();
    let gone: Vec<Vec<u8>> = map.range(range).map(|(path, _)| path.clone()).collect();
    for path in &gone {
        map.remove(path);
    }
    gone
}

fn write_whole<R: Read>(reader: &mut Reader<R>, fd: &OwnedFd) -> io::Result<()> {
    loop {
        let chunk = reader.chunk()?;
        if chunk.is_empty() {
            return Ok(());
        }
        let count = rustix::io::retry_on_intr(|| rustix::io::write(fd, chunk))?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        reader.consume(count);
    }
}

fn write_extent<R: Read>(reader: &mut Reader<R>, fd: &OwnedFd, mut offset: u64, mut length: u64) -> io::Result<()> {
    while length > 0 {
        let chunk = reader.chunk()?;
        let chunk = &chunk[..chunk.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
        let count = rustix::io::retry_on_intr(|| rustix::io::pwrite(fd, chunk, offset))?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        reader.consume(count);
        offset += count as u64;
        length -= count as u64;
    }
    Ok(())
}
