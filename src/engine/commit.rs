//! An image made from what a container changed.

use super::images::{NewImage, new_tag};
use super::{Engine, Error, Result};
use crate::container::Container;
use crate::graph::diff::{Changed, Limits, pack_changes};
use crate::graph::image::{Addition, Image as Document, build};
use crate::graph::layer::unpack;
use crate::graph::reference::Reference;
use crate::graph::stream::Compression;
use crate::graphdb::BlobRow;
use crate::graphdriver::{ChangeKind, Unsaid};
use crate::id::{Digest, ImageId, LayerId};
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write;
use std::os::fd::AsFd;

/// How an image is made from a container.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Who made it.
    pub author: Option<String>,
    /// What changed.
    pub message: Option<String>,
    /// Dockerfile instructions for its configuration.
    pub changes: Vec<String>,
    /// Its name.
    pub reference: Option<String>,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

impl Engine {
    /// Makes an image from what a container changed.
    pub fn commit(&self, container: &Container, how: &Commit) -> Result<ImageId> {
        let name = how.reference.as_deref().map(new_tag).transpose()?;
        if container.is_host_image() {
            return Err(Error::invalid("a container on the host image has no image to build on").hint("`kapal export` writes its files"));
        }
        let mut config = container.config.clone();
        for line in &how.changes {
            config.change(line).map_err(Error::invalid)?;
        }
        // What belongs to this one container is no part of an image.
        config.hostname.clear();
        config.domainname.clear();
        let held = self.bring_in()?;
        let id = container.image_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let parent = self.image(&id)?;
        let (blob, size, diff) = self.pack(container)?;
        let addition = Addition {
            created: jiff::Timestamp::now(),
            created_by: container.command().join(" "),
            author: how.author.clone().unwrap_or_default(),
            comment: how.message.clone().unwrap_or_default(),
            layer: Some(diff.clone()),
            platform: None,
            config: Some(config),
        };
        let document = build(Some(&*parent.document), &addition).map_err(|e| Error::io("cannot describe the image", &e))?;
        self.place_layer(container, &document, &blob, &diff)?;
        let mut blobs = self.db().image_blobs(self.graph()?.name(), parent.id.as_str())?;
        blobs.push(BlobRow { digest: blob.to_string(), size: size as i64, media_type: Compression::Gzip.media_type().to_owned() });
        let image = self.enter_made(&document, blobs, name.as_ref())?;
        drop(held);
        self.tell(container, "commit", &[("imageID", image.to_string())]);
        self.tell_of("image", "commit", image.as_str(), how.reference.as_deref().unwrap_or_default());
        Ok(image)
    }

    /// The container's changes as a compressed layer in the content store: blob, its size, diff id.
    fn pack(&self, container: &Container) -> Result<(Digest, u64, Digest)> {
        let failed = |e: std::io::Error| Error::io(format_args!("cannot pack the changes of container {}", container.name), &e);
        let changes = self.changes(container)?;
        let root = self.layer_root(container)?;
        let writer = self.content().writer().map_err(failed)?;
        let plain = Hashed { inner: GzEncoder::new(writer, flate2::Compression::new(6)), hash: ring::digest::Context::new(&ring::digest::SHA256) };
        let list = changes.iter().map(|change| Changed { path: &change.path, deleted: change.kind == ChangeKind::Deleted });
        let plain = pack_changes(root.as_fd(), list, plain).map_err(failed)?;
        let diff = Digest::from_sha256(plain.hash.finish().as_ref());
        let (blob, size) = plain.inner.finish().and_then(|writer| writer.commit(None)).map_err(failed)?;
        Ok((blob, size, diff))
    }

    /// The files of a container alone, nothing mounted on them.
    fn layer_root(&self, container: &Container) -> Result<std::os::fd::OwnedFd> {
        let mut still = container.clone();
        still.state = crate::container::State::default();
        self.root(&still, true)
    }

    fn place_layer(&self, container: &Container, document: &Document, blob: &Digest, diff: &Digest) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("cannot make the new layer", &e);
        let driver = self.graph()?;
        let ids = document.layer_ids();
        let (id, parents): (&LayerId, &[LayerId]) = match ids.split_last() {
            Some((id, parents)) => (id, parents),
            None => return Ok(()),
        };
        debug_assert_eq!(parents, container.layers.as_slice());
        let staging = driver.stage().map_err(failed)?;
        let file = self.content().open_blob(blob).map_err(failed)?;
        let unpacked = unpack(file, Compression::Gzip, None, staging.lock.as_fd(), &Limits::default()).map_err(failed)?;
        let unsaid = Unsaid { folders: unpacked.extracted.unsaid.folders, links: unpacked.extracted.unsaid.links };
        driver.commit(staging, id, parents, &unsaid).map_err(failed)?;
        self.enter_layer(id, parents.last(), diff, unpacked.extracted.bytes)
    }

    /// Enters an image that was made here, from its document and the blobs of its layers, bottom first.
    pub(super) fn enter_made(&self, document: &Document, blobs: Vec<BlobRow>, name: Option<&Reference>) -> Result<ImageId> {
        let failed = |e: std::io::Error| Error::io("cannot keep the image's documents", &e);
        let layers: Vec<_> = blobs.iter().map(|blob| json!({ "mediaType": blob.media_type, "digest": blob.digest, "size": blob.size })).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": document.id(), "size": document.raw().len() },
            "layers": layers,
        });
        self.content().put(document.raw()).map_err(failed)?;
        let manifest = self.content().put(manifest.to_string().as_bytes()).map_err(failed)?;
        self.content().sync().map_err(failed)?;
        let names = name.map(|name| (name.to_string(), false)).into_iter().collect();
        self.enter_image(&NewImage { document, manifest, media_type: MANIFEST.to_owned(), blobs, names })
    }
}

/// A writer that hashes what passes.
struct Hashed<W> {
    inner: W,
    hash: ring::digest::Context,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
