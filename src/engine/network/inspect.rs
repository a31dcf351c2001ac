//! Networks and a container's places on them as docker's `inspect` shows them.
//!
//! Source of the names: Docker Engine API, NetworkInspect and NetworkSettings.

use super::{Berths, rows};
use crate::container::{Container, Endpoint, Network, Published};
use crate::engine::Engine;
use serde_json::{Map, Value, json};

impl Engine {
    /// A container's `NetworkSettings`; what cannot be read is left out.
    pub(in crate::engine) fn network_settings(&self, container: &Container) -> Value {
        let berths = self.berths_of(container).unwrap_or_default();
        let ports: Vec<Published> = self.db().ports_of(container.id.as_str()).unwrap_or_default().iter().filter_map(rows::port).collect();
        let mut networks = Map::new();
        for attachment in &container.host_config.networks {
            let berth = berths.iter().find(|(network, _)| network.name == attachment.network);
            let place = berth.map_or_else(|| json!({ "Aliases": attachment.aliases }), |(network, endpoint)| place(network, endpoint, container));
            networks.insert(attachment.network.clone(), place);
        }
        let first = berths.first().map(|(network, endpoint)| place(network, endpoint, container)).unwrap_or_default();
        let or_empty = |key: &str| first.get(key).cloned().unwrap_or(json!(""));
        json!({
            "SandboxKey": if container.state.pid > 0 { format!("/proc/{}/ns/net", container.state.pid) } else { String::new() },
            "Ports": ports_of(container, &ports),
            "Gateway": or_empty("Gateway"),
            "IPAddress": or_empty("IPAddress"),
            "IPPrefixLen": first.get("IPPrefixLen").cloned().unwrap_or(json!(0)),
            "GlobalIPv6Address": or_empty("GlobalIPv6Address"),
            "MacAddress": or_empty("MacAddress"),
            "Networks": networks,
        })
    }
}

fn place(network: &Network, endpoint: &Endpoint, container: &Container) -> Value {
    let gateway = |v6: bool| network.subnet(v6).filter(|_| endpoint.address(v6).is_some()).map_or_else(String::new, |subnet| subnet.gateway.to_string());
    let address = |v6: bool| endpoint.address(v6).map_or_else(String::new, |address| address.to_string());
    let prefix = |v6: bool| endpoint.addresses.iter().find(|(address, _)| address.is_ipv6() == v6).map_or(0, |(_, prefix)| *prefix);
    let mut names = vec![container.name.clone()];
    names.extend(endpoint.aliases.iter().cloned());
    names.push(container.id.short().to_owned());
    json!({
        "Aliases": endpoint.aliases,
        "MacAddress": endpoint.mac,
        "NetworkID": network.id,
        "EndpointID": rows::endpoint_id(endpoint),
        "Gateway": gateway(false),
        "IPAddress": address(false),
        "IPPrefixLen": prefix(false),
        "IPv6Gateway": gateway(true),
        "GlobalIPv6Address": address(true),
        "GlobalIPv6PrefixLen": prefix(true),
        "DNSNames": if network.has_names() { names } else { Vec::new() },
        "Link": endpoint.link,
    })
}

/// Exposed and published ports: `80/tcp` and where it is reached, `null` if nowhere.
fn ports_of(container: &Container, published: &[Published]) -> Value {
    let mut ports: Map<String, Value> = Map::new();
    for port in published {
        let bindings = ports.entry(format!("{}/{}", port.inside, port.protocol.as_str())).or_insert_with(|| json!([]));
        if let Value::Array(bindings) = bindings {
            bindings.push(json!({ "HostIp": port.address, "HostPort": port.port.to_string() }));
        }
    }
    if container.state.status.is_alive() {
        for port in &container.config.exposed_ports {
            ports.entry(port.clone()).or_insert(Value::Null);
        }
    }
    Value::Object(ports)
}

impl Berths {
    /// As `network inspect` shows it.
    pub fn inspect(&self) -> Value {
        let network = &self.network;
        let config = network.subnets.iter().map(|subnet| {
            let mut config = json!({ "Subnet": subnet.block, "Gateway": subnet.gateway });
            if let Some(range) = subnet.range {
                config["IPRange"] = json!(range);
            }
            config
        });
        let containers = self.members.iter().map(|(name, endpoint)| {
            let address = |v6: bool| {
                let found = endpoint.addresses.iter().find(|(address, _)| address.is_ipv6() == v6);
                found.map_or_else(String::new, |(address, prefix)| format!("{address}/{prefix}"))
            };
            let shown = json!({
                "Name": name,
                "EndpointID": rows::endpoint_id(endpoint),
                "MacAddress": if endpoint.addresses.is_empty() { String::new() } else { endpoint.mac.to_string() },
                "IPv4Address": address(false),
                "IPv6Address": address(true),
            });
            (endpoint.container.to_string(), shown)
        });
        json!({
            "Name": network.name,
            "Id": network.id,
            "Created": network.created.to_string(),
            "Scope": "local",
            "Driver": network.driver,
            "EnableIPv4": network.subnet(false).is_some(),
            "EnableIPv6": network.subnet(true).is_some(),
            "IPAM": { "Driver": "default", "Options": {}, "Config": config.collect::<Vec<_>>() },
            "Internal": network.internal,
            "Attachable": false,
            "Ingress": false,
            "ConfigFrom": { "Network": "" },
            "ConfigOnly": false,
            "Link": network.link,
            "Icc": network.icc,
            "Masquerade": network.masquerade,
            "Containers": containers.collect::<Map<String, Value>>(),
            "Ports": self.forwards.iter().map(|forward| json!({ "Container": forward.name, "Port": forward.port.to_string() })).collect::<Vec<_>>(),
            "Options": network.options,
            "Labels": network.labels,
        })
    }
}
