//! Trees of files walked from the top, and the applet `find` over them.

use super::call::Call;
use super::pattern::Pattern;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A tree, each folder before what is in it, names in order. Links are not followed.
#[derive(Debug)]
pub struct Walk {
    /// What is still to come, the next one last, with its depth.
    ahead: Vec<(PathBuf, usize)>,
    deepest: usize,
    /// A folder that could not be listed.
    failed: Option<(PathBuf, io::Error)>,
}

impl Walk {
    /// A tree from its top on.
    pub fn new(top: PathBuf) -> Self {
        Self { ahead: vec![(top, 0)], deepest: usize::MAX, failed: None }
    }

    /// No deeper than this below the top.
    fn no_deeper_than(self, deepest: usize) -> Self {
        Self { deepest, ..self }
    }

    fn list(&mut self, folder: &PathBuf, depth: usize) {
        let listed = std::fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
        match listed {
            Ok(mut paths) => {
                paths.sort_by(|one, other| other.cmp(one));
                self.ahead.extend(paths.into_iter().map(|path| (path, depth + 1)));
            }
            Err(error) => self.failed = Some((folder.clone(), error)),
        }
    }
}

impl Iterator for Walk {
    type Item = (PathBuf, io::Result<Metadata>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((path, error)) = self.failed.take() {
            return Some((path, Err(error)));
        }
        let (path, depth) = self.ahead.pop()?;
        let found = path.symlink_metadata();
        if depth < self.deepest && found.as_ref().is_ok_and(Metadata::is_dir) {
            self.list(&path, depth);
        }
        Some((path, found))
    }
}

/// What `find` looks for.
#[derive(Debug, Default)]
struct Wanted {
    name: Option<Pattern>,
    kind: Option<u8>,
    deepest: Option<usize>,
}

impl Wanted {
    /// Reads one test and its value.
    fn read(&mut self, test: &OsStr, value: &OsStr) -> Result<(), String> {
        let shown = value.to_string_lossy();
        match test.as_bytes() {
            b"-name" => self.name = Some(Pattern::of_names(value.as_bytes().iter().map(|byte| (*byte, false)))),
            b"-type" => match value.as_bytes() {
                [kind @ (b'f' | b'd' | b'l')] => self.kind = Some(*kind),
                _ => return Err(format!("-type {shown}: expected f, d or l")),
            },
            b"-maxdepth" => self.deepest = Some(shown.parse().map_err(|_| format!("-maxdepth {shown}: expected a number"))?),
            _ => return Err(format!("unknown test {}", test.to_string_lossy())),
        }
        Ok(())
    }

    fn is(&self, path: &std::path::Path, meta: &Metadata) -> bool {
        let name = path.file_name().unwrap_or(path.as_os_str()).as_bytes();
        let kind = match self.kind {
            Some(b'f') => meta.is_file(),
            Some(b'd') => meta.is_dir(),
            Some(_) => meta.is_symlink(),
            None => true,
        };
        kind && self.name.as_ref().is_none_or(|pattern| pattern.matches(name))
    }
}

/// `find`
pub fn find(call: &mut Call<'_>) -> io::Result<()> {
    let at = call.arguments.iter().position(|argument| argument.as_bytes().starts_with(b"-")).unwrap_or(call.arguments.len());
    let tests = call.arguments.split_off(at);
    let mut wanted = Wanted::default();
    for test in tests.chunks(2) {
        let read = match test {
            [test, value] => wanted.read(test, value),
            _ => Err(format!("{} needs a value", test[0].to_string_lossy())),
        };
        if let Err(why) = read {
            call.refuse(&why);
            return Ok(());
        }
    }
    for top in call.arguments_or(".") {
        for (path, found) in Walk::new(top.into()).no_deeper_than(wanted.deepest.unwrap_or(usize::MAX)) {
            match found {
                Ok(meta) if wanted.is(&path, &meta) => call.out.write_all(&[path.as_os_str().as_bytes(), b"\n"].concat())?,
                Ok(_) => {}
                Err(error) => call.fail(path, &error),
            }
        }
    }
    Ok(())
}
