//! Taking a container away: marked first, its files next, its name last, so that a crash on the way is finished later.

use super::containers::{event_row, from_row, to_row};
use super::recovery::exec_driver;
use super::{Engine, Error, Kind, Result, event};
use crate::container::{Container, Place, Status, Transition};
use crate::graphdb::GraphDb;
use crate::graphdriver::GraphDriver;
use std::io;

/// Removes a container that is not alive: files, cgroups, volumes it alone had, and its name. The caller holds its
/// lock. Goes on after an error; the row stays (as `removing`) if anything was left, so that the next engine tries again.
///
/// # Errors
/// All of them, joined.
pub fn remove(db: &GraphDb, driver: &dyn GraphDriver, place: &Place, container: &Container, with_volumes: bool) -> Result<()> {
    if container.state.status != Status::Removing {
        let status = container
            .state
            .status
            .next(Transition::Remove)
            .ok_or_else(|| Error::conflict(format!("container {} is {}", container.name, container.state.status.as_str())))?;
        let mut marked = container.clone();
        marked.state.status = status;
        marked.state.removes_volumes = with_volumes;
        let row = to_row(&marked)?;
        db.set_state(&row.id, container.state.status.as_str(), &row.status, &row.state, true, None)?;
    }
    let mut errors: Vec<String> = Vec::new();
    let mut note = |what: &str, result: io::Result<()>| {
        if let Err(error) = result
            && error.kind() != io::ErrorKind::NotFound
        {
            errors.push(format!("{what}: {error}"));
        }
    };
    match exec_driver(container, place) {
        Ok(exec) => exec.destroy(&container.id).into_iter().for_each(|error| note("cgroups", Err(error))),
        Err(error) => note("cgroups", Err(error)),
    }
    note("files", driver.remove(&container.id));
    note("log", std::fs::remove_dir_all(place.container(&container.id)));
    if !errors.is_empty() {
        return Err(Error::new(Kind::Failed, format!("container {} could not be removed whole: {}", container.name, errors.join("; "))));
    }
    let destroyed = event_row(container, "destroy", &[]);
    let volumes = db.delete_container(container.id.as_str(), with_volumes || container.state.removes_volumes, Some(&destroyed))?;
    let _ = std::fs::remove_dir_all(place.run(&container.id));
    for name in volumes {
        if let Err(error) = std::fs::remove_dir_all(place.volumes().join(&name)) {
            errors.push(format!("volume {name}: {error}"));
        }
    }
    event::poke(place);
    if errors.is_empty() { Ok(()) } else { Err(Error::new(Kind::Failed, errors.join("; "))) }
}

impl Engine {
    /// Removes a container whose lock the caller holds and which is not alive.
    pub fn finish_removal(&self, container: &Container, with_volumes: bool) -> Result<()> {
        let row = self.db().container(container.id.as_str())?;
        let Some(row) = row else {
            // Another engine was faster; the lock that the caller took made the folder again.
            let _ = std::fs::remove_dir_all(self.place().run(&container.id));
            return Ok(());
        };
        let container = from_row(&row)?;
        let other;
        let driver: &dyn GraphDriver = match self.graph() {
            Ok(driver) if driver.name() == container.driver => driver,
            _ => {
                other = self.graph_named(&container.driver)?;
                &*other
            }
        };
        remove(self.db(), driver, self.place(), &container, with_volumes)?;
        self.publish(event::Event::ContainerChanged(container.id.clone()));
        Ok(())
    }
}
