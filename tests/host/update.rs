//! `update`: limits and restart policies changed while a container runs, seen in the kernel's own files.

use crate::store::{Store, in_guest, tool, until};
use kapal::container::Update;
use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A file of a container's cgroup: where a v1 hierarchy has the controller, the first name, else the second.
fn file(store: &Store, name: &str, controller: &str, names: [&str; 2]) -> PathBuf {
    let id = store.field(name, ".Id");
    let old = PathBuf::from(format!("/sys/fs/cgroup/{controller}"));
    if old.is_dir() { old.join("kapal").join(id).join(names[0]) } else { PathBuf::from(format!("/sys/fs/cgroup/kapal/{id}")).join(names[1]) }
}

fn limit(store: &Store, name: &str, controller: &str, names: [&str; 2]) -> String {
    let path = file(store, name, controller, names);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

const MEMORY: [&str; 2] = ["memory.limit_in_bytes", "memory.max"];

fn memory(store: &Store, name: &str) -> String {
    limit(store, name, "memory", MEMORY)
}

fn pids(store: &Store, name: &str) -> String {
    limit(store, name, "pids", ["pids.max"; 2])
}

/// Quota and period as v2 tells them.
fn time(store: &Store, name: &str) -> String {
    if fs::exists("/sys/fs/cgroup/cpu").unwrap() {
        let part = |file: &str| limit(store, name, "cpu", [file; 2]);
        return format!("{} {}", part("cpu.cfs_quota_us").replace("-1", "max"), part("cpu.cfs_period_us"));
    }
    limit(store, name, "cpu", ["cpu.max"; 2])
}

/// All that tests here change, in the kernel and in the store.
fn all(store: &Store, name: &str) -> String {
    let host = store.field(name, "json .HostConfig");
    format!("{} {} {} {} {host}", memory(store, name), pids(store, name), time(store, name), limit(store, name, "cpu", ["cpu.shares", "cpu.weight"]))
}

#[test]
fn what_was_killed_before_lives_with_more_memory() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "small", "-m", "32m", "--memory-swap", "32m", &image, "sleep", "1000"]);
    let big = ["exec", "small", "dd", "if=/dev/zero", "of=/dev/null", "bs=60M", "count=1"];
    assert_eq!(store.kapal(&big).status, 137);
    assert_eq!(store.ok(&["update", "-m", "128m", "--memory-swap", "128m", "small"]), "small");
    assert_eq!(store.kapal(&big).status, 0);
    assert_eq!(memory(&store, "small"), (128 << 20).to_string());
    assert!(store.ok(&["events", "--since", "10m", "--until", "0s", "-f", "event=update"]).contains("container update"));
    // Its next start has them, too.
    store.ok(&["restart", "-t", "0", "small"]);
    assert_eq!((memory(&store, "small"), store.field("small", ".HostConfig.Memory")), ((128 << 20).to_string(), (128 << 20).to_string()));
    store.ok(&["update", "-m", "0", "small"]);
    let none = memory(&store, "small");
    assert!(none == "max" || none.parse::<u64>().unwrap() > 1 << 62, "{none}");
}

#[test]
fn every_limit_is_seen_in_the_kernel_and_can_go_again() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "one", "--pids-limit", "20", "--cpus", "0.5", &image, "sh", "-c", "sleep 1000 & sleep 1000; true"]);
    assert_eq!((pids(&store, "one"), time(&store, "one")), ("20".to_owned(), "50000 100000".to_owned()));
    let before = all(&store, "one");
    store.ok(&["update", "--pids-limit", "40", "--cpus", "1", "-c", "512", "-m", "64m", "--memory-reservation", "32m", "--cpuset-cpus", "0", "one"]);
    assert_eq!((pids(&store, "one"), time(&store, "one"), memory(&store, "one")), ("40".to_owned(), "100000 100000".to_owned(), (64 << 20).to_string()));
    assert_eq!(limit(&store, "one", "cpuset", ["cpuset.cpus"; 2]), "0");
    // All of its processes are there, and what comes later.
    store.ok(&["exec", "-d", "one", "sleep", "1000"]);
    let inside = || fs::read_to_string(file(&store, "one", "cpuset", ["cgroup.procs"; 2])).unwrap().lines().count();
    until("all of them are on their processor", || inside() == 4);
    let seen = store.ok(&["exec", "one", "awk", "/Cpus_allowed_list/{print $2}", "/proc/self/status"]);
    assert_eq!(seen, "0");
    store.ok(&["pause", "one"]);
    store.ok(&["update", "--cpu-quota", "30000", "--cpu-period", "60000", "one"]);
    assert_eq!((time(&store, "one"), store.field("one", ".State.Status")), ("30000 60000".to_owned(), "paused".to_owned()));
    store.ok(&["update", "--cpu-quota", "20000", "--cpu-period", "20000", "one"]);
    assert_eq!(time(&store, "one"), "20000 20000");
    store.ok(&["unpause", "one"]);
    store.ok(&["update", "--pids-limit", "-1", "--cpus", "0", "-c", "0", "-m", "0", "--memory-reservation", "0", "--cpuset-cpus", "", "one"]);
    assert_eq!((pids(&store, "one"), time(&store, "one")), ("max".to_owned(), "max 100000".to_owned()));
    assert_eq!(store.ok(&["exec", "one", "awk", "/Cpus_allowed_list/{print $2}", "/proc/self/status"]), processors());
    store.ok(&["update", "--pids-limit", "20", "--cpus", "0.5", "one"]);
    assert_eq!(all(&store, "one"), before, "as it was in the beginning");
    // Nothing is on the first one's account.
    store.fails(1, &["update", "one"]);
    assert!(store.fails(1, &["update", "-m", "64m", "nobody"]).contains("nobody"));
}

