//! Health checks on real processes: what they find, what follows, and that nothing waits for them or stays behind.

use crate::store::{Store, in_guest, processes_of, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;

/// A main process that ends at once when it is told to; before it says that it listens, nobody can tell it.
const SERVE: [&str; 3] = ["sh", "-c", "trap 'exit 4' TERM; touch /tmp/listens; echo listens; while :; do sleep 0.05; done"];

/// Starts a container that serves, with these options; it has listened when this comes back.
fn serve(store: &Store, image: &str, name: &str, options: &[&str]) {
    let mut words = vec!["run", "-d", "--name", name, "--network", "none"];
    words.extend(options);
    if options.contains(&"--health-cmd") && !options.contains(&"--health-interval") {
        words.extend(["--health-interval", "50ms"]);
    }
    words.push(image);
    words.extend(SERVE);
    store.ok(&words);
    until("it listens", || store.kapal(&["logs", name]).out.contains("listens"));
}

fn health(store: &Store, name: &str) -> String {
    store.field(name, ".State.Health.Status")
}

fn last_probe(store: &Store, name: &str) -> serde_json::Value {
    let log: Vec<serde_json::Value> = serde_json::from_str(&store.field(name, "json .State.Health.Log")).unwrap();
    log.last().cloned().unwrap_or_default()
}

fn probes(store: &Store, name: &str) -> usize {
    store.field(name, "len .State.Health.Log").parse().unwrap()
}

fn names(store: &Store, filter: &str) -> String {
    store.ok(&["ps", "--filter", filter, "--format", "{{.Names}}"])
}

#[test]
fn a_container_is_well_or_not_and_everybody_is_told() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    serve(&store, &image, "plain", &[]);
    serve(&store, &image, "slow", &["--health-cmd", "true", "--health-interval", "1h"]);
    let command = "test -e /tmp/well || { echo not yet; exit 3; }";
    serve(&store, &image, "asked", &["--health-cmd", command, "--health-retries", "2", "--health-timeout", "1m30s"]);
    until("it is unhealthy", || health(&store, "asked") == "unhealthy");
    assert!(store.ok(&["ps", "--filter", "name=asked", "--format", "{{.Status}}"]).ends_with("(unhealthy)"));
    assert!(store.ok(&["ps", "--filter", "name=slow", "--format", "{{.Status}}"]).ends_with("(health: starting)"));
    assert!(!store.ok(&["ps", "--filter", "name=plain", "--format", "{{.Status}}"]).contains('('));
    assert_eq!(
        (names(&store, "health=unhealthy"), names(&store, "health=starting"), names(&store, "health=none")),
        ("asked".into(), "slow".into(), "plain".into())
    );
    // As docker shows the same container.
    assert_eq!(
        store.field("asked", "json .Config.Healthcheck"),
        format!(r#"{{"Test":["CMD-SHELL","{command}"],"Interval":50000000,"Timeout":90000000000,"Retries":2}}"#)
    );
    let probe = last_probe(&store, "asked");
    assert_eq!((&probe["ExitCode"], &probe["Output"]), (&3.into(), &"not yet\n".into()));
    assert_eq!(probe.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), ["Start", "End", "ExitCode", "Output"]);
    assert!(probe["Start"].as_str() < probe["End"].as_str());
    assert!(store.field("asked", ".State.Health.FailingStreak").parse::<u32>().unwrap() >= 2);
    store.ok(&["exec", "asked", "touch", "/tmp/well"]);
    until("it is well", || health(&store, "asked") == "healthy");
    assert_eq!(store.field("asked", ".State.Health.FailingStreak"), "0");
    assert_eq!(names(&store, "health=healthy"), "asked");
    let told = store.ok(&["events", "--since", "1h", "--until", "0s", "--filter", "event=health_status", "--format", "{{.Action}}"]);
    assert_eq!(told, "health_status: unhealthy\nhealth_status: healthy");
    store.ok(&["stop", "-t", "0", "asked"]);
    let before = last_probe(&store, "asked");
    assert_eq!(health(&store, "asked"), "unhealthy", "what has ended is not well");
    store.ok(&["start", "asked"]);
    assert!(health(&store, "asked") != "unhealthy", "a start begins anew");
    until("it was asked again", || last_probe(&store, "asked")["Start"].as_str() > before["Start"].as_str());
    assert_eq!(health(&store, "asked"), "healthy");
    assert!(store.fails(1, &["ps", "--filter", "health=ill"]).contains("starting|healthy|unhealthy|none"));
}

