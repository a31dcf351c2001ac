//! `system check`: the store against itself, and against what is on the disk.

use super::containers::from_row;
use super::network;
use super::{Engine, Error, Result, lock};
use crate::container::Resources;
use crate::id::Digest;
use serde::Serialize;

/// What a check found.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Report {
    /// Faults that are there, a sentence each.
    pub faults: Vec<String>,
    /// Faults that were mended.
    pub mended: Vec<String>,
}

impl Engine {
    /// Checks the store; with `repair` mends what can be mended, with `deep` reads every blob again.
    pub fn check(&self, repair: bool, deep: bool) -> Result<Report> {
        let first = self.faults(deep)?;
        if !repair || first.is_empty() {
            return Ok(Report { faults: first, mended: Vec::new() });
        }
        self.mend()?;
        let left = self.faults(deep)?;
        let mended = first.into_iter().filter(|fault| !left.contains(fault)).collect();
        Ok(Report { faults: left, mended })
    }

    fn faults(&self, deep: bool) -> Result<Vec<String>> {
        let mut faults = self.db().integrity()?;
        faults.extend(self.db().dangling()?);
        let driver = self.graph()?;
        for row in self.db().layers(driver.name())? {
            match row.id.parse::<Digest>() {
                Ok(id) if driver.has(&id).map_err(|e| Error::io("cannot look at layers", &e))? => {}
                Ok(_) => faults.push(format!("layer {} has a name but no files", row.id)),
                Err(error) => faults.push(format!("layer: {error}")),
            }
        }
        for digest in self.db().used_blobs()? {
            let Ok(id) = digest.parse::<Digest>() else {
                faults.push(format!("blob {digest} is no digest"));
                continue;
            };
            if !self.content().has(&id).map_err(|e| Error::io("cannot look at blobs", &e))? {
                faults.push(format!("blob {id} is needed and not there"));
            } else if deep && !self.content().verify(&id).map_err(|e| Error::io("cannot read a blob", &e))? {
                faults.push(format!("blob {id} is damaged: its content has another digest"));
            }
        }
        faults.extend(self.db().networks()?.iter().filter_map(|row| network::rows::network(row).err()).map(|error| error.message));
        let made = driver.containers().map_err(|e| Error::io("cannot list containers' files", &e))?;
        for row in self.db().containers()? {
            match from_row(&row) {
                Err(error) => faults.push(error.message),
                Ok(container) => {
                    let container = self.settled(container)?;
                    let there = made.contains(&container.id) || container.driver != driver.name();
                    // One that was made since the files were listed is looked for again.
                    if !there && driver.containers().is_ok_and(|now| now.contains(&container.id)) {
                        continue;
                    }
                    if !there && !self.is_going(&container) && self.db().container(&row.id)?.is_some() {
                        faults.push(format!("container {} has a name but no files", container.name));
                    }
                }
            }
        }
        for row in self.db().volumes()? {
            if !self.place().volume(&row.name).is_dir() {
                faults.push(format!("volume {} has a name but no files", row.name));
            }
        }
        // Where someone is bringing in, what is not yet named is no fault.
        if let Some(_alone) = lock::try_exclusive(&self.place().collection_lock())? {
            faults.extend(self.unnamed()?.iter().map(ToString::to_string));
        }
        faults.extend(self.stray_cgroups()?);
        Ok(faults)
    }

    /// Whether someone is removing the container just now.
    fn is_going(&self, container: &crate::container::Container) -> bool {
        let place = self.place();
        let held = lock::is_held(&place.lock(&container.id)) || lock::is_held(&place.monitor_lock(&container.id));
        held && self.container_by_id(&container.id).is_ok_and(|now| now.state.status == crate::container::Status::Removing)
    }

