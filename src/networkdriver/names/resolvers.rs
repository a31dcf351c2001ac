//! The resolvers of this machine, as `/etc/resolv.conf` names them at this moment.
//!
//! Source: resolv.conf(5).

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// As many resolvers are asked, of this machine or a container's own: what the C library does.
pub(super) const MOST: usize = 3;
/// The port resolvers listen on.
pub(super) const PORT: u16 = 53;
/// Bytes of the file that are looked at.
const LONGEST: u64 = 64 << 10;
/// How long it is believed to be as it was.
const BELIEVED: Duration = Duration::from_secs(1);

/// Which file was read: its inode, size and time of change.
type Edition = (u64, u64, i64, i64);

/// The file and what it said.
#[derive(Debug)]
pub(super) struct Resolvers {
    path: PathBuf,
    edition: Option<Edition>,
    looked: Option<Instant>,
    servers: Vec<SocketAddr>,
}

impl Resolvers {
    pub fn new(path: PathBuf) -> Self {
        Self { path, edition: None, looked: None, servers: local() }
    }

    /// The machine's resolvers, best first.
    ///
    /// 127.0.0.11 is one like any other: seen from this machine's namespace it is not us but, where this machine is itself
    /// a container, the resolver it was given.
    pub fn servers(&mut self) -> Vec<SocketAddr> {
        if self.looked.is_none_or(|looked| looked.elapsed() >= BELIEVED) {
            self.looked = Some(Instant::now());
            let edition = std::fs::metadata(&self.path).ok().map(|data| (data.ino(), data.size(), data.ctime(), data.ctime_nsec()));
            if edition.is_none() || edition != self.edition {
                self.edition = edition;
                self.servers = self.read();
            }
        }
        self.servers.clone()
    }

    fn read(&self) -> Vec<SocketAddr> {
        let mut text = Vec::new();
        let read = std::fs::File::open(&self.path).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
        // A file that cannot be read says as little as none.
        let servers = if read.is_ok() { parse(&String::from_utf8_lossy(&text)) } else { Vec::new() };
        if servers.is_empty() { local() } else { servers }
    }
}

/// Without any the name server of this machine itself is meant.
fn local() -> Vec<SocketAddr> {
    vec![(Ipv4Addr::LOCALHOST, PORT).into()]
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver").and_then(|_| address(words.next()?))
    };
    text.lines().filter_map(server).take(MOST).collect()
}

/// An address with the link it is on, if it is local to one (`fe80::1%eth0`).
fn address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address, PORT).into());
    }
    let (address, link) = text.split_once('%')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let scope = link.parse().ok().or_else(|| index(link))?;
    Some(SocketAddrV6::new(address, PORT, 0, scope).into())
}

fn index(link: &str) -> Option<u32> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None).ok()?;
    rustix::net::netdevice::name_to_index(socket, link).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_read_as_the_c_library_does() {
        let text = "# nameserver 1.1.1.1\nsearch a b\nnameserver 10.0.0.1 # near\n nameserver\t2001:db8::1\nnameserver nobody\nnameserver fe80::1%lo\nnameserver 9.9.9.9\n";
        let servers = parse(text);
        assert_eq!(servers[..2], ["10.0.0.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()]);
        assert!(matches!(servers[2], SocketAddr::V6(address) if address.scope_id() == 1));
        assert_eq!(servers.len(), 3);
    }

    #[test]
    fn a_file_that_changes_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        let mut resolvers = Resolvers::new(path.clone());
        assert_eq!(resolvers.servers(), local());
        std::fs::write(&path, "nameserver 10.0.0.1\n").unwrap();
        resolvers.looked = None;
        assert_eq!(resolvers.servers(), ["10.0.0.1:53".parse().unwrap()]);
        let other = folder.path().join("other");
        std::fs::write(&other, "nameserver 10.0.0.2\n").unwrap();
        std::fs::rename(other, &path).unwrap();
        resolvers.looked = None;
        assert_eq!(resolvers.servers(), ["10.0.0.2:53".parse().unwrap()]);
        std::fs::remove_file(&path).unwrap();
        resolvers.looked = None;
        assert_eq!(resolvers.servers(), local());
    }
}
