//! The life of a container: its verbs, limits, logs, clients and restarts.

use crate::store::{Store, until};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

#[test]
fn verbs_say_what_they_did() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let id = store.ok(&["create", "--name", "first", &image, "sh", "-c", "echo up; exec sleep 1000"]);
    assert_eq!(id.len(), 64);
    let status = || store.field("first", ".State.Status");
    assert_eq!(status(), "created");
    assert_eq!(store.ok(&["start", "first"]), "first");
    assert_eq!(status(), "running");
    until("it is up", || store.ok(&["logs", "first"]) == "up");
    assert!(store.fails(1, &["rm", "first"]).contains("first"));
    store.ok(&["pause", "first"]);
    assert_eq!(status(), "paused");
    store.ok(&["unpause", "first"]);
    assert_eq!(status(), "running");
    store.ok(&["restart", "-t", "0", "first"]);
    assert_eq!(status(), "running");
    until("both lines are logged", || store.ok(&["logs", "first"]) == "up\nup");
    store.ok(&["rename", "first", "second"]);
    assert_eq!(store.ok(&["ps", "--format", "{{.Names}}"]), "second");
    store.ok(&["stop", "-t", "0", "second"]);
    assert_eq!(store.field("second", ".State.ExitCode"), "137");
    assert_eq!(store.ok(&["wait", &id[..8]]), "137");
    store.fails(1, &["kill", "second"]);
    assert!(store.fails(125, &["run", "--name", "second", &image, "true"]).contains("second"));
    store.ok(&["rm", "second"]);
    assert!(store.fails(1, &["start", "second"]).contains("second"));
    assert_eq!(store.ok(&["ps", "-aq"]), "");
}

#[test]
fn a_limit_is_kept() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let done = store.kapal(&["run", "--name", "big", "-m", "32m", "--memory-swap", "32m", &image, "dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]);
    assert_eq!(done.status, 137, "{}", done.err);
    assert_eq!(store.field("big", ".State.OOMKilled"), "true");
    let many = "for n in $(seq 40); do sleep 1000 & done; wait";
    let done = store.kapal(&["run", "--rm", "--pids-limit", "10", &image, "sh", "-c", many]);
    assert!(done.status != 0 && done.err.contains("fork"), "{done:?}");
}

#[test]
fn a_weight_that_nothing_heeds_is_told() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let disks = std::fs::read_dir("/sys/block").unwrap().filter_map(|disk| std::fs::read_to_string(disk.unwrap().path().join("queue/scheduler")).ok());
    let heeded = disks.into_iter().any(|schedulers| schedulers.contains("[bfq]"));
    let done = store.kapal(&["run", "--rm", "--blkio-weight", "300", &image, "true"]);
    if done.status == 0 {
        assert_eq!(done.err.contains("WARNING: --blkio-weight has no effect"), !heeded, "{}", done.err);
    } else {
        // A kernel that has no weights at all.
        assert!(done.status == 125 && done.err.contains("--blkio-weight"), "{done:?}");
    }
}

#[test]
fn exec_joins_a_running_container() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "host1", "-h", "inside", "-e", "A=1", &image, "sleep", "1000"]);
    assert_eq!(store.ok(&["exec", "host1", "hostname"]), "inside");
    assert_eq!(store.ok(&["exec", "-e", "B=2", "-w", "/tmp", "-u", "someone", "host1", "sh", "-c", "echo $A$B $(pwd) $(id -u)"]), "12 /tmp 1000");
    assert_eq!(store.fed(b"typed", &["exec", "-i", "host1", "cat"]).out, "typed");
    assert_eq!(store.kapal(&["exec", "host1", "sh", "-c", "exit 9"]).status, 9);
    store.fails(127, &["exec", "host1", "nosuchprogram"]);
    store.fails(126, &["exec", "host1", "/bin/data"]);
    store.fails(137, &["exec", "host1", "sh", "-c", "kill -9 $$"]);
    assert_eq!(store.ok(&["exec", "host1", "awk", "/CapBnd/{print $2}", "/proc/self/status"]), "00000000a80425fb");
    store.ok(&["exec", "-d", "host1", "touch", "/tmp/detached"]);
    until("the detached command ran", || store.kapal(&["exec", "host1", "test", "-e", "/tmp/detached"]).status == 0);
    assert!(store.ok(&["top", "host1"]).contains("sleep 1000"));
    store.ok(&["stop", "-t", "0", "host1"]);
    assert!(store.fails(125, &["exec", "host1", "true"]).contains("host1"));
}

