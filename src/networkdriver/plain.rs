//! The networks that need nothing made: this machine's own, and loopback alone.

use super::{Mark, NetworkDriver};
use crate::container::{Endpoint, Network};
use std::io;
use std::os::fd::BorrowedFd;

#[derive(Debug)]
struct Plain(&'static str);

/// The network that a container shares with this machine.
pub fn host(_mark: &Mark) -> Box<dyn NetworkDriver> {
    Box::new(Plain("host"))
}

/// The network of a container that has loopback alone.
pub fn none(_mark: &Mark) -> Box<dyn NetworkDriver> {
    Box::new(Plain("null"))
}

impl NetworkDriver for Plain {
    fn name(&self) -> &'static str {
        self.0
    }

    fn up(&self, _network: &Network) -> io::Result<()> {
        Ok(())
    }

    fn attach(&self, network: &Network, _endpoint: &Endpoint, _namespace: BorrowedFd<'_>, _default: bool) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, format!("network {} has no places: a container is on it from its start or not at all", network.name)))
    }

    fn detach(&self, _network: &Network, _endpoint: &Endpoint) -> Vec<io::Error> {
        Vec::new()
    }

    fn down(&self, _network: &Network) -> Vec<io::Error> {
        Vec::new()
    }
}
