//! Consoles as the workstation has them: the session, the terminal in memory, a shell for images that have none.

use crate::inside::engine;
use crate::store::{Store, tool, until};
use kapal::engine::Engine;
use kapal::engine::shell::Shell;
use kapal::job::exec::Exec;
use kapal::tui::console::session::{ConsoleEvent, Session, SessionHandle};
use kapal::tui::console::terminal::Terminal;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(120);

/// A console in a pane of 24 rows and 80 columns.
pub struct Pane {
    pub handle: SessionHandle,
    events: Receiver<ConsoleEvent>,
    terminal: Terminal,
    written: Vec<u8>,
    missed: u64,
}

impl Pane {
    pub fn new((handle, events): (SessionHandle, Receiver<ConsoleEvent>)) -> Self {
        Self { handle, events, terminal: Terminal::new(24, 80, 1000), written: Vec::new(), missed: 0 }
    }

    fn exec(engine: &Engine, words: &[&str]) -> Self {
        let job = Exec { words: words.iter().map(ToString::to_string).collect(), ..Exec::default() };
        Self::new(Session::exec(engine, job, (24, 80)))
    }

    pub fn kind(&self, text: &str) {
        self.handle.input(text.as_bytes().to_vec()).unwrap();
    }

    fn screen(&self) -> String {
        let line = |row| {
            (0..80).filter_map(|column| self.terminal.cell(row, column)).map(|cell| if cell.has_contents() { cell.contents() } else { " " }).collect::<String>()
        };
        (0..self.terminal.size().0).map(|row| line(row).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// Takes the next event; the status if it was the end.
    async fn turn(&mut self) -> Option<i32> {
        match timeout(PATIENCE, self.events.recv()).await.unwrap_or_else(|_| panic!("nothing came; the screen is\n{}", self.screen())) {
            Some(ConsoleEvent::Output(bytes)) => {
                self.terminal.feed(&bytes);
                self.written.extend_from_slice(&bytes);
                let replies = self.terminal.replies();
                if !replies.is_empty() {
                    self.handle.input(replies).unwrap();
                }
                None
            }
            Some(ConsoleEvent::Missed(count)) => {
                self.missed += count;
                None
            }
            Some(ConsoleEvent::Ended(status)) => Some(status),
            other => panic!("{other:?}; the screen is\n{}", self.screen()),
        }
    }

    pub async fn until(&mut self, text: &str) {
        let began = std::time::Instant::now();
        while !self.screen().contains(text) {
            assert!(began.elapsed() < PATIENCE, "waited in vain for {text:?}; the screen is\n{}", self.screen());
            let ended = self.turn().await;
            assert!(ended.is_none() || self.screen().contains(text), "ended with {ended:?} and without {text:?}:\n{}", self.screen());
        }
    }

    pub async fn end(&mut self) -> i32 {
        loop {
            if let Some(status) = self.turn().await {
                return status;
            }
        }
    }
}

pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

#[test]
fn programs_of_the_whole_screen_work_in_a_pane() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "box", &image, "sleep", "1000"]);
    run(async {
        let engine = engine(&store);
        assert_eq!(engine.shell(&engine.container("box").unwrap()).unwrap(), Shell::Own("/bin/sh".to_owned()));
        let mut pane = Pane::exec(&engine, &["box", "sh"]);
        pane.kind("PS1='> '; stty size; echo $TERM\r");
        pane.until("24 80\nxterm\n>").await;
        pane.handle.resize(30, 70);
        pane.terminal.resize(30, 70);
        pane.kind("stty size\r");
        pane.until("30 70").await;
        pane.kind("vi /tmp/note\r");
        pane.until("~\n~").await;
        assert!(pane.terminal.modes().alternate, "vi draws on the second screen");
        pane.kind("iwritten in vi");
        pane.until("I /tmp/note").await;
        // By itself: with what follows it would be another key.
        pane.kind("\x1b");
        pane.until("- /tmp/note").await;
        pane.kind(":wq\r");
        pane.until("> vi /tmp/note\n>").await;
        assert_eq!(store.ok(&["exec", "box", "cat", "/tmp/note"]), "written in vi");
        pane.kind("top\r");
        pane.until("Load average").await;
        pane.kind("q");
        pane.kind("seq 100 | less\r");
        pane.until("\n29\n").await;
        pane.kind("Gq");
        pane.kind("exit 7\r");
        assert_eq!(pane.end().await, 7);
        assert!(pane.handle.input(b"x".to_vec()).is_err(), "nobody takes it");
    });
}

