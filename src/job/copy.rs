//! `cp`: files between a container and this machine.

use super::input::Input;
use crate::container::Container;
use crate::engine::{Error, Job, JobContext, Result};
use crate::graph::diff::{Form, Limits, Pack, extract, pack_tree};
use clap::Args;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Copy files between a container and this machine; - is a tar archive on standard input or output
#[derive(Args, Clone, Debug)]
pub struct Copy {
    /// Keep owners
    #[arg(short, long)]
    pub archive: bool,
    /// Follow a symbolic link that the source is
    #[arg(short = 'L', long)]
    pub follow_link: bool,
    /// Say nothing
    #[arg(short, long)]
    pub quiet: bool,
    /// CONTAINER:PATH, PATH or -
    pub source: String,
    /// CONTAINER:PATH, PATH or -
    pub target: String,
}

impl Job for Copy {
    /// Bytes copied.
    type Output = u64;
    const VERB: &'static str = "cp";

    fn title(&self) -> String {
        format!("cp {} {}", self.source, self.target)
    }

    async fn run(self, context: JobContext) -> Result<u64> {
        context.blocking(move |context| copy(&self, context)).await
    }
}

/// One side of a copy.
enum Side {
    /// A path in a container.
    Container(Box<Container>, PathBuf),
    /// A path of this machine.
    Here(PathBuf),
    /// An archive on a standard stream.
    Archive,
}

/// `CONTAINER:PATH`, `-`, or a path: one that begins with `/` or `.` is never a container's.
fn side(text: &str, context: &JobContext) -> Result<Side> {
    if text == "-" {
        return Ok(Side::Archive);
    }
    if let Some((name, path)) = text.split_once(':')
        && !name.is_empty()
        && !name.starts_with(['/', '.'])
    {
        let container = context.engine.container(name)?;
        if path.is_empty() {
            return Err(Error::invalid(format!("no path behind {name}: ({name}:/ is all of it)")));
        }
        return Ok(Side::Container(Box::new(container), Path::new("/").join(path)));
    }
    Ok(Side::Here(PathBuf::from(text)))
}

fn copy(job: &Copy, context: &JobContext) -> Result<u64> {
    match (side(&job.source, context)?, side(&job.target, context)?) {
        (Side::Container(container, path), Side::Archive) => {
            let root = context.engine.root_for(&container, &path, false)?;
            let name = path.file_name().map(Path::new);
            pack(root.as_fd(), &path, name, job.follow_link, std::io::stdout().lock()).map_err(|e| failed(&job.source, &e))
        }
        (Side::Archive, Side::Container(container, path)) => {
            let root = context.engine.root_for(&container, &path, true)?;
            let folder = folder_in(root.as_fd(), &path).map_err(|e| failed(&job.target, &e))?;
            let done = extract(Input::open(None, context)?, folder.as_fd(), Form::Files, &Limits::default());
            let done = done.map_err(|e| context.check().err().unwrap_or_else(|| failed(&job.target, &e)))?;
            Ok(done.bytes)
        }
        (Side::Container(container, path), Side::Here(target)) => {
            let root = context.engine.root_for(&container, &path, false)?;
            through(&End { root: root.as_fd(), path: &path, text: &job.source }, &here(&target, &job.target)?, job.follow_link)
        }
        (Side::Here(source), Side::Container(container, path)) => {
            let source = std::path::absolute(&source).map(|absolute| keep_dot(&source, absolute)).map_err(|e| failed(&job.source, &e))?;
            let own = open_root().map_err(|e| failed("/", &e))?;
            let root = context.engine.root_for(&container, &path, true)?;
            let target = Target { root, path, text: job.target.clone() };
            through(&End { root: own.as_fd(), path: &source, text: &job.source }, &target, job.follow_link)
        }
        (Side::Container(..), Side::Container(..)) => Err(Error::invalid("copying between containers is not there: copy to this machine first")),
        _ => Err(Error::invalid("cp needs a container on one side: CONTAINER:PATH")),
    }
}

