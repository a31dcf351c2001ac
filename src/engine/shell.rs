//! A shell for a container: its own, or a toolbox of this machine where the image has none.

use super::elf::{HEAD, Head};
use super::{Engine, Error, Kind, Result};
use crate::container::Container;
use crate::execdriver::spec::Toolbox;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The container's own shells, best first.
const SHELLS: [&str; 4] = ["/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh"];
/// Where distributions put their static busybox.
const FOLDERS: [&str; 5] = ["/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin"];
const NAMES: [&str; 3] = ["busybox", "busybox.static", "busybox-static"];

/// What gives a shell in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shell {
    /// This program of its own.
    Own(String),
    /// It has none that runs: what this machine brings along.
    Toolbox,
}

/// Where the tools come from that are brought into a container; asked for by these names.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tools {
    /// This machine's static busybox, or our own where there is none
    #[default]
    Auto,
    /// This machine's static busybox
    Busybox,
    /// A small shell and small tools of our own; `help` lists them
    Own,
}

/// What brings a shell and tools along.
///
/// # Errors
/// A busybox is asked for by name, and there is none; the hint names the package.
pub fn toolbox(wanted: Tools) -> Result<Toolbox> {
    choose(wanted, || busybox(&FOLDERS.map(Path::new)))
}

fn choose(wanted: Tools, busybox: impl FnOnce() -> Result<PathBuf>) -> Result<Toolbox> {
    match wanted {
        Tools::Auto => Ok(busybox().map_or(Toolbox::Applets, Toolbox::Program)),
        Tools::Busybox => busybox().map(Toolbox::Program),
        Tools::Own => Ok(Toolbox::Applets),
    }
}

fn busybox(folders: &[&Path]) -> Result<PathBuf> {
    let own = head(Path::new("/proc/self/exe")).map(|own| own.machine);
    let paths = folders.iter().flat_map(|folder| NAMES.iter().map(move |name| folder.join(name)));
    let mut passed_over = None;
    for path in paths {
        match head(&path) {
            Some(found) if found.loader.is_none() && own.is_none_or(|own| own == found.machine) => return Ok(path),
            Some(_) => passed_over = Some(path),
            None => {}
        }
    }
    let why = passed_over
        .map_or_else(|| "is not installed".to_owned(), |path| format!("is not there ({} needs libraries or is for another machine)", path.display()));
    Err(Error::new(Kind::Unsupported, format!("a static busybox {why} on this machine"))
        .hint("--toolbox=own needs none; or install the package busybox-static (Debian, Ubuntu, Alpine, openSUSE) or busybox (Fedora, Arch)"))
}

fn head(path: &Path) -> Option<Head> {
    let file = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    head_of(&file)
}

/// The head of an executable file, held by its path: a pipe or a device must not be opened.
fn head_of(file: &OwnedFd) -> Option<Head> {
    Head::read(&beginning(file)?)
}

fn beginning(file: &OwnedFd) -> Option<Vec<u8>> {
    let stat = rustix::fs::fstat(file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_mode & 0o111 == 0 {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?.take(HEAD as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A file as the container sees it.
fn inside(root: &OwnedFd, path: &str) -> Option<OwnedFd> {
    rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS).ok()
}

/// Whether a file is executable, and its loader is there as well; a script counts as it is.
fn would_run(root: &OwnedFd, path: &str) -> bool {
    let Some(bytes) = inside(root, path).and_then(|file| beginning(&file)) else { return false };
    match Head::read(&bytes) {
        Some(Head { loader: Some(loader), .. }) => inside(root, &loader).is_some(),
        Some(_) => true,
        None => bytes.starts_with(b"#!"),
    }
}

impl Engine {
    /// What gives a shell in a container, as its files stand. Reads files: not for a thread that must not wait.
    ///
    /// # Errors
    /// Its files cannot be reached.
    pub fn shell(&self, container: &Container) -> Result<Shell> {
        let root = self.root(container, true)?;
        Ok(SHELLS.iter().find(|path| would_run(&root, path)).map_or(Shell::Toolbox, |path| Shell::Own((*path).to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_busybox_is_a_static_program_for_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let error = busybox(&[folder.path()]).unwrap_err();
        assert!(error.kind == Kind::Unsupported && error.hint.is_some_and(|hint| hint.contains("busybox-static")));
        let put = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).unwrap();
            std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let mut own = vec![0; HEAD];
        File::open("/proc/self/exe").unwrap().read_exact(&mut own).unwrap();
        // As if it needed a loader, as if it needed none, and for another machine.
        let entry = (0..16).map(|n| 64 + 56 * n).find(|at| own[*at] == 3);
        let mut free = own.clone();
        if let Some(at) = entry {
            put("busybox", &own);
            assert!(busybox(&[folder.path()]).unwrap_err().message.contains("needs libraries"));
            free[at] = 4;
        }
        let mut foreign = free.clone();
        foreign[18] ^= 0xff;
        put("busybox", &foreign);
        assert!(busybox(&[folder.path()]).is_err());
        put("busybox.static", &free);
        assert_eq!(busybox(&[folder.path()]).unwrap(), folder.path().join("busybox.static"));
    }

    #[test]
    fn without_a_busybox_there_are_the_applets() {
        let none = || busybox(&[]);
        let some = || Ok(PathBuf::from("/bin/busybox"));
        assert_eq!(choose(Tools::Auto, none).unwrap(), Toolbox::Applets);
        assert_eq!(choose(Tools::Auto, some).unwrap(), Toolbox::Program("/bin/busybox".into()));
        assert_eq!(choose(Tools::Own, some).unwrap(), Toolbox::Applets);
        assert!(choose(Tools::Busybox, none).is_err());
    }

    #[test]
    fn a_shell_is_one_that_would_run() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir_all(at("bin")).unwrap();
        let write = |path: &str, bytes: &[u8], mode| {
            std::fs::write(at(path), bytes).unwrap();
            std::fs::set_permissions(at(path), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let root = rustix::fs::open(folder.path(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let mut own = vec![0; HEAD];
        File::open("/proc/self/exe").unwrap().read_exact(&mut own).unwrap();
        write("bin/script", b"#!/bin/x\n", 0o755);
        write("bin/plain", b"#!/bin/x\n", 0o644);
        write("bin/own", &own, 0o755);
        symlink("/bin/script", at("bin/link")).unwrap();
        symlink("/etc/passwd", at("bin/outside")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("bin/pipe"), Mode::from_raw_mode(0o755)).unwrap();
        for (path, expected) in
            [("/bin/script", true), ("/bin/link", true), ("/bin/plain", false), ("/bin/outside", false), ("/bin/pipe", false), ("/bin/none", false)]
        {
            assert_eq!(would_run(&root, path), expected, "{path}");
        }
        let loader = Head::read(&own).unwrap().loader;
        assert_eq!(would_run(&root, "/bin/own"), loader.is_none(), "its loader is not there");
        if let Some(loader) = loader {
            let place = at(loader.trim_start_matches('/'));
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, "").unwrap();
            assert!(would_run(&root, "/bin/own"));
        }
    }
}
