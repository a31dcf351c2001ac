//! `pull`: an image from a registry, its layers in parallel, each streamed once.

use super::layers::{self, Wanted};
use crate::engine::images::{NewImage, new_name, reference};
use crate::engine::{BlobRow, Error, Job, JobContext, Result, registries};
use crate::graph::image::Image as Document;
use crate::graph::reference::Reference;
use crate::id::{Digest, ImageId, chain};
use crate::registry::{Client, Platform, Resolved, Version};
use clap::Args;
use serde::Serialize;

/// Download an image from a registry
#[derive(Args, Clone, Debug)]
pub struct Pull {
    /// Image, as NAME:TAG or NAME@DIGEST
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub reference: String,
    /// Platform of a multi-platform image (linux/arm64)
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", env = "DOCKER_DEFAULT_PLATFORM")]
    pub platform: Option<String>,
    /// Download all tags of the repository
    #[arg(short, long)]
    pub all_tags: bool,
    /// Say nothing but the image's name at the end
    #[arg(short, long)]
    pub quiet: bool,
    /// Allow plain HTTP, and certificates nobody vouches for
    #[arg(long)]
    pub insecure: bool,
}

/// What a pull brought.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pulled {
    /// The reference, whole.
    pub reference: String,
    /// The reference as people write it.
    pub familiar: String,
    /// The digest of what the registry holds under that name.
    pub digest: Digest,
    /// The image.
    pub image: ImageId,
    /// It was there already, all of it.
    pub up_to_date: bool,
}

impl Job for Pull {
    type Output = Vec<Pulled>;
    const VERB: &'static str = "pull";

    fn title(&self) -> String {
        format!("pull {}", self.reference)
    }

    async fn run(self, context: JobContext) -> Result<Vec<Pulled>> {
        let name = reference(&self.reference)?;
        new_name(&self.reference)?;
        let client = registries::client(&context, name.domain(), self.insecure)?;
        let platform = match &self.platform {
            Some(text) => text.parse::<Platform>().map_err(|error| Error::invalid(format!("--platform: {error}")))?,
            None => Platform::host(),
        };
        let mut wanted = Vec::new();
        if self.all_tags {
            if name.tag().is_some() || name.digest().is_some() {
                return Err(Error::invalid(format!("--all-tags takes a repository without a tag, not {}", name.familiar())));
            }
            let repository = registries::repository(&name);
            let tags = tokio::select! {
                tags = client.tags(&repository) => tags?,
                () = context.cancelled() => return Err(layers::cancelled()),
            };
            for tag in tags {
                wanted.push(name.clone().with_tag(&tag).map_err(|error| Error::invalid(error.to_string()))?);
            }
        } else {
            if name.tag().is_none() && name.digest().is_none() {
                context.say("Using default tag: latest");
            }
            wanted.push(name.with_default_tag());
        }
        let mut pulled = Vec::with_capacity(wanted.len());
        for name in wanted {
            pulled.push(one(&name, &client, &platform, &context).await?);
        }
        Ok(pulled)
    }
}

async fn one(name: &Reference, client: &Client, platform: &Platform, context: &JobContext) -> Result<Pulled> {
    let repository = registries::repository(name);
    let version = match (name.digest(), name.tag()) {
        (Some(digest), _) => Version::Digest(digest.clone()),
        (None, tag) => Version::Tag(tag.unwrap_or(crate::graph::reference::DEFAULT_TAG).to_owned()),
    };
    context.say(format!("{}: Pulling from {}", name.digest().map_or_else(|| name.tag().unwrap_or_default().to_owned(), ToString::to_string), name.path()));
    let resolved = tokio::select! {
        resolved = client.resolve(&repository, &version, platform) => resolved?,
        () = context.cancelled() => return Err(layers::cancelled()),
    };
    let document =
        Document::parse(resolved.config_bytes.to_vec()).map_err(|error| Error::new(crate::engine::Kind::Corrupt, format!("{}: {error}", name.familiar())))?;
    let names = names(name, &resolved.digest);
    if let Some(image) = up_to_date(&document, &names, context)? {
        return Ok(Pulled { reference: name.to_string(), familiar: name.familiar(), digest: resolved.digest, image, up_to_date: true });
    }
    let held = context.blocking(|context| context.engine.bring_in()).await?;
    let wanted = wanted(name, &document, &resolved)?;
    let stream = {
        let (client, repository, context) = (client.clone(), repository.clone(), context.clone());
        move |layer: &Wanted, progress: crate::registry::Progress| {
            let context = context.clone();
            let end = async move { context.cancelled().await };
            client.blob_until(&repository, &layer.descriptor, Some(progress), end).into_reader()
        }
    };
    if let Err(error) = layers::bring(wanted, stream, "Pull complete", context).await {
        drop(held);
        return Err(layers::refused(error, context).await);
    }
    let image = context.blocking(move |context| enter(&document, &resolved, names, context).map(|id| (id, resolved.digest))).await;
    drop(held);
    let (image, digest) = image?;
    context.engine.tell_of("image", "pull", image.as_str(), &name.familiar());
    Ok(Pulled { reference: name.to_string(), familiar: name.familiar(), digest, image, up_to_date: false })
}

/// The names that a pulled image gets: its tag, and the digest it has in that repository.
fn names(name: &Reference, digest: &Digest) -> Vec<(String, bool)> {
    let mut names = vec![(name.clone().with_digest(digest.clone()).to_string(), true)];
    if name.tag().is_some() && name.digest().is_none() {
        names.push((name.to_string(), false));
    }
    names
}

/// The image, if it is there with all these names.
fn up_to_date(document: &Document, names: &[(String, bool)], context: &JobContext) -> Result<Option<ImageId>> {
    let id = document.id().clone();
    let driver = context.engine.graph()?.name();
    for (name, _) in names {
        if context.engine.db().image_named(driver, name)?.is_none_or(|row| row.id != id.as_str()) {
            return Ok(None);
        }
    }
    Ok(Some(id))
}

fn wanted(name: &Reference, document: &Document, resolved: &Resolved) -> Result<Vec<Wanted>> {
    let diffs = document.diff_ids.clone();
    if diffs.len() != resolved.layers.len() {
        return Err(Error::new(
            crate::engine::Kind::Corrupt,
            format!("{}: the manifest names {} layers, the configuration {}", name.familiar(), resolved.layers.len(), diffs.len()),
        ));
    }
    let chain = chain(&diffs);
    Ok(resolved
        .layers
        .iter()
        .zip(diffs)
        .zip(chain)
        .map(|((layer, diff), id)| Wanted { id, diff, descriptor: layer.descriptor(), compression: layer.compression.into() })
        .collect())
}

fn enter(document: &Document, resolved: &Resolved, names: Vec<(String, bool)>, context: &JobContext) -> Result<ImageId> {
    let engine = &context.engine;
    let failed = |e: std::io::Error| Error::io("cannot keep the image's documents", &e);
    engine.content().put(document.raw()).map_err(failed)?;
    let manifest = engine.content().put(&resolved.manifest).map_err(failed)?;
    // Named only once it is on the disk: a power failure must not leave a name without its files.
    engine.content().sync().map_err(failed)?;
    let blobs = resolved
        .layers
        .iter()
        .map(|layer| BlobRow { digest: layer.digest.to_string(), size: layer.size as i64, media_type: layer.media_type.clone() })
        .collect();
    engine.enter_image(&NewImage { document, manifest, media_type: resolved.media_type.clone(), blobs, names })
}
