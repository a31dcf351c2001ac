//! Writing an archive of images.

use super::{DockerImage, NAME_ANNOTATION, REF_ANNOTATION};
use crate::graph::content::Content;
use crate::graph::manifest::{Descriptor, Index, Manifest, OCI_INDEX};
use crate::graph::reference::Reference;
use crate::graph::stream::{BUFFER, Measured};
use crate::graph::tar::{Entry, Kind, Writer};
use crate::graph::{invalid, named};
use crate::id::Digest;
use serde_json::json;
use std::collections::HashSet;
use std::io::{self, BufWriter, Read, Write};

/// An image to write.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The configuration document.
    pub config: Vec<u8>,
    /// The manifest, OCI's or Docker's; its layers are in the content store.
    pub manifest: Vec<u8>,
    /// The manifest's media type.
    pub media_type: String,
    /// What the image is called; those without a tag are left out.
    pub names: Vec<Reference>,
}

/// Writes `images` with their blobs as one archive, each blob once, and gives the output back, flushed. The same images
/// give the same bytes.
///
/// # Errors
/// A blob that is not there or damaged (the archive is cut off then), and those of the output.
pub fn save<W: Write>(images: &[Saved], content: &Content, output: W) -> io::Result<W> {
    let mut archive = Archive { writer: Writer::new(BufWriter::with_capacity(BUFFER, output)), written: HashSet::new() };
    for folder in ["blobs/", "blobs/sha256/"] {
        archive.writer.entry(&Entry { path: folder.into(), kind: Kind::Folder, mode: 0o755, ..Entry::default() })?;
    }
    let mut index = Index { schema_version: 2, media_type: OCI_INDEX.to_owned(), manifests: Vec::new() };
    let mut docker = Vec::new();
    for image in images {
        let manifest = Manifest::parse(&image.manifest)?;
        if Digest::of(&image.config) != manifest.config.digest {
            return Err(invalid(format!("the manifest names the configuration {}, not the one at hand", manifest.config.digest)));
        }
        archive.document(&manifest.config.digest, &image.config)?;
        for layer in &manifest.layers {
            archive.blob(&layer.digest, content)?;
        }
        let digest = Digest::of(&image.manifest);
        archive.document(&digest, &image.manifest)?;
        describe(&mut index, &Descriptor::new(&image.media_type, digest, image.manifest.len() as u64), &image.names);
        docker.push(DockerImage {
            config: path(&manifest.config.digest),
            repo_tags: Some(image.names.iter().filter(|name| name.tag().is_some()).map(tagged).collect()),
            layers: manifest.layers.iter().map(|layer| path(&layer.digest)).collect(),
        });
    }
    archive.file("index.json", &serde_json::to_vec(&index)?)?;
    archive.file("manifest.json", &serde_json::to_vec(&docker)?)?;
    archive.file("oci-layout", json!({"imageLayoutVersion": "1.0.0"}).to_string().as_bytes())?;
    archive.writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
}

/// One descriptor for each name, or one without a name.
fn describe(index: &mut Index, plain: &Descriptor, names: &[Reference]) {
    let before = index.manifests.len();
    for name in names {
        let Some(tag) = name.tag() else { continue };
        let mut descriptor = plain.clone();
        descriptor.annotations.insert(NAME_ANNOTATION.to_owned(), format!("{}:{tag}", name.name()));
        descriptor.annotations.insert(REF_ANNOTATION.to_owned(), tag.to_owned());
        index.manifests.push(descriptor);
    }
    if index.manifests.len() == before {
        index.manifests.push(plain.clone());
    }
}

fn tagged(name: &Reference) -> String {
    format!("{}:{}", name.familiar_name(), name.tag().unwrap_or_default())
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

struct Archive<W: Write> {
    writer: Writer<BufWriter<W>>,
    written: HashSet<Digest>,
}

impl<W: Write> Archive<W> {
    fn file(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.writer.whole(&Entry { path: path.into(), mode: 0o644, ..Entry::default() }, bytes)
    }

    fn document(&mut self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        if self.written.insert(digest.clone()) { self.file(&path(digest), bytes) } else { Ok(()) }
    }

    fn blob(&mut self, digest: &Digest, content: &Content) -> io::Result<()> {
        if !self.written.insert(digest.clone()) {
            return Ok(());
        }
        let size = content.size(digest)?;
        self.writer.entry(&Entry { path: path(digest).into(), mode: 0o644, size, ..Entry::default() })?;
        let mut measured = Measured::new(content.open_blob(digest)?, u64::MAX);
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = measured.read(&mut buffer).map_err(|error| named(format_args!("blob {digest}"), &error))?;
            if count == 0 {
                break;
            }
            self.writer.write_all(&buffer[..count])?;
        }
        if measured.finish().0 == *digest { Ok(()) } else { Err(invalid(format!("blob {digest} is damaged: its content has another digest"))) }
    }
}