fn processors() -> String {
    fs::read_to_string("/sys/devices/system/cpu/online").unwrap().trim().to_owned()
}

#[test]
fn what_is_refused_leaves_everything_as_it_was() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let script = "dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null; echo ready; sleep 1000; true";
    store.ok(&["run", "-d", "--name", "full", "-m", "100m", "--cpus", "0.5", "--pids-limit", "20", &image, "sh", "-c", script]);
    until("it holds its memory", || store.kapal(&["logs", "full"]).out == "ready");
    let before = all(&store, "full");
    let told = store.fails(1, &["update", "-m", "20m", "--memory-swap", "20m", "--pids-limit", "5", "full"]);
    assert!(told.contains("in use") && told.contains("20MiB") && told.contains("full is left as it was"), "{told}");
    assert_eq!(all(&store, "full"), before);
    assert_eq!(store.field("full", ".State.Status"), "running", "nothing was killed for it");
    for wrong in
        [["-m", "1m"], ["--memory-swap", "64m"], ["--cpu-quota", "500"], ["--cpuset-cpus", "4096"], ["--restart", "sometimes"], ["--blkio-weight", "5"]]
    {
        store.fails(1, &[&["update", "--pids-limit", "7"], wrong.as_slice(), &["full"]].concat());
    }
    assert!(store.fails(1, &["update", "--device-read-bps", "/dev/null:1m", "full"]).contains("/dev/null"));
    assert_eq!(all(&store, "full"), before);
    // What only the kernel refuses, after all the rest was written: v1 knows its processors, v2 nothing of swappiness.
    let old = fs::exists("/sys/fs/cgroup/memory").unwrap();
    let update = Update {
        memory: Some(80 << 20),
        nano_cpus: Some(250_000_000),
        cpu_shares: Some(100),
        pids_limit: Some(9),
        cpuset_cpus: old.then(|| "1023".to_owned()),
        memory_swappiness: (!old).then_some(5),
        ..Update::default()
    };
    let engine = store.engine();
    let container = engine.container("full").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(engine.update(&container, &update)).unwrap_err().to_string();
    assert!(error.contains("left as it was") && !error.contains("could not be put back"), "{error}");
    assert_eq!(all(&store, "full"), before);
    let cpuset = file(&store, "full", "cpuset", ["."; 2]);
    assert_eq!(cpuset.exists(), !old, "a cgroup that was made for it is gone");
}

#[test]
fn one_that_does_not_run_has_it_at_its_next_start() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["create", "--name", "later", &image, "sleep", "1000"]);
    assert_eq!(store.ok(&["update", "-m", "64m", "--pids-limit", "9", "--restart", "on-failure:3", "later"]), "later");
    let policy = store.field("later", "json .HostConfig.RestartPolicy");
    assert!(policy.contains("on-failure") && policy.contains('3'), "{policy}");
    store.ok(&["start", "later"]);
    assert_eq!((memory(&store, "later"), pids(&store, "later")), ((64 << 20).to_string(), "9".to_owned()));
    store.ok(&["run", "-d", "--rm", "--name", "brief", &image, "sleep", "1000"]);
    assert!(store.fails(1, &["update", "--restart", "always", "brief"]).contains("--rm"));
}

#[test]
fn a_restart_policy_holds_from_now_on() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let script = "while [ ! -e /tmp/end ]; do sleep 0.05; done; rm /tmp/end; exit 3";
    store.ok(&["run", "-d", "--name", "mortal", &image, "sh", "-c", script]);
    store.ok(&["update", "--restart", "on-failure", "mortal"]);
    // It takes the command along where it ends first: what comes of it tells.
    store.kapal(&["exec", "mortal", "touch", "/tmp/end"]);
    until("it was started again", || store.field("mortal", ".RestartCount") == "1" && store.field("mortal", ".State.Status") == "running");
    store.ok(&["update", "--restart", "no", "mortal"]);
    store.kapal(&["exec", "mortal", "touch", "/tmp/end"]);
    assert_eq!(store.ok(&["wait", "mortal"]), "3");
    // One that falls again and again is caught while it waits.
    store.ok(&["run", "-d", "--name", "falling", "--restart", "always", &image, "false"]);
    until("it waits", || store.field("falling", ".State.Status") == "restarting");
    store.ok(&["update", "--restart", "no", "falling"]);
    until("it is left alone", || store.field("falling", ".State.Status") == "exited");
    assert_eq!(store.field("falling", ".State.ExitCode"), "1");
}

