//! Networks of the store: found, made, removed, and looked at together with who is on them.

mod change;
mod create;
mod inspect;
pub mod names;
mod plain;
mod reach;
mod recovery;
pub mod rows;
mod settings;

pub use crate::networkdriver::firewall::{Answer, Asker, Obstacle, Reach};
pub use create::NewNetwork;
pub use plain::{find, is_predefined, predefined};
pub use reach::{Explanation, Reached, reach};
pub use settings::{Pool, Settings};

use super::{Engine, Error, Event, Result};
use crate::container::network::{DEFAULT, Forward, Traffic};
use crate::container::{Container, Endpoint, Network, Published};
use crate::graphdb::GraphDb;
use crate::networkdriver::{self, Mark};
use std::collections::HashMap;

/// A network with all that is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Berths {
    /// The network.
    pub network: Network,
    /// Running containers on it, by name: their places, and their names.
    pub members: Vec<(String, Endpoint)>,
    /// What is published of them by way of this network.
    pub forwards: Vec<Forward>,
}

impl Engine {
    /// How everything of this store on this machine's networks is marked.
    pub fn mark(&self) -> Mark {
        Mark::of(self.place())
    }

    /// The network that `text` means: a name, a whole identity, or the beginning of just one.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn network(&self, text: &str) -> Result<Network> {
        let text = if text == "default" { DEFAULT } else { text };
        let found = self.db().networks_like(text)?;
        match found.as_slice() {
            [row] => rows::network(row),
            // It is there without being asked for.
            [] if text == DEFAULT => self.default_network(),
            [] => Err(Error::not_found(format!("network {} not found", super::containers::shown(text)))
                .hint("`kapal network ls` lists them; `kapal network create` makes one")),
            _ => Err(Error::invalid(format!("{} is the beginning of more than one network's id: give more digits", super::containers::shown(text)))),
        }
    }

    /// All networks of the bridge driver, by name, the default one with them, also if nothing has needed it yet.
    ///
    /// # Errors
    /// The store's.
    pub fn networks(&self) -> Result<Vec<Network>> {
        self.network(DEFAULT)?;
        self.db().networks()?.iter().map(rows::network).collect()
    }

    /// All networks, by name, with who is on them.
    ///
    /// # Errors
    /// The store's.
    pub fn berths(&self) -> Result<Vec<Berths>> {
        let networks = self.networks()?;
        let traffic = rows::traffic(self.db())?;
        let names: HashMap<String, String> = self.db().containers()?.into_iter().map(|row| (row.id, row.name)).collect();
        let endpoints = self.db().endpoints()?;
        let with = |network: Network| -> Result<Berths> {
            let on = endpoints.iter().filter(|row| row.network == network.id.as_str());
            let mut members: Vec<(String, Endpoint)> =
                on.map(|row| Ok((names.get(&row.container).cloned().unwrap_or_default(), rows::endpoint(&network, row)?))).collect::<Result<_>>()?;
            members.sort_by(|one, other| one.0.cmp(&other.0));
            let forwards = traffic.forwards.iter().filter(|forward| forward.network == network.id).cloned().collect();
            Ok(Berths { network, members, forwards })
        };
        networks.into_iter().map(with).collect()
    }

    /// All networks in use and all that is published.
    ///
    /// # Errors
    /// The store's.
    pub fn traffic(&self) -> Result<Traffic> {
        rows::traffic(self.db())
    }

    /// A container's places on networks, with these.
    ///
    /// # Errors
    /// The store's.
    pub fn berths_of(&self, container: &Container) -> Result<Vec<(Network, Endpoint)>> {
        rows::berths_of(self.db(), container.id.as_str())
    }

    /// What running containers have published, by their identities; one question for all of them.
    ///
    /// # Errors
    /// The store's.
    pub fn published(&self) -> Result<HashMap<String, Vec<Published>>> {
        let mut all: HashMap<String, Vec<Published>> = HashMap::new();
        for row in self.db().ports()? {
            if let Some(port) = rows::port(&row) {
                all.entry(row.container).or_default().push(port);
            }
        }
        Ok(all)
    }

    /// What one container has published, in the order of its own ports.
    ///
    /// # Errors
    /// The store's.
    pub fn published_by(&self, container: &Container) -> Result<Vec<Published>> {
        Ok(self.db().ports_of(container.id.as_str())?.iter().filter_map(rows::port).collect())
    }

    /// Removes a network that nobody is on.
    ///
    /// # Errors
    /// [`super::Kind::Conflict`] if somebody is; the store's; the kernel's, all of them.
    pub fn remove_network(&self, network: &Network) -> Result<()> {
        if network.name == DEFAULT {
            return Err(predefined(DEFAULT));
        }
        let _lock = networkdriver::lock().map_err(|e| Error::io("cannot lock this machine's networks", &e))?;
        self.db().delete_network(network.id.as_str()).map_err(|error| match error {
            crate::graphdb::Error::Conflict(why) => Error::conflict(format!("error while removing network: network {} {why}", network.name))
                .hint(format!("`kapal network disconnect {} NAME` takes one off it", network.name)),
            other => other.into(),
        })?;
        let driver = networkdriver::open(&network.driver, &self.mark());
        let errors: Vec<String> = driver.into_iter().flat_map(|driver| driver.down(network)).map(|error| error.to_string()).collect();
        self.tell_of_network("destroy", network, &[]);
        if errors.is_empty() { Ok(()) } else { Err(Error::new(super::Kind::Failed, format!("network {}: {}", network.name, errors.join("; ")))) }
    }

    /// What each link of this machine has carried since it is there: bytes and packets received, then sent, by its name. A
    /// container's own view is the other way round: what its link here receives is what it sent.
    ///
    /// # Errors
    /// The kernel's.
    pub fn link_traffic(&self) -> Result<HashMap<String, [u64; 4]>> {
        networkdriver::traffic().map_err(|e| Error::io("cannot ask the kernel what its links carried", &e))
    }

    /// Enters an event about a network and tells everybody.
    pub fn tell_of_network(&self, action: &str, network: &Network, more: &[(&str, &str)]) {
        // Events tell of changes; one that cannot be told must not undo the change.
        let _ = self.db().insert_event(&rows::event(action, network, more));
        self.changed(Event::NetworksChanged);
    }
}

/// The networks of a store as the directory of names needs them.
///
/// # Errors
/// The store's.
pub fn all(db: &GraphDb) -> Result<Vec<Network>> {
    db.networks()?.iter().map(rows::network).collect()
}
