//! After a crash: containers whose monitor is gone are ended and recorded, what was half-made is swept.

use super::containers::from_row;
use super::{Engine, Result, lock};
use crate::container::{Container, Health, Status};
use crate::execdriver;

/// The status of a container that was lost: its monitor was killed, or the machine went down.
pub const LOST: i32 = 255;

impl Engine {
    /// Done at every start of an engine; cheap when there is nothing to do.
    pub fn recover(&self) -> Result<()> {
        let rebooted = self.is_first_since_boot();
        self.distrust()?;
        if rebooted {
            // What ran then runs no more, and holds no ports and addresses.
            for row in self.db().containers_in(&["running", "paused", "restarting"])? {
                let _ = from_row(&row).and_then(|container| self.settled(container));
            }
        }
        let (marks, departures) = (lock::cut_short(&self.place().operations()), lock::cut_short(&self.place().departures()));
        // Where it cannot be done now, the marks stay; nobody is kept out by that.
        let stale = self.release_stale()?;
        if (stale.is_some() || !departures.is_empty()) && self.sweep_networks(&stale.unwrap_or_default()).is_ok() {
            for mark in departures {
                // Another engine may have swept meanwhile.
                let _ = std::fs::remove_file(mark);
            }
        }
        if !marks.is_empty() {
            self.sweep()?;
            for mark in marks {
                // Another engine may have swept meanwhile.
                let _ = std::fs::remove_file(mark);
            }
        }
        for row in self.db().containers_in(&["removing"])? {
            // One that cannot be read must not keep everybody out: a check names it, a repair takes it away.
            let Ok(container) = from_row(&row) else { continue };
            // Someone may be removing it just now: their lock says so, or its monitor's.
            if lock::is_held(&self.place().monitor_lock(&container.id)) {
                continue;
            }
            if let Some(_held) = lock::try_exclusive(&self.place().lock(&container.id))? {
                self.finish_removal(&container, container.host_config.auto_remove)?;
            }
        }
        Ok(())
    }

    /// The container as it really is: one that the store takes for alive while its monitor is gone is ended here.
    pub fn settled(&self, container: Container) -> Result<Container> {
        if !container.state.status.is_alive() || lock::is_held(&self.place().monitor_lock(&container.id)) {
            return Ok(container);
        }
        // Its monitor may just have written the end: the lock decides, then the row is read again.
        let Some(held) = lock::try_exclusive(&self.place().monitor_lock(&container.id))? else { return Ok(container) };
        let mut container = match self.db().container(container.id.as_str())? {
            Some(row) => from_row(&row)?,
            None => return Ok(container),
        };
        if container.state.status.is_alive() {
            self.bury(&mut container)?;
        }
        drop(held);
        Ok(container)
    }

    /// Ends what is left of a container whose monitor was lost, and records it.
    fn bury(&self, container: &mut Container) -> Result<()> {
        let from = container.state.status;
        let addresses = self.addresses_of(container);
        // The lease goes with the state: should this process end before links and rules have followed, the mark tells.
        let _departure = lock::Operation::begin(&self.place().departures())?;
        let mut errors = Vec::new();
        match exec_driver(container, self.place()) {
            Ok(driver) => errors.extend(driver.destroy(&container.id)),
            Err(error) => errors.push(error),
        }
        let state = &mut container.state;
        state.status = Status::Exited;
        state.exit_code = LOST;
        state.pid = 0;
        state.monitor_pid = 0;
        state.finished_at = Some(jiff::Timestamp::now());
        state.health.iter_mut().for_each(Health::end);
        "its monitor was lost (killed, or the machine went down); what was left of it has been ended".clone_into(&mut state.error);
        for error in errors {
            state.error.push_str("; ");
            state.error.push_str(&error.to_string());
        }
        self.write_state(container, from)?;
        self.tell(container, "die", &[("exitCode", LOST.to_string())]);
        let swept = if container.host_config.networks.is_empty() { Ok(()) } else { self.sweep_networks(&addresses) };
        if container.host_config.auto_remove {
            self.finish_removal(container, true)?;
        }
        swept
    }
}

/// The execdriver of a container.
pub fn exec_driver(container: &Container, place: &crate::container::Place) -> std::io::Result<Box<dyn execdriver::ExecDriver>> {
    let (_, open) = execdriver::DRIVERS[0];
    open(cgroup_parent(container), &place.run_root)
}

/// The cgroup above a container's.
pub fn cgroup_parent(container: &Container) -> &str {
    let parent = &container.host_config.cgroup_parent;
    if parent.is_empty() { "/kapal" } else { parent }
}
