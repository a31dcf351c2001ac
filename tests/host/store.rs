//! A store of one test: the program on it, a turn at the machine, and the proof that nothing is left.

use crate::registry::Registry;
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The most that any command of a test may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Tests count what is on the machine, so that they come one after the other.
static TURN: Mutex<()> = Mutex::new(());

/// The network namespace in which all tests are: this machine's own is not touched by any.
static NETWORK: OnceLock<fs::File> = OnceLock::new();

/// Moves the calling thread, and with it what it starts, into the tests' network namespace.
pub fn enter_network() {
    use nix::sched::{CloneFlags, setns, unshare};
    let network = NETWORK.get_or_init(|| {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tool("ip", &["link", "set", "lo", "up"]);
            fs::File::open("/proc/thread-self/ns/net").unwrap()
        };
        thread::spawn(make).join().unwrap()
    });
    setns(network, CloneFlags::CLONE_NEWNET).unwrap();
}

/// How a command ended and what it wrote.
#[derive(Debug)]
pub struct Done {
    pub status: i32,
    pub out: String,
    pub err: String,
    pub bytes: Vec<u8>,
}

/// A shell's view of how a process ended: its status, or 128 and the signal.
pub fn status_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// Runs a command to its end, or panics when it takes too long.
pub fn finish(command: &mut Command, input: Option<&[u8]>) -> Done {
    let told = format!("{command:?}");
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{told}: {error}"));
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    if let Some(input) = input {
        let (mut pipe, input) = (child.stdin.take().unwrap(), input.to_vec());
        thread::spawn(move || match pipe.write_all(&input) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("writing to a command: {error}"),
            _ => {}
        });
    }
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = match receiver.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL);
            panic!("{told}: not done after {PATIENCE:?}");
        }
    };
    Done {
        status: status_of(output.status),
        out: String::from_utf8_lossy(&output.stdout).trim_end().to_owned(),
        err: String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
        bytes: output.stdout,
    }
}

/// Runs one of the programs that tests use; it must succeed.
pub fn tool(program: &str, arguments: &[&str]) -> String {
    let done = finish(Command::new(program).args(arguments), None);
    assert_eq!(done.status, 0, "{program} {arguments:?}: {}", done.err);
    done.out
}

/// Waits for a condition; panics when it does not come.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(180), "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Two folders below a temporary one: the store and its run-time files, beside room for the test's own files.
pub struct Store {
    pub base: PathBuf,
    pub driver: &'static str,
    before: Census,
    _folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// A machine made for the tests has a root that is itself an overlay, on which none can be stacked; its disk is at `/tmp`.
/// Elsewhere `/tmp` may be memory, which keeps neither user xattrs nor much.
pub fn ground() -> &'static str {
    if in_guest() { "/tmp" } else { "/var/tmp" }
}

/// Whether this is a machine made for the tests: an emulated one, five to twenty times slower than others.
pub fn in_guest() -> bool {
    std::env::var_os("VM_GUEST").is_some()
}

impl Store {
    /// `None`, loudly, for who is not root.
    pub fn new() -> Option<Self> {
        Self::with("")
    }

    /// With this storage driver; empty is the program's own choice.
    pub fn with(driver: &'static str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: this test needs root");
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        enter_network();
        let folder = tempfile::Builder::new().prefix("kapal-host-").tempdir_in(ground()).unwrap();
        let base = folder.path().to_owned();
        let before = Census::take(&base);
        Some(Self { base, driver, before, _folder: folder, _turn: turn })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// The program on this store.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kapal"));
        command.env("KAPAL_ROOT", self.path("root")).env("KAPAL_RUN_ROOT", self.path("run"));
        command.env_remove("DOCKER_DRIVER").env("DOCKER_CONFIG", self.path("config")).env("NO_COLOR", "1");
        if !self.driver.is_empty() {
            command.args(["--storage-driver", self.driver]);
        }
        command.args(arguments);
        command
    }

    /// An engine on this store in this very process, as a front-end that lives on has it.
    pub fn engine(&self) -> kapal::engine::Engine {
        let place = kapal::container::Place { root: self.path("root"), run_root: self.path("run") };
        let storage_driver = (!self.driver.is_empty()).then(|| self.driver.to_owned());
        kapal::engine::Engine::open(kapal::engine::Options {
            place,
            storage_driver,
            insecure: Vec::new(),
            docker_config: self.path("config"),
            network: kapal::engine::network::Settings::default(),
        })
        .unwrap()
    }

