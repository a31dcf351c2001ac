//! A container's berths: its places on networks and its ports, from before its process runs until after its end.
//!
//! ```text
//!  claim ── ports held, addresses leased (store) ──► the process is cloned ──► links, addresses, firewall ──► its command runs
//!                                                                               ▲                                │
//!                                                          a restart has new links, and the rest as it was ◄─────┤
//!  let go ◄── firewall told, links gone ◄── leases let go with the end's own transaction ◄───────────────────────┘
//! ```

use super::ports::{self, Held};
use super::proxy::Proxy;
use super::record::{Berth, Record};
use super::{Task, etc};
use crate::container::network::Traffic;
use crate::container::port::MOST_PORTS;
use crate::container::{Attachment, Container, Network, Place, PortBinding, Protocol, Published};
use crate::id::NetworkId;
use crate::networkdriver::firewall::{self, Fate, Hook, Obstacle};
use crate::networkdriver::{self, Mark, Settled, names};
use crate::sys::netlink::{NETFILTER, Netlink};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long networks stay up when the last container has left them: one that comes meanwhile finds them there.
const LINGER: Duration = Duration::from_millis(500);
/// With so many the monitor needs more descriptors than processes usually may have (1024).
const MANY_PORTS: usize = 200;

/// Places and ports of one container.
#[derive(Debug)]
pub struct Harbour {
    mark: Mark,
    berths: Vec<Berth>,
    held: Vec<Held>,
    proxy: Proxy,
    claimed: bool,
    names: Option<names::Client>,
    /// Networks that it has left already.
    departure: Departure,
    /// Conversations about the firewall, to be closed when nobody waits.
    spent: Option<Netlink>,
    warnings: Vec<String>,
}

