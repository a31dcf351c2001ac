//! `stop`: containers ended politely, then by force.

use super::rm::Several;
use super::values;
use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Stop containers: the stop signal, and SIGKILL when the time is over
#[derive(Args, Clone, Debug)]
pub struct Stop {
    /// Seconds to wait before SIGKILL (10, or as the container says); -1 waits for ever
    #[arg(short, long, visible_alias = "timeout", value_name = "SECONDS", allow_hyphen_values = true, value_parser = values::patience)]
    pub time: Option<u64>,
    /// Signal in place of the container's own
    #[arg(short, long, value_name = "SIGNAL")]
    pub signal: Option<String>,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

impl Job for Stop {
    type Output = Several;
    const VERB: &'static str = "stop";

    fn title(&self) -> String {
        format!("stop {}", self.containers.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Several> {
        let signal = self.signal.as_deref().map(values::signal).transpose()?;
        let each = self.containers.iter().map(|name| {
            let engine = context.engine.clone();
            async move {
                let container = engine.container(name)?;
                engine.stop(&container, signal, self.time).await
            }
        });
        // All at once: ten containers that take ten seconds each take ten seconds.
        let results = futures_util::future::join_all(each).await;
        let mut several = Several::default();
        for (name, result) in self.containers.iter().zip(results) {
            several.add(name, result);
        }
        Ok(several)
    }
}
