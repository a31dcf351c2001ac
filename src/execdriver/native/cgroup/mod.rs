//! Cgroups as this machine has them: v1 hierarchies, the v2 tree, or both beside each other.
//!
//! A container's cgroup is `<parent>/<id>` in each. Of the v1 hierarchies only those are used that count or limit
//! something, cpuset only where it is asked for: each costs time at the start and at the end. The child joins them
//! itself, by a `0` in `tasks`: moving a process from outside, or whole through `cgroup.procs`, takes a lock over every
//! thread of the machine, for milliseconds. The v2 tree is joined by `clone3` itself, at no cost; also on a machine whose
//! controllers are all on v1 it is what freezes and kills.

mod alarm;
mod devices;
mod io_limits;
mod limits;
mod meter;
mod teardown;
mod update;
mod writer;

pub use io_limits::heeds_io_weight;

use crate::id::ContainerId;
use oci_spec::runtime::LinuxResources;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The v1 controllers that matter to a container.
const USED: [&str; 8] = ["memory", "cpu", "cpuacct", "cpuset", "pids", "blkio", "freezer", "devices"];

/// The name of the cgroup below a container's for what is kept together.
const APART: &str = "kapal.apart";

/// A v1 hierarchy.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its controllers.
    pub controllers: Vec<String>,
}

/// What is mounted here.
#[derive(Clone, Debug)]
pub struct Cgroups {
    /// `kapal`, relative to each mount.
    parent: PathBuf,
    v1: Vec<Hierarchy>,
    v2: Option<PathBuf>,
    v2_controllers: Vec<String>,
}

/// A container's cgroup, made.
#[derive(Debug)]
pub struct Cgroup {
    unified: Option<OwnedFd>,
    unified_path: Option<PathBuf>,
    v1: Vec<(Hierarchy, PathBuf)>,
    /// The `tasks` file in each of `v1`, open for the child, which no longer sees this machine's files then.
    tasks: Vec<OwnedFd>,
}

impl Cgroups {
    /// Looks at the mount table.
    pub fn detect(parent: &str) -> io::Result<Self> {
        let table = std::fs::read_to_string("/proc/self/mountinfo")?;
        let (mut v1, v2) = parse(&table);
        if v2.is_some() {
            v1.retain(|hierarchy| hierarchy.controllers != ["freezer"]);
        }
        let v2_controllers = match &v2 {
            Some(mount) => std::fs::read_to_string(mount.join("cgroup.controllers"))?.split_whitespace().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        if v1.is_empty() && v2.is_none() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no cgroup hierarchy is mounted on this machine: mount one at /sys/fs/cgroup"));
        }
        Ok(Self { parent: PathBuf::from(parent.trim_matches('/')), v1, v2, v2_controllers })
    }

    /// For which disks the kernel of a v2 tree weighs by what an operation costs.
    pub fn io_cost(&self) -> Option<String> {
        std::fs::read_to_string(self.v2.as_ref()?.join("io.cost.qos")).ok()
    }

