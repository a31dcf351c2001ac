//! The manifest: which configuration document and which blobs make an image, and the index that chooses among manifests.
//!
//! Source of the fields: OCI image specification, manifest.md and image-index.md; Docker's version 2 schema 2, whose
//! fields are the same.

use super::image::DOCUMENT_MAX;
use super::invalid;
use crate::id::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// Media type of an OCI manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an OCI configuration document.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of Docker's manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of Docker's manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Media type of Docker's configuration document.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// What a blob is, how long and with which digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// For which machines, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// A kind of machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Platform {
    /// `linux` and so on.
    pub os: String,
    /// `amd64` and so on.
    pub architecture: String,
    /// `v8` and the like.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl Descriptor {
    /// A descriptor without notes.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self { media_type: media_type.to_owned(), digest, size, annotations: BTreeMap::new(), platform: None }
    }
}

/// An image's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Its own type; OCI lets it out.
    #[serde(default)]
    pub media_type: String,
    /// The configuration document.
    pub config: Descriptor,
    /// The layers, bottom first.
    pub layers: Vec<Descriptor>,
}

/// A list of manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// Its own type; OCI lets it out.
    #[serde(default)]
    pub media_type: String,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
}

impl Manifest {
    /// An OCI manifest.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: OCI_MANIFEST.to_owned(), config, layers }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// `InvalidData`, with what is wrong with it.
    pub fn parse(raw: &[u8]) -> io::Result<Self> {
        let manifest: Self = read("manifest", raw)?;
        check("manifest", manifest.schema_version, &manifest.media_type, &[OCI_MANIFEST, DOCKER_MANIFEST])?;
        Ok(manifest)
    }

    /// The document's bytes.
    ///
    /// # Errors
    /// None that can happen; serialisation has to return one.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(io::Error::from)
    }
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// `InvalidData`, with what is wrong with it.
    pub fn parse(raw: &[u8]) -> io::Result<Self> {
        let index: Self = read("index", raw)?;
        check("index", index.schema_version, &index.media_type, &[OCI_INDEX, DOCKER_LIST])?;
        Ok(index)
    }
}

fn read<T: serde::de::DeserializeOwned>(what: &str, raw: &[u8]) -> io::Result<T> {
    if raw.len() as u64 > DOCUMENT_MAX {
        return Err(invalid(format!("the {what} has {} bytes, more than {DOCUMENT_MAX}", raw.len())));
    }
    serde_json::from_slice(raw).map_err(|error| invalid(format!("the {what} cannot be read: {error}")))
}

fn check(what: &str, version: u32, media_type: &str, known: &[&str]) -> io::Result<()> {
    if version != 2 {
        return Err(invalid(format!("the {what} is of schema version {version}: only 2 is supported")));
    }
    if !media_type.is_empty() && !known.contains(&media_type) {
        return Err(invalid(format!("the {what} is of type {media_type:?}: expected {}", known.join(" or "))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_written_are_read() {
        let manifest = Manifest::new(Descriptor::new(OCI_CONFIG, Digest::of(b"c"), 1), vec![Descriptor::new("x", Digest::of(b"l"), 2)]);
        assert_eq!(Manifest::parse(&manifest.to_bytes().unwrap()).unwrap(), manifest);
    }

    #[test]
    fn other_documents_are_refused() {
        assert!(Manifest::parse(br#"{"schemaVersion":1}"#).is_err());
        assert!(Index::parse(br#"{"schemaVersion":1,"manifests":[]}"#).unwrap_err().to_string().contains("version 1"));
        let wrong = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","manifests":[]}}"#);
        assert!(Index::parse(wrong.as_bytes()).unwrap_err().to_string().contains("expected"));
        assert!(Index::parse(&vec![b' '; 5 << 20]).unwrap_err().to_string().contains("more than"));
    }
}
