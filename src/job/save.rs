//! `save`: images written into an archive.

use super::archive::Target;
use crate::engine::images::{LARGEST, reference};
use crate::engine::{Error, Job, JobContext, Result};
use crate::graph::archive::Saved;
use clap::Args;
use std::path::PathBuf;

/// Write images into a tar archive that kapal, docker and skopeo read
#[derive(Args, Clone, Debug)]
pub struct Save {
    /// File in place of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Images
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
}

impl Job for Save {
    type Output = ();
    const VERB: &'static str = "save";

    fn title(&self) -> String {
        format!("save {}", self.images.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<()> {
        context.blocking(move |context| save(&self, context)).await
    }
}

fn save(job: &Save, context: &JobContext) -> Result<()> {
    let engine = &context.engine;
    let mut saved: Vec<Saved> = Vec::new();
    for text in &job.images {
        let image = engine.image(text)?;
        let manifest = engine.content().read(&image.manifest, LARGEST).map_err(|e| Error::io(format_args!("cannot read the manifest of {text}"), &e))?;
        // An image that is asked for by its name is saved under that name, by its identity without one.
        let names: Vec<_> = reference(text)
            .ok()
            .map(crate::graph::reference::Reference::with_default_tag)
            .filter(|name| image.tags.contains(&name.familiar()))
            .into_iter()
            .collect();
        match saved.iter_mut().find(|known| known.config == image.document.raw()) {
            Some(known) => known.names.extend(names),
            None => saved.push(Saved { config: image.document.raw().to_vec(), manifest, media_type: image.media_type, names }),
        }
    }
    let mut output = Target::open(job.output.as_deref(), context)?;
    let result = crate::graph::archive::save(&saved, engine.content(), &mut output).map(|_| ()).map_err(|e| Error::io("cannot save", &e));
    output.finish(result)
}
