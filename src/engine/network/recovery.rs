//! After a crash: leases of containers that do not run, and links and rules that nobody's are.

use super::rows;
use crate::engine::containers::from_row;
use crate::engine::{Engine, Error, Result, lock};
use crate::networkdriver;

impl Engine {
    /// Lets go of places and ports of containers that are not alive and that nobody is starting; tells whether there were any.
    ///
    /// # Errors
    /// The store's.
    pub fn release_stale(&self) -> Result<bool> {
        let mut released = false;
        for id in self.db().stale_berths()? {
            let Some(container) = self.db().container(&id)?.map(|row| from_row(&row)).transpose().ok().flatten() else { continue };
            // Its monitor holds the lock from before it takes a place until it has let go.
            if lock::is_held(&self.place().monitor_lock(&container.id)) {
                continue;
            }
            let Some(_held) = lock::try_exclusive(&self.place().lock(&container.id))? else { continue };
            let alive = self.db().container(&id)?.is_some_and(|row| from_row(&row).is_ok_and(|container| container.state.status.is_alive()));
            if !alive && !lock::is_held(&self.place().monitor_lock(&container.id)) {
                self.db().release(&id)?;
                released = true;
            }
        }
        Ok(released)
    }

    /// Takes away every link of this store that no running container needs, and makes the firewall say what is so. All errors are
    /// told together.
    ///
    /// # Errors
    /// The store's and the kernel's.
    pub fn sweep_networks(&self) -> Result<()> {
        if self.db().networks()?.is_empty() {
            // No network was ever made: there is nothing to look for.
            return Ok(());
        }
        let _lock = networkdriver::lock().map_err(|e| Error::io("cannot lock this machine's networks", &e))?;
        let links = rows::links(self.db())?;
        let mut errors: Vec<String> = networkdriver::sweep(&self.mark(), &links).1.iter().map(ToString::to_string).collect();
        errors.extend(networkdriver::settle(&self.mark(), &rows::traffic(self.db())?).err().map(|error| error.to_string()));
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Error::new(crate::engine::Kind::Failed, format!("networks could not be swept whole: {}", errors.join("; "))))
        }
    }
}
