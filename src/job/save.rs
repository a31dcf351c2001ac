//! `save`: images written into an archive.

use crate::engine::images::{LARGEST, reference};
use crate::engine::{Error, Job, JobContext, Result};
use crate::graph::archive::{self, Saved};
use clap::Args;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    let result = archive::save(&saved, engine.content(), &mut output).map(|_| ()).map_err(|e| Error::io("cannot save", &e));
    output.finish(result)
}

/// Where an archive is written: standard output, or a file that appears whole or not at all. A job that was called off writes no further.
pub struct Target {
    to: To,
    context: JobContext,
}

enum To {
    Output(io::Stdout),
    /// A file beside the one it will be, its path, and the one that it will have.
    File(std::fs::File, PathBuf, PathBuf),
}

impl Target {
    /// Opens the target: `file`, or standard output.
    pub fn open(file: Option<&Path>, context: &JobContext) -> Result<Self> {
        let context = context.clone();
        let Some(path) = file else { return Ok(Self { to: To::Output(io::stdout()), context }) };
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}.part", std::process::id()));
        let aside = PathBuf::from(aside);
        let file = std::fs::File::create(&aside).map_err(|e| Error::io(format_args!("cannot write {}", path.display()), &e))?;
        Ok(Self { to: To::File(file, aside, path.to_owned()), context })
    }

    /// Puts a whole file in its place, or takes a broken one away.
    pub fn finish(self, result: Result<()>) -> Result<()> {
        // Whatever the writing said of it.
        let result = self.context.check().and(result);
        let To::File(file, aside, path) = self.to else { return result };
        drop(file);
        if result.is_err() {
            let _ = std::fs::remove_file(&aside);
            return result;
        }
        std::fs::rename(&aside, &path).map_err(|e| Error::io(format_args!("cannot write {}", path.display()), &e))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.context.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        match &mut self.to {
            To::Output(out) => out.write(bytes),
            To::File(file, ..) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Output(out) => out.flush(),
            To::File(file, ..) => file.flush(),
        }
    }
}
