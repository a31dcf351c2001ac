//! The kernel's files of counters: kept open, read by `pread` into one room, parsed where they lie.
//!
//! What a file holds is the kernel's, but names in it (of links, say) are foreign, and its length is bounded here.

use super::usage::{Carried, Link, Stall};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// A page: most of these files are shorter.
const PAGE: usize = 4096;

/// More of a file is not read: some four thousand devices or links.
const LONGEST: usize = 256 * 1024;

/// No entry of a file that is made an entry at a time is longer: a name and some twenty numbers.
const ENTRY: usize = 512;

/// How files are opened.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

/// How many links are told.
const MOST_LINKS: usize = 1024;

/// Where files are read into. It grows to what the longest one needed, and stays so.
#[derive(Debug)]
pub struct Room(Vec<u8>);

impl Room {
    /// One page.
    pub fn new() -> Self {
        Self(vec![0; PAGE])
    }
}

/// How the kernel makes a file's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// At once: all of it comes with one `pread` that has the room.
    Whole,
    /// An entry at a time, as many as find room in a page of the kernel's: a `pread` that leaves room for one more told the last.
    ///
    /// Source: `seq_read_iter` of the kernel's fs/seq_file.c.
    Entries,
}

/// A file of counters, kept open.
#[derive(Debug)]
pub struct Counters {
    file: OwnedFd,
    name: &'static str,
    shape: Shape,
}

/// Why a file could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its name, without the folder.
    pub name: &'static str,
    /// The kernel's reason; `ENODEV` once its cgroup is gone.
    pub errno: Errno,
}

impl From<Unreadable> for io::Error {
    fn from(unreadable: Unreadable) -> Self {
        let error = Self::from(unreadable.errno);
        Self::new(error.kind(), format!("{}: {error}", unreadable.name))
    }
}

impl Counters {
    /// Opens one; `None` if this kernel does not have it.
    ///
    /// # Errors
    /// The kernel's, with the path.
    pub fn open(folder: &Path, name: &'static str, shape: Shape) -> io::Result<Option<Self>> {
        let path = folder.join(name);
        match rustix::fs::open(&path, FLAGS, Mode::empty()) {
            Ok(file) => Ok(Some(Self { file, name, shape })),
            // The last one is PSI's word for "switched off".
            Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => Ok(None),
            Err(errno) => {
                let error = io::Error::from(errno);
                Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
            }
        }
    }

    /// Opens one below an open folder.
    pub fn beneath(folder: BorrowedFd<'_>, name: &'static str, shape: Shape) -> Result<Self, Unreadable> {
        let file = rustix::fs::openat(folder, name, FLAGS, Mode::empty()).map_err(|errno| Unreadable { name, errno })?;
        Ok(Self { file, name, shape })
    }

    /// What it says now, up to a bound and a whole line.
    pub fn read<'room>(&self, room: &'room mut Room) -> Result<&'room [u8], Unreadable> {
        let room = &mut room.0;
        let mut filled = 0;
        loop {
            let length = rustix::io::pread(&self.file, &mut room[filled..], filled as u64).map_err(|errno| Unreadable { name: self.name, errno })?;
            filled += length;
            let all = match self.shape {
                Shape::Whole => filled < room.len(),
                Shape::Entries => filled == length && length <= PAGE - ENTRY,
            };
            if length == 0 || all {
                return Ok(&room[..filled]);
            }
            if filled == room.len() {
                if filled >= LONGEST {
                    let end = room.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                    return Ok(&room[..end]);
                }
                room.resize(filled * 2, 0);
            }
        }
    }
}

/// What a file says that may not be there; `None`, too, where its controller is not handed down to this cgroup.
pub fn text<'room>(file: Option<&Counters>, room: &'room mut Room) -> Result<Option<&'room [u8]>, Unreadable> {
    let Some(file) = file else { return Ok(None) };
    match file.read(room) {
        Err(Unreadable { errno: Errno::OPNOTSUPP, .. }) => Ok(None),
        other => other.map(Some),
    }
}

/// The number that a file holds which may not be there.
pub fn value(file: Option<&Counters>, room: &mut Room) -> Result<Option<u64>, Unreadable> {
    Ok(text(file, room)?.and_then(number))
}

/// Nanoseconds of a tick, in which the kernel tells some times.
pub fn tick() -> u64 {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok());
    1_000_000_000 / ticks.filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// The number at the beginning of a text; `None` if there is none (`max`) or it is too large.
pub fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let mut value: Option<u64> = None;
    for digit in digits {
        value = Some(value.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
    }
    value
}

/// The lines of a text.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

