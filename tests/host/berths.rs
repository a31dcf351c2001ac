//! Containers on networks as they really are: addresses, names and ports, through restarts, changes and crashes.

use crate::store::{Store, in_guest, name_of, processes_of, tool, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// A server that says `hello` to everybody, for ever.
const HELLO: &str = "exec busybox nc -ll -p 80 -e echo hello";

/// What is heard at an address; nothing if nobody answers.
fn heard(address: &str) -> String {
    let address: SocketAddr = address.parse().unwrap();
    let mut text = String::new();
    if let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = stream.read_to_string(&mut text);
    }
    text.trim_end().to_owned()
}

fn address(store: &Store, container: &str, network: &str) -> String {
    store.field(container, &format!(".NetworkSettings.Networks.{network}.IPAddress"))
}

/// Kills every process of the program that belongs to a store and has a name beginning so.
fn kill_all(store: &Store, name: &str) -> usize {
    let found: Vec<u32> = processes_of(&store.base).into_iter().filter(|pid| name_of(*pid).starts_with(name)).collect();
    for pid in &found {
        let _ = kill(Pid::from_raw(*pid as i32), Signal::SIGKILL);
    }
    found.len()
}

#[test]
fn a_published_port_leads_in_from_everywhere() {
    let Some(store) = Store::new() else { return };
    store.ok(&["run", "-d", "--name", "web", "-p", "18080:80", "host", "sh", "-c", HELLO]);
    let own = address(&store, "web", "bridge");
    let gateway = store.field("web", ".NetworkSettings.Gateway");
    until("the server listens", || heard(&format!("{own}:80")) == "hello");
    for at in ["127.0.0.1:18080".to_owned(), format!("{gateway}:18080")] {
        assert_eq!(heard(&at), "hello", "{at}");
    }
    let inside = |name: &str, to: &str| store.kapal(&["exec", name, "busybox", "nc", "-w", "3", &gateway, to]).out;
    assert_eq!(inside("web", "18080"), "hello", "from itself");
    store.ok(&["run", "-d", "--name", "neighbour", "host", "sleep", "1000"]);
    assert_eq!(inside("neighbour", "18080"), "hello", "from the same network");
    store.ok(&["network", "create", "other"]);
    store.ok(&["run", "-d", "--name", "far", "--network", "other", "host", "sleep", "1000"]);
    assert_eq!(inside("far", "18080"), "hello", "from another network");
    let direct = store.kapal(&["exec", "far", "busybox", "nc", "-w", "2", &own, "80"]);
    assert_eq!(direct.out, "", "networks are apart");
    // Taken by a container, and by somebody else.
    let refused = store.fails(125, &["run", "--rm", "-p", "18080:80", "host", "true"]);
    assert!(refused.contains("18080") && refused.contains("container web has it"), "{refused}");
    let other = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let refused = store.fails(125, &["run", "--rm", "-p", &format!("{port}:80"), "host", "true"]);
    assert!(refused.contains(&port.to_string()) && refused.contains(&format!("process {}", std::process::id())), "{refused}");
    assert!(TcpListener::bind("0.0.0.0:18080").is_err(), "a published port is nobody else's");
    store.ok(&["rm", "-f", "web"]);
    assert_eq!(heard("127.0.0.1:18080"), "");
    drop(TcpListener::bind("0.0.0.0:18080").unwrap());
}

