//! `history`: how an image was made.

use crate::engine::images::Step;
use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Show how an image was made
#[derive(Args, Clone, Debug)]
pub struct History {
    /// Image
    pub image: String,
}

impl Job for History {
    /// Newest step first.
    type Output = Vec<Step>;
    const VERB: &'static str = "history";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("history {}", self.image)
    }

    async fn run(self, context: JobContext) -> Result<Vec<Step>> {
        context.blocking(move |context| context.engine.history(&self.image)).await
    }
}
