//! Who is called what: the store as the process for names asks it.

use super::rows;
use crate::container::{Network, Place};
use crate::graphdb::GraphDb;
use crate::id::ContainerId;
use crate::networkdriver::names::Directory;
use std::io;
use std::net::IpAddr;

/// The store, opened at the first question.
#[derive(Debug)]
struct Store {
    place: Place,
    db: Option<GraphDb>,
}

/// The directory of a store.
pub fn open(place: &Place) -> Box<dyn Directory> {
    Box::new(Store { place: place.clone(), db: None })
}

impl Store {
    fn db(&mut self) -> io::Result<&GraphDb> {
        let db = match self.db.take() {
            Some(db) => db,
            None => GraphDb::open(&self.place.database()).map_err(io::Error::other)?,
        };
        Ok(self.db.insert(db))
    }
}

/// The networks with names that a container is on.
fn networks(db: &GraphDb, asker: &ContainerId) -> io::Result<Vec<Network>> {
    let places = db.endpoints_of(asker.as_str()).map_err(io::Error::other)?;
    let all = super::all(db).map_err(io::Error::other)?;
    Ok(all.into_iter().filter(|network| network.has_names() && places.iter().any(|place| place.network == network.id.as_str())).collect())
}

impl Directory for Store {
    fn find(&mut self, asker: &ContainerId, name: &str) -> io::Result<Option<Vec<IpAddr>>> {
        let db = self.db()?;
        let mut found = Vec::new();
        let mut known = false;
        for network in networks(db, asker)? {
            let on_it = name.strip_suffix(&format!(".{}", network.name.to_ascii_lowercase()));
            for name in [Some(name), on_it].into_iter().flatten() {
                for numbers in db.named_on(network.id.as_str(), name).map_err(io::Error::other)? {
                    known = true;
                    let addresses = numbers.iter().zip([false, true]).filter_map(|(number, v6)| network.subnet(v6)?.block.nth((*number)? as u64));
                    found.extend(addresses);
                }
            }
        }
        Ok(known.then_some(found))
    }

    fn name_of(&mut self, asker: &ContainerId, address: IpAddr) -> io::Result<Option<String>> {
        let db = self.db()?;
        for network in networks(db, asker)? {
            if !network.subnets.iter().any(|subnet| subnet.block.contains(address)) {
                continue;
            }
            for row in db.endpoints_on(network.id.as_str()).map_err(io::Error::other)? {
                let endpoint = rows::endpoint(&network, &row).map_err(|error| io::Error::other(error.message))?;
                if endpoint.addresses.iter().any(|(known, _)| *known == address) {
                    let container = db.container(&row.container).map_err(io::Error::other)?;
                    return Ok(container.map(|container| format!("{}.{}", container.name, network.name)));
                }
            }
        }
        Ok(None)
    }
}