/// What tmux, a terminal of many years, shows of the same bytes.
fn shown_by_tmux(store: &Store, bytes: &[u8]) -> String {
    std::fs::write(store.path("written"), bytes).unwrap();
    let socket = store.path("tmux").display().to_string();
    // It reads on its own time: once it knows the last word, it has shown all that came before.
    let script = format!("stty raw -echo; cat {}; printf '\\033]2;all is read\\007'; exec sleep 1000", store.path("written").display());
    tool(
        "env",
        &["-u", "TMUX", "tmux", "-S", &socket, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", &script, ";", "set", "-g", "status", "off"],
    );
    until("tmux has read it all", || tool("tmux", &["-S", &socket, "display-message", "-p", "#{pane_title}"]) == "all is read");
    let screen = tool("tmux", &["-S", &socket, "capture-pane", "-p", "-N"]);
    tool("tmux", &["-S", &socket, "kill-server"]);
    screen.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_machines_own_programs_look_as_in_another_terminal() {
    let Some(store) = Store::new() else { return };
    store.ok(&["run", "-d", "--name", "ship", "host", "sleep", "1000"]);
    run(async {
        let engine = engine(&store);
        for (command, steps) in [
            (
                &["vim", "-u", "NONE", "-N", "/etc/os-release"][..],
                &[("", "VERSION_ID"), (":set nu hls\r", " 1 "), ("/ID\rOabc\x1b", "abc"), (":vsplit\r", "|")][..],
            ),
            (&["less", "/etc/services"][..], &[("", "services"), ("/tcp\r", "tcp"), (" ", ":")][..]),
            (&["top", "-b", "-n", "1"][..], &[("", "PID")][..]),
            (&["top"][..], &[("", "PID")][..]),
        ] {
            if ["tmux", command[0]].iter().any(|program| !Path::new("/usr/bin").join(program).exists()) {
                eprintln!("SKIPPED: this machine has no tmux or no {}", command[0]);
                continue;
            }
            let mut pane = Pane::exec(&engine, &[&["ship"], command].concat());
            for (keys, text) in steps {
                pane.kind(keys);
                pane.until(text).await;
            }
            while let Ok(Some(ConsoleEvent::Output(bytes))) = timeout(Duration::from_millis(700), pane.events.recv()).await {
                pane.terminal.feed(&bytes);
                pane.written.extend_from_slice(&bytes);
            }
            let here = pane.screen();
            assert_eq!(here.trim_end(), shown_by_tmux(&store, &pane.written).trim_end(), "{command:?}");
        }
    });
}

#[test]
fn several_see_one_console_and_leaving_ends_nothing() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-dit", "--name", "shared", "-e", "PS1=> ", &image, "sh"]);
    store.ok(&["run", "-d", "--name", "plain", &image, "sh", "-c", "echo one; echo two; sleep 1000"]);
    run(async {
        let engine = engine(&store);
        let attach = |name: &str| Pane::new(Session::attach(&engine, engine.container(name).unwrap(), (24, 80)));
        let (mut one, mut two) = (attach("shared"), attach("shared"));
        one.kind("echo so''me\r");
        one.until("\nsome").await;
        two.until("\nsome").await;
        one.handle.close();
        two.kind("echo mo''re\r");
        two.until("\nmore").await;
        let plain = attach("plain");
        assert!(!plain.handle.is_writable() && plain.handle.input(b"x".to_vec()).is_ok());
        two.kind("exit 3\r");
        assert_eq!(two.end().await, 3);
        let (_, mut refused) = Session::attach(&engine, engine.container("shared").unwrap(), (24, 80));
        let event = timeout(PATIENCE, refused.recv()).await.unwrap();
        assert!(matches!(&event, Some(ConsoleEvent::Failed(error)) if error.message.contains("not running")), "{event:?}");
    });
}

#[test]
fn a_flood_is_bounded_and_starves_no_key() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-dit", "--name", "flood", &image, "sh", "-c", "trap : INT; yes; echo over; sleep 1000"]);
    run(async {
        let engine = engine(&store);
        let mut pane = Pane::new(Session::attach(&engine, engine.container("flood").unwrap(), (24, 80)));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let waiting = pane.events.len();
        assert!(waiting <= 8, "{waiting} events wait for a pane that takes none");
        while pane.missed == 0 {
            assert_eq!(pane.turn().await, None);
        }
        pane.kind("\x03");
        pane.until("over").await;
        // One that was executed for the pane loses nothing: it waits.
        let mut pane = Pane::exec(&engine, &["flood", "sh", "-c", "seq 200000; echo over"]);
        tokio::time::sleep(Duration::from_millis(500)).await;
        pane.until("200000\nover").await;
        assert_eq!((pane.end().await, pane.missed), (0, 0));
        let mut pane = Pane::exec(&engine, &["flood", "yes"]);
        pane.until("y\ny").await;
        pane.kind("\x03");
        assert_eq!(pane.end().await, 130);
        let pane = Pane::exec(&engine, &["flood", "sleep", "1000"]);
        let taken = (0..100).take_while(|_| pane.handle.input(vec![b'x'; 100_000]).is_ok()).count();
        assert!(taken < 30, "a program that reads nothing is given no more than a bound: {taken}");
    });
}

