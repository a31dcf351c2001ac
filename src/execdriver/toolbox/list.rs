//! Applets that look at files: ls, stat, readlink.

use super::call::Call;
use crate::execdriver::user;
use rustix::fs::{Mode, OFlags, major, minor};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Names of users and groups, read as text: the library would load what the container says it needs for that.
#[derive(Debug)]
pub struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    /// Those of the container.
    pub fn read() -> Self {
        let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let names = |path| root.as_ref().map(|root| user::names(root.as_fd(), path)).unwrap_or_default();
        Self { users: names("etc/passwd"), groups: names("etc/group") }
    }

    /// A user's name, or its number.
    pub fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    /// A group's name, or its number.
    pub fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
}

/// `drwxr-xr-x`
fn rights(meta: &Metadata) -> String {
    let kind = meta.file_type();
    let letter = match () {
        () if kind.is_dir() => 'd',
        () if kind.is_symlink() => 'l',
        () if kind.is_fifo() => 'p',
        () if kind.is_socket() => 's',
        () if kind.is_char_device() => 'c',
        () if kind.is_block_device() => 'b',
        () => '-',
    };
    let mode = meta.mode();
    let mut text = String::from(letter);
    for (shift, special, with, without) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => with,
            (true, false) => without,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// A moment, always of UTC: the container's idea of a zone is a file that it chose.
fn moment(seconds: i64, format: &str) -> String {
    let moment = jiff::Timestamp::from_second(seconds).ok().map(|moment| moment.to_zoned(jiff::tz::TimeZone::UTC));
    moment.and_then(|moment| jiff::fmt::strtime::format(format, &moment).ok()).unwrap_or_else(|| seconds.to_string())
}

fn is_device(meta: &Metadata) -> bool {
    meta.file_type().is_char_device() || meta.file_type().is_block_device()
}

/// `ls`
pub fn ls(call: &mut Call<'_>) -> io::Result<()> {
    let Some(options) = call.options("1aAdlR") else { return Ok(()) };
    let list = List {
        long: options.has(b'l').then(Names::read),
        hidden: options.has(b'a') || options.has(b'A'),
        dots: options.has(b'a') && !options.has(b'A'),
        deep: options.has(b'R'),
    };
    let (mut files, mut folders): (Vec<OsString>, Vec<OsString>) = (Vec::new(), Vec::new());
    for path in call.arguments_or(".") {
        // What a link stands for is listed, unless the link itself is described.
        let meta = if options.has(b'l') || options.has(b'd') { Path::new(&path).symlink_metadata() } else { Path::new(&path).metadata() };
        match meta.or_else(|error| Path::new(&path).symlink_metadata().map_err(|_| error)) {
            Ok(meta) if meta.is_dir() && !options.has(b'd') => folders.push(path),
            Ok(_) => files.push(path),
            Err(error) => call.fail(&path, &error),
        }
    }
    files.sort();
    folders.sort();
    for file in &files {
        list.entry(call, Path::new(file), file.as_bytes())?;
    }
    let titled = files.len() + folders.len() > 1 || options.has(b'R');
    let mut first = files.is_empty();
    let mut ahead: Vec<PathBuf> = folders.into_iter().rev().map(PathBuf::from).collect();
    while let Some(folder) = ahead.pop() {
        if titled {
            let parts = [if first { &b""[..] } else { b"\n" }, folder.as_os_str().as_bytes(), b":\n"];
            call.out.write_all(&parts.concat())?;
            first = false;
        }
        let inside = list.folder(call, &folder)?;
        ahead.extend(inside.into_iter().rev());
    }
    Ok(())
}

/// How a list is to look.
struct List {
    /// A line for each, with the names of owners.
    long: Option<Names>,
    hidden: bool,
    dots: bool,
    deep: bool,
}

impl List {
    /// Lists a folder; gives back the folders in it that are still to come.
    fn folder(&self, call: &mut Call<'_>, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let read = std::fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>());
        let mut names = match read {
            Ok(names) => names,
            Err(error) => {
                call.fail(folder, &error);
                return Ok(Vec::new());
            }
        };
        names.retain(|name| self.hidden || !name.as_bytes().starts_with(b"."));
        names.extend([".", ".."].iter().filter(|_| self.dots).map(OsString::from));
        names.sort();
        let mut below = Vec::new();
        for name in names {
            let path = folder.join(&name);
            self.entry(call, &path, name.as_bytes())?;
            if self.deep && name != "." && name != ".." && path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                below.push(path);
            }
        }
        Ok(below)
    }

    fn entry(&self, call: &mut Call<'_>, path: &Path, name: &[u8]) -> io::Result<()> {
        let Some(names) = &self.long else { return call.out.write_all(&[name, b"\n"].concat()) };
        let meta = match path.symlink_metadata() {
            Ok(meta) => meta,
            // It went away since it was listed, as does the descriptor of a list of descriptors.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                call.fail(path, &error);
                return Ok(());
            }
        };
        let size = if is_device(&meta) { format!("{}, {}", major(meta.rdev()), minor(meta.rdev())) } else { meta.len().to_string() };
        let (user, group) = (names.user(meta.uid()), names.group(meta.gid()));
        let when = moment(meta.mtime(), "%Y-%m-%d %H:%M");
        let line = format!("{} {:>3} {user:<8} {group:<8} {size:>9} {when} ", rights(&meta), meta.nlink());
        let target = if meta.is_symlink() { std::fs::read_link(path).ok() } else { None };
        let target = target.map(|target| [b" -> ", target.as_os_str().as_bytes()].concat()).unwrap_or_default();
        call.out.write_all(&[line.as_bytes(), name, &target, b"\n"].concat())
    }
}