/// How a network is told from others in sentences.
fn failed(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> String {
    move |error| format!("{what}: {error}")
}

impl Harbour {
    /// Nothing yet.
    pub fn new(place: &Place) -> Self {
        Self {
            mark: Mark::of(place),
            berths: Vec::new(),
            held: Vec::new(),
            proxy: Proxy::default(),
            claimed: false,
            names: None,
            departure: Departure::default(),
            spent: None,
            warnings: Vec::new(),
        }
    }

    /// The places on networks.
    pub fn berths(&self) -> &[Berth] {
        &self.berths
    }

    /// Leases addresses and holds ports, unless that was done for an earlier start already.
    pub fn claim(&mut self, container: &Container, record: &mut dyn Record) -> Result<(), String> {
        let host = &container.host_config;
        if self.claimed || host.networks.is_empty() {
            return Ok(());
        }
        self.berths = record.claim(&host.networks)?;
        self.claimed = true;
        let wishes = wishes(container);
        if wishes.len() > MOST_PORTS {
            return Err(format!("{} ports are to be published: at most {MOST_PORTS} can be", wishes.len()));
        }
        for wish in &wishes {
            self.hold(wish, record)?;
        }
        if !self.held.is_empty() {
            record.publish(&self.published(), None)?;
        }
        Ok(())
    }

    fn hold(&mut self, wish: &PortBinding, record: &mut dyn Record) -> Result<(), String> {
        let way_out = || self.berths.iter().filter(|(network, _)| !network.internal);
        if way_out().next().is_none() {
            return Err(format!("nothing leads to port {}/{} of the container: it is on no network but internal ones", wish.inside, wish.protocol.as_str()));
        }
        if self.held.len() >= MANY_PORTS {
            crate::sys::fd::raise_limit();
        }
        let v6 = way_out().any(|(_, endpoint)| endpoint.address(true).is_some());
        match ports::hold(wish, v6) {
            Ok(held) => {
                let mut doors = held.iter().filter_map(|held| held.door.as_ref());
                let opened = doors.try_for_each(|door| self.proxy.open(door, wish.protocol));
                opened.map_err(failed(format_args!("cannot let in who asks for {wish} at [::1]")))?;
                self.held.extend(held);
                Ok(())
            }
            // A container's port is held by its monitor; people know the container.
            Err(why) => Err(match taken_by(wish, &record.traffic().unwrap_or_default()) {
                Some(name) => {
                    let at = wish.ports.map_or_else(String::new, |(port, _)| port.to_string());
                    format!("port {at}/{} is already allocated: container {name} has it", wish.protocol.as_str())
                }
                None => why,
            }),
        }
    }

    /// What is published.
    pub fn published(&self) -> Vec<Published> {
        self.held.iter().map(|held| held.port.clone()).collect()
    }

    /// The wishes that are fulfilled now.
    fn wished(&self) -> Vec<PortBinding> {
        let mut wished: Vec<PortBinding> = self.held.iter().map(|held| held.wish.clone()).collect();
        wished.dedup();
        wished
    }

    /// Gives the network namespace of a process its links.
    pub fn attach(&mut self, pid: i32, record: &mut dyn Record) -> Result<(), String> {
        let namespace = namespace_of(pid).map_err(failed("cannot reach the container's network namespace"))?;
        let mut settled;
        {
            let _lock = networkdriver::lock().map_err(failed("cannot lock this machine's networks"))?;
            for (network, _) in &self.berths {
                self.driver(&network.driver)?.up(network).map_err(|error| error.to_string())?;
            }
            // Read under the lock: an older view would take rules away that another container has just got.
            settled = settle(&self.mark, &record.traffic()?)?;
        }
        self.warnings = self.warned(&mut settled);
        self.spent = Some(settled.netlink);
        turn_senders(self.spent.as_mut(), self.held.iter().map(|held| &held.port));
        let way_out = self.way_out();
        for (at, (network, endpoint)) in self.berths.iter().enumerate() {
            let attached = self.driver(&network.driver)?.attach(network, endpoint, namespace.as_fd(), way_out == Some(at));
            attached.map_err(|error| format!("cannot join network {}: {error}", network.name))?;
        }
        if self.berths.len() > 1 { self.lead_out(namespace.as_fd()) } else { Ok(()) }
    }

    /// Other people's chains that drop what this container needs, a sentence each. Nothing is asked where there are none.
    fn warned(&self, settled: &mut Settled) -> Vec<String> {
        if !settled.others {
            return Vec::new();
        }
        let networks: Vec<Network> = self.berths.iter().map(|(network, _)| network.clone()).collect();
        // What cannot be found out is no reason not to start.
        let obstacles = firewall::obstacles(&mut settled.netlink, &self.mark.table, &networks).unwrap_or_default();
        let concerned = |one: &&Obstacle| one.hook == Hook::Forward && (one.leaving == Fate::Drops || one.coming == Fate::Drops && !self.held.is_empty());
        firewall::advice(obstacles.iter().filter(concerned))
    }

    /// What the user should know of the last start.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Sees to it that each family has its way out, by the first place that has an address of it.
    fn lead_out(&self, namespace: BorrowedFd<'_>) -> Result<(), String> {
        for v6 in [false, true] {
            let way = self.berths.iter().find(|(network, endpoint)| !network.internal && endpoint.address(v6).is_some());
            if let Some((network, endpoint)) = way {
                let led = networkdriver::lead_out(network, endpoint, namespace, v6);
                led.map_err(|error| format!("cannot set the way out by {}: {error}", network.name))?;
            }
        }
        Ok(())
    }

    /// Makes the sockets for the container's questions about names, if it asks any: what is asked waits in them.
    pub fn open_names(&mut self, pid: i32, task: &Task) -> Result<(), String> {
        if !etc::asks_names(&self.berths) || self.names.is_some() {
            return Ok(());
        }
        let open = || -> io::Result<names::Client> {
            let namespace = namespace_of(pid)?;
            let client = names::Client::open(namespace.as_fd(), task.place.clone(), task.container.id.clone(), self.settings(&task.container))?;
            let mut netlink = Netlink::open_in(namespace.as_fd(), NETFILTER)?;
            firewall::names(&mut netlink, client.port())?;
            Ok(client)
        };
        self.names = Some(open().map_err(failed("names cannot be answered"))?);
        Ok(())
    }

    /// Finds somebody who answers them. A failure keeps nobody from running: it is tried again.
    pub fn register_names(&mut self) -> Result<(), String> {
        self.names.as_mut().map_or(Ok(()), names::Client::register).map_err(failed("names are not answered yet"))
    }

    fn settings(&self, container: &Container) -> names::Settings {
        let servers = container.host_config.dns.iter().filter_map(|server| server.parse().ok()).collect();
        names::Settings { servers, internal: self.way_out().is_none() }
    }

    /// Whether the container's questions about names have sockets already.
    pub fn asks_names(&self) -> bool {
        self.names.is_some()
    }

    /// The connection to who answers about names: readable when that has ended.
    pub fn names_fd(&self) -> Option<BorrowedFd<'_>> {
        self.names.as_ref()?.fd()
    }

    /// When [`Harbour::tend_names`] is to be called though nothing has happened.
    pub fn names_due(&self) -> Option<Instant> {
        self.names.as_ref()?.due()
    }

    /// Sees to it that somebody answers about names.
    pub fn tend_names(&mut self) -> Result<(), String> {
        self.names.as_mut().map_or(Ok(()), names::Client::tend).map_err(failed("names are not answered"))
    }

    /// Tells who answers about names what has changed.
    pub fn tell_names(&mut self, container: &Container) -> Result<(), String> {
        let settings = self.settings(container);
        self.names.as_mut().map_or(Ok(()), |client| client.update(settings)).map_err(failed("names"))
    }

    /// What carries bytes from `[::1]`: readable when [`Harbour::tend_proxy`] is to be called.
    pub fn proxy_fd(&self) -> Option<BorrowedFd<'_>> {
        self.proxy.fd()
    }

    /// When it is to be called though nothing has happened.
    pub fn proxy_due(&self) -> Option<Instant> {
        self.proxy.due()
    }

    /// Carries bytes from `[::1]` to the container and back, a share of them.
    pub fn tend_proxy(&mut self, buffer: &mut [u8]) {
        let led = |v6: bool| self.berths.iter().filter(|(network, _)| !network.internal).find_map(|(_, endpoint)| endpoint.address(v6));
        let targets: Vec<IpAddr> = [led(true), led(false)].into_iter().flatten().collect();
        self.proxy.tend(&self.held, &targets, buffer);
    }

    /// Which of the places leads everywhere.
    fn way_out(&self) -> Option<usize> {
        self.berths.iter().position(|(network, _)| !network.internal)
    }

    fn driver(&self, name: &str) -> Result<Box<dyn networkdriver::NetworkDriver>, String> {
        networkdriver::open(name, &self.mark).ok_or_else(|| format!("there is no network driver {name:?}"))
    }

    /// Takes the links away and keeps the rest: the next start has new ones. All errors are returned.
    pub fn detach(&mut self, buffer: &mut [u8]) -> Vec<String> {
        // The namespace with its sockets goes, too.
        self.names = None;
        self.proxy.finish(buffer);
        let detach = |(network, endpoint): &Berth| match self.driver(&network.driver) {
            Ok(driver) => driver.detach(network, endpoint).iter().map(ToString::to_string).collect(),
            Err(why) => vec![why],
        };
        self.berths.iter().flat_map(detach).collect()
    }

    /// Closes what is better closed when nobody waits.
    pub fn rest(&mut self) {
        self.spent = None;
    }

    /// Lets go of everything after the store has: ports and names at once; what takes the kernel long is left to the one that
    /// is returned, for when nobody waits any more. All errors are returned, too.
    pub fn leave(&mut self, buffer: &mut [u8]) -> (Departure, Vec<String>) {
        self.names = None;
        self.proxy.finish(buffer);
        let mut departure = std::mem::take(&mut self.departure);
        let mut errors = Vec::new();
        for (network, endpoint) in self.berths.drain(..) {
            match networkdriver::link_number(&self.mark, &endpoint.link) {
                Ok(number) => departure.links.extend(number),
                Err(error) => errors.push(format!("{}: {error}", endpoint.link)),
            }
            departure.networks.push(network.id);
            departure.addresses.extend(endpoint.addresses.iter().map(|(address, _)| *address));
        }
        departure.published |= !self.held.is_empty();
        self.held.clear();
        self.claimed = false;
        (departure, errors)
    }

    /// Gives a running process one place more.
    pub fn connect(&mut self, pid: i32, attachment: &Attachment, record: &mut dyn Record) -> Result<(), String> {
        let namespace = namespace_of(pid).map_err(failed("cannot reach the container's network namespace"))?;
        let (network, endpoint) = record.connect(attachment)?;
        let is_way_out = self.way_out().is_none() && !network.internal;
        let driver = self.driver(&network.driver)?;
        let mut attach = || -> Result<(), String> {
            {
                let _lock = networkdriver::lock().map_err(failed("cannot lock this machine's networks"))?;
                driver.up(&network).map_err(|error| error.to_string())?;
                settle(&self.mark, &record.traffic()?)?;
            }
            driver.attach(&network, &endpoint, namespace.as_fd(), is_way_out).map_err(|error| error.to_string())
        };
        let attached = attach();
        match attached {
            Ok(()) => {
                self.berths.push((network, endpoint));
                self.lead_out(namespace.as_fd())
            }
            Err(why) => {
                self.departure.networks.push(network.id.clone());
                record.disconnect(&network.id)?;
                // The first error is the one to tell.
                let _ = refresh(&self.mark, record);
                Err(why)
            }
        }
    }

    /// Takes one place away from a running process.
    pub fn disconnect(&mut self, pid: i32, network: &str, record: &mut dyn Record) -> Result<(), String> {
        let at = self.berths.iter().position(|(known, _)| known.name == network || known.id.as_str() == network);
        let at = at.ok_or_else(|| format!("is not on network {network}"))?;
        let (network, endpoint) = self.berths[at].clone();
        let mut errors: Vec<String> = self.driver(&network.driver)?.detach(&network, &endpoint).iter().map(ToString::to_string).collect();
        errors.extend(record.disconnect(&network.id).err());
        self.berths.remove(at);
        self.departure.networks.push(network.id.clone());
        let led = namespace_of(pid).map_err(failed("cannot reach the container's network namespace")).and_then(|namespace| self.lead_out(namespace.as_fd()));
        errors.extend(led.err());
        errors.extend(refresh(&self.mark, record).err());
        if !self.held.is_empty() {
            // Who has been led to its address must not be led to the next one who gets that.
            let addresses: Vec<IpAddr> = endpoint.addresses.iter().map(|(address, _)| *address).collect();
            self.proxy.forget(&addresses);
            let _ = networkdriver::forget(&addresses);
        }
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }

    /// Publishes one port more, or no longer.
    pub fn publish(&mut self, wish: &PortBinding, add: bool, record: &mut dyn Record) -> Result<(), String> {
        if self.berths.is_empty() {
            return Err("is on no network of its own: it has no ports to publish".to_owned());
        }
        let before = self.held.len();
        let mut removed: Vec<Published> = Vec::new();
        if add {
            if self.held.iter().any(|held| held.wish == *wish) {
                return Err(format!("publishes {wish} already"));
            }
            if self.held.len() >= MOST_PORTS {
                return Err(format!("publishes {} ports already: at most {MOST_PORTS} can be", self.held.len()));
            }
            self.hold(wish, record).map_err(|why| format!("cannot publish {wish}: {why}"))?;
        } else {
            let matches = |held: &Held| {
                let port = &held.port;
                let here = wish.ports.is_none_or(|(first, last)| (first..=last).contains(&port.port));
                port.protocol == wish.protocol && port.inside == wish.inside && here && wish.address.is_none_or(|address| address == port.address)
            };
            let gone: Vec<Held> = self.held.extract_if(.., |held| matches(held)).collect();
            gone.iter().filter_map(|held| held.door.as_ref()).for_each(|door| self.proxy.close(door));
            removed.extend(gone.into_iter().map(|held| held.port));
            if removed.is_empty() {
                return Err(format!("does not publish {wish}"));
            }
        }
        let told = record.publish(&self.published(), Some(&self.wished())).and_then(|()| refresh(&self.mark, record));
        let done = told.map(|netlink| self.spent = Some(netlink));
        if done.is_err() && add {
            self.held.drain(before..).filter_map(|held| held.door).for_each(|door| self.proxy.close(&door));
            // The first failure is the one to tell.
            let _ = record.publish(&self.published(), Some(&self.wished()));
        } else {
            let added = self.held.iter().map(|held| &held.port).filter(|_| add);
            turn_senders(self.spent.as_mut(), added.chain(&removed));
        }
        done
    }
}

