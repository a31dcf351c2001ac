//! Networks made: addresses that nothing else uses, a link's name, options understood.

use super::rows;
use crate::container::network::DEFAULT;
use crate::container::{Cidr, Network, Subnet, name};
use crate::engine::{Engine, Error, Kind, Result};
use crate::id::NetworkId;
use crate::networkdriver;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The names that are modes or would be read as such.
const RESERVED: [&str; 5] = ["bridge", "default", "host", "none", "container"];

/// How a network is to be made.
#[derive(Clone, Debug, Default)]
pub struct NewNetwork {
    /// Its name.
    pub name: String,
    /// Its blocks of addresses; chosen if none.
    pub subnets: Vec<Cidr>,
    /// Its own addresses on this machine, each in one of the blocks; their first ones if none.
    pub gateways: Vec<IpAddr>,
    /// The parts from which containers get theirs, each in one of the blocks.
    pub ranges: Vec<Cidr>,
    /// Nothing leads out of it.
    pub internal: bool,
    /// It has IPv6 addresses, too.
    pub ipv6: bool,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Options of the bridge driver, read.
struct BridgeOptions {
    link: Option<String>,
    mtu: Option<u32>,
    icc: bool,
    masquerade: bool,
}

fn bridge_options(options: &BTreeMap<String, String>) -> Result<BridgeOptions> {
    let mut read = BridgeOptions { link: None, mtu: None, icc: true, masquerade: true };
    for (name, value) in options {
        let flag = || match value.as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(Error::invalid(format!("invalid option {name}={value}: expected true or false"))),
        };
        let short = name.strip_prefix("com.docker.network.").unwrap_or(name);
        match short {
            "mtu" | "driver.mtu" => {
                let mtu = value.parse().ok().filter(|mtu| (576..=65_535).contains(mtu));
                read.mtu = Some(mtu.ok_or_else(|| Error::invalid(format!("invalid option {name}={value}: expected 576 to 65535 bytes")))?);
            }
            "bridge.name" => {
                let fits =
                    (1..=15).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) && !value.starts_with('.');
                if !fits {
                    return Err(Error::invalid(format!("invalid option {name}={value}: expected a link's name, at most 15 letters, digits, - _ and .")));
                }
                read.link = Some(value.clone());
            }
            "icc" | "bridge.enable_icc" => read.icc = flag()?,
            "masquerade" | "bridge.enable_ip_masquerade" => read.masquerade = flag()?,
            _ => {
                return Err(Error::new(Kind::Unsupported, format!("option {name:?} is none of the bridge driver's"))
                    .hint("mtu, icc, masquerade and com.docker.network.bridge.name are"));
            }
        }
    }
    Ok(read)
}

impl Engine {
    /// Makes a network; its link comes with the first container on it.
    ///
    /// # Errors
    /// What does not fit, naming it; a name or addresses that are taken.
    pub fn create_network(&self, wanted: &NewNetwork) -> Result<Network> {
        name::check_network(&wanted.name).map_err(Error::invalid)?;
        if RESERVED.contains(&wanted.name.as_str()) {
            return Err(Error::conflict(format!("a network cannot be called {}: that name has a meaning of its own", wanted.name)));
        }
        let options = bridge_options(&wanted.options)?;
        let id = NetworkId::random().map_err(|e| Error::io("no random numbers", &e))?;
        let link = options.link.unwrap_or_else(|| format!("kp-{}", id.short()));
        let network = Network {
            name: wanted.name.clone(),
            created: jiff::Timestamp::now(),
            driver: "bridge".to_owned(),
            link,
            subnets: self.subnets(wanted)?,
            internal: wanted.internal,
            icc: options.icc,
            masquerade: options.masquerade,
            mtu: options.mtu,
            labels: wanted.labels.clone(),
            options: wanted.options.clone(),
            id,
        };
        self.enter_network(network)
    }

