//! `diff --content`: what a container changed, with the lines that differ.

use crate::engine::contents::Difference;
use crate::engine::{Job, JobContext, Result};
use std::path::PathBuf;

/// Compare the content of what a container changed.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Container.
    pub container: String,
    /// Only what is at or below this path.
    pub path: Option<String>,
}

/// What differs.
#[derive(Clone, Debug)]
pub struct Compared {
    /// By path.
    pub differences: Vec<Difference>,
    /// There are more than are compared in one go.
    pub truncated: bool,
}

impl Job for Contents {
    type Output = Compared;
    const VERB: &'static str = "diff";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("diff --content {} {}", self.container, self.path.as_deref().unwrap_or_default()).trim_end().to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Compared> {
        let compare = move |context: &JobContext| {
            let container = context.engine.container(&self.container)?;
            let only = PathBuf::from(self.path.as_deref().unwrap_or("/"));
            let (differences, truncated) = context.engine.content_changes(&container, &only)?;
            if differences.is_empty() && self.path.is_some() {
                // A path that is not there at all is told so; one that is the same on both sides is no failure.
                context.engine.content_change(&container, &only)?;
            }
            Ok(Compared { differences, truncated })
        };
        context.blocking(compare).await
    }
}
