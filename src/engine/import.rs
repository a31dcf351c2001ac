//! An image made from an archive of a file system, in one pass.
//!
//! ```text
//!  archive ─► its compression, or gzip where it has none ─► blob
//!      └────► decompression ─► diff id, files of the one layer
//! ```

use super::images::new_tag;
use super::{Engine, Error, Kind, Result};
use crate::container::Config;
use crate::graph::content::BlobWriter;
use crate::graph::diff::Limits;
use crate::graph::image::{Addition, build};
use crate::graph::layer::{Unpacked, unpack};
use crate::graph::manifest::Platform;
use crate::graph::stream::{BUFFER, Compression, sniff};
use crate::graphdb::BlobRow;
use crate::graphdriver::Unsaid;
use crate::id::{Digest, ImageId, LayerId};
use flate2::write::GzEncoder;
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;

/// How an image is made from an archive.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// Where the archive comes from, for whoever reads the image's history.
    pub origin: String,
    /// What is to be said there in place of that.
    pub message: Option<String>,
    /// Dockerfile instructions for its configuration.
    pub changes: Vec<String>,
    /// What it is for; this machine's kind if absent.
    pub platform: Option<Platform>,
    /// Its name.
    pub reference: Option<String>,
}

/// A blob that is written as the archive comes.
enum Copy {
    /// The archive's own bytes.
    Kept(Box<BlobWriter>),
    /// Compressed here: what is pushed or saved later is small then, too.
    Made(Box<GzEncoder<BlobWriter>>),
}

impl Copy {
    fn of(writer: BlobWriter, compression: Compression) -> Self {
        match compression {
            Compression::Plain => Self::Made(Box::new(GzEncoder::new(writer, flate2::Compression::new(6)))),
            Compression::Gzip | Compression::Zstd => Self::Kept(Box::new(writer)),
        }
    }

    /// Names the blob; its digest and length.
    fn commit(self) -> io::Result<(Digest, u64)> {
        match self {
            Self::Kept(writer) => writer.commit(None),
            Self::Made(encoder) => encoder.finish()?.commit(None),
        }
    }
}

impl Engine {
    /// Makes an image of one layer from a tar archive, compressed or not. The names of the extended attributes that this file
    /// system could not keep come with it.
    pub fn import<R: Read + Send>(&self, archive: R, how: &Import) -> Result<(ImageId, Vec<String>)> {
        let name = how.reference.as_deref().map(new_tag).transpose()?;
        let mut config = Config::default();
        for line in &how.changes {
            config.change(line).map_err(Error::invalid)?;
        }
        let kind = |e: &io::Error| if matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) { Kind::Corrupt } else { Kind::Failed };
        let unread = |e: io::Error| Error::new(kind(&e), format!("cannot import {}: {e}", how.origin));
        let failed = |e: io::Error| Error::io("cannot make the new layer", &e);
        let (compression, archive) = sniff(BufReader::with_capacity(BUFFER, archive)).map_err(unread)?;
        // An empty image is two blocks of noughts: this is what is left of a command before a pipe that failed.
        let compression =
            compression.ok_or_else(|| Error::new(Kind::Corrupt, format!("cannot import {}: nothing came, expected a tar archive", how.origin)))?;
        let held = self.bring_in()?;
        let driver = self.graph()?;
        let staging = driver.stage().map_err(failed)?;
        let mut copy = Copy::of(self.content().writer().map_err(failed)?, compression);
        let into: &mut (dyn io::Write + Send) = match &mut copy {
            Copy::Kept(writer) => &mut **writer,
            Copy::Made(encoder) => &mut **encoder,
        };
        let Unpacked { diff, extracted, .. } = unpack(archive, compression, Some(into), staging.lock.as_fd(), &Limits::default()).map_err(unread)?;
        let addition = Addition {
            created: jiff::Timestamp::now(),
            comment: how.message.clone().unwrap_or_else(|| format!("Imported from {}", how.origin)),
            layer: Some(diff.clone()),
            platform: how.platform.clone(),
            config: Some(config),
            ..Addition::default()
        };
        let document = build(None, &addition).map_err(|e| Error::io("cannot describe the image", &e))?;
        let (blob, size) = copy.commit().map_err(failed)?;
        let id: &LayerId = &document.layer_ids()[0];
        let unsaid = Unsaid { folders: extracted.unsaid.folders, links: extracted.unsaid.links };
        driver.commit(staging, id, &[], &unsaid).map_err(failed)?;
        self.enter_layer(id, None, &diff, extracted.bytes)?;
        let kept = if compression == Compression::Plain { Compression::Gzip } else { compression };
        let row = BlobRow { digest: blob.to_string(), size: size as i64, media_type: kept.media_type().to_owned() };
        let image = self.enter_made(&document, vec![row], name.as_ref())?;
        drop(held);
        self.tell_of("image", "import", image.as_str(), how.reference.as_deref().unwrap_or_default());
        Ok((image, extracted.unkept.into_iter().collect()))
    }
}
