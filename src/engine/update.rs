//! A container's limits and restart policy changed: by its monitor while it runs, in the store otherwise.

use super::containers::{event_row, to_row};
use super::{Engine, Error, Event, Kind, Result, lock};
use crate::container::{Container, Update};
use crate::monitor::protocol::{LONGEST, Request};

impl Engine {
    /// Changes limits and the restart policy, all that is asked for or nothing, and gives the container as it is then.
    ///
    /// # Errors
    /// What does not fit the container; what the kernel refuses, and why; a monitor that is too old to know how.
    pub async fn update(&self, container: &Container, update: &Update) -> Result<Container> {
        let request = Request::Update(Box::new(update.clone()));
        if serde_json::to_vec(&request).is_ok_and(|text| text.len() > LONGEST) {
            return Err(Error::invalid("too many disks at once: name fewer of them in one command"));
        }
        // What does not fit is said before anything is asked for.
        update.apply(&mut container.host_config.clone()).map_err(|why| Error::new(Kind::Invalid, format!("container {}: {why}", container.name)))?;
        if !container.state.status.is_alive() || self.ask(container, request).await?.is_none() {
            self.update_at_rest(container, update)?;
        }
        self.changed(Event::ContainerChanged(container.id.clone()));
        self.container_by_id(&container.id)
    }

    fn update_at_rest(&self, container: &Container, update: &Update) -> Result<()> {
        let _lock = lock::exclusive(&self.place().lock(&container.id))?;
        let before = container.state.monitor_pid;
        let mut container = self.settled(self.container_by_id(&container.id)?)?;
        if container.state.status.is_alive() {
            // Its monitor hung up at what it does not know, or another one came meanwhile.
            return Err(if container.state.monitor_pid == before {
                Error::new(Kind::Unsupported, format!("container {} was started by a version that cannot change limits", container.name))
                    .hint(format!("restart it, then they can be: `kapal restart {}`", container.name))
            } else {
                Error::conflict(format!("container {} was started meanwhile: try again", container.name))
            });
        }
        update.apply(&mut container.host_config).map_err(|why| Error::conflict(format!("container {}: {why}", container.name)))?;
        self.db().set_container_json(container.id.as_str(), &to_row(&container)?.json)?;
        // Events tell of changes; one that cannot be told must not undo the change.
        let _ = self.db().insert_event(&event_row(&container, "update", &[]));
        Ok(())
    }
}
