//! Layers looked into: their files as changes, a file's content, what an image carries in vain.

use super::images::Image;
use super::{Engine, Error, Kind, Result};
use crate::graphdriver::{self, FileKind, LayerTree};
use crate::id::LayerId;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Most names that are listed of a layer.
pub const MOST: usize = 500_000;

/// Most files that are told by name as carried in vain.
const WASTED: usize = 1000;

/// The beginning of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// How many it has in all.
    pub size: u64,
}

impl Head {
    /// Whether there is more.
    pub fn is_cut(&self) -> bool {
        self.size > self.bytes.len() as u64
    }

    /// Whether it is no text, as far as the beginning tells: it holds a NUL, or what is no UTF-8.
    pub fn is_binary(&self) -> bool {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.contains('\0'),
            // A cut may go through a character.
            Err(error) => !self.is_cut() || error.error_len().is_some() || self.bytes.contains(&0),
        }
    }
}

/// A file that is carried in vain: upper layers replace or remove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WastedFile {
    /// Relative to the root, no leading slash.
    pub path: PathBuf,
    /// Bytes in lower layers that nobody sees.
    pub bytes: u64,
    /// How many layers replace or remove it.
    pub times: u32,
}

/// What an image carries in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wasted {
    /// Bytes of files in lower layers that upper layers replace or remove.
    pub bytes: u64,
    /// Bytes of files in all its layers.
    pub size: u64,
    /// The largest of these files, or the folders they went with, largest first.
    pub files: Vec<WastedFile>,
    /// Some layer has more names than are looked at: there may be more.
    pub truncated: bool,
}

/// Opens a regular file beneath `root` to be read, through no link; other kinds are refused without opening them.
pub(super) fn open_file(root: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let found = loop {
        match rustix::fs::openat2(root, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), how) {
            Err(Errno::AGAIN) => {}
            Err(Errno::LOOP) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "the way to it leads through a symbolic link")),
            other => break other?,
        }
    };
    let kind = FileKind::of(rustix::fs::fstat(&found)?.st_mode);
    if kind != FileKind::File {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is no regular file but a {}", format!("{kind:?}").to_lowercase())));
    }
    let again = format!("/proc/self/fd/{}", found.as_raw_fd());
    Ok(rustix::fs::open(again, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?.into())
}

/// The first `limit` bytes of an open file.
pub(super) fn head(file: &File, limit: usize) -> io::Result<Head> {
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(Head { size: size.max(bytes.len() as u64), bytes })
}

impl Engine {
    /// The layers below one, bottom first.
    fn below(&self, layer: &LayerId) -> Result<Vec<LayerId>> {
        let driver = self.graph()?.name();
        let chain = self.db().lineage(driver, layer.as_str())?;
        if chain.last().is_none_or(|last| last != layer.as_str()) {
            return Err(Error::not_found(format!("no such layer: {layer}")).hint("`kapal graph --no-trunc` lists them"));
        }
        let parents = chain[..chain.len() - 1].iter().map(|id| id.parse());
        parents.collect::<std::result::Result<_, _>>().map_err(|e: crate::id::IdError| Error::new(Kind::Corrupt, format!("layer {layer}: {e}")))
    }

    /// The layer that `text` means: an identity, or the beginning of just one.
    pub fn layer(&self, text: &str) -> Result<LayerId> {
        use super::containers::shown;
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let rows = self.db().layers(self.graph()?.name())?;
        let mut found = rows.into_iter().map(|row| row.id).filter(|id| !digits.is_empty() && id.trim_start_matches("sha256:").starts_with(digits));
        match (found.next(), found.next()) {
            (Some(id), None) => id.parse().map_err(|e: crate::id::IdError| Error::new(Kind::Corrupt, format!("layer {id}: {e}"))),
            (Some(_), Some(_)) => Err(Error::invalid(format!("{} is the beginning of more than one layer's id: give more digits", shown(text)))),
            (None, _) => Err(Error::not_found(format!("no such layer: {}", shown(text))).hint("`kapal graph --no-trunc` lists them")),
        }
    }

    /// A layer's files as changes against the layers below it, at most [`MOST`]. It blocks, for as long as it takes to
    /// walk them.
    pub fn layer_tree(&self, layer: &LayerId) -> Result<LayerTree> {
        self.list_layer(layer, &self.below(layer)?)
    }

    fn list_layer(&self, layer: &LayerId, parents: &[LayerId]) -> Result<LayerTree> {
        let failed = |e: io::Error| Error::io(format_args!("cannot list the files of layer {}", layer.short()), &e);
        graphdriver::list(self.graph()?, layer, parents, MOST).map_err(failed)
    }

