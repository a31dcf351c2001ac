//! `restart`: containers stopped, then started.

use super::rm::Several;
use super::values;
use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Restart containers
#[derive(Args, Clone, Debug)]
pub struct Restart {
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

impl Job for Restart {
    type Output = Several;
    const VERB: &'static str = "restart";

    fn title(&self) -> String {
        format!("restart {}", self.containers.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Several> {
        let signal = self.signal.as_deref().map(values::signal).transpose()?;
        let mut several = Several::default();
        for name in &self.containers {
            let result = one(name, signal, self.time, &context).await.map(|warnings| several.warn(warnings));
            several.add(name, result);
        }
        Ok(several)
    }
}

async fn one(name: &str, signal: Option<i32>, time: Option<u64>, context: &JobContext) -> Result<Vec<String>> {
    let container = context.engine.container(name)?;
    if container.state.status.is_alive() {
        context.engine.stop(&container, signal, time).await?;
    }
    let warnings = context.engine.start(&container.id, None, context.engine.foresee()).await?;
    let container = context.engine.container_by_id(&container.id)?;
    context.engine.tell(&container, "restart", &[]);
    Ok(warnings)
}
