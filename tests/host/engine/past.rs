//! What a container's monitor keeps of its past, and tells who asks.

use crate::store::{Store, name_of, processes_of, until};
use kapal::container::Container;
use kapal::engine::past::{Happening, Moment, Past};
use kapal::engine::stats::Detail;
use kapal::engine::{Engine, Kind};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

/// An engine on a store, with what it takes to ask.
struct Reader {
    engine: Engine,
    runtime: tokio::runtime::Runtime,
}

impl Reader {
    fn new(store: &Store) -> Self {
        Self { engine: store.engine(), runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap() }
    }

    fn container(&self, name: &str) -> Container {
        self.engine.containers().unwrap().into_iter().find(|container| container.name == name).unwrap()
    }

    fn past(&self, name: &str, since: Option<i64>) -> Past {
        self.runtime.block_on(self.engine.past(&self.container(name), since)).unwrap()
    }

    /// Waits for something that is to happen to a container.
    #[track_caller]
    fn happens(&self, name: &str, what: impl Fn(&Happening) -> bool) -> Happening {
        let mut found = None;
        until("it happens", || {
            found = self.past(name, None).occurrences.into_iter().map(|occurrence| occurrence.what).find(&what);
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until a container has a past of so many seconds.
    #[track_caller]
    fn seconds(&self, name: &str, count: usize) -> Vec<Moment> {
        let mut seconds = Vec::new();
        until("time passes", || {
            seconds = self.past(name, None).seconds;
            seconds.len() >= count
        });
        seconds
    }
}

#[test]
fn each_second_is_told_as_it_was() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "busy", "--cpus", "1", "-m", "64m", &image, "sh", "-c", "while :; do :; done"]);
    store.ok(&["run", "-d", "--name", "holder", &image, "sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; exec sleep 1000"]);
    let reader = Reader::new(&store);
    let mut sampler = reader.engine.sampler(Detail::Full);
    let mut sample = || {
        let busy = reader.container("busy");
        sampler.sample(std::slice::from_ref(&busy)).unwrap();
        sampler.of(&busy.id).unwrap().clone()
    };
    let first = sample();
    let known = reader.seconds("busy", 1);
    let begun = known.last().unwrap().at;
    reader.seconds("busy", known.len() + 4);
    // A loop keeps one processor busy, as far as the machine lets it: what it used in these seconds, it used between the two samples.
    // One that came late tells too much or too little of its second; the longer, the less that counts.
    let mut told = Vec::new();
    until("what is told is what was used", || {
        told = reader.past("busy", Some(begun)).seconds;
        let used = sample().rate(&first).unwrap().cpu.unwrap();
        let sum: f64 = told.iter().map(|moment| f64::from(moment.cpu.unwrap())).sum();
        let share = sum / (told.last().unwrap().at - begun) as f64;
        share > 0.3 * used && share < 1.1
    });
    assert!(told.len() >= 4 && told[0].at > begun && told.windows(2).all(|two| two[0].at < two[1].at), "{told:?}");
    let moment = told.last().unwrap();
    assert_eq!((moment.cpu_limit, moment.memory_limit, moment.processes), (Some(1.0), Some(64 << 20), Some(1)));
    assert!(moment.sent.is_some_and(|rate| rate >= 0.0) && moment.throttled.is_some_and(|share| (0.0..=1.0).contains(&share)), "{moment:?}");
    let held = reader.seconds("holder", 2).last().unwrap().memory;
    assert!(held.is_some_and(|bytes| (20 << 20..40 << 20).contains(&bytes)), "{held:?}");
    // Only what is new, and together the whole.
    let mut past = reader.past("holder", None);
    let since = past.last().unwrap();
    reader.seconds("holder", past.seconds.len() + 2);
    let newer = reader.past("holder", Some(since));
    assert!(newer.seconds.len() >= 2 && newer.seconds[0].at > since, "{newer:?}");
    past.append(newer);
    let whole = reader.past("holder", None);
    assert!(whole.seconds.starts_with(&past.seconds) && whole.occurrences == past.occurrences, "{past:?} {whole:?}");
    assert_eq!(past.occurrences.iter().map(|occurrence| &occurrence.what).collect::<Vec<_>>(), [&Happening::Started]);
    store.ok(&["pause", "holder"]);
    store.ok(&["unpause", "holder"]);
    let told: Vec<Happening> = reader.past("holder", past.last()).occurrences.into_iter().map(|occurrence| occurrence.what).collect();
    assert!(told.ends_with(&[Happening::Paused, Happening::Unpaused]), "{told:?}");
    // Who does not run has none.
    store.ok(&["stop", "-t", "0", "holder"]);
    assert_eq!(reader.past("holder", None), Past::default());
}

