//! A container that means harm: others do not notice.

use super::upstream::Upstream;
use super::{Container, Machine, question};
use crate::store::until;
use kapal::sys::netlink::within;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn call(container: &Container) -> TcpStream {
    let stream = within(container.namespace.as_fd(), || TcpStream::connect(("127.0.0.11", container.client.port())).unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut bytes = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Whether the other end has closed it.
fn is_over(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 512]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_flood_from_one_does_not_stop_another() {
    let Some(machine) = Machine::new("* web 10.1.0.2\n") else { return };
    let world = Upstream::new(machine.namespace.as_fd(), "127.0.0.1");
    let (hostile, other) = (machine.container(&["127.0.0.1"]), machine.container(&["127.0.0.1"]));
    let (stop, hostile) = (&AtomicBool::new(false), &hostile);
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", machine.process())).unwrap();
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap()
    };
    let before = memory();
    let mut times = Vec::new();
    thread::scope(|scope| {
        for name in ["web.", "deaf.example."] {
            scope.spawn(move || {
                let socket = hostile.socket();
                while !stop.load(Ordering::Relaxed) {
                    // The socket may be full; that is the point.
                    let _ = socket.send(&question(1, name));
                }
            });
        }
        scope.spawn(move || {
            let mut open = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let mut stream = call(hostile);
                let _ = stream.write_all(&framed(&question(1, "deaf.example."))[..20]);
                open.push(stream);
                open.drain(..open.len().saturating_sub(200));
            }
        });
        let asking = || {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(4) {
                for (name, address) in [("web.", "10.1.0.2"), ("hello.example.", "192.0.2.1")] {
                    let (answer, time) = other.ask(name);
                    assert_eq!(answer, [address]);
                    times.push(time);
                }
            }
        };
        // The flood ends with the asking, also where that fails.
        let asked = scope.spawn(asking).join();
        stop.store(true, Ordering::Relaxed);
        asked.unwrap();
    });
    times.sort();
    println!(
        "{} questions, half of them in {:?}, the slowest in {:?}; {before} then {} KiB",
        times.len(),
        times[times.len() / 2],
        times[times.len() - 1],
        memory()
    );
    // Half of them: any one may fall into a moment at which the machine stands still.
    assert!(times[times.len() / 2] < Duration::from_secs(1), "{:?}", times[times.len() / 2]);
    assert!(memory() < before + (16 << 10));
    // No more went on to the resolver than the container may have under way, each twice.
    let deaf = world.asked().iter().filter(|asked| asked.contains("deaf")).count();
    println!("{deaf} questions went on");
    assert!(deaf < 2000, "{deaf}");
}

#[test]
fn nonsense_ends_nothing_but_itself() {
    let Some(machine) = Machine::new("* web 10.1.0.2\n") else { return };
    let container = machine.container(&[]);
    assert_eq!(container.ask("web.").0, ["10.1.0.2"]);
    let pids = machine.processes();
    let socket = container.socket();
    let mut noise = vec![0; 9000];
    rustix::rand::getrandom(&mut noise, rustix::rand::GetRandomFlags::empty()).unwrap();
    for length in (0..9000).step_by(7) {
        socket.send(&noise[noise.len() - length..]).unwrap();
        let mut question = question(1, "web.");
        let at = length % question.len();
        question[at] ^= noise[length];
        socket.send(&question).unwrap();
    }
    for bytes in [&[0xff, 0xff][..], &[0, 0], &[0, 3, 1, 2, 3], &framed(&[0xff; 12])] {
        let mut stream = call(&container);
        stream.write_all(bytes).unwrap();
        assert!(is_over(&mut stream), "{bytes:?}");
    }
    assert_eq!(container.ask("web.").0, ["10.1.0.2"]);
    assert_eq!(machine.processes(), pids);
}

#[test]
fn one_connection_asks_many_questions_in_any_pieces() {
    let Some(machine) = Machine::new("* web 10.1.0.2\n") else { return };
    let _world = Upstream::new(machine.namespace.as_fd(), "127.0.0.1");
    let container = machine.container(&["127.0.0.1"]);
    let mut stream = call(&container);
    let names = ["web.", "hello.example.", "web.", "big.example."];
    let questions: Vec<u8> = (0..20).flat_map(|id: u16| framed(&question(id, names[usize::from(id) % 4]))).collect();
    for piece in questions.chunks(17) {
        stream.write_all(piece).unwrap();
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    for id in 0..20 {
        assert_eq!(answer(&mut stream)[1], id);
    }
    assert!(is_over(&mut stream));
}

#[test]
fn connections_are_few_and_do_not_last_for_ever() {
    let Some(machine) = Machine::new("* web 10.1.0.2\n") else { return };
    let container = machine.container(&[]);
    let mut streams: Vec<TcpStream> = (0..9).map(|_| call(&container)).collect();
    streams[8].write_all(&framed(&question(3, "web."))).unwrap();
    assert_eq!(answer(&mut streams[8])[1], 3);
    // The first made room for the last: it does not wait for its time to be over.
    let soon = Some(Duration::from_secs(2));
    streams[0].set_read_timeout(soon).unwrap();
    assert!(is_over(&mut streams[0]));
    // One that sends its question byte by byte gets no more time than one that sends none and came after it.
    let question = framed(&question(4, "web."));
    let mut bytes = question[..question.len() - 1].iter();
    streams[2].set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    until("one that is silent is over", || {
        if let Some(byte) = bytes.next() {
            let _ = streams[1].write_all(&[*byte]);
        }
        is_over(&mut streams[2])
    });
    streams[1].set_read_timeout(soon).unwrap();
    for stream in &mut streams[1..] {
        assert!(is_over(stream));
    }
}

#[test]
fn a_socket_that_its_container_shoots_is_its_own_loss() {
    let Some(machine) = Machine::new("* web 10.1.0.2\n") else { return };
    let (hostile, other) = (machine.container(&[]), machine.container(&[]));
    let mut shoot = std::process::Command::new("ss");
    shoot.args(["-K", "-a", "-t", "-u", "src", "127.0.0.11"]);
    let Ok(done) = within(hostile.namespace.as_fd(), || shoot.output()).unwrap() else {
        eprintln!("SKIPPED: this test needs ss (iproute2)");
        return;
    };
    println!("{}", String::from_utf8_lossy(&done.stdout));
    let pid = machine.process();
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    // It is given a second in which it would turn for nothing.
    thread::sleep(Duration::from_secs(1));
    assert!(ticks() - before < 30, "{} ticks", ticks() - before);
    assert_eq!(other.ask("web.").0, ["10.1.0.2"]);
}