#[test]
fn logs_keep_the_streams_apart() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.kapal(&["run", "--name", "talks", &image, "sh", "-c", "for n in 1 2 3; do echo out $n; echo err $n >&2; done; printf unended"]);
    let done = store.kapal(&["logs", "talks"]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("out 1\nout 2\nout 3\nunended", "err 1\nerr 2\nerr 3"));
    let last = store.kapal(&["logs", "--tail", "2", "talks"]);
    assert_eq!(last.out.lines().count() + last.err.lines().count(), 2, "{last:?}");
    assert!(store.ok(&["logs", "-t", "talks"]).lines().all(|line| line.starts_with("20") && line.contains('T')));
    store.ok(&[
        "run",
        "-d",
        "--name",
        "later",
        "-v",
        &format!("{}:/gate", store.base.display()),
        &image,
        "sh",
        "-c",
        "echo a; until [ -e /gate/go ]; do sleep 0.05; done; echo b",
    ]);
    let follower = store.command(&["logs", "-f", "later"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::fs::write(store.path("go"), "").unwrap();
    let output = follower.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\nb\n");
    store.fails(1, &["logs", "nobody"]);
}

#[test]
fn two_clients_see_the_same() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let script = "until [ -e /gate/watched ]; do echo waits; sleep 0.05; done; read line; echo got $line; exit 7";
    let gate = format!("{}:/gate", store.base.display());
    store.ok(&["run", "-d", "-i", "--name", "shared", "-v", &gate, &image, "sh", "-c", script]);
    let mut watcher = store.command(&["attach", "--no-stdin", "shared"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    // A pipe has no past: who sees a line is known to the monitor, and misses nothing from then on.
    let (mut watched, mut first) = (BufReader::new(watcher.stdout.take().unwrap()), String::new());
    watched.read_line(&mut first).unwrap();
    assert_eq!(first, "waits\n");
    std::fs::write(store.path("watched"), "").unwrap();
    let seen = store.fed(b"word\n", &["attach", "shared"]);
    assert_eq!(seen.status, 7, "{}", seen.err);
    assert!(seen.out.ends_with("got word"), "{}", seen.out);
    let mut rest = String::new();
    watched.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("got word\n"), "{rest}");
    assert_eq!(watcher.wait().unwrap().code(), Some(7));
}

#[test]
fn failure_is_restarted_as_often_as_told() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "fails", "--restart", "on-failure:2", &image, "sh", "-c", "echo try; exit 5"]);
    until("it gave up", || store.field("fails", ".State.Status") == "exited");
    assert_eq!((store.field("fails", ".RestartCount"), store.field("fails", ".State.ExitCode")), ("2".into(), "5".into()));
    assert_eq!(store.ok(&["logs", "fails"]), "try\ntry\ntry");
    store.ok(&["run", "-d", "--name", "works", "--restart", "on-failure:2", &image, "true"]);
    assert_eq!(store.ok(&["wait", "works"]), "0");
    assert_eq!(store.field("works", ".RestartCount"), "0");
    store.ok(&["run", "-d", "--name", "forever", "--restart", "always", &image, "sh", "-c", "exit 1"]);
    until("it was restarted", || store.field("forever", ".RestartCount").parse::<u32>().unwrap() >= 2);
    store.ok(&["stop", "-t", "0", "forever"]);
    assert_eq!(store.field("forever", ".State.Status"), "exited");
}

#[test]
fn a_command_beside_finds_its_folder_or_fails() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "main", &image, "sleep", "1000"]);
    assert_eq!(store.ok(&["exec", "-w", "/etc", "main", "pwd"]), "/etc");
    assert!(store.fails(125, &["exec", "-w", "/nowhere", "main", "pwd"]).contains("/nowhere"));
    assert_eq!(store.ok(&["diff", "main"]), "", "neither that folder was made, nor is what was mounted on a change");
    store.ok(&["exec", "main", "sh", "-c", "echo x >/root/new"]);
    assert_eq!(store.ok(&["diff", "main"]), "C /root\nA /root/new");
    let ends = store.kapal(&["exec", "main", "sh", "-c", "yes & exit 3"]);
    assert_eq!(ends.status, 3, "one that writes on for ever holds nobody up");
}