    /// Enters a network, its chosen blocks chosen again for as long as another process was faster.
    fn enter_network(&self, mut network: Network) -> Result<Network> {
        const ATTEMPTS: usize = 16;
        for attempt in 0.. {
            let entered = self.db().insert_network(&rows::network_row(&network)?, |others| agree(&network, others));
            match entered {
                Ok(()) => {
                    self.tell_of_network("create", &network, &[]);
                    return Ok(network);
                }
                Err(crate::graphdb::Error::Conflict(_)) if attempt < ATTEMPTS && network.subnets.iter().all(|subnet| subnet.chosen) => {
                    for at in 0..network.subnets.len() {
                        network.subnets[at] = self.choose(network.subnets[at].block.is_v6())?;
                    }
                }
                Err(crate::graphdb::Error::Taken { name, .. }) => return Err(Error::conflict(format!("network with name {name} already exists"))),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(Kind::Failed, "no addresses"))
    }

    /// The network that is there without being asked for, made at its first use.
    pub(super) fn default_network(&self) -> Result<Network> {
        let network = Network {
            id: NetworkId::random().map_err(|e| Error::io("no random numbers", &e))?,
            name: DEFAULT.to_owned(),
            created: jiff::Timestamp::now(),
            driver: "bridge".to_owned(),
            link: self.mark().default_link,
            subnets: vec![self.choose(false)?],
            internal: false,
            icc: true,
            masquerade: true,
            mtu: None,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        };
        match self.enter_network(network) {
            // Another process made it at the same moment.
            Err(error) if error.kind == Kind::Conflict => match self.db().networks_like(DEFAULT)?.as_slice() {
                [row] => rows::network(row),
                _ => Err(error),
            },
            other => other,
        }
    }

    /// A block of addresses that neither this machine nor another network uses.
    fn choose(&self, v6: bool) -> Result<Subnet> {
        let taken: Vec<Cidr> = super::all(self.db())?.iter().flat_map(|network| &network.subnets).map(|subnet| subnet.block).collect();
        let pools = self.options().network.pools_of(v6);
        let block = networkdriver::free_block(&pools, &taken).map_err(|e| Error::io("cannot ask the kernel for this machine's routes", &e))?;
        let block = block.ok_or_else(|| {
            let family = if v6 { "IPv6" } else { "IPv4" };
            Error::new(
                Kind::Unavailable,
                format!("no block of {family} addresses is left: each part of the pools overlaps a route of this machine or another network"),
            )
            .hint("give one with --subnet, or set [network] pools in config.toml")
        })?;
        let gateway = block.nth(1).ok_or_else(|| Error::invalid(format!("{block} has no room for a gateway")))?;
        Ok(Subnet { block, gateway, range: None, chosen: true })
    }

    fn subnets(&self, wanted: &NewNetwork) -> Result<Vec<Subnet>> {
        let mut subnets: Vec<Subnet> = Vec::new();
        for block in &wanted.subnets {
            let (least, most) = if block.is_v6() { (16, 126) } else { (8, 30) };
            if !(least..=most).contains(&block.prefix()) {
                return Err(Error::invalid(format!("invalid --subnet {block}: expected a prefix of {least} to {most} bits")));
            }
            if subnets.iter().any(|subnet| subnet.block.is_v6() == block.is_v6()) {
                return Err(Error::invalid(format!("invalid --subnet {block}: a network has one block of each family")));
            }
            let gateway = block.nth(1).ok_or_else(|| Error::invalid(format!("{block} has no room for a gateway")))?;
            subnets.push(Subnet { block: *block, gateway, range: None, chosen: false });
        }
        if let Some(six) = subnets.iter().find(|subnet| subnet.block.is_v6() && !wanted.ipv6) {
            return Err(Error::invalid(format!("--subnet {}: an IPv6 block needs --ipv6", six.block)));
        }
        if !subnets.iter().any(|subnet| !subnet.block.is_v6()) {
            subnets.insert(0, self.choose(false)?);
        }
        if wanted.ipv6 && !subnets.iter().any(|subnet| subnet.block.is_v6()) {
            subnets.push(self.choose(true)?);
        }
        for gateway in &wanted.gateways {
            let subnet = subnets.iter_mut().find(|subnet| !subnet.chosen && subnet.block.contains(*gateway));
            let edge = |subnet: &Subnet| *gateway == subnet.block.first() || (gateway.is_ipv4() && *gateway == subnet.block.last());
            match subnet {
                Some(subnet) if !edge(subnet) => subnet.gateway = *gateway,
                _ => return Err(Error::invalid(format!("invalid --gateway {gateway}: expected an address inside a --subnet"))),
            }
        }
        for range in &wanted.ranges {
            let inside = |subnet: &&mut Subnet| !subnet.chosen && subnet.block.contains(range.first()) && range.prefix() >= subnet.block.prefix();
            match subnets.iter_mut().find(inside) {
                Some(subnet) => subnet.range = Some(*range),
                None => return Err(Error::invalid(format!("invalid --ip-range {range}: expected a part of a --subnet"))),
            }
        }
        Ok(subnets)
    }

    /// Sees to it that the networks a container wants can come up: the default one is there, and those whose addresses
    /// were chosen get others if this machine has come to use them.
    ///
    /// # Errors
    /// A network that is not there.
    pub fn prepare_networks(&self, container: &crate::container::Container) -> Result<()> {
        for attachment in &container.host_config.networks {
            let network = self.network(&attachment.network)?;
            if network.subnets.iter().all(|subnet| !subnet.chosen) || networkdriver::is_up(&network).unwrap_or(true) {
                continue;
            }
            let mut moved = network.clone();
            for subnet in moved.subnets.iter_mut().filter(|subnet| subnet.chosen) {
                let here = [(subnet.block, subnet.block.prefix())];
                let free = networkdriver::free_block(&here, &[]).map_err(|e| Error::io("cannot ask the kernel for this machine's routes", &e))?;
                if free.is_none() {
                    *subnet = self.choose(subnet.block.is_v6())?;
                }
            }
            // Somebody who came onto it meanwhile found that its addresses will do; then so they do for this container.
            if moved != network {
                let _ = self.db().set_network(network.id.as_str(), &rows::network_row(&moved)?.json);
            }
        }
        Ok(())
    }
}

/// Whether a network's addresses and link are its own among all others of the store.
fn agree(network: &Network, others: &[crate::graphdb::NetworkRow]) -> std::result::Result<(), String> {
    for other in others.iter().filter_map(|row| rows::network(row).ok()) {
        for block in network.subnets.iter().map(|subnet| subnet.block) {
            if let Some(taken) = other.subnets.iter().find(|taken| taken.block.overlaps(&block)) {
                return Err(format!("the addresses {block} overlap with {} of network {}", taken.block, other.name));
            }
        }
        if other.link == network.link {
            return Err(format!("the link {} is that of network {}", network.link, other.name));
        }
    }
    Ok(())
}