#[test]
fn a_probe_runs_as_the_container_does() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let probe = "echo $(id -u) $COLOUR $OWN $(pwd) $(hostname) $(awk '/CapBnd/{print $2}' /proc/self/status); exit 1";
    serve(&store, &image, "same", &["-u", "someone", "-w", "/home/someone", "-e", "OWN=x", "-h", "inside", "--cap-drop", "ALL", "--health-cmd", probe]);
    until("it was asked", || probes(&store, "same") > 0);
    assert_eq!(last_probe(&store, "same")["Output"], "1000 blue x /home/someone inside 0000000000000000\n");
    // Nothing to execute is an answer, too.
    let bare = store.image("bare:1");
    store.ok(&["run", "-d", "--name", "bare", "--network", "none", "--health-cmd", "true", "--health-interval", "50ms", &bare, "/sleep", "1000"]);
    until("it was asked", || probes(&store, "bare") > 0);
    let probe = last_probe(&store, "bare");
    assert!(probe["ExitCode"] == -1 && probe["Output"].as_str().unwrap().contains("/bin/sh"), "{probe}");
}

#[test]
fn a_probe_out_of_time_goes_with_all_that_it_started() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    // One in its own session, one whose parent is gone, one of both, and itself.
    let child = |n: u32| format!("sh -c 'touch /tmp/{n}; exec sleep {n}'");
    let tree = format!("setsid {} & ({} &); (setsid {} &); echo begun; sleep 1004", child(1001), child(1002), child(1003));
    let probe = format!("test -e /tmp/well && exit 0; {tree}");
    // Within it all of them are to have begun.
    let time = if in_guest() { "1m0s" } else { "5s" };
    serve(&store, &image, "hangs", &["--health-cmd", &probe, "--health-timeout", time, "--health-interval", "1h"]);
    let refused = store.fails(1, &["healthcheck", "run", "hangs"]);
    assert!(refused.contains(&format!("hangs is unhealthy: Health check exceeded timeout ({time}): begun")), "{refused}");
    let probe = last_probe(&store, "hangs");
    assert_eq!((&probe["ExitCode"], probe["Output"].as_str().unwrap()), (&(-1).into(), &*format!("Health check exceeded timeout ({time}): begun\n")));
    store.ok(&["exec", "hangs", "test", "-e", "/tmp/1001", "-a", "-e", "/tmp/1002", "-a", "-e", "/tmp/1003"]);
    until("none of them runs any more", || !store.ok(&["top", "hangs"]).contains("sleep 100"));
    assert!(store.ok(&["top", "hangs"]).contains("trap"), "and the container goes on");
    // What was killed once can be begun again.
    store.ok(&["exec", "hangs", "touch", "/tmp/well"]);
    store.ok(&["healthcheck", "run", "hangs"]);
}

#[test]
fn a_probe_that_writes_for_ever_is_cut_short_and_holds_nobody_up() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let probe = "printf '\\377'; yes $(printf '\\303\\251')";
    // It is to be met while it shouts.
    let time = if in_guest() { "30s" } else { "2s" };
    store.ok(&[
        "run",
        "-d",
        "--name",
        "shouts",
        "--network",
        "none",
        "--health-cmd",
        probe,
        "--health-interval",
        "50ms",
        "--health-timeout",
        time,
        &image,
        "sh",
        "-c",
        "while :; do echo line; sleep 0.05; done",
    ]);
    until("a probe shouts", || store.ok(&["top", "shouts"]).contains("yes"));
    let lines = || store.ok(&["logs", "shouts"]).lines().count();
    let before = lines();
    until("the log goes on", || lines() > before + 3);
    assert_eq!(store.ok(&["exec", "shouts", "echo", "on"]), "on");
    // One that was held up so long that it wrote nothing is followed by others.
    let told = format!("Health check exceeded timeout ({time}): \u{fffd}é\n");
    let mut output = String::new();
    until("it is over", || {
        output = last_probe(&store, "shouts")["Output"].as_str().unwrap_or_default().to_owned();
        output.starts_with(&told)
    });
    assert!(output.ends_with("..."), "{output}");
    assert!(output.len() < 4096 + 100, "{}", output.len());
}

#[test]
fn what_a_probe_leaves_running_holds_up_neither_the_next_nor_the_end() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    serve(&store, &image, "leaves", &["--health-cmd", "setsid yes & exit 0"]);
    until("it was asked often", || probes(&store, "leaves") == 5);
    assert_eq!(health(&store, "leaves"), "healthy");
    store.ok(&["stop", "-t", "1000", "leaves"]);
    assert_eq!(store.field("leaves", ".State.ExitCode"), "4");
}

