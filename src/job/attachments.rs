//! What `--network` and its companions, `-p` and `-P` say about a container's networks and ports.

use super::options::ContainerOptions;
use super::values;
use crate::container::network::{DEFAULT, Mac};
use crate::container::{Attachment, Config, HostConfig, NetworkMode, PortBinding, name};
use crate::engine::{Engine, Error, Kind, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most ports that one container publishes.
const MOST_PORTS: usize = 400;

/// Enters networks and ports into what is to be.
///
/// # Errors
/// What does not fit, naming it.
pub fn settle(options: &ContainerOptions, host: &mut HostConfig) -> Result<()> {
    let mut attachments: Vec<Attachment> = Vec::new();
    let mut mode = None;
    for text in &options.network {
        let spelled = spelled(text)?;
        match NetworkMode::from(spelled.network.clone()) {
            NetworkMode::Networks(first) => {
                if attachments.iter().any(|known| known.network == first) {
                    return Err(Error::invalid(format!("network {first} is named twice")));
                }
                name::check_network(&first).map_err(Error::invalid)?;
                attachments.push(Attachment { network: first, ..spelled });
            }
            other => mode = Some((other, spelled)),
        }
    }
    match mode {
        Some((mode, _)) if !attachments.is_empty() || options.network.len() > 1 => {
            return Err(Error::conflict(format!("--network {} leaves no room for another network", mode.name())));
        }
        Some((mode, spelled)) => {
            host.network_mode = mode;
            if spelled != (Attachment { network: spelled.network.clone(), ..Attachment::default() }) {
                return Err(Error::conflict(format!("--network {} takes no alias, address or hardware address", spelled.network)));
            }
        }
        None => {
            if attachments.is_empty() {
                attachments.push(Attachment { network: DEFAULT.to_owned(), ..Attachment::default() });
            }
            host.network_mode = NetworkMode::Networks(attachments[0].network.clone());
        }
    }
    host.networks = attachments;
    companions(options, host)?;
    for text in &options.publish {
        host.port_bindings.extend(PortBinding::parse(text).map_err(Error::invalid)?);
    }
    host.port_bindings.dedup();
    if host.port_bindings.len() > MOST_PORTS {
        return Err(Error::invalid(format!("{} ports are to be published: at most {MOST_PORTS} can be", host.port_bindings.len())));
    }
    host.publish_all = options.publish_all;
    shared(options, host)
}

/// `NAME`, or `name=NAME,alias=…,ip=…,ip6=…,mac-address=…`.
fn spelled(text: &str) -> Result<Attachment> {
    if !text.contains('=') {
        return Ok(Attachment { network: text.to_owned(), ..Attachment::default() });
    }
    let mut attachment = Attachment::default();
    for part in text.split(',') {
        match values::pair("--network", part)? {
            ("name", name) => name.clone_into(&mut attachment.network),
            ("alias", alias) => attachment.aliases.push(alias.to_owned()),
            ("ip", address) => attachment.v4 = Some(v4("--network ip", address)?),
            ("ip6", address) => attachment.v6 = Some(v6("--network ip6", address)?),
            ("mac-address", mac) => attachment.mac = Some(mac.parse::<Mac>().map_err(Error::invalid)?),
            (key, _) => {
                return Err(Error::new(Kind::Unsupported, format!("--network {key}=… is not in this version: name, alias, ip, ip6 and mac-address are")));
            }
        }
    }
    if attachment.network.is_empty() {
        return Err(Error::invalid(format!("invalid --network {text:?}: it does not say name=NETWORK")));
    }
    aliases(&attachment.aliases)?;
    Ok(attachment)
}

fn v4(option: &str, text: &str) -> Result<Ipv4Addr> {
    text.parse().map_err(|_| Error::invalid(format!("invalid {option} {text:?}: expected an IPv4 address")))
}

fn v6(option: &str, text: &str) -> Result<Ipv6Addr> {
    text.parse().map_err(|_| Error::invalid(format!("invalid {option} {text:?}: expected an IPv6 address")))
}

/// Whether each alias is a name as the directory of names can hold it.
fn aliases(aliases: &[String]) -> Result<()> {
    match aliases.iter().find(|alias| {
        alias.is_empty() || alias.len() > 253 || !alias.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) || alias.starts_with(['-', '.'])
    }) {
        Some(alias) => {
            let shown = crate::engine::containers::shown(alias);
            Err(Error::invalid(format!("invalid network alias {shown:?}: expected letters, digits, - _ and .")))
        }
        None => Ok(()),
    }
}

