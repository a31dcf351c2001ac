//! Networks, places and ports as rows of the store, and back.

use crate::container::network::{Forward, Mac, Traffic};
use crate::container::{Attachment, Endpoint, Network, Protocol, Published};
use crate::engine::{Error, Kind, Result};
use crate::graphdb::{Claim, EndpointRow, EventRow, GraphDb, NetworkRow, Pool, PortRow};
use crate::id::{ContainerId, hex};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::{IpAddr, Ipv6Addr};

/// What a place has beside its numbers and names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Rest {
    mac: Option<Mac>,
}

/// A network read from its row.
///
/// # Errors
/// The row does not hold a network.
pub fn network(row: &NetworkRow) -> Result<Network> {
    serde_json::from_str(&row.json).map_err(|error| {
        Error::new(Kind::Corrupt, format!("network {} ({}) is damaged in the store: {error}", row.name, row.id))
            .hint("`kapal system check --repair` mends the store")
    })
}

/// A network as the row that keeps it.
///
/// # Errors
/// It cannot be written down.
pub fn network_row(network: &Network) -> Result<NetworkRow> {
    let json = serde_json::to_string(network).map_err(|error| Error::new(Kind::Failed, format!("network {}: {error}", network.name)))?;
    Ok(NetworkRow { id: network.id.to_string(), name: network.name.clone(), created: network.created.as_millisecond(), json })
}

/// What a container claims on a network.
///
/// # Errors
/// An address that is none of the network's.
pub fn claim(network: &Network, attachment: &Attachment) -> Result<Claim> {
    let pool = |v6: bool| -> Result<Option<Pool>> {
        let wanted: Option<IpAddr> = if v6 { attachment.v6.map(IpAddr::V6) } else { attachment.v4.map(IpAddr::V4) };
        let Some(subnet) = network.subnet(v6) else {
            return match wanted {
                Some(address) => Err(Error::invalid(format!("the address {address} is no address of network {}: it has none of that family", network.name))
                    .hint(if v6 { "make the network with --ipv6" } else { "make the network with an IPv4 --subnet" })),
                None => Ok(None),
            };
        };
        let offset = |address: IpAddr| subnet.block.offset(address).map(|offset| offset as i64);
        let last = offset(subnet.block.last()).unwrap_or(i64::MAX - 1);
        // The first address names the network, the last one of IPv4 means everybody on it.
        let mut kept: Vec<i64> = offset(subnet.gateway).into_iter().collect();
        if subnet.block.prefix() < if v6 { 127 } else { 31 } {
            kept.push(0);
            kept.extend((!v6).then_some(last));
        }
        let range = subnet.range.unwrap_or(subnet.block);
        let wanted = match wanted {
            Some(address) => Some(offset(address).filter(|number| !kept.contains(number)).ok_or_else(|| {
                Error::invalid(format!(
                    "the address {address} cannot be a container's on network {}: expected one of {} but its gateway {}",
                    network.name, subnet.block, subnet.gateway
                ))
            })?),
            None => None,
        };
        Ok(Some(Pool { first: offset(range.first()).unwrap_or(0), last: offset(range.last()).unwrap_or(last), kept, wanted }))
    };
    let json = serde_json::to_string(&Rest { mac: attachment.mac }).map_err(|error| Error::new(Kind::Failed, error.to_string()))?;
    Ok(Claim { network: network.id.to_string(), pools: [pool(false)?, pool(true)?], json, aliases: attachment.aliases.clone() })
}

/// A place read from its row.
///
/// # Errors
/// The row does not hold a place on this network.
pub fn endpoint(network: &Network, row: &EndpointRow) -> Result<Endpoint> {
    let damaged = |what: &dyn std::fmt::Display| {
        Error::new(Kind::Corrupt, format!("the place of container {} on network {} is damaged in the store: {what}", row.container, network.name))
    };
    let container: ContainerId = row.container.parse().map_err(|error| damaged(&error))?;
    let rest: Rest = serde_json::from_str(&row.json).map_err(|error| damaged(&error))?;
    let mut addresses = Vec::new();
    for (number, v6) in row.numbers.iter().zip([false, true]) {
        let (Some(number), Some(subnet)) = (number, network.subnet(v6)) else { continue };
        let address = subnet.block.nth(*number as u64).ok_or_else(|| damaged(&"its address is none of the network's"))?;
        addresses.push((address, subnet.block.prefix()));
    }
    let v4 = addresses.iter().find_map(|(address, _)| if let IpAddr::V4(address) = address { Some(*address) } else { None });
    let mac = rest.mac.or(v4.map(Mac::of)).unwrap_or_else(|| derived(&container, row.position));
    // Names of links have 15 characters; the first ten digits tell one store's containers apart.
    let link = format!("kv{}{:02x}", &container.as_str()[..10], row.position & 0xff);
    let inside = format!("eth{}", row.position);
    Ok(Endpoint { network: network.id.clone(), link, inside, mac, addresses, aliases: row.aliases.clone(), container })
}

