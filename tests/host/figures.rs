//! Figures beside what others read: the kernel's files by hand, and docker of its own containers.

use crate::store::{Store, tool, until};
use kapal::engine::stats::{Detail, Sample, Sampler};
use kapal::engine::{Engine, Link, Usage};
use kapal::execdriver::native;
use kapal::id::ContainerId;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Whoever looks at the running containers.
pub struct Eyes {
    engine: Engine,
    sampler: Sampler,
}

impl Eyes {
    pub fn on(store: &Store) -> Self {
        let engine = store.engine();
        let sampler = engine.sampler(Detail::Full);
        Self { engine, sampler }
    }

    /// What a container uses now; `None` if it does not run.
    pub fn see(&mut self, name: &str) -> Option<Sample> {
        let container = self.engine.container(name).unwrap();
        self.sampler.sample(&self.engine.containers().unwrap()).unwrap();
        self.sampler.of(&container.id).cloned()
    }
}

/// The kernel's files on a process's cgroups, found the way a person would.
struct Kernel(Vec<(String, PathBuf)>);

impl Kernel {
    fn of(pid: &str) -> Self {
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let folders = text.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
            let mounts: &[&str] = if controllers.is_empty() { &["/sys/fs/cgroup/unified", "/sys/fs/cgroup"] } else { &[] };
            let own = format!("/sys/fs/cgroup/{controllers}");
            let mount = mounts.iter().copied().find(|mount| Path::new(mount).join("cgroup.procs").exists()).unwrap_or(&own);
            Some((controllers.to_owned(), Path::new(mount).join(path)))
        });
        Self(folders.collect())
    }

    fn folder(&self, controller: &str) -> Option<&Path> {
        self.0.iter().find(|(names, _)| names.split(',').any(|name| name == controller)).map(|(_, path)| path.as_path())
    }

    fn file(&self, controller: &str, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder(controller)?.join(name)).ok()
    }

    /// A number: the first of a file, or the one after `key`.
    fn number(&self, controller: &str, name: &str, key: &str) -> Option<u64> {
        let text = self.file(controller, name)?;
        let word = text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?;
        word.parse().ok()
    }

    /// v1's figure if the controller is there, or v2's.
    fn either(&self, v1: (&str, &str, &str), v2: (&str, &str)) -> Option<u64> {
        if self.folder(v1.0).is_some() { self.number(v1.0, v1.1, v1.2) } else { self.number("", v2.0, v2.1) }
    }

    /// What the container's figures are to be, by name.
    fn figures(&self) -> Vec<(&'static str, Option<u64>)> {
        let times = |figure: Option<u64>, factor: u64| figure.map(|figure| figure * factor);
        let (nanos, micros) = (self.number("cpuacct", "cpuacct.usage", ""), times(self.number("", "cpu.stat", "usage_usec "), 1000));
        let limits = self.file("", "cpu.max").map(|text| text.split_whitespace().map(|word| word.parse::<u64>().ok()).collect::<Vec<_>>());
        let quota = self.number("cpu", "cpu.cfs_quota_us", "").zip(self.number("cpu", "cpu.cfs_period_us", ""));
        let quota = quota.or_else(|| limits.and_then(|words| words[0].zip(words[1])));
        let pressure = |name: &str| {
            let text = self.file("", name)?;
            text.lines().find(|line| line.starts_with("some"))?.rsplit_once("total=")?.1.parse().ok()
        };
        let both = self.number("memory", "memory.memsw.failcnt", "");
        let failures = self.either(("memory", "memory.failcnt", ""), ("memory.events", "max ")).map(|failures| failures + both.unwrap_or(0));
        vec![
            ("cpu", nanos.or(micros)),
            ("cpu limit", quota.map(|(quota, period)| quota * 1_000_000_000 / period)),
            ("periods", self.either(("cpu", "cpu.stat", "nr_periods "), ("cpu.stat", "nr_periods "))),
            ("memory", self.either(("memory", "memory.usage_in_bytes", ""), ("memory.current", ""))),
            ("cache", self.either(("memory", "memory.stat", "total_cache "), ("memory.stat", "file "))),
            ("anon", self.either(("memory", "memory.stat", "total_rss "), ("memory.stat", "anon "))),
            ("kernel", self.either(("memory", "memory.kmem.usage_in_bytes", ""), ("memory.stat", "kernel "))),
            ("peak", self.either(("memory", "memory.max_usage_in_bytes", ""), ("memory.peak", ""))),
            ("memory limit", self.either(("memory", "memory.limit_in_bytes", ""), ("memory.max", ""))),
            ("failures", failures),
            ("kills", self.either(("memory", "memory.oom_control", "oom_kill "), ("memory.events", "oom_kill "))),
            ("processes", self.either(("pids", "pids.current", ""), ("pids.current", ""))),
            ("processes limit", self.either(("pids", "pids.max", ""), ("pids.max", ""))),
            ("waited for processors", pressure("cpu.pressure")),
            ("waited for memory", pressure("memory.pressure")),
            ("waited for devices", pressure("io.pressure")),
        ]
    }
}