/// The words of a line.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The lines that are a key and a number, as `memory.stat` has them, or `/proc/meminfo` with its `key:`.
pub fn entries(text: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    lines(text).filter_map(|line| {
        let (key, value) = line.split_at(line.iter().position(|byte| *byte == b' ')?);
        Some((key, number(value.trim_ascii_start())?))
    })
}

/// A file of PSI; `None` if it says nothing.
///
/// Source of the format: the kernel's Documentation/accounting/psi.rst.
pub fn pressure(text: &[u8]) -> Option<Stall> {
    let total = |kind: &[u8]| {
        let line = lines(text).find_map(|line| line.strip_prefix(kind))?;
        words(line).find_map(|word| number(word.strip_prefix(b"total=")?))
    };
    Some(Stall { some: total(b"some ")?, full: total(b"full ") })
}

/// The links of `/proc/PID/net/dev`, into room that is used again.
///
/// Source of the format: proc_pid_net(5).
pub fn links(text: &[u8], links: &mut Vec<Link>) {
    links.clear();
    links.extend(lines(text).filter_map(link).take(MOST_LINKS));
}

fn link(line: &[u8]) -> Option<Link> {
    // A name may hold a colon (an alias of old does), what follows the last one is numbers alone.
    let colon = line.iter().rposition(|byte| *byte == b':')?;
    let mut link = Link::default();
    let written = line[..colon].trim_ascii_start();
    let length = written.len().min(link.name.len());
    link.name[..length].copy_from_slice(&written[..length]);
    let mut numbers = [0; 12];
    let mut found = words(&line[colon + 1..]);
    for number in &mut numbers {
        *number = self::number(found.next()?)?;
    }
    link.received = Carried { bytes: numbers[0], packets: numbers[1], errors: numbers[2], dropped: numbers[3] };
    link.sent = Carried { bytes: numbers[8], packets: numbers[9], errors: numbers[10], dropped: numbers[11] };
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn numbers_are_read_or_not() {
        assert_eq!((number(b"12\n"), number(b"0"), number(b"max"), number(b"")), (Some(12), Some(0), None, None));
        assert_eq!(number(b"99999999999999999999999"), None);
        let found: Vec<_> = entries(b"a 1\n\nab: 22 kB\nmax max\nlonely\n").collect();
        assert_eq!(found, [(&b"a"[..], 1), (b"ab:", 22)]);
    }

    #[test]
    fn waiting_is_read() {
        let both = b"some avg10=0.59 avg60=0.86 avg300=1.22 total=1269\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(pressure(both), Some(Stall { some: 1269, full: Some(7) }));
        assert_eq!(pressure(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=4\n"), Some(Stall { some: 4, full: None }), "before 5.13");
        assert_eq!(pressure(b""), None);
    }

    #[test]
    fn links_are_read_whatever_their_names() {
        let text = b"Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
            lo:       1       2    3    4    0     0          0         0        5       6    7    8    0     0       0          0\n\
            a:b\xff: 9 0 0 0 0 0 0 0 10 0 0 0 0 0 0 0\n  cut: 1 2\n";
        let mut found = vec![Link::default(); 7];
        links(text, &mut found);
        assert_eq!(found.len(), 2);
        assert!(found[0].is_loopback());
        assert_eq!(found[0].received, Carried { bytes: 1, packets: 2, errors: 3, dropped: 4 });
        assert_eq!(found[0].sent, Carried { bytes: 5, packets: 6, errors: 7, dropped: 8 });
        assert_eq!((found[1].name(), found[1].received.bytes, found[1].sent.bytes), ("a:b\u{fffd}".into(), 9, 10));
    }

    #[test]
    fn long_files_are_read_up_to_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(Counters::open(folder.path(), "file", Shape::Whole).unwrap().is_none());
        for shape in [Shape::Whole, Shape::Entries] {
            let mut room = Room::new();
            let mut text = String::new();
            for size in [0, 100, PAGE, PAGE + 1, 3 * PAGE, LONGEST - 1] {
                while text.len() < size {
                    writeln!(text, "{}", text.len()).unwrap();
                }
                text.truncate(size);
                std::fs::write(&path, &text).unwrap();
                let file = Counters::open(folder.path(), "file", shape).unwrap().unwrap();
                assert_eq!(file.read(&mut room).unwrap(), text.as_bytes(), "{shape:?} {size}");
            }
            text = "0123456789abcde\n".repeat(LONGEST / 8);
            text.insert(0, '+');
            std::fs::write(&path, &text).unwrap();
            let read = Counters::open(folder.path(), "file", shape).unwrap().unwrap().read(&mut room).unwrap().to_owned();
            assert!(read.len() > LONGEST - 20 && read.len() < LONGEST && read.ends_with(b"e\n"), "{}", read.len());
        }
    }
}
