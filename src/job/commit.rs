//! `commit`: an image made from a container's files.

use crate::engine::commit::Commit as How;
use crate::engine::{Job, JobContext, Result};
use crate::id::ImageId;
use clap::Args;

/// Make an image from a container's files
#[derive(Args, Clone, Debug)]
pub struct Commit {
    /// Who made it
    #[arg(short, long, value_name = "NAME")]
    pub author: Option<String>,
    /// What changed
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// A Dockerfile instruction: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR (repeatable)
    #[arg(short, long, value_name = "INSTRUCTION")]
    pub change: Vec<String>,
    /// Freeze the container meanwhile
    #[arg(short, long, value_name = "BOOL", default_value = "true", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub pause: bool,
    /// Container
    pub container: String,
    /// The image's name
    #[arg(value_name = "NAME[:TAG]")]
    pub reference: Option<String>,
}

impl Job for Commit {
    type Output = ImageId;
    const VERB: &'static str = "commit";

    fn title(&self) -> String {
        format!("commit {} {}", self.container, self.reference.as_deref().unwrap_or_default())
    }

    async fn run(self, context: JobContext) -> Result<ImageId> {
        let container = context.engine.container(&self.container)?;
        let frozen = self.pause && container.state.status == crate::container::Status::Running;
        if frozen {
            context.engine.freeze(&container, true).await?;
        }
        let how = How { author: self.author, message: self.message, changes: self.change, reference: self.reference };
        let subject = container.clone();
        let result = context.blocking(move |context| context.engine.commit(&subject, &how)).await;
        if frozen {
            context.engine.freeze(&container, false).await?;
        }
        result
    }
}
