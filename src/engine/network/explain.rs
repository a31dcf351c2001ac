//! Who reaches a published port: told from the rules, other people's firewalls and this machine's addresses.

use crate::container::network::Forward;
use crate::container::{Container, Published};
use crate::engine::{Engine, Error, Result};
use crate::networkdriver::firewall;
use std::net::SocketAddr;

pub use crate::networkdriver::firewall::Reach;

/// Whether somebody reaches a published port, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Which port.
    pub port: Published,
    /// Who asks, in words.
    pub asker: String,
    /// Where; absent if there is no address to ask at.
    pub place: Option<SocketAddr>,
    /// Whether it comes there.
    pub reach: Reach,
    /// The sentences of the rules it meets, in their order, and at the end what came of it, if that is no yes.
    pub steps: Vec<String>,
}

impl Engine {
    /// Who reaches a container's published ports and who does not: of all of them, or of those that lead to `port` inside.
    /// It asks the kernel and blocks for a few milliseconds.
    ///
    /// # Errors
    /// The store's; the kernel's.
    pub fn explain(&self, container: &Container, port: Option<u16>) -> Result<Vec<Explained>> {
        let traffic = self.traffic()?;
        let asked = |error: &std::io::Error| Error::io("cannot ask the kernel for this machine's addresses and firewalls", error);
        let (foreign, local) = crate::networkdriver::surroundings(&self.mark()).map_err(|error| asked(&error))?;
        let wanted = |forward: &&Forward| forward.container == container.id && port.is_none_or(|port| forward.port.inside == port);
        let explain = |forward: &Forward| {
            let answers = firewall::explain(&traffic, forward, &foreign, &local);
            let told = |answer: firewall::Answer| Explained {
                port: forward.port.clone(),
                asker: answer.asker.to_string(),
                place: answer.place,
                reach: answer.reach,
                steps: answer.steps,
            };
            answers.into_iter().map(told).collect::<Vec<_>>()
        };
        Ok(traffic.forwards.iter().filter(wanted).flat_map(explain).collect())
    }
}
