//! Images: pull, names, removal; and a container's files: diff, cp, export, commit.

use crate::registry::Registry;
use crate::store::{Store, finish, status_of, tool, until};
use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;

#[test]
fn a_pull_says_what_it_did() {
    let Some(store) = Store::new() else { return };
    let name = Registry::get().name("rich:1");
    let first = store.ok(&["pull", &name]);
    assert!(first.contains("Digest: sha256:") && first.contains(&format!("Status: Downloaded newer image for {name}")), "{first}");
    let again = store.ok(&["pull", &name]);
    assert!(again.contains(&format!("Status: Image is up to date for {name}")), "{again}");
    let unknown = Registry::get().name("rich:unknown");
    assert!(store.fails(1, &["pull", &unknown]).contains(&unknown));
    let unknown = Registry::get().name("nothing:1");
    assert!(store.fails(1, &["pull", &unknown]).contains(&unknown));
    assert!(store.fails(1, &["pull", "127.0.0.1:1/box:1"]).contains("127.0.0.1:1"));
    assert!(store.fails(1, &["pull", "Not A Name"]).contains("Not A Name"));
    let digest = first.lines().find_map(|line| line.strip_prefix("Digest: ")).unwrap();
    let pinned = format!("{}@{digest}", Registry::get().name("rich"));
    store.ok(&["pull", "-q", &pinned]);
    assert_eq!(store.ok(&["run", "--rm", &pinned, "cat", "/opt/kinds/fifo/file"]), "was a fifo");
    assert_eq!(store.ok(&["images", "-q"]).lines().collect::<std::collections::BTreeSet<_>>().len(), 1);
}

#[test]
fn names_go_before_images_do() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let other = store.image("rich:1");
    let id = store.field(&image, ".Id");
    store.ok(&["tag", &image, "mine"]);
    store.ok(&["tag", &image, "mine:two"]);
    assert_eq!(store.field("mine:latest", ".Id"), id);
    assert!(store.fails(1, &["tag", "nosuch:1", "mine:three"]).contains("nosuch:1"));
    assert!(store.fails(1, &["rmi", &id]).contains("-f"), "several names");
    assert!(store.ok(&["rmi", "mine:two"]).contains("Untagged: mine:two"));
    store.fails(1, &["inspect", "mine:two"]);
    store.ok(&["create", "--name", "uses", "mine", "true"]);
    store.ok(&["rmi", "mine:latest"]);
    store.fails(1, &["rmi", &image]);
    assert_eq!(store.ok(&["start", "uses"]), "uses");
    store.ok(&["wait", "uses"]);
    store.ok(&["rm", "uses"]);
    let removed = store.ok(&["rmi", &image]);
    assert!(removed.contains("Untagged: ") && removed.contains(&format!("Deleted: {id}")), "{removed}");
    store.fails(1, &["rmi", &image]);
    assert_eq!(store.ok(&["run", "--rm", &other, "echo", "whole"]), "whole", "its lowest layer was shared by none, or kept");
    store.ok(&["rmi", "-f", &other]);
    assert_eq!(store.ok(&["images", "-q"]), "");
    let blobs = fs::read_dir(store.path("root/blobs/sha256")).unwrap().count();
    assert_eq!(blobs, 0, "blobs of removed images are left");
}

#[test]
fn a_name_is_taken_for_what_it_is() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let id = store.field(&image, ".Id");
    let hex = id.strip_prefix("sha256:").unwrap();
    // A name that is the beginning of the image's own identity is one name, not all of the image.
    let short = &hex[..8];
    store.ok(&["tag", &image, short]);
    assert_eq!(store.ok(&["rmi", short]), format!("Untagged: {short}:latest"));
    store.ok(&["tag", &image, &format!("{}-2", Registry::get().name("box:1"))]);
    assert!(store.fails(1, &["rmi", short]).contains("-f"), "two tags, although of one repository");
    assert!(store.ok(&["rmi", "-f", short]).contains(&format!("Deleted: {id}")));
    assert!(!store.fails(1, &["inspect", "--type", "image", &id]).contains("pull sha256"), "an identity cannot be pulled");
    let image = store.image("box:1");
    for refused in [&["tag", image.as_str(), "host"][..], &["pull", "host"], &["pull", "host:latest"]] {
        assert!(store.fails(1, refused).contains("reserved"), "{refused:?}");
    }
    store.ok(&["create", "--name", "one", &image, "true"]);
    store.fails(1, &["image", "inspect", "one"]);
    store.fails(1, &["container", "inspect", &image]);
    assert!(store.fails(1, &["images", "--filter", "dangling=maybe"]).contains("maybe"));
}

