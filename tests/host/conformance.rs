//! The conformance suite of the graph drivers: every driver does what vfs does, which keeps whole trees and cannot err.

use crate::store::Store;
use kapal::graphdriver::{Base, ChangeKind, DRIVERS, GraphDriver, LayerChange, Unsaid, list};
use kapal::id::{ContainerId, Digest, LayerId, chain};
use rustix::fs::{AtFlags, CWD, Dev, FileType, Mode, OFlags, XattrFlags};
use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// What a layer's maker does in its folder, and what its stream left unsaid.
type Maker = fn(&Path) -> Unsaid;

fn whiteout(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), Dev::default()).unwrap();
}

fn opaque(path: &Path) {
    rustix::fs::lsetxattr(path, "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
}

fn base(root: &Path) -> Unsaid {
    for folder in ["etc", "gone/deep", "emptied/old", "usr/lib", "kept"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for (file, text) in
        [("etc/a", "a"), ("etc/b", "b"), ("gone/deep/x", "x"), ("emptied/old/y", "y"), ("emptied/z", "z"), ("usr/lib/one", "1"), ("kept/linked", "l")]
    {
        fs::write(root.join(file), text).unwrap();
    }
    symlink("usr/lib", root.join("lib")).unwrap();
    fs::set_permissions(root.join("etc/a"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(root.join("kept"), fs::Permissions::from_mode(0o1750)).unwrap();
    std::os::unix::fs::chown(root.join("kept"), Some(1000), Some(1001)).unwrap();
    fs::hard_link(root.join("kept/linked"), root.join("kept/again")).unwrap();
    rustix::fs::lsetxattr(root.join("etc/b"), "user.note", b"n", XattrFlags::empty()).unwrap();
    let sparse = fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    Unsaid::default()
}

fn changes(root: &Path) -> Unsaid {
    for folder in ["etc", "emptied", "lib", "kept"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    whiteout(&root.join("etc/a"));
    whiteout(&root.join("gone"));
    opaque(&root.join("emptied"));
    fs::write(root.join("emptied/new"), "new").unwrap();
    fs::write(root.join("etc/b"), "changed").unwrap();
    fs::write(root.join("lib/two"), "2").unwrap();
    fs::write(root.join("kept/more"), "m").unwrap();
    let folders = ["kept", "lib", "etc"].map(PathBuf::from).to_vec();
    Unsaid { folders, links: vec![("kept/third".into(), "kept/linked".into())] }
}

fn file_for_folder(root: &Path) -> Unsaid {
    fs::write(root.join("emptied"), "a file now").unwrap();
    fs::create_dir(root.join("gone")).unwrap();
    fs::write(root.join("gone/back"), "back").unwrap();
    Unsaid::default()
}

fn ids(count: usize) -> Vec<LayerId> {
    chain(&(0..count).map(|n| Digest::of(n.to_string().as_bytes())).collect::<Vec<_>>())
}

fn commit(driver: &dyn GraphDriver, id: &LayerId, parents: &[LayerId], maker: impl FnOnce(&Path) -> Unsaid) {
    let staging = driver.stage().unwrap();
    let unsaid = maker(&staging.path);
    driver.commit(staging, id, parents, &unsaid).unwrap();
}

/// Everything seen below a root: path, type and mode, owner, the first of its names, attribute, content or target.
fn seen(root: &OwnedFd) -> Vec<String> {
    let top = PathBuf::from(format!("/proc/self/fd/{}", root.as_raw_fd()));
    let mut lines = Vec::new();
    let mut first: HashMap<u64, PathBuf> = HashMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        let mut names: Vec<_> = fs::read_dir(top.join(&path)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            let inner = path.join(name);
            let full = top.join(&inner);
            let meta = fs::symlink_metadata(&full).unwrap();
            let content = if meta.is_file() {
                format!("{:?}", Digest::of(&fs::read(&full).unwrap()))
            } else {
                fs::read_link(&full).map(|to| to.display().to_string()).unwrap_or_default()
            };
            let mut note = [0u8; 8];
            let note = rustix::fs::lgetxattr(&full, "user.note", &mut note).unwrap_or(0);
            // A number of links counts names that a layer above may hide; which names are one file does not.
            let first = first.entry(meta.ino()).or_insert_with(|| inner.clone()).display().to_string();
            lines.push(format!("{} {:o} {}:{} {first} {note} {content}", inner.display(), meta.mode(), meta.uid(), meta.gid()));
            if meta.is_dir() {
                waiting.push(inner);
            }
        }
    }
    lines.sort();
    lines
}

fn write(root: &OwnedFd, path: &str, text: &str) {
    let top = format!("/proc/self/fd/{}", root.as_raw_fd());
    fs::write(Path::new(&top).join(path), text).unwrap();
}

/// What a layer is said to change. A layer in diff form holds the file anew that a link in it leads to: that is no change
/// for one that is kept whole.
fn listed(driver: &dyn GraphDriver, id: &LayerId, parents: &[LayerId]) -> Vec<String> {
    let tree = list(driver, id, parents, 1000).unwrap();
    assert!(!tree.truncated && list(driver, id, parents, 2).unwrap().truncated);
    assert!(tree.entries.is_sorted_by(|a, b| a.path < b.path));
    let told = tree.entries.iter().filter(|entry| entry.change != LayerChange::Unchanged && entry.path != Path::new("kept/linked"));
    told.map(|e| format!("{:?} {} {:?} {} {:o} {}:{} {:?} {}", e.change, e.path.display(), e.kind, e.size, e.mode, e.uid, e.gid, e.target, e.hidden)).collect()
}

/// Runs the suite on a driver and gives all that was seen.
fn run(driver: &dyn GraphDriver) -> Vec<Vec<String>> {
    let makers: [Maker; 3] = [base, changes, file_for_folder];
    let layers = ids(makers.len());
    for (at, maker) in makers.iter().enumerate() {
        commit(driver, &layers[at], &layers[..at], maker);
        assert!(driver.has(&layers[at]).unwrap());
    }
    // A layer's id says what is in it: made again, nothing changes.
    commit(driver, &layers[0], &[], |_| Unsaid::default());
    let mut all: Vec<_> = (1..=layers.len()).map(|count| seen(&driver.mount_image(&layers[..count]).unwrap())).collect();
    all.extend((0..layers.len()).map(|at| listed(driver, &layers[at], &layers[..at])));
    let container = ContainerId::random().unwrap();
    let from = || Base::Layers(&layers);
    driver.create(&container, from()).unwrap();
    {
        let root = driver.mount(&container, from(), false).unwrap();
        write(&root, "etc/b", "by the container");
        write(&root, "fresh", "f");
        rustix::fs::unlinkat(&root, "usr/lib/one", AtFlags::empty()).unwrap();
        all.push(seen(&root));
    }
    all.push(seen(&driver.mount(&container, from(), true).unwrap()));
    let told = driver.changes(&container, from()).unwrap();
    let of = |path: &str| told.iter().find(|change| change.path == Path::new(path)).map(|change| change.kind);
    assert_eq!((of("fresh"), of("etc/b"), of("usr/lib/one")), (Some(ChangeKind::Added), Some(ChangeKind::Changed), Some(ChangeKind::Deleted)), "{told:?}");
    all.push(told.iter().map(|change| format!("{:?} {}", change.kind, change.path.display())).collect());
    assert_eq!(driver.containers().unwrap(), std::slice::from_ref(&container));
    driver.remove(&container).unwrap();
    driver.remove(&container).unwrap();
    assert!(driver.containers().unwrap().is_empty());
    for id in layers.iter().rev() {
        driver.remove_layer(id).unwrap();
    }
    assert!(driver.layers().unwrap().is_empty());
    all
}

fn fresh(name: &str) -> Option<(tempfile::TempDir, Box<dyn GraphDriver>)> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: the drivers need root");
        return None;
    }
    let folder = tempfile::tempdir_in(crate::store::ground()).unwrap();
    let (_, open) = DRIVERS.iter().find(|(known, _)| *known == name).unwrap();
    let driver = match open(folder.path()) {
        Ok(driver) => driver,
        Err(error) => {
            eprintln!("SKIPPED: {name}: {error}");
            return None;
        }
    };
    Some((folder, driver))
}

#[test]
fn every_driver_does_what_vfs_does() {
    let Some((_oracle_folder, oracle)) = fresh("vfs") else { return };
    let expected = run(&*oracle);
    for (name, _) in DRIVERS.iter().filter(|(name, _)| *name != "vfs") {
        let Some((_folder, driver)) = fresh(name) else { continue };
        for (at, (seen, expected)) in run(&*driver).iter().zip(&expected).enumerate() {
            assert_eq!(seen, expected, "{name}, look {at}");
        }
    }
}

#[test]
fn a_hundred_and_twenty_eight_layers_are_mounted() {
    for name in ["overlay", "vfs"] {
        let Some((_folder, driver)) = fresh(name) else { continue };
        let layers = ids(128);
        for (at, id) in layers.iter().enumerate() {
            commit(&*driver, id, &layers[..at], |root| {
                fs::write(root.join(format!("layer{at}")), at.to_string()).unwrap();
                fs::write(root.join("last"), at.to_string()).unwrap();
                Unsaid::default()
            });
        }
        let seen = seen(&driver.mount_image(&layers).unwrap());
        assert_eq!(seen.len(), 129, "{name}");
    }
}

#[test]
fn what_was_staged_and_left_is_swept() {
    for name in ["overlay", "vfs"] {
        let Some((folder, driver)) = fresh(name) else { continue };
        let held = driver.stage().unwrap();
        let left = driver.stage().unwrap();
        fs::create_dir_all(left.path.join("a/b/c/d")).unwrap();
        let path = left.path.clone();
        // As a killed process leaves it: the folder there, its lock free.
        let lock = rustix::io::dup(&left.lock).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::Unlock).unwrap();
        std::mem::forget(left);
        driver.sweep().unwrap();
        assert!(!path.exists() && held.path.exists(), "{name}");
        drop(held);
        let staging = folder.path().join(name).join("staging");
        assert_eq!(fs::read_dir(staging).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn a_root_that_is_read_only_is() {
    for name in ["overlay", "vfs"] {
        let Some((_folder, driver)) = fresh(name) else { continue };
        let layers = ids(1);
        commit(&*driver, &layers[0], &[], base);
        let root = driver.mount_image(&layers).unwrap();
        let made = rustix::fs::openat(&root, "new", OFlags::CREATE | OFlags::WRONLY, Mode::from_raw_mode(0o600));
        assert_eq!(made.unwrap_err(), rustix::io::Errno::ROFS, "{name}");
    }
}

#[test]
fn a_driver_that_there_is_not_is_told_by_every_verb() {
    let Some(store) = Store::new() else { return };
    for verb in [&["ps"][..], &["images"], &["network", "ls"], &["info"], &["system", "check"]] {
        let told = store.fails(1, &[&["-s", "nosuch"], verb].concat());
        assert!(told.contains("storage driver \"nosuch\" does not exist") && told.contains("overlay, vfs"), "{verb:?}: {told}");
    }
    assert!(!store.path("root").exists(), "nothing is made for it");
}