/// `stat`
pub fn stat(call: &mut Call<'_>) -> io::Result<()> {
    if call.options("").is_none() {
        return Ok(());
    }
    let names = Names::read();
    if call.arguments.is_empty() {
        call.refuse("a path is missing");
    }
    for path in call.arguments.clone() {
        let meta = match Path::new(&path).symlink_metadata() {
            Ok(meta) => meta,
            Err(error) => {
                call.fail(&path, &error);
                continue;
            }
        };
        let target = std::fs::read_link(&path).map(|target| [b" -> ", target.as_os_str().as_bytes()].concat()).unwrap_or_default();
        call.out.write_all(&[b"  File: ", path.as_bytes(), &target, b"\n"].concat())?;
        let device = if is_device(&meta) { format!("  Type: {},{}", major(meta.rdev()), minor(meta.rdev())) } else { String::new() };
        writeln!(call.out, "  Size: {}  Blocks: {}  Block: {}{device}", meta.len(), meta.blocks(), meta.blksize())?;
        writeln!(call.out, "Device: {},{}  Inode: {}  Links: {}", major(meta.dev()), minor(meta.dev()), meta.ino(), meta.nlink())?;
        let (user, group) = (names.user(meta.uid()), names.group(meta.gid()));
        writeln!(call.out, "Rights: {:04o}/{}  User: {}/{user}  Group: {}/{group}", meta.mode() & 0o7777, rights(&meta), meta.uid(), meta.gid())?;
        for (what, seconds) in [("Access", meta.atime()), ("Modify", meta.mtime()), ("Change", meta.ctime())] {
            writeln!(call.out, "{what}: {}", moment(seconds, "%Y-%m-%d %H:%M:%S UTC"))?;
        }
    }
    Ok(())
}

/// `readlink`; with `-f` the whole path with no link left in it.
pub fn readlink(call: &mut Call<'_>) -> io::Result<()> {
    let Some(options) = call.options("f") else { return Ok(()) };
    if call.arguments.is_empty() {
        call.refuse("a path is missing");
    }
    for path in call.arguments.clone() {
        let read = if options.has(b'f') { std::fs::canonicalize(&path) } else { std::fs::read_link(&path) };
        match read {
            Ok(target) => call.out.write_all(&[target.as_os_str().as_bytes(), b"\n"].concat())?,
            Err(error) => call.fail(&path, &error),
        }
    }
    Ok(())
}