#[test]
fn digests_stand_with_the_repositories_that_know_them() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let (repository, other) = (Registry::get().name("box"), Registry::get().name("pushed/box"));
    let digest = store.ok(&["images", "--format", "{{.Digest}}"]);
    assert!(digest.starts_with("sha256:"), "{digest}");
    store.ok(&["tag", &image, "mine"]);
    store.ok(&["rmi", &image]);
    let rows = |options: &[&str]| {
        let mut lines: Vec<String> =
            store.ok(&[&["images", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"], options].concat()).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(rows(&[]), [format!("{repository} <none> {digest}"), "mine latest <none>".to_owned()]);
    // A push makes the digest known there, so that the blobs need not be sent to the next repository.
    store.ok(&["tag", "mine", &format!("{other}:1")]);
    store.ok(&["push", "-q", &format!("{other}:1")]);
    assert!(rows(&[]).contains(&format!("{other} 1 {digest}")), "{:?}", rows(&[]));
    let third = Registry::get().name("pushed/again");
    store.ok(&["tag", "mine", &format!("{third}:1")]);
    let pushed = store.kapal(&["push", &format!("{third}:1")]);
    assert!(pushed.status == 0 && pushed.err.contains("Mounted") && !pushed.err.contains(": Pushing"), "{}", pushed.err);
    let shown = store.field("mine", ".RepoDigests");
    assert!([&repository, &other, &third].iter().all(|name| shown.contains(&format!("{name}@{digest}"))), "{shown}");
    assert_eq!(store.field(&store.image("volume:1"), "json .Config.Volumes"), r#"{"/home/someone":{}}"#);
}

#[test]
fn what_is_refused_leaves_nothing() {
    let Some(store) = Store::new() else { return };
    let image = store.image("large:1");
    let archive = store.path("large.tar");
    store.ok(&["save", "-o", archive.to_str().unwrap(), &image]);
    store.ok(&["rmi", &image]);
    // The same image with a configuration that tells another content of its last layer.
    let folder = store.path("archive");
    fs::create_dir(&folder).unwrap();
    tool("tar", &["-xf", archive.to_str().unwrap(), "-C", folder.to_str().unwrap()]);
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let config = folder.join(manifest[0]["Config"].as_str().unwrap());
    let mut document: serde_json::Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    *document["rootfs"]["diff_ids"].as_array_mut().unwrap().last_mut().unwrap() = format!("sha256:{}", "0".repeat(64)).into();
    fs::write(folder.join("other.json"), document.to_string()).unwrap();
    manifest[0]["Config"] = "other.json".into();
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    fs::remove_file(folder.join("index.json")).unwrap();
    tool("tar", &["-cf", archive.to_str().unwrap(), "-C", folder.to_str().unwrap(), "."]);
    assert!(store.fails(1, &["load", "-i", archive.to_str().unwrap()]).contains("digest mismatch"));
    assert_eq!(store.ok(&["images", "-q"]), "");
    for left in ["root/blobs/sha256", "root/blobs/tmp", "root/overlay/layers", "root/overlay/staging"] {
        let count = fs::read_dir(store.path(left)).map_or(0, Iterator::count);
        assert_eq!(count, 0, "{left}");
    }
}

#[test]
fn an_archive_that_is_called_off_is_not_there() {
    let Some(store) = Store::new() else { return };
    // The machine itself: there is time to call it off.
    store.ok(&["create", "--name", "whole", "host", "true"]);
    let folder = store.path("archives");
    fs::create_dir(&folder).unwrap();
    let archive = folder.join("whole.tar");
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGKILL, 137)] {
        let mut child = store.command(&["export", "-o", archive.to_str().unwrap(), "whole"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        until("it is being written", || writes_below(child.id(), &folder));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), signal).unwrap();
        until("it ends", || child.try_wait().unwrap().is_some());
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!((status_of(child.wait().unwrap()), left), (status, Vec::new()), "{signal}");
    }
}

/// Whether a process has a file below a folder open, with something in it.
fn writes_below(pid: u32, folder: &std::path::Path) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().map(|entry| entry.path());
    open.filter(|fd| fs::read_link(fd).is_ok_and(|to| to.starts_with(folder))).any(|fd| fs::metadata(fd).is_ok_and(|file| file.len() > 0))
}

#[test]
fn the_driver_is_chosen_by_option_then_environment_then_what_works() {
    let Some(store) = Store::new() else { return };
    let driver = |environment: Option<&str>, option: &[&str]| {
        let mut command = store.command(&[option, &["info", "--format", "{{.Driver}}"]].concat());
        if let Some(name) = environment {
            command.env("DOCKER_DRIVER", name);
        }
        finish(&mut command, None)
    };
    assert_eq!(driver(Some("vfs"), &[]).out, "vfs");
    assert_eq!(driver(Some("vfs"), &["-s", "overlay"]).out, "overlay");
    assert_eq!(driver(Some("overlay2"), &[]).out, "overlay", "docker's name for it");
    assert_eq!(driver(None, &[]).out, "overlay");
    let refused = driver(Some("btrfs"), &[]);
    assert!(refused.status == 1 && refused.err.contains("btrfs") && refused.err.contains("not in this version"), "{refused:?}");
}

#[test]
fn differences_are_told_and_carried() {
    let Some(store) = Store::new() else { return };
    let image = store.image("rich:1");
    let script = "rm /opt/stays; rm -r /opt/gone; echo new >/opt/new; chmod 600 /opt/again; mkdir /opt/folder; touch /opt/folder/x";
    store.ok(&["run", "--name", "changes", &image, "sh", "-c", script]);
    let mut told: Vec<String> = store.ok(&["diff", "changes"]).lines().map(str::to_owned).collect();
    told.sort();
    assert_eq!(told, ["A /opt/folder", "A /opt/folder/x", "A /opt/new", "C /opt", "C /opt/again", "D /opt/gone", "D /opt/stays"]);
    store.ok(&["commit", "-m", "a change", "-a", "me", "--change", "CMD [\"cat\", \"/opt/new\"]", "--change", "ENV A=b", "changes", "changed:1"]);
    assert_eq!(store.ok(&["run", "--rm", "changed:1"]), "new");
    assert_eq!(store.ok(&["run", "--rm", "changed:1", "sh", "-c", "ls -d /opt/stays /opt/gone 2>/dev/null; stat -c %a /opt/again; echo $A"]), "600\nb");
    assert!(store.ok(&["history", "--no-trunc", "changed:1"]).contains("a change"));
    let archive = store.path("all.tar");
    store.ok(&["export", "-o", archive.to_str().unwrap(), "changes"]);
    let listed = tool("tar", &["-tvf", archive.to_str().unwrap()]);
    assert!(listed.contains(" opt/folder/x") && !listed.contains("opt/stays"), "{listed}");
    assert!(listed.contains("-rwsr-xr-x") && (listed.contains("prw") || listed.contains("crw")), "{listed}");
}

#[test]
fn files_are_copied_both_ways() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let here = store.path("here");
    fs::create_dir_all(here.join("deep/er")).unwrap();
    fs::write(here.join("deep/er/file"), "carried").unwrap();
    store.ok(&["run", "-d", "--name", "port1", &image, "sleep", "1000"]);
    store.ok(&["cp", here.to_str().unwrap(), "port1:/tmp"]);
    assert_eq!(store.ok(&["exec", "port1", "cat", "/tmp/here/deep/er/file"]), "carried");
    store.ok(&["cp", &format!("{}/.", here.display()), "port1:/home"]);
    assert_eq!(store.ok(&["exec", "port1", "cat", "/home/deep/er/file"]), "carried");
    store.ok(&["cp", "port1:/etc/passwd", store.path("passwd").to_str().unwrap()]);
    assert!(fs::read_to_string(store.path("passwd")).unwrap().contains("someone"));
    let streamed = store.kapal(&["cp", "port1:/tmp/here", "-"]);
    assert_eq!(streamed.status, 0, "{}", streamed.err);
    assert!(finish(Command::new("tar").arg("-t"), Some(&streamed.bytes)).out.contains("here/deep/er/file"));
    store.fails(1, &["cp", "port1:/nowhere", store.base.to_str().unwrap()]);
    store.ok(&["exec", "port1", "ln", "-s", store.base.to_str().unwrap(), "/tmp/trap"]);
    store.kapal(&["cp", here.join("deep").to_str().unwrap(), "port1:/tmp/trap/"]);
    assert!(!store.path("deep").exists(), "a copy left the container through a link");
    store.ok(&["stop", "-t", "0", "port1"]);
    store.ok(&["cp", "port1:/tmp/here/deep/er/file", store.path("after").to_str().unwrap()]);
    assert_eq!(fs::read_to_string(store.path("after")).unwrap(), "carried");
}

