//! Reads an archive entry by entry from a stream that is never sought in.

use super::pax::{self, Extended};
use super::{BLOCK, EXTENDED_MAX, Entry, Kind, NAME_MAX, number, sparse};
use crate::graph::invalid;
use std::io::{self, Read};

/// How much is read and handed on at once, bytes.
const BUFFER: usize = 256 << 10;

/// A streaming reader of entries.
///
/// Call [`Reader::next`] for an entry, then take its stored content with [`Reader::chunk`] and [`Reader::consume`], or
/// leave it: the next call skips what is left. At the end the stream is read to its end, so that whoever measures it
/// below has seen all of it.
pub struct Reader<R> {
    input: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes handed on so far, for messages.
    position: u64,
    /// Stored bytes left of the entry.
    data: u64,
    /// Bytes after them up to a whole block.
    padding: u64,
}

/// What stands before an entry and belongs to it.
#[derive(Default)]
struct Ahead {
    extended: Option<Extended>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    /// A reader from the stream's beginning.
    pub fn new(input: R) -> Self {
        Self { input, buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0, position: 0, data: 0, padding: 0 }
    }

    /// The stream itself.
    pub fn into_inner(self) -> R {
        self.input
    }

    /// Where in the stream the reader is, bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Stored bytes of the entry that were not taken yet.
    pub fn stored(&self) -> u64 {
        self.data
    }

    /// Reads the next entry into `entry`; `false` at the end of the archive, after the stream was read to its end.
    ///
    /// # Errors
    /// `InvalidData` for what is no archive, `UnexpectedEof` for one that is cut off, and those of the stream.
    pub fn next(&mut self, entry: &mut Entry) -> io::Result<bool> {
        let mut ahead = Ahead::default();
        loop {
            self.skip_content()?;
            let header = match self.block()? {
                Some(block) if block.iter().any(|&b| b != 0) => Header(block),
                other => {
                    if ahead.extended.is_some() || ahead.name.is_some() || ahead.link.is_some() {
                        return Err(self.error("the archive ends after an extended header"));
                    }
                    if other.is_some() {
                        self.finish()?;
                    }
                    return Ok(false);
                }
            };
            header.check().map_err(|error| self.error(&error.to_string()))?;
            let size = header.size().map_err(|error| self.error(&error.to_string()))?;
            match header.0[156] {
                b'x' | b'X' => ahead.extended = Some(Extended::read(&self.content(size)?)?),
                b'g' => global(&self.content(size)?)?,
                b'L' => ahead.name = Some(self.long_name(size)?),
                b'K' => ahead.link = Some(self.long_name(size)?),
                kind => {
                    self.fill_in(entry, &header, kind, size, ahead).map_err(|error| self.error(&error.to_string()))?;
                    return Ok(true);
                }
            }
        }
    }

