//! A machine, a neighbour and containers, each a network namespace of its own, joined by links as drivers make them.

use crate::store::until;
use kapal::container::network::{Forward, Network, Subnet, Traffic};
use kapal::container::port::{Protocol, Published};
use kapal::sys::netlink::{self, Netlink};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a packet that nobody answers is waited for.
const PATIENCE: Duration = Duration::from_millis(400);

/// A network namespace; it ends with its descriptor.
#[derive(Clone)]
pub struct Space(Arc<File>);

impl Space {
    fn new() -> Self {
        let made = thread::spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        let space = Self(Arc::new(made.join().unwrap()));
        space.ip("link set lo up");
        space
    }

    /// Does something in it.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        netlink::within(self.0.as_fd(), work).unwrap()
    }

    /// Runs a program in it; it must succeed.
    #[track_caller]
    pub fn tool(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.within(|| command.spawn()).unwrap_or_else(|error| panic!("{program}: {error}"));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        self.tool("ip", &words.split(' ').collect::<Vec<_>>(), "")
    }

    #[track_caller]
    pub fn nft(&self, script: &str) -> String {
        self.tool("nft", &["-f", "-"], script)
    }

    /// All rules that are there.
    pub fn rules(&self) -> String {
        self.tool("nft", &["-s", "list", "ruleset"], "")
    }

    /// Where `ip` finds it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    pub fn netlink(&self) -> Netlink {
        Netlink::open_in(self.0.as_fd(), netlink::NETFILTER).unwrap()
    }

    pub fn sysctl(&self, name: &str, value: &str) {
        self.within(|| std::fs::write(format!("/proc/sys/net/{name}"), value)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Whom a TCP server says that it sees, asked from here.
    pub fn asks(&self, server: &str) -> io::Result<IpAddr> {
        self.asks_within(server, PATIENCE)
    }

    /// As [`Space::asks`], with this patience for the connection.
    pub fn asks_within(&self, server: &str, patience: Duration) -> io::Result<IpAddr> {
        let server: SocketAddr = server.parse().unwrap();
        let mut stream = self.within(|| TcpStream::connect_timeout(&server, patience))?;
        stream.set_read_timeout(Some(Duration::from_secs(5).max(patience)))?;
        let mut told = String::new();
        stream.read_to_string(&mut told)?;
        told.parse().map_err(|_| io::Error::other(format!("{told:?}")))
    }

    /// How many connections' first packets were sent again from here, for want of an answer.
    pub fn lost_beginnings(&self) -> u64 {
        let text = self.within(|| std::fs::read_to_string("/proc/thread-self/net/netstat")).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().filter(|line| line.starts_with("TcpExt:")).map(|line| line.split_whitespace().collect()).collect();
        let at = lines[0].iter().position(|name| *name == "TCPSynRetrans").unwrap();
        lines[1][at].parse().unwrap()
    }

    /// As [`Space::asks`], over UDP.
    pub fn asks_udp(&self, server: &str) -> io::Result<IpAddr> {
        let server: SocketAddr = server.parse().unwrap();
        let any = if server.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let socket = self.within(|| UdpSocket::bind(any))?;
        ask_over(&socket, server)
    }
}

/// One question and its answer.
pub fn ask_over(socket: &UdpSocket, server: SocketAddr) -> io::Result<IpAddr> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    let mut buffer = [0; 64];
    // Late answers to earlier questions.
    socket.set_nonblocking(true)?;
    while socket.recv(&mut buffer).is_ok() {}
    socket.set_nonblocking(false)?;
    socket.send(b"who")?;
    let length = socket.recv(&mut buffer)?;
    String::from_utf8_lossy(&buffer[..length]).parse().map_err(io::Error::other)
}