#[test]
fn who_sends_all_the_time_is_heard_by_each_container_in_turn() {
    let Some(store) = Store::new() else { return };
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    // Nobody is there yet; the kernel remembers what is sent all the same. Late answers to earlier questions are passed over.
    let mut asked = 0;
    let mut hears = |expected: &str| {
        asked += 1;
        let _ = client.send_to(format!("{asked}").as_bytes(), "127.0.0.1:18053");
        let mut answer = [0; 64];
        let answers = std::iter::from_fn(|| client.recv(&mut answer).ok().map(|length| String::from_utf8_lossy(&answer[..length]).into_owned()));
        answers.into_iter().find_map(|answer| answer.strip_suffix(&format!(" {asked}")).map(str::to_owned)).is_some_and(|name| name == expected)
    };
    assert!(!hears("first"));
    for (name, lost) in [("first", false), ("second", true), ("third", false)] {
        let server =
            "socket S,PF_INET,SOCK_DGRAM,0; bind S,sockaddr_in(53,INADDR_ANY); while ($from = recv S,$what,99,0) { send S,qq($ARGV[0] $what),0,$from }";
        store.ok(&["run", "-d", "--name", name, "-p", "18053:53/udp", "host", "perl", "-MSocket", "-e", server, name]);
        until(name, || hears(name));
        if lost {
            let monitor: i32 = store.field(name, ".State.MonitorPid").parse().unwrap();
            kill(Pid::from_raw(monitor), Signal::SIGKILL).unwrap();
            until("it is buried", || store.field(name, ".State.Running") == "false");
            assert!(!hears(name), "nobody is led to who is gone");
        }
        store.ok(&["rm", "-f", name]);
        assert!(!hears("first"));
    }
}

#[test]
fn sctp_is_published_where_the_kernel_speaks_it() {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto::SCTP};
    let Some(store) = Store::new() else { return };
    let speak = || rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, Some(SCTP));
    if speak().is_err() {
        eprintln!("SKIPPED: this kernel speaks no SCTP (CONFIG_IP_SCTP, module sctp)");
        return;
    }
    let server = "socket S,PF_INET,SOCK_STREAM,132; bind S,sockaddr_in(5000,INADDR_ANY); listen S,9; while (accept C,S) { syswrite C,'hello'; close C }";
    store.ok(&["run", "-d", "--name", "signals", "-p", "15000:5000/sctp", "host", "perl", "-MSocket", "-e", server]);
    let hears = |address: &str| {
        let (client, mut text) = (speak().unwrap(), [0; 16]);
        rustix::net::connect(&client, &address.parse::<SocketAddr>().unwrap()).is_ok()
            && rustix::net::recv(&client, &mut text[..], rustix::net::RecvFlags::empty()).is_ok_and(|(length, _)| &text[..length] == b"hello")
    };
    let (own, gateway) = (address(&store, "signals", "bridge"), store.field("signals", ".NetworkSettings.Gateway"));
    for place in [format!("{own}:5000"), format!("{gateway}:15000"), "127.0.0.1:15000".to_owned()] {
        until(&place, || hears(&place));
    }
    let refused = store.fails(125, &["run", "--rm", "-p", "15000:5000/sctp", "host", "true"]);
    assert!(refused.contains("container signals has it"), "{refused}");
    store.ok(&["port", "signals", "--unpublish", "5000/sctp"]);
    assert!(!hears("127.0.0.1:15000"));
}

#[test]
fn a_thousand_ports_are_published_at_once() {
    let Some(store) = Store::new() else { return };
    let (first, last) = (20000, 21000);
    store.ok(&["run", "-d", "--name", "many", "-p", &format!("{first}-{last}:{first}-{last}"), "host", "sh", "-c", "ulimit -n; exec sleep 1000"]);
    assert_eq!(store.ok(&["port", "many"]).lines().count(), last - first + 1);
    until("it has spoken", || !store.ok(&["logs", "many"]).is_empty());
    let usual = tool("sh", &["-c", "ulimit -n"]);
    assert_eq!(store.ok(&["logs", "many"]), usual, "its own limits are its own");
    assert_eq!(store.ok(&["run", "--rm", "-p", "80", "host", "true"]), "");
    for place in ["127.0.0.1:20999", "[::1]:20999"] {
        assert_eq!(TcpListener::bind(place).unwrap_err().kind(), std::io::ErrorKind::AddrInUse, "{place}");
    }
    assert!(store.fails(125, &["run", "--rm", "-p", "10000-19999:10000-19999", "host", "true"]).contains("at most 4096"));
}