/// A hardware address for a place without an IPv4 one.
fn derived(container: &ContainerId, position: i64) -> Mac {
    let digest = crate::id::Digest::of(format!("{container} {position}").as_bytes());
    let byte = |at: usize| u8::from_str_radix(&digest.hex()[at * 2..at * 2 + 2], 16).unwrap_or(0);
    Mac([0x02, byte(0), byte(1), byte(2), byte(3), byte(4)])
}

/// Ports as rows.
pub fn port_rows(container: &str, ports: &[Published]) -> Vec<PortRow> {
    let row = |port: &Published| PortRow {
        protocol: port.protocol.as_str().to_owned(),
        address: port.address.to_string(),
        port: port.port,
        container: container.to_owned(),
        inside: port.inside,
    };
    ports.iter().map(row).collect()
}

/// A port read from its row; `None` if it holds none.
pub fn port(row: &PortRow) -> Option<Published> {
    let protocol: Protocol = row.protocol.parse().ok()?;
    Some(Published { protocol, address: row.address.parse().ok()?, port: row.port, inside: row.inside })
}

/// A container's places, with their networks, in the order in which they were taken.
///
/// # Errors
/// The store's.
pub fn berths_of(db: &GraphDb, container: &str) -> Result<Vec<(Network, Endpoint)>> {
    let places = db.endpoints_of(container)?;
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let networks = super::all(db)?;
    let with = |row: &EndpointRow| {
        let network = networks.iter().find(|network| network.id.as_str() == row.network)?;
        Some(endpoint(network, row).map(|endpoint| (network.clone(), endpoint)))
    };
    places.iter().filter_map(with).collect()
}

/// The networks that can be read: a damaged one keeps nobody off the others.
fn sound(db: &GraphDb) -> Result<Vec<Network>> {
    Ok(db.networks()?.iter().filter_map(|row| network(row).ok()).collect())
}

/// All networks that somebody is on, and all published ports with where they lead.
///
/// # Errors
/// The store's.
pub fn traffic(db: &GraphDb) -> Result<Traffic> {
    let (mut networks, endpoints, ports) = (sound(db)?, db.endpoints()?, db.ports()?);
    networks.retain(|network| endpoints.iter().any(|row| row.network == network.id.as_str()));
    networks.sort_by(|one, other| one.id.cmp(&other.id));
    let mut forwards = Vec::with_capacity(ports.len());
    for row in &ports {
        let Some(port) = port(row) else { continue };
        let places = endpoints.iter().filter(|place| place.container == row.container);
        let leads = places.filter_map(|place| {
            let network = networks.iter().find(|network| network.id.as_str() == place.network && !network.internal)?;
            let place = endpoint(network, place).ok()?;
            // From ::1 it is the monitor that leads there, and it may go by either family.
            let other = || if port.address == IpAddr::V6(Ipv6Addr::LOCALHOST) { place.address(false) } else { None };
            let target = place.address(port.address.is_ipv6()).or_else(other)?;
            Some((network.id.clone(), target))
        });
        let (Some((network, target)), Ok(container)) = (leads.into_iter().next(), row.container.parse::<ContainerId>()) else { continue };
        let name = db.container(&row.container)?.map_or_else(|| container.short().to_owned(), |row| row.name);
        forwards.push(Forward { container, name, network, port, target });
    }
    forwards.sort_by(|one, other| one.port.cmp(&other.port));
    Ok(Traffic { networks, forwards })
}

/// The links that running containers need: those of their networks and their own.
///
/// # Errors
/// The store's.
pub fn links(db: &GraphDb) -> Result<Vec<String>> {
    let (networks, endpoints) = (sound(db)?, db.endpoints()?);
    let mut links = Vec::new();
    for network in &networks {
        let on: Vec<&EndpointRow> = endpoints.iter().filter(|row| row.network == network.id.as_str()).collect();
        if !on.is_empty() {
            links.push(network.link.clone());
        }
        for row in on {
            links.extend(endpoint(network, row).ok().map(|endpoint| endpoint.link));
        }
    }
    Ok(links)
}

/// An event about a network, now.
pub fn event(action: &str, network: &Network, more: &[(&str, &str)]) -> EventRow {
    let mut attributes = json!({ "name": network.name, "type": network.driver });
    for (key, value) in more {
        attributes[*key] = json!(value);
    }
    EventRow {
        id: 0,
        time: jiff::Timestamp::now().as_nanosecond() as i64,
        kind: "network".to_owned(),
        action: action.to_owned(),
        actor: network.id.to_string(),
        attributes: attributes.to_string(),
    }
}

/// The identity of a place as docker shows it: 64 digits that are always the same for it.
pub fn endpoint_id(endpoint: &Endpoint) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, format!("{} {}", endpoint.container, endpoint.network).as_bytes()).as_ref())
}