    /// `v1`, `v2` or `hybrid`.
    pub fn version(&self) -> &'static str {
        match (self.v1.is_empty(), self.v2.is_some()) {
            (true, _) => "v2",
            (false, true) => "hybrid",
            (false, false) => "v1",
        }
    }

    /// The controllers that limits may ask for and this machine lacks.
    pub fn missing(&self) -> Vec<&'static str> {
        let on_v2 = |name: &str| self.v2_controllers.iter().any(|c| c == name);
        ["memory", "cpu", "cpuset", "pids", "io"]
            .into_iter()
            .filter(|name| {
                let old = if *name == "io" { "blkio" } else { name };
                !on_v2(name) && self.hierarchy(old).is_none()
            })
            .collect()
    }

    fn hierarchy(&self, controller: &str) -> Option<&Hierarchy> {
        self.v1.iter().find(|h| h.controllers.iter().any(|c| c == controller))
    }

    /// Makes the container's cgroup with its limits.
    pub fn create(&self, id: &ContainerId, resources: Option<&LinuxResources>) -> io::Result<Cgroup> {
        let made = self.make(id, resources);
        let result = made.and_then(|cgroup| self.limit(&cgroup, resources).map(|()| cgroup));
        if result.is_err() {
            // The first error tells what is wrong here; those of the way back would hide it.
            let _ = self.destroy(id);
        }
        result
    }

    fn make(&self, id: &ContainerId, resources: Option<&LinuxResources>) -> io::Result<Cgroup> {
        let inner = self.parent.join(id.as_str());
        let cpu = resources.and_then(|resources| resources.cpu().as_ref());
        let chooses_processors = cpu.is_some_and(|cpu| cpu.cpus().is_some() || cpu.mems().is_some());
        for hierarchy in &self.v1 {
            let path = hierarchy.mount.join(&inner);
            if hierarchy.controllers == ["cpuset"] && !chooses_processors {
                continue;
            }
            make_folder(&path)?;
            if hierarchy.controllers.iter().any(|c| c == "cpuset") {
                limits::inherit_cpuset(&hierarchy.mount, &self.parent, &path)?;
            }
        }
        if let Some(mount) = &self.v2 {
            make_folder(&mount.join(&inner))?;
            if self.v1.is_empty() {
                limits::delegate(mount, &self.parent, &self.v2_controllers);
            }
        }
        self.existing(id)
    }

    fn limit(&self, cgroup: &Cgroup, resources: Option<&LinuxResources>) -> io::Result<()> {
        match resources {
            Some(resources) => limits::apply(&mut writer::Writer::plain(), self, cgroup, resources),
            None => Ok(()),
        }
    }

    /// The cgroup of a container that runs, opened to be joined.
    pub fn existing(&self, id: &ContainerId) -> io::Result<Cgroup> {
        let inner = self.parent.join(id.as_str());
        let open = |path: &Path, flags| match rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(Some(fd)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(named(path, &error.into())),
        };
        let mut cgroup = Cgroup { unified: None, unified_path: None, v1: Vec::new(), tasks: Vec::new() };
        for hierarchy in &self.v1 {
            let path = hierarchy.mount.join(&inner);
            if let Some(tasks) = open(&path.join("tasks"), OFlags::WRONLY)? {
                cgroup.tasks.push(tasks);
                cgroup.v1.push((hierarchy.clone(), path));
            }
        }
        if let Some(mount) = &self.v2 {
            let path = mount.join(&inner);
            cgroup.unified = open(&path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            cgroup.unified_path = cgroup.unified.is_some().then_some(path);
        }
        Ok(cgroup)
    }

    /// As [`Self::existing`], with a cgroup below it for what is kept together, made if missing. It limits nothing: the
    /// container's own does, and counts for both. Where it cannot be made, the container's own is all there is.
    /// With `fresh` one that nobody is in any more is made anew.
    pub fn apart(&self, id: &ContainerId, fresh: bool) -> io::Result<Cgroup> {
        let mut cgroup = self.existing(id)?;
        let Some(path) = self.apart_path(id) else { return Ok(cgroup) };
        if fresh {
            let _ = rustix::fs::rmdir(&path);
        }
        match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(_) => return Ok(cgroup),
        }
        let open = |path: &Path, flags| rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty());
        if cgroup.unified.is_some() {
            if let Ok(folder) = open(&path, OFlags::RDONLY | OFlags::DIRECTORY) {
                cgroup.unified = Some(folder);
                cgroup.unified_path = Some(path);
            }
        } else if let (Some(at), Ok(tasks)) = (cgroup.v1.iter().position(|(_, own)| path.starts_with(own)), open(&path.join("tasks"), OFlags::WRONLY)) {
            cgroup.tasks[at] = tasks;
        }
        Ok(cgroup)
    }

    /// The cgroup below a container's for what is kept together.
    fn apart_path(&self, id: &ContainerId) -> Option<PathBuf> {
        Some(self.v2_path(id).or_else(|| self.v1_path("freezer", id))?.join(APART))
    }

    /// Whether a process is in the container's cgroup, or in one that the container made below it.
    pub fn holds(&self, id: &ContainerId, pid: i32) -> bool {
        let inner = format!("/{}", self.parent.join(id.as_str()).display());
        // Source of the format: cgroups(7), `hierarchy:controllers:path`.
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.splitn(3, ':').nth(2))
            .any(|path| path.split_once(&inner).is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('/')))
    }

    fn v1_path(&self, controller: &str, id: &ContainerId) -> Option<PathBuf> {
        Some(self.hierarchy(controller)?.mount.join(&self.parent).join(id.as_str()))
    }

    fn v2_path(&self, id: &ContainerId) -> Option<PathBuf> {
        Some(self.v2.as_ref()?.join(&self.parent).join(id.as_str()))
    }

    /// The container's processes.
    pub fn processes(&self, id: &ContainerId) -> io::Result<Vec<i32>> {
        let path = self.v2_path(id).or_else(|| self.v1_path("pids", id)).or_else(|| self.v1_path("memory", id));
        let Some(path) = path else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for path in tree(&path) {
            match std::fs::read_to_string(path.join("cgroup.procs")) {
                Ok(text) => found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok())),
                // One that the container made threaded has no list of processes.
                Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
                Err(error) => return Err(named(&path, &error)),
            }
        }
        Ok(found)
    }

    /// How often the kernel killed something in the container for want of memory.
    pub fn oom_kills(&self, id: &ContainerId) -> io::Result<u64> {
        let count = |path: PathBuf| -> io::Result<u64> {
            let text = match std::fs::read_to_string(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                other => other.map_err(|e| named(&path, &e))?,
            };
            Ok(text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0))
        };
        match self.v1_path("memory", id) {
            Some(path) => count(path.join("memory.oom_control")),
            None => self.v2_path(id).map_or(Ok(0), |path| count(path.join("memory.events"))),
        }
    }

    /// The containers that have a cgroup here.
    pub fn containers(&self) -> io::Result<Vec<ContainerId>> {
        let mut found = Vec::new();
        for mount in self.v1.iter().map(|h| &h.mount).chain(&self.v2) {
            let entries = match std::fs::read_dir(mount.join(&self.parent)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            found.extend(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<ContainerId>().ok()));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}

impl Cgroup {
    /// The v2 cgroup, to clone into.
    pub fn unified(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(AsFd::as_fd)
    }

    /// The v1 hierarchies it is in, to mount into the container.
    pub fn hierarchies(&self) -> impl Iterator<Item = &Hierarchy> {
        self.v1.iter().map(|(hierarchy, _)| hierarchy)
    }

    /// Whether the v2 tree alone is in use.
    pub fn is_v2(&self) -> bool {
        self.v1.is_empty()
    }

    /// Puts the calling process in, which has one thread; `cloned` says that it was born in the v2 cgroup.
    pub fn join(&self, cloned: bool) -> rustix::io::Result<()> {
        if let Some(folder) = self.unified.as_ref().filter(|_| !cloned) {
            let procs = rustix::fs::openat(folder, "cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            rustix::io::write(procs, b"0")?;
        }
        for tasks in &self.tasks {
            rustix::io::write(tasks, b"0")?;
        }
        Ok(())
    }

    fn v1_of(&self, controller: &str) -> Option<&Path> {
        self.v1.iter().find(|(hierarchy, _)| hierarchy.controllers.iter().any(|c| c == controller)).map(|(_, path)| path.as_path())
    }
}

/// A cgroup and those below it, which a container may have made.
fn tree(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at) {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let below: Vec<PathBuf> = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect();
        found.extend(below);
        at += 1;
    }
    found
}

/// Makes a cgroup; its parent may be taken away just then by the end of the last container in it.
fn make_folder(path: &Path) -> io::Result<()> {
    for _ in 0..100 {
        match std::fs::create_dir_all(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {}
            other => return other.map_err(|e| named(path, &e)),
        }
    }
    std::fs::create_dir_all(path).map_err(|e| named(path, &e))
}

/// An error with the file it happened at.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The v1 hierarchies of use, and the v2 mount, from a mount table.
///
/// Source of the format: proc_pid_mountinfo(5).
fn parse(table: &str) -> (Vec<Hierarchy>, Option<PathBuf>) {
    let mut v1: Vec<Hierarchy> = Vec::new();
    let mut v2 = None;
    for line in table.lines() {
        let Some((head, tail)) = line.split_once(" - ") else { continue };
        let Some(mount) = head.split(' ').nth(4).map(PathBuf::from) else { continue };
        let mut tail = tail.split(' ');
        let (kind, options) = (tail.next().unwrap_or_default(), tail.nth(1).unwrap_or_default());
        match kind {
            "cgroup2" if v2.is_none() => v2 = Some(mount),
            "cgroup" => {
                let controllers: Vec<String> = options.split(',').filter(|option| USED.contains(option)).map(str::to_owned).collect();
                if !controllers.is_empty() && v1.iter().all(|h| h.controllers != controllers) {
                    v1.push(Hierarchy { mount, controllers });
                }
            }
            _ => {}
        }
    }
    (v1, v2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_found_in_the_mount_table() {
        let table = "30 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n\
            31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
            32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
            33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let (v1, v2) = parse(table);
        assert_eq!(v1.len(), 1);
        assert_eq!(v1[0].controllers, ["cpu", "cpuacct"]);
        assert_eq!(v2, Some(PathBuf::from("/sys/fs/cgroup/unified")));
    }
}
