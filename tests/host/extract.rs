//! Layers' streams against GNU tar: what it packs is extracted as it was, what is packed here it extracts the same.

use kapal::graph::diff::{Changed, Form, Limits, Pack, Unsaid, extract, pack_changes, pack_layer, pack_tree};
use kapal::graph::tar::{Entry, Kind, Writer};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says why a test does nothing, unless it can run.
fn skipped() -> bool {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: extraction of owners, devices and trusted attributes needs root");
        return true;
    }
    if !Command::new("tar").arg("--version").output().is_ok_and(|out| out.stdout.starts_with(b"tar (GNU tar)")) {
        eprintln!("SKIPPED: GNU tar is not installed");
        return true;
    }
    false
}

/// A temporary folder on a real file system: extended attributes and holes are not everywhere.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in(crate::store::ground()).unwrap()
}

fn run(command: &mut Command) -> Vec<u8> {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Everything about every file below `root`, by path; names of one file share a number.
fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    let mut todo = vec![PathBuf::new()];
    let mut paths = Vec::new();
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if fs::symlink_metadata(root.join(&path)).unwrap().is_dir() {
                todo.push(path.clone());
            }
            paths.push(path);
        }
    }
    paths.push(PathBuf::from("."));
    paths.sort();
    for path in paths {
        let whole = root.join(&path);
        let meta = fs::symlink_metadata(&whole).unwrap();
        let count = inodes.len();
        let same = *inodes.entry(meta.ino()).or_insert(count);
        let content = if meta.is_symlink() {
            fs::read_link(&whole).unwrap().into_os_string().into_encoded_bytes()
        } else if meta.is_file() {
            fs::read(&whole).unwrap()
        } else {
            Vec::new()
        };
        let (links, size) = if meta.is_dir() { (0, 0) } else { (meta.nlink(), meta.size()) };
        let line = format!(
            "{:o} {}:{} {size} {}.{:09} rdev {} inode {same} of {links} {} {:?}",
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.rdev(),
            kapal::id::Digest::of(&content).short(),
            xattrs(&whole),
        );
        all.insert(path, line);
    }
    all
}

fn xattrs(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names = vec![0; 4096];
    let count = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let mut all = Vec::new();
    for name in names[..count].split(|&b| b == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 65536];
        let count = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        all.push((String::from_utf8_lossy(name).into_owned(), value[..count].to_vec()));
    }
    all.sort();
    all
}

fn set_xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

fn set_time(path: &Path, seconds: i64, nanos: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanos };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn node(path: &Path, kind: rustix::fs::FileType, major: u32, minor: u32) {
    let mode = rustix::fs::Mode::from_raw_mode(0o620);
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, rustix::fs::makedev(major, minor)).unwrap();
}

/// A tree with one of everything; `modern` adds what only POSIX archives can hold.
fn furnish(root: &Path, modern: bool) {
    use rustix::fs::FileType;
    fs::create_dir(root).unwrap();
    let deep = root.join(format!("deep/{}/{}", "n".repeat(120), "m".repeat(120)));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("l".repeat(200)), "long").unwrap();
    symlink("t".repeat(300), root.join("long-link")).unwrap();
    symlink("/no/where", root.join("dangling")).unwrap();
    lchown(root.join("dangling"), Some(5), Some(6)).unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(root.join("exact"), [7; 512 * 3]).unwrap();
    fs::write(root.join("large"), vec![9; 700_001]).unwrap();
    fs::write(root.join("suid"), "suid").unwrap();
    chown(root.join("suid"), Some(1000), Some(1001)).unwrap();
    fs::set_permissions(root.join("suid"), fs::Permissions::from_mode(0o6755)).unwrap();
    fs::hard_link(root.join("suid"), deep.join("again")).unwrap();
    fs::create_dir(root.join("sticky")).unwrap();
    fs::set_permissions(root.join("sticky"), fs::Permissions::from_mode(0o3777)).unwrap();
    fs::write(root.join("sticky/\u{e9}\u{4e2d} =\\"), "odd name").unwrap();
    node(&root.join("char"), FileType::CharacterDevice, 5, 1);
    node(&root.join("block"), FileType::BlockDevice, 259, 300_000);
    node(&root.join("fifo"), FileType::Fifo, 0, 0);
    let sparse = File::create(root.join("sparse")).unwrap();
    for at in [1 << 20, 5 << 20, (9 << 20) + 7] {
        sparse.write_all_at(b"data in a hole", at).unwrap();
    }
    sparse.set_len(16 << 20).unwrap();
    File::create(root.join("hole")).unwrap().set_len(32 << 20).unwrap();
    let many = File::create(root.join("many-holes")).unwrap();
    for n in 0..60u64 {
        many.write_all_at(b"x", n * 128 * 1024).unwrap();
    }
    if modern {
        fs::write(root.join("giant-id"), "id").unwrap();
        chown(root.join("giant-id"), Some(4_294_967_294), Some(3_000_000_000)).unwrap();
        set_xattr(&root.join("suid"), "user.note", b"a\0=\nb");
        set_xattr(&root.join("exact"), "security.capability", &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        set_xattr(&root.join("sticky"), "trusted.kept", b"yes");
        set_xattr(&root.join("dangling"), "trusted.link", b"yes");
    }
    let mut number: i64 = 0;
    for path in tree(root).keys().rev() {
        number += 1;
        let (seconds, nanos) = if modern { (1_600_000_000 + number, 123_456_789 + number) } else { (1_600_000_000 + number, 0) };
        set_time(&root.join(path), if modern && number == 3 { -5 } else { seconds }, nanos);
    }
}

