//! `import`: an image made from an archive of a file system.

use super::input::Input;
use crate::engine::import::Import as How;
use crate::engine::{Error, Job, JobContext, Result};
use crate::graph::manifest::Platform;
use crate::id::ImageId;
use clap::Args;
use std::path::Path;

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
        format!("import {} {}", self.file, self.reference.as_deref().unwrap_or_default()).trim_end().to_owned()
    }

    async fn run(self, context: JobContext) -> Result<ImageId> {
        if ["http://", "https://"].iter().any(|scheme| self.file.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))) {
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
        let input = Input::open(Some(Path::new(&self.file)).filter(|path| *path != Path::new("-")), context)?;
        let how = How { origin: self.file, message: self.message, changes: self.change, platform, reference: self.reference };
        let made = context.engine.import(input, &how);
        let (image, unkept) = made.map_err(|error| context.check().err().unwrap_or(error))?;
        for name in unkept {
            context.say(format!("WARNING: this file system cannot hold the extended attribute {name}"));
        }
        Ok(image)
    }
}

/// What the image is to say that it is for. It is written down as it stands: a name that no image has would never be found out.
fn platform(text: &str) -> Result<Platform> {
    const ARCHITECTURES: &[&str] = &["386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"];
    let known: crate::registry::Platform = text.parse().map_err(|error| Error::invalid(format!("--platform: {error}")))?;
    if known.os != "linux" || !ARCHITECTURES.contains(&known.architecture.as_str()) {
        let expected = format!("expected linux and one of {}", ARCHITECTURES.join(", "));
        return Err(Error::invalid(format!("--platform {known}: no image for it would run anywhere: {expected}")).hint("linux/arm64, for example"));
    }
    Ok(Platform { os: known.os, architecture: known.architecture, variant: known.variant.unwrap_or_default() })
}
