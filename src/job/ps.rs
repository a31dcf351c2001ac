//! `ps`: containers.

use crate::container::{Container, PortBinding, Protocol, Published, Status};
use crate::engine::{Engine, Error, Job, JobContext, Result};
use clap::Args;
use std::collections::HashMap;

/// List containers
#[derive(Args, Clone, Debug, Default)]
pub struct Ps {
    /// All, not the running ones alone
    #[arg(short, long)]
    pub all: bool,
    /// The last N made, running or not (-1: no such limit)
    #[arg(short = 'n', long, value_name = "N", allow_hyphen_values = true)]
    pub last: Option<i64>,
    /// The last one made, running or not
    #[arg(short, long)]
    pub latest: bool,
    /// With sizes
    #[arg(short, long)]
    pub size: bool,
    /// Filter: id, name, label, status, health, ancestor, exited, volume, network, publish, expose, before, since (repeatable)
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub filter: Vec<String>,
}

/// A container in the list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The container.
    pub container: Container,
    /// Bytes in its writable layer, if asked for.
    pub size: Option<u64>,
    /// Bytes in its image, if asked for.
    pub image_size: Option<u64>,
    /// What it has published, in the order of the ports here.
    pub ports: Vec<Published>,
}

impl Job for Ps {
    /// The containers, and what is wrong with those that cannot be read and are left out.
    type Output = (Vec<Listed>, Vec<Error>);
    const VERB: &'static str = "ps";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "ps".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<(Vec<Listed>, Vec<Error>)> {
        context.blocking(move |context| list(&self, context)).await
    }
}

fn list(ps: &Ps, context: &JobContext) -> Result<(Vec<Listed>, Vec<Error>)> {
    let engine = &context.engine;
    let filters = filters(&ps.filter)?;
    let (mut containers, damaged) = engine.sound_containers()?;
    let mut published = if containers.iter().any(|container| container.state.status.is_alive()) { engine.published()? } else { HashMap::new() };
    let mut wanted = Vec::with_capacity(filters.len());
    for (key, value) in filters {
        wanted.push(match key {
            "before" | "since" => (key, engine.container(value)?.created.to_string()),
            "network" => (key, network(engine, value)?),
            "ancestor" => (key, engine.image(value).map_or_else(|_| value.to_owned(), |image| image.id.to_string())),
            _ => (key, value.to_owned()),
        });
    }
    let by_status = wanted.iter().any(|(key, _)| matches!(*key, "status" | "exited"));
    let last = if ps.latest { Some(1) } else { ps.last.and_then(|last| usize::try_from(last).ok()).filter(|last| *last > 0) };
    containers.retain(|container| {
        let shown = ps.all || last.is_some() || by_status || matches!(container.state.status, Status::Running | Status::Paused | Status::Restarting);
        shown && keys(&wanted).iter().all(|key| wanted.iter().filter(|(k, _)| k == key).any(|(k, v)| matches(container, &published, k, v)))
    });
    containers.truncate(last.unwrap_or(usize::MAX));
    let mut measured = |container: Container| {
        let (size, image_size) = if ps.size { (Some(engine.container_size(&container)?), Some(engine.image_size(&container)?)) } else { (None, None) };
        let ports = published.remove(container.id.as_str()).unwrap_or_default();
        Ok(Listed { container, size, image_size, ports })
    };
    Ok((containers.into_iter().map(&mut measured).collect::<Result<_>>()?, damaged))
}

/// Labels must all match, of any other key one value is enough; so each label counts as a key of its own.
fn keys(wanted: &[(&str, String)]) -> Vec<String> {
    let mut keys: Vec<String> = wanted.iter().map(|(key, _)| (*key).to_owned()).collect();
    keys.sort();
    keys.dedup();
    keys
}