#[test]
fn a_shell_that_was_executed_ends_with_its_pane() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "box", &image, "sleep", "1000"]);
    run(async {
        let engine = engine(&store);
        let mut pane = Pane::exec(&engine, &["box", "sh"]);
        pane.kind("echo be''gun\r");
        pane.until("\nbegun").await;
        assert_eq!(store.ok(&["top", "box"]).lines().count(), 3);
        pane.handle.close();
        until("the shell is gone", || store.ok(&["top", "box"]).lines().count() == 2);
        let events = store.ok(&["events", "--since", "1h", "--until", "0s"]);
        assert!(!events.contains(" kill "), "the container was not killed: {events}");
        let jobs = || store.ok(&["jobs"]);
        let known = jobs().lines().count();
        drop(Session::exec(&engine, Exec { words: vec!["box".to_owned(), "sh".to_owned()], ..Exec::default() }, (24, 80)));
        until("what it began is known", || jobs().lines().count() > known);
        until("a pane that left at once leaves nothing", || {
            jobs().lines().all(|line| !line.contains("running")) && store.ok(&["top", "box"]).lines().count() == 2
        });
    });
}

#[test]
fn an_image_without_a_shell_gets_one_and_keeps_nothing_of_it() {
    let Some(store) = Store::new() else { return };
    let image = store.image("bare:1");
    store.ok(&["run", "-d", "--name", "bare", "-h", "inside", "--pids-limit", "20", &image, "/sleep", "1000"]);
    let before = store.ok(&["diff", "bare"]);
    store.fails(127, &["exec", "bare", "sh"]);
    let script = "hostname; id -u; ls / | grep -c sleep; awk '/CapBnd/{print $2}' /proc/self/status; echo tools | tr a-z A-Z; find /proc/1/comm -exec cat {} +; ls /proc/1/root/sleep";
    assert_eq!(store.ok(&["exec", "--toolbox", "bare", "sh", "-c", script]), "inside\n0\n1\n00000000a80425fb\nTOOLS\nsleep\n/proc/1/root/sleep");
    assert_eq!(store.ok(&["exec", "--toolbox", "bare", "readlink", "/proc/self/exe"]), "/memfd:toolbox (deleted)");
    assert_eq!(
        store.ok(&["exec", "--toolbox", "-u", "1000:1000", "bare", "sh", "-c", "id -u; id -g; awk '/CapEff/{print $2}' /proc/self/status"]),
        "1000\n1000\n0000000000000000"
    );
    assert_eq!(store.fed(b"exit 5\n", &["exec", "-i", "--toolbox", "bare"]).status, 5, "sh, if no command is given");
    let host = std::fs::read("/usr/bin/busybox").unwrap();
    let write = "echo x >/proc/self/exe || echo refused; cat /proc/self/exe | md5sum";
    let seen = store.ok(&["exec", "--toolbox", "bare", "sh", "-c", write]);
    assert!(seen.starts_with("refused"), "{seen}");
    assert!(std::fs::read("/usr/bin/busybox").unwrap() == host, "this machine's own was written to");
    run(async {
        let engine = engine(&store);
        let container = engine.container("bare").unwrap();
        let shell = engine.shell(&container).unwrap();
        assert_eq!(shell, Shell::Toolbox);
        let mut pane = Pane::new(Session::exec(&engine, Exec::shell(&container, shell), (24, 80)));
        pane.kind("echo $0 in a pane; ls /\r");
        pane.until("sh in a pane\n").await;
        pane.until("sleep").await;
        pane.kind("exit\r");
        assert_eq!(pane.end().await, 0);
    });
    assert_eq!(store.ok(&["diff", "bare"]), before);
    let many = "for n in $(seq 40); do sleep 1000 & done; wait";
    let limited = store.kapal(&["exec", "--toolbox", "bare", "sh", "-c", many]);
    assert!(limited.status != 0 && limited.err.contains("fork"), "the container's limit counts: {limited:?}");
}
