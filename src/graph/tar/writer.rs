//! Writes an archive: POSIX headers, with an extended header before an entry where those do not suffice.

use super::{BLOCK, Entry, Kind, pax};
use std::io::{self, Write};

/// A streaming writer of entries.
///
/// An entry's content follows its header: exactly `entry.size` bytes through [`Write`]. Sparse files are written
/// whole. Nothing is buffered, except that small things are put together.
pub struct Writer<W: Write> {
    output: W,
    /// Content bytes still owed for the entry.
    owed: u64,
    padding: usize,
}

impl<W: Write> Writer<W> {
    /// A writer at the archive's beginning.
    pub fn new(output: W) -> Self {
        Self { output, owed: 0, padding: 0 }
    }

    /// Writes the entry's header. Only `path`, `link`, `kind`, `mode`, `uid`, `gid`, `size`, `mtime`, `device` and
    /// `xattrs` are looked at.
    ///
    /// # Errors
    /// `InvalidInput` if content of the entry before is missing, and those of the output.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.close()?;
        let mut bytes = Vec::with_capacity(2 * BLOCK);
        let size = if entry.kind == Kind::File { entry.size } else { 0 };
        let mut block = [0u8; BLOCK];
        let records = fill(&mut block, entry, size);
        if !records.is_empty() {
            let mut extended = [0u8; BLOCK];
            put_name(&mut extended, &extended_name(&entry.path));
            put_octal(&mut extended[100..108], 0o644);
            put_octal(&mut extended[108..116], 0);
            put_octal(&mut extended[116..124], 0);
            put_octal(&mut extended[124..136], records.len() as u64);
            put_octal(&mut extended[136..148], 0);
            extended[156] = b'x';
            seal(&mut extended);
            bytes.extend_from_slice(&extended);
            bytes.extend_from_slice(&records);
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        }
        seal(&mut block);
        bytes.extend_from_slice(&block);
        self.output.write_all(&bytes)?;
        self.owed = size;
        self.padding = (size.next_multiple_of(BLOCK as u64) - size) as usize;
        Ok(())
    }

    /// An entry whose whole content is at hand; `entry.size` is taken from it.
    ///
    /// # Errors
    /// As [`Writer::entry`].
    pub fn whole(&mut self, entry: &Entry, content: &[u8]) -> io::Result<()> {
        self.entry(&Entry { size: content.len() as u64, ..entry.clone() })?;
        self.write_all(content)
    }

    /// Writes zeros for all content still owed: a file that shrank while it was read.
    ///
    /// # Errors
    /// Those of the output.
    pub fn fill_up(&mut self) -> io::Result<()> {
        let zeros = [0u8; 8192];
        while self.owed > 0 {
            let count = zeros.len().min(usize::try_from(self.owed).unwrap_or(usize::MAX));
            self.output.write_all(&zeros[..count])?;
            self.owed -= count as u64;
        }
        Ok(())
    }

    /// Ends the archive and gives the output back, unflushed.
    ///
    /// # Errors
    /// As [`Writer::entry`].
    pub fn finish(mut self) -> io::Result<W> {
        self.close()?;
        self.output.write_all(&[0; 2 * BLOCK])?;
        Ok(self.output)
    }

    fn close(&mut self) -> io::Result<()> {
        if self.owed > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} bytes of an archive entry's content are missing", self.owed)));
        }
        let padding = std::mem::take(&mut self.padding);
        self.output.write_all(&[0; BLOCK][..padding])
    }
}

impl<W: Write> Write for Writer<W> {
    /// Content of the entry; an error if it is more than the entry's size.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.owed {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "more content than the archive entry's size says"));
        }
        let count = self.output.write(bytes)?;
        self.owed -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Fills a header and gives the records of what does not fit into it.
fn fill(block: &mut [u8; BLOCK], entry: &Entry, size: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let mut path = entry.path.clone();
    if entry.kind == Kind::Folder && !path.ends_with(b"/") {
        path.push(b'/');
    }
    if !put_name(block, &path) {
        pax::push(&mut records, b"path", &path);
    }
    if matches!(entry.kind, Kind::HardLink | Kind::Symlink) {
        let fits = entry.link.len() <= 100;
        block[157..157 + entry.link.len().min(100)].copy_from_slice(&entry.link[..entry.link.len().min(100)]);
        if !fits {
            pax::push(&mut records, b"linkpath", &entry.link);
        }
    }
    put_octal(&mut block[100..108], u64::from(entry.mode & 0o7777));
    for (range, key, value) in [(108..116, &b"uid"[..], entry.uid), (116..124, b"gid", entry.gid), (124..136, b"size", size)] {
        if !put_octal(&mut block[range], value) {
            pax::push(&mut records, key, value.to_string().as_bytes());
        }
    }
    let (seconds, nanos) = entry.mtime;
    let fits = u64::try_from(seconds).is_ok_and(|seconds| put_octal(&mut block[136..148], seconds));
    if !fits {
        put_octal(&mut block[136..148], 0);
    }
    if !fits || nanos != 0 {
        pax::push(&mut records, b"mtime", time_text(seconds, nanos).as_bytes());
    }
    for (name, value) in &entry.xattrs {
        pax::push(&mut records, &[pax::XATTR, name].concat(), value);
    }
    block[156] = match entry.kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::Char => b'3',
        Kind::Block => b'4',
        Kind::Folder => b'5',
        Kind::Fifo => b'6',
    };
    let (major, minor) = if matches!(entry.kind, Kind::Char | Kind::Block) { entry.device } else { (0, 0) };
    put_octal(&mut block[329..337], u64::from(major));
    put_octal(&mut block[337..345], u64::from(minor));
    records
}

