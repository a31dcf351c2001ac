//! What a file of settings can have wrong, said so that it can be put right: the file, the key, the fault, the way out.

use crate::text;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The longest file of settings that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {}{fault}", if key.is_empty() { String::new() } else { format!("{key}: ") })]
pub struct SettingError {
    /// The file it is in, or the name of what is compiled in.
    pub file: String,
    /// The key, with the tables it lies in (`keys.containers.stop`); empty if the file as a whole is at fault.
    pub key: String,
    /// What is wrong, what was expected, and what to do.
    pub fault: String,
}

impl SettingError {
    /// `fault` at `key` in `file`, each made harmless for a terminal.
    pub fn new(file: &str, key: &str, fault: impl AsRef<str>) -> Self {
        Self { file: text::clean(file).into_owned(), key: text::clean(key).into_owned(), fault: text::clean(fault.as_ref()).into_owned() }
    }

    /// `key` holds something of another type than `expected` (`a text such as "dark"`).
    pub fn wrong_type(file: &str, key: &str, found: &toml::Value, expected: &str) -> Self {
        let found = match found {
            toml::Value::String(_) => "a text",
            toml::Value::Integer(_) => "a whole number",
            toml::Value::Float(_) => "a number with a point",
            toml::Value::Boolean(_) => "true or false",
            toml::Value::Datetime(_) => "a date",
            toml::Value::Array(_) => "a list",
            toml::Value::Table(_) => "a table",
        };
        Self::new(file, key, format!("is {found}; expected {expected}"))
    }

    /// `word`, at `key`, is no `kind` (`theme`) of those `known`.
    pub fn unknown<'a>(file: &str, key: &str, kind: &str, word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Self {
        let advice = match nearest(word, known.clone()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("expected one of {}", known.collect::<Vec<_>>().join(", ")),
        };
        Self::new(file, key, format!("there is no {kind} {}; {advice}", shortened(word)))
    }
}

/// The words of a message stay readable whatever a file holds.
fn shortened(word: &str) -> String {
    text::quoted(&text::truncate(word, 40))
}

/// What is in the file at `path`; none if there is no such file.
pub fn read(path: &Path) -> Result<Option<String>, SettingError> {
    let fault = |fault: String| SettingError::new(&path.display().to_string(), "", fault);
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(fault(format!("cannot be read: {error}"))),
    };
    // To open a pipe would wait for whoever writes into it.
    if !metadata.is_file() {
        return Err(fault("is no file; expected a text in TOML".to_owned()));
    }
    let mut bytes = Vec::new();
    let taken = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    taken.map_err(|error| fault(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > LONGEST {
        return Err(fault(format!("is longer than {LONGEST} bytes; expected a text in TOML")));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| fault("is not UTF-8; expected a text in TOML".to_owned()))
}

/// `text` as a TOML document; `file` is named if it is none.
pub fn document(file: &str, text: &str) -> Result<toml::Table, SettingError> {
    text.parse::<toml::Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        SettingError::new(file, &format!("line {}", before.matches('\n').count() + 1), format!("is not TOML: {}", error.message()))
    })
}

/// The one of `known` that was most likely meant by `word`, if any is near enough.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().replace('_', "-").chars().take(64).collect();
    let (distance, near) = known.map(|name| (distance(&word, &name.chars().collect::<Vec<_>>()), name)).min_by_key(|&(distance, _)| distance)?;
    (distance <= 1 + near.chars().count() / 4).then_some(near)
}

/// How many characters must be put in, left out, replaced or swapped with their neighbour to make `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swaps = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swaps { least.min(rows[i - 2][j - 2] + 1) } else { least }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_understood() {
        let known = ["stop", "start", "restart", "next-pane"];
        assert_eq!(nearest("sotp", known.into_iter()), Some("stop"));
        assert_eq!(nearest("next_pane", known.into_iter()), Some("next-pane"));
        assert_eq!(nearest("Restrat", known.into_iter()), Some("restart"));
        assert_eq!(nearest("zebra-crossing", known.into_iter()), None);
        assert_eq!(nearest("x", std::iter::empty()), None);
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_with_its_line() {
        let error = document("a.toml", "x = 1\ny = = 2\n").unwrap_err().to_string();
        assert!(error.starts_with("a.toml: line 2: is not TOML: "), "{error}");
    }

    #[test]
    fn files_that_are_none_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        assert_eq!(read(&place("missing")), Ok(None));
        assert!(read(folder.path()).unwrap_err().fault.contains("is no file"));
        for (content, fault) in [(vec![0xff], "is not UTF-8"), (vec![b' '; 1_048_577], "is longer than 1048576 bytes")] {
            std::fs::write(place("file"), content).unwrap();
            assert!(read(&place("file")).unwrap_err().fault.contains(fault));
        }
        std::fs::write(place("file"), "a = 1").unwrap();
        assert_eq!(read(&place("file")), Ok(Some("a = 1".to_owned())));
    }

    #[test]
    fn nothing_in_a_message_reaches_the_terminal_raw() {
        let word = format!("\x1b[31m{}", "x".repeat(1000));
        let error = SettingError::unknown("f\x1b", "k\x1b", "theme", &word, ["dark"].into_iter()).to_string();
        assert!(!error.contains('\x1b') && error.len() < 200, "{error}");
        assert!(error.contains("expected one of dark"), "{error}");
    }
}
