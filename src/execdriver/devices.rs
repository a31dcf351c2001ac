//! Devices of a container: the nodes made in its /dev, and the rules of what it may open.

use crate::container::HostConfig;
use rustix::fs::FileType;
use serde_json::{Value, json};
use std::path::Path;

/// Devices of this machine that the user added; all of them for a privileged container.
///
/// # Errors
/// A sentence that names what is no device.
pub fn devices(host: &HostConfig) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    if host.privileged {
        all(Path::new("/dev"), 0, &mut found);
    }
    for (here, inside, _) in &host.devices {
        let stat = rustix::fs::stat(here.as_str()).map_err(|error| format!("--device {here}: {error}"))?;
        found.push(device(inside, &stat).ok_or_else(|| format!("--device {here} is not a device"))?);
    }
    Ok(found)
}

/// A device as the specification has it; `None` if it is none.
fn device(inside: &str, stat: &rustix::fs::Stat) -> Option<Value> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice => "c",
        FileType::BlockDevice => "b",
        _ => return None,
    };
    let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    Some(json!({ "path": inside, "type": kind, "major": major, "minor": minor, "fileMode": stat.st_mode & 0o7777, "uid": stat.st_uid, "gid": stat.st_gid }))
}

/// The devices below a folder, but for those that every container has of its own.
fn all(folder: &Path, depth: usize, found: &mut Vec<Value>) {
    const OWN: [&str; 12] = ["console", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "tty", "urandom", "zero"];
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_own = depth == 0 && OWN.iter().any(|name| entry.file_name() == *name);
        let (Some(inside), Ok(stat)) = (path.to_str().filter(|_| !is_own), rustix::fs::lstat(&path)) else { continue };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && depth < 8 {
            all(&path, depth + 1, found);
        } else {
            found.extend(device(inside, &stat));
        }
    }
}

/// Docker's list of devices every container may use: (kind, major, minor, access).
const DEVICES: [(&str, Option<i64>, Option<i64>, &str); 11] = [
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    ("c", Some(1), Some(3), "rwm"),
    ("c", Some(1), Some(5), "rwm"),
    ("c", Some(1), Some(7), "rwm"),
    ("c", Some(1), Some(8), "rwm"),
    ("c", Some(1), Some(9), "rwm"),
    ("c", Some(5), Some(0), "rwm"),
    ("c", Some(5), Some(1), "rwm"),
    ("c", Some(5), Some(2), "rwm"),
    ("c", Some(136), None, "rwm"),
];

/// Which devices may be used, and how: the last rule that fits decides.
pub fn device_rules(host: &HostConfig) -> Vec<Value> {
    if host.privileged {
        return vec![json!({ "allow": true, "access": "rwm" })];
    }
    let mut rules = vec![json!({ "allow": false, "access": "rwm" })];
    for (kind, major, minor, access) in DEVICES {
        let mut rule = json!({ "allow": true, "type": kind, "access": access });
        for (key, number) in [("major", major), ("minor", minor)] {
            if let Some(number) = number {
                rule[key] = json!(number);
            }
        }
        rules.push(rule);
    }
    for (here, _, access) in &host.devices {
        if let Ok(stat) = rustix::fs::stat(here.as_str()) {
            let kind = if FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice { "b" } else { "c" };
            rules.push(
                json!({ "allow": true, "type": kind, "major": rustix::fs::major(stat.st_rdev), "minor": rustix::fs::minor(stat.st_rdev), "access": access }),
            );
        }
    }
    rules
}
