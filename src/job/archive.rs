//! Where an archive is written: standard output, or a file that appears whole or not at all.

use crate::engine::{Error, JobContext, Kind, Result};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// An archive being written. A job that was called off writes no further.
pub struct Target {
    to: To,
    context: JobContext,
}

enum To {
    /// What takes bytes as they come: standard output, a named pipe, a device such as `/dev/null`.
    Stream(Box<dyn Write + Send>),
    File(Unfinished),
}

impl Target {
    /// Opens the target: `file`, or standard output.
    pub fn open(file: Option<&Path>, context: &JobContext) -> Result<Self> {
        let to = match file {
            None => To::Stream(Box::new(io::stdout())),
            Some(path) => open(path)?,
        };
        Ok(Self { to, context: context.clone() })
    }

    /// Puts a whole file in its place; of a broken one nothing stays.
    pub fn finish(self, result: Result<()>) -> Result<()> {
        // Whatever the writing said of it.
        self.context.check().and(result)?;
        let To::File(file) = self.to else { return Ok(()) };
        let path = file.path.clone();
        file.name().map_err(|e| unwritable(&path, &e))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.context.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        match &mut self.to {
            To::Stream(out) => out.write(bytes),
            To::File(unfinished) => unfinished.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Stream(out) => out.flush(),
            To::File(unfinished) => unfinished.file.flush(),
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::io(format_args!("cannot write {}", path.display()), error)
}

fn open(path: &Path) -> Result<To> {
    match std::fs::metadata(path).map(|found| found.file_type()) {
        Ok(kind) if kind.is_fifo() || kind.is_char_device() => {
            let stream = File::options().write(true).open(path).map_err(|e| unwritable(path, &e))?;
            return Ok(To::Stream(Box::new(stream)));
        }
        // It would be replaced, not written to.
        Ok(kind) if !kind.is_file() => {
            return Err(Error::new(Kind::Invalid, format!("cannot write {}: expected a regular file, a pipe or the name of a new file", path.display())));
        }
        _ => {}
    }
    // A link stays one: what it leads to is replaced.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    Unfinished::unnamed(&path).or_else(|_| Unfinished::named(&path)).map(To::File).map_err(|e| unwritable(&path, &e))
}

/// A file that does not have its name yet. Dropped before it has, nothing is left of it.
struct Unfinished {
    file: File,
    path: PathBuf,
    /// The name it has meanwhile, on a file system that has no files without one.
    aside: Option<Aside>,
}

/// A name beside the one that is meant; it goes with this.
struct Aside(PathBuf);

impl Aside {
    fn of(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        Self(PathBuf::from(name))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Unfinished {
    /// A file without a name, which the kernel takes away with this process however it ends.
    fn unnamed(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = rustix::fs::open(folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::from_raw_mode(0o666))?;
        Ok(Self { file: file.into(), path: path.to_owned(), aside: None })
    }

    /// A file beside the one it will be.
    fn named(path: &Path) -> io::Result<Self> {
        let aside = Aside::of(path);
        let file = File::create(&aside.0)?;
        Ok(Self { file, path: path.to_owned(), aside: Some(aside) })
    }

    /// Gives it its name, once it is on the disk: a power failure must not leave a name with half of its content.
    fn name(self) -> io::Result<()> {
        self.file.sync_all()?;
        if let Some(aside) = self.aside {
            return std::fs::rename(&aside.0, &self.path);
        }
        match self.link(&self.path) {
            // The kernel links no file over another: it gets a name for the moment until it replaces that one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let aside = Aside::of(&self.path);
                self.link(&aside.0)?;
                std::fs::rename(&aside.0, &self.path)
            }
            other => other,
        }
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all_with_and_without_a_name_meanwhile() {
        for make in [Unfinished::unnamed, Unfinished::named] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("archive");
            for text in ["first", "second"] {
                let mut file = make(&path).unwrap();
                file.file.write_all(text.as_bytes()).unwrap();
                file.name().unwrap();
                assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
                assert_eq!(names(folder.path()), ["archive"]);
            }
            let mut broken = make(&path).unwrap();
            broken.file.write_all(b"half").unwrap();
            drop(broken);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
            assert_eq!(names(folder.path()), ["archive"]);
        }
    }

    #[test]
    fn what_is_no_file_is_written_to_or_refused_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(open(folder.path()).is_err_and(|error| error.message.contains("expected a regular file")));
        assert!(matches!(open(Path::new("/dev/null")).unwrap(), To::Stream(_)));
        std::fs::write(at("file"), "old").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        let To::File(mut through) = open(&at("link")).unwrap() else { panic!("a link to a file leads to a file") };
        through.file.write_all(b"new").unwrap();
        through.name().unwrap();
        assert!(at("link").is_symlink());
        assert_eq!(std::fs::read_to_string(at("file")).unwrap(), "new");
    }
}
