//! What a monitor tells the store and asks of it, so that it need not know how the store keeps it.

use crate::container::network::Traffic;
use crate::container::{Attachment, Endpoint, Health, HealthStatus, HostConfig, Network, PortBinding, Published};
use crate::id::NetworkId;
use std::path::PathBuf;

/// A container's place on a network, and that network.
pub type Berth = (Network, Endpoint);

/// The store, as a container's monitor sees it. A failure is said in the monitor's last words and changes nothing: the
/// container's life goes on.
pub trait Record {
    /// The container's process runs.
    fn started(&mut self, pid: i32) -> Result<(), String>;
    /// The process could not be started.
    fn failed(&mut self, status: i32, why: &str) -> Result<(), String>;
    /// Its processes are frozen, or thawed.
    fn paused(&mut self, paused: bool) -> Result<(), String>;
    /// A signal was sent on a user's behalf.
    fn signalled(&mut self, signal: i32) -> Result<(), String>;
    /// The kernel killed processes of the container for want of memory.
    fn out_of_memory(&mut self) -> Result<(), String>;
    /// What is known of its health now; `turned` is its status if that is another now.
    fn health(&mut self, health: &Health, turned: Option<HealthStatus>) -> Result<(), String>;
    /// The process ended and will be started again.
    fn restarting(&mut self, status: i32, oom_killed: bool) -> Result<(), String>;
    /// The process ended for good.
    fn exited(&mut self, status: i32, oom_killed: bool, stopped_by_user: bool) -> Result<(), String>;
    /// Takes a place on each of these networks, addresses and all, or none; what the container had is let go.
    fn claim(&mut self, attachments: &[Attachment]) -> Result<Vec<Berth>, String>;
    /// Takes one place more, for the running container and for its starts to come.
    fn connect(&mut self, attachment: &Attachment) -> Result<Berth, String>;
    /// Gives a place up, now and for its starts to come.
    fn disconnect(&mut self, network: &NetworkId) -> Result<(), String>;
    /// The ports that are published now; with `wishes`, what its starts to come are to publish.
    fn publish(&mut self, ports: &[Published], wishes: Option<&[PortBinding]>) -> Result<(), String>;
    /// It has these limits and this restart policy now, and for its starts to come.
    fn updated(&mut self, host: &HostConfig) -> Result<(), String>;
    /// What the firewall is to know: all networks in use, and all that is published.
    fn traffic(&mut self) -> Result<Traffic, String>;
    /// The links on this machine that running containers need.
    fn links(&mut self) -> Result<Vec<String>, String>;
    /// The network namespace of another container, which must be running, its run-time folder and its host name.
    fn network_of(&mut self, container: &str) -> Result<(PathBuf, PathBuf, String), String>;
    /// Nothing is to be told for a while: what is held for the next word is given back.
    fn rest(&mut self);
    /// The container is to go, with its anonymous volumes (`--rm`); nothing of it runs any more.
    fn remove(&mut self) -> Result<(), String>;
}