    fn open_in_layer(&self, layer: &LayerId, path: &Path) -> Result<File> {
        let failed = |e: io::Error| Error::io(format_args!("cannot look into layer {}", layer.short()), &e);
        let (root, _) = self.graph()?.look_into(layer).map_err(failed)?;
        open_file(root.as_fd(), path).map_err(|e| Error::io(format_args!("cannot read {} of layer {}", shown(path), layer.short()), &e))
    }

    /// The beginning of a file of a layer; `path` is relative to the root. No link is followed. It blocks.
    pub fn layer_file(&self, layer: &LayerId, path: &Path, limit: usize) -> Result<Head> {
        let file = self.open_in_layer(layer, path)?;
        head(&file, limit).map_err(|e| Error::io(format_args!("cannot read {} of layer {}", shown(path), layer.short()), &e))
    }

    /// Writes a file of a layer to `dest` on this machine, which must not be there yet; its permissions come along, its
    /// owner and setuid do not. Bytes written. It blocks.
    pub fn extract_layer_file(&self, layer: &LayerId, path: &Path, dest: &Path) -> Result<u64> {
        let mut from = self.open_in_layer(layer, path)?;
        let refused = |e: &io::Error| {
            let error = Error::io(format_args!("cannot write {}", dest.display()), e);
            if e.kind() == io::ErrorKind::AlreadyExists { error.hint("nothing is overwritten: choose another name") } else { error }
        };
        let mut to = File::options().write(true).create_new(true).mode(0o600).open(dest).map_err(|e| refused(&e))?;
        let copied = io::copy(&mut from, &mut to).and_then(|bytes| {
            to.set_permissions(std::fs::Permissions::from_mode(from.metadata()?.mode() & 0o777))?;
            Ok(bytes)
        });
        copied.map_err(|e| {
            // A part of the file would pass for the whole; what is told is why.
            let _ = std::fs::remove_file(dest);
            refused(&e)
        })
    }

    /// What an image carries in vain: bytes of files in lower layers that upper ones replace or remove. It blocks, for
    /// as long as it takes to walk all its layers but the lowest.
    pub fn wasted(&self, image: &Image) -> Result<Wasted> {
        let mut wasted = Wasted { size: image.size, ..Wasted::default() };
        let mut files: HashMap<PathBuf, (u64, u32)> = HashMap::new();
        for (at, layer) in image.layers.iter().enumerate().skip(1) {
            let tree = self.list_layer(layer, &image.layers[..at])?;
            wasted.truncated |= tree.truncated;
            for entry in tree.entries.into_iter().filter(|entry| entry.hidden > 0) {
                wasted.bytes += entry.hidden;
                let known = files.entry(entry.path).or_default();
                *known = (known.0 + entry.hidden, known.1 + 1);
            }
        }
        wasted.files = files.into_iter().map(|(path, (bytes, times))| WastedFile { path, bytes, times }).collect();
        wasted.files.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
        wasted.files.truncate(WASTED);
        Ok(wasted)
    }
}

/// A path of a layer, safe to print.
pub(super) fn shown(path: &Path) -> String {
    super::containers::shown(&format!("/{}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_what_is_none() {
        let head = |bytes: &[u8], size: u64| Head { bytes: bytes.to_vec(), size };
        assert!(!head("größe\n".as_bytes(), 8).is_binary());
        assert!(head(b"a\0b", 3).is_binary() && head(b"\xff\xfe", 2).is_binary());
        let cut = &"größe".as_bytes()[..3];
        assert!(!head(cut, 7).is_binary(), "cut within a character");
        assert!(head(cut, 3).is_binary(), "an end within a character is none");
    }

    #[test]
    fn only_regular_files_are_opened_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir_all(path.join("root/sub")).unwrap();
        std::fs::write(path.join("secret"), "s").unwrap();
        std::fs::write(path.join("root/sub/file"), "inside").unwrap();
        std::os::unix::fs::symlink("../secret", path.join("root/out")).unwrap();
        std::os::unix::fs::symlink("sub", path.join("root/way")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path.join("root/pipe"), rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let root = File::open(path.join("root")).unwrap();
        let open = |name: &str| open_file(root.as_fd(), Path::new(name)).map(|file| head(&file, 3).unwrap());
        assert_eq!(open("sub/file").unwrap(), Head { bytes: b"ins".to_vec(), size: 6 });
        for name in ["out", "way/file", "../secret", "/etc/passwd", "pipe", "sub", "none"] {
            assert!(open(name).is_err(), "{name} was opened");
        }
    }
}