#[test]
fn a_copy_sees_what_is_mounted_whether_the_container_runs_or_not() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let (folder, file) = (store.path("folder"), store.path("file"));
    fs::create_dir(&folder).unwrap();
    fs::write(&file, "own").unwrap();
    fs::write(folder.join("inner"), "bound").unwrap();
    let options =
        ["-v", "kept:/data", "-v", &format!("{}:/data/deep", folder.display()), "-v", &format!("{}:/etc/conf", file.display()), "-v", "not:/written:ro"];
    store.ok(&[&["create", "--name", "holds"], &options[..], &[&image, "sh", "-c", "echo kept >/data/file; ln -s /data /way; exec sleep 1000"]].concat());
    let listed = || {
        let archive = store.kapal(&["cp", "holds:/", "-"]);
        assert_eq!(archive.status, 0, "{}", archive.err);
        finish(Command::new("tar").arg("-t"), Some(&archive.bytes)).out
    };
    assert!(listed().lines().any(|name| name == "data/deep/inner"), "never started");
    store.ok(&["start", "holds"]);
    until("it has written", || store.kapal(&["exec", "holds", "readlink", "/way"]).status == 0);
    fs::write(store.path("new"), "new").unwrap();
    let new = store.path("new").display().to_string();
    for running in [true, false] {
        let names = listed();
        assert!(["data/file", "data/deep/inner", "etc/conf"].iter().all(|wanted| names.lines().any(|name| name == *wanted)), "{running}: {names}");
        store.ok(&["cp", &new, "holds:/way/deep/"]);
        assert_eq!(fs::read_to_string(folder.join("new")).unwrap(), "new", "{running}");
        fs::remove_file(folder.join("new")).unwrap();
        // A file that is mounted gets the content: it is neither replaced nor uncovered.
        fs::write(&file, "own").unwrap();
        store.ok(&["cp", &new, "holds:/etc/conf"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), "new", "{running}");
        let refused = store.kapal(&["cp", &new, "holds:/written/"]);
        assert!(refused.status == 1 && refused.err.to_lowercase().contains("read-only"), "{running}: {refused:?}");
        if running {
            assert_eq!(store.ok(&["exec", "holds", "cat", "/etc/conf"]), "new");
            store.ok(&["stop", "-t", "0", "holds"]);
        }
    }
    let archive = store.path("export.tar");
    store.ok(&["export", "-o", archive.to_str().unwrap(), "holds"]);
    assert!(!tool("tar", &["-tf", archive.to_str().unwrap()]).contains("data/file"), "an export is the files alone");
}

