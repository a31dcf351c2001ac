//! `diff`: how a container's files differ from its image.

use crate::engine::{Change, Job, JobContext, Result};
use clap::Args;

/// Show how a container's files differ from its image
#[derive(Args, Clone, Debug)]
pub struct Diff {
    /// Container
    pub container: String,
}

impl Job for Diff {
    type Output = Vec<Change>;
    const VERB: &'static str = "diff";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("diff {}", self.container)
    }

    async fn run(self, context: JobContext) -> Result<Vec<Change>> {
        context
            .blocking(move |context| {
                let container = context.engine.container(&self.container)?;
                context.engine.changes(&container)
            })
            .await
    }
}
