//! The files of /etc that belong to a container and not to its image: hosts, hostname, resolv.conf.

use super::Berth;
use crate::container::{Container, NetworkMode};
use crate::execdriver::spec::{Files, hostname};
use std::fmt::Write;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;

/// The address inside at which names are answered.
const NAMES: &str = "127.0.0.11";
/// Where a resolver on this machine's loopback says which ones it asks itself.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

/// The files' names below a container's run-time folder, and where each is to appear.
const FILES: [(&str, &str); 3] = [("hosts", "/etc/hosts"), ("hostname", "/etc/hostname"), ("resolv.conf", "/etc/resolv.conf")];

/// Writes them below `folder` for a container that has these places on networks, and says where each is to appear. Those
/// that are there are written anew without becoming others: they may be mounted.
pub fn write(folder: &Path, container: &Container, berths: &[Berth]) -> io::Result<Files> {
    let texts = [hosts(container, berths), format!("{}\n", hostname(container)), resolv(container, berths)];
    for ((name, _), text) in FILES.iter().zip(texts) {
        let path = folder.join(name);
        std::fs::write(&path, text)?;
        rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(0o644))?;
    }
    Ok(those_in(folder))
}

/// The files that the container with the run-time folder `folder` has.
pub fn those_in(folder: &Path) -> Files {
    Files { etc: FILES.iter().map(|(name, inside)| (folder.join(name), *inside)).collect(), shared_network: None }
}

/// Whether the container asks the names process: on networks with names, and where this machine's own resolvers can be
/// reached from this machine alone.
pub fn asks_names(berths: &[Berth]) -> bool {
    berths.iter().any(|(network, _)| network.has_names()) || (!berths.is_empty() && reachable_servers().is_empty())
}

/// This machine's resolvers, but for those that only this machine reaches.
fn reachable_servers() -> Vec<IpAddr> {
    let servers = |text: &str| -> Vec<IpAddr> {
        let words = text.lines().filter_map(|line| line.strip_prefix("nameserver")).filter_map(|rest| rest.trim().parse().ok());
        words.filter(|address: &IpAddr| !address.is_loopback()).collect()
    };
    let own_servers = servers(&own("/etc/resolv.conf"));
    if own_servers.is_empty() { servers(&own(RESOLVED)) } else { own_servers }
}

/// The most of this machine's own file that is read.
const MOST: u64 = 256 << 10;

fn own(path: &str) -> String {
    let mut text = Vec::new();
    match std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut text)) {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::new(),
    }
}

fn hosts(container: &Container, berths: &[Berth]) -> String {
    let shares_network = container.host_config.network_mode == NetworkMode::Host;
    let mut text = if shares_network {
        own("/etc/hosts")
    } else {
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n".to_owned()
    };
    for line in &container.host_config.extra_hosts {
        let Some((name, address)) = line.split_once(':') else { continue };
        let gateway = || berths.iter().flat_map(|(network, _)| &network.subnets).map(|subnet| subnet.gateway.to_string()).next();
        let address = if address == "host-gateway" { gateway().unwrap_or_else(|| "127.0.0.1".to_owned()) } else { address.to_owned() };
        let _ = writeln!(text, "{address}\t{name}");
    }
    if shares_network {
        return text;
    }
    let own = match container.config.domainname.as_str() {
        "" => hostname(container).to_owned(),
        domain => format!("{0}.{domain}\t{0}", hostname(container)),
    };
    let addresses: Vec<IpAddr> = berths.iter().flat_map(|(_, endpoint)| &endpoint.addresses).map(|(address, _)| *address).collect();
    for address in &addresses {
        let _ = writeln!(text, "{address}\t{own}");
    }
    if addresses.is_empty() {
        let _ = writeln!(text, "127.0.0.1\t{own}");
    }
    text
}

fn resolv(container: &Container, berths: &[Berth]) -> String {
    let host = &container.host_config;
    let machine = own("/etc/resolv.conf");
    let asks = asks_names(berths);
    // What the machine alone reaches is of no use on a network of one's own.
    let servers = (!berths.is_empty() && !asks).then(reachable_servers);
    let replaced = |word: &str| match word {
        "nameserver" => asks || servers.is_some() || !host.dns.is_empty(),
        "search" | "domain" => !host.dns_search.is_empty(),
        "options" => !host.dns_options.is_empty(),
        _ => false,
    };
    let mut lines: Vec<String> = machine.lines().filter(|line| !replaced(line.split_whitespace().next().unwrap_or_default())).map(str::to_owned).collect();
    if asks {
        lines.push(format!("nameserver {NAMES}"));
    } else if !host.dns.is_empty() {
        lines.extend(host.dns.iter().map(|server| format!("nameserver {server}")));
    } else {
        lines.extend(servers.iter().flatten().map(|server| format!("nameserver {server}")));
    }
    if !host.dns_search.is_empty() && host.dns_search != ["."] {
        lines.push(format!("search {}", host.dns_search.join(" ")));
    }
    if !host.dns_options.is_empty() {
        lines.push(format!("options {}", host.dns_options.join(" ")));
    } else if asks && !lines.iter().any(|line| line.starts_with("options")) {
        // Names without a dot are asked for as they are: containers have such.
        lines.push("options ndots:0".to_owned());
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}