#[test]
fn copies_reach_the_volumes_of_a_container_at_rest() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let (bind, file) = (store.path("bind"), store.path("file"));
    std::fs::create_dir(&bind).unwrap();
    std::fs::write(&file, "words").unwrap();
    let file = file.to_str().unwrap();
    let mount = format!("{}:/bind", bind.display());
    store.ok(&["create", "--name", "still", "--read-only", "-v", &mount, "-v", "open:/open/deep", "-v", "shut:/shut:ro", &image, "true"]);
    store.ok(&["cp", file, "still:/bind/"]);
    assert_eq!(std::fs::read_to_string(bind.join("file")).unwrap(), "words");
    store.ok(&["cp", file, "still:/open/deep/new"]);
    assert_eq!(store.ok(&["run", "--rm", "-v", "open:/v", &image, "cat", "/v/new"]), "words");
    let out = store.path("out");
    store.ok(&["cp", "still:/open/deep/new", out.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(out).unwrap(), "words");
    assert!(store.fails(1, &["cp", file, "still:/shut/"]).contains("read-only"));
    assert!(store.fails(1, &["cp", file, "still:/etc/"]).contains("read-only"));
    // A link in a volume leads where it does inside, never to this machine's files.
    std::os::unix::fs::symlink("/", bind.join("up")).unwrap();
    assert!(store.fails(1, &["cp", file, "still:/bind/up/kept"]).to_lowercase().contains("read-only"));
    store.ok(&["cp", file, "still:/bind/up/open/deep/kept"]);
    assert_eq!(store.ok(&["run", "--rm", "-v", "open:/v", &image, "cat", "/v/kept"]), "words");
    assert!(!bind.join("kept").exists() && !std::path::Path::new("/kept").exists());
}

#[test]
fn odd_arguments_are_followed_or_refused_as_docker_s_users_know_it() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--init", "--name", "odd", "--stop-timeout", "-1", &image, "sh", "-c", "echo one; echo two; exec sleep 1000"]);
    until("it has written", || store.ok(&["logs", "odd"]).lines().count() == 2);
    assert_eq!((store.ok(&["logs", "--tail", "-5", "odd"]).as_str(), store.ok(&["logs", "-n", "0", "odd"]).as_str()), ("one\ntwo", ""));
    assert_eq!(store.field("odd", ".Config.StopTimeout"), "-1");
    assert!(store.fails(1, &["port", "odd", "80/tcp"]).contains("no public port '80/tcp' published for odd"));
    assert!(store.fails(1, &["rename", "odd", "odd"]).contains("already"));
    assert!(store.fails(1, &["cp", "odd:", "/"]).contains("odd:/ is all of it"));
    store.ok(&["create", "--name", "other", &image, "true"]);
    assert_eq!(store.ok(&["ps", "-n", "-1", "--format", "{{.Names}}"]), "odd");
    assert_eq!(store.ok(&["ps", "-n", "1", "--format", "{{.Names}}"]), "other");
    assert_eq!(store.ok(&["stop", "-t", "-1", "odd"]), "odd");
    assert_eq!(store.field("odd", ".State.ExitCode"), "143");
    store.ok(&["volume", "create", "one"]);
    let shown = store.kapal(&["volume", "inspect", "--format", "{{.Name}}", "none", "one"]);
    assert!(shown.status == 1 && shown.out == "one" && shown.err.contains("none"), "{shown:?}");
    assert_eq!(store.ok(&["volume", "create", ""]).len(), 64);
    let refused = store.kapal(&["inspect", "--type", "thing", "odd"]);
    assert!(refused.status == 1 && refused.out.is_empty() && refused.err.contains("thing"), "{refused:?}");
}

#[test]
fn an_image_for_another_platform_is_not_taken_for_the_one_asked_for() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let run = |platform: &str, pull: &str| store.kapal(&["run", "--rm", "--name", "", "--platform", platform, "--pull", pull, &image, "echo", "ran"]);
    let own = store.field(&image, ".Os") + "/" + &store.field(&image, ".Architecture");
    assert_eq!(run(&own, "never").out, "ran");
    for pull in ["never", "missing"] {
        let refused = run("linux/s390x", pull);
        assert!(refused.status == 125 && refused.out.is_empty() && refused.err.contains("linux/s390x"), "{refused:?}");
    }
    assert!(run("a/b/c/d", "never").err.contains("--platform"));
}

#[test]
fn what_a_start_makes_to_mount_on_is_no_change() {
    let Some(store) = Store::new() else { return };
    for (image, program) in [(store.image("box:1"), "sleep"), (store.image("bare:1"), "/sleep")] {
        store.ok(&["run", "-d", "--name", "still", &image, program, "1000"]);
        assert_eq!(store.ok(&["diff", "still"]), "", "{image}");
        store.ok(&["rm", "-f", "still"]);
    }
    let image = store.image("bare:1");
    store.ok(&["run", "-d", "--name", "still", &image, "/sleep", "1000"]);
    let own = store.path("own");
    std::fs::write(&own, "").unwrap();
    store.ok(&["cp", own.to_str().unwrap(), "still:/etc/own"]);
    assert_eq!(store.ok(&["diff", "still"]), "A /etc\nA /etc/own");
}