#[test]
fn what_is_saved_loads_here_and_in_skopeo() {
    let Some(store) = Store::new() else { return };
    if !store.ok(&["--help"]).contains("  save ") {
        eprintln!("SKIPPED: this program has no save");
        return;
    }
    let image = store.image("rich:1");
    let id = store.field(&image, ".Id");
    store.ok(&["tag", &image, "saved:1"]);
    let archive = store.path("saved.tar");
    store.ok(&["save", "-o", archive.to_str().unwrap(), "saved:1"]);
    let copied = store.path("copied");
    let read = |kind: &str, tag: &str| {
        let target = format!("oci:{}:{tag}", copied.display());
        tool("skopeo", &["copy", "-q", &format!("{kind}:{}", archive.display()), &target]);
        tool("skopeo", &["inspect", "--config", "--raw", &target])
    };
    assert!(read("docker-archive", "docker").contains("rootfs"));
    let back = store.path("back.tar");
    let from = format!("oci:{}", Registry::get().source("box:1"));
    tool("skopeo", &["copy", "-q", &from, &format!("docker-archive:{}:back:1", back.display())]);
    let loaded = store.kapal(&["load", "-i", back.to_str().unwrap()]);
    assert!(loaded.out.contains("back:1") && loaded.err.contains("Load complete") && !loaded.err.contains("Pull"), "{loaded:?}");
    assert_eq!(store.ok(&["run", "--rm", "back:1", "echo", "loaded"]), "loaded");
    let back = store.path("oci.tar");
    tool("skopeo", &["copy", "-q", &from, &format!("oci-archive:{}:oci:1", back.display())]);
    store.ok(&["load", "-i", back.to_str().unwrap()]);
    store.ok(&["rmi", "-f", "saved:1", &image]);
    store.ok(&["load", "-i", archive.to_str().unwrap()]);
    assert_eq!(store.field("saved:1", ".Id"), id);
    assert_eq!(store.ok(&["run", "--rm", "saved:1", "cat", "/opt/kinds/fifo/file"]), "was a fifo");
    std::fs::write(store.path("junk"), vec![7_u8; 100_000]).unwrap();
    store.fails(1, &["load", "-i", store.path("junk").to_str().unwrap()]);
}
