//! The lines typed before, kept in a file that all sessions of a user share.
//!
//! One line of the file for each, the oldest first; `\\n` and `\\\\` stand for a line end and a backslash. Sessions append, each
//! line under a lock; whoever opens one that has grown long writes it anew beside it and puts it in its place.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Most lines kept.
pub const MOST: usize = 1000;
/// Most bytes of one; longer ones are for this session alone.
const LONGEST: usize = 16 << 10;
/// Most bytes that are read of the file.
const BYTES: u64 = 4 << 20;

/// Where the file is: below `$XDG_STATE_HOME`, else `~/.local/state`; nowhere without a home.
///
/// A relative XDG_STATE_HOME counts for nothing, as the XDG Base Directory Specification says.
pub fn path(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("kapal/history"))
}

/// The lines, the oldest first, each once.
///
/// # Errors
/// The file's, unless there is none.
pub fn load(path: &Path) -> io::Result<Vec<String>> {
    let (lines, is_long) = match File::open(path) {
        Ok(file) => read(file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if is_long {
        shorten(path)?;
    }
    Ok(lines)
}

/// Adds a line at the end.
///
/// # Errors
/// The file's.
pub fn remember(path: &Path, line: &str) -> io::Result<()> {
    if line.len() > LONGEST {
        return Ok(());
    }
    let mut file = locked(path)?;
    file.write_all(format!("{}\n", escaped(line)).as_bytes())
}

/// Puts `line` at the end of `lines`, once.
pub fn add(lines: &mut Vec<String>, line: String) {
    lines.retain(|old| *old != line);
    lines.push(line);
    if lines.len() > MOST {
        lines.remove(0);
    }
}

/// The file, open for appending and locked, however often someone puts another in its place meanwhile.
fn locked(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    loop {
        let file = File::options().read(true).append(true).create(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        file.lock()?;
        if fs::metadata(path).is_ok_and(|there| there.ino() == metadata.ino()) {
            return Ok(file);
        }
    }
}

fn shorten(path: &Path) -> io::Result<()> {
    let file = locked(path)?;
    let (lines, is_long) = read(&file)?;
    if !is_long {
        return Ok(());
    }
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let text: String = lines.iter().map(|line| escaped(line) + "\n").collect();
    let written = fs::write(&new, text).and_then(|()| fs::set_permissions(&new, Permissions::from_mode(0o600))).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // It is of no use to anyone; that the disk was full is what is told.
        let _ = fs::remove_file(&new);
    }
    written
}

/// What is in it, and whether it holds more than that.
fn read(file: impl Read) -> io::Result<(Vec<String>, bool)> {
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let mut seen = HashSet::new();
    let mut lines: Vec<String> = all.iter().rev().filter(|line| seen.insert(**line)).take(MOST).map(|line| plain(line)).collect();
    lines.reverse();
    Ok((lines, all.len() > 2 * MOST || bytes.len() as u64 == BYTES))
}

fn escaped(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', " ")
}

fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push(c),
            },
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/kapal/history");
        assert_eq!(load(&path).unwrap(), [""; 0]);
        for line in ["ps", "run host sh -c 'a\nb\\n'", "ps -a", "ps"] {
            remember(&path, line).unwrap();
        }
        assert_eq!(load(&path).unwrap(), ["run host sh -c 'a\nb\\n'", "ps -a", "ps"]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn sessions_at_the_same_time_lose_nothing_and_the_file_stays_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        std::thread::scope(|scope| {
            for session in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..MOST {
                        remember(path, &format!("stop {session} {}", n % 200)).unwrap();
                        if n % 100 == 0 {
                            load(path).unwrap();
                        }
                    }
                });
            }
        });
        let lines = load(&path).unwrap();
        assert_eq!(lines.len(), 800);
        assert!((0..4).all(|session| lines.contains(&format!("stop {session} 7"))));
        load(&path).unwrap();
        assert!(fs::read_to_string(&path).unwrap().lines().count() <= 2 * MOST);
    }

    #[test]
    fn it_lies_where_states_lie() {
        let of = |state: &str, home: &str| path(|name| Some(if name == "HOME" { home } else { state }.to_owned()));
        assert_eq!(of("/state", "/home/me"), Some("/state/kapal/history".into()));
        assert_eq!(of("state", "/home/me"), Some("/home/me/.local/state/kapal/history".into()));
        assert_eq!(of("", ""), None);
    }
}
