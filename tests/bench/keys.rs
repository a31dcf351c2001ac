//! How long from a key to the screen, and what an idle screen costs: the program on a pseudo-terminal of its own.
//!
//! `keys KAPAL ROUNDS latency|idle STORE RUN`. A container called `flood` is selected and writes; the floor is a key that
//! a program without a screen gives back through the same kind of terminal.
#![allow(clippy::unwrap_used)]

use nix::pty::{OpenptyResult, Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

const COLUMNS: u16 = 120;
const ROWS: u16 = 40;
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a terminal, and what it drew.
struct Seat {
    child: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    bytes: usize,
}

impl Seat {
    fn new(command: &mut Command) -> Self {
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
        let slave = File::from(slave);
        let child = command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave).spawn().unwrap();
        let keyboard = File::from(master);
        let mut reader = keyboard.try_clone().unwrap();
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut bytes = vec![0; 64 << 10];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keyboard, output, screen: vt100::Parser::new(ROWS, COLUMNS, 0), bytes: 0 }
    }

    /// Reads what comes until the screen is as wanted.
    fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        let began = Instant::now();
        while !holds(&self.screen.screen().contents()) {
            assert!(began.elapsed() < PATIENCE, "waited in vain: {what}\n{}", self.screen.screen().contents());
            self.listen(Duration::from_millis(100));
        }
    }

    fn listen(&mut self, at_most: Duration) {
        if let Ok(bytes) = self.output.recv_timeout(at_most) {
            self.bytes += bytes.len();
            self.screen.process(&bytes);
        }
    }

    /// A key, and the time until the screen is as wanted.
    fn press(&mut self, key: &[u8], what: &str, holds: impl Fn(&str) -> bool) -> Duration {
        // What was drawn before the key is no answer to it.
        while let Ok(bytes) = self.output.try_recv() {
            self.screen.process(&bytes);
        }
        let began = Instant::now();
        self.keyboard.write_all(key).unwrap();
        self.until(what, holds);
        began.elapsed()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!("  {name:<44} p50 {:7.2} ms   p99 {:7.2} ms   most {:7.2} ms   ({} keys)", at(0.5), at(0.99), at(1.0), times.len());
}

fn kapal(arguments: &[String]) -> Seat {
    let mut command = Command::new("setsid");
    command.args(["-c", "-w", &arguments[0], "--root", &arguments[3], "--run-root", &arguments[4]]);
    let mut seat = Seat::new(command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env_remove("NO_COLOR"));
    seat.until("the containers", |screen| screen.contains("Containers ") && screen.contains("STATE"));
    seat
}

fn latency(arguments: &[String], rounds: usize) {
    let mut echo = Seat::new(Command::new("sh").args(["-c", "stty raw -echo; echo ready; exec cat"]));
    echo.until("ready", |screen| screen.contains("ready"));
    let floor = (0..rounds).map(|round| {
        let key = b'a' + (round % 26) as u8;
        let wanted = char::from(key);
        let time = echo.press(&[key], "the echo", |screen| screen.trim_end().ends_with(wanted));
        thread::sleep(Duration::from_millis(5));
        time
    });
    report("floor: a key through a terminal and back", floor.collect());
    drop(echo);

    let mut seat = kapal(arguments);
    seat.until("the flood", |screen| screen.contains("flood"));
    let panes = (0..rounds).map(|round| {
        let (key, wanted) = if round % 2 == 0 { (b"4", "Volumes ") } else { (b"1", "STATE ") };
        let other = if round % 2 == 0 { "STATE " } else { "MOUNTPOINT" };
        let time = seat.press(key, wanted, |screen| {
            let body: String = screen.lines().skip(1).collect();
            body.contains(wanted) && !body.contains(other)
        });
        // At another place in the beat of the screen each time.
        listen_for(&mut seat, Duration::from_millis(20 + round as u64 * 7 % 40));
        time
    });
    report("another pane, 200 containers and a flood", panes.collect());
    seat.press(b"1", "the containers", |screen| screen.contains("STATE "));
    let typed = (0..rounds).map(|round| {
        let opens = round % 2 == 0;
        let time = seat.press(if opens { b":" } else { b"\x03" }, "the command line", |screen| screen.lines().any(|line| line.starts_with(':')) == opens);
        listen_for(&mut seat, Duration::from_millis(20 + round as u64 * 7 % 40));
        time
    });
    report("the command line opened and closed", typed.collect());
}

fn listen_for(seat: &mut Seat, time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        seat.listen(Duration::from_millis(2));
    }
}

/// Processor time of the program that setsid waits for, in ticks of a hundredth of a second.
fn ticks(seat: &Seat) -> u64 {
    let parent = seat.child.id();
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    let pid = children.split_whitespace().next().map_or(parent, |pid| pid.parse().unwrap());
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn idle(arguments: &[String], seconds: u64) {
    let mut seat = kapal(arguments);
    listen_for(&mut seat, Duration::from_secs(3));
    let (before, told) = (ticks(&seat), seat.bytes);
    listen_for(&mut seat, Duration::from_secs(seconds));
    let used = ticks(&seat) - before;
    println!("  {:<44} {:.2} % of a core   {} bytes to the terminal in {seconds} s", "idle", used as f64 / seconds as f64, seat.bytes - told);
}

fn main() {
    // cargo adds its own words for benches: what is ours comes first.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let Some(rounds) = arguments.get(1).and_then(|rounds| rounds.parse().ok()).filter(|_| arguments.len() == 5) else {
        eprintln!("keys KAPAL ROUNDS latency|idle STORE RUN");
        std::process::exit(2);
    };
    match arguments[2].as_str() {
        "latency" => latency(&arguments, rounds),
        _ => idle(&arguments, 10),
    }
}