    /// The next stored bytes of the entry, empty after the last. In a sparse file they are those of its extents.
    ///
    /// # Errors
    /// `UnexpectedEof` if the stream ends inside, and those of the stream.
    pub fn chunk(&mut self) -> io::Result<&[u8]> {
        if self.data == 0 {
            return Ok(&[]);
        }
        self.fill()?;
        if self.start == self.end {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the archive is cut off: {} bytes are missing at byte {}", self.data, self.position),
            ));
        }
        let most = usize::try_from(self.data).unwrap_or(usize::MAX);
        Ok(&self.buffer[self.start..self.end.min(self.start.saturating_add(most))])
    }

    /// Marks the first `count` bytes of the last chunk as taken.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.position += count as u64;
        self.data = self.data.saturating_sub(count as u64);
    }

    /// All of the entry's stored content, which must not be longer than `limit` bytes.
    ///
    /// # Errors
    /// `InvalidData` if it is longer, and as [`Reader::chunk`].
    pub fn read_all(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        if self.data > limit {
            return Err(self.error(&format!("{} bytes where at most {limit} are taken", self.data)));
        }
        let mut bytes = Vec::with_capacity(self.data as usize);
        loop {
            let chunk = self.chunk()?;
            let count = chunk.len();
            if count == 0 {
                return Ok(bytes);
            }
            bytes.extend_from_slice(chunk);
            self.consume(count);
        }
    }

    fn error(&self, what: &str) -> io::Error {
        invalid(format!("{what} (before byte {} of the archive)", self.position))
    }

    /// Reads from the stream if nothing is left in the buffer.
    fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.end = read_some(&mut self.input, &mut self.buffer)?;
        }
        Ok(())
    }

    /// The next block; `None` if the stream ends before it.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        while self.end - self.start < BLOCK {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            let count = read_some(&mut self.input, &mut self.buffer[self.end..])?;
            self.end += count;
            if count == 0 {
                if self.end == 0 {
                    return Ok(None);
                }
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the archive is cut off inside a header at byte {}", self.position)));
            }
        }
        let mut block = [0; BLOCK];
        block.copy_from_slice(&self.buffer[self.start..self.start + BLOCK]);
        self.start += BLOCK;
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    /// Skips what is left of the entry. Padding may be missing at the very end of the stream.
    fn skip_content(&mut self) -> io::Result<()> {
        while self.data > 0 {
            let count = self.chunk()?.len();
            self.consume(count);
        }
        while self.padding > 0 {
            self.fill()?;
            let count = (self.end - self.start).min(self.padding as usize);
            if count == 0 {
                break;
            }
            self.start += count;
            self.position += count as u64;
            self.padding -= count as u64;
        }
        self.padding = 0;
        Ok(())
    }

    /// After the first zero block: wants a second one or the end, and drains the stream.
    fn finish(&mut self) -> io::Result<()> {
        if let Some(second) = self.block()?
            && second.iter().any(|&b| b != 0)
        {
            return Err(self.error("a lone block of zeros stands between entries"));
        }
        loop {
            (self.start, self.end) = (0, 0);
            match read_some(&mut self.input, &mut self.buffer)? {
                0 => return Ok(()),
                count => self.position += count as u64,
            }
        }
    }

    fn set_content(&mut self, size: u64) {
        self.data = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    /// The content of an extended header.
    fn content(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENDED_MAX {
            return Err(self.error(&format!("an extended header has {size} bytes, more than {EXTENDED_MAX}")));
        }
        self.set_content(size);
        self.read_all(EXTENDED_MAX)
    }

    /// The content of a GNU long name, up to its NUL.
    fn long_name(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > NAME_MAX as u64 + 1 {
            return Err(self.error(&format!("a long name has {size} bytes, more than {NAME_MAX}")));
        }
        let mut name = self.content(size)?;
        name.truncate(until_nul(&name).len());
        Ok(name)
    }

    /// Puts header and what stood ahead of it together.
    fn fill_in(&mut self, entry: &mut Entry, header: &Header, kind: u8, size: u64, ahead: Ahead) -> io::Result<()> {
        let extended = ahead.extended.unwrap_or_default();
        let records = extended.sparse;
        entry.path.clear();
        header.name(&mut entry.path);
        if let Some(path) = ahead.name.or(records.name.clone()).or(extended.path) {
            entry.path = path;
        }
        entry.link.clear();
        match ahead.link.or(extended.link) {
            Some(link) => entry.link = link,
            None => entry.link.extend_from_slice(until_nul(&header.0[157..257])),
        }
        entry.kind = kind_of(kind, entry.path.ends_with(b"/"))?;
        entry.mode = (header.number(100..108, "mode")? & 0o7777) as u32;
        entry.uid = extended.uid.map_or_else(|| header.unsigned(108..116, "owner"), Ok)?;
        entry.gid = extended.gid.map_or_else(|| header.unsigned(116..124, "group"), Ok)?;
        entry.mtime = extended.mtime.map_or_else(|| header.number(136..148, "time").map(|seconds| (seconds, 0)), Ok)?;
        entry.device = (0, 0);
        if matches!(entry.kind, Kind::Char | Kind::Block) && header.has_magic() {
            entry.device = (header.device(329..337)?, header.device(337..345)?);
        }
        entry.xattrs = extended.xattrs;
        let stored = extended.size.unwrap_or(size);
        // Folders, links and devices carry no content, whatever size stands there; POSIX leaves their size undefined.
        // Only an old folder, a file whose name ends in a slash, has its content skipped.
        self.set_content(if matches!(kind, 0 | b'0' | b'7' | b'S') { stored } else { 0 });
        entry.size = if entry.kind == Kind::File { stored } else { 0 };
        entry.sparse = None;
        if entry.kind == Kind::File {
            self.fill_in_sparse(entry, header, kind, &records, stored)?;
        }
        Ok(())
    }

    fn fill_in_sparse(&mut self, entry: &mut Entry, header: &Header, kind: u8, records: &pax::SparseRecords, stored: u64) -> io::Result<()> {
        let (extents, real_size) = if kind == b'S' {
            (self.old_map(header)?, header.unsigned(483..495, "real size")?)
        } else if records.major == Some(1) && records.minor == Some(0) {
            let (extents, taken) = sparse::version_1(|| {
                if self.data < BLOCK as u64 {
                    return Err(invalid("a sparse file's map is longer than what is stored"));
                }
                let block = self.block()?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
                self.data -= BLOCK as u64;
                Ok(block)
            })?;
            (extents, records.real_size.unwrap_or(stored - taken))
        } else if records.mapped && records.major.unwrap_or(0) == 0 {
            (records.extents(), records.real_size.unwrap_or(stored))
        } else {
            return Ok(());
        };
        sparse::check(&extents, real_size, self.data)?;
        entry.size = real_size;
        entry.sparse = Some(extents);
        Ok(())
    }

    /// The map of an old GNU sparse header, with its continuation blocks.
    fn old_map(&mut self, header: &Header) -> io::Result<Vec<super::Extent>> {
        let mut extents = Vec::new();
        sparse::old_gnu(&header.0[386..482], &mut extents)?;
        let mut more = header.0[482] != 0;
        while more {
            let block = self.block()?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            sparse::old_gnu(&block[..504], &mut extents)?;
            more = block[504] != 0;
        }
        Ok(extents)
    }
}

