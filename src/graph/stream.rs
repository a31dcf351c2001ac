//! Readers that measure, copy and decompress what passes through them.

use super::invalid;
use crate::id::Digest;
use flate2::bufread::MultiGzDecoder;
use ring::digest::{Context, SHA256};
use std::io::{self, BufReader, Read, Write};

/// How much is read at once, bytes.
pub const BUFFER: usize = 256 << 10;

/// A reader that counts and hashes what passes, and stops at a limit.
pub struct Measured<R> {
    inner: R,
    hash: Context,
    bytes: u64,
    limit: u64,
}

impl<R: Read> Measured<R> {
    /// Measures `inner`, of which at most `limit` bytes are taken.
    pub fn new(inner: R, limit: u64) -> Self {
        Self { inner, hash: Context::new(&SHA256), bytes: 0, limit }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Digest and count of what passed, and the reader below.
    pub fn finish(self) -> (Digest, u64, R) {
        (Digest::from_sha256(self.hash.finish().as_ref()), self.bytes, self.inner)
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        if self.bytes > self.limit {
            return Err(invalid(format!("more than {} bytes", self.limit)));
        }
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// A reader that writes a copy of what passes.
pub struct Tee<R, W> {
    inner: R,
    copy: W,
}

impl<R: Read, W: Write> Tee<R, W> {
    /// Copies what is read from `inner` to `copy`.
    pub fn new(inner: R, copy: W) -> Self {
        Self { inner, copy }
    }

    /// Both ends.
    pub fn into_inner(self) -> (R, W) {
        (self.inner, self.copy)
    }
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.copy.write_all(&buffer[..count])?;
        Ok(count)
    }
}

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip, of any number of members.
    Gzip,
    /// Zstandard, of any number of frames.
    Zstd,
}

impl Compression {
    /// What a layer's media type says, OCI's and Docker's; `None` for a type that is no layer this house can read.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Self::Plain,
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => Self::Gzip,
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// The OCI media type of a layer so compressed.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// What a stream's first bytes (6 suffice) say.
    ///
    /// # Errors
    /// A compression that is known and not supported, by name.
    pub fn of_magic(start: &[u8]) -> io::Result<Self> {
        let unsupported = |name: &str| Err(invalid(format!("compressed with {name}, and only gzip and zstd are supported: `{name} -dc` makes it plain")));
        match start {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            // The last four are frames to skip, with which seekable files begin.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => unsupported("bzip2"),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => unsupported("xz"),
            [0x04, 0x22, 0x4d, 0x18, ..] => unsupported("lz4"),
            _ => Ok(Self::Plain),
        }
    }
}

/// The bytes that tell a compression.
const MAGIC: usize = 6;

/// A stream whose first bytes were looked at.
pub type Sniffed<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// Looks at a stream's first bytes, however few come at a time; how it is compressed, `None` if nothing came at all, and the
/// whole stream.
///
/// # Errors
/// As [`Compression::of_magic`], and those of the stream.
pub fn sniff<R: Read>(mut stream: R) -> io::Result<(Option<Compression>, Sniffed<R>)> {
    let mut start = Vec::with_capacity(MAGIC);
    stream.by_ref().take(MAGIC as u64).read_to_end(&mut start)?;
    let compression = if start.is_empty() { None } else { Some(Compression::of_magic(&start)?) };
    Ok((compression, io::Cursor::new(start).chain(stream)))
}

/// What is below a decoder; remembers whether a fault was its own.
pub struct Source<R> {
    inner: R,
    failed: bool,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| self.failed |= error.kind() != io::ErrorKind::Interrupted)
    }
}

