//! `pause` and `unpause`: all processes of containers frozen, and thawed.

use super::rm::Several;
use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Freeze all processes of containers
#[derive(Args, Clone, Debug)]
pub struct Pause {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

/// Thaw all processes of containers
#[derive(Args, Clone, Debug)]
pub struct Unpause {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

impl Job for Pause {
    type Output = Several;
    const VERB: &'static str = "pause";

    fn title(&self) -> String {
        format!("pause {}", self.containers.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Several> {
        freeze(&self.containers, true, &context).await
    }
}

impl Job for Unpause {
    type Output = Several;
    const VERB: &'static str = "unpause";

    fn title(&self) -> String {
        format!("unpause {}", self.containers.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Several> {
        freeze(&self.containers, false, &context).await
    }
}

async fn freeze(containers: &[String], frozen: bool, context: &JobContext) -> Result<Several> {
    let mut several = Several::default();
    for name in containers {
        let result = match context.engine.container(name) {
            Ok(container) => context.engine.freeze(&container, frozen).await,
            Err(error) => Err(error),
        };
        several.add(name, result);
    }
    Ok(several)
}
