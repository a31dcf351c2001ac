//! A container's networks and ports changed: by its monitor while it runs, in the store otherwise.

use crate::container::network::DEFAULT;
use crate::container::{Attachment, Container, HostConfig, Network, NetworkMode, PortBinding};
use crate::engine::containers::to_row;
use crate::engine::{Engine, Error, Event, Result, lock};

use crate::monitor::protocol::Request;

/// What a change makes of a container's settings, or why not.
type Changed = std::result::Result<(), String>;

impl Engine {
    /// Puts a container on one network more.
    ///
    /// # Errors
    /// It is on it already, or can be on none; what the monitor says.
    pub async fn connect_network(&self, container: &Container, network: &Network, mut attachment: Attachment) -> Result<()> {
        network.name.clone_into(&mut attachment.network);
        if !matches!(container.host_config.network_mode, NetworkMode::Networks(_)) {
            let mode = container.host_config.network_mode.name();
            return Err(Error::conflict(format!("container {} was made with --network {mode}: it has no networks of its own", container.name)));
        }
        if network.name == DEFAULT && !attachment.aliases.is_empty() {
            return Err(Error::conflict(format!("network {DEFAULT} has no names: an alias means nothing on it")));
        }
        if container.host_config.networks.iter().any(|known| known.network == network.name) {
            return Err(Error::conflict(format!("container {} is on network {} already", container.name, network.name)));
        }
        // What does not fit is said before anything is asked for.
        super::rows::claim(network, &attachment)?;
        let request = Request::Connect(attachment.clone());
        let change = |host: &mut HostConfig| {
            if host.networks.iter().any(|known| known.network == attachment.network) {
                return Err(format!("is on network {} already", attachment.network));
            }
            host.networks.push(attachment);
            Ok(())
        };
        self.change_networks(container, request, change).await
    }

    /// Takes a container off a network.
    ///
    /// # Errors
    /// It is not on it; what the monitor says.
    pub async fn disconnect_network(&self, container: &Container, network: &str) -> Result<()> {
        if !container.host_config.networks.iter().any(|known| known.network == network) {
            return Err(Error::conflict(format!("container {} is not on network {network}", container.name)));
        }
        let request = Request::Disconnect(network.to_owned());
        let change = |host: &mut HostConfig| {
            host.networks.retain(|known| known.network != network);
            Ok(())
        };
        self.change_networks(container, request, change).await
    }

    /// Publishes one port more (`add`), or no longer.
    ///
    /// # Errors
    /// The port is taken, or not published; what the monitor says.
    pub async fn publish_port(&self, container: &Container, mut wish: PortBinding, add: bool) -> Result<()> {
        let host = &container.host_config;
        if host.networks.is_empty() {
            return Err(Error::conflict(format!("container {} with --network {} has no ports to publish", container.name, host.network_mode.name())));
        }
        if add && wish.address.is_none() {
            wish.address = self.options().network.publish;
        }
        let request = if add { Request::Publish(wish.clone()) } else { Request::Unpublish(wish.clone()) };
        let change = |host: &mut HostConfig| {
            if add == host.port_bindings.iter().any(|known| if add { *known == wish } else { means(&wish, known) }) {
                return Err(format!("{} {wish}", if add { "publishes already" } else { "does not publish" }));
            }
            host.port_bindings.retain(|known| add || !means(&wish, known));
            host.port_bindings.extend(add.then_some(wish));
            Ok(())
        };
        self.change_networks(container, request, change).await
    }

    /// Asks the monitor, or without one changes what the next start is to have.
    async fn change_networks(&self, container: &Container, request: Request, change: impl FnOnce(&mut HostConfig) -> Changed) -> Result<()> {
        if !container.state.status.is_alive() || self.ask(container, request).await?.is_none() {
            let _lock = lock::exclusive(&self.place().lock(&container.id))?;
            let mut container = self.settled(self.container_by_id(&container.id)?)?;
            if container.state.status.is_alive() {
                return Err(Error::conflict(format!("container {} was started meanwhile: try again", container.name)));
            }
            let (name, host) = (container.name.clone(), &mut container.host_config);
            // What was looked at before may have changed until the lock was had.
            change(host).map_err(|why| Error::conflict(format!("container {name} {why}")))?;
            self.db().set_container_json(container.id.as_str(), &to_row(&container)?.json)?;
        }
        self.changed(Event::ContainerChanged(container.id.clone()));
        self.changed(Event::NetworksChanged);
        Ok(())
    }
}

/// Whether what is no longer to be published means this port: what it leaves open is any.
fn means(wish: &PortBinding, known: &PortBinding) -> bool {
    let here = wish.ports.is_none() || wish.ports == known.ports;
    wish.protocol == known.protocol && wish.inside == known.inside && here && (wish.address.is_none() || wish.address == known.address)
}