/// Whoever has been sending to a port all the time is to be heard by whom it is published for now, or by nobody any more. A kernel
/// that tells nobody of its connections forgets them by itself, only later.
fn turn_senders<'a>(netlink: Option<&mut Netlink>, ports: impl Iterator<Item = &'a Published>) {
    let Some(netlink) = netlink else { return };
    for port in ports.filter(|port| port.protocol == Protocol::Udp) {
        let _ = firewall::forget_port(netlink, port.protocol.number(), port.port, port.address.is_ipv6());
    }
}

/// The container of this store that has a port which a wish names.
fn taken_by(wish: &PortBinding, traffic: &Traffic) -> Option<String> {
    let (first, last) = wish.ports?;
    let clash = |forward: &&crate::container::network::Forward| {
        let port = &forward.port;
        let everywhere = |address: Option<IpAddr>| address.is_none_or(|address| address.is_unspecified());
        first == last
            && port.port == first
            && port.protocol == wish.protocol
            && (everywhere(wish.address) || port.address.is_unspecified() || wish.address == Some(port.address))
    };
    traffic.forwards.iter().find(clash).map(|forward| forward.name.clone())
}

/// What the container wants published, its exposed ports with it if all of them are.
fn wishes(container: &Container) -> Vec<PortBinding> {
    let host = &container.host_config;
    let mut wishes = host.port_bindings.clone();
    if host.publish_all {
        // An image may expose every port there is; the first one too many is told.
        let exposed = container.config.exposed_ports.iter().filter_map(|text| PortBinding::parse(text).ok()).flatten().take(MOST_PORTS + 1);
        for port in exposed {
            if !wishes.iter().any(|wish| wish.protocol == port.protocol && wish.inside == port.inside) {
                wishes.push(PortBinding { address: host.publish_all_at, ..port });
            }
        }
    }
    wishes
}