/// `-1.5` for (-2, 500000000).
fn time_text(seconds: i64, nanos: u32) -> String {
    let text = match (seconds, nanos) {
        (_, 0) => return seconds.to_string(),
        (..0, _) => {
            let whole = -(seconds + 1);
            format!("-{whole}.{:09}", 1_000_000_000 - nanos)
        }
        _ => format!("{seconds}.{nanos:09}"),
    };
    text.trim_end_matches('0').to_owned()
}

/// A name for the extended header itself, which only readers that know none show.
fn extended_name(path: &[u8]) -> Vec<u8> {
    let ascii: Vec<u8> = path.iter().filter(|b| b.is_ascii_graphic()).copied().collect();
    let base = ascii.rsplit(|&b| b == b'/').find(|part| !part.is_empty()).unwrap_or(b"entry");
    [b"PaxHeaders.0/", &base[..base.len().min(80)]].concat()
}

/// Octal digits with a NUL after them. Gives whether the value fits; the field is left as zeros if not.
fn put_octal(field: &mut [u8], value: u64) -> bool {
    let digits = field.len() - 1;
    let fits = value.checked_shr(3 * digits as u32).unwrap_or(0) == 0;
    let text = format!("{:0digits$o}\0", if fits { value } else { 0 });
    field.copy_from_slice(text.as_bytes());
    fits
}

/// Writes a name into the name field, with its beginning in the prefix if it is too long. Gives whether it fits; a
/// shortened form is there if not.
fn put_name(block: &mut [u8; BLOCK], path: &[u8]) -> bool {
    if path.len() <= 100 {
        block[..path.len()].copy_from_slice(path);
        return true;
    }
    // The name's part must not be empty, so a slash at the very end does not split.
    let split = (path.len().saturating_sub(101)..path.len().min(156)).find(|&at| path[at] == b'/' && at > 0 && at + 1 < path.len());
    if let Some(at) = split {
        block[345..345 + at].copy_from_slice(&path[..at]);
        block[..path.len() - at - 1].copy_from_slice(&path[at + 1..]);
    } else {
        block[..100].copy_from_slice(&path[path.len() - 100..]);
    }
    split.is_some()
}

/// Magic and checksum.
fn seal(block: &mut [u8; BLOCK]) {
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;
    use proptest::prelude::*;

    fn round_trip(entry: &Entry, content: &[u8]) -> (Entry, Vec<u8>) {
        let mut writer = Writer::new(Vec::new());
        writer.whole(entry, content).unwrap();
        let bytes = writer.finish().unwrap();
        assert_eq!(bytes.len() % BLOCK, 0);
        let mut reader = Reader::new(&bytes[..]);
        let mut read = Entry::default();
        assert!(reader.next(&mut read).unwrap());
        let content = reader.read_all(1 << 20).unwrap();
        assert!(!reader.next(&mut Entry::default()).unwrap());
        (read, content)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(
            path in "[a-z\u{e9}]{1,60}(/[a-z .=\n]{1,120}){0,3}x", link in "[a-z/]{0,300}", folder in any::<bool>(), symlink in any::<bool>(),
            mode in 0u32..0o10000, uid in any::<u32>(), gid in any::<u32>(), seconds in -(1i64 << 40)..(1 << 40), nanos in 0u32..1_000_000_000,
            content in proptest::collection::vec(any::<u8>(), 0..1500), value in proptest::collection::vec(any::<u8>(), 0..99),
        ) {
            let kind = if folder { Kind::Folder } else if symlink { Kind::Symlink } else { Kind::File };
            let mut path = path.into_bytes();
            if folder { path.push(b'/'); }
            let content = if kind == Kind::File { content } else { Vec::new() };
            let entry = Entry {
                path, link: if kind == Kind::Symlink { link.into_bytes() } else { Vec::new() }, kind, mode, uid: uid.into(), gid: gid.into(), size: content.len() as u64,
                mtime: (seconds, nanos), device: (0, 0), xattrs: vec![(b"user.x".to_vec(), value)], sparse: None,
            };
            let (read, bytes) = round_trip(&entry, &content);
            prop_assert_eq!(read, entry);
            prop_assert_eq!(bytes, content);
        }
    }

    #[test]
    fn devices_keep_their_numbers() {
        let entry = Entry { path: b"dev/sda".to_vec(), kind: Kind::Block, device: (259, 1_048_575), ..Entry::default() };
        assert_eq!(round_trip(&entry, b"").0, entry);
    }

    #[test]
    fn content_is_exact() {
        let mut writer = Writer::new(Vec::new());
        writer.entry(&Entry { path: b"a".to_vec(), size: 2, ..Entry::default() }).unwrap();
        assert!(writer.write_all(b"abc").is_err());
        writer.write_all(b"a").unwrap();
        assert!(writer.entry(&Entry::default()).is_err());
        writer.fill_up().unwrap();
        assert!(writer.finish().is_ok());
    }
}