fn unpack(stream: &[u8], into: &Path) -> kapal::graph::diff::Extracted {
    fs::create_dir(into).unwrap();
    extract(stream, File::open(into).unwrap().as_fd(), Form::Layer, &Limits::default()).unwrap()
}

#[track_caller]
fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (tree(one), tree(other));
    for (path, line) in &one {
        assert_eq!(Some(line), other.get(path), "{}", path.display());
    }
    assert_eq!(one.len(), other.len());
}

#[test]
fn what_gnu_tar_packs_is_extracted_as_it_was() {
    if skipped() {
        return;
    }
    for (format, modern, options) in [
        ("gnu", false, &["--sparse"][..]),
        ("gnu", false, &[]),
        ("oldgnu", false, &["--sparse"]),
        ("posix", true, &["--xattrs", "--xattrs-include=*"]),
        ("posix", true, &["--xattrs", "--xattrs-include=*", "--sparse", "--sparse-version=0.0"]),
        ("posix", true, &["--xattrs", "--xattrs-include=*", "--sparse", "--sparse-version=0.1"]),
        ("posix", true, &["--xattrs", "--xattrs-include=*", "--sparse", "--sparse-version=1.0"]),
    ] {
        let place = place();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        furnish(&from, modern);
        if !options.contains(&"--sparse") {
            fs::remove_file(from.join("hole")).unwrap();
            set_time(&from, 1_600_000_000, 0);
        }
        let stream = run(Command::new("tar").arg("--create").arg(format!("--format={format}")).args(options).arg("-C").arg(&from).arg("."));
        let extracted = unpack(&stream, &to);
        assert_eq!(extracted.unsaid, Unsaid::default(), "{format} {options:?}");
        assert!(extracted.unkept.is_empty());
        assert_same(&from, &to);
        if options.contains(&"--sparse") {
            let blocks = |name: &str| fs::metadata(to.join(name)).unwrap().blocks() * 512;
            assert!(blocks("sparse") < 1 << 20 && blocks("hole") == 0 && blocks("many-holes") < 1 << 20, "{format}: holes were filled");
        }
    }
}

#[test]
fn what_is_packed_here_gnu_tar_extracts_the_same() {
    if skipped() {
        return;
    }
    let place = place();
    let (from, to, own) = (place.path().join("from"), place.path().join("to"), place.path().join("own"));
    furnish(&from, true);
    fs::remove_file(from.join("hole")).unwrap();
    std::os::unix::net::UnixListener::bind(place.path().join("s")).unwrap();
    fs::rename(place.path().join("s"), from.join("socket")).unwrap();
    set_time(&from, 1_600_000_000, 5);
    let root = File::open(&from).unwrap();
    let stream = pack_layer(root.as_fd(), Vec::new()).unwrap();
    assert_eq!(stream, pack_layer(root.as_fd(), Vec::new()).unwrap());
    unpack(&stream, &own);
    let archive = place.path().join("archive.tar");
    fs::write(&archive, &stream).unwrap();
    fs::create_dir(&to).unwrap();
    run(Command::new("tar")
        .args(["--extract", "--preserve-permissions", "--numeric-owner", "--same-owner", "--xattrs", "--xattrs-include=*", "--delay-directory-restore", "-C"])
        .arg(&to)
        .arg("-f")
        .arg(&archive));
    fs::remove_file(from.join("socket")).unwrap();
    set_time(&from, 1_600_000_000, 5);
    assert_same(&from, &own);
    assert_same(&from, &to);
}

