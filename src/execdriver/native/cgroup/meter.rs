//! What a container uses, from its cgroup's files: kept open, read by `pread`, parsed where they lie.
//!
//! ```text
//!               v1                                         v2
//!  cpu          cpuacct.usage (ns)                         cpu.stat: usage_usec (also without the controller)
//!  memory       memory.usage_in_bytes                      memory.current
//!               - memory.stat: total_inactive_file         - memory.stat: inactive_file
//!  its limit    memory.limit_in_bytes                      memory.max
//!  processes    pids.current, pids.max                     the same
//! ```
//!
//! Source: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.

use super::{Cgroups, named};
use crate::execdriver::{Meter, Usage};
use crate::id::ContainerId;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Longer than any of these files; `memory.stat`, the longest, has less than 3 KiB.
const LONGEST: usize = 8192;

/// v1 writes "no limit" as the largest number of pages; whatever is near it is none.
const UNLIMITED: u64 = 1 << 62;

/// The open files of one container's cgroup. `None` is a file that this machine does not have.
#[derive(Debug, Default)]
struct Files {
    cpu: Option<OwnedFd>,
    /// Whether `cpu` is v2's `cpu.stat`.
    cpu_v2: bool,
    memory: Option<OwnedFd>,
    memory_stat: Option<OwnedFd>,
    /// What begins the line of `memory_stat` that is wanted.
    inactive: &'static str,
    memory_limit: Option<OwnedFd>,
    pids: Option<OwnedFd>,
    pids_limit: Option<OwnedFd>,
}

impl Cgroups {
    /// Opens what tells the container's use; `None` if it has no cgroup here (any more).
    pub fn meter(&self, id: &ContainerId, _network: Option<i32>) -> io::Result<Option<Box<dyn Meter>>> {
        let mut files = Files::default();
        let folder = |path: Option<PathBuf>| path.filter(|path| path.is_dir());
        let unified = folder(self.v2_path(id));
        let v2 = |controller: &str| unified.as_deref().filter(|_| self.v2_controllers.iter().any(|known| known == controller));
        let mut found = unified.is_some();
        if let Some(path) = folder(self.v1_path("cpuacct", id)) {
            found = true;
            files.cpu = open(&path, "cpuacct.usage")?;
        } else if let Some(path) = &unified {
            files.cpu = open(path, "cpu.stat")?;
            files.cpu_v2 = true;
        }
        if let Some(path) = folder(self.v1_path("memory", id)) {
            found = true;
            files.memory = open(&path, "memory.usage_in_bytes")?;
            files.memory_stat = open(&path, "memory.stat")?;
            files.inactive = "total_inactive_file ";
            files.memory_limit = open(&path, "memory.limit_in_bytes")?;
        } else if let Some(path) = v2("memory") {
            files.memory = open(path, "memory.current")?;
            files.memory_stat = open(path, "memory.stat")?;
            files.inactive = "inactive_file ";
            files.memory_limit = open(path, "memory.max")?;
        }
        let old = folder(self.v1_path("pids", id));
        found |= old.is_some();
        if let Some(path) = old.as_deref().or_else(|| v2("pids")) {
            files.pids = open(path, "pids.current")?;
            files.pids_limit = open(path, "pids.max")?;
        }
        Ok(found.then(|| Box::new(files) as Box<dyn Meter>))
    }
}

/// Opens a file of a cgroup; `None` if it is not there.
fn open(folder: &Path, name: &str) -> io::Result<Option<OwnedFd>> {
    let path = folder.join(name);
    match rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NODEV) => Ok(None),
        Err(error) => Err(named(&path, &error.into())),
    }
}

