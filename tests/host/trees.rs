//! Images extracted by both drivers, compared file by file with what umoci unpacks.

use crate::registry::Registry;
use crate::store::{Store, tool};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// All that a file has beside its name.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    owner: (u32, u32),
    device: u64,
    size: u64,
    modified: (i64, i64),
    target: PathBuf,
    attributes: BTreeMap<OsString, Vec<u8>>,
    content: Vec<u8>,
    /// The first name of the same file.
    same_as: PathBuf,
}

type Tree = BTreeMap<PathBuf, Entry>;

/// What a container mounts on; its inside is not the image's.
const MOUNTED: &[&str] = &["proc", "sys", "dev", "etc/hosts", "etc/hostname", "etc/resolv.conf"];

fn attributes(path: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let mut list = vec![0_u8; 1 << 16];
    let length = rustix::fs::llistxattr(path, &mut list[..]).unwrap();
    let names = list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let name = OsString::from_vec(name.to_vec());
            let mut value = vec![0_u8; 1 << 16];
            let length = rustix::fs::lgetxattr(path, &name, &mut value[..]).unwrap();
            value.truncate(length);
            (name, value)
        })
        .collect()
}

fn walk(root: &Path, below: &Path, first: &mut HashMap<(u64, u64), PathBuf>, tree: &mut Tree) {
    let mut entries: Vec<PathBuf> = fs::read_dir(root.join(below)).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
    entries.sort();
    for name in entries {
        let name = below.join(name);
        if MOUNTED.iter().any(|mounted| Path::new(mounted) == name) {
            continue;
        }
        let path = root.join(&name);
        let seen = fs::symlink_metadata(&path).unwrap();
        let kind = seen.file_type();
        let special = kind.is_char_device() || kind.is_block_device();
        let same_as = if kind.is_dir() { name.clone() } else { first.entry((seen.dev(), seen.ino())).or_insert_with(|| name.clone()).clone() };
        let content = if kind.is_file() { ring::digest::digest(&ring::digest::SHA256, &fs::read(&path).unwrap()).as_ref().to_vec() } else { Vec::new() };
        let entry = Entry {
            mode: seen.mode(),
            owner: (seen.uid(), seen.gid()),
            device: if special { seen.rdev() } else { 0 },
            size: if kind.is_file() { seen.size() } else { 0 },
            modified: (seen.mtime(), seen.mtime_nsec()),
            target: if kind.is_symlink() { fs::read_link(&path).unwrap() } else { PathBuf::new() },
            attributes: attributes(&path),
            content,
            same_as,
        };
        tree.insert(name.clone(), entry);
        if kind.is_dir() {
            walk(root, &name, first, tree);
        }
    }
}

fn tree(root: &Path) -> Tree {
    let mut found = Tree::new();
    walk(root, Path::new(""), &mut HashMap::new(), &mut found);
    found
}

/// The tree that a container of the image has as its root.
fn extracted(driver: &'static str, image: &str) -> Option<Tree> {
    let store = Store::with(driver)?;
    let name = store.image(image);
    store.ok(&["run", "-d", "--name", "shows", &name, "sleep", "1000"]);
    assert_eq!(store.field("shows", ".Driver"), driver);
    Some(tree(Path::new(&format!("/proc/{}/root/", store.field("shows", ".State.Pid")))))
}

fn unpacked(image: &str) -> Tree {
    let folder = tempfile::Builder::new().prefix("unpacked-").tempdir_in(crate::store::ground()).unwrap();
    let bundle = folder.path().join("bundle");
    tool("umoci", &["unpack", "--image", &Registry::get().source(image), bundle.to_str().unwrap()]);
    tree(&bundle.join("rootfs"))
}

#[track_caller]
fn assert_same(told: &str, ours: &Tree, theirs: &Tree) {
    let mut faults: Vec<String> = theirs
        .iter()
        .filter_map(|(name, entry)| match ours.get(name) {
            None => Some(format!("{}: missing", name.display())),
            Some(own) => (own != entry).then(|| format!("{}: {own:?}, expected {entry:?}", name.display())),
        })
        .collect();
    faults.extend(ours.keys().filter(|name| !theirs.contains_key(*name)).map(|name| format!("{}: too much", name.display())));
    assert!(faults.is_empty(), "{told}: {} faults:\n{}", faults.len(), faults.join("\n"));
}

fn equal_to_umoci(driver: &'static str) {
    for image in ["rich:1", "large:1", "box:1"] {
        let Some(ours) = extracted(driver, image) else { return };
        assert!(ours.contains_key(Path::new("bin/busybox")));
        assert_same(image, &ours, &unpacked(image));
    }
}

#[test]
fn overlay_is_what_umoci_unpacks() {
    equal_to_umoci("overlay");
}

#[test]
fn vfs_is_what_umoci_unpacks() {
    equal_to_umoci("vfs");
}
