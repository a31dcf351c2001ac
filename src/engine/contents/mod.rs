//! What a container changed, with the content: a path as the image has it beside the same as the container has it.

pub mod unified;

use super::layers::{Head, head, shown};
use super::{Engine, Error, Result};
use crate::container::Container;
use crate::graphdriver::{Base, ChangeKind, FileKind, GraphDriver};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use unified::Hunk;

/// Most bytes of a file that are compared.
pub const CONTENT: usize = 1 << 20;

/// Most changed paths whose contents are compared in one go.
pub const PATHS: usize = 1000;

/// A path on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// What it is.
    pub kind: FileKind,
    /// Permissions with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Where a symbolic link leads.
    pub target: Option<PathBuf>,
    /// The beginning of a regular file, at most [`CONTENT`].
    pub content: Option<Head>,
}

/// A path on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Relative to the root, no leading slash.
    pub path: PathBuf,
    /// As the image has it; `None` if it does not.
    pub old: Option<Side>,
    /// As the container has it; `None` if it removed it.
    pub new: Option<Side>,
    /// The lines that differ, if what is there on both sides is text; one that is absent is an empty text.
    pub text: Option<Vec<Hunk>>,
}

impl Difference {
    /// Whether a file is no text on one side or the other.
    pub fn is_binary(&self) -> bool {
        self.contents().any(Head::is_binary)
    }

    /// Whether a file is longer than what was compared.
    pub fn is_cut(&self) -> bool {
        self.contents().any(Head::is_cut)
    }

    fn contents(&self) -> impl Iterator<Item = &Head> {
        [&self.old, &self.new].into_iter().flatten().filter_map(|side| side.content.as_ref())
    }

    fn of(path: PathBuf, old: Option<Side>, new: Option<Side>) -> Self {
        let mut difference = Self { path, old, new, text: None };
        if difference.contents().next().is_some() && !difference.is_binary() {
            let text = |side: &Option<Side>| side.as_ref().and_then(|side| side.content.as_ref()).map_or_else(String::new, whole_lines);
            difference.text = Some(unified::hunks(&text(&difference.old), &text(&difference.new)));
        }
        difference
    }
}

/// The text of a file; one that was cut ends with its last whole line, so that none passes for changed that is only cut.
fn whole_lines(head: &Head) -> String {
    let text = String::from_utf8_lossy(&head.bytes);
    let end = if head.is_cut() { text.rfind('\n').map_or(0, |end| end + 1) } else { text.len() };
    text[..end].to_owned()
}

/// A path as users write it, relative to the root and without a way out of it.
fn relative(path: &Path) -> Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(Error::invalid(format!("{}: expected a path without \"..\"", shown(path)))),
        }
    }
    Ok(clean)
}

/// Both roots. The old one is absent for an image without layers.
struct Views {
    old: Option<OwnedFd>,
    new: OwnedFd,
    /// Paths of this machine that its own image does not show.
    hidden: Vec<PathBuf>,
}

impl Views {
    fn open(driver: &dyn GraphDriver, container: &Container, base: Base<'_>) -> io::Result<Self> {
        let (old, hidden) = match base {
            Base::Layers([]) => (None, Vec::new()),
            Base::Layers(layers) => (Some(driver.mount_image(layers)?), Vec::new()),
            Base::Host { hidden } => (Some(rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?), hidden.to_vec()),
        };
        Ok(Self { old, new: driver.mount(&container.id, base, true)?, hidden })
    }

    fn difference(&self, path: PathBuf) -> io::Result<Difference> {
        let is_hidden = self.hidden.iter().any(|hidden| path.starts_with(hidden.strip_prefix("/").unwrap_or(hidden)));
        let old = match &self.old {
            Some(root) if !is_hidden => side(root, &path)?,
            _ => None,
        };
        let new = side(&self.new, &path)?;
        Ok(Difference::of(path, old, new))
    }
}

