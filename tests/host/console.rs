//! Consoles: terminals, the keys that leave them, signals on their way past what was typed, readers that go away.

use crate::signals::catches;
use crate::store::{Store, finish, in_guest, status_of, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A program on a terminal of the test's own.
struct OnTerminal {
    child: Child,
    keys: File,
    kept: OwnedFd,
    seen: Arc<Mutex<String>>,
}

impl OnTerminal {
    fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = || rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let kept = slave();
        tcsetwinsize(&kept, Winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
        let keys = File::from(master);
        let mut screen = keys.try_clone().unwrap();
        let seen = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = screen.read(&mut buffer) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        Self { child, keys, kept, seen }
    }

    fn types(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        let began = Instant::now();
        while !self.seen.lock().unwrap().contains(text) {
            assert!(began.elapsed() < Duration::from_secs(180), "the terminal does not show {text:?}: {:?}", self.seen.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.kept).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    /// Its status; the terminal is as it was.
    #[track_caller]
    fn ends(&mut self) -> i32 {
        until("it ends", || self.child.try_wait().unwrap().is_some());
        assert!(!self.is_raw(), "the terminal is given back");
        status_of(self.child.wait().unwrap())
    }
}

#[test]
fn a_terminal_is_left_and_found_again() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let mut first = OnTerminal::start(store.command(&["run", "-it", "--name", "shared", &image, "sh", "-c", "stty size; exec sh"]));
    first.shows("33 101");
    until("the terminal is raw", || first.is_raw());
    first.types(b"echo two$((1+1))\n");
    first.shows("two2");
    // Both keys at once would leave, however slowly they are read: the first has to have come before the other follows.
    first.types(b"stty raw -echo; echo wait''ing; echo key $(head -c 1 | od -An -to1); stty sane\n");
    first.shows("waiting");
    first.types(b"\x10");
    first.shows("key 020");
    first.types(b"\x11\x10\x11");
    first.shows("read escape sequence");
    assert_eq!(first.ends(), 0, "a lone ctrl-p is the shell's, ctrl-p ctrl-q leaves");
    assert_eq!(store.field("shared", ".State.Status"), "running");

    let mut again = OnTerminal::start(store.command(&["attach", "--detach-keys", "ctrl-x,x", "shared"]));
    again.shows("two2");
    let mut other = OnTerminal::start(store.command(&["attach", "shared"]));
    other.shows("two2");
    other.types(b"\x15echo three$((1+2))\n");
    again.shows("three3");
    other.shows("three3");
    again.types(b"\x18x");
    assert_eq!(again.ends(), 0, "the keys that the option names");
    other.types(b"exit 4\n");
    assert_eq!(other.ends(), 4);
    assert_eq!(store.field("shared", ".State.ExitCode"), "4");
}

#[test]
fn signals_do_not_wait_behind_what_was_typed() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let mut command = store.command(&["run", "-i", "--name", "deaf", &image, "sh", "-c", script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut typing = child.stdin.take().unwrap();
    // More than all that lies between: the writer is stuck until the end.
    let writer = std::thread::spawn(move || typing.write_all(&vec![b'x'; 256 << 20]).is_err());
    until("it is ready", || !store.ok(&["ps", "-q"]).is_empty() && store.ok(&["logs", "deaf"]) == "ready");
    let input = format!("/proc/{}/fd/0", store.field("deaf", ".State.Pid"));
    until("what was typed is stuck", || is_full(&input));
    // The last that it begins to pass on; the making of the container could have been called off by others.
    until("it passes signals on", || catches(child.id(), Signal::SIGUSR2));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    until("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(status_of(child.wait().unwrap()), 7);
    assert!(writer.join().unwrap(), "nobody read all of it");
}

/// Whether a pipe takes no more.
fn is_full(path: &str) -> bool {
    let Ok(pipe) = File::options().write(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path) else { return false };
    let mut asked = [PollFd::new(&pipe, PollFlags::OUT)];
    poll(&mut asked, Some(&Timespec::default())).unwrap() == 0
}

#[test]
fn a_signal_finds_the_terminal_raw_and_gives_it_back() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-dit", "--name", "kept", &image, "sh"]);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        let mut client = OnTerminal::start(store.command(&["attach", "kept"]));
        // At the first moment at which there is something to give back.
        until("the terminal is raw", || client.is_raw());
        kill(Pid::from_raw(client.child.id() as i32), signal).unwrap();
        assert_eq!(client.ends(), 128 + signal as i32);
    }
    assert_eq!(store.field("kept", ".State.Status"), "running");
}

#[test]
fn watching_ends_where_signals_are_not_passed_on() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let ends = |arguments: &[&str], name: &str| {
        let mut child = store.command(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        until("it runs", || !store.ok(&["ps", "-q", "--filter", &format!("name={name}")]).is_empty());
        // Who watches catches this one as well; who only makes a container does not.
        until("it watches", || catches(child.id(), Signal::SIGQUIT));
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        until("it ends", || child.try_wait().unwrap().is_some());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{arguments:?}: it ended by itself");
        assert_eq!(store.field(name, ".State.Status"), "running");
    };
    ends(&["run", "--sig-proxy=false", "--name", "free", &image, "sleep", "1000"], "free");
    store.ok(&["run", "-d", "-t", "--name", "drawn", &image, "sleep", "1000"]);
    ends(&["attach", "--no-stdin", "drawn"], "drawn");
}

#[test]
fn a_run_is_called_off_or_ends_its_container_whenever_the_signal_comes() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    // Its first process passes the signal on, also before there is one that could.
    let run = |command: &[&'static str]| store.command(&[&["run", "--rm", "--init", "--network", "none", &image], command].concat());
    let began = Instant::now();
    assert_eq!(finish(&mut run(&["true"]), None).status, 0);
    let whole = began.elapsed();
    let rounds = if in_guest() { 6 } else { 30 };
    for round in 0..rounds {
        let mut child = run(&["sleep", "1000"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The instant is what is being swept; nothing is waited for here.
        std::thread::sleep(whole * (round + 1) / rounds);
        kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
        until("it ends", || child.try_wait().unwrap().is_some());
        assert_eq!(status_of(child.wait().unwrap()), 143, "round {round} of {rounds}");
    }
    until("all are removed", || store.ok(&["ps", "-aq"]).is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_failure_to_talk_about() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "talks", &image, "sh", "-c", "while :; do seq 1000; done"]);
    for arguments in [&["logs", "-f", "talks"][..], &["exec", "talks", "yes"]] {
        let mut child = store.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut begin = [0; 2];
        child.stdout.take().unwrap().read_exact(&mut begin).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((status_of(output.status), String::from_utf8_lossy(&output.stderr).as_ref()), (141, ""), "{arguments:?}");
    }
    // Who only looks on ends on a signal, also while nobody reads what it writes.
    for arguments in [&["logs", "-f", "talks"][..], &["--batch", "-c", "logs -f talks"]] {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let mut child = store.command(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            until("its reader's pipe is full", || rustix::io::ioctl_fionread(child.stdout.as_ref().unwrap()).unwrap() > 60_000);
            kill(Pid::from_raw(child.id() as i32), signal).unwrap();
            until("it ends", || child.try_wait().unwrap().is_some());
            assert_eq!(status_of(child.wait().unwrap()), 128 + signal as i32, "{arguments:?}");
        }
    }
    // One that holds its output and reads none of it blocks nobody else.
    let mut stuck = store.command(&["attach", "talks"]).stdout(Stdio::piped()).spawn().unwrap();
    until("it is attached", || rustix::io::ioctl_fionread(stuck.stdout.as_ref().unwrap()).unwrap() > 0);
    let done = finish(store.command(&["exec", "talks", "echo", "free"]).env("X", ""), None);
    assert_eq!(done.out, "free");
    store.ok(&["rm", "-f", "talks"]);
    drop(stuck.stdout.take());
    until("it ends", || stuck.try_wait().unwrap().is_some());
}