#[test]
fn parts_of_a_tree_are_packed_under_another_name() {
    if skipped() {
        return;
    }
    let place = place();
    let from = place.path().join("from");
    furnish(&from, true);
    fs::create_dir_all(from.join("etc/sub")).unwrap();
    fs::write(from.join("etc/sub/file"), "x").unwrap();
    symlink("/etc/sub", from.join("way")).unwrap();
    symlink("sub/../sub/file", from.join("etc/to-file")).unwrap();
    let root = File::open(&from).unwrap();
    let names = |sub: &str, name: Option<&str>, follow: bool| {
        let stream = pack_tree(root.as_fd(), Path::new(sub), Vec::new(), &Pack { name: name.map(Path::new), follow }).unwrap();
        fs::write(place.path().join("t"), stream).unwrap();
        String::from_utf8(run(Command::new("tar").arg("--list").arg("-f").arg(place.path().join("t")))).unwrap()
    };
    assert_eq!(names("etc/sub", Some("other"), false), "other/\nother/file\n");
    assert_eq!(names("/etc/sub/", None, false), "file\n");
    assert_eq!(names("way/file", None, false), "file\n");
    assert_eq!(names("way", Some("w"), false), "w\n");
    assert_eq!(names("way", Some("w"), true), "w/\nw/file\n");
    assert_eq!(names("etc/to-file", Some("f"), true), "f\n");
    let missing = pack_tree(root.as_fd(), Path::new("etc/none"), Vec::new(), &Pack::default()).unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_layer_survives_the_way_to_disk_and_back() {
    if skipped() {
        return;
    }
    let place = place();
    let (disk, again, marked) = (place.path().join("disk"), place.path().join("again"), place.path().join("marked"));
    let mut writer = Writer::new(Vec::new());
    for (path, kind) in [
        ("./", Kind::Folder),
        ("d/", Kind::Folder),
        ("d/.wh..wh..opq", Kind::File),
        ("d/new", Kind::File),
        (".wh.gone", Kind::File),
        (".wh.back", Kind::File),
        ("back/", Kind::Folder),
        (".wh.made", Kind::File),
        ("made/x", Kind::File),
    ] {
        writer.entry(&Entry { path: path.into(), kind, mode: 0o755, mtime: (1000, 0), ..Entry::default() }).unwrap();
    }
    let extracted = unpack(&writer.finish().unwrap(), &disk);
    assert_eq!(extracted.unsaid, Unsaid::default());
    let opaque = ("trusted.overlay.opaque".to_owned(), b"y".to_vec());
    for folder in ["d", "back", "made"] {
        assert_eq!(xattrs(&disk.join(folder)), std::slice::from_ref(&opaque), "{folder}");
    }
    let meta = fs::symlink_metadata(disk.join("gone")).unwrap();
    assert_eq!((meta.mode() & 0o170_000, meta.rdev()), (0o020_000, 0));
    let stream = pack_layer(File::open(&disk).unwrap().as_fd(), Vec::new()).unwrap();
    fs::write(&marked, &stream).unwrap();
    let names = String::from_utf8(run(Command::new("tar").arg("--list").arg("-f").arg(&marked))).unwrap();
    assert_eq!(names, "./\nback/\nback/.wh..wh..opq\nd/\nd/.wh..wh..opq\nd/new\n.wh.gone\nmade/\nmade/.wh..wh..opq\nmade/x\n");
    unpack(&stream, &again);
    // A removal's own time means nothing.
    for root in [&disk, &again] {
        set_time(&root.join("gone"), 0, 0);
        set_time(root, 0, 0);
    }
    assert_same(&disk, &again);
}

#[test]
fn changes_of_a_tree_become_a_layer() {
    if skipped() {
        return;
    }
    let place = place();
    let (from, list) = (place.path().join("from"), place.path().join("list"));
    furnish(&from, true);
    let changes = [("sticky", false), ("suid", false), ("gone", true), ("deep/gone", true), ("vanished/meanwhile", false), (".", false)];
    let changes = changes.map(|(path, deleted)| Changed { path: Path::new(path), deleted });
    let stream = pack_changes(File::open(&from).unwrap().as_fd(), changes, Vec::new()).unwrap();
    fs::write(&list, &stream).unwrap();
    let names = String::from_utf8(run(Command::new("tar").arg("--list").arg("-f").arg(&list))).unwrap();
    assert_eq!(names, "sticky/\nsuid\n.wh.gone\ndeep/.wh.gone\n./\n");
    let odd = [Changed { path: Path::new("a/.wh.b"), deleted: false }];
    assert!(pack_changes(File::open(&from).unwrap().as_fd(), odd, Vec::new()).is_err());
}