/// One read, begun again when a signal interrupts it.
fn read_some(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len())]
}

/// A global header changes no entry here, as in Go's reader; one that would in others is refused.
fn global(bytes: &[u8]) -> io::Result<()> {
    pax::records(bytes, |key, _| match key {
        b"path" | b"linkpath" | b"size" | b"uid" | b"gid" => {
            Err(invalid(format!("a global header sets {} for all entries: not supported", key.escape_ascii())))
        }
        _ if key.starts_with(b"GNU.sparse.") || key.starts_with(pax::XATTR) => {
            Err(invalid(format!("a global header sets {} for all entries: not supported", key.escape_ascii())))
        }
        _ => Ok(()),
    })
}

fn kind_of(flag: u8, slash: bool) -> io::Result<Kind> {
    Ok(match flag {
        0 | b'0' | b'7' if slash => Kind::Folder,
        0 | b'0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::Char,
        b'4' => Kind::Block,
        b'5' => Kind::Folder,
        b'6' => Kind::Fifo,
        other => return Err(invalid(format!("an entry of unknown type {:?}", char::from(other)))),
    })
}

/// A header block.
struct Header([u8; BLOCK]);

impl Header {
    /// The sum of all bytes, those of the sum itself counted as spaces; old writers summed signed bytes.
    fn check(&self) -> io::Result<()> {
        let stored = number::octal(&self.0[148..156]);
        let bytes = || self.0.iter().enumerate().map(|(at, &b)| if (148..156).contains(&at) { b' ' } else { b });
        let unsigned: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|b| i64::from(b as i8)).sum();
        if stored == Some(unsigned) || stored == Some(signed) { Ok(()) } else { Err(invalid("not a tar header: its checksum is wrong")) }
    }

    fn has_magic(&self) -> bool {
        &self.0[257..262] == b"ustar"
    }

    fn name(&self, into: &mut Vec<u8>) {
        // GNU's magic ends in a space: what POSIX calls the prefix holds other things there. star keeps times in its end.
        if &self.0[257..263] == b"ustar\0" {
            let end = if &self.0[508..512] == b"tar\0" { 476 } else { 500 };
            let prefix = until_nul(&self.0[345..end]);
            if !prefix.is_empty() {
                into.extend_from_slice(prefix);
                into.push(b'/');
            }
        }
        into.extend_from_slice(until_nul(&self.0[..100]));
    }

    fn number(&self, range: std::ops::Range<usize>, what: &str) -> io::Result<i64> {
        number::field(&self.0[range]).ok_or_else(|| invalid(format!("a header's {what} is no number")))
    }

    fn unsigned(&self, range: std::ops::Range<usize>, what: &str) -> io::Result<u64> {
        u64::try_from(self.number(range, what)?).map_err(|_| invalid(format!("a header's {what} is negative")))
    }

    fn size(&self) -> io::Result<u64> {
        self.unsigned(124..136, "size")
    }

    fn device(&self, range: std::ops::Range<usize>) -> io::Result<u32> {
        u32::try_from(self.number(range, "device number")?).map_err(|_| invalid("a header's device number does not fit"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(name: &str, kind: u8, size: &str) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..107].copy_from_slice(b"0000644");
        block[124..124 + size.len()].copy_from_slice(size.as_bytes());
        block[156] = kind;
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<(Entry, Vec<u8>)>> {
        let mut reader = Reader::new(bytes);
        let mut entry = Entry::default();
        let mut all = Vec::new();
        while reader.next(&mut entry)? {
            let content = reader.read_all(1 << 20)?;
            all.push((entry.clone(), content));
        }
        Ok(all)
    }

    #[test]
    fn the_end_may_be_missing_but_not_within() {
        let mut bytes = header("a", b'0', "3").to_vec();
        bytes.extend_from_slice(b"abc");
        assert_eq!(read(&bytes).unwrap()[0].1, b"abc");
        assert_eq!(read(&bytes[..514]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(&bytes[..300]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(read(&[]).unwrap().is_empty());
        bytes.resize(1024 + 1024, 0);
        bytes.extend_from_slice(b"whatever");
        assert_eq!(read(&bytes).unwrap().len(), 1);
    }

    #[test]
    fn the_extended_size_rules() {
        // The header says 0, the record says 512: a reader that believes the header would see the hidden entry.
        let mut bytes = header("pax", b'x', "14").to_vec();
        let mut records = Vec::new();
        pax::push(&mut records, b"size", b"512");
        bytes.truncate(0);
        bytes.extend_from_slice(&header("pax", b'x', &format!("{:o}", records.len())));
        records.resize(BLOCK, 0);
        bytes.extend_from_slice(&records);
        bytes.extend_from_slice(&header("outer", b'0', "0"));
        bytes.extend_from_slice(&header("hidden", b'0', "0"));
        let all = read(&bytes).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].0.path, b"outer");
        assert_eq!(all[0].1.len(), 512);
    }

    #[test]
    fn a_wrong_checksum_is_no_archive() {
        let mut block = header("a", b'0', "0");
        block[0] = b'b';
        assert!(read(&block).unwrap_err().to_string().contains("checksum"));
    }

    #[test]
    fn a_link_has_no_content_whatever_its_size() {
        let mut bytes = header("a", b'2', "1000").to_vec();
        bytes.extend_from_slice(&header("b", b'0', "0"));
        assert_eq!(read(&bytes).unwrap().len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_makes_it_panic(mut blocks in proptest::collection::vec(any::<u8>(), 0..4096), kind in any::<u8>(), size in "[0-7]{0,11}") {
            let mut bytes = header("fuzz", kind, &size).to_vec();
            bytes.append(&mut blocks);
            let _ = read(&bytes);
            let _ = read(&bytes[BLOCK..]);
        }

        #[test]
        fn records_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "([0-9]{1,2} (GNU.sparse.(map|offset|numbytes|major)|size|path|mtime)=[0-9,.-]{0,8}\n){0,4}") {
            let _ = Extended::read(&bytes);
            let _ = Extended::read(text.as_bytes());
        }
    }
}
