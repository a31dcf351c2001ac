//! Other engines on the same machine: containers of both are reached, and neither's coming, reloading and going touches the other's.

use crate::store::{Done, Store, finish, until};
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// podman with its files below the store's folder, so that nothing of the machine's own is touched.
struct Podman<'a>(&'a Store);

impl Podman<'_> {
    fn new(store: &Store) -> Option<Podman<'_>> {
        let netavark = ["/usr/lib/podman/netavark", "/usr/libexec/podman/netavark"].iter().any(|path| fs::exists(path).unwrap_or(false));
        if Command::new("podman").arg("--version").output().is_err() || !netavark {
            eprintln!("SKIPPED: this test needs podman and netavark (Debian packages of these names)");
            return None;
        }
        let file = |name: &str| store.path(name).display().to_string();
        let settings = format!(
            "[network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = \"{}\"\n[engine]\ntmp_dir = \"{}\"\nlock_type = \"file\"\nruntime = \"runc\"\nevents_logger = \"none\"\n",
            file("podman/networks"),
            file("podman/tmp")
        );
        fs::create_dir_all(store.path("rootfs/bin")).unwrap();
        for folder in ["etc", "proc", "sys", "dev", "tmp", "run", "var/tmp"] {
            fs::create_dir_all(store.path("rootfs").join(folder)).unwrap();
        }
        fs::copy("/bin/busybox", store.path("rootfs/bin/busybox")).unwrap();
        fs::create_dir_all(store.path("podman")).unwrap();
        fs::write(store.path("podman/containers.conf"), settings).unwrap();
        Some(Podman(store))
    }

    fn run(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.0.path("podman/containers.conf")).args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]);
        command.arg("--root").arg(self.0.path("podman/root")).arg("--runroot").arg(self.0.path("podman/run"));
        finish(command.args(arguments), None)
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        self.run(&["rm", "-f", "-t", "0", "-a"]);
        self.run(&["network", "rm", "-f", "theirs"]);
        // Its tables stay when they are empty.
        for table in ["ip filter", "ip nat", "ip6 filter", "ip6 nat"] {
            let _ = Command::new("nft").args(["delete", "table"]).args(table.split(' ')).output();
        }
        let _ = Command::new("umount").arg("-l").arg(self.0.path("podman/root/vfs")).output();
    }
}

fn says(port: u16, expected: &str) -> bool {
    let mut text = String::new();
    let told = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.read_to_string(&mut text)
    });
    told.is_ok() && text.trim_end() == expected
}

/// The rules of a table of podman's, without what changes by itself.
fn rules(table: &str) -> String {
    let told = finish(Command::new("nft").args(["--stateless", "list", "table"]).args(table.split(' ')), None).out;
    assert!(!told.is_empty(), "{table}");
    told
}

#[test]
fn podman_beside_us_is_reached_and_left_alone() {
    let Some(store) = Store::new() else { return };
    let Some(podman) = Podman::new(&store) else { return };
    let server = |text: &str| format!("exec busybox nc -ll -p 80 -e echo {text}");
    let rootfs = store.path("rootfs").display().to_string();
    podman.run(&["network", "create", "--subnet", "10.77.7.0/24", "theirs"]);
    let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
    let theirs = [&["run", "-d", "--network", "theirs", "-p", "18201:80"], &limits[..], &["--rootfs", &rootfs, "/bin/busybox", "sh", "-c", &server("theirs")]];
    let started = podman.run(&theirs.concat());
    if started.status != 0 {
        eprintln!("SKIPPED: podman cannot run a container here: {}", started.err);
        return;
    }
    until("theirs is reached", || says(18201, "theirs"));
    let ran = store.kapal(&["run", "-d", "--name", "ours", "-p", "18202:80", "host", "sh", "-c", &server("ours")]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "podman's chains are in nobody's way");
    until("ours is reached", || says(18202, "ours"));
    assert!(says(18201, "theirs"));
    let gateway = store.field("ours", ".NetworkSettings.Gateway");
    assert_eq!(store.ok(&["exec", "ours", "busybox", "nc", "-w", "3", &gateway, "18201"]), "theirs", "ours reaches what theirs published");
    let reloaded = podman.run(&["network", "reload", "-a"]);
    assert_eq!(reloaded.status, 0, "{}", reloaded.err);
    assert!(says(18202, "ours") && says(18201, "theirs"), "a reload of theirs leaves ours alone");
    let before = ["ip filter", "ip nat"].map(rules);
    store.ok(&["restart", "-t", "0", "ours"]);
    until("ours is reached again", || says(18202, "ours"));
    store.ok(&["rm", "-f", "ours"]);
    assert!(says(18201, "theirs"));
    assert_eq!(["ip filter", "ip nat"].map(rules), before, "theirs is as it was");
}
