//! The `host` image: this machine's own files, below a layer of the container's own.

use crate::store::Store;
use std::path::Path;

#[test]
fn the_machine_is_there_and_stays_as_it_is() {
    let Some(store) = Store::new() else { return };
    let seen = store.ok(&[
        "run",
        "--name",
        "ship",
        "host",
        "sh",
        "-c",
        "touch /made-inside; rm /etc/hostname.none 2>/dev/null; sh --version >/dev/null 2>&1; cat /etc/os-release",
    ]);
    assert_eq!(seen, std::fs::read_to_string("/etc/os-release").unwrap().trim_end());
    assert!(!Path::new("/made-inside").exists());
    let told = store.ok(&["diff", "ship"]);
    assert!(told.lines().any(|line| line == "A /made-inside"), "{told}");
    assert!(told.lines().all(|line| !line.starts_with('D')), "{told}");
}

#[test]
fn the_store_is_not_in_it() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["create", "--name", "secret", &image, "true"]);
    let root = store.path("root");
    let script = format!("ls -A {} {} /run 2>/dev/null | grep -v : | grep -c .", root.display(), store.path("run").display());
    assert_eq!(store.kapal(&["run", "--rm", "host", "sh", "-c", &script]).out, "0");
    assert_eq!(store.ok(&["run", "--rm", "host", "sh", "-c", "readlink /proc/1/exe >/dev/null; echo $$"]), "1");
    assert!(store.fails(1, &["rmi", "host"]).contains("host"));
}

#[test]
fn it_takes_limits_and_mounts_as_any_other() {
    let Some(store) = Store::new() else { return };
    let bind = format!("{}:/mnt:ro", store.base.display());
    std::fs::write(store.path("told"), "through").unwrap();
    assert_eq!(store.ok(&["run", "--rm", "-m", "64m", "--pids-limit", "32", "-v", &bind, "host", "cat", "/mnt/told"]), "through");
    assert_eq!(store.ok(&["run", "--rm", "--read-only", "host", "sh", "-c", "touch /x 2>/dev/null || echo refused"]), "refused");
}