#[test]
fn a_restart_keeps_address_ports_and_names() {
    let Some(store) = Store::new() else { return };
    store.ok(&["network", "create", "lab"]);
    store.ok(&["run", "-d", "--name", "web", "--network", "lab", "--restart", "always", "-p", "127.0.0.1::80", "host", "sh", "-c", HELLO]);
    let (own, port) = (address(&store, "web", "lab"), store.ok(&["port", "web", "80"]));
    until("the server listens", || heard(&port) == "hello");
    let pid = store.field("web", ".State.Pid");
    kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
    until("it runs again", || store.field("web", ".State.Pid") != pid && store.field("web", ".State.Running") == "true");
    until("the server listens again", || heard(&port) == "hello");
    assert_eq!((address(&store, "web", "lab"), store.ok(&["port", "web", "80"])), (own.clone(), port));
    store.ok(&["run", "-d", "--name", "asks", "--network", "lab", "host", "sleep", "1000"]);
    let asked = store.ok(&["exec", "asks", "busybox", "nslookup", "web"]);
    assert!(asked.contains(&own), "{asked}");
}

#[test]
fn names_are_known_on_networks_of_ones_own() {
    let Some(store) = Store::new() else { return };
    store.ok(&["network", "create", "--ipv6", "lab"]);
    let id = store.ok(&["run", "-d", "--name", "db", "--network", "lab", "--network-alias", "store", "host", "sleep", "1000"]);
    store.ok(&["run", "-d", "--name", "asks", "--network", "lab", "host", "sleep", "1000"]);
    let own = address(&store, "db", "lab");
    let six = store.field("db", ".NetworkSettings.Networks.lab.GlobalIPv6Address");
    let asked = |name: &str| store.kapal(&["exec", "asks", "busybox", "nslookup", name]).out;
    for name in ["db", "DB", "store", &id[..12], "db.lab"] {
        let told = asked(name);
        assert!(told.contains(&own) && told.contains(&six), "{name}: {told}");
    }
    assert!(!asked("nobody").contains(&own));
    store.ok(&["rename", "db", "base"]);
    assert!(asked("base").contains(&own) && !asked("db").contains(&own));
    // One process answers for all; should it die, another does.
    assert_eq!(kill_all(&store, "kapal-names"), 1);
    until("somebody answers again", || asked("base").contains(&own));
    store.ok(&["run", "-d", "--name", "plain", "host", "sleep", "1000"]);
    assert!(!store.kapal(&["exec", "plain", "busybox", "nslookup", "base"]).out.contains(&own), "the default network has no names");
    store.ok(&["network", "connect", "lab", "plain"]);
    assert!(store.kapal(&["exec", "plain", "busybox", "nslookup", "base"]).out.contains(&own), "but one that joined has");
    store.ok(&["rm", "-f", "base"]);
    assert!(!asked("base").contains(&own));
    store.ok(&["rm", "-f", "asks", "plain"]);
    until("it ends with the last", || processes_of(&store.base).iter().all(|pid| name_of(*pid) != "kapal-names"));
}

#[test]
fn networks_come_and_go_while_a_container_runs() {
    let Some(store) = Store::new() else { return };
    for (name, more) in [("one", None), ("two", None), ("inner", Some("--internal"))] {
        let more: Vec<&str> = more.into_iter().collect();
        store.ok(&[&["network", "create"], &more[..], &[name]].concat());
    }
    store.ok(&["run", "-d", "--name", "box", "--network", "inner", "host", "sleep", "1000"]);
    let inside = |what: &[&str]| store.ok(&[&["exec", "box"], what].concat());
    assert_eq!(inside(&["ip", "route", "show", "default"]), "", "nothing leads out of an internal network");
    store.ok(&["network", "connect", "one", "box"]);
    store.ok(&["network", "connect", "two", "box"]);
    let gateway = |network: &str| store.field("box", &format!(".NetworkSettings.Networks.{network}.Gateway"));
    assert!(inside(&["ip", "route", "show", "default"]).contains(&gateway("one")));
    let hosts = inside(&["cat", "/etc/hosts"]);
    assert!(["inner", "one", "two"].iter().all(|network| hosts.contains(&address(&store, "box", network))), "{hosts}");
    store.ok(&["network", "disconnect", "one", "box"]);
    assert!(inside(&["ip", "route", "show", "default"]).contains(&gateway("two")), "the next one leads out");
    let links = inside(&["ls", "/sys/class/net"]);
    assert_eq!(links.split_whitespace().collect::<Vec<_>>(), ["eth0", "eth2", "lo"]);
    store.ok(&["network", "create", "--ipv6", "six"]);
    store.ok(&["network", "connect", "six", "box"]);
    let six = store.field("box", ".NetworkSettings.Networks.six.IPv6Gateway");
    assert!(inside(&["ip", "-6", "route", "show", "default"]).contains(&six), "each family has its way out");
    assert!(inside(&["ip", "route", "show", "default"]).contains(&gateway("two")));
    store.ok(&["network", "disconnect", "six", "box"]);
    store.ok(&["network", "rm", "six"]);
    store.ok(&["restart", "-t", "0", "box"]);
    let links = inside(&["ls", "/sys/class/net"]);
    assert_eq!(links.split_whitespace().collect::<Vec<_>>(), ["eth0", "eth1", "lo"], "as it was left");
}

