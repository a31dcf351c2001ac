//! `port`: published ports of a container.

use super::publish::Publish;
use crate::container::{PortBinding, Protocol, Published};
use crate::engine::containers::shown;
use crate::engine::{Error, Job, JobContext, Result};
use clap::Args;

/// List the published ports of a container, or change them while it runs
#[derive(Args, Clone, Debug)]
pub struct Port {
    /// Publish one more, as -p of run (repeatable)
    #[arg(long, value_name = "[[ADDRESS:]PORT:]INSIDE[/PROTOCOL]")]
    pub publish: Vec<String>,
    /// Publish one no longer; what is left out means any (repeatable)
    #[arg(long, value_name = "[[ADDRESS:]PORT:]INSIDE[/PROTOCOL]")]
    pub unpublish: Vec<String>,
    /// Container
    pub container: String,
    /// Only where this port of the container is published
    #[arg(value_name = "PORT[/PROTOCOL]", conflicts_with_all = ["publish", "unpublish"])]
    pub port: Option<String>,
}

impl Port {
    /// The job that changes something, if that is asked for.
    pub fn change(&self) -> Option<Publish> {
        let change = !self.publish.is_empty() || !self.unpublish.is_empty();
        change.then(|| Publish { container: self.container.clone(), publish: self.publish.clone(), unpublish: self.unpublish.clone() })
    }
}

/// One port of a container as people name it, `80` or `80/udp`.
///
/// # Errors
/// What is wrong with the text.
pub fn named(text: &str) -> Result<(u16, Option<Protocol>)> {
    let wrong = || Error::invalid(format!("invalid port ({}): expected PORT or PORT/tcp|udp|sctp", shown(text)));
    let wishes = PortBinding::parse(text).map_err(|_| wrong())?;
    match wishes.as_slice() {
        [one] if !text.contains(':') => Ok((one.inside, text.contains('/').then_some(one.protocol))),
        _ => Err(wrong()),
    }
}

impl Job for Port {
    /// Those that were asked for; never none if one was.
    type Output = Vec<Published>;
    const VERB: &'static str = "port";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("port {}", self.container)
    }

    async fn run(self, context: JobContext) -> Result<Vec<Published>> {
        let container = context.engine.container(&self.container)?;
        let mut ports = context.engine.published_by(&container)?;
        ports.sort_by_key(|port| (port.inside, port.protocol, port.address, port.port));
        if let Some(text) = &self.port {
            let (inside, protocol) = named(text)?;
            let protocol = protocol.unwrap_or(Protocol::Tcp);
            ports.retain(|port| port.inside == inside && port.protocol == protocol);
            if ports.is_empty() {
                return Err(Error::not_found(format!("no public port '{}' published for {}", shown(text), shown(&self.container))));
            }
        }
        Ok(ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_a_number_and_perhaps_a_protocol() {
        assert_eq!(named("80").unwrap(), (80, None));
        assert_eq!(named("53/udp").unwrap(), (53, Some(Protocol::Udp)));
        for text in ["", "0", "x", "80-81", "8080:80", "80/icmp", "127.0.0.1::80", ":80", "70000"] {
            assert!(named(text).is_err(), "{text}");
        }
    }
}