#[test]
fn an_end_does_not_wait_for_a_probe() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    for (name, more) in [("own", &[][..]), ("shared", &["--pid", "host"])] {
        let hangs = ["--health-cmd", "trap '' TERM; (setsid sleep 1001 &); sleep 1002", "--health-timeout", "1h"];
        serve(&store, &image, name, &[&hangs[..], more].concat());
        until("a probe hangs", || store.ok(&["top", name]).contains("sleep 1002"));
        // It ends by itself, long before either time is over; that nothing of it stays is proved at the end.
        store.ok(&["stop", "-t", "1000", name]);
        assert_eq!((store.field(name, ".State.ExitCode"), probes(&store, name)), ("4".into(), 0), "the probe's death is no answer");
        store.ok(&["rm", name]);
        assert!(!processes_of(&store.base).iter().any(|pid| crate::store::name_of(*pid) == "sleep"));
    }
    // The death of a probe with its container is nothing to be healed.
    let die = ["run", "-d", "--name", "dies", "--network", "none", "--health-cmd", "touch /tmp/asked; sleep 1000", "--health-interval", "50ms"];
    let more = ["--health-retries", "1", "--health-on-failure", "restart", &image, "sh", "-c", "until [ -e /tmp/asked ]; do sleep 0.05; done; exit 9"];
    store.ok(&[&die[..], &more[..]].concat());
    assert_eq!(store.ok(&["wait", "dies"]), "9");
    assert_eq!((store.field("dies", ".RestartCount"), store.field("dies", ".State.Status")), ("0".into(), "exited".into()));
}

#[test]
fn what_follows_is_what_was_asked_for() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let follows = |name: &str, action: &str, more: &[&str]| {
        let ill = "until [ -e /tmp/listens ]; do sleep 0.05; done; false";
        serve(&store, &image, name, &[&["--health-cmd", ill, "--health-retries", "2", "--health-on-failure", action], more].concat());
    };
    let ended = |name: &str| (store.field(name, ".State.ExitCode"), store.field(name, ".RestartCount"), store.field(name, ".HostConfig.HealthOnFailure"));
    follows("killed", "kill", &[]);
    assert_eq!(store.ok(&["wait", "killed"]), "137");
    assert_eq!(ended("killed"), ("137".into(), "0".into(), "kill".into()));
    follows("stopped", "stop", &["--restart", "always"]);
    until("it was stopped", || store.field("stopped", ".State.Status") == "exited");
    assert_eq!(ended("stopped"), ("4".into(), "0".into(), "stop".into()));
    follows("policy", "kill", &["--restart", "on-failure"]);
    follows("restarted", "restart", &[]);
    for name in ["policy", "restarted"] {
        until("it was started again", || store.field(name, ".RestartCount").parse::<u32>().unwrap() >= 2);
        store.ok(&["stop", "-t", "0", name]);
        assert_eq!(store.field(name, ".State.Status"), "exited", "the user's word is the last");
    }
    follows("none", "none", &[]);
    until("it is unhealthy", || health(&store, "none") == "unhealthy");
    assert_eq!(store.field("none", ".State.Status"), "running");
    assert!(store.fails(1, &["create", "--health-on-failure", "kill", &image]).contains("--health-cmd"));
}

