//! Manifests and indexes: what a registry's documents say, after everything in them was doubted.

use super::error::{Error, Kind, clean};
use super::platform::Platform;
use crate::id::Digest;
use oci_distribution::manifest as oci;
use oci_distribution::manifest::{OciImageIndex, OciImageManifest};
use serde::Deserialize;

/// Docker's media type of a layer that is compressed with zstd; the OCI one's suffix is `+zstd`.
const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";

/// The OCI media type of a layer that is compressed with zstd.
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// What is asked for as a manifest, best first.
pub(super) const ACCEPTED: [&str; 4] =
    [oci::OCI_IMAGE_INDEX_MEDIA_TYPE, oci::IMAGE_MANIFEST_LIST_MEDIA_TYPE, oci::OCI_IMAGE_MEDIA_TYPE, oci::IMAGE_MANIFEST_MEDIA_TYPE];

/// A document or blob by its digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Of its bytes as they are transferred.
    pub digest: Digest,
    /// Of the same bytes.
    pub size: u64,
}

/// How a layer's tar stream is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// A layer as a registry keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// Of the compressed bytes.
    pub digest: Digest,
    /// Of the compressed bytes.
    pub size: u64,
    /// As the manifest calls it.
    pub media_type: String,
    /// What the media type says about the packing.
    pub compression: Compression,
}

impl Layer {
    /// The layer as any other blob.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { media_type: self.media_type.clone(), digest: self.digest.clone(), size: self.size }
    }
}

/// One entry of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The manifest (or index) it names.
    pub descriptor: Descriptor,
    /// What it was built for, if the index says so.
    pub platform: Option<Platform>,
}

/// A manifest or an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Document {
    /// One image.
    Image {
        /// Its configuration.
        config: Descriptor,
        /// Its layers, bottom first.
        layers: Vec<Layer>,
    },
    /// Several, by platform.
    Index(Vec<Entry>),
}

/// What tells the kinds of documents apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads a document; `header` is the media type under which it was served, `what` names it in errors.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for what is understood well enough to be refused, [`Kind::Corrupt`] for what contradicts itself.
    pub fn parse(bytes: &[u8], header: Option<&str>, what: &str) -> Result<(Self, String), Error> {
        let corrupt = |why: &str| Error::new(Kind::Corrupt, format!("{what} is not valid: {}", clean(why)));
        let unsupported = |why: String| Error::new(Kind::Unsupported, format!("{what} cannot be used: {why}"));
        let shape: Shape = serde_json::from_slice(bytes).map_err(|e| corrupt(&e.to_string()))?;
        let served = header
            .map(|h| h.split(';').next().unwrap_or(h).trim())
            .filter(|h| !matches!(*h, "" | "application/json" | "text/plain" | "application/octet-stream"));
        let media_type = shape.media_type.as_deref().or(served).unwrap_or(if shape.manifests.is_some() {
            oci::OCI_IMAGE_INDEX_MEDIA_TYPE
        } else {
            oci::OCI_IMAGE_MEDIA_TYPE
        });
        if shape.schema_version == Some(1) || media_type.contains("distribution.manifest.v1+") {
            return Err(unsupported("it has the old format \"schema 1\", which has no digests of its layers; push it again with a tool of today".into()));
        }
        // A document that is both could be verified as one and used as the other (CVE-2021-41190).
        if shape.manifests.is_some() && (shape.layers.is_some() || shape.config.is_some()) {
            return Err(corrupt("it is a manifest and an index at the same time"));
        }
        let document = match media_type {
            oci::OCI_IMAGE_INDEX_MEDIA_TYPE | oci::IMAGE_MANIFEST_LIST_MEDIA_TYPE => {
                let index: OciImageIndex = serde_json::from_slice(bytes).map_err(|e| corrupt(&e.to_string()))?;
                Self::Index(index.manifests.into_iter().map(|entry| self::entry(entry, what)).collect::<Result<_, _>>()?)
            }
            oci::OCI_IMAGE_MEDIA_TYPE | oci::IMAGE_MANIFEST_MEDIA_TYPE => {
                let manifest: OciImageManifest = serde_json::from_slice(bytes).map_err(|e| corrupt(&e.to_string()))?;
                let config = descriptor(&manifest.config.media_type, &manifest.config.digest, manifest.config.size, what)?;
                if !matches!(config.media_type.as_str(), oci::IMAGE_CONFIG_MEDIA_TYPE | oci::IMAGE_DOCKER_CONFIG_MEDIA_TYPE) {
                    return Err(unsupported(format!("it is no container image: its configuration is of media type {:?}", clean(&config.media_type))));
                }
                let layers = manifest.layers.iter().map(|l| layer(descriptor(&l.media_type, &l.digest, l.size, what)?, what)).collect::<Result<_, _>>()?;
                Self::Image { config, layers }
            }
            other => return Err(unsupported(format!("unknown media type {:?}", clean(other)))),
        };
        Ok((document, media_type.to_owned()))
    }
}