fn told(sample: &Sample) -> Vec<(&'static str, Option<u64>)> {
    let (cpu, memory, pressure) = (&sample.usage.cpu, &sample.usage.memory, &sample.usage.pressure);
    vec![
        ("cpu", cpu.total),
        ("cpu limit", cpu.limit),
        ("periods", cpu.throttling.map(|throttling| throttling.periods)),
        ("memory", memory.total),
        ("cache", memory.cache),
        ("anon", memory.anon),
        ("kernel", memory.kernel),
        ("peak", memory.peak),
        ("memory limit", memory.limit),
        ("failures", memory.failures),
        ("kills", memory.oom_kills),
        ("processes", sample.usage.processes),
        ("processes limit", sample.usage.processes_limit),
        ("waited for processors", pressure.cpu.map(|stall| stall.some)),
        ("waited for memory", pressure.memory.map(|stall| stall.some)),
        ("waited for devices", pressure.io.map(|stall| stall.some)),
    ]
}

#[test]
fn figures_are_the_kernels() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let work =
        "dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; dd if=/dev/zero of=/file bs=1M count=5 conv=fsync 2>/dev/null; echo ready; exec sleep 1000";
    store.ok(&["run", "-d", "--name", "seen", "-m", "64m", "--cpus", "0.5", "--pids-limit", "20", &image, "sh", "-c", work]);
    until("it has worked", || store.ok(&["logs", "seen"]) == "ready");
    let gateway = store.field("seen", ".NetworkSettings.Gateway");
    store.ok(&["exec", "seen", "ping", "-c", "2", &gateway]);
    let pid = store.field("seen", ".State.Pid");
    let kernel = Kernel::of(&pid);
    let mut eyes = Eyes::on(&store);
    // It sleeps; a figure may still settle, so that both are read until nothing moved meanwhile.
    let mut sample = eyes.see("seen").unwrap();
    let mut expected = Vec::new();
    until("nothing moves", || {
        expected = kernel.figures();
        sample = eyes.see("seen").unwrap();
        expected == kernel.figures()
    });
    let told = told(&sample);
    assert_eq!(told, expected);
    assert!(expected.iter().filter(|(_, figure)| figure.is_some()).count() >= 11, "{expected:?}");
    // What is not one number of a file.
    let usage = &sample.usage;
    assert!(usage.memory.working_set <= usage.memory.total && usage.memory.working_set >= usage.memory.anon, "{:?}", usage.memory);
    assert!(usage.cpu.user.unwrap() + usage.cpu.system.unwrap() <= usage.cpu.total.unwrap() + 20_000_000, "{:?}", usage.cpu);
    if let Some(each) = &usage.cpu.each {
        assert_eq!(Some(each.iter().sum()), usage.cpu.total);
    }
    // A disk's sectors, unless the root is memory or this kernel counts none.
    if let Some(written) = usage.sum_devices(|device| device.written).filter(|written| *written > 0) {
        assert!(written >= 5 << 20, "{:?}", usage.devices);
    }
    // Kernels speak to each other over a link now and then, so that both are read until no packet came between.
    let mut links = Vec::new();
    let mut inside = String::new();
    until("links carry what the kernel says", || {
        links = eyes.see("seen").unwrap().usage.links.unwrap();
        inside = tool("nsenter", &["-t", &pid, "-n", "cat", "/proc/self/net/dev"]);
        links.iter().all(|link| counters(link) == line_of(&inside, &link.name()))
    });
    assert_eq!(links.len(), inside.lines().count() - 2, "{links:?}");
    assert!(links.iter().map(|link| link.sent.packets).sum::<u64>() >= 2, "{links:?}");
}

