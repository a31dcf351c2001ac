//! Writes into a cgroup's files, which can be taken back: what each said before is noted first.

use crate::container::update::size;
use std::io;
use std::path::{Path, PathBuf};

/// Writes, and what undoes them.
#[derive(Debug)]
pub struct Writer {
    /// What is to be written where to have it as it was, the last write last; `None` if nobody wants it back.
    before: Option<Vec<(PathBuf, String)>>,
}

impl Writer {
    /// For a new cgroup, which is removed as a whole if something fails.
    pub fn plain() -> Self {
        Self { before: None }
    }

    /// For one in use.
    pub fn noting() -> Self {
        Self { before: Some(Vec::new()) }
    }

    /// Writes a value.
    pub fn set(&mut self, path: &Path, value: &str) -> io::Result<()> {
        let before = if self.before.is_some() { Some(read(path)?) } else { None };
        self.write(path, value, before)
    }

    /// Writes a list; an empty one, now or when it is put back, is `all`.
    pub fn set_list(&mut self, path: &Path, list: &str, all: &str) -> io::Result<()> {
        let or_all = |list: String| if list.is_empty() { all.to_owned() } else { list };
        let before = if self.before.is_some() { Some(or_all(read(path)?)) } else { None };
        self.write(path, &or_all(list.to_owned()), before)
    }

    /// Writes `KEY VALUE` into a file that has a line for each key; `none` is what a key without a line has.
    pub fn set_line(&mut self, path: &Path, key: &str, value: &str, none: &str) -> io::Result<()> {
        let before = match &self.before {
            Some(_) => {
                let text = read(path)?;
                let line = text.lines().find(|line| line.split_once(' ').is_some_and(|(known, _)| known == key));
                Some(line.map_or_else(|| format!("{key} {none}"), str::to_owned))
            }
            None => None,
        };
        self.write(path, &format!("{key} {value}"), before)
    }

    /// v2: the hard limit of memory. Below what is in use the kernel would kill for it: v1's way is to refuse, once it has
    /// taken back what it can, and so is this.
    pub fn set_memory_max(&mut self, path: &Path, value: &str) -> io::Result<()> {
        let (file, high, used) = (path.join("memory.max"), path.join("memory.high"), path.join("memory.current"));
        let limit = value.parse::<u64>().ok().filter(|limit| self.before.is_some() && number_in(&used).is_some_and(|used| used > *limit));
        let Some(limit) = limit else { return self.set(&file, value) };
        // What is allocated meanwhile waits for memory to be taken back instead of being killed.
        let usual = read(&high)?;
        let mut try_it = || {
            write(&high, value)?;
            match number_in(&used) {
                Some(used) if used > limit => Err(in_use(&file, limit, used)),
                _ => self.set(&file, value),
            }
        };
        let result = try_it();
        result.and(write(&high, &usual))
    }

    fn write(&mut self, path: &Path, value: &str, before: Option<String>) -> io::Result<()> {
        write(path, value)?;
        if let (Some(list), Some(before)) = (&mut self.before, before) {
            list.push((path.to_owned(), before));
        }
        Ok(())
    }

    /// Puts everything back, the last write first; goes on after an error.
    pub fn undo(self) -> Vec<io::Error> {
        let before = self.before.unwrap_or_default();
        before.iter().rev().filter_map(|(path, value)| write(path, value).err()).collect()
    }
}

/// The number in a file; `None` if there is none, or no such file.
pub fn number_in(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn read(path: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(path).map_err(|error| super::named(path, &error))?;
    Ok(text.trim().to_owned())
}

/// An empty value is a line all the same: of nothing at all the kernel would hear nothing.
fn write(path: &Path, value: &str) -> io::Result<()> {
    let line = if value.is_empty() { "\n" } else { value };
    std::fs::write(path, line).map_err(|error| refused(path, value, &error))
}

fn in_use(path: &Path, limit: u64, used: u64) -> io::Error {
    let why =
        format!("cannot write {limit} to {}: {} are in use, and the kernel cannot take enough of it back for {}", path.display(), size(used), size(limit));
    io::Error::new(io::ErrorKind::ResourceBusy, why)
}

/// What the kernel refused, and why.
fn refused(path: &Path, value: &str, error: &io::Error) -> io::Error {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let why = match (name, error.raw_os_error()) {
        ("memory.limit_in_bytes" | "memory.memsw.limit_in_bytes", Some(libc::EBUSY)) => {
            let used = number_in(&path.with_file_name(name.replace("limit_in_bytes", "usage_in_bytes")));
            if let (Some(used), Ok(limit)) = (used, value.parse()) {
                return in_use(path, limit, used);
            }
            ""
        }
        ("cpu.cfs_quota_us" | "cpu.cfs_period_us" | "cpu.max", Some(libc::EINVAL)) => " (more than the cgroup above may have, or less than 1000 microseconds)",
        ("cpuset.cpus" | "cpuset.mems", Some(libc::EINVAL | libc::EACCES | libc::ERANGE | libc::ENOSPC)) => {
            " (not all of them are there, or the cgroup above may not use them)"
        }
        (_, Some(libc::ENODEV | libc::ENXIO)) => " (there is no such disk)",
        (name, Some(libc::EOPNOTSUPP)) if name.contains("weight") => " (this disk's scheduler has no weights: bfq has)",
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot write {value} to {}: {error}{why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let now = |path: &Path| std::fs::read_to_string(path).unwrap();
        let list = file("list", "\n");
        let (plain, empty, lines, bare) = (file("plain", "7\n"), file("empty", "\n"), file("lines", "8:0 100\n8:16 200\n"), file("bare", ""));
        let mut writer = Writer::noting();
        writer.set(&plain, "8").unwrap();
        writer.set(&plain, "9").unwrap();
        writer.set(&empty, "0-1").unwrap();
        writer.set_list(&list, "2", "0-3").unwrap();
        writer.set_line(&lines, "8:16", "5", "0").unwrap();
        writer.set_line(&bare, "8:1", "5", "0").unwrap();
        assert_eq!((now(&plain), now(&lines), now(&bare)), ("9".to_owned(), "8:16 5".to_owned(), "8:1 5".to_owned()));
        assert!(writer.set(&folder.path().join("missing/file"), "1").is_err());
        assert!(writer.undo().is_empty());
        assert_eq!(now(&list), "0-3", "no kernel takes an empty list where processes are");
        // These files take whole texts where the kernel's take lines: what was written back is what is seen.
        assert_eq!((now(&plain), now(&empty), now(&lines), now(&bare)), ("7".to_owned(), "\n".to_owned(), "8:16 200".to_owned(), "8:1 0".to_owned()));
    }

    #[test]
    fn memory_in_use_is_not_killed_for() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        for (name, text) in [("memory.max", "max\n"), ("memory.high", "max\n"), ("memory.current", "4000000\n")] {
            write(name, text);
        }
        let error = Writer::noting().set_memory_max(folder.path(), "2000000").unwrap_err().to_string();
        assert!(error.contains("3.81MiB are in use") && error.contains("1.91MiB"), "{error}");
        assert_eq!((read("memory.max").as_str(), read("memory.high").as_str()), ("max\n", "max"));
        Writer::noting().set_memory_max(folder.path(), "5000000").unwrap();
        assert_eq!(read("memory.max"), "5000000");
        Writer::plain().set_memory_max(folder.path(), "1000").unwrap();
        assert_eq!(read("memory.max"), "1000", "a new cgroup has nothing in use");
    }
}
