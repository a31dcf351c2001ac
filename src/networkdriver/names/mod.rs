//! Names: one small process for all networks of a store that answers containers' questions (DNS).
//!
//! ```text
//!  container's namespace          this machine's namespace
//!  ┌───────────────────────┐
//!  │ 127.0.0.11:53         │      monitor ── names.sock: the two sockets, who, settings ──► kapal-names
//!  │   └ firewall: ► port ═╪══ UDP and TCP socket, made by the monitor ═══════════════════►  │      │
//!  └───────────────────────┘                                               Directory ◄───────┘      └───► resolvers
//! ```
//!
//! It is this program executed again, with one thread and a poll loop. It starts with the first container that needs it
//! and ends a second after the last, whose connection is its container's life. It holds `names.lock`, which its parent
//! took for it, so that there are never two; `names.sock` is listening before it runs, so that nobody waits for it.
//! Should it die, every monitor sees its connection end, and hands the same two sockets to a new one: what containers
//! have asked meanwhile waits in the sockets.
//!
//! Nothing is cached: the directory is the store's own and near, and the machine's resolvers have caches of their own. An
//! answer of ours is good for [`LIFETIME`] seconds only, where Docker says 600: an address that a container gave back may
//! be another's a moment later.
//!
//! Sources: RFC 1035, RFC 6891 (EDNS), RFC 7766 (TCP), RFC 8020; libnetwork's resolver.go for which questions are whose.

mod client;
mod flight;
mod handover;
mod message;
mod resolvers;
mod server;
mod stream;
mod watch;

pub use client::Client;
pub use handover::Settings;
pub use server::Server;

use crate::container::Place;
use crate::id::ContainerId;
use crate::sys::{clone, fd, spawn};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

/// Where containers' resolvers ask, inside each namespace; the firewall there leads port 53 to [`Client::port`].
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// Seconds for which a container may remember an address.
pub const LIFETIME: u32 = 5;

/// The name the process is executed under.
const NAME: &str = "kapal-names";

/// Who is called what on the networks of a store.
pub trait Directory {
    /// The addresses of what `asker` knows by `name`: containers' names, aliases and short identities on the networks it
    /// shares with them, also followed by a dot and the network's name. `name` is in lower case and has no dot at its end.
    /// `None` is not one of ours, so that others are asked; no addresses, or none of the family asked for, is an answer.
    ///
    /// # Errors
    /// The store cannot be read; the container is told to try later.
    fn find(&mut self, asker: &ContainerId, name: &str) -> io::Result<Option<Vec<IpAddr>>>;

    /// The name of the container with this address on a network of `asker`'s, without a dot at its end.
    ///
    /// # Errors
    /// The store cannot be read; the container is told to try later.
    fn name_of(&mut self, asker: &ContainerId, address: IpAddr) -> io::Result<Option<String>>;
}

/// If this process was executed to answer about names, does so and ends; otherwise returns at once. `open` gives the
/// directory of a store.
pub fn main_if_asked(open: fn(&Place) -> Box<dyn Directory>) {
    if std::env::args_os().next().is_none_or(|name| name != NAME) {
        return;
    }
    let status = match work(open) {
        Ok(()) => 0,
        Err(error) => {
            // Standard error is the file for it.
            let _ = writeln!(io::stderr(), "{error}");
            1
        }
    };
    fd::exit(status)
}

/// The descriptors that a new process is given, in this order from [`spawn::FIRST_FD`] on.
#[derive(Debug)]
struct Inheritance<T> {
    /// `names.lock`, locked.
    lock: T,
    /// `names.sock`, listening.
    door: T,
    /// The store's [`Place`] as JSON.
    place: T,
}

impl Inheritance<OwnedFd> {
    fn take() -> io::Result<Self> {
        let [lock, door, place] = [0, 1, 2].map(|at| spawn::inherited(spawn::FIRST_FD + at));
        Ok(Self { lock: lock?, door: door?, place: place? })
    }
}

fn work(open: fn(&Place) -> Box<dyn Directory>) -> io::Result<()> {
    let given = Inheritance::take()?;
    let _ = rustix::thread::set_name(c"kapal-names");
    // The monitor that started us keeps its signals for its own loop; ours end us. Writers of no interest must not.
    clone::default_signals()?;
    clone::ignore_signal(nix::libc::SIGPIPE);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it may not be raised there is room for fewer containers.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, most);
    let mut text = Vec::new();
    std::fs::File::from(given.place).read_to_end(&mut text)?;
    let place: Place = serde_json::from_slice(&text).map_err(io::Error::other)?;
    let result = Server::new(given.door, open(&place)).and_then(|mut server| server.run());
    // Under the lock, so that it is not the next one's.
    match std::fs::remove_file(place.names_socket()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => eprintln!("cannot take the socket away: {error}"),
        _ => {}
    }
    drop(given.lock);
    result
}