/// `absolute` drops a `.` at the end, which means "what is in the folder".
fn keep_dot(text: &Path, absolute: PathBuf) -> PathBuf {
    if is_content(text) { absolute.join(".") } else { absolute }
}

fn is_content(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes == b"." || bytes.ends_with(b"/.")
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::io(format_args!("cannot copy {}", crate::engine::containers::shown(what)), error)
}

struct End<'a> {
    root: BorrowedFd<'a>,
    path: &'a Path,
    text: &'a str,
}

struct Target {
    root: OwnedFd,
    path: PathBuf,
    text: String,
}

fn open_root() -> std::io::Result<OwnedFd> {
    Ok(rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn here(path: &Path, text: &str) -> Result<Target> {
    let ends = path.as_os_str().as_bytes().ends_with(b"/");
    let mut absolute = std::path::absolute(path).map_err(|e| failed(text, &e))?;
    if ends {
        absolute.push("");
    }
    Ok(Target { root: open_root().map_err(|e| failed(text, &e))?, path: absolute, text: text.to_owned() })
}

fn folder_in(root: BorrowedFd<'_>, path: &Path) -> std::io::Result<OwnedFd> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(root, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), how)?)
}

fn is_folder(root: BorrowedFd<'_>, path: &Path) -> bool {
    folder_in(root, path).is_ok()
}

fn exists(root: BorrowedFd<'_>, path: &Path) -> bool {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how).is_ok()
}

/// Where the source lands, by docker's rules: inside the target if that is a folder, as the target otherwise.
fn through(source: &End<'_>, target: &Target, follow: bool) -> Result<u64> {
    let content = is_content(source.path);
    let from_folder = is_folder(source.root, source.path);
    if !exists(source.root, source.path) && rustix::fs::readlinkat(source.root, source.path.strip_prefix("/").unwrap_or(source.path), Vec::new()).is_err() {
        return Err(Error::not_found(format!("cannot copy {}: no such file or folder", crate::engine::containers::shown(source.text))));
    }
    let root = target.root.as_fd();
    let slash = target.path.as_os_str().as_bytes().ends_with(b"/");
    let (folder, name) = if is_folder(root, &target.path) {
        (target.path.clone(), if content && from_folder { None } else { source.path.file_name() })
    } else if exists(root, &target.path) {
        if from_folder {
            return Err(Error::invalid(format!("cannot copy the folder {} onto the file {}", source.text, target.text)));
        }
        (target.path.parent().unwrap_or(Path::new("/")).to_owned(), target.path.file_name())
    } else if slash && !from_folder {
        return Err(Error::not_found(format!("cannot copy to {}: no such folder", target.text)));
    } else {
        (target.path.parent().unwrap_or(Path::new("/")).to_owned(), target.path.file_name())
    };
    let into = folder_in(root, &folder).map_err(|e| failed(&target.text, &e))?;
    let (reader, writer) = std::io::pipe().map_err(|e| failed(source.text, &e))?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(|| pack(source.root, source.path, name.map(Path::new), follow, writer));
        let unpacked = extract(reader, into.as_fd(), Form::Files, &Limits::default());
        let packed = packing.join().unwrap_or_else(|_| Err(std::io::Error::other("the copy broke down")));
        let unpacked = unpacked.map_err(|e| failed(&target.text, &e));
        // If the other end was closed, what it said is the reason.
        match packed {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(failed(source.text, &error)),
            _ => unpacked.map(|done| done.bytes),
        }
    })
}

fn pack(root: BorrowedFd<'_>, path: &Path, name: Option<&Path>, follow: bool, output: impl Write) -> std::io::Result<u64> {
    let mut counted = Counted { output, bytes: 0 };
    pack_tree(root, path, &mut counted, &Pack { name, follow })?;
    Ok(counted.bytes)
}

struct Counted<W> {
    output: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.output.flush()
    }
}
