//! `network`: create, ls, inspect, rm, prune.

use super::prune::PruneFilter;
use super::rm::Several;
use super::values;
use super::volume::Pruned;
use crate::container::cidr::CidrError;
use crate::container::{Cidr, Network};
use crate::engine::network::{self, Berths, NewNetwork, is_predefined, predefined};
use crate::engine::{Error, Job, JobContext, Kind, Result};
use clap::Args;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The driver of networks that have a link of their own on this machine.
const BRIDGE: &str = "bridge";

/// Make a network
#[derive(Args, Clone, Debug)]
pub struct NetworkCreate {
    /// Driver; bridge is the only one that makes networks
    #[arg(short, long, value_name = "NAME", default_value = BRIDGE)]
    pub driver: String,
    /// Its block of addresses, one of each family; chosen if there is none
    #[arg(long, value_name = "BLOCK", value_delimiter = ',')]
    pub subnet: Vec<String>,
    /// Its own address on this machine, in a --subnet; the first one if there is none
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub gateway: Vec<String>,
    /// The part of a --subnet from which containers get their addresses
    #[arg(long, value_name = "BLOCK", value_delimiter = ',')]
    pub ip_range: Vec<String>,
    /// Nothing leads out of it
    #[arg(long)]
    pub internal: bool,
    /// With IPv6 addresses too
    #[arg(long)]
    pub ipv6: bool,
    /// Option of the driver: mtu, icc, masquerade, com.docker.network.bridge.name
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub opt: Vec<String>,
    /// Set a label
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub label: Vec<String>,
    /// Its name
    #[arg(value_name = "NETWORK")]
    pub name: String,
}

/// List networks
#[derive(Args, Clone, Debug, Default)]
pub struct NetworkLs {
    /// Filter: driver, id, label, name, scope, type (custom, builtin), dangling (repeatable)
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub filter: Vec<String>,
}

/// Show networks in full, with the containers on them
#[derive(Args, Clone, Debug)]
pub struct NetworkInspect {
    /// Taken as docker takes it: all is shown anyway
    #[arg(short, long)]
    pub verbose: bool,
    /// Networks
    #[arg(required = true, value_name = "NETWORK")]
    pub names: Vec<String>,
}

/// Remove networks that no running container is on
#[derive(Args, Clone, Debug)]
pub struct NetworkRm {
    /// One that is not there is no error
    #[arg(short, long)]
    pub force: bool,
    /// Networks
    #[arg(required = true, value_name = "NETWORK")]
    pub names: Vec<String>,
}

/// Remove all networks that no running container is on
#[derive(Args, Clone, Debug)]
pub struct NetworkPrune {
    /// Which of them.
    #[command(flatten)]
    pub filter: PruneFilter,
    /// Do not ask
    #[arg(short, long)]
    pub force: bool,
}

impl NetworkCreate {
    /// What the words mean.
    fn wanted(&self) -> Result<NewNetwork> {
        if self.driver != BRIDGE {
            let plain = matches!(self.driver.as_str(), "host" | "null");
            return Err(if plain {
                Error::conflict(format!("only one network of driver {} is allowed, and it is there already", self.driver))
            } else {
                Error::new(Kind::Unsupported, format!("network driver {:?} is not in this version: choose {BRIDGE}", self.driver))
            });
        }
        let blocks = |texts: &[String]| texts.iter().map(|text| text.parse::<Cidr>()).collect::<std::result::Result<_, _>>();
        let no_block = |error: CidrError| Error::invalid(error.to_string());
        let address = |text: &String| text.parse::<IpAddr>().map_err(|_| Error::invalid(format!("invalid --gateway {text:?}: expected an address")));
        let options = self.opt.iter().map(|text| values::pair("--opt", text).map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(NewNetwork {
            name: self.name.clone(),
            subnets: blocks(&self.subnet).map_err(no_block)?,
            gateways: self.gateway.iter().map(address).collect::<Result<_>>()?,
            ranges: blocks(&self.ip_range).map_err(no_block)?,
            internal: self.internal,
            ipv6: self.ipv6,
            options: options.collect::<Result<BTreeMap<_, _>>>()?,
            labels: self.label.iter().map(|text| text.split_once('=').unwrap_or((text, ""))).map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        })
    }
}

impl Job for NetworkCreate {
    type Output = Network;
    const VERB: &'static str = "network create";

    fn title(&self) -> String {
        format!("network create {}", self.name)
    }

    async fn run(self, context: JobContext) -> Result<Network> {
        context.blocking(move |context| context.engine.create_network(&self.wanted()?)).await
    }
}

impl Job for NetworkLs {
    type Output = Vec<Berths>;
    const VERB: &'static str = "network ls";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "network ls".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Vec<Berths>> {
        let filters = filters(&self.filter)?;
        context
            .blocking(move |context| {
                let mut all = context.engine.all_berths()?;
                all.retain(|berths| fits(&filters, berths));
                Ok(all)
            })
            .await
    }
}

