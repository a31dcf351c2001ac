//! Published ports asked for at `[::1]`, where no rule leads: what the monitor carries, both ways, through stops, changes and crashes.

use crate::store::{Store, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// Says again what it hears, to everybody, and ends when it hears no more.
const ECHO: &str = "exec busybox nc -ll -p 80 -e cat";
/// Talks for ever, to everybody.
const TALK: &str = "exec busybox nc -ll -p 80 -e yes";

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let address: SocketAddr = address.parse().unwrap();
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// Whether what is said at an address is said again, to its end.
fn echoes(address: &str, text: &[u8]) -> bool {
    let Ok(mut stream) = connect(address) else { return false };
    let mut heard = Vec::new();
    let said = stream.write_all(text).and_then(|()| stream.shutdown(Shutdown::Write));
    said.and_then(|()| stream.read_to_end(&mut heard)).is_ok() && heard == text
}

/// Reads until the other side ends or breaks the connection; true if it did.
fn ends(stream: &mut TcpStream) -> bool {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// Who asks by datagrams for what it says to be said louder.
struct Asker {
    socket: UdpSocket,
    asked: BTreeSet<String>,
}

impl Asker {
    fn new(port: u16) -> Self {
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        socket.connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        Self { socket, asked: BTreeSet::new() }
    }

    /// Asks once. Answers to what it asked before may come late, but none to what others ask.
    fn hears(&mut self, text: &str) -> bool {
        let (wanted, mut answer) = (text.to_uppercase(), [0; 9999]);
        self.asked.insert(wanted.clone());
        if self.socket.send(text.as_bytes()).is_err() {
            return false;
        }
        while let Ok(length) = self.socket.recv(&mut answer) {
            let heard = String::from_utf8_lossy(&answer[..length]);
            assert!(self.asked.contains(&*heard), "an answer for somebody else: {heard}");
            if heard == wanted {
                return true;
            }
        }
        false
    }

    /// Whether the kernel says that nobody is there.
    fn is_refused(&self) -> bool {
        let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
        self.socket.send(b"nobody").is_err_and(refused) || self.socket.recv(&mut [0; 9999]).is_err_and(refused)
    }
}

/// The numbers `seed` gives, bytes that are hard to mistake for each other.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn ipv6_loopback_leads_to_what_is_published() {
    let Some(store) = Store::new() else { return };
    store.ok(&["network", "create", "--ipv6", "six"]);
    store.ok(&["run", "-d", "--name", "four", "-p", "18100:80", "-p", "[::1]:18101:80", "host", "sh", "-c", ECHO]);
    store.ok(&["run", "-d", "--name", "six", "--network", "six", "-p", "18102:80", "host", "sh", "-c", ECHO]);
    let six = store.field("six", ".NetworkSettings.Networks.six.IPv6Gateway");
    for place in ["[::1]:18100", "127.0.0.1:18100", "[::1]:18101", "[::1]:18102", "127.0.0.1:18102", &format!("[{six}]:18102")] {
        until(place, || echoes(place, b"hello"));
    }
    for place in ["127.0.0.1:18101".to_owned(), format!("[{six}]:18100")] {
        assert_eq!(connect(&place).unwrap_err().kind(), ErrorKind::ConnectionRefused, "{place} is not published");
    }
    let told = store.ok(&["network", "explain", "four:18100"]);
    assert!(told.contains("at [::1]:18100\n") && told.contains("the container's monitor listens at [::1]:18100/tcp"), "{told}");
    // Much, both ways at once, each way to its own end.
    let said = noise(32 << 20, 7);
    let mut stream = connect("[::1]:18100").unwrap();
    let mut writer = stream.try_clone().unwrap();
    let heard = thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&said).and_then(|()| writer.shutdown(Shutdown::Write)).unwrap());
        let mut heard = Vec::with_capacity(said.len());
        stream.read_to_end(&mut heard).unwrap();
        heard
    });
    assert!(heard == said, "{} of {} bytes", heard.len(), said.len());
    // Taken here, though free everywhere else.
    let taken = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = store.fails(125, &["run", "--rm", "-p", &format!("{port}:80"), "host", "true"]);
    assert!(refused.contains(&format!("[::1]:{port}/tcp is already allocated")) && refused.contains(&format!("process {}", std::process::id())), "{refused}");
    let refused = store.fails(125, &["run", "--rm", "-p", "[::1]:18103:80/sctp", "host", "true"]);
    assert!(refused.contains("SCTP port at [::1]"), "{refused}");
}