/// A file's content, read into `buffer`; `None` without a file, an error once the cgroup is gone.
fn read<'a>(file: Option<&OwnedFd>, buffer: &'a mut [u8; LONGEST]) -> rustix::io::Result<Option<&'a [u8]>> {
    let Some(file) = file else { return Ok(None) };
    match rustix::io::pread(file, &mut buffer[..], 0) {
        Ok(length) => Ok(Some(&buffer[..length])),
        // A controller that is not handed down to this cgroup.
        Err(Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The number at the beginning of a text; `None` if there is none (`max`) or it is too large.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let mut value: Option<u64> = None;
    for digit in digits {
        value = Some(value.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
    }
    value
}

/// The number after `key`, which begins a line.
fn entry(text: &[u8], key: &str) -> Option<u64> {
    text.split(|byte| *byte == b'\n').find_map(|line| number(line.strip_prefix(key.as_bytes())?))
}

impl Files {
    fn usage(&self, buffer: &mut [u8; LONGEST], usage: &mut Usage) -> rustix::io::Result<()> {
        let cpu = read(self.cpu.as_ref(), buffer)?
            .and_then(|text| if self.cpu_v2 { entry(text, "usage_usec ").and_then(|micros| micros.checked_mul(1000)) } else { number(text) });
        let used = read(self.memory.as_ref(), buffer)?.and_then(number);
        let memory = match used {
            Some(used) => {
                let inactive = read(self.memory_stat.as_ref(), buffer)?.and_then(|text| entry(text, self.inactive));
                // The two are not read at one moment.
                Some(used.saturating_sub(inactive.unwrap_or(0)))
            }
            None => None,
        };
        usage.cpu.total = cpu;
        usage.memory.working_set = memory;
        usage.memory.limit = read(self.memory_limit.as_ref(), buffer)?.and_then(number).filter(|limit| *limit < UNLIMITED);
        usage.processes = read(self.pids.as_ref(), buffer)?.and_then(number);
        usage.processes_limit = read(self.pids_limit.as_ref(), buffer)?.and_then(number);
        Ok(())
    }
}

impl Meter for Files {
    fn read(&mut self, usage: &mut Usage) -> io::Result<bool> {
        match self.usage(&mut [0; LONGEST], usage) {
            Ok(()) => Ok(true),
            Err(Errno::NODEV | Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Hierarchy;
    use super::*;
    use crate::execdriver::usage::{Cpu, Memory};

    /// Cgroups in a folder of files, as a machine of that kind has them.
    fn machine(folder: &Path, v1: &[&str], v2: Option<&[&str]>) -> (Cgroups, ContainerId) {
        let id = ContainerId::random().unwrap();
        let make = |mount: &Path, files: &[(&str, &str)]| {
            let inner = mount.join("kapal").join(id.as_str());
            std::fs::create_dir_all(&inner).unwrap();
            for (name, text) in files {
                std::fs::write(inner.join(name), text).unwrap();
            }
        };
        let hierarchies =
            v1.iter().map(|controllers| Hierarchy { mount: folder.join(controllers), controllers: controllers.split(',').map(str::to_owned).collect() });
        let cgroups = Cgroups {
            parent: "kapal".into(),
            v1: hierarchies.collect(),
            v2: v2.map(|_| folder.join("unified")),
            v2_controllers: v2.into_iter().flatten().map(|name| (*name).to_owned()).collect(),
        };
        for hierarchy in &cgroups.v1 {
            make(
                &hierarchy.mount,
                &[
                    ("cpuacct.usage", "7000000123\n"),
                    ("memory.usage_in_bytes", "50000\n"),
                    ("memory.stat", "inactive_file 1\ntotal_inactive_file 20000\n"),
                    ("memory.limit_in_bytes", "9223372036854771712\n"),
                    ("pids.current", "3\n"),
                    ("pids.max", "max\n"),
                ],
            );
        }
        if v2.is_some() {
            make(
                &folder.join("unified"),
                &[
                    ("cpu.stat", "usage_usec 42\nuser_usec 40\n"),
                    ("memory.current", "1000\n"),
                    ("memory.stat", "anon 5\ninactive_file 2000\n"),
                    ("memory.max", "4096\n"),
                    ("pids.current", "0\n"),
                    ("pids.max", "10\n"),
                ],
            );
        }
        (cgroups, id)
    }

    fn told(cgroups: &Cgroups, id: &ContainerId) -> Usage {
        let mut usage = Usage::default();
        assert!(cgroups.meter(id, None).unwrap().unwrap().read(&mut usage).unwrap());
        usage
    }

    #[test]
    fn every_kind_of_machine_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, v1: &[&str], v2: Option<&[&str]>| {
            let (cgroups, id) = machine(&folder.path().join(name), v1, v2);
            told(&cgroups, &id)
        };
        let usage = |cpu, memory, memory_limit, processes, processes_limit| {
            let (cpu, memory) = (Cpu { total: cpu, ..Cpu::default() }, Memory { working_set: memory, limit: memory_limit, ..Memory::default() });
            Usage { cpu, memory, processes, processes_limit, ..Usage::default() }
        };
        let old = usage(Some(7_000_000_123), Some(30_000), None, Some(3), None);
        assert_eq!(read("v1", &["cpu,cpuacct", "memory", "pids"], None), old);
        assert_eq!(read("empty", &["cpu,cpuacct", "memory", "pids"], Some(&[])), old, "a v2 tree without controllers beside v1");
        let new = usage(Some(42_000), Some(0), Some(4096), Some(0), Some(10));
        assert_eq!(read("v2", &[], Some(&["cpu", "memory", "pids"])), new);
        let both = Usage { processes: Some(0), processes_limit: Some(10), ..old.clone() };
        assert_eq!(read("hybrid", &["cpuacct", "memory"], Some(&["pids"])), both);
        let bare = usage(Some(42_000), None, None, None, None);
        assert_eq!(read("bare", &["freezer"], Some(&[])), bare, "what is not counted is not nought");
    }

    #[test]
    fn who_is_gone_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let (cgroups, id) = machine(folder.path(), &["memory"], Some(&[]));
        assert!(cgroups.meter(&ContainerId::random().unwrap(), None).unwrap().is_none());
        std::fs::remove_file(folder.path().join("memory/kapal").join(id.as_str()).join("memory.stat")).unwrap();
        assert_eq!(told(&cgroups, &id).memory.working_set, Some(50_000));
    }

    #[test]
    fn numbers_are_read_or_not() {
        assert_eq!((number(b"12\n"), number(b"0"), number(b"max"), number(b"")), (Some(12), Some(0), None, None));
        assert_eq!(number(b"99999999999999999999999"), None);
        assert_eq!((entry(b"a 1\nab 2\n", "ab "), entry(b"xab 2\n", "ab ")), (Some(2), None));
    }
}
