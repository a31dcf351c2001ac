//! Limits of a container that runs: all of a change, or nothing.

use super::writer::Writer;
use super::{Cgroup, Cgroups, Hierarchy, limits, make_folder, named};
use crate::id::ContainerId;
use oci_spec::runtime::LinuxResources;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

/// How often it is looked for processes that were forked while others were moved.
const PASSES: usize = 1000;

impl Cgroups {
    /// Changes limits. What was changed before something is refused is put back.
    pub fn update(&self, id: &ContainerId, resources: &LinuxResources) -> io::Result<()> {
        let entered = self.enter_cpuset(id, resources)?;
        let mut writer = Writer::noting();
        let result = self.existing(id).and_then(|cgroup| {
            if cgroup.unified.is_none() && cgroup.v1.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the container has no cgroup: it has ended"));
            }
            limits::apply(&mut writer, self, &cgroup, resources)?;
            join_cpuset(id, &cgroup, entered.as_ref())
        });
        result.map_err(|error| {
            let mut errors = writer.undo();
            errors.extend(entered.and_then(|entered| entered.leave().err()));
            let more = errors.iter().map(|error| format!("; and what was changed before could not be put back: {error}"));
            io::Error::new(error.kind(), std::iter::once(error.to_string()).chain(more).collect::<String>())
        })
    }

    /// Makes the v1 cgroup for processors that a container has only where it was asked for.
    fn enter_cpuset(&self, id: &ContainerId, resources: &LinuxResources) -> io::Result<Option<Entered>> {
        let chooses = resources.cpu().as_ref().is_some_and(|cpu| [cpu.cpus(), cpu.mems()].into_iter().flatten().any(|list| !list.is_empty()));
        let Some(hierarchy) = self.hierarchy("cpuset").filter(|_| chooses) else { return Ok(None) };
        let path = hierarchy.mount.join(&self.parent).join(id.as_str());
        if path.exists() {
            return Ok(None);
        }
        make_folder(&path)?;
        let entered = Entered { hierarchy: hierarchy.clone(), path };
        match limits::inherit_cpuset(&entered.hierarchy.mount, &self.parent, &entered.path) {
            Ok(()) => Ok(Some(entered)),
            Err(error) => {
                // Nobody is in it yet, and the first error is the one to tell.
                let _ = entered.leave();
                Err(error)
            }
        }
    }
}

/// A v1 cgroup for processors that was made for a container that runs.
struct Entered {
    hierarchy: Hierarchy,
    path: PathBuf,
}

impl Entered {
    /// Back to where its monitor is, which is where it came from.
    fn leave(self) -> io::Result<()> {
        let own = std::fs::read_to_string("/proc/self/cgroup")?;
        // Source of the format: cgroups(7), `hierarchy:controllers:path`.
        let home = own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            controllers.split(',').any(|controller| controller == "cpuset").then_some(path)
        });
        let home = self.hierarchy.mount.join(home.unwrap_or("/").trim_start_matches('/'));
        for pid in members(&self.path)? {
            match std::fs::write(home.join("cgroup.procs"), &pid) {
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                other => other.map_err(|error| named(&home, &error))?,
            }
        }
        std::fs::remove_dir(&self.path).map_err(|error| named(&self.path, &error))
    }
}

/// The processes in a cgroup and in those below it.
fn members(path: &Path) -> io::Result<Vec<String>> {
    let text = match std::fs::read_to_string(path.join("cgroup.procs")) {
        // One that the container itself made tells of threads alone, or went away just now.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENODEV | libc::ENOENT)) => String::new(),
        other => other.map_err(|error| named(path, &error))?,
    };
    let mut found: Vec<String> = text.lines().map(str::to_owned).collect();
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(members(&entry.path())?);
        }
    }
    Ok(found)
}

/// Brings all processes into it, those too that are forked meanwhile: who is in knows no other place for its children.
fn join_cpuset(id: &ContainerId, cgroup: &Cgroup, entered: Option<&Entered>) -> io::Result<()> {
    let Some(entered) = entered else { return Ok(()) };
    let other = cgroup.unified_path.as_deref().or_else(|| cgroup.v1.iter().map(|(_, path)| path.as_path()).find(|path| *path != entered.path));
    let Some(other) = other else { return Ok(()) };
    let mut gone = HashSet::new();
    for _ in 0..PASSES {
        let inside = members(&entered.path)?;
        let missing: Vec<String> = members(other)?.into_iter().filter(|pid| !inside.contains(pid) && !gone.contains(pid)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for pid in missing {
            match std::fs::write(entered.path.join("cgroup.procs"), &pid) {
                // It ended meanwhile; its number may be told until it has been reaped.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => drop(gone.insert(pid)),
                other => other.map_err(|error| named(&entered.path, &error))?,
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("container {} forks faster than it can be moved to its processors: pause it first", id.short())))
}
