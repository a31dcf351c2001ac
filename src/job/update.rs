//! `update`: limits and restart policies of containers changed, also while they run.

use super::limits::LimitOptions;
use super::rm::Several;
use crate::engine::{Error, Job, JobContext, Result, check};
use clap::Args;

/// Change limits and restart policies of containers, running or not
#[derive(Args, Clone, Debug, Default)]
pub struct Update {
    /// What is to change.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

impl Job for Update {
    type Output = Several;
    const VERB: &'static str = "update";

    fn title(&self) -> String {
        format!("update {}", self.containers.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Several> {
        let update = self.limits.update()?;
        if update.is_empty() {
            return Err(Error::invalid("nothing is to change: give one or more options").hint("`kapal update --help` lists them"));
        }
        let mut several = Several::default();
        for name in &self.containers {
            context.check()?;
            let result = match context.engine.container(name) {
                Ok(container) => context.engine.update(&container, &update).await,
                Err(error) => Err(error),
            };
            if let Ok(container) = &result {
                several.warn(check::unheeded(&container.host_config.resources));
            }
            several.add(name, result.map(|_| ()));
        }
        Ok(several)
    }
}
