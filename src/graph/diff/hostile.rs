//! Streams that mean harm: whatever they hold, nothing outside the root changes, nothing panics, and it ends.

use super::{Form, Limits, extract};
use crate::graph::tar::{Entry, Kind, Writer};
use proptest::prelude::*;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A folder with a root to extract into, and a secret beside it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/secret"), "secret").unwrap();
        Self(folder)
    }

    fn root(&self) -> std::path::PathBuf {
        self.0.path().join("root")
    }

    /// What is beside the root, times and all.
    fn outside(&self) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        for path in ["", "outside", "outside/secret"] {
            let meta = fs::symlink_metadata(self.0.path().join(path)).unwrap();
            writeln!(text, "{path} {:o} {} {} {}.{}", meta.mode(), meta.uid(), meta.nlink(), meta.mtime(), meta.mtime_nsec()).unwrap();
        }
        let names: Vec<_> =
            ["", "outside"].iter().flat_map(|path| fs::read_dir(self.0.path().join(path)).unwrap()).map(|entry| entry.unwrap().file_name()).collect();
        text + &format!("{:?} {}", names.len(), fs::read_to_string(self.0.path().join("outside/secret")).unwrap())
    }

    fn extract(&self, stream: &[u8], form: Form) -> std::io::Result<super::Extracted> {
        let root = fs::File::open(self.root()).unwrap();
        extract(stream, root.as_fd(), form, &Limits { entries: 1000, bytes: 1 << 20, names: 1 << 16 })
    }
}

fn entry(path: &str, kind: Kind, link: &str) -> Entry {
    let (uid, gid) = (rustix::process::geteuid().as_raw().into(), rustix::process::getegid().as_raw().into());
    Entry { path: path.into(), kind, link: link.into(), mode: 0o750, uid, gid, ..Entry::default() }
}

