//! Names in a stream: cleaned as text, and what they mean in a layer.

use super::WHITEOUT;
use crate::graph::invalid;
use crate::graph::tar::NAME_MAX;
use std::io;

/// Longest name of one file, bytes: the kernel's `NAME_MAX`.
const COMPONENT_MAX: usize = 255;

/// A path as text for messages, bounded.
pub fn shown(path: &[u8]) -> String {
    let text = path[..path.len().min(200)].escape_ascii().to_string();
    if path.len() > 200 { format!("{text}...") } else { text }
}

/// The path relative to the root: no empty component, no `.` or `..`; empty for the root itself.
///
/// # Errors
/// A path that leads above the root, is too long or has a component that is.
pub fn clean(raw: &[u8]) -> io::Result<Vec<u8>> {
    if raw.len() > NAME_MAX {
        return Err(invalid(format!("a name of {} bytes, more than {NAME_MAX}", raw.len())));
    }
    let mut path: Vec<u8> = Vec::with_capacity(raw.len());
    for component in raw.split(|&b| b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                if path.is_empty() {
                    return Err(invalid("the name leads above the root"));
                }
                path.truncate(split(&path).0.len());
            }
            _ if component.len() > COMPONENT_MAX => return Err(invalid(format!("a name with a part of {} bytes, more than {COMPONENT_MAX}", component.len()))),
            _ => join(&mut path, component),
        }
    }
    // The kernel counts the NUL at the end.
    if path.len() >= NAME_MAX {
        return Err(invalid(format!("a name of {} bytes, more than {}", path.len(), NAME_MAX - 1)));
    }
    Ok(path)
}

/// Folder and last component of a clean path.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// Appends a component to a clean path.
pub fn join(path: &mut Vec<u8>, component: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
}

/// What a clean path means in a layer.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// A file of that name.
    Itself,
    /// That the name given is removed from its folder.
    Removes(&'a [u8]),
    /// That its folder hides what lower layers have in it.
    Opaque,
    /// What aufs kept for itself.
    Nothing,
}

/// Reads a clean path as layers mean it.
///
/// # Errors
/// A whiteout of nothing, of `.` or `..`, or used as a folder.
pub fn meaning(path: &[u8]) -> io::Result<Meaning<'_>> {
    // Nearly no path holds the mark at all.
    if !path.windows(WHITEOUT.len()).any(|part| part == WHITEOUT) {
        return Ok(Meaning::Itself);
    }
    let (folder, name) = split(path);
    for component in folder.split(|&b| b == b'/') {
        if component.starts_with(b".wh..wh.") {
            return Ok(Meaning::Nothing);
        }
        if component.starts_with(WHITEOUT) {
            return Err(invalid(format!("{:?} is a whiteout and cannot be a folder", shown(component))));
        }
    }
    match name.strip_prefix(WHITEOUT) {
        None => Ok(Meaning::Itself),
        Some(b".wh..opq") => Ok(Meaning::Opaque),
        Some(rest) if rest.starts_with(WHITEOUT) => Ok(Meaning::Nothing),
        Some(b"" | b"." | b"..") => Err(invalid("a whiteout of no name")),
        Some(rest) => Ok(Meaning::Removes(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_stay_beneath_the_root() {
        for (raw, expected) in [("./a/b/", "a/b"), ("/etc//passwd", "etc/passwd"), (".", ""), ("/", ""), ("a/../b", "b"), ("a/b/../../c", "c")] {
            assert_eq!(clean(raw.as_bytes()).unwrap(), expected.as_bytes(), "{raw}");
        }
        for bad in ["..", "../x", "a/../../x", "/..", "/../etc/passwd", "./../x"] {
            assert!(clean(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(clean(&[b'a'; 256]).is_err());
        assert!(clean(&b"ab/".repeat(1400)).is_err());
    }

    #[test]
    fn whiteouts_mean_what_they_say() {
        let of = |path: &'static str| meaning(path.as_bytes()).ok();
        assert_eq!(of("a/.wh.b"), Some(Meaning::Removes(b"b")));
        assert_eq!(of(".wh..wh..opq"), Some(Meaning::Opaque));
        assert_eq!(of("a/.wh..wh.plnk/x"), Some(Meaning::Nothing));
        assert_eq!(of(".wh..wh.aufs"), Some(Meaning::Nothing));
        assert_eq!(of("a/b.wh.c"), Some(Meaning::Itself));
        assert_eq!(of("a/.wh.b/c"), None);
        for bad in [".wh.", "a/.wh..", ".wh..."] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(of(".wh...."), Some(Meaning::Removes(b"...")));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_clean_path_is_clean(raw in "[a./]{0,40}") {
            if let Ok(path) = clean(raw.as_bytes()) {
                prop_assert!(path.is_empty() || path.split(|&b| b == b'/').all(|part| !matches!(part, b"" | b"." | b"..")));
                prop_assert_eq!(clean(&path).unwrap(), path);
            }
        }
    }
}