#[test]
fn it_goes_on_over_restarts() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let script = "trap 'exit 3' TERM; while :; do sleep 0.1; done";
    store.ok(&["run", "-d", "--name", "again", "--restart", "always", &image, "sh", "-c", script]);
    let reader = Reader::new(&store);
    let before = reader.seconds("again", 2);
    let first = reader.container("again").state.pid;
    kill(Pid::from_raw(first), Signal::SIGTERM).unwrap();
    assert_eq!(reader.happens("again", |what| matches!(what, Happening::Restarted(_))), Happening::Restarted(3));
    let after = reader.seconds("again", before.len() + 1);
    assert!(after.starts_with(&before) && reader.container("again").state.pid != first, "{before:?} {after:?}");
}

#[test]
fn a_kill_for_want_of_memory_is_told_with_its_victim() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let glutton = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null";
    let script = format!("read go; {glutton}; echo bitten; read go; exec {glutton}");
    let mut command = store.command(&["run", "-i", "--name", "eater", "-m", "32m", "--restart", "on-failure:1", &image, "sh", "-c", &script]);
    let mut run = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    until("it runs", || store.kapal(&["inspect", "--format", "{{.State.Status}}", "eater"]).out == "running");
    let reader = Reader::new(&store);
    let container = reader.container("eater");
    // A second and more: then the kernel's alarm is heard.
    reader.seconds("eater", 1);
    let mut input = run.stdin.take().unwrap();
    let is_kill = |what: &Happening| matches!(what, Happening::OomKill { .. });
    let check = |what: Happening| {
        let Happening::OomKill { victim, cgroup } = what else { panic!("{what:?}") };
        if std::fs::OpenOptions::new().read(true).open("/dev/kmsg").is_err() {
            eprintln!("SKIPPED: without CAP_SYSLOG nobody tells the victim");
            return;
        }
        let number = victim.strip_prefix("dd (").and_then(|rest| rest.strip_suffix(')')).and_then(|number| number.parse::<i32>().ok());
        assert!(number.is_some_and(|number| number != container.state.pid), "{victim}");
        assert!(cgroup.ends_with(&format!("/kapal/{}", container.id)), "{cgroup}");
    };
    std::io::Write::write_all(&mut input, b"go\n").unwrap();
    check(reader.happens("eater", is_kill));
    assert_eq!(store.field("eater", ".State.Status"), "running");
    let told = || store.ok(&["events", "--since", "1h", "--until", "0s", "--filter", "event=oom"]).lines().count();
    assert_eq!(told(), 1, "it lives, and its event is told");
    // Now its first process: of that, too, what is started again knows.
    std::io::Write::write_all(&mut input, b"go\n").unwrap();
    reader.happens("eater", |what| *what == Happening::Restarted(137));
    let all: Vec<Happening> = reader.past("eater", None).occurrences.into_iter().map(|occurrence| occurrence.what).filter(is_kill).collect();
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(told(), 2);
    store.ok(&["rm", "-f", "eater"]);
    drop(input);
    run.wait().unwrap();
}

#[test]
fn who_is_held_back_or_refused_says_so() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    // A shell that cannot fork ends; it is one of its own.
    let many = "(for n in $(seq 40); do sleep 1000 & done) 2>/dev/null; while :; do :; done";
    store.ok(&["run", "-d", "--name", "caged", "--cpus", "0.1", "--pids-limit", "10", &image, "sh", "-c", many]);
    let reader = Reader::new(&store);
    reader.happens("caged", |what| *what == Happening::Throttled);
    reader.happens("caged", |what| *what == Happening::TooManyProcesses);
    // After a second that was told late comes a short one, in which a whole period's allowance may lie.
    let mut count = 3;
    until("it has what it may have", || {
        let seconds = reader.seconds("caged", count);
        assert!(seconds.iter().all(|moment| moment.cpu_limit == Some(0.1)), "{seconds:?}");
        count = seconds.len() + 1;
        seconds.iter().map(|moment| moment.cpu.unwrap()).sum::<f32>() < 0.3 * seconds.len() as f32
    });
    let occurrences = reader.past("caged", None).occurrences;
    assert_eq!(occurrences.iter().filter(|occurrence| occurrence.what == Happening::Throttled).count(), 1, "{occurrences:?}");
}

#[test]
fn a_past_ends_with_its_monitor() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "lonely", &image, "sleep", "1000"]);
    let reader = Reader::new(&store);
    reader.seconds("lonely", 1);
    let container = reader.container("lonely");
    let monitor = Pid::from_raw(container.state.monitor_pid);
    // One that does not answer is not waited for for ever.
    kill(monitor, Signal::SIGSTOP).unwrap();
    let asked = reader.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), reader.engine.past(&container, None)).await });
    assert_eq!(asked.unwrap().unwrap_err().kind, Kind::Unavailable);
    kill(monitor, Signal::SIGKILL).unwrap();
    until("its end is told", || reader.past("lonely", None) == Past::default());
    until("it is ended", || store.field("lonely", ".State.Status") == "exited");
    let left: Vec<String> = processes_of(&store.base).into_iter().map(name_of).filter(|name| name.starts_with("kapal-mon")).collect();
    assert_eq!(left, [""; 0]);
}