fn namespace_of(pid: i32) -> io::Result<OwnedFd> {
    Ok(std::fs::File::open(format!("/proc/{pid}/ns/net"))?.into())
}

/// Makes this machine's firewall, and what it must let pass, as the store says. The caller holds the lock.
fn settle(mark: &Mark, traffic: &Traffic) -> Result<Settled, String> {
    networkdriver::settle(mark, traffic).map_err(failed("cannot set the firewall"))
}

/// What is left to do when a container has left its networks.
#[derive(Debug, Default)]
pub struct Departure {
    networks: Vec<NetworkId>,
    links: Vec<u32>,
    addresses: Vec<IpAddr>,
    published: bool,
}

impl Departure {
    /// Nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// Takes rules and connections away at once; after a while, links that the kernel has not taken with their namespace (that
    /// is quicker, it does many at a time), and networks that nobody needs any more, so that a container that follows at once
    /// finds them in their place. All errors are returned.
    pub fn finish(self, place: &Place, record: &mut dyn Record) -> Vec<String> {
        let mark = Mark::of(place);
        let mut errors = Vec::new();
        if self.published {
            errors.extend(refresh(&mark, record).err());
            errors.extend(networkdriver::forget(&self.addresses).err().map(|error| format!("connections: {error}")));
        }
        record.rest();
        std::thread::sleep(LINGER);
        errors.extend(networkdriver::remove_links(&self.links).err().map(|error| format!("links: {error}")));
        let unneeded = |traffic: &Traffic| self.networks.iter().any(|id| !traffic.networks.iter().any(|network| network.id == *id));
        match record.traffic() {
            Ok(traffic) if unneeded(&traffic) => errors.extend(tidy(&mark, record).unwrap_or_else(|why| vec![why])),
            Ok(_) => {}
            Err(why) => errors.push(why),
        }
        errors
    }
}

/// Takes away what no container needs any more: bridges, rules.
fn tidy(mark: &Mark, record: &mut dyn Record) -> Result<Vec<String>, String> {
    let _lock = networkdriver::lock().map_err(failed("cannot lock this machine's networks"))?;
    let (traffic, known) = (record.traffic()?, record.links()?);
    let mut errors: Vec<String> = networkdriver::sweep(mark, &known).1.iter().map(ToString::to_string).collect();
    errors.extend(settle(mark, &traffic).err());
    Ok(errors)
}

/// Tells the firewall what the store says now.
fn refresh(mark: &Mark, record: &mut dyn Record) -> Result<Netlink, String> {
    let _lock = networkdriver::lock().map_err(failed("cannot lock this machine's networks"))?;
    settle(mark, &record.traffic()?).map(|settled| settled.netlink)
}
