//! A program of this machine brought into a container: as a copy in memory, so that it has no place among its files.

use crate::execdriver::StartError;
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The largest program that is copied.
const LARGEST: u64 = 64 << 20;

/// Copies a program into memory and seals it: what a container does to `/proc/self/exe` reaches neither this machine's
/// file nor the copy.
pub fn copy(path: &Path) -> Result<OwnedFd, StartError> {
    let failed = |what: &str, error: std::io::Error| StartError::Failed(format!("cannot bring {} along: {what}: {error}", path.display()));
    let from = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).map_err(|error| failed("open", error.into()))?;
    let from = File::from(from);
    let length = from.metadata().map_err(|error| failed("stat", error))?.len();
    if length > LARGEST {
        return Err(StartError::Failed(format!("cannot bring {} along: it is larger than {} MiB", path.display(), LARGEST >> 20)));
    }
    let mut copy = File::from(memory().map_err(|error| failed("no memory for it", error.into()))?);
    std::io::copy(&mut from.take(LARGEST), &mut copy).map_err(|error| failed("copy", error))?;
    rustix::fs::fchmod(&copy, Mode::from_raw_mode(0o555)).map_err(|error| failed("its mode", error.into()))?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&copy, seals).map_err(|error| failed("seal", error.into()))?;
    Ok(copy.into())
}

/// A file in memory that may be executed; kernels before 6.3 know no other.
fn memory() -> rustix::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create("toolbox", flags | MemfdFlags::EXEC) {
        Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create("toolbox", flags),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    #[test]
    fn the_copy_is_whole_and_nobody_writes_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        let text = vec![7; 300_000];
        std::fs::write(&program, &text).unwrap();
        let copied = copy(&program).unwrap();
        let path = format!("/proc/self/fd/{}", copied.as_raw_fd());
        assert_eq!(std::fs::read(&path).unwrap(), text);
        let written = std::fs::OpenOptions::new().write(true).open(&path).and_then(|mut file| file.write_all(b"x"));
        assert!(written.is_err());
        assert!(File::from(copied).set_len(1).is_err());
        assert_eq!(std::fs::read(&program).unwrap(), text);
        assert!(copy(&folder.path().join("nothing")).unwrap_err().to_string().contains("nothing"));
    }
}