fn descriptor(media_type: &str, digest: &str, size: i64, what: &str) -> Result<Descriptor, Error> {
    let size = u64::try_from(size).map_err(|_| Error::new(Kind::Corrupt, format!("{what} is not valid: negative size {size} of {}", clean(digest))))?;
    let digest = digest
        .parse()
        .map_err(|_| Error::new(Kind::Unsupported, format!("{what} names {:?}: expected sha256: and 64 lower-case hexadecimal digits", clean(digest))))?;
    Ok(Descriptor { media_type: media_type.to_owned(), digest, size })
}

fn entry(entry: oci::ImageIndexEntry, what: &str) -> Result<Entry, Error> {
    let platform = entry.platform.map(|p| Platform::new(&p.os.to_string(), &p.architecture.to_string(), p.variant.as_deref()));
    Ok(Entry { descriptor: descriptor(&entry.media_type, &entry.digest, entry.size, what)?, platform })
}

fn layer(descriptor: Descriptor, what: &str) -> Result<Layer, Error> {
    let Descriptor { media_type, digest, size } = descriptor;
    let refuse = |why: &str| Err(Error::new(Kind::Unsupported, format!("layer {digest} of {what} cannot be used: {why} {:?}", clean(&media_type))));
    let compression = match media_type.as_str() {
        oci::IMAGE_LAYER_MEDIA_TYPE | oci::IMAGE_DOCKER_LAYER_TAR_MEDIA_TYPE => Compression::Plain,
        oci::IMAGE_LAYER_GZIP_MEDIA_TYPE | oci::IMAGE_DOCKER_LAYER_GZIP_MEDIA_TYPE => Compression::Gzip,
        OCI_LAYER_ZSTD | DOCKER_LAYER_ZSTD => Compression::Zstd,
        foreign if foreign.contains(".nondistributable.") || foreign.contains(".foreign.") => {
            return refuse("it lies outside of the registry and is fetched from nowhere else: media type");
        }
        _ => return refuse("unknown media type"),
    };
    Ok(Layer { digest, size, media_type, compression })
}

