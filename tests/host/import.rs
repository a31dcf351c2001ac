//! Images made from archives of file systems.

use crate::store::{Store, finish, status_of, tool, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[test]
fn what_is_exported_is_imported() {
    let Some(store) = Store::new() else { return };
    let image = store.image("rich:1");
    store.ok(&["create", "--name", "whole", &image, "true"]);
    let archive = store.path("whole.tar");
    let path = archive.to_str().unwrap();
    store.ok(&["export", "-o", path, "whole"]);
    let changes = ["-c", "CMD [\"cat\", \"/opt/kinds/fifo/file\"]", "-c", "ENV A=b", "-m", "from elsewhere"];
    let id = store.ok(&[&["import"], &changes[..], &[path, "flat:1"]].concat());
    assert_eq!((store.field("flat:1", ".Id"), store.field("flat:1", ".Architecture")), (id.clone(), store.field(&image, ".Architecture")));
    assert_eq!(store.ok(&["run", "--rm", "flat:1"]), "was a fifo");
    assert_eq!(store.ok(&["run", "--rm", "flat:1", "sh", "-c", "echo $A"]), "b");
    let history = store.ok(&["history", "--no-trunc", "flat:1"]);
    assert!(history.contains("from elsewhere") && history.lines().count() == 2, "{history}");
    // What comes out of it again is what went in.
    store.ok(&["create", "--name", "again", "flat:1", "true"]);
    store.ok(&["export", "-o", store.path("again.tar").to_str().unwrap(), "again"]);
    let listed = |name: &str| tool("tar", &["--numeric-owner", "-tvf", store.path(name).to_str().unwrap()]);
    assert_eq!(listed("again.tar"), listed("whole.tar"));
    // The image is one that others can read: skopeo compares every digest.
    let saved = format!("docker-archive:{}", store.path("saved.tar").display());
    store.ok(&["save", "-o", store.path("saved.tar").to_str().unwrap(), "flat:1"]);
    tool("skopeo", &["--insecure-policy", "copy", "-q", &saved, &format!("oci:{}:x", store.path("layout").display())]);
    store.is_consistent();
}

#[test]
fn archives_come_compressed_or_as_a_stream() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["create", "--name", "plain", &image, "true"]);
    let plain = store.kapal(&["export", "plain"]).bytes;
    let told = |program: &str| finish(Command::new(program).arg("-c"), Some(&plain)).bytes;
    for (name, bytes) in [("plain", plain.clone()), ("gzip", told("gzip")), ("zstd", told("zstd"))] {
        let made = store.fed(&bytes, &["import", "-", &format!("{name}:1")]);
        assert_eq!((made.status, made.err.as_str()), (0, ""));
        assert_eq!(store.ok(&["run", "--rm", &format!("{name}:1"), "echo", "lives"]), "lives");
        assert!(
            store
                .ok(&["history", "--no-trunc", name.to_owned().as_str()].map(|word| if word == name { made.out.as_str() } else { word }))
                .contains("Imported from -")
        );
    }
    // The same files are one layer, however they came.
    let layers = |name: &str| store.ok(&["inspect", "--format", "{{json .RootFS.Layers}}", &format!("{name}:1")]);
    assert_eq!((layers("gzip"), layers("zstd")), (layers("plain"), layers("plain")));
    let other = store.fed(&plain, &["import", "--platform", "linux/arm64/v8", "-"]).out;
    assert_eq!((store.field(&other, ".Architecture"), store.field(&other, ".Os")), ("arm64".to_owned(), "linux".to_owned()));
    assert!(store.fails(1, &["import", "https://example.org/x.tar", "x"]).contains("curl -fL https://example.org/x.tar | kapal import - x"));
    store.is_consistent();
}

#[test]
fn what_is_no_archive_leaves_nothing() {
    let Some(store) = Store::new() else { return };
    let driver = store.ok(&["info", "--format", "{{.Driver}}"]);
    fs::create_dir(store.path("tree")).unwrap();
    fs::write(store.path("tree/file"), vec![b'x'; 100_000]).unwrap();
    let tree = store.path("tree");
    let tar = |arguments: &[&str]| finish(Command::new("tar").arg("-C").arg(&tree).args(arguments), None).bytes;
    let whole = tar(&["-cf", "-", "file"]);
    let above = tar(&["-cPf", "-", "--transform", "s,^,../../,", "file"]);
    for (bytes, why) in
        [(&whole[..50_000], "file"), (&above[..], "above"), (&b"no archive at all"[..], ""), (&b""[..], "nothing came"), (&b"BZh9xxxxxxx"[..], "bzip2")]
    {
        let refused = store.fed(bytes, &["import", "-", "bad:1"]);
        assert!(refused.status == 1 && refused.err.starts_with("kapal: cannot import -: ") && refused.err.contains(why), "{} {}", refused.status, refused.err);
        assert_eq!(left(&store, &driver), [""; 0], "{why:?}");
    }
    assert!(store.fails(1, &["import", "/nowhere.tar"]).contains("/nowhere.tar"));
    assert!(store.fails(1, &["import", "-c", "FROM x", "-", "bad:1"]).contains("FROM x"));
    assert!(store.fails(1, &["import", "-", "host"]).contains("reserved"));
    let digest = format!("x@sha256:{}", "1".repeat(64));
    assert!(store.fails(1, &["import", "-", &digest]).contains("cannot be a digest"));
    for platform in ["linux", "foo", "linux/nonsense", "windows/amd64"] {
        assert!(store.fails(1, &["import", "--platform", platform, "-"]).contains("expected linux and one of"), "{platform}");
    }
    assert_eq!(store.ok(&["images", "-q"]), "");
    store.is_consistent();
}

#[test]
fn who_waits_for_an_archive_that_does_not_come_can_be_called_off() {
    let Some(store) = Store::new() else { return };
    let driver = store.ok(&["info", "--format", "{{.Driver}}"]);
    store.ok(&["create", "--name", "holds", "host", "true"]);
    let begin = finish(Command::new("tar").args(["-C", "/etc", "-cf", "-", "passwd"]), None).bytes;
    for verb in [&["import", "-", "late:1"][..], &["load"], &["cp", "-", "holds:/tmp"]] {
        for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
            let mut child = store.command(verb).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            // Something comes, and then nothing more, from one who does not go away.
            let mut input = child.stdin.take().unwrap();
            input.write_all(&begin[..1024]).unwrap();
            until("it has read that", || is_empty(&input));
            kill(Pid::from_raw(child.id() as i32), signal).unwrap();
            let said = child.wait_with_output().unwrap();
            assert_eq!((status_of(said.status), String::from_utf8_lossy(&said.stderr).trim()), (status, "kapal: cancelled"), "{verb:?} {signal}");
            // It did not give up waiting for itself: what it had begun is gone.
            assert_eq!(left(&store, &driver), [""; 0], "{verb:?} {signal}");
        }
    }
    store.is_consistent();
}

/// What is there of layers and blobs; their folders have to be. To be asked before the next command, which sweeps.
fn left(store: &Store, driver: &str) -> Vec<String> {
    let folders = ["blobs/sha256", "blobs/tmp", &format!("{driver}/layers"), &format!("{driver}/staging")].map(|folder| store.path("root").join(folder));
    let inside = |folder: &PathBuf| fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folders.iter().flat_map(inside).map(|entry| entry.unwrap().path().display().to_string()).collect()
}

/// Whether all that was written into a pipe has been read.
fn is_empty(pipe: &impl AsFd) -> bool {
    rustix::io::ioctl_fionread(pipe).unwrap() == 0
}