#[test]
fn an_image_s_check_is_taken_over_and_kept() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["create", "--name", "base", "--health-cmd", "own", "--health-retries", "7", &image]);
    let made = store.ok(&["commit", "base", "kept:1"]);
    assert_eq!(store.field("kept:1", "json .Config.Healthcheck"), r#"{"Test":["CMD-SHELL","own"],"Retries":7}"#);
    assert!(made.starts_with("sha256:"));
    let change = "HEALTHCHECK --interval=50ms --start-period=1h --start-interval=60ms CMD [\"echo\", \"a b\"]";
    store.ok(&["commit", "-c", change, "base", "asks:1"]);
    store.ok(&["run", "-d", "--name", "asked", "--network", "none", "asks:1", "sleep", "1000"]);
    until("it is well", || health(&store, "asked") == "healthy");
    assert_eq!(last_probe(&store, "asked")["Output"], "a b\n");
    let shown = |name: &str| store.field(name, "json .Config.Healthcheck");
    assert_eq!(shown("asked"), r#"{"Test":["CMD","echo","a b"],"Interval":50000000,"StartPeriod":3600000000000,"StartInterval":60000000}"#);
    store.ok(&["create", "--name", "other", "--health-timeout", "3s", "--health-interval", "2s", "asks:1"]);
    assert_eq!(
        shown("other"),
        r#"{"Test":["CMD","echo","a b"],"Interval":2000000000,"Timeout":3000000000,"StartPeriod":3600000000000,"StartInterval":60000000}"#
    );
    store.ok(&["run", "-d", "--name", "silent", "--network", "none", "--no-healthcheck", "asks:1", "sleep", "1000"]);
    assert!(shown("silent").starts_with(r#"{"Test":["NONE"],"Interval":50000000"#));
    assert_eq!(store.field("silent", "json .State.Health"), "null");
    assert!(!store.ok(&["ps", "--filter", "name=silent", "--format", "{{.Status}}"]).contains('('));
    assert!(store.fails(1, &["create", "--no-healthcheck", "--health-cmd", "x", "asks:1"]).contains("conflicts"));
    assert!(store.fails(1, &["create", "--health-interval", "1us", "asks:1"]).contains("Interval in Healthcheck cannot be less than 1ms"));
    let warned = store.kapal(&["create", "--health-interval", "1s", &image]);
    assert!(warned.status == 0 && warned.err.contains("no effect"), "{warned:?}");
}

#[test]
fn what_is_frozen_is_not_asked() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let gate = format!("{}:/gate", store.base.display());
    serve(&store, &image, "frozen", &["-v", &gate, "--health-cmd", "echo x >>/gate/asked; sleep 0.1", "--health-interval", "20ms"]);
    let asked = || std::fs::read_to_string(store.path("asked")).unwrap_or_default().lines().count();
    until("it was asked", || health(&store, "frozen") == "healthy");
    store.ok(&["pause", "frozen"]);
    let (before, known) = (asked(), store.field("frozen", "json .State.Health"));
    assert!(store.fails(1, &["healthcheck", "run", "frozen"]).contains("is paused"));
    // Long enough for several, were it asked.
    std::thread::sleep(std::time::Duration::from_millis(if in_guest() { 5000 } else { 500 }));
    assert_eq!((asked(), store.field("frozen", "json .State.Health")), (before, known));
    store.ok(&["unpause", "frozen"]);
    until("it is asked again", || asked() > before + 1);
    assert_eq!(health(&store, "frozen"), "healthy", "a probe that a pause cut short is no answer");
    store.ok(&["pause", "frozen"]);
    store.ok(&["stop", "-t", "1000", "frozen"]);
}

#[test]
fn anybody_can_ask_at_once() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    serve(&store, &image, "asked", &["--health-cmd", "test -e /tmp/well || { echo not yet; exit 3; }", "--health-interval", "1h", "--health-retries", "1"]);
    let refused = store.fails(1, &["healthcheck", "run", "asked"]);
    assert!(refused.contains("asked is unhealthy: its check ended with status 3: not yet"), "{refused}");
    assert_eq!((health(&store, "asked").as_str(), probes(&store, "asked")), ("unhealthy", 1));
    store.ok(&["exec", "asked", "touch", "/tmp/well"]);
    store.ok(&["healthcheck", "run", "asked"]);
    assert_eq!(health(&store, "asked"), "healthy");
    serve(&store, &image, "plain", &[]);
    assert!(store.fails(1, &["healthcheck", "run", "plain"]).contains("has no health check"));
    store.ok(&["stop", "-t", "0", "plain"]);
    assert!(store.fails(1, &["healthcheck", "run", "plain"]).contains("is not running"));
    // The container's end is the end of the question.
    serve(&store, &image, "hangs", &["--health-cmd", "sleep 1000", "--health-interval", "1h"]);
    let asks = store.command(&["healthcheck", "run", "hangs"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("it is asked", || store.ok(&["top", "hangs"]).contains("sleep 1000"));
    store.ok(&["stop", "-t", "1000", "hangs"]);
    assert_eq!(asks.wait_with_output().unwrap().status.code(), Some(1));
}

#[test]
fn a_probe_dies_with_its_monitor() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    for (name, more) in [("own", &[][..]), ("shared", &["--pid", "host"])] {
        let hangs = ["--health-cmd", "(setsid sleep 1001 &); sleep 1002", "--health-timeout", "1h"];
        serve(&store, &image, name, &[&hangs[..], more].concat());
        until("a probe hangs", || store.ok(&["top", name]).contains("sleep 1002"));
        let monitor = store.field(name, ".State.MonitorPid").parse().unwrap();
        kill(Pid::from_raw(monitor), Signal::SIGKILL).unwrap();
        until("its end is seen", || store.field(name, ".State.Status") == "exited");
        assert_eq!(health(&store, name), "unhealthy");
        until("nothing of it is left", || processes_of(&store.base).is_empty());
        store.ok(&["rm", name]);
    }
}