#[test]
fn who_asks_may_be_killed_at_any_moment() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "target", "-m", "64m", &image, "sleep", "1000"]);
    let began = Instant::now();
    store.ok(&["update", "-m", "64m", "--pids-limit", "9", "target"]);
    let whole = began.elapsed();
    let rounds = if in_guest() { 5 } else { 25 };
    for round in 0..rounds {
        let size = format!("{}m", 65 + round);
        let mut asking = store.command(&["update", "-m", &size, "--pids-limit", &(10 + round).to_string(), "target"]).stdout(Stdio::null()).spawn().unwrap();
        // The instant is what is being swept, from the beginning to the end.
        thread::sleep(whole * round / rounds);
        let _ = asking.kill();
        asking.wait().unwrap();
        // The monitor does it, whoever asked: at rest the store and the kernel say the same.
        until("the store says what the kernel does", || {
            let bytes = store.field("target", ".HostConfig.Memory");
            let count = store.field("target", ".HostConfig.PidsLimit").replace("<no value>", "max").replace("<nil>", "max");
            memory(&store, "target") == bytes && pids(&store, "target") == count
        });
    }
    store.ok(&["update", "-m", "200m", "target"]);
    assert_eq!(memory(&store, "target"), (200 << 20).to_string());
}

#[test]
fn a_monitor_that_does_not_know_how_is_told_of() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "old", &image, "sleep", "1000"]);
    let (socket, aside) = (PathBuf::from(store.field("old", ".ConsolePath")), store.path("aside"));
    fs::rename(&socket, &aside).unwrap();
    // One of an older version hangs up at what it cannot read.
    let folder = fs::File::open(socket.parent().unwrap()).unwrap();
    // A socket's path may be shorter than this one is.
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/console.sock", folder.as_raw_fd())).unwrap();
    let older = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut some = [0; 4096];
        while !String::from_utf8_lossy(&some).contains("Update") {
            assert!(client.read(&mut some).unwrap() > 0, "it was not asked");
        }
    });
    let told = store.fails(1, &["update", "-m", "64m", "old"]);
    assert!(told.contains("version that cannot change limits") && told.contains("kapal restart old"), "{told}");
    older.join().unwrap();
    fs::rename(&aside, &socket).unwrap();
    assert_eq!(store.field("old", ".HostConfig.Memory"), "0");
    store.ok(&["update", "-m", "64m", "old"]);
}

/// A disk of a test, whose blocks are a file.
struct Disk(String);

impl Disk {
    fn new(store: &Store) -> Self {
        let blocks = store.path("disk");
        fs::File::create(&blocks).unwrap().set_len(8 << 20).unwrap();
        Self(tool("losetup", &["--find", "--show", blocks.to_str().unwrap()]))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn a_disk_is_slow_for_who_is_limited_and_at_once_no_longer() {
    let Some(store) = Store::new() else { return };
    let disk = Disk::new(&store);
    let path = disk.0.as_str();
    let of = |rate: &str| format!("{path}:{rate}");
    // At this rate the whole would take longer than any test waits.
    let write = format!("dd if=/dev/zero of={path} bs=64k count=64 oflag=direct 2>/dev/null; echo written");
    store.ok(&["run", "-d", "--name", "slow", "--network", "none", "--device", path, "--device-write-bps", &of("8k"), "host", "sh", "-c", &write]);
    let rates = store.field("slow", "json .HostConfig.BlkioDeviceWriteBps");
    assert!(rates.contains(path) && rates.contains("8192"), "{rates}");
    let names = ["blkio.throttle.write_bps_device", "io.max"];
    assert!(limit(&store, "slow", "blkio", names).contains("8192"));
    until("it writes", || store.ok(&["top", "slow"]).lines().any(|line| line.contains("dd if=") && !line.contains("sh -c")));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(store.ok(&["logs", "slow"]), "", "64 KiB take eight seconds, four MiB nine minutes");
    store.ok(&["update", "--device-write-bps", &of("0"), "--device-read-iops", &of("100"), "slow"]);
    until("the rest is written at once", || store.ok(&["logs", "slow"]) == "written");
    assert_eq!(store.field("slow", "json .HostConfig.BlkioDeviceWriteBps"), "[]");
    let part = fs::read_dir("/sys/class/block").unwrap().flatten().find(|entry| entry.path().join("partition").exists());
    if let Some(part) = part {
        let part = format!("/dev/{}", part.file_name().to_str().unwrap());
        assert!(store.fails(1, &["update", "--device-read-bps", &format!("{part}:1m"), "slow"]).contains("whole"));
    }
}