#[test]
fn datagrams_come_and_go_by_ipv6_loopback() {
    let Some(store) = Store::new() else { return };
    let server = "socket S,PF_INET,SOCK_DGRAM,0; bind S,sockaddr_in(53,INADDR_ANY); while ($from = recv S,$what,9999,0) { send S,uc $what,0,$from }";
    store.ok(&["run", "-d", "--name", "names", "-p", "18110:53/udp", "host", "perl", "-MSocket", "-e", server]);
    let (mut one, mut other) = (Asker::new(18110), Asker::new(18110));
    until("the server answers", || one.hears("one"));
    until("another is answered", || other.hears("other"));
    until("a long question is answered", || one.hears(&"long".repeat(2000)));
    // More than are remembered: who is silent for longest is forgotten, and comes in again.
    let mut many: Vec<Asker> = (0..200).map(|_| Asker::new(18110)).collect();
    many.iter_mut().enumerate().for_each(|(at, client)| until("everybody is answered", || client.hears(&format!("client {at}"))));
    until("the first one again", || one.hears("again"));
    store.ok(&["restart", "-t", "0", "names"]);
    until("after a restart", || other.hears("other after it"));
    store.ok(&["port", "names", "--unpublish", "53/udp"]);
    until("nobody is there any more", || one.is_refused());
}

#[test]
fn connections_end_with_their_container_and_nothing_else() {
    let Some(store) = Store::new() else { return };
    let place = "[::1]:18120";
    let talks = || connect(place).is_ok_and(|mut stream| stream.read_exact(&mut [0; 1000]).is_ok());
    store.ok(&["run", "-d", "--name", "web", "--restart", "always", "-p", "18120:80", "host", "sh", "-c", TALK]);
    until("it talks", talks);
    let mut stream = connect(place).unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    let pid = store.field("web", ".State.Pid");
    kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
    assert!(ends(&mut stream), "the connection ends with the process");
    until("it talks again", talks);
    let mut stream = connect(place).unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    store.ok(&["stop", "-t", "0", "web"]);
    assert!(ends(&mut stream), "the connection ends with the container");
    assert_eq!(connect(place).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // The port is free for the next one, though the kernel remembers the last connections.
    store.ok(&["start", "web"]);
    until("it talks once more", talks);

    // What is no longer published lets nobody in, and leaves who is in alone.
    let mut stream = connect(place).unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    store.ok(&["port", "web", "--unpublish", "80"]);
    assert_eq!(connect(place).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    stream.read_exact(&mut vec![0; 16 << 20]).unwrap();
    store.ok(&["port", "web", "--publish", "18120:80"]);
    until("it talks where it is published again", talks);

    // Off its network, it is reached no more.
    store.ok(&["network", "disconnect", "bridge", "web"]);
    assert!(ends(&mut stream), "the connection ends with the address");
    store.ok(&["network", "connect", "bridge", "web"]);
    until("it talks at its new address", talks);

    let mut stream = connect(place).unwrap();
    let monitor: i32 = store.field("web", ".State.MonitorPid").parse().unwrap();
    kill(Pid::from_raw(monitor), Signal::SIGKILL).unwrap();
    assert!(ends(&mut stream), "the connection ends with the monitor");
    until("its end is seen", || store.field("web", ".State.Running") == "false");
    drop(TcpListener::bind(place).unwrap());
}

#[test]
fn more_clients_than_there_is_room_for_wait() {
    const MOST: usize = 256;
    let Some(store) = Store::new() else { return };
    store.ok(&["run", "-d", "--name", "web", "-p", "18130:80", "host", "sh", "-c", ECHO]);
    let place = "[::1]:18130";
    until("it answers", || echoes(place, b"hello"));
    // The server lets in one after the other.
    let enters = || {
        let mut stream = connect(place).unwrap();
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        stream
    };
    let mut inside: Vec<TcpStream> = (0..MOST).map(|_| enters()).collect();
    let mut waiting = connect(place).unwrap();
    waiting.write_all(b"hello").unwrap();
    waiting.set_nonblocking(true).unwrap();
    // The console keeps its turn.
    assert_eq!(store.ok(&["exec", "web", "echo", "here"]), "here");
    store.ok(&["pause", "web"]);
    store.ok(&["unpause", "web"]);
    assert_eq!(waiting.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::WouldBlock, "it waits at the door");
    inside.pop();
    until("there is room", || waiting.read(&mut [0; 10]).is_ok_and(|length| length > 0));
}
