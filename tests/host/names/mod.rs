//! Names: the process that answers, in network namespaces made for the test, with a directory of the test's own.

mod answers;
mod hostile;
mod life;
mod upstream;

use crate::store::{name_of, processes_of, until};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use kapal::container::Place;
use kapal::id::ContainerId;
use kapal::networkdriver::names::{Client, Directory, Settings, main_if_asked};
use kapal::sys::netlink::within;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The process is the program that starts it: here it is this one, which is asked before its tests come to run.
#[used]
#[unsafe(link_section = ".init_array")]
static FIRST: extern "C" fn() = {
    extern "C" fn first() {
        main_if_asked(|place| Box::new(Lines(place.clone())));
    }
    first
};

/// A directory that is a file: whose (`*` is everybody's), the name, its addresses.
struct Lines(Place);

impl Lines {
    fn read(&self, asker: &ContainerId) -> io::Result<Vec<Vec<String>>> {
        let text = std::fs::read_to_string(self.0.root.join("directory"))?;
        let words = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        Ok(words.filter(|words| words[0] == "*" || words[0] == asker.as_str()).collect())
    }
}

impl Directory for Lines {
    fn find(&mut self, asker: &ContainerId, name: &str) -> io::Result<Option<Vec<IpAddr>>> {
        let found = self.read(asker)?.into_iter().find(|words| words[1] == name);
        Ok(found.map(|words| words[2..].iter().map(|word| word.parse().unwrap()).collect()))
    }

    fn name_of(&mut self, asker: &ContainerId, address: IpAddr) -> io::Result<Option<String>> {
        let found = self.read(asker)?.into_iter().find(|words| words[2..].contains(&address.to_string()));
        Ok(found.map(|words| words[1].clone()))
    }
}

/// A machine of the test's own: a network namespace and a store.
struct Machine {
    namespace: OwnedFd,
    place: Place,
    folder: tempfile::TempDir,
}

impl Machine {
    /// `None`, loudly, for who is not root.
    fn new(directory: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: this test needs root");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("kapal-names-").tempdir_in(crate::store::ground()).unwrap();
        let place = Place { root: folder.path().join("root"), run_root: folder.path().join("run") };
        std::fs::create_dir_all(&place.root).unwrap();
        std::fs::create_dir_all(&place.run_root).unwrap();
        std::fs::write(place.root.join("directory"), directory).unwrap();
        Some(Self { namespace: namespace(true), place, folder })
    }

    /// A container that asks these resolvers.
    fn container(&self, servers: &[&str]) -> Container {
        let settings = Settings { servers: servers.iter().map(|server| server.parse().unwrap()).collect(), internal: false };
        let (namespace, id) = (namespace(false), ContainerId::random().unwrap());
        let mut client = Client::open(namespace.as_fd(), self.place.clone(), id.clone(), settings).unwrap();
        self.register(&mut client);
        Container { namespace, id, client }
    }

    /// As a monitor does it, which is in this machine's namespace.
    fn register(&self, client: &mut Client) {
        within(self.namespace.as_fd(), || client.register()).unwrap().unwrap();
    }

    /// The process; it has its name a moment after it was executed.
    fn process(&self) -> u32 {
        until("it is there", || !self.processes().is_empty());
        self.processes()[0]
    }

    fn processes(&self) -> Vec<u32> {
        processes_of(self.folder.path()).into_iter().filter(|pid| name_of(*pid) == "kapal-names").collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !thread::panicking() {
            until("the process ends with the last container", || processes_of(self.folder.path()).is_empty());
            assert_eq!(std::fs::read_to_string(self.place.names_errors()).unwrap_or_default(), "");
        }
    }
}

struct Container {
    namespace: OwnedFd,
    id: ContainerId,
    client: Client,
}

impl Container {
    /// A socket in it that speaks to its resolver.
    fn socket(&self) -> UdpSocket {
        let open = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = within(self.namespace.as_fd(), open).unwrap();
        socket.connect(("127.0.0.11", self.client.port())).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    /// The addresses of a name, and how long it took.
    fn ask(&self, name: &str) -> (Vec<String>, Duration) {
        let (socket, began) = (self.socket(), Instant::now());
        socket.send(&question(1, name)).unwrap();
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let answer = Message::from_vec(&bytes[..length]).unwrap();
        (answer.answers.iter().map(|record| record.data.to_string()).collect(), began.elapsed())
    }

    /// What `dig` makes of an answer.
    fn dig(&self, arguments: &[&str]) -> String {
        let port = self.client.port().to_string();
        let mut command = Command::new("dig");
        command.args(["@127.0.0.11", "-p", &port, "+tries=1", "+time=15"]).args(arguments);
        let done = within(self.namespace.as_fd(), || command.output().unwrap()).unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "dig {arguments:?}: {text}");
        assert!(!text.contains("WARNING") && !text.contains("extra bytes") && !text.contains("malformed"), "dig {arguments:?}: {text}");
        text
    }
}

fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    message.to_vec().unwrap()
}

/// A new network namespace that lives as long as the descriptor.
fn namespace(up: bool) -> OwnedFd {
    let make = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        OwnedFd::from(std::fs::File::open("/proc/thread-self/ns/net").unwrap())
    };
    let namespace = thread::scope(|scope| scope.spawn(make).join().unwrap());
    if up {
        within(namespace.as_fd(), kapal::sys::link::loopback_up).unwrap().unwrap();
    }
    namespace
}
