//! `push`: an image to a registry.

use crate::engine::images::reference;
use crate::engine::{Error, Job, JobContext, Kind, Progress, Result, registries};
use crate::id::Digest;
use crate::registry::{Descriptor, Opener, Pushed as Sent, Version};
use clap::Args;
use serde::Serialize;
use std::io::Read;
use std::sync::Arc;

/// Upload an image to a registry
#[derive(Args, Clone, Debug)]
pub struct Push {
    /// Allow plain HTTP, and certificates nobody vouches for
    #[arg(long)]
    pub insecure: bool,
    /// Say nothing
    #[arg(short, long)]
    pub quiet: bool,
    /// Image, as NAME:TAG
    #[arg(value_name = "NAME[:TAG]")]
    pub reference: String,
}

/// What was pushed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pushed {
    /// The tag.
    pub tag: String,
    /// The manifest's digest.
    pub digest: Digest,
    /// The manifest's size in bytes.
    pub size: usize,
}

impl Job for Push {
    type Output = Pushed;
    const VERB: &'static str = "push";

    fn title(&self) -> String {
        format!("push {}", self.reference)
    }

    async fn run(self, context: JobContext) -> Result<Pushed> {
        tokio::select! {
            pushed = push(&self, &context) => pushed,
            () = context.cancelled() => Err(Error::new(Kind::Cancelled, "cancelled")),
        }
    }
}

async fn push(job: &Push, context: &JobContext) -> Result<Pushed> {
    let name = reference(&job.reference)?.with_default_tag();
    let Some(tag) = name.tag().map(str::to_owned) else { return Err(Error::invalid(format!("{}: a push needs a tag, not a digest", job.reference))) };
    let engine = &context.engine;
    let image = engine.image(&name.familiar())?;
    let client = registries::client(context, name.domain(), job.insecure)?;
    let repository = registries::repository(&name);
    context.say(format!("The push refers to repository [{}]", name.name()));
    // The image may be known to the registry under another repository: then its blobs need not travel.
    let from = image.digests.iter().filter_map(|known| reference(known).ok()).find(|known| known.domain() == name.domain() && known.path() != name.path());
    let from = from.map(|known| registries::repository(&known));
    let mut blobs: Vec<Descriptor> = Vec::new();
    for blob in engine.db().image_blobs(engine.graph()?.name(), image.id.as_str())? {
        let digest = blob.digest.parse().map_err(|e: crate::id::IdError| Error::new(Kind::Corrupt, e.to_string()))?;
        blobs.push(Descriptor { media_type: blob.media_type, digest, size: blob.size.unsigned_abs() });
    }
    blobs.push(Descriptor {
        media_type: "application/vnd.oci.image.config.v1+json".to_owned(),
        digest: image.id.clone(),
        size: image.document.raw().len() as u64,
    });
    for blob in &blobs {
        let say = |status: &str, bytes: Option<u64>| {
            context.progress(Progress { id: blob.digest.short().to_owned(), status: status.to_owned(), current: bytes, total: bytes.map(|_| blob.size) });
        };
        say("Preparing", None);
        let (content, digest) = (engine.content().clone(), blob.digest.clone());
        let opener: Opener = Arc::new(move || content.open_blob(&digest).map(|file| Box::new(file) as Box<dyn Read + Send>));
        let listener = (context.clone(), blob.clone());
        let heard: crate::registry::Progress = Arc::new(move |bytes| {
            let (context, blob) = &listener;
            context.progress(Progress { id: blob.digest.short().to_owned(), status: "Pushing".to_owned(), current: Some(bytes), total: Some(blob.size) });
        });
        match client.push_blob(&repository, blob, opener, from.as_ref(), Some(heard)).await? {
            Sent::Existed => say("Layer already exists", None),
            Sent::Mounted => say("Mounted", None),
            Sent::Uploaded => say("Pushed", None),
        }
    }
    let manifest = engine.content().read(&image.manifest, crate::engine::images::LARGEST).map_err(|e| Error::io("cannot read the manifest", &e))?;
    let size = manifest.len();
    let digest = client.push_manifest(&repository, &Version::Tag(tag.clone()), &image.media_type, manifest.into()).await?;
    // What the registry calls it from now on: the next push to another repository there need not send its blobs again.
    let pinned = name.clone().with_digest(digest.clone()).to_string();
    match engine.db().set_tag(engine.graph()?.name(), &pinned, image.id.as_str(), true).map_err(Error::from) {
        // The image was removed here meanwhile; the registry has it.
        Err(error) if error.kind == Kind::NotFound => {}
        other => other?,
    }
    engine.tell_of("image", "push", image.id.as_str(), &name.familiar());
    Ok(Pushed { tag, digest, size })
}