/// A reader of what a stream holds decompressed.
pub enum Decompressed<R: Read> {
    /// As it comes.
    Plain(R),
    /// gzip.
    Gzip(Box<MultiGzDecoder<BufReader<Source<R>>>>),
    /// Zstandard.
    Zstd(zstd::stream::read::Decoder<'static, BufReader<Source<R>>>),
}

/// Decompresses `stream`.
///
/// # Errors
/// Want of memory.
pub fn decompress<R: Read>(stream: R, compression: Compression) -> io::Result<Decompressed<R>> {
    let source = |inner| BufReader::with_capacity(BUFFER, Source { inner, failed: false });
    Ok(match compression {
        Compression::Plain => Decompressed::Plain(stream),
        Compression::Gzip => Decompressed::Gzip(Box::new(MultiGzDecoder::new(source(stream)))),
        Compression::Zstd => Decompressed::Zstd(zstd::stream::read::Decoder::with_buffer(source(stream))?),
    })
}

impl<R: Read> Decompressed<R> {
    /// The stream below, read to its end.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn finish(self) -> io::Result<R> {
        let mut inner = match self {
            Self::Plain(inner) => inner,
            Self::Gzip(decoder) => decoder.into_inner().into_inner().inner,
            Self::Zstd(decoder) => decoder.finish().into_inner().inner,
        };
        io::copy(&mut inner, &mut io::sink())?;
        Ok(inner)
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (read, own) = match self {
            Self::Plain(inner) => return inner.read(buffer),
            Self::Gzip(decoder) => (decoder.read(buffer), decoder.get_ref().get_ref().failed),
            Self::Zstd(decoder) => (decoder.read(buffer), decoder.get_ref().get_ref().failed),
        };
        // The decoders call what is wrong with their input by several kinds; a fault of the stream below keeps its own.
        read.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => error,
            _ if own => error,
            _ => invalid(error.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Gives one byte at a time.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn all(bytes: &[u8]) -> io::Result<Vec<u8>> {
        // As a pipe may give it: a byte at a time.
        let (compression, stream) = sniff(Drops(bytes))?;
        let mut read = Vec::new();
        let mut decompressed = decompress(stream, compression.unwrap_or(Compression::Plain))?;
        decompressed.read_to_end(&mut read)?;
        decompressed.finish()?;
        Ok(read)
    }

    #[test]
    fn every_compression_is_found_out_and_undone() {
        let zstd = [zstd::encode_all(&b"a"[..], 1).unwrap(), zstd::encode_all(&b"b"[..], 1).unwrap()].concat();
        for (bytes, expected) in
            [(b"plain".to_vec(), &b"plain"[..]), (gzip(b"zip"), b"zip"), ([gzip(b"two "), gzip(b"members")].concat(), b"two members"), (zstd, b"ab")]
        {
            assert_eq!(all(&bytes).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_refused() {
        let bytes = gzip(&[7; 5000]);
        assert!(all(&bytes[..bytes.len() - 4]).is_err());
        let bytes = zstd::encode_all(&[7; 5000][..], 1).unwrap();
        assert!(all(&bytes[..bytes.len() - 2]).is_err());
        assert!(all(b"BZh91AY").unwrap_err().to_string().contains("bzip2"));
        assert!(all(b"\xfd7zXZ\0rest").unwrap_err().to_string().contains("xz"));
    }

    #[test]
    fn what_passes_is_measured_and_bounded() {
        let mut measured = Measured::new(Tee::new(&b"hello"[..], Vec::new()), 5);
        io::copy(&mut measured, &mut io::sink()).unwrap();
        let (digest, bytes, tee) = measured.finish();
        assert_eq!((digest, bytes, &tee.into_inner().1[..]), (Digest::of(b"hello"), 5, &b"hello"[..]));
        assert!(io::copy(&mut Measured::new(&b"hello"[..], 4), &mut io::sink()).is_err());
    }

    #[test]
    fn damaged_input_and_a_failing_stream_are_told_apart() {
        struct Failing(Vec<u8>);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if self.0.is_empty() {
                    return Err(io::Error::from(io::ErrorKind::ConnectionAborted));
                }
                let count = self.0.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0.drain(..count);
                Ok(count)
            }
        }
        let content: Vec<u8> = (0..100_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 8).to_le_bytes()).collect();
        for (compression, mut bytes) in [(Compression::Gzip, gzip(&content)), (Compression::Zstd, zstd::encode_all(&content[..], 1).unwrap())] {
            let half = Failing(bytes[..bytes.len() / 2].to_vec());
            let error = io::copy(&mut decompress(half, compression).unwrap(), &mut io::sink()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted, "{compression:?}");
            bytes[4] ^= 0x5a;
            for (at, byte) in bytes.iter_mut().enumerate().skip(100) {
                *byte ^= at as u8;
            }
            let error = io::copy(&mut decompress(&bytes[..], compression).unwrap(), &mut io::sink()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{compression:?}: {error}");
        }
    }
}
