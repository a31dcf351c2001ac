//! The family of network drivers: a network's link, containers' places on it, and what packets are told.
//!
//! # The manual of a driver
//! [`NetworkDriver::up`] comes first and may be called again at any time: what is there already is adopted. A container's
//! place is made from outside, in a network namespace given as a descriptor, after its addresses have been leased in the
//! store; the driver leases nothing. Everything a driver makes carries the store's mark (see [`Mark`]), so that what a
//! crash left behind is found without the store's rows, and nothing of another store is ever touched. Changes of one
//! network are ordered by the caller with [`lock`].

mod bridge;
pub mod firewall;
pub mod message;
pub mod names;
mod plain;

pub use bridge::{is_up, lead_out};

use crate::container::network::Traffic;
use crate::container::place::USUAL_ROOT;
use crate::container::{Cidr, Endpoint, Network, Place};
use crate::id::Digest;
use crate::sys::netlink::{NETFILTER, Netlink, ROUTE};
use std::io;
use std::os::fd::BorrowedFd;

/// The locks of all stores.
const LOCKS: &str = "/run/kapal-networks";
/// How long a lock is waited for: what is done under it takes milliseconds.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
/// Between two looks at a lock.
const MOMENT: std::time::Duration = std::time::Duration::from_micros(500);

/// The most parts of one pool that are looked at.
const MOST_PARTS: usize = 65_536;

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

/// What everything made for one store carries, so that stores beside each other never touch each other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Written on each link.
    pub alias: String,
    /// The name of the firewall's table.
    pub table: String,
    /// The link of the network that is there without being asked for.
    pub default_link: String,
}

impl Mark {
    /// The mark of the store at `place`. That of the usual place has the plain names.
    pub fn of(place: &Place) -> Self {
        let root = place.root.to_string_lossy();
        // An alias may have 255 bytes.
        let alias: String = format!("kapal {root}").chars().take(60).collect();
        let digest = Digest::of(root.as_bytes());
        let tag = &digest.hex()[..6];
        if place.root == std::path::Path::new(USUAL_ROOT) {
            return Self { alias, table: "kapal".to_owned(), default_link: "kapal0".to_owned() };
        }
        Self { alias: format!("{alias} {tag}"), table: format!("kapal-{tag}"), default_link: format!("kapal-{tag}") }
    }
}

/// Orders those who change networks of this machine, whatever their store; let go by whoever ends.
#[derive(Debug)]
pub struct Lock {
    _file: std::os::fd::OwnedFd,
}

/// Takes that lock: a file for each network namespace, in a folder that only its owner enters, as everybody may lock what
/// everybody may read. Files of namespaces that are gone stay until the machine starts anew: their numbers come again, so that
/// there are never more than there once were namespaces, and who took one away could not know that nobody is about to lock it.
///
/// # Errors
/// The kernel's; `TimedOut` if another keeps it for longer than twenty seconds.
pub fn lock() -> io::Result<Lock> {
    use rustix::fs::{FlockOperation, Mode, OFlags};
    let folder = std::path::Path::new(LOCKS);
    match std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io::Error::new(error.kind(), format!("{LOCKS}: {error}"))),
        _ => {}
    }
    let namespace = rustix::fs::stat("/proc/thread-self/ns/net")?;
    let path = folder.join(format!("{}-{}", namespace.st_dev, namespace.st_ino));
    let file = rustix::fs::open(&path, OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::from_raw_mode(0o600))?;
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) if std::time::Instant::now() < until => std::thread::sleep(MOMENT),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{}: another kapal has held it for {PATIENCE:?}", path.display())));
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Makes the firewall say what it is to say about `traffic`, and this machine pass packets on where that needs it. The
/// caller holds the lock. Gives the conversation with the kernel: closing it takes as long as every processor needs to let go of
/// what was replaced, so that whoever is in a hurry keeps it.
///
/// # Errors
/// The kernel's, naming the rule that it refused.
pub fn settle(mark: &Mark, traffic: &Traffic) -> io::Result<Settled> {
    let mut netlink = Netlink::open(NETFILTER)?;
    if traffic.networks.is_empty() {
        return firewall::remove(&mut netlink, &mark.table).map(|()| Settled { netlink, others: false });
    }
    let firewall::Seen { is_current, others } = firewall::look(&mut netlink, &mark.table, traffic)?;
    if !is_current {
        firewall::replace(&mut netlink, &mark.table, traffic)?;
    }
    let has = |v6: bool| traffic.networks.iter().any(|network| !network.internal && network.subnet(v6).is_some());
    firewall::sysctl::forward(has(false), has(true))?;
    // Only now: the table keeps containers from what this opens.
    for forward in &traffic.forwards {
        let near = forward.port.address.is_ipv4() && (forward.port.address.is_unspecified() || forward.port.address.is_loopback());
        if let Some(network) = traffic.networks.iter().find(|network| near && network.id == forward.network) {
            firewall::sysctl::loopback_way(&network.link)?;
        }
    }
    Ok(Settled { netlink, others })
}

/// How the firewall was found when it was settled.
#[derive(Debug)]
pub struct Settled {
    /// The conversation with the kernel.
    pub netlink: Netlink,
    /// Others have tables, too.
    pub others: bool,
}

