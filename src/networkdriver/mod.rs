//! The family of network drivers: a network's link, containers' places on it, and what packets are told.
//!
//! # The manual of a driver
//! [`NetworkDriver::up`] comes first and may be called again at any time: what is there already is adopted. A container's
//! place is made from outside, in a network namespace given as a descriptor, after its addresses have been leased in the
//! store; the driver leases nothing. Everything a driver makes carries the store's mark (see [`Mark`]), so that what a
//! crash left behind is found without the store's rows, and nothing of another store is ever touched. Changes of one
//! network are ordered by the caller with [`lock`].

use crate::container::{Endpoint, Network};
use std::io;
use std::os::fd::BorrowedFd;

/// A driver of networks. Every call is short and blocks.
pub trait NetworkDriver: Send + Sync {
    /// As `--driver` names it.
    fn name(&self) -> &'static str;

    /// Makes the network's link on this machine, or adopts the one that is there.
    ///
    /// # Errors
    /// The kernel's; `AddressInUse` if this machine uses the network's addresses for something else by now.
    fn up(&self, network: &Network) -> io::Result<()>;

    /// Gives a network namespace its place on the network: link, addresses, and with `default` the way to everywhere else.
    ///
    /// # Errors
    /// The kernel's; nothing is left then.
    fn attach(&self, network: &Network, endpoint: &Endpoint, namespace: BorrowedFd<'_>, default: bool) -> io::Result<()>;

    /// Takes a place away; one that is not there is no error. Goes on after an error and returns all of them.
    fn detach(&self, network: &Network, endpoint: &Endpoint) -> Vec<io::Error>;

    /// Takes the network's link away; one that is not there is no error.
    fn down(&self, network: &Network) -> Vec<io::Error>;
}