fn filters(texts: &[String]) -> Result<Vec<(&str, &str)>> {
    const KNOWN: [&str; 13] = ["id", "name", "label", "status", "health", "ancestor", "exited", "volume", "before", "since", "network", "publish", "expose"];
    texts
        .iter()
        .map(|text| match text.split_once('=') {
            Some((key, value)) if KNOWN.contains(&key) => {
                let states = ["created", "running", "paused", "restarting", "exited", "removing", "dead"];
                if key == "status" && !states.contains(&value) {
                    return Err(Error::invalid(format!("invalid filter {text:?}: expected status={}", states.join("|"))));
                }
                let health = ["starting", "healthy", "unhealthy", "none"];
                if key == "health" && !health.contains(&value) {
                    return Err(Error::invalid(format!("invalid filter {text:?}: expected health={}", health.join("|"))));
                }
                if matches!(key, "publish" | "expose") && port_range(value).is_none() {
                    return Err(Error::invalid(format!("invalid filter {text:?}: expected {key}=PORT[-PORT][/tcp|udp|sctp]")));
                }
                Ok((key, value))
            }
            Some((key, _)) => Err(Error::invalid(format!("invalid filter key {key:?}: expected one of {}", KNOWN.join(", ")))),
            None => Err(Error::invalid(format!("invalid filter {text:?}: expected KEY=VALUE"))),
        })
        .collect()
}

/// A network's name, however it was given; one that is not there is nobody's.
fn network(engine: &Engine, text: &str) -> Result<String> {
    let found = engine.db().networks_like(text)?;
    Ok(if let [row] = found.as_slice() { row.name.clone() } else { text.to_owned() })
}

/// The ports that a filter means: `80`, `80/udp`, `8000-8010/tcp`.
fn port_range(text: &str) -> Option<(u16, u16, Protocol)> {
    let wishes = PortBinding::parse(text).ok().filter(|_| !text.contains(':'))?;
    let (first, last) = (wishes.first()?, wishes.last()?);
    Some((first.inside, last.inside, first.protocol))
}

fn matches(container: &Container, published: &HashMap<String, Vec<Published>>, key: &str, value: &str) -> bool {
    let ports = || published.get(container.id.as_str()).into_iter().flatten();
    let within = |port: u16, protocol: Protocol| port_range(value).is_some_and(|(first, last, of)| (first..=last).contains(&port) && protocol == of);
    match key {
        "id" => container.id.as_str().starts_with(value),
        "name" => container.name.contains(value.trim_start_matches('/')),
        "label" => match value.split_once('=') {
            Some((name, value)) => container.config.labels.get(name).is_some_and(|found| found == value),
            None => container.config.labels.contains_key(value),
        },
        "status" => container.state.status.as_str() == value,
        "exited" => container.state.status == Status::Exited && value.parse() == Ok(container.state.exit_code),
        "health" => container.state.health.as_ref().map_or("none", |health| health.status.as_str()) == value,
        "ancestor" => container.image == value || container.image_id.as_ref().is_some_and(|id| id.as_str() == value),
        "volume" => {
            container.host_config.mounts.iter().any(|mount| mount.name.as_deref() == Some(value) || mount.destination == value || mount.source == value)
        }
        "network" => {
            let host = &container.host_config;
            host.network_mode.name() == value || host.networks.iter().any(|known| known.network == value)
        }
        "publish" => ports().any(|port| within(port.port, port.protocol)),
        "expose" => {
            let exposed = container.config.exposed_ports.iter().filter_map(|text| port_range(text));
            let overlaps = |(first, last, of)| port_range(value).is_some_and(|(from, to, protocol)| first <= to && from <= last && protocol == of);
            ports().any(|port| within(port.inside, port.protocol)) || exposed.into_iter().any(overlaps)
        }
        "before" => container.created.to_string().as_str() < value,
        "since" => container.created.to_string().as_str() > value,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_filters_are_ranges() {
        assert_eq!(port_range("80"), Some((80, 80, Protocol::Tcp)));
        assert_eq!(port_range("8000-8010/udp"), Some((8000, 8010, Protocol::Udp)));
        for text in ["", "x", "80:80", "90-80", "80/icmp"] {
            assert_eq!(port_range(text), None, "{text}");
        }
        assert!(filters(&["health=ill".to_owned()]).is_err() && filters(&["health=none".to_owned()]).is_ok());
        assert!(filters(&["publish=x".to_owned()]).is_err() && filters(&["expose=80/tcp".to_owned()]).is_ok());
    }
}