/// Received bytes, packets, errors and dropped ones, and what was sent.
fn counters(link: &Link) -> [u64; 8] {
    let (received, sent) = (link.received, link.sent);
    [received.bytes, received.packets, received.errors, received.dropped, sent.bytes, sent.packets, sent.errors, sent.dropped]
}

/// The same of a line of `/proc/net/dev`.
fn line_of(text: &str, name: &str) -> [u64; 8] {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}:"))).unwrap();
    let numbers: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    [0, 1, 2, 3, 8, 9, 10, 11].map(|at| numbers[at])
}

#[test]
fn who_looks_on_keeps_no_network_alive() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "seen", &image, "sleep", "1000"]);
    let mut eyes = Eyes::on(&store);
    assert!(eyes.see("seen").unwrap().usage.links.is_some());
    // A link whose other end is in the container's namespace, and which nobody but the kernel takes away.
    tool("ip", &["link", "add", "kt-witness0", "type", "veth", "peer", "name", "kt-witness1", "netns", &store.field("seen", ".State.Pid")]);
    let there = || std::process::Command::new("ip").args(["link", "show", "kt-witness0"]).output().unwrap().status.success();
    assert!(there());
    let links = eyes.see("seen").unwrap().usage.links.unwrap();
    assert!(links.iter().any(|link| link.name() == "kt-witness1"), "{links:?}");
    store.ok(&["rm", "-f", "seen"]);
    until("the namespace is gone, with the meter still open", || !there());
    drop(eyes);
}

/// The cgroup above docker's container.
const DOCKERS: &str = "/kapal-beside-docker";

/// A dockerd of the test's own, in a mount namespace of its own, so that all it mounts goes with it.
struct Docker {
    process: Child,
    socket: String,
}

impl Docker {
    /// `None`, loudly, where it cannot be had.
    fn start(store: &Store) -> Option<Self> {
        let missing = ["dockerd", "docker", "containerd", "unshare"].into_iter().find(|program| !has(program));
        if let Some(program) = missing {
            eprintln!("SKIPPED: figures beside docker's: {program} is not installed");
            return None;
        }
        let path = |name: &str| store.path(name).to_str().unwrap().to_owned();
        let log = std::fs::File::create(store.path("dockerd.log")).unwrap();
        let socket = format!("unix://{}", path("docker.sock"));
        let process = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "dockerd", "--bridge", "none", "--iptables=false", "--ip6tables=false", "--storage-driver", "vfs"])
            .args(["--host", &socket, "--data-root", &path("docker"), "--exec-root", &path("docker-run"), "--pidfile", &path("docker.pid")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut docker = Self { process, socket };
        let mut runs = true;
        until("dockerd answers, or gives up", || {
            runs = docker.process.try_wait().unwrap().is_none();
            !runs || docker.command(&["version"]).output().unwrap().status.success()
        });
        if !runs {
            let log = std::fs::read_to_string(store.path("dockerd.log")).unwrap_or_default();
            eprintln!("SKIPPED: figures beside docker's: dockerd does not run here: {}", log.lines().last().unwrap_or_default());
            return None;
        }
        Some(docker)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.socket]).args(arguments);
        command
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = self.command(&["rm", "-f", "load"]).output();
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.process.id() as i32), nix::sys::signal::SIGTERM);
        let _ = self.process.wait();
        // Docker leaves what it made above its containers.
        for hierarchy in std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir(hierarchy.path().join(&DOCKERS[1..]));
        }
        let _ = std::fs::remove_dir(Path::new("/sys/fs/cgroup").join(&DOCKERS[1..]));
    }
}

fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(program).exists())
}

/// `12.5MiB` and the like, as docker prints it.
fn bytes(text: &str) -> f64 {
    let at = text.find(|letter: char| letter.is_alphabetic()).unwrap();
    let power = match &text[at..] {
        "B" => 0,
        "KiB" => 1,
        "MiB" => 2,
        "GiB" => 3,
        unit => panic!("{unit} in {text}"),
    };
    text[..at].parse::<f64>().unwrap() * 1024_f64.powi(power)
}

#[test]
fn docker_sees_the_same() {
    let Some(store) = Store::new() else { return };
    let Some(docker) = Docker::start(&store) else { return };
    let root = store.path("docker-image");
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::copy(tool("sh", &["-c", "command -v busybox"]), root.join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
    let (root, archive) = (root.to_str().unwrap(), store.path("image.tar"));
    tool("tar", &["-C", root, "-cf", archive.to_str().unwrap(), "."]);
    docker.ok(&["import", archive.to_str().unwrap(), "box"]);
    let load = "busybox dd if=/dev/zero of=/dev/shm/x bs=1M count=40; while :; do :; done";
    let limits = ["--cpus", "0.2", "-m", "128m", "--pids-limit", "20", "--cgroup-parent", DOCKERS, "--security-opt", "apparmor=unconfined"];
    let run = [&["run", "-d", "--name", "load", "--network", "none"], &limits[..], &["box", "sh", "-c", load]].concat();
    let ran = docker.command(&run).output().unwrap();
    let Ok(id) = String::from_utf8_lossy(&ran.stdout).trim().parse::<ContainerId>() else {
        eprintln!("SKIPPED: figures beside docker's: it does not run containers here: {}", String::from_utf8_lossy(&ran.stderr).trim());
        return;
    };
    // The very same container, seen through our meters; systemd may have it elsewhere.
    let pid = docker.ok(&["inspect", "--format", "{{.State.Pid}}", "load"]);
    let cgroups = std::fs::read_to_string(format!("/proc/{}/cgroup", pid.trim())).unwrap();
    let asked = format!("{DOCKERS}/{id}");
    let driver = native::open(DOCKERS, &store.path("state")).unwrap();
    let (true, Some(mut meter)) = (cgroups.lines().all(|line| line.ends_with(&format!(":{asked}"))), driver.meter(&id, None, Detail::Full).unwrap()) else {
        eprintln!("SKIPPED: figures beside docker's: its containers are not where they were asked to be: {cgroups}");
        return;
    };
    let mut sample = || {
        let mut usage = Usage::default();
        assert!(meter.read(&mut usage).unwrap());
        Sample { at: Instant::now(), usage }
    };
    until("it has its memory", || sample().usage.memory.working_set >= Some(40 << 20));
    let near = |ours: f64, theirs: f64| (ours - theirs).abs() <= 0.05 * theirs;
    let mut last = String::new();
    // A second is short on a machine that does other things, too: it is compared until both had a quiet one.
    until("the two agree within 5 %", || {
        let first = sample();
        last = docker.ok(&["stats", "--no-stream", "--format", "{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}", "load"]);
        let second = sample();
        let words: Vec<&str> = last.split_whitespace().collect();
        let [cpu, memory, "/", limit, pids] = words[..] else { panic!("{last}") };
        let usage = &second.usage;
        assert_eq!((usage.memory.limit.map(|limit| limit as f64), usage.processes.map(|count| count.to_string())), (Some(bytes(limit)), Some(pids.to_owned())));
        let busy = second.rate(&first).unwrap().cpu.unwrap() * 100.0;
        let both = [near(busy, cpu.trim_end_matches('%').parse().unwrap()), near(usage.memory.working_set.unwrap() as f64, bytes(memory))];
        println!("docker: {last}; here: {busy:.2}% {:?}", usage.memory.working_set);
        both == [true; 2]
    });
}
