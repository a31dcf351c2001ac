//! After a crash: leases of containers that do not run, and links and rules that nobody's are.

use super::rows;
use crate::container::Container;
use crate::engine::containers::from_row;
use crate::engine::{Engine, Error, Result, lock};
use crate::networkdriver;
use std::net::IpAddr;

impl Engine {
    /// Lets go of places and ports of containers that are not alive and that nobody is starting; gives the addresses that they had,
    /// if there were any such containers.
    ///
    /// # Errors
    /// The store's.
    pub fn release_stale(&self) -> Result<Option<Vec<IpAddr>>> {
        let mut released: Option<Vec<IpAddr>> = None;
        for id in self.db().stale_berths()? {
            let Some(container) = self.db().container(&id)?.map(|row| from_row(&row)).transpose().ok().flatten() else { continue };
            // Its monitor holds the lock from before it takes a place until it has let go.
            if lock::is_held(&self.place().monitor_lock(&container.id)) {
                continue;
            }
            let Some(_held) = lock::try_exclusive(&self.place().lock(&container.id))? else { continue };
            let alive = self.db().container(&id)?.is_some_and(|row| from_row(&row).is_ok_and(|container| container.state.status.is_alive()));
            if !alive && !lock::is_held(&self.place().monitor_lock(&container.id)) {
                let addresses = self.addresses_of(&container);
                self.db().release(&id)?;
                released.get_or_insert_default().extend(addresses);
            }
        }
        Ok(released)
    }

    /// A container's addresses on its networks, as far as they can be read.
    pub fn addresses_of(&self, container: &Container) -> Vec<IpAddr> {
        let berths = self.berths_of(container).unwrap_or_default();
        berths.iter().flat_map(|(_, endpoint)| endpoint.addresses.iter().map(|(address, _)| *address)).collect()
    }

    /// Takes away every link of this store that no running container needs, makes the firewall say what is so, and has the kernel
    /// forget who was led to addresses that are gone. All errors are told together.
    ///
    /// # Errors
    /// The store's and the kernel's.
    pub fn sweep_networks(&self, gone: &[IpAddr]) -> Result<()> {
        if self.db().networks()?.is_empty() {
            // No network was ever made: there is nothing to look for.
            return Ok(());
        }
        let _lock = networkdriver::lock().map_err(|e| Error::io("cannot lock this machine's networks", &e))?;
        let links = rows::links(self.db())?;
        let mut errors: Vec<String> = networkdriver::sweep(&self.mark(), &links).1.iter().map(ToString::to_string).collect();
        errors.extend(networkdriver::settle(&self.mark(), &rows::traffic(self.db())?).err().map(|error| error.to_string()));
        // Where it forgets nothing, whoever goes on sending is heard by nobody until it does so by itself.
        let _ = networkdriver::forget(gone);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Error::new(crate::engine::Kind::Failed, format!("networks could not be swept whole: {}", errors.join("; "))))
        }
    }
}
