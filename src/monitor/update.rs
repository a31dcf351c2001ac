//! Limits and the restart policy of a container changed while its monitor looks after it.

use super::session::Session;
use crate::container::{HostConfig, Resources, Update, update};
use crate::execdriver::limits;

impl Session<'_> {
    /// Changes the kernel's limits, then the store, then what the next start is to have: all of it or nothing. Gives what changed
    /// as a sentence, empty if nothing did.
    ///
    /// # Errors
    /// What was refused, and why.
    pub(super) fn update(&mut self, change: &Update) -> Result<String, String> {
        if self.task.exec.is_some() {
            return Err("has no limits of its own here".to_owned());
        }
        let before = self.task.container.host_config.clone();
        let mut after = before.clone();
        change.apply(&mut after).map_err(|why| format!("is left as it was: {why}"))?;
        self.limit(&before.resources, &after.resources).map_err(|why| format!("is left as it was: {why}"))?;
        if let Err(why) = self.record.updated(&after) {
            let back = self.limit(&after.resources, &before.resources);
            let back = back.err().map_or_else(String::new, |why| format!("; and its limits could not be put back: {why}"));
            return Err(format!("is left as it was: the store cannot be written: {why}{back}"));
        }
        let told = update::told(&before, &after);
        self.adopt(after);
        Ok(told)
    }

    /// One that waits to be started again has no limits to change: its next start has them.
    fn limit(&self, before: &Resources, after: &Resources) -> Result<(), String> {
        if self.pidfd.is_none() || before == after {
            return Ok(());
        }
        let resources = limits::change(before, after)?;
        self.driver.update(&self.task.container.id, &resources).map_err(|error| error.to_string())
    }

    fn adopt(&mut self, host: HostConfig) {
        self.task.container.host_config = host;
    }
}
