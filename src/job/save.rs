//! `save`: images written into an archive.

use crate::engine::{Error, Result};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where an archive is written: standard output, or a file that appears whole or not at all.
#[derive(Debug)]
pub enum Target {
    /// Standard output.
    Output(io::Stdout),
    /// A file beside the one it will be.
    File(std::fs::File, PathBuf, PathBuf),
}

/// Opens the target.
pub fn target(file: Option<&Path>) -> Result<Target> {
    let Some(path) = file else { return Ok(Target::Output(io::stdout())) };
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.part", std::process::id()));
    let aside = PathBuf::from(aside);
    let file = std::fs::File::create(&aside).map_err(|e| Error::io(format_args!("cannot write {}", path.display()), &e))?;
    Ok(Target::File(file, aside, path.to_owned()))
}

impl Target {
    /// Puts a whole file in its place, or takes a broken one away.
    pub fn finish(self, result: Result<()>) -> Result<()> {
        let Self::File(file, aside, path) = self else { return result };
        drop(file);
        if result.is_err() {
            let _ = std::fs::remove_file(&aside);
            return result;
        }
        std::fs::rename(&aside, &path).map_err(|e| Error::io(format_args!("cannot write {}", path.display()), &e))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Output(out) => out.write(bytes),
            Self::File(file, ..) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Output(out) => out.flush(),
            Self::File(file, ..) => file.flush(),
        }
    }
}
