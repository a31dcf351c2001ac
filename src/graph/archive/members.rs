//! One pass over an archive: documents into memory, everything else into the content store, unnamed as yet.

use super::load::Limits;
use crate::graph::content::{Batch, Content, Parked};
use crate::graph::diff::name::{clean, shown, split};
use crate::graph::image::DOCUMENT_MAX;
use crate::graph::tar::{Entry, Kind, Reader};
use crate::graph::{invalid, named};
use crate::id::Digest;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Most bytes of documents kept in memory.
const DOCUMENTS_MAX: u64 = 64 << 20;

/// Most links gone through from one member to the next.
const LINKS_MAX: usize = 8;

/// What is at a path in the archive.
enum Member {
    Document(Vec<u8>),
    Blob {
        parked: Parked,
        start: Vec<u8>,
    },
    /// Another path.
    Link(Vec<u8>),
}

/// All members of an archive by path.
pub struct Members {
    all: HashMap<Vec<u8>, Member>,
    batch: Arc<Batch>,
    documents: u64,
    blobs: u64,
}

/// A blob with the first bytes of its content.
pub struct Blob<'a> {
    pub parked: &'a Parked,
    pub start: &'a [u8],
}

impl Members {
    /// Reads the whole archive.
    pub fn read<R: Read>(stream: R, content: &Content, limits: &Limits) -> io::Result<Self> {
        let mut members = Self { all: HashMap::new(), batch: Arc::new(content.batch()?), documents: 0, blobs: 0 };
        let mut reader = Reader::new(stream);
        let mut entry = Entry::default();
        let mut count = 0;
        while reader.next(&mut entry)? {
            count += 1;
            if count > limits.members {
                return Err(invalid(format!("more than {} files in the archive", limits.members)));
            }
            members.take(&mut reader, &entry, limits).map_err(|error| named(format_args!("archive member \"{}\"", shown(&entry.path)), &error))?;
        }
        Ok(members)
    }

    fn take<R: Read>(&mut self, reader: &mut Reader<R>, entry: &Entry, limits: &Limits) -> io::Result<()> {
        let path = clean(&entry.path)?;
        let (folder, base) = split(&path);
        let member = match entry.kind {
            Kind::File if entry.sparse.is_some() => return Err(invalid("a sparse file")),
            // What very old readers wanted beside each layer.
            Kind::File if matches!(base, b"json" | b"VERSION" | b"repositories") => return Ok(()),
            Kind::File if folder.is_empty() && (base.ends_with(b".json") || base == b"oci-layout") => {
                self.documents += entry.size;
                if self.documents > DOCUMENTS_MAX {
                    return Err(invalid(format!("more than {DOCUMENTS_MAX} bytes of documents")));
                }
                Member::Document(reader.read_all(DOCUMENT_MAX)?)
            }
            Kind::File => self.blob(reader, entry, &path, limits)?,
            // The target of a symbolic link is relative to its folder, that of a hard link to the top.
            Kind::Symlink => Member::Link(clean(&[folder, b"/", &entry.link].concat())?),
            Kind::HardLink => Member::Link(clean(&entry.link)?),
            Kind::Folder => return Ok(()),
            Kind::Char | Kind::Block | Kind::Fifo => return Err(invalid("neither file nor folder nor link")),
        };
        self.all.insert(path, member);
        Ok(())
    }

    fn blob<R: Read>(&mut self, reader: &mut Reader<R>, entry: &Entry, path: &[u8], limits: &Limits) -> io::Result<Member> {
        self.blobs += entry.size;
        if self.blobs > limits.bytes {
            return Err(invalid(format!("more than {} bytes of layers", limits.bytes)));
        }
        let mut writer = Arc::clone(&self.batch).writer()?;
        let mut start = Vec::new();
        loop {
            let chunk = reader.chunk()?;
            let count = chunk.len();
            if count == 0 {
                break;
            }
            if start.len() < 6 {
                start.extend_from_slice(&chunk[..count.min(6 - start.len())]);
            }
            writer.write_all(chunk)?;
            reader.consume(count);
        }
        let parked = writer.park();
        if let Some(hex) = path.strip_prefix(b"blobs/sha256/")
            && hex != parked.digest.hex().as_bytes()
        {
            return Err(invalid(format!("digest mismatch: the content has {}", parked.digest)));
        }
        Ok(Member::Blob { parked, start })
    }

    /// The member at a path, links followed.
    fn member(&self, path: &[u8]) -> io::Result<&Member> {
        let mut at = clean(path)?;
        for _ in 0..LINKS_MAX {
            match self.all.get(&at) {
                Some(Member::Link(target)) => at.clone_from(target),
                Some(member) => return Ok(member),
                None => return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is not in the archive", shown(path)))),
            }
        }
        Err(invalid(format!("too many links from {} in the archive", shown(path))))
    }

    /// Whether something is at a path.
    pub fn has(&self, path: &str) -> bool {
        self.all.contains_key(path.as_bytes())
    }

    /// A document, wherever it lies.
    pub fn document(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.member(path.as_bytes())? {
            Member::Document(bytes) => Ok(bytes.clone()),
            Member::Blob { parked, .. } => {
                if parked.size > DOCUMENT_MAX {
                    return Err(invalid(format!("{path} has {} bytes, more than {DOCUMENT_MAX}", parked.size)));
                }
                let mut bytes = Vec::new();
                parked.open()?.read_to_end(&mut bytes)?;
                Ok(bytes)
            }
            Member::Link(_) => Err(invalid(format!("{path} is a link"))),
        }
    }

    /// A blob by its path.
    pub fn blob_at(&self, path: &str) -> io::Result<Blob<'_>> {
        match self.member(path.as_bytes())? {
            Member::Blob { parked, start } => Ok(Blob { parked, start }),
            _ => Err(invalid(format!("{path} is no layer"))),
        }
    }
}

/// Where a layout keeps a blob.
pub fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
