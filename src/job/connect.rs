//! `network connect` and `network disconnect`: a container put on a network and taken off it, running or not.

use super::attachments;
use crate::engine::network::is_predefined;
use crate::engine::{Error, Job, JobContext, Kind, Result};
use clap::Args;

/// Put a container on a network
#[derive(Args, Clone, Debug)]
pub struct NetworkConnect {
    /// Name beside its own on this network (repeatable)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub alias: Vec<String>,
    /// This IPv4 address and no other
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<String>,
    /// This IPv6 address and no other
    #[arg(long, value_name = "ADDRESS")]
    pub ip6: Option<String>,
    /// Network
    pub network: String,
    /// Container
    pub container: String,
}

/// Take a container off a network
#[derive(Args, Clone, Debug)]
pub struct NetworkDisconnect {
    /// A container that is gone, or not on the network, is no error
    #[arg(short, long)]
    pub force: bool,
    /// Network
    pub network: String,
    /// Container
    pub container: String,
}

/// Of networks that a container has from its making on or never.
fn own(network: &str) -> Result<()> {
    if matches!(network, "host" | "none") {
        return Err(Error::conflict(format!(
            "a container cannot be connected to network {network} or disconnected from it: it is made with --network {network}"
        )));
    }
    Ok(())
}

impl Job for NetworkConnect {
    type Output = ();
    const VERB: &'static str = "network connect";

    fn title(&self) -> String {
        format!("network connect {} {}", self.network, self.container)
    }

    async fn run(self, context: JobContext) -> Result<()> {
        own(&self.network)?;
        let engine = &context.engine;
        let network = engine.network(&self.network)?;
        let container = engine.container(&self.container)?;
        let attachment = attachments::attachment(&network.name, &self.alias, self.ip.as_deref(), self.ip6.as_deref(), None)?;
        engine.connect_network(&container, &network, attachment).await
    }
}

impl Job for NetworkDisconnect {
    type Output = ();
    const VERB: &'static str = "network disconnect";

    fn title(&self) -> String {
        format!("network disconnect {} {}", self.network, self.container)
    }

    async fn run(self, context: JobContext) -> Result<()> {
        own(&self.network)?;
        let engine = &context.engine;
        let container = match engine.container(&self.container) {
            Err(error) if self.force && error.kind == Kind::NotFound => return Ok(()),
            other => other?,
        };
        let on = |name: &str| container.host_config.networks.iter().any(|known| known.network == name);
        let name = match engine.network(&self.network) {
            Ok(network) => network.name,
            // A container that does not run may name one that was removed.
            Err(_) if on(&self.network) && !is_predefined(&self.network) => self.network.clone(),
            Err(error) => return Err(error),
        };
        if self.force && !on(&name) {
            return Ok(());
        }
        engine.disconnect_network(&container, &name).await
    }
}