    /// Cgroups of containers that the store does not know. A parent that several stores share shows the others' too:
    /// those whose run-time folder is not here are left to them.
    fn stray_cgroups(&self) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        let Some((_, open)) = crate::execdriver::DRIVERS.first() else { return Ok(faults) };
        let Ok(driver) = open("/kapal", &self.place().run_root) else { return Ok(faults) };
        for id in driver.containers().unwrap_or_default() {
            if self.place().run(&id).exists() && self.db().container(id.as_str())?.is_none() && !lock::is_held(&self.place().monitor_lock(&id)) {
                faults.push(format!("cgroups of container {id} are there, the container is not"));
            }
        }
        Ok(faults)
    }

    fn mend(&self) -> Result<()> {
        let _alone = lock::exclusive(&self.place().collection_lock())?;
        let driver = self.graph()?;
        driver.sweep().map_err(|e| Error::io("cannot sweep layers", &e))?;
        for row in self.db().layers(driver.name())? {
            if row.id.parse::<Digest>().is_ok_and(|id| !driver.has(&id).unwrap_or(true)) {
                self.db().delete_layer(driver.name(), &row.id)?;
            }
        }
        // A damaged blob would be taken for the right one by the next pull.
        for digest in self.content().list().map_err(|e| Error::io("cannot list blobs", &e))? {
            if !self.content().verify(&digest).unwrap_or(true) {
                self.content().remove(&digest).map_err(|e| Error::io("cannot remove a damaged blob", &e))?;
            }
        }
        for image in self.db().images(driver.name())? {
            let blobs = self.db().image_blobs(driver.name(), &image.id)?.into_iter().map(|blob| blob.digest);
            let damaged = blobs
                .chain([image.id.clone(), image.manifest.clone()])
                .any(|digest| digest.parse::<Digest>().is_ok_and(|id| !self.content().has(&id).unwrap_or(true)));
            if damaged {
                self.db().delete_image(driver.name(), &image.id)?;
            }
        }
        for row in self.db().networks()?.iter().filter(|row| network::rows::network(row).is_err()) {
            self.db().drop_network(&row.id)?;
        }
        self.db().cut_dangling()?;
        let made = driver.containers().map_err(|e| Error::io("cannot list containers' files", &e))?;
        for row in self.db().containers()? {
            match from_row(&row) {
                Ok(container) if container.driver == driver.name() && !made.contains(&container.id) && !container.state.status.is_alive() => {
                    self.db().delete_container(&row.id, false, None)?;
                }
                Err(_) => drop(self.db().delete_container(&row.id, false, None)?),
                Ok(_) => {}
            }
        }
        for row in self.db().volumes()?.iter().filter(|row| !self.place().volume(&row.name).is_dir()) {
            std::fs::create_dir_all(self.place().volume(&row.name)).map_err(|e| Error::io(format_args!("cannot make volume {}", row.name), &e))?;
        }
        self.unnamed()?.iter().try_for_each(|unnamed| unnamed.remove(self))?;
        self.mend_cgroups()
    }

    fn mend_cgroups(&self) -> Result<()> {
        let Some((_, open)) = crate::execdriver::DRIVERS.first() else { return Ok(()) };
        let Ok(driver) = open("/kapal", &self.place().run_root) else { return Ok(()) };
        for id in driver.containers().unwrap_or_default() {
            if self.place().run(&id).exists() && self.db().container(id.as_str())?.is_none() {
                let errors = driver.destroy(&id);
                let _ = std::fs::remove_dir_all(self.place().run(&id));
                if let Some(error) = errors.first() {
                    return Err(Error::io(format_args!("cannot remove the cgroups of container {id}"), error));
                }
            }
        }
        Ok(())
    }
}

/// What this machine is, and what it lacks.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// `v1`, `v2` or `hybrid`.
    pub cgroup: String,
    /// The distribution's name.
    pub distribution: String,
    /// What is missing, a line each.
    pub warnings: Vec<String>,
}

/// What of these limits this machine takes and does not heed, a sentence each. What it does not even take is an error.
pub fn unheeded(limits: &Resources) -> Vec<String> {
    if (limits.blkio_weight.is_none() && limits.blkio_weight_device.is_empty()) || crate::execdriver::native::heeds_io_weight() {
        return Vec::new();
    }
    vec!["--blkio-weight has no effect here: no disk has a scheduler that knows weights (bfq does: /sys/block/DISK/queue/scheduler)".to_owned()]
}

impl Engine {
    /// Looks at this machine.
    pub fn machine(&self) -> Machine {
        let mut machine = Machine { distribution: distribution(), ..Machine::default() };
        match crate::execdriver::native::cgroup_version() {
            Ok((version, missing)) => {
                version.clone_into(&mut machine.cgroup);
                machine
                    .warnings
                    .extend(missing.iter().map(|controller| format!("no {controller} limit support: the cgroup controller {controller} is missing")));
            }
            Err(error) => {
                "none".clone_into(&mut machine.cgroup);
                machine.warnings.push(error.to_string());
            }
        }
        let own = rustix::thread::capabilities(None).map_or(0, |sets| sets.effective.bits());
        if own & (1 << 24) == 0 {
            machine.warnings.push("CAP_SYS_RESOURCE is missing: limits of processes cannot be raised above this process's own".to_owned());
        }
        machine
    }
}

fn distribution() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    line.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}