fn stream(entries: &[(&str, Kind, &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, kind, link) in entries {
        writer.whole(&entry(path, *kind, link), if *kind == Kind::File { b"content" } else { b"" }).unwrap();
    }
    writer.finish().unwrap()
}

const F: Kind = Kind::File;
const D: Kind = Kind::Folder;
const S: Kind = Kind::Symlink;
const H: Kind = Kind::HardLink;

#[test]
fn names_and_links_to_the_outside_stay_inside_or_are_refused() {
    for entries in [
        &[("../outside/new", F, "")][..],
        &[("a", S, ".."), ("a/outside/secret", F, "")],
        &[("a", S, "../outside"), ("a/secret", F, "")],
        &[("a", S, "/"), ("a/../outside/x", F, "")],
        &[("a", S, "../outside/secret"), ("a", F, "")],
        &[("a", S, "../outside"), ("b", H, "a/secret")],
        &[("a", S, "../outside"), ("a", D, "")],
        &[("a", S, "../outside"), ("a/.wh.secret", F, "")],
        &[("a", S, "../outside"), ("a/.wh..wh..opq", F, "")],
        &[("a", H, "../outside/secret")],
        &[("a", D, ""), ("a/b", S, "../../outside"), ("a/b/c", D, ""), ("a/b/c", F, "")],
        &[("..", D, "")],
        &[("a", S, "a"), ("a/b", F, "")],
        &[("a", S, "b"), ("b", S, "a"), ("a/b", F, "")],
    ] {
        let place = Place::new();
        let before = place.outside();
        let _ = place.extract(&stream(entries), Form::Layer);
        assert_eq!(place.outside(), before, "{entries:?}");
    }
}

#[test]
fn the_root_stands_for_the_root() {
    let place = Place::new();
    // Through an absolute link, a relative one, and one whose target is not there yet.
    let tar = stream(&[
        ("real", D, ""),
        ("abs", S, "/real"),
        ("abs/1", F, ""),
        ("up", S, "../../../real"),
        ("up/2", F, ""),
        ("late", S, "made/here"),
        ("late/3", F, ""),
    ]);
    let extracted = place.extract(&tar, Form::Layer).unwrap();
    for path in ["real/1", "real/2", "made/here/3"] {
        assert_eq!(fs::read_to_string(place.root().join(path)).unwrap(), "content", "{path}");
    }
    let implied: Vec<&Path> = extracted.unsaid.folders.iter().map(std::path::PathBuf::as_path).collect();
    assert_eq!(implied, [".", "made", "made/here"].map(Path::new));
}

#[test]
fn a_later_entry_replaces_an_earlier_one() {
    let place = Place::new();
    let tar = stream(&[
        ("a/b/c", F, ""),
        ("a/b/d", S, "x"),
        ("a/gone", H, "lower"),
        ("a", F, ""),
        ("s", S, "a"),
        ("s", D, ""),
        ("f", F, ""),
        ("f", S, "a"),
        ("f", F, ""),
    ]);
    let extracted = place.extract(&tar, Form::Layer).unwrap();
    assert!(fs::symlink_metadata(place.root().join("a")).unwrap().is_file());
    assert!(fs::symlink_metadata(place.root().join("s")).unwrap().is_dir());
    assert!(fs::symlink_metadata(place.root().join("f")).unwrap().is_file());
    assert_eq!(extracted.unsaid.folders, [Path::new(".")]);
    assert!(extracted.unsaid.links.is_empty());
    assert_eq!(fs::symlink_metadata(place.root().join("s")).unwrap().mode() & 0o7777, 0o750);
}

#[test]
fn links_to_lower_layers_are_left_to_the_parents() {
    let place = Place::new();
    let tar = stream(&[
        ("a", H, "lower/x"),
        ("b", H, "a"),
        (".wh.a", F, ""),
        ("c", F, ""),
        ("d", H, "c"),
        ("e", H, "lower/y"),
        ("e", F, ""),
        (".wh.g", F, ""),
        ("h", H, "g"),
    ]);
    let extracted = place.extract(&tar, Form::Layer).unwrap();
    let links = [("a", "lower/x"), ("b", "lower/x"), ("h", "g")].map(|(link, target)| (link.into(), target.into()));
    assert_eq!(extracted.unsaid.links, links);
    assert!(!place.root().join("a").exists());
    assert_eq!(fs::metadata(place.root().join("d")).unwrap().nlink(), 2);
}

#[test]
fn a_removal_never_takes_what_the_layer_itself_has() {
    let place = Place::new();
    let tar = stream(&[(".wh.x", F, ""), ("x", F, ""), ("y", F, ""), (".wh.y", F, ""), ("d/.wh.z", F, ""), (".wh..wh.plnk/1", F, "")]);
    place.extract(&tar, Form::Layer).unwrap();
    for path in ["x", "y"] {
        assert!(fs::symlink_metadata(place.root().join(path)).unwrap().is_file());
    }
    assert_eq!(fs::symlink_metadata(place.root().join("d/z")).unwrap().rdev(), 0);
    assert_eq!(fs::read_dir(place.root()).unwrap().count(), 3);
}

#[test]
fn files_go_into_a_tree_without_replacing_folders() {
    let place = Place::new();
    fs::create_dir(place.root().join("d")).unwrap();
    std::os::unix::fs::symlink("../outside", place.root().join("out")).unwrap();
    let before = place.outside();
    assert!(place.extract(&stream(&[("d", F, "")]), Form::Files).unwrap_err().to_string().contains("not replaced"));
    assert!(place.extract(&stream(&[("out", D, "")]), Form::Files).is_err());
    place.extract(&stream(&[("d/.wh.x", F, ""), ("d/n", F, ""), ("d/n", S, "m")]), Form::Files).unwrap();
    assert!(place.root().join("d/.wh.x").is_file());
    assert!(place.extract(&stream(&[("h", H, "none")]), Form::Files).unwrap_err().to_string().contains("not there"));
    let _ = place.extract(&stream(&[("out/secret", F, "")]), Form::Files);
    assert_eq!(place.outside(), before);
}

#[test]
fn limits_hold_and_errors_name_the_entry() {
    let place = Place::new();
    let many: Vec<_> = (0..2000).map(|_| ("a", F, "")).collect();
    assert!(place.extract(&stream(&many), Form::Layer).unwrap_err().to_string().contains("more than 1000 entries"));
    let deep = "d/".repeat(1500) + "e";
    let wide: Vec<_> = (0..200).map(|n| format!("{n}/{}", "x/".repeat(400))).collect();
    let wide: Vec<_> = wide.iter().map(|path| (path.as_str(), D, "")).collect();
    assert!(place.extract(&stream(&wide), Form::Layer).unwrap_err().to_string().contains("memory"));
    let place = Place::new();
    let error = place.extract(&stream(&[(&deep, F, "")]), Form::Layer).unwrap_err().to_string();
    assert!(error.contains("memory") || error.contains("d/d"), "{error}");
    let mut writer = Writer::new(Vec::new());
    writer.entry(&Entry { size: 2 << 20, ..entry("large", F, "") }).unwrap();
    writer.fill_up().unwrap();
    let error = Place::new().extract(&writer.finish().unwrap(), Form::Layer).unwrap_err().to_string();
    assert!(error.contains("entry \"large\"") && error.contains("bytes"), "{error}");
    let device = Entry { device: (0, 0), ..entry("dev", Kind::Char, "") };
    let mut writer = Writer::new(Vec::new());
    writer.entry(&device).unwrap();
    assert!(Place::new().extract(&writer.finish().unwrap(), Form::Layer).unwrap_err().to_string().contains("0:0"));
}

const PATHS: &[&str] = &[
    "a",
    "b",
    "a/b",
    "a/b/c",
    "b/a",
    "a/../b",
    ".",
    "/a",
    "../outside/x",
    "a/outside/secret",
    "a/secret",
    ".wh.a",
    "a/.wh.b",
    "b/.wh..wh..opq",
    ".wh..wh.plnk",
    "outside",
];
const TARGETS: &[&str] =
    &["a", "b", "a/b", "..", "../..", "/", "../outside", "../outside/secret", "/outside/secret", ".", "a/../../outside", "../../outside/secret"];
const KINDS: &[Kind] = &[Kind::File, Kind::Folder, Kind::Symlink, Kind::HardLink, Kind::Fifo, Kind::Symlink];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_entries_reaches_outside(
        picks in proptest::collection::vec((0..PATHS.len(), 0..KINDS.len(), 0..TARGETS.len()), 1..14), files in any::<bool>(),
    ) {
        let place = Place::new();
        let before = place.outside();
        let entries: Vec<_> = picks.iter().map(|&(path, kind, target)| (PATHS[path], KINDS[kind], TARGETS[target])).collect();
        let _ = place.extract(&stream(&entries), if files { Form::Files } else { Form::Layer });
        prop_assert_eq!(place.outside(), before);
    }

    #[test]
    fn no_damage_to_a_stream_reaches_outside(
        picks in proptest::collection::vec((0..PATHS.len(), 0..KINDS.len(), 0..TARGETS.len()), 1..8),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6), reseal in any::<bool>(),
    ) {
        let place = Place::new();
        let before = place.outside();
        let entries: Vec<_> = picks.iter().map(|&(path, kind, target)| (PATHS[path], KINDS[kind], TARGETS[target])).collect();
        let mut bytes = stream(&entries);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if reseal {
                // With a checksum that is right again, so that more than the checksum is tried.
                let block = at / 512 * 512;
                bytes[block + 148..block + 156].fill(b' ');
                let sum: u32 = bytes[block..block + 512].iter().map(|&b| u32::from(b)).sum();
                bytes[block + 148..block + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let _ = place.extract(&bytes, Form::Layer);
        prop_assert_eq!(place.outside(), before);
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let place = Place::new();
        let before = place.outside();
        let _ = place.extract(&bytes, Form::Layer);
        prop_assert_eq!(place.outside(), before);
    }
}
