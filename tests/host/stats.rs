//! `stats` and `top`: what containers use and what runs in them, as the command line tells it.

use crate::store::{Store, finish, until};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

#[test]
fn figures_are_those_of_the_container() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "busy", "--network", "none", "-m", "64m", &image, "sh", "-c", "while :; do :; done"]);
    store.ok(&["run", "-d", "--name", "idle", &image, "sleep", "1000"]);
    store.ok(&["create", "--name", "never", &image, "true"]);
    let template = "{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}}|{{.Container}}";
    // In a second in which the machine did something else it uses nothing.
    until("it is busy", || {
        let told = store.ok(&["stats", "--no-stream", "--format", template, "busy"]);
        let fields: Vec<&str> = told.split('|').collect();
        assert!(fields[0] == "busy" && fields[2].ends_with("B / 64MiB") && fields[3] == "1" && fields[4] == "busy", "{told}");
        fields[1].trim_end_matches('%').parse::<f64>().unwrap() > 1.0
    });
    let table = store.ok(&["stats", "--no-stream"]);
    assert!(table.starts_with("CONTAINER ID   NAME      CPU %"), "{table}");
    assert!(table.contains("MEM USAGE / LIMIT") && table.contains("busy") && table.contains("idle") && !table.contains("never"), "{table}");
    assert!(!table.contains('\x1b'), "nothing but text goes into a pipe");
    let all = store.ok(&["container", "stats", "-a", "--no-stream", "--no-trunc", "--format", "{{.Name}} {{.ID}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}"]);
    let never = all.lines().find(|line| line.starts_with("never ")).unwrap();
    assert!(never.ends_with(" -- -- / -- --") && never.len() > 64, "what does not run is not nought: {never}");
    for line in store.ok(&["stats", "--no-stream", "--format", "json"]).lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"] {
            assert!(row[key].is_string(), "{key}: {line}");
        }
    }
    let result = store.fed(b"stats --no-stream busy", &["--batch", "-", "--format", "json"]).out;
    let result: serde_json::Value = serde_json::from_str(result.lines().last().unwrap()).unwrap();
    assert_eq!(result["result"][0]["Name"], "busy");
    assert!(store.fails(1, &["stats", "nobody"]).contains("nobody"));
    assert!(store.fails(1, &["stats", "--format", "{{.Name"]).contains("template"));
}

/// A `stats` that goes on, its lines as they come.
struct Stream {
    child: Child,
    lines: Receiver<String>,
}

impl Stream {
    fn open(store: &Store, arguments: &[&str]) -> Self {
        let mut child = store.command(&[&["stats", "--format", "{{.Name}} {{.CPUPerc}}"], arguments].concat()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// The next lines until one is as wanted; false if there is an end first.
    fn comes(&self, wanted: impl Fn(&str) -> bool) -> bool {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(120)) {
                Ok(line) if wanted(&line) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    fn interrupted(mut self) -> i32 {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id() as i32), nix::sys::signal::SIGINT).unwrap();
        crate::store::status_of(self.child.wait().unwrap())
    }
}

#[test]
fn containers_come_and_go_while_one_looks() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "first", &image, "sleep", "1000"]);
    let (everyone, named) = (Stream::open(&store, &[]), Stream::open(&store, &["first"]));
    assert!(everyone.comes(|line| line.starts_with("first ")) && named.comes(|line| line.starts_with("first ") && line.ends_with('%')));
    store.ok(&["run", "-d", "--name", "second", &image, "sleep", "1000"]);
    assert!(everyone.comes(|line| line.starts_with("second ")));
    store.ok(&["stop", "-t", "0", "first"]);
    assert!(named.comes(|line| line == "first --"), "one that was named stays");
    assert!(everyone.comes(|line| line.starts_with("second ")));
    assert_eq!(everyone.interrupted(), 130);
    store.ok(&["start", "first"]);
    assert!(named.comes(|line| line.ends_with('%')), "started again it is counted again");
    store.ok(&["rm", "-f", "first"]);
    assert!(!named.comes(|line| line == "nothing more"));
    let mut named = named;
    assert_eq!(named.child.wait().unwrap().code(), Some(0), "nobody is left to look at");
}

#[test]
fn processes_are_shown_as_ps_shows_them() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-dt", "--name", "several", &image, "sh", "-c", "sleep 1000 & sleep 2000 & sleep 3000; true"]);
    until("all of them run", || store.ok(&["top", "several", "-o", "pid"]).lines().count() == 5);
    assert!(store.ok(&["top", "several"]).starts_with("UID       PID"));
    assert!(store.ok(&["top", "several", "aux"]).contains("%CPU      %MEM"));
    let by_age = store.ok(&["top", "several", "-eo", "pid,args", "--sort=-pid"]);
    let pids: Vec<&str> = by_age.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let mut sorted = pids.clone();
    sorted.sort_by_key(|pid| std::cmp::Reverse(pid.parse::<u32>().unwrap()));
    assert_eq!(pids, sorted);
    assert!(store.fails(1, &["top", "several", "-o", "shoe"]).contains("shoe"));
    if finish(Command::new("ps").arg("--version"), None).status != 0 {
        eprintln!("SKIPPED: there is no ps to compare with");
        return;
    }
    let columns = "pid,ppid,pgid,sid,user,uid,ni,nlwp,vsz,rss,s,stat,stime,comm,args";
    let words = |text: &str| text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>();
    let ours = || words(&store.ok(&["top", "several", "-o", columns, "--sort", "pid"]));
    let theirs = || words(&finish(Command::new("ps").args(["-ww", "-o", columns, "--sort", "pid", "-p", &sorted.join(",")]).env("LC_ALL", "C"), None).out);
    // One that has just been forked is about to become another program; once all of them wait, nothing changes.
    until("all of them wait", || ours().iter().filter(|line| line.get(13).is_some_and(|comm| comm == "sleep")).count() == 3 && ours() == theirs());
    assert_eq!(ours(), theirs());
    // Whether ps knows a terminal depends on those that this machine happens to have open.
    assert_eq!(words(&store.ok(&["top", "several", "-o", "pid,tname"])).iter().filter(|line| line.get(1).is_some_and(|tty| tty == "pts/0")).count(), 4);
}
