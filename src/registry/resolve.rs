//! From a name to what has to be fetched: index, choice of platform, manifest, configuration.

use super::Client;
use super::error::{Error, Kind, clean};
use super::manifest::{ACCEPTED, Descriptor, Document, Layer, choose};
use super::patience::Notice;
use super::platform::Platform;
use super::repository::{Repository, Version};
use super::session::Session;
use super::wire::Ask;
use crate::id::Digest;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;

/// The largest manifest, index or configuration, in bytes; what registries themselves hold to.
pub const LARGEST: usize = 4 << 20;

/// How many indexes may lie within each other.
const NESTED: usize = 2;

/// An image as a registry describes it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Of what was asked for: the index, if there is one, or the manifest.
    pub digest: Digest,
    /// Of the manifest.
    pub manifest_digest: Digest,
    /// The manifest, to the byte.
    pub manifest: Bytes,
    /// The manifest's.
    pub media_type: String,
    /// What names the configuration.
    pub config: Descriptor,
    /// The configuration, to the byte.
    pub config_bytes: Bytes,
    /// What the image was built for.
    pub platform: Platform,
    /// The layers, bottom first.
    pub layers: Vec<Layer>,
}

/// A document as it came.
struct Fetched {
    digest: Digest,
    bytes: Bytes,
    document: Document,
    media_type: String,
}

/// The part of a configuration that is held against the wish.
#[derive(Deserialize)]
struct BuiltFor {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
}

impl Client {
    /// Finds the image for a platform: index, manifest and configuration, each verified against its digest.
    ///
    /// # Errors
    /// [`Kind::NotFound`], [`Kind::NoPlatform`], [`Kind::Corrupt`], [`Kind::TooLarge`], [`Kind::Unsupported`] and whatever the way to the registry brings.
    pub async fn resolve(&self, repository: &Repository, version: &Version, platform: &Platform) -> Result<Resolved, Error> {
        let session = self.wire.session(&repository.host)?;
        let name = format!("{repository}{version}");
        let first = self.manifest(&session, repository, version).await?;
        let digest = first.digest.clone();
        let mut fetched = first;
        let mut depth = 0;
        let mut stated = false;
        let (config, layers) = loop {
            match fetched.document {
                Document::Image { config, layers } => break (config, layers),
                Document::Index(_) if depth == NESTED => {
                    return Err(Error::new(Kind::Unsupported, format!("{name}: more than {NESTED} indexes lie within each other")));
                }
                Document::Index(entries) => {
                    let entry = choose(&entries, platform, &name)?;
                    stated = entry.platform.is_some();
                    let chosen = &entry.descriptor;
                    let inner = self.manifest(&session, repository, &Version::Digest(chosen.digest.clone())).await?;
                    if inner.bytes.len() as u64 != chosen.size {
                        let text = format!("manifest {} of {name} has {} bytes, its index says {}", chosen.digest, inner.bytes.len(), chosen.size);
                        return Err(Error::new(Kind::Corrupt, text));
                    }
                    fetched = inner;
                    depth += 1;
                }
            }
        };
        let config_bytes = self.config(repository, &config, &name).await?;
        let platform = self.suits(&config_bytes, platform, stated, &name)?;
        Ok(Resolved {
            digest,
            manifest_digest: fetched.digest,
            manifest: fetched.bytes,
            media_type: fetched.media_type,
            config,
            config_bytes,
            platform,
            layers,
        })
    }

    /// What a version is at the registry right now, without fetching more than a manifest.
    ///
    /// # Errors
    /// As [`Client::resolve`].
    pub async fn digest(&self, repository: &Repository, version: &Version) -> Result<Digest, Error> {
        let session = self.wire.session(&repository.host)?;
        Ok(self.manifest(&session, repository, version).await?.digest)
    }

    async fn manifest(&self, session: &Session, repository: &Repository, version: &Version) -> Result<Fetched, Error> {
        let what = format!("manifest for {repository}{version}");
        let address = session.address(self, repository, &format!("manifests/{}", version.reference()?)).await?;
        let mut ask = Ask::plain(Method::GET, address, vec![repository.scope("pull")], what.clone());
        ask.headers.insert(ACCEPT, HeaderValue::from_str(&ACCEPTED.join(", ")).map_err(|e| Error::new(Kind::Invalid, e.to_string()))?);
        let (headers, bytes) = self.document(session, &ask, LARGEST).await?;
        let digest = Digest::of(&bytes);
        if let Version::Digest(asked) = version
            && *asked != digest
        {
            return Err(Error::new(Kind::Corrupt, format!("{what} does not match its digest: expected {asked}, got {digest}")));
        }
        if let Some(said) = text(&headers, "docker-content-digest").filter(|said| said.starts_with("sha256:") && *said != digest.as_str()) {
            return Err(Error::new(
                Kind::Corrupt,
                format!("{what} does not match the digest that the registry gives for it: expected {}, got {digest}", clean(said)),
            ));
        }
        let (document, media_type) = Document::parse(&bytes, text(&headers, CONTENT_TYPE.as_str()), &what)?;
        Ok(Fetched { digest, bytes, document, media_type })
    }

    /// What an image was built for, if that is what was asked for; images that do not say run anywhere. Where an index `stated` the
    /// platform, that is its publisher's word: many a configuration names the machine that it was built on.
    fn suits(&self, config: &[u8], wish: &Platform, stated: bool, name: &str) -> Result<Platform, Error> {
        let built: BuiltFor = serde_json::from_slice(config)
            .map_err(|e| Error::new(Kind::Corrupt, format!("the configuration of {name} is not valid: {}", clean(&e.to_string()))))?;
        if built.os.is_empty() || built.architecture.is_empty() {
            return Ok(wish.clone());
        }
        let platform = Platform::new(&built.os, &built.architecture, built.variant.as_deref());
        if wish.fit(&platform).is_some() {
            return Ok(platform);
        }
        if stated && platform.os == wish.os {
            let what = format!("{name} for {wish}");
            self.tell(&Notice::Doubtful { what, reason: format!("its index says so, its own configuration says {platform}") });
            return Ok(platform);
        }
        Err(Error::new(Kind::NoPlatform, format!("{name} has nothing for platform {wish}; there is: {platform}")))
    }

    async fn config(&self, repository: &Repository, config: &Descriptor, name: &str) -> Result<Bytes, Error> {
        if config.size > LARGEST as u64 {
            return Err(Error::new(
                Kind::TooLarge,
                format!("configuration {} of {name} has {} bytes, the limit is {} MiB", config.digest, config.size, LARGEST >> 20),
            ));
        }
        let mut stream = self.blob(repository, config, None);
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes.into())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