/// The entry of an index that serves a platform best.
///
/// # Errors
/// [`Kind::NoPlatform`], with what there is.
pub(super) fn choose<'a>(entries: &'a [Entry], wish: &Platform, what: &str) -> Result<&'a Entry, Error> {
    // The first of equals, as every other client does.
    if let Some((_, best)) = entries.iter().filter_map(|e| Some((wish.fit(e.platform.as_ref()?)?, e))).min_by_key(|(fit, _)| *fit) {
        return Ok(best);
    }
    // Entries that say nothing may be anything; what they hold is held against the wish when it is read.
    if let Some(silent) = entries.iter().find(|e| e.platform.is_none()) {
        return Ok(silent);
    }
    let mut there: Vec<String> = entries.iter().filter_map(|e| e.platform.as_ref()).filter(|p| p.os != "unknown").map(Platform::to_string).collect();
    there.dedup();
    let more = if there.len() > 20 { " …" } else { "" };
    there.truncate(20);
    let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    Err(Error::new(Kind::NoPlatform, format!("{what} has nothing for platform {wish}; there is: {there}{more}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn parse(value: &serde_json::Value, header: Option<&str>) -> Result<(Document, String), Error> {
        Document::parse(value.to_string().as_bytes(), header, "manifest for x:1")
    }

    fn digest() -> String {
        Digest::of(b"x").to_string()
    }

    fn image(layer: &str) -> serde_json::Value {
        json!({"schemaVersion": 2, "config": {"mediaType": oci::IMAGE_CONFIG_MEDIA_TYPE, "digest": digest(), "size": 2},
            "layers": [{"mediaType": layer, "digest": digest(), "size": 3, "urls": ["https://elsewhere.example/x"]}]})
    }

    #[test]
    fn layers_of_both_families_are_read() {
        for (media_type, expected) in [
            (oci::IMAGE_LAYER_MEDIA_TYPE, Compression::Plain),
            (oci::IMAGE_LAYER_GZIP_MEDIA_TYPE, Compression::Gzip),
            (OCI_LAYER_ZSTD, Compression::Zstd),
            (oci::IMAGE_DOCKER_LAYER_GZIP_MEDIA_TYPE, Compression::Gzip),
        ] {
            let (Document::Image { layers, .. }, kind) = parse(&image(media_type), None).unwrap() else { panic!() };
            assert_eq!((layers[0].compression, kind.as_str()), (expected, oci::OCI_IMAGE_MEDIA_TYPE));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let refused = |value: &serde_json::Value, header: Option<&str>| {
            let error = parse(value, header).unwrap_err();
            (error.kind(), error.to_string())
        };
        for (media_type, word) in [
            ("application/x-tar", "application/x-tar"),
            (oci::IMAGE_LAYER_NONDISTRIBUTABLE_GZIP_MEDIA_TYPE, "outside of the registry"),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "outside of the registry"),
        ] {
            let (kind, text) = refused(&image(media_type), None);
            assert!(kind == Kind::Unsupported && text.contains(word) && text.contains(&digest()), "{text}");
        }
        let gzip = || image(oci::IMAGE_LAYER_GZIP_MEDIA_TYPE);
        assert_eq!(refused(&gzip(), Some("application/vnd.unknown+json; charset=utf-8")).0, Kind::Unsupported);
        assert!(refused(&json!({"schemaVersion": 1, "name": "x"}), None).1.contains("schema 1"));
        let mut both = gzip();
        both["manifests"] = json!([]);
        assert_eq!(refused(&both, None).0, Kind::Corrupt);
        let mut chart = gzip();
        chart["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
        assert!(refused(&chart, None).1.contains("helm"));
        let mut negative = gzip();
        negative["layers"][0]["size"] = json!(-1);
        assert_eq!(refused(&negative, None).0, Kind::Corrupt);
        let mut other = gzip();
        other["config"]["digest"] = json!(format!("sha512:{}", "a".repeat(128)));
        assert_eq!(refused(&other, None).0, Kind::Unsupported);
        assert_eq!(refused(&json!("text"), None).0, Kind::Corrupt);
    }

    #[test]
    fn a_missing_platform_is_refused_with_what_there_is() {
        let entry =
            |os: &str, arch: &str| json!({"mediaType": oci::OCI_IMAGE_MEDIA_TYPE, "digest": digest(), "size": 1, "platform": {"os": os, "architecture": arch}});
        let index = json!({"schemaVersion": 2, "mediaType": oci::OCI_IMAGE_INDEX_MEDIA_TYPE,
            "manifests": [entry("linux", "arm64"), entry("unknown", "unknown"), entry("linux", "s390x")]});
        let (Document::Index(entries), _) = parse(&index, None).unwrap() else { panic!() };
        let error = choose(&entries, &"linux/amd64".parse().unwrap(), "image x:1").unwrap_err();
        assert_eq!(error.kind(), Kind::NoPlatform);
        assert_eq!(error.to_string(), "image x:1 has nothing for platform linux/amd64; there is: linux/arm64, linux/s390x");
        assert_eq!(choose(&entries, &"s390x".parse().unwrap(), "x").unwrap().platform.as_ref().unwrap().architecture, "s390x");
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0usize..4) {
            let _ = Document::parse(&bytes, Some(ACCEPTED[kind]), "x");
        }
    }
}