fn filters(texts: &[String]) -> Result<Vec<(String, String)>> {
    const KNOWN: [&str; 7] = ["driver", "id", "label", "name", "scope", "type", "dangling"];
    let one = |text: &String| {
        let (key, value) = values::pair("--filter", text)?;
        match (key, value) {
            ("type", "custom" | "builtin") | ("dangling", "true" | "1" | "false" | "0") => {}
            ("type", _) => return Err(Error::invalid(format!("invalid filter {text:?}: expected type=custom or type=builtin"))),
            ("dangling", _) => return Err(Error::invalid(format!("invalid filter {text:?}: expected dangling=true or dangling=false"))),
            (key, _) if KNOWN.contains(&key) => {}
            _ => return Err(Error::invalid(format!("invalid filter key {key:?}: expected one of {}", KNOWN.join(", ")))),
        }
        Ok((key.to_owned(), value.to_owned()))
    };
    texts.iter().map(one).collect()
}

/// Labels must all match, of any other key one value is enough.
fn fits(filters: &[(String, String)], berths: &Berths) -> bool {
    filters.iter().all(
        |(key, value)| {
            if key == "label" { one(berths, key, value) } else { filters.iter().any(|(other, value)| other == key && one(berths, key, value)) }
        },
    )
}

fn one(berths: &Berths, key: &str, value: &str) -> bool {
    let network = &berths.network;
    let builtin = is_predefined(&network.name);
    match key {
        "driver" => network.driver == value,
        "id" => network.id.as_str().starts_with(value),
        "name" => network.name.contains(value),
        "scope" => value == "local",
        "type" => builtin == (value == "builtin"),
        "dangling" => (!builtin && berths.members.is_empty()) == matches!(value, "true" | "1"),
        "label" => match value.split_once('=') {
            Some((name, expected)) => network.labels.get(name).is_some_and(|found| found == expected),
            None => network.labels.contains_key(value),
        },
        _ => false,
    }
}

impl Job for NetworkInspect {
    /// Those found, and why the others were not.
    type Output = (Vec<Berths>, Vec<Error>);
    const VERB: &'static str = "network inspect";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("network inspect {}", self.names.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<(Vec<Berths>, Vec<Error>)> {
        context
            .blocking(move |context| {
                let all = context.engine.all_berths()?;
                let (mut found, mut failed) = (Vec::new(), Vec::new());
                for name in &self.names {
                    match network::find(&all, name) {
                        Ok(berths) => found.push(berths.clone()),
                        Err(error) => failed.push(error),
                    }
                }
                Ok((found, failed))
            })
            .await
    }
}

impl Job for NetworkRm {
    type Output = Several;
    const VERB: &'static str = "network rm";

    fn title(&self) -> String {
        format!("network rm {}", self.names.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Several> {
        context
            .blocking(move |context| {
                let mut several = Several::default();
                for name in &self.names {
                    let removed = match context.engine.network(name) {
                        Err(_) if is_predefined(name) => Err(predefined(name)),
                        Ok(network) => context.engine.remove_network(&network),
                        Err(error) => Err(error),
                    };
                    match removed {
                        // Gone already is what was asked for, but nothing was done.
                        Err(error) if self.force && error.kind == Kind::NotFound => {}
                        result => several.add(name, result),
                    }
                }
                Ok(several)
            })
            .await
    }
}

impl Job for NetworkPrune {
    type Output = Pruned;
    const VERB: &'static str = "network prune";

    fn title(&self) -> String {
        "network prune".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Pruned> {
        self.filter.check(&["until"])?;
        context.blocking(move |context| prune(&self.filter, context)).await
    }
}

/// Removes the networks that no running container is on, of those that the filter means.
///
/// As docker's: a container that does not run keeps no network; started again, it does not find it.
pub fn prune(filter: &PruneFilter, context: &JobContext) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    for Berths { network, members, .. } in context.engine.berths()? {
        context.check()?;
        let meant = filter.fits_age(Some(network.created)) && filter.fits_labels(&network.labels);
        if is_predefined(&network.name) || !members.is_empty() || !meant {
            continue;
        }
        match context.engine.remove_network(&network) {
            // Somebody came onto it or removed it meanwhile.
            Err(error) if matches!(error.kind, Kind::Conflict | Kind::NotFound) => {}
            other => {
                other?;
                pruned.removed.push(network.name);
            }
        }
    }
    Ok(pruned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab() -> Berths {
        let network = Network {
            id: "ab".repeat(32).parse().unwrap(),
            name: "lab".to_owned(),
            created: jiff::Timestamp::UNIX_EPOCH,
            driver: BRIDGE.to_owned(),
            link: "kp-0".to_owned(),
            subnets: Vec::new(),
            internal: false,
            icc: true,
            masquerade: true,
            mtu: None,
            labels: BTreeMap::from([("stage".to_owned(), "test".to_owned())]),
            options: BTreeMap::new(),
        };
        Berths { network, members: Vec::new(), forwards: Vec::new() }
    }

    #[test]
    fn filters_are_dockers() {
        for (texts, shown) in [
            (&[][..], true),
            (&["driver=bridge"], true),
            (&["driver=host", "driver=bridge"], true),
            (&["driver=host"], false),
            (&["name=la", "id=abab"], true),
            (&["name=la", "id=cd"], false),
            (&["label=stage", "label=stage=test"], true),
            (&["label=stage", "label=other"], false),
            (&["type=custom", "scope=local", "dangling=true"], true),
            (&["type=builtin"], false),
            (&["dangling=false"], false),
        ] {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            assert_eq!(fits(&filters(&texts).unwrap(), &lab()), shown, "{texts:?}");
        }
        for text in ["colour=blue", "type=x", "dangling=perhaps", "name"] {
            assert!(filters(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}
