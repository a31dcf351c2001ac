//! The networks that are none of ours: this machine's own, and none at all. They are listed beside those of the store.

use super::Berths;
use crate::container::network::{DEFAULT, Mac};
use crate::container::{Container, Endpoint, Network};
use crate::engine::containers::shown;
use crate::engine::{Engine, Error, Result};
use crate::id::{Digest, NetworkId};
use std::collections::BTreeMap;

/// Their names and their drivers'.
const PLAIN: [(&str, &str); 2] = [("host", "host"), ("none", "null")];

/// Whether a network is there without being asked for, for ever.
pub fn is_predefined(name: &str) -> bool {
    name == DEFAULT || PLAIN.iter().any(|(plain, _)| *plain == name)
}

/// That such a network stays.
pub fn predefined(name: &str) -> Error {
    Error::conflict(format!("{name} is a pre-defined network and cannot be removed"))
}

impl Engine {
    /// All networks by name, `host` and `none` among them, with the running containers on them.
    ///
    /// # Errors
    /// The store's.
    pub fn all_berths(&self) -> Result<Vec<Berths>> {
        let mut all = self.berths()?;
        let containers = self.sound_containers()?.0;
        let created = all.iter().find(|berths| berths.network.name == DEFAULT).map_or(jiff::Timestamp::UNIX_EPOCH, |berths| berths.network.created);
        for (name, driver) in PLAIN {
            let network = plain(name, driver, created)?;
            let on = containers.iter().filter(|container| container.state.status.is_alive() && container.host_config.network_mode.name() == name);
            let mut members: Vec<(String, Endpoint)> = on.map(|container| (container.name.clone(), nowhere(container, &network))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            all.push(Berths { network, members, forwards: Vec::new() });
        }
        all.sort_by(|one, other| one.network.name.cmp(&other.network.name));
        Ok(all)
    }
}

/// The one of these that `text` means: a name, a whole identity, or the beginning of just one.
///
/// # Errors
/// There is none, or more than one.
pub fn find<'a>(all: &'a [Berths], text: &str) -> Result<&'a Berths> {
    let name = if text == "default" { DEFAULT } else { text };
    if let Some(found) = all.iter().find(|berths| berths.network.name == name) {
        return Ok(found);
    }
    let digits = text.to_ascii_lowercase();
    let mut beginning = all.iter().filter(|berths| !digits.is_empty() && berths.network.id.as_str().starts_with(&digits));
    match (beginning.next(), beginning.next()) {
        (Some(found), None) => Ok(found),
        (None, _) => Err(Error::not_found(format!("network {} not found", shown(text))).hint("`kapal network ls` lists them")),
        _ => Err(Error::invalid(format!("{} is the beginning of more than one network's id: give more digits", shown(text)))),
    }
}

/// A place without a link and addresses.
fn nowhere(container: &Container, network: &Network) -> Endpoint {
    Endpoint {
        container: container.id.clone(),
        network: network.id.clone(),
        link: String::new(),
        inside: String::new(),
        mac: Mac([0; 6]),
        addresses: Vec::new(),
        aliases: Vec::new(),
    }
}

/// A network without a link; its identity is the same on every machine.
fn plain(name: &str, driver: &str, created: jiff::Timestamp) -> Result<Network> {
    let digest = Digest::of(format!("kapal network {name}").as_bytes());
    let id: NetworkId = digest.hex().parse().map_err(|error: crate::id::IdError| Error::invalid(error.to_string()))?;
    let (labels, options) = (BTreeMap::new(), BTreeMap::new());
    let (name, driver, link) = (name.to_owned(), driver.to_owned(), String::new());
    Ok(Network { id, name, created, driver, link, subnets: Vec::new(), internal: false, icc: true, masquerade: false, mtu: None, labels, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Berths> {
        let one = |(name, driver)| Berths { network: plain(name, driver, jiff::Timestamp::UNIX_EPOCH).unwrap(), members: Vec::new(), forwards: Vec::new() };
        PLAIN.into_iter().map(one).collect()
    }

    #[test]
    fn plain_networks_are_found_by_name_and_identity() {
        let all = all();
        let id = all[1].network.id.clone();
        assert_eq!(find(&all, "none").unwrap().network.driver, "null");
        assert_eq!(find(&all, id.short()).unwrap().network.name, "none");
        assert_eq!(find(&all, &id.as_str().to_ascii_uppercase()).unwrap().network.name, "none");
        assert!(find(&all, "").is_err() && find(&all, "nosuch").is_err_and(|error| error.message.contains("network nosuch not found")));
    }

    #[test]
    fn names_that_stay() {
        assert!(["bridge", "host", "none"].into_iter().all(is_predefined));
        assert!(!is_predefined("lab"));
    }
}
