//! `healthcheck run`: whether a container is well, asked now.

use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Ask a container now whether it is well, and take the answer in as any other
#[derive(Args, Clone, Debug)]
pub struct HealthcheckRun {
    /// Container
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

impl Job for HealthcheckRun {
    /// It is well; that it is not is an error, which says why.
    type Output = ();
    const VERB: &'static str = "healthcheck run";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("healthcheck run {}", self.container)
    }

    async fn run(self, context: JobContext) -> Result<()> {
        let container = context.engine.container(&self.container)?;
        tokio::select! {
            answer = context.engine.probe(&container) => answer,
            () = context.cancelled() => context.check(),
        }
    }
}
