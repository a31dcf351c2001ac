//! `load`: images read from an archive.

use super::input::Input;
use super::layers::{self, Wanted};
use crate::engine::images::NewImage;
use crate::engine::{BlobRow, Error, Job, JobContext, Kind, Result};
use crate::graph::archive::{self, Limits, Loaded as Found};
use crate::graph::manifest::Platform;
use crate::id::ImageId;
use crate::registry::Descriptor;
use clap::Args;
use serde::Serialize;
use std::io::Read;
use std::path::PathBuf;

/// Read images from a tar archive: an OCI layout, or one that docker saved
#[derive(Args, Clone, Debug, Default)]
pub struct Load {
    /// File in place of standard input
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Say nothing but the names
    #[arg(short, long)]
    pub quiet: bool,
}

/// An image that was loaded.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Loaded {
    /// The image.
    pub id: ImageId,
    /// Its names, as people write them.
    pub names: Vec<String>,
}

impl Job for Load {
    type Output = Vec<Loaded>;
    const VERB: &'static str = "load";

    fn title(&self) -> String {
        format!("load {}", self.input.as_ref().map_or("-".into(), |path| path.display().to_string()))
    }

    async fn run(self, context: JobContext) -> Result<Vec<Loaded>> {
        let held = context.blocking(|context| context.engine.bring_in()).await?;
        let found = context.blocking(move |context| read(&self, context)).await?;
        let mut loaded = Vec::with_capacity(found.len());
        for image in found {
            match enter(image, &context).await {
                Ok(image) => loaded.push(image),
                Err(error) => {
                    drop(held);
                    return Err(layers::refused(error, &context).await);
                }
            }
        }
        drop(held);
        Ok(loaded)
    }
}

fn read(job: &Load, context: &JobContext) -> Result<Vec<Found>> {
    let input = Input::open(job.input.as_deref(), context)?;
    let platform = Platform { os: "linux".to_owned(), architecture: crate::graph::image::architecture().to_owned(), variant: String::new() };
    archive::load(input, context.engine.content(), &platform, &Limits::default()).map_err(|error| {
        if let Err(cancelled) = context.check() {
            return cancelled;
        }
        let kind = if error.kind() == std::io::ErrorKind::InvalidData { Kind::Corrupt } else { Kind::Failed };
        Error::new(kind, format!("cannot load: {error}"))
    })
}

async fn enter(found: Found, context: &JobContext) -> Result<Loaded> {
    let ids = found.image.layer_ids();
    let media = |layer: &archive::LayerBlob| layer.compression.media_type().to_owned();
    let wanted = found.layers.iter().zip(ids).map(|(layer, id)| Wanted {
        id,
        diff: layer.diff_id.clone(),
        descriptor: Descriptor { media_type: media(layer), digest: layer.digest.clone(), size: layer.size },
        compression: layer.compression,
    });
    let content = context.engine.content().clone();
    let open = move |layer: &Wanted, _heard| Blob(content.open_blob(&layer.descriptor.digest));
    layers::bring(wanted.collect(), open, "Load complete", context).await?;
    let entered = found.clone();
    let enter = move |context: &JobContext| {
        let engine = &context.engine;
        let failed = |e: std::io::Error| Error::io("cannot keep the image's documents", &e);
        let manifest = engine.content().put(&entered.manifest).map_err(failed)?;
        engine.content().sync().map_err(failed)?;
        let blobs =
            entered.layers.iter().map(|layer| BlobRow { digest: layer.digest.to_string(), size: layer.size as i64, media_type: media(layer) }).collect();
        let names = entered.names.iter().map(|name| (name.to_string(), name.digest().is_some())).collect();
        engine.enter_image(&NewImage { document: &entered.image, manifest, media_type: entered.media_type.clone(), blobs, names })
    };
    let id = context.blocking(enter).await?;
    context.engine.tell_of("image", "load", id.as_str(), "");
    Ok(Loaded { id, names: found.names.iter().map(crate::graph::reference::Reference::familiar).collect() })
}

/// A blob of the content store; what opening it said comes with the first read.
struct Blob(std::io::Result<std::fs::File>);

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.0 {
            Ok(file) => file.read(buffer),
            Err(error) => Err(std::io::Error::new(error.kind(), error.to_string())),
        }
    }
}
