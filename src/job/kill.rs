//! `kill`: a signal to containers.

use super::rm::Several;
use super::values;
use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Send a signal to containers
#[derive(Args, Clone, Debug)]
pub struct Kill {
    /// Signal
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    pub signal: String,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

impl Job for Kill {
    type Output = Several;
    const VERB: &'static str = "kill";

    fn title(&self) -> String {
        format!("kill -s {} {}", self.signal, self.containers.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Several> {
        let signal = values::signal(&self.signal)?;
        let mut several = Several::default();
        for name in &self.containers {
            let result = match context.engine.container(name) {
                Ok(container) => context.engine.kill(&container, signal).await,
                Err(error) => Err(error),
            };
            several.add(name, result);
        }
        Ok(several)
    }
}