/// What connects a running container to a network.
///
/// # Errors
/// What does not fit, naming it.
pub fn attachment(network: &str, alias: &[String], ip: Option<&str>, ip6: Option<&str>, mac: Option<&str>) -> Result<Attachment> {
    aliases(alias)?;
    Ok(Attachment {
        network: network.to_owned(),
        aliases: alias.to_vec(),
        v4: ip.map(|text| v4("--ip", text)).transpose()?,
        v6: ip6.map(|text| v6("--ip6", text)).transpose()?,
        mac: mac.map(|text| text.parse().map_err(Error::invalid)).transpose()?,
    })
}

/// `--network-alias`, `--ip`, `--ip6` and `--mac-address` are about the first network.
fn companions(options: &ContainerOptions, host: &mut HostConfig) -> Result<()> {
    aliases(&options.network_alias)?;
    let given = !options.network_alias.is_empty() || options.ip.is_some() || options.ip6.is_some() || options.mac_address.is_some();
    let Some(first) = host.networks.first_mut() else {
        return if given {
            Err(Error::conflict(format!("--network {} takes no alias, address or hardware address", host.network_mode.name())))
        } else {
            Ok(())
        };
    };
    let is_default = first.network == DEFAULT;
    if is_default && !options.network_alias.is_empty() {
        return Err(Error::conflict("--network-alias needs a network with names")
            .hint("`kapal network create NAME` makes one; --network NAME puts the container on it"));
    }
    first.aliases.extend(options.network_alias.iter().cloned());
    if let Some(text) = &options.ip {
        first.v4 = Some(v4("--ip", text)?);
    }
    if let Some(text) = &options.ip6 {
        first.v6 = Some(v6("--ip6", text)?);
    }
    if let Some(text) = &options.mac_address {
        first.mac = Some(text.parse().map_err(Error::invalid)?);
    }
    Ok(())
}

/// What cannot be had together with another's network.
fn shared(options: &ContainerOptions, host: &HostConfig) -> Result<()> {
    let NetworkMode::Container(_) = host.network_mode else { return Ok(()) };
    let clash = [
        ("-p and -P", !host.port_bindings.is_empty() || host.publish_all),
        ("--hostname", options.hostname.is_some()),
        ("--dns", !options.dns.is_empty() || !options.dns_search.is_empty() || !options.dns_option.is_empty()),
        ("--add-host", !options.add_host.is_empty()),
    ];
    match clash.iter().find(|(_, given)| *given) {
        Some((option, _)) => {
            Err(Error::conflict(format!("{option} and --network {} exclude each other: they are the other container's", host.network_mode.name())))
        }
        None => Ok(()),
    }
}

/// What depends on the store and on this machine's settings; gives what the user should know.
///
/// # Errors
/// A network or container that is not there.
pub fn resolve(host: &mut HostConfig, config: &Config, engine: &Engine) -> Result<Vec<String>> {
    if let NetworkMode::Container(other) = &host.network_mode {
        host.network_mode = NetworkMode::Container(engine.container(other)?.id.to_string());
    }
    for attachment in &mut host.networks {
        // By its name, however it was given.
        attachment.network = engine.network(&attachment.network)?.name;
    }
    if let Some(first) = host.networks.first() {
        host.network_mode = NetworkMode::Networks(first.network.clone());
    }
    let publishes = !host.port_bindings.is_empty() || (host.publish_all && !config.exposed_ports.is_empty());
    if publishes && host.networks.is_empty() {
        let why = if host.network_mode == NetworkMode::Host { "its ports are this machine's already" } else { "nothing leads into it" };
        host.port_bindings.clear();
        host.publish_all = false;
        return Ok(vec![format!("published ports are left out with --network {}: {why}", host.network_mode.name())]);
    }
    let at: Option<IpAddr> = engine.options().network.publish;
    host.publish_all_at = at;
    for wish in host.port_bindings.iter_mut().filter(|wish| wish.address.is_none()) {
        wish.address = at;
    }
    Ok(Vec::new())
}
