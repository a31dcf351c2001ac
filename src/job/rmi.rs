//! `rmi`: names taken from images, and images removed that have none left.

use crate::engine::images::Removed;
use crate::engine::{Error, Job, JobContext, Kind, Result};
use clap::Args;

/// Remove images
#[derive(Args, Clone, Debug)]
pub struct Rmi {
    /// Although it has several names, or stopped containers were made from it; one that is not there is no error
    #[arg(short, long)]
    pub force: bool,
    /// Keep layers below (there are no unnamed parents to keep: accepted for scripts)
    #[arg(long)]
    pub no_prune: bool,
    /// Images
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
}

/// What became of the images.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Untagged and deleted, in order.
    pub removed: Vec<Removed>,
    /// Failures.
    pub failed: Vec<Error>,
}

impl Job for Rmi {
    type Output = Outcome;
    const VERB: &'static str = "rmi";

    fn title(&self) -> String {
        format!("rmi {}", self.images.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Outcome> {
        context
            .blocking(move |context| {
                let mut outcome = Outcome::default();
                for name in &self.images {
                    match context.engine.remove_image(name, self.force) {
                        Ok(removed) => outcome.removed.extend(removed),
                        Err(error) if self.force && error.kind == Kind::NotFound => {}
                        Err(error) => outcome.failed.push(error),
                    }
                }
                Ok(outcome)
            })
            .await
    }
}