    pub fn kapal(&self, arguments: &[&str]) -> Done {
        finish(&mut self.command(arguments), None)
    }

    pub fn fed(&self, input: &[u8], arguments: &[&str]) -> Done {
        finish(&mut self.command(arguments), Some(input))
    }

    /// What it prints; it must succeed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let done = self.kapal(arguments);
        assert_eq!(done.status, 0, "kapal {arguments:?}: {}", done.err);
        done.out
    }

    /// What it says of its failure; it must fail so.
    #[track_caller]
    pub fn fails(&self, status: i32, arguments: &[&str]) -> String {
        let done = self.kapal(arguments);
        assert_eq!(done.status, status, "kapal {arguments:?}: {} {}", done.out, done.err);
        assert!(!done.err.contains("panicked"), "{}", done.err);
        done.err
    }

    /// One of the images that the suite makes, pulled.
    #[track_caller]
    pub fn image(&self, name: &str) -> String {
        let name = Registry::get().name(name);
        self.ok(&["pull", "-q", &name]);
        name
    }

    /// A field of an object, as a template names it.
    #[track_caller]
    pub fn field(&self, object: &str, field: &str) -> String {
        self.ok(&["inspect", "--format", &format!("{{{{{field}}}}}"), object])
    }

    #[track_caller]
    pub fn is_consistent(&self) {
        let done = self.kapal(&["system", "check"]);
        assert_eq!(done.status, 0, "system check: {} {}", done.out, done.err);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let ids = self.kapal(&["ps", "-aq", "--no-trunc"]).out;
        for id in ids.lines() {
            self.kapal(&["rm", "-f", "-v", id]);
        }
        if thread::panicking() {
            return;
        }
        self.is_consistent();
        let mut left = Vec::new();
        let began = Instant::now();
        loop {
            left.clear();
            left.extend(Census::take(&self.base).0.difference(&self.before.0).cloned());
            if left.is_empty() || began.elapsed() > Duration::from_secs(180) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        assert!(left.is_empty(), "left behind: {left:#?}");
        let containers = fs::read_dir(self.path("root/containers")).map_or(0, Iterator::count);
        assert_eq!(containers, 0, "folders of containers are left");
    }
}

/// What a container could leave on the machine: mounts, cgroups without processes, network links (in the tests' namespace and in
/// the machine's own), tables of the firewall, processes of the store.
struct Census(BTreeSet<String>);

impl Census {
    fn take(base: &Path) -> Self {
        let mut found = BTreeSet::new();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        found.extend(mounts.lines().filter(|line| line.contains("kapal")).map(|line| format!("mount {line}")));
        cgroups(Path::new("/sys/fs/cgroup"), 0, &mut found);
        if let Ok(links) = fs::read_dir("/sys/class/net") {
            found.extend(links.map(|link| format!("link {}", link.unwrap().path().display())));
        }
        let own = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        found.extend(own.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| format!("own link {}", name.trim())));
        if let Ok(told) = Command::new("nft").args(["list", "tables"]).output() {
            found.extend(String::from_utf8_lossy(&told.stdout).lines().map(|line| format!("firewall {line}")));
        }
        found.extend(processes_of(base).iter().map(|pid| format!("process {pid} {}", name_of(*pid))));
        Self(found)
    }
}

/// A process's short name.
pub fn name_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// A cgroup of a container with nobody in it is a leftover, whosever it is; processes are found on their own.
fn cgroups(folder: &Path, depth: usize, found: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let parent = folder.file_name().is_some_and(|name| name == "kapal");
        if parent && fs::read_to_string(path.join("cgroup.procs")).is_ok_and(|inside| inside.is_empty()) {
            found.insert(format!("cgroup {}", path.display()));
        } else if depth < 3 {
            cgroups(&path, depth + 1, found);
        }
    }
}

/// Processes that hold a file of the store, were started for it, or live in a container of it.
pub fn processes_of(base: &Path) -> Vec<u32> {
    let base = base.to_str().unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()) else { continue };
        if pid == std::process::id() {
            continue;
        }
        let told = |name: &str| fs::read(path.join(name)).is_ok_and(|text| String::from_utf8_lossy(&text).contains(base));
        let holds = fs::read_dir(path.join("fd"))
            .is_ok_and(|mut entries| entries.any(|fd| fd.is_ok_and(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.starts_with(base)))));
        if holds || told("cmdline") || told("environ") || told("mountinfo") {
            found.push(pid);
        }
    }
    found
}