/// Takes away every link of this store that is not among `known`: what a crash left. Goes on after an error and gives
/// how many went, and all errors.
pub fn sweep(mark: &Mark, known: &[String]) -> (usize, Vec<io::Error>) {
    let swept = || -> io::Result<(usize, Vec<io::Error>)> {
        let mut netlink = Netlink::open(ROUTE)?;
        let strays: Vec<message::Link> =
            message::links(&mut netlink)?.into_iter().filter(|link| link.alias == mark.alias && !known.contains(&link.name)).collect();
        let mut batch: Vec<Vec<u8>> = strays.iter().map(|link| message::delete_link(link.index)).collect();
        if batch.is_empty() {
            return Ok((0, Vec::new()));
        }
        let results = netlink.batch(&mut batch)?;
        let gone = results.iter().filter(|result| result.is_ok()).count();
        let failed = |(result, link): (io::Result<()>, &message::Link)| match result {
            Err(error) if error.raw_os_error() != Some(libc::ENODEV) => {
                Some(io::Error::new(error.kind(), format!("cannot take the link {} away: {error}", link.name)))
            }
            _ => None,
        };
        Ok((gone, results.into_iter().zip(&strays).filter_map(failed).collect()))
    };
    swept().unwrap_or_else(|error| (0, vec![error]))
}

/// What each link of this machine has carried: bytes and packets received, then sent, by its name.
///
/// # Errors
/// The kernel's.
pub fn traffic() -> io::Result<std::collections::HashMap<String, [u64; 4]>> {
    let links = message::links(&mut Netlink::open(ROUTE)?)?;
    Ok(links.into_iter().map(|link| (link.name, link.traffic)).collect())
}

/// What of this machine decides who reaches a port beside our own rules: other people's chains in the way of some networks, and
/// its addresses.
///
/// # Errors
/// The kernel's.
pub fn surroundings(mark: &Mark, networks: &[Network]) -> io::Result<(Vec<firewall::Obstacle>, Vec<std::net::IpAddr>)> {
    let foreign = firewall::obstacles(&mut Netlink::open(NETFILTER)?, &mark.table, networks)?;
    Ok((foreign, message::addresses(&mut Netlink::open(ROUTE)?)?))
}

/// The number of a link of this store; none if it is gone.
///
/// # Errors
/// The kernel's.
pub fn link_number(mark: &Mark, name: &str) -> io::Result<Option<u32>> {
    let link = message::link(&mut Netlink::open(ROUTE)?, name)?;
    Ok(link.filter(|link| link.alias == mark.alias).map(|link| link.index))
}

/// Takes links away by their numbers, which no other link gets; those that are gone are no error.
///
/// # Errors
/// The kernel's first.
pub fn remove_links(numbers: &[u32]) -> io::Result<()> {
    let mut batch: Vec<Vec<u8>> = numbers.iter().map(|number| message::delete_link(*number)).collect();
    if batch.is_empty() {
        return Ok(());
    }
    let failed = |result: io::Result<()>| result.err().filter(|error| error.raw_os_error() != Some(libc::ENODEV));
    Netlink::open(ROUTE)?.batch(&mut batch)?.into_iter().find_map(failed).map_or(Ok(()), Err)
}

/// Has the kernel forget all connections of some addresses.
///
/// # Errors
/// The kernel's.
pub fn forget(addresses: &[std::net::IpAddr]) -> io::Result<()> {
    if addresses.is_empty() { Ok(()) } else { firewall::forget(&mut Netlink::open(NETFILTER)?, addresses).map(|_| ()) }
}

/// The first of the `pools` parts, in their order, that overlaps neither a route of this machine nor any of `taken`.
///
/// # Errors
/// The kernel's, if it does not tell its routes.
pub fn free_block(pools: &[(Cidr, u8)], taken: &[Cidr]) -> io::Result<Option<Cidr>> {
    let mut netlink = Netlink::open(ROUTE)?;
    let routes: Vec<Cidr> = message::routes(&mut netlink)?.into_iter().map(|route| route.to).collect();
    Ok(free_among(pools, &routes, taken))
}

fn free_among(pools: &[(Cidr, u8)], routes: &[Cidr], taken: &[Cidr]) -> Option<Cidr> {
    let parts = pools.iter().flat_map(|(pool, prefix)| (0..).map_while(move |at| pool.part(*prefix, at)).take(MOST_PARTS));
    parts.into_iter().find(|part| !routes.iter().any(|route| clashes(*route, *part)) && !taken.iter().any(|other| other.overlaps(part)))
}

/// Whether a network cannot have a block beside a route of this machine. Routes to half of the world or more are ways out
/// (VPNs set `0.0.0.0/1`), which a network's own route goes before.
fn clashes(route: Cidr, block: Cidr) -> bool {
    route.prefix() >= if route.is_v6() { 16 } else { 8 } && route.overlaps(&block)
}

/// Opens a driver for a store.
pub type Open = fn(mark: &Mark) -> Box<dyn NetworkDriver>;

/// The drivers, by their names.
pub const DRIVERS: &[(&str, Open)] = &[("bridge", bridge::open), ("host", plain::host), ("null", plain::none)];

/// The driver so named.
pub fn open(name: &str, mark: &Mark) -> Option<Box<dyn NetworkDriver>> {
    DRIVERS.iter().find(|(known, _)| *known == name).map(|(_, open)| open(mark))
}
