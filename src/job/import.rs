//! `import`: an image made from an archive of a file system.

use super::load::Asked;
use crate::engine::import::Import as How;
use crate::engine::{Error, Job, JobContext, Result};
use crate::graph::manifest::Platform;
use crate::id::ImageId;
use clap::Args;
use std::fs::File;
use std::io::Read;

/// Make an image from a tar archive of a file system, as `export` writes it
#[derive(Args, Clone, Debug)]
pub struct Import {
    /// A Dockerfile instruction: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR (repeatable)
    #[arg(short, long, value_name = "INSTRUCTION")]
    pub change: Vec<String>,
    /// What is said in its history
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// What it is for, if not for this machine (linux/arm64)
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Option<String>,
    /// The archive, plain or compressed with gzip or zstd; - is standard input
    #[arg(value_name = "FILE|-")]
    pub file: String,
    /// The image's name
    #[arg(value_name = "NAME[:TAG]")]
    pub reference: Option<String>,
}

impl Job for Import {
    type Output = ImageId;
    const VERB: &'static str = "import";

    fn title(&self) -> String {
        format!("import {} {}", self.file, self.reference.as_deref().unwrap_or_default())
    }

    async fn run(self, context: JobContext) -> Result<ImageId> {
        if self.file.starts_with("http://") || self.file.starts_with("https://") {
            return Err(Error::invalid(format!("cannot import {}: addresses are not fetched", self.file)).hint(format!(
                "curl -fL {} | kapal import - {}",
                self.file,
                self.reference.as_deref().unwrap_or("NAME")
            )));
        }
        let platform = self.platform.as_deref().map(platform).transpose()?;
        context.blocking(move |context| self.import(platform, context)).await
    }
}

impl Import {
    fn import(self, platform: Option<Platform>, context: &JobContext) -> Result<ImageId> {
        let input: Box<dyn Read + Send> = match self.file.as_str() {
            "-" => Box::new(std::io::stdin()),
            path => Box::new(File::open(path).map_err(|e| Error::io(format_args!("cannot read {path}"), &e))?),
        };
        let how = How { origin: self.file, message: self.message, changes: self.change, platform, reference: self.reference };
        let made = context.engine.import(Asked { input, context }, &how);
        context.check()?;
        let (image, unkept) = made?;
        for name in unkept {
            context.say(format!("WARNING: this file system cannot hold the extended attribute {name}"));
        }
        Ok(image)
    }
}

fn platform(text: &str) -> Result<Platform> {
    let known: crate::registry::Platform = text.parse().map_err(|error| Error::invalid(format!("--platform: {error}")))?;
    Ok(Platform { os: known.os, architecture: known.architecture, variant: known.variant.unwrap_or_default() })
}
