//! What an archive's documents say: which images are in it, made of which members, called what.

use super::members::{Members, blob_path};
use super::{DockerImage, NAME_ANNOTATION, REF_ANNOTATION};
use crate::graph::manifest::{DOCKER_LIST, Descriptor, Index, Manifest, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Platform};
use crate::graph::reference::Reference;
use crate::graph::stream::Compression;
use crate::graph::{invalid, named};
use crate::id::Digest;
use std::io;

/// Indexes within indexes at most.
const DEPTH_MAX: usize = 4;

/// An image as the documents describe it.
pub struct Described {
    pub config: Vec<u8>,
    pub manifest: Vec<u8>,
    pub media_type: String,
    /// Path in the archive and descriptor of each layer.
    pub layers: Vec<(String, Descriptor)>,
    pub names: Vec<Reference>,
}

/// All images of an archive.
pub fn describe(members: &Members, platform: &Platform) -> io::Result<Vec<Described>> {
    let docker = if members.has("manifest.json") { docker_images(members)? } else { Vec::new() };
    if members.has("index.json") {
        let mut images = layout_images(members, platform)?;
        // Docker's document knows names that annotations may not.
        for (entry, config) in docker {
            for image in images.iter_mut().filter(|image| Digest::of(&image.config) == Digest::of(&config)) {
                add_names(&mut image.names, names_of(&entry)?);
            }
        }
        return Ok(images);
    }
    if docker.is_empty() {
        return Err(invalid("not an archive of images: it holds neither index.json (OCI) nor manifest.json (Docker 1.10 and later)"));
    }
    docker.into_iter().map(|(entry, config)| from_docker(members, &entry, config)).collect()
}

/// The images of `manifest.json` with their configurations.
fn docker_images(members: &Members) -> io::Result<Vec<(DockerImage, Vec<u8>)>> {
    let entries: Vec<DockerImage> =
        serde_json::from_slice(&members.document("manifest.json")?).map_err(|error| invalid(format!("the archive's manifest.json cannot be read: {error}")))?;
    entries.into_iter().map(|entry| members.document(&entry.config).map(|config| (entry, config))).collect()
}

fn names_of(entry: &DockerImage) -> io::Result<Vec<Reference>> {
    entry.repo_tags.iter().flatten().map(|name| name.parse().map_err(|error| invalid(format!("manifest.json: {error}")))).collect()
}

fn add_names(names: &mut Vec<Reference>, more: Vec<Reference>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// An image that has no manifest of its own gets one.
fn from_docker(members: &Members, entry: &DockerImage, config: Vec<u8>) -> io::Result<Described> {
    let mut layers = Vec::new();
    for path in &entry.layers {
        let blob = members.blob_at(path)?;
        let compression = Compression::of_magic(blob.start).map_err(|error| named(format_args!("layer {path}"), &error))?;
        layers.push((path.clone(), Descriptor::new(compression.media_type(), blob.parked.digest.clone(), blob.parked.size)));
    }
    let described = Descriptor::new(OCI_CONFIG, Digest::of(&config), config.len() as u64);
    let manifest = Manifest::new(described, layers.iter().map(|(_, descriptor)| descriptor.clone()).collect()).to_bytes()?;
    Ok(Described { config, manifest, media_type: OCI_MANIFEST.to_owned(), layers, names: names_of(entry)? })
}

/// The images of `index.json`, one for each manifest, with all names that lead to it.
fn layout_images(members: &Members, platform: &Platform) -> io::Result<Vec<Described>> {
    let index = Index::parse(&members.document("index.json")?)?;
    let mut found: Vec<(Digest, Described)> = Vec::new();
    for top in &index.manifests {
        if is_attestation(top) {
            continue;
        }
        let descriptor = choose(members, top, platform, DEPTH_MAX)?;
        let names = annotated_names(top)?;
        match found.iter_mut().find(|(digest, _)| *digest == descriptor.digest) {
            Some((_, image)) => add_names(&mut image.names, names),
            None => found.push((descriptor.digest.clone(), from_layout(members, &descriptor, names)?)),
        }
    }
    if found.is_empty() {
        return Err(invalid("the archive's index.json names no image"));
    }
    Ok(found.into_iter().map(|(_, image)| image).collect())
}

/// What build tools put beside an image to say how it was made.
fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
}

fn annotated_names(descriptor: &Descriptor) -> io::Result<Vec<Reference>> {
    if let Some(name) = descriptor.annotations.get(NAME_ANNOTATION) {
        return Ok(vec![name.parse().map_err(|error| invalid(format!("index.json: {error}")))?]);
    }
    // A tag alone names no image; anything may stand here.
    let name = descriptor.annotations.get(REF_ANNOTATION).filter(|name| name.contains(['/', ':']));
    Ok(name.and_then(|name| name.parse().ok()).into_iter().collect())
}

/// Goes down from an index to the manifest for `platform`.
fn choose(members: &Members, descriptor: &Descriptor, platform: &Platform, depth: usize) -> io::Result<Descriptor> {
    if !matches!(descriptor.media_type.as_str(), OCI_INDEX | DOCKER_LIST) {
        return Ok(descriptor.clone());
    }
    if depth == 0 {
        return Err(invalid("indexes within indexes within indexes in the archive"));
    }
    let index = Index::parse(&members.document(&blob_path(&descriptor.digest))?)?;
    let here = |descriptor: &&Descriptor| !is_attestation(descriptor) && members.has(&blob_path(&descriptor.digest));
    let fits = |descriptor: &&Descriptor| {
        descriptor.platform.as_ref().is_none_or(|it| {
            it.os == platform.os && it.architecture == platform.architecture && (platform.variant.is_empty() || it.variant == platform.variant)
        })
    };
    match index.manifests.iter().filter(here).find(fits) {
        Some(chosen) => choose(members, chosen, platform, depth - 1),
        None => Err(invalid(format!("no image for {}/{} behind {} in the archive", platform.os, platform.architecture, descriptor.digest))),
    }
}

fn from_layout(members: &Members, descriptor: &Descriptor, names: Vec<Reference>) -> io::Result<Described> {
    let raw = members.document(&blob_path(&descriptor.digest))?;
    let manifest = Manifest::parse(&raw).map_err(|error| named(&descriptor.digest, &error))?;
    let config = members.document(&blob_path(&manifest.config.digest))?;
    let layers = manifest.layers.into_iter().map(|layer| (blob_path(&layer.digest), layer)).collect();
    let media_type = if manifest.media_type.is_empty() { descriptor.media_type.clone() } else { manifest.media_type };
    Ok(Described { config, manifest: raw, media_type, layers, names })
}
