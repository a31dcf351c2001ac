//! `wait`: until containers have ended, and with which status.

use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Wait until containers have ended, and print their exit statuses
#[derive(Args, Clone, Debug)]
pub struct Wait {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

impl Job for Wait {
    type Output = Vec<i32>;
    const VERB: &'static str = "wait";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("wait {}", self.containers.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Vec<i32>> {
        let ids = self.containers.iter().map(|name| Ok(context.engine.container(name)?.id)).collect::<Result<Vec<_>>>()?;
        let mut statuses = Vec::with_capacity(ids.len());
        for id in ids {
            tokio::select! {
                status = context.engine.wait(&id) => statuses.push(status?),
                () = context.cancelled() => context.check()?,
            }
        }
        Ok(statuses)
    }
}
