//! Applets that change files: mkdir, rmdir, rm, cp, mv, ln, touch, chmod.

use super::call::Call;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Does one thing to every argument; each failure is told.
fn each(call: &mut Call<'_>, work: impl Fn(&Path) -> io::Result<()>) {
    if call.arguments.is_empty() {
        call.refuse("a path is missing");
    }
    for path in call.arguments.clone() {
        if let Err(error) = work(Path::new(&path)) {
            call.fail(&path, &error);
        }
    }
}

/// `mkdir`
pub fn mkdir(call: &mut Call<'_>) {
    let Some(options) = call.options("p") else { return };
    each(call, |path| if options.has(b'p') { fs::create_dir_all(path) } else { fs::create_dir(path) });
}

/// `rmdir`
pub fn rmdir(call: &mut Call<'_>) {
    if call.options("").is_some() {
        each(call, |path| fs::remove_dir(path));
    }
}

/// `rm`
pub fn rm(call: &mut Call<'_>) {
    let Some(options) = call.options("rRf") else { return };
    if call.arguments.is_empty() && options.has(b'f') {
        return;
    }
    let deep = options.has(b'r') || options.has(b'R');
    each(call, |path| match remove(path, deep) {
        Err(error) if options.has(b'f') && error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    });
}

fn remove(path: &Path, deep: bool) -> io::Result<()> {
    // The root, `.` and `..` have no name of their own there.
    if path.file_name().is_none() || path.ends_with(".") {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    match path.symlink_metadata()?.is_dir() {
        true if deep => fs::remove_dir_all(path),
        true => Err(io::Error::from_raw_os_error(libc::EISDIR)),
        false => fs::remove_file(path),
    }
}

/// Sources, and where each of them is to be: the target, or below it if that is a folder. `None` if the call was refused.
fn places(call: &mut Call<'_>) -> Option<Vec<(OsString, PathBuf)>> {
    let sources = call.arguments.clone();
    let Some((target, sources)) = sources.split_last().filter(|(_, sources)| !sources.is_empty()) else {
        call.refuse("expected a source and a target");
        return None;
    };
    let into = Path::new(target).is_dir();
    if sources.len() > 1 && !into {
        call.fail(target, &io::Error::from_raw_os_error(libc::ENOTDIR));
        return None;
    }
    let place = |source: &OsString| match Path::new(source).file_name() {
        Some(name) if into => Path::new(target).join(name),
        _ => PathBuf::from(target),
    };
    Some(sources.iter().map(|source| (source.clone(), place(source))).collect())
}

/// `cp`
pub fn cp(call: &mut Call<'_>) {
    let Some(options) = call.options("rR") else { return };
    let deep = options.has(b'r') || options.has(b'R');
    for (source, place) in places(call).unwrap_or_default() {
        let from = PathBuf::from(&source);
        let inside = deep && from.is_dir() && fs::canonicalize(&from).is_ok_and(|whole| beginning(&place).starts_with(whole));
        if inside {
            call.fail(&source, &io::Error::other("cannot be copied into itself"));
            continue;
        }
        // A link that is named is followed, links below it are copied as they are.
        let done = if deep { copy(call, &from, &place) } else { from.metadata().and_then(|meta| copy_file(&from, &place, &meta)) };
        if let Err(error) = done {
            call.fail(&source, &error);
        }
    }
}

/// The part of a path that is there, with no link left in it.
fn beginning(path: &Path) -> PathBuf {
    path.ancestors()
        .map(|part| if part.as_os_str().is_empty() { Path::new(".") } else { part })
        .find_map(|part| fs::canonicalize(part).ok())
        .unwrap_or_default()
}

fn copy_file(from: &Path, to: &Path, meta: &fs::Metadata) -> io::Result<()> {
    if meta.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if !meta.is_file() {
        return Err(io::Error::other("is no regular file"));
    }
    if fs::canonicalize(from).ok() == fs::canonicalize(to).ok() {
        return Err(io::Error::other("is the target itself"));
    }
    fs::copy(from, to).map(drop)
}

/// Copies a file, a link or a tree. What fails below is told where it fails.
fn copy(call: &mut Call<'_>, from: &Path, to: &Path) -> io::Result<()> {
    let meta = from.symlink_metadata()?;
    if meta.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if !meta.is_dir() {
        return copy_file(from, to, &meta);
    }
    if !to.is_dir() {
        fs::DirBuilder::new().mode(meta.permissions().mode() & 0o777 | 0o700).create(to)?;
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if let Err(error) = copy(call, &from.join(&name), &to.join(&name)) {
            call.fail(from.join(&name), &error);
        }
    }
    Ok(())
}

/// `mv`; to another file system by a copy.
pub fn mv(call: &mut Call<'_>) {
    if call.options("f").is_none() {
        return;
    }
    for (source, place) in places(call).unwrap_or_default() {
        let from = Path::new(&source);
        let done = match fs::rename(from, &place) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let before = call.status;
                call.status = 0;
                let done = copy(call, from, &place);
                // What was not copied whole is not taken away.
                let whole = done.is_ok() && call.status == 0;
                call.status = call.status.max(before);
                if whole { remove(from, true) } else { done }
            }
            done => done,
        };
        if let Err(error) = done {
            call.fail(&source, &error);
        }
    }
}

/// `ln`
pub fn ln(call: &mut Call<'_>) {
    let Some(options) = call.options("sf") else { return };
    for (target, place) in places(call).unwrap_or_default() {
        if options.has(b'f') && place.symlink_metadata().is_ok_and(|meta| !meta.is_dir()) {
            // If it stays, the link says so.
            let _ = fs::remove_file(&place);
        }
        let done = if options.has(b's') { symlink(&target, &place) } else { fs::hard_link(&target, &place) };
        if let Err(error) = done {
            call.fail(&place, &error);
        }
    }
}

/// `touch`
pub fn touch(call: &mut Call<'_>) {
    if call.options("").is_none() {
        return;
    }
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    each(call, |path| match utimensat(CWD, path, &Timestamps { last_access: now, last_modification: now }, AtFlags::empty()) {
        Err(rustix::io::Errno::NOENT) => fs::OpenOptions::new().create(true).append(true).open(path).map(drop),
        done => Ok(done?),
    });
}

/// `chmod`, with a number.
pub fn chmod(call: &mut Call<'_>) {
    if call.options("").is_none() {
        return;
    }
    let mode = call.arguments.first().and_then(|mode| u32::from_str_radix(mode.to_str()?, 8).ok()).filter(|mode| *mode <= 0o7777);
    let Some(mode) = mode else {
        call.refuse("expected a mode such as 755");
        return;
    };
    call.arguments.remove(0);
    each(call, |path| fs::set_permissions(path, Permissions::from_mode(mode)));
}