#[test]
fn a_network_is_shared_and_addresses_are_as_wished() {
    let Some(store) = Store::new() else { return };
    store.ok(&["network", "create", "--subnet", "10.207.0.0/24", "--subnet", "fd07::/64", "--ipv6", "lab"]);
    let options = ["--network", "lab", "--ip", "10.207.0.50", "--ip6", "fd07::50", "--mac-address", "02:07:00:00:00:50", "--hostname", "given"];
    store.ok(&[&["run", "-d", "--name", "box"], &options[..], &["host", "sh", "-c", HELLO]].concat());
    let shown =
        store.ok(&["run", "--rm", "--network", "container:box", "host", "sh", "-c", "ip -o addr show eth0; ip -o link show eth0; hostname; cat /etc/hosts"]);
    for part in ["10.207.0.50/24", "fd07::50/64", "02:07:00:00:00:50", "given"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let refused = store.fails(125, &["run", "--rm", "--network", "lab", "--ip", "10.207.0.50", "host", "true"]);
    assert!(refused.contains("10.207.0.50") && refused.contains("in use"), "{refused}");
    let refused = store.fails(125, &["run", "--rm", "--network", "lab", "--ip", "10.208.0.50", "host", "true"]);
    assert!(refused.contains("10.208.0.50") && refused.contains("10.207.0.0/24"), "{refused}");
    let own = store.ok(&["run", "--rm", "--network", "host", "host", "ls", "/sys/class/net"]);
    assert!(!own.contains("eth0"), "{own}");
    store.ok(&["network", "create", "--subnet", "10.209.0.0/30", "tiny"]);
    store.ok(&["run", "-d", "--name", "first", "--network", "tiny", "host", "sleep", "1000"]);
    let refused = store.fails(125, &["run", "--rm", "--network", "tiny", "host", "true"]);
    assert!(refused.contains("tiny") && refused.contains("all addresses are given"), "{refused}");
}

#[test]
fn many_at_once_have_addresses_of_their_own() {
    let Some(store) = Store::new() else { return };
    let each = if in_guest() { 5 } else { 25 };
    let script = |lane: &str| {
        let lines: Vec<String> = (0..each).map(|at| format!("run -d --name {lane}{at} -P --expose 80 host sleep 1000\n")).collect();
        lines.concat()
    };
    thread::scope(|scope| {
        for lane in ["left", "right"] {
            let (store, script) = (&store, script(lane));
            scope.spawn(move || {
                let done = store.fed(script.as_bytes(), &["--batch", "-"]);
                assert_eq!(done.status, 0, "{}", done.err);
            });
        }
    });
    let names = store.ok(&["ps", "-q"]);
    let ids: Vec<&str> = names.lines().collect();
    let seen = store.ok(&[&["inspect", "--format", "{{.NetworkSettings.IPAddress}}"], &ids[..]].concat());
    assert_eq!(seen.lines().collect::<HashSet<_>>().len(), each * 2, "{seen}");
    let ports: Vec<String> = ids.iter().map(|id| store.ok(&["port", id, "80"])).collect();
    assert_eq!(ports.iter().collect::<HashSet<_>>().len(), each * 2);
    store.ok(&[&["rm", "-f"], &ids[..]].concat());
    assert_eq!(store.ok(&["network", "inspect", "--format", "{{json .Containers}}", "bridge"]), "{}");
}

#[test]
fn stores_beside_each_other_do_not_touch() {
    let Some(store) = Store::new() else { return };
    let other = |arguments: &[&str]| {
        let mut command = store.command(arguments);
        command.env("KAPAL_ROOT", store.path("other/root")).env("KAPAL_RUN_ROOT", store.path("other/run"));
        crate::store::finish(&mut command, None)
    };
    store.ok(&["run", "-d", "--name", "here", "-p", "18090:80", "host", "sh", "-c", HELLO]);
    assert_eq!(other(&["run", "-d", "--name", "there", "host", "sh", "-c", HELLO]).status, 0);
    let there = other(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", "there"]).out;
    assert_ne!(there.rsplit_once('.').unwrap().0, address(&store, "here", "bridge").rsplit_once('.').unwrap().0);
    until("both answer", || heard("127.0.0.1:18090") == "hello" && heard(&format!("{there}:80")) == "hello");
    assert_eq!(other(&["rm", "-f", "there"]).status, 0);
    until("the other's link is gone", || tool("ip", &["-br", "link"]).matches("kapal-").count() == 1);
    assert_eq!(heard("127.0.0.1:18090"), "hello");
}

#[test]
fn a_start_with_links_may_end_anywhere() {
    let Some(store) = Store::new() else { return };
    store.ok(&["network", "create", "lab"]);
    let rounds = if in_guest() { 10 } else { 50 };
    let line = ["run", "--rm", "--network", "lab", "-p", "80", "host", "sleep", "0.02"];
    let began = std::time::Instant::now();
    store.ok(&line);
    let whole = began.elapsed().as_micros() as u64;
    let mut dice = u64::from(std::process::id()) * 2_654_435_761 % 1_000_003;
    for round in 0..rounds {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut engine = store.command(&line).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The instant is what is being swept; nothing is waited for here.
        thread::sleep(Duration::from_micros((dice >> 33) % (whole * 12 / 10)));
        engine.kill().unwrap();
        engine.wait().unwrap();
        if round % 3 > 0 {
            kill_all(&store, "kapal");
        }
        // A monitor that was spared does its work to the end; whoever lost it lets go of everything.
        let left = || store.ok(&["network", "inspect", "--format", "{{json .Containers}}{{json .Ports}}", "lab"]);
        until("nobody is on the network any more", || store.ok(&["ps", "-aq", "--filter", "status=running"]).is_empty() && left() == "{}[]");
    }
    store.ok(&["rm", "-f", "nobody"]);
    until("no link is left", || !tool("ip", &["-br", "link"]).contains("kv") && !tool("ip", &["-br", "link"]).contains("kp-"));
    // A monitor that was spared takes its table away after its links.
    until("no table is left", || !tool("nft", &["list", "tables"]).contains("kapal"));
    store.ok(&["network", "rm", "lab"]);
}

#[test]
fn what_a_lost_monitor_leaves_goes_with_the_next_look() {
    let Some(store) = Store::new() else { return };
    store.ok(&["network", "create", "lab"]);
    store.ok(&["run", "-d", "--name", "web", "--network", "lab", "-p", "18091:80", "host", "sh", "-c", HELLO]);
    let own = address(&store, "web", "lab");
    until("it answers", || heard("127.0.0.1:18091") == "hello");
    assert!(kill_all(&store, "kapal") >= 2, "its monitor and the process for names");
    until("its end is seen", || store.ok(&["ps", "-a", "--format", "{{.Status}}"]).starts_with("Exited (255)"));
    assert!(!tool("ip", &["-br", "link"]).contains("kp-"));
    assert!(!tool("nft", &["list", "tables"]).contains("kapal"));
    assert_eq!(address(&store, "web", "lab"), "");
    store.ok(&["start", "web"]);
    until("it answers again", || heard("127.0.0.1:18091") == "hello");
    assert_ne!(address(&store, "web", "lab"), own, "an address that was just let go is not given at once");
}