/// A server that tells each client its address, over TCP and UDP, until it is dropped.
pub struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    pub fn new(space: &Space, address: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (tcp, udp) = space.within(|| (TcpListener::bind(address).unwrap(), UdpSocket::bind(address).unwrap()));
        tcp.set_nonblocking(true).unwrap();
        udp.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (one, two) = (stop.clone(), stop.clone());
        let tell = |peer: SocketAddr| peer.ip().to_canonical().to_string();
        let accepting = thread::spawn(move || {
            while !one.load(Ordering::Relaxed) {
                match tcp.accept() {
                    Ok((mut stream, peer)) => drop(stream.write_all(tell(peer).as_bytes())),
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            }
        });
        let answering = thread::spawn(move || {
            let mut buffer = [0; 64];
            while !two.load(Ordering::Relaxed) {
                if let Ok((_, peer)) = udp.recv_from(&mut buffer) {
                    let _ = udp.send_to(tell(peer).as_bytes(), peer);
                }
            }
        });
        Self { stop, threads: vec![accepting, answering] }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

/// The machine at 192.0.2.1 and 2001:db8::1 with its networks, the neighbour at 192.0.2.9 and 2001:db8::9 who knows the
/// way to them, and containers.
pub struct Bed {
    pub machine: Space,
    pub client: Space,
    /// `k1`: 172.31.1.2 and 172.31.1.3, fd00:1::2 and fd00:1::3.
    pub a: Space,
    pub b: Space,
    /// `k2`: 172.31.2.2, fd00:2::2.
    pub c: Space,
    /// `k3`: 172.31.3.2, fd00:3::2; internal.
    pub d: Space,
    pub networks: Vec<Network>,
}

impl Bed {
    /// `None`, loudly, for who is not root or has not the tools. `filter`: whether bridges ask the firewall, too.
    pub fn new(filter: bool) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: this test needs root");
            return None;
        }
        if let Some(missing) = ["ip", "nft"].iter().find(|name| Command::new(name).arg("-V").output().is_err()) {
            eprintln!("SKIPPED: this test needs `{missing}` (Debian packages iproute2, nftables)");
            return None;
        }
        let [machine, client, a, b, c, d] = std::array::from_fn(|_| Space::new());
        machine.ip(&format!("link add uplink type veth peer name eth0 netns {}", client.path()));
        for (space, link, at) in [(&machine, "uplink", 1), (&client, "eth0", 9)] {
            space.ip(&format!("link set {link} up"));
            space.ip(&format!("addr add 192.0.2.{at}/24 dev {link}"));
            space.ip(&format!("addr add 2001:db8::{at}/64 dev {link} nodad"));
        }
        client.ip("route add 172.31.0.0/16 via 192.0.2.1");
        client.ip("route add fd00::/16 via 2001:db8::1");
        for name in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
            let path = format!("/proc/sys/net/bridge/{name}");
            if machine.within(|| std::fs::exists(&path)).unwrap() {
                machine.sysctl(&format!("bridge/{name}"), if filter { "1" } else { "0" });
            } else if filter {
                eprintln!("SKIPPED: bridges of this kernel ask no firewall (br_netfilter)");
                return None;
            }
        }
        let mut networks = Vec::new();
        for index in 1..=3u8 {
            machine.ip(&format!("link add k{index} type bridge"));
            machine.ip(&format!("link set k{index} up"));
            machine.ip(&format!("addr add 172.31.{index}.1/24 dev k{index}"));
            machine.ip(&format!("addr add fd00:{index}::1/64 dev k{index} nodad"));
            networks.push(network(index));
        }
        networks[2].internal = true;
        let bed = Self { machine, client, a, b, c, d, networks };
        bed.plug(&bed.a, 1, 2);
        bed.plug(&bed.b, 1, 3);
        bed.plug(&bed.c, 2, 2);
        bed.plug(&bed.d, 3, 2);
        bed.machine.sysctl("ipv4/ip_forward", "1");
        bed.machine.sysctl("ipv6/conf/all/forwarding", "1");
        // A link that was just made loses its first packets: all that know the machine have its refusal.
        for (space, places) in [
            (&bed.client, ["192.0.2.1:1", "[2001:db8::1]:1"]),
            (&bed.a, ["172.31.1.1:1", "[fd00:1::1]:1"]),
            (&bed.b, ["172.31.1.1:1", "[fd00:1::1]:1"]),
            (&bed.c, ["172.31.2.1:1", "[fd00:2::1]:1"]),
            (&bed.d, ["172.31.3.1:1", "[fd00:3::1]:1"]),
        ] {
            for place in places {
                until(place, || space.asks(place).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused));
            }
        }
        Some(bed)
    }

    fn plug(&self, space: &Space, index: u8, host: u8) {
        self.machine.ip(&format!("link add v{index}{host} type veth peer name eth0 netns {}", space.path()));
        // As the bridge driver does: a container's own published port comes back by the port that it went in.
        self.machine.ip(&format!("link set v{index}{host} master k{index} up"));
        self.machine.ip(&format!("link set v{index}{host} type bridge_slave hairpin on"));
        space.ip("link set eth0 up");
        space.ip(&format!("addr add 172.31.{index}.{host}/24 dev eth0"));
        space.ip(&format!("addr add fd00:{index}::{host}/64 dev eth0 nodad"));
        space.ip(&format!("route add default via 172.31.{index}.1"));
        space.ip(&format!("route add default via fd00:{index}::1"));
    }

    /// These networks, and what is published: `[ADDRESS]:PORT TARGET:PORT/PROTOCOL`.
    pub fn traffic(&self, forwards: &[&str]) -> Traffic {
        Traffic { networks: self.networks.clone(), forwards: forwards.iter().map(|text| self.forward(text)).collect() }
    }

    pub fn forward(&self, text: &str) -> Forward {
        let (here, there) = text.split_once(' ').unwrap();
        let (there, protocol) = there.split_once('/').unwrap();
        let (here, there): (SocketAddr, SocketAddr) = (here.parse().unwrap(), there.parse().unwrap());
        let protocol: Protocol = protocol.parse().unwrap();
        Forward {
            container: kapal::id::ContainerId::random().unwrap(),
            name: "web".to_owned(),
            network: self.networks.iter().find(|network| network.subnets.iter().any(|subnet| subnet.block.contains(there.ip()))).unwrap().id.clone(),
            port: Published { protocol, address: here.ip(), port: here.port(), inside: there.port() },
            target: there.ip(),
        }
    }
}

fn network(index: u8) -> Network {
    let subnet = |block: String, gateway: String| Subnet { block: block.parse().unwrap(), gateway: gateway.parse().unwrap(), range: None, chosen: true };
    Network {
        id: kapal::id::NetworkId::random().unwrap(),
        name: format!("net{index}"),
        created: jiff::Timestamp::UNIX_EPOCH,
        driver: "bridge".to_owned(),
        link: format!("k{index}"),
        subnets: vec![subnet(format!("172.31.{index}.0/24"), format!("172.31.{index}.1")), subnet(format!("fd00:{index}::/64"), format!("fd00:{index}::1"))],
        internal: false,
        icc: true,
        masquerade: true,
        mtu: None,
        labels: std::collections::BTreeMap::new(),
        options: std::collections::BTreeMap::new(),
    }
}
