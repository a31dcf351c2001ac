//! Words of the small shell made into arguments: variables put in, split at blanks, patterns answered with file names.

use super::parse::{Piece, Word};
use super::pattern::Pattern;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variable {
    /// Its value.
    pub value: Vec<u8>,
    /// Programs get it.
    pub exported: bool,
}

/// What words may name.
#[derive(Debug, Default)]
pub struct Scope {
    /// Variables by name.
    pub variables: BTreeMap<Vec<u8>, Variable>,
    /// `$0`, `$1` …
    pub arguments: Vec<Vec<u8>>,
    /// `$?`
    pub status: i32,
    /// `$$`
    pub pid: u32,
}

impl Scope {
    fn value(&self, name: &[u8]) -> Vec<u8> {
        match name {
            b"?" => self.status.to_string().into_bytes(),
            b"$" => self.pid.to_string().into_bytes(),
            b"#" => self.arguments.len().saturating_sub(1).to_string().into_bytes(),
            [digit @ b'0'..=b'9'] => self.arguments.get(usize::from(digit - b'0')).cloned().unwrap_or_default(),
            _ => self.variables.get(name).map(|variable| variable.value.clone()).unwrap_or_default(),
        }
    }

    /// A word as one text, neither split nor a pattern.
    pub fn text(&self, word: &Word) -> Vec<u8> {
        let piece = |piece: &Piece| match piece {
            Piece::Text { bytes, .. } => bytes.clone(),
            Piece::Variable { name, .. } => self.value(name),
        };
        word.0.iter().flat_map(piece).collect()
    }

    /// The arguments that a word makes: none, one or more.
    pub fn fields(&self, word: &Word) -> Vec<Vec<u8>> {
        self.split(word).into_iter().flat_map(|field| names(&field).unwrap_or_else(|| vec![field.iter().map(|(byte, _)| *byte).collect()])).collect()
    }

    fn split(&self, word: &Word) -> Vec<Field> {
        let mut fields = Vec::new();
        let mut open: Option<Field> = None;
        for piece in &word.0 {
            let (bytes, quoted, splits) = match piece {
                Piece::Text { bytes, quoted } => (bytes.clone(), *quoted, false),
                Piece::Variable { name, quoted } => (self.value(name), *quoted, !quoted),
            };
            if quoted {
                open.get_or_insert_default();
            }
            for byte in bytes {
                if splits && byte.is_ascii_whitespace() {
                    fields.extend(open.take());
                } else {
                    open.get_or_insert_default().push((byte, quoted));
                }
            }
        }
        fields.extend(open);
        fields
    }
}

/// An argument to be: its bytes, and whether each was quoted.
type Field = Vec<(u8, bool)>;

fn is_pattern(field: &[(u8, bool)]) -> bool {
    field.iter().any(|(byte, quoted)| !quoted && matches!(byte, b'*' | b'?' | b'['))
}

/// The files that a pattern names, in order; `None` if it is no pattern, or names none.
fn names(field: &[(u8, bool)]) -> Option<Vec<Vec<u8>>> {
    if !is_pattern(field) {
        return None;
    }
    let mut found = vec![Vec::new()];
    for (at, part) in field.split(|(byte, _)| *byte == b'/').enumerate() {
        let plain: Vec<u8> = part.iter().map(|(byte, _)| *byte).collect();
        let before = |path: &[u8]| [path, if at == 0 { b"" } else { b"/" }].concat();
        found = if is_pattern(part) {
            let pattern = Pattern::of_names(part.iter().copied());
            let hidden = plain.first() == Some(&b'.');
            let below = |path: Vec<u8>| {
                let path = before(&path);
                entries(&path).into_iter().filter(|name| (hidden || name[0] != b'.') && pattern.matches(name)).map(move |name| [&path[..], &name].concat())
            };
            found.into_iter().flat_map(below).collect()
        } else {
            found.into_iter().map(|path| [before(&path), plain.clone()].concat()).collect()
        };
    }
    found.retain(|path| Path::new(OsStr::from_bytes(path)).symlink_metadata().is_ok());
    (!found.is_empty()).then_some(found)
}

fn entries(folder: &[u8]) -> Vec<Vec<u8>> {
    let folder = if folder.is_empty() { b"." } else { folder };
    let read = std::fs::read_dir(OsStr::from_bytes(folder)).into_iter().flatten();
    let mut names: Vec<_> = read.flatten().map(|entry| entry.file_name().into_vec()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execdriver::toolbox::parse::parse;

    fn scope() -> Scope {
        let variables = [("A", " x  y "), ("STAR", "*"), ("EMPTY", "")];
        let variables = variables.map(|(name, value)| (name.as_bytes().to_vec(), Variable { value: value.as_bytes().to_vec(), exported: false }));
        Scope { variables: variables.into(), arguments: vec![b"sh".to_vec(), b"one".to_vec()], status: 7, pid: 9 }
    }

    fn fields(line: &str) -> Vec<String> {
        let command = parse(line.as_bytes()).unwrap().remove(0).1.commands.remove(0);
        command.words.iter().flat_map(|word| scope().fields(word)).map(|field| String::from_utf8(field).unwrap()).collect()
    }

    #[test]
    fn variables_are_put_in_and_split() {
        assert_eq!(fields("e $A a$A\"b\""), ["e", "x", "y", "a", "x", "y", "b"]);
        assert_eq!(fields("e \"$A\" '$A' $EMPTY \"$EMPTY\" $NONE"), ["e", " x  y ", "$A", ""]);
        assert_eq!(fields("e $? $$ $0 $1 $2 $# ${A}"), ["e", "7", "9", "sh", "one", "1", "x", "y"]);
    }

    #[test]
    fn patterns_name_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.txt", ".c.txt", "d"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/e.txt"), "").unwrap();
        let top = folder.path().display();
        let at = |names: &[&str]| names.iter().map(|name| format!("{top}/{name}")).collect::<Vec<_>>();
        assert_eq!(fields(&format!("{top}/*.txt")), at(&["a.txt", "b.txt"]));
        assert_eq!(fields(&format!("{top}/*/?.txt")), at(&["sub/e.txt"]));
        assert_eq!(fields(&format!("{top}/.*.txt")), at(&[".c.txt"]));
        assert_eq!(fields(&format!("{top}/*.none {top}/'*'.txt \"{top}/*\"")), at(&["*.none", "*.txt", "*"]));
        assert_eq!(fields(&format!("{top}/$STAR.txt")), at(&["a.txt", "b.txt"]));
    }
}