/// What is at a path beneath a root, through no link.
fn side(root: &OwnedFd, path: &Path) -> io::Result<Option<Side>> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let found = loop {
        match rustix::fs::openat2(root, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), how) {
            Err(Errno::AGAIN) => {}
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            other => break other?,
        }
    };
    let stat = rustix::fs::statat(&found, "", AtFlags::EMPTY_PATH)?;
    let kind = FileKind::of(stat.st_mode);
    let target = match kind {
        FileKind::Link => Some(PathBuf::from(OsString::from_vec(rustix::fs::readlinkat(&found, "", Vec::new())?.into_bytes()))),
        _ => None,
    };
    let content = match kind {
        FileKind::File => {
            let again = format!("/proc/self/fd/{}", found.as_raw_fd());
            let file: File = rustix::fs::open(again, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?.into();
            Some(head(&file, CONTENT)?)
        }
        _ => None,
    };
    Ok(Some(Side { kind, mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, target, content }))
}

impl Engine {
    /// One path of a container beside the same path of its image. It blocks.
    ///
    /// # Errors
    /// `NotFound` if neither has it.
    pub fn content_change(&self, container: &Container, path: &Path) -> Result<Difference> {
        let path = relative(path)?;
        let told = shown(&path);
        let found = self.with_base(container, |driver, base| Views::open(driver, container, base)?.difference(path), "cannot compare its files")?;
        if found.old.is_none() && found.new.is_none() {
            return Err(Error::not_found(format!("container {} has no {told}, and neither has its image", container.name)));
        }
        Ok(found)
    }

    /// Every path that a container changed, at or below `only`, beside the same path of its image, sorted; and whether
    /// there are more than [`PATHS`]. Folders that are there on both sides are left out unless they differ themselves.
    /// It blocks.
    pub fn content_changes(&self, container: &Container, only: &Path) -> Result<(Vec<Difference>, bool)> {
        let only = relative(only)?;
        let compare = |driver: &dyn GraphDriver, base: Base<'_>| {
            let changes = driver.changes(&container.id, base)?;
            let views = Views::open(driver, container, base)?;
            let mut found = Vec::new();
            for change in changes.into_iter().filter(|change| change.path.starts_with(&only)) {
                if found.len() == PATHS {
                    return Ok((found, true));
                }
                let difference = views.difference(change.path)?;
                let folders = [&difference.old, &difference.new].into_iter().flatten().filter(|side| side.kind == FileKind::Folder).count();
                if change.kind != ChangeKind::Changed || folders < 2 || difference.old != difference.new {
                    found.push(difference);
                }
            }
            Ok((found, false))
        };
        self.with_base(container, compare, "cannot compare its files")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8], size: u64) -> Side {
        Side { kind: FileKind::File, mode: 0o644, uid: 0, gid: 0, target: None, content: Some(Head { bytes: text.to_vec(), size }) }
    }

    #[test]
    fn text_is_compared_and_nothing_else() {
        let of = |old, new| Difference::of("x".into(), old, new);
        assert_eq!(of(None, Some(file(b"a\n", 2))).text.unwrap().len(), 1);
        assert_eq!(of(Some(file(b"a\n", 2)), Some(file(b"a\n", 2))).text.unwrap().len(), 0, "only its mode may differ");
        let binary = of(Some(file(b"a\n", 2)), Some(file(b"\0", 1)));
        assert!(binary.text.is_none() && binary.is_binary());
        let folder = Side { kind: FileKind::Folder, content: None, ..file(b"", 0) };
        assert!(of(Some(folder.clone()), Some(folder)).text.is_none());
        let cut = of(Some(file(b"a\nb", 100)), Some(file(b"a\nc", 100)));
        assert!(cut.is_cut() && cut.text.unwrap().is_empty(), "the line that was cut is not compared");
    }

    #[test]
    fn paths_stay_inside() {
        assert_eq!(relative(Path::new("//etc/./passwd/")).unwrap(), Path::new("etc/passwd"));
        assert_eq!(relative(Path::new("/")).unwrap(), Path::new(""));
        assert!(relative(Path::new("etc/../../x")).is_err());
    }
}
