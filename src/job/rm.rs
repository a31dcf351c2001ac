//! `rm`: containers removed.

use crate::engine::{Error, Job, JobContext, Kind, Result};
use clap::Args;

/// Remove containers
#[derive(Args, Clone, Debug)]
pub struct Rm {
    /// End it first if it runs; one that is not there is no error
    #[arg(short, long)]
    pub force: bool,
    /// Remove its anonymous volumes too
    #[arg(short, long)]
    pub volumes: bool,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

impl Job for Rm {
    type Output = Several;
    const VERB: &'static str = "rm";

    fn title(&self) -> String {
        format!("rm {}", self.containers.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Several> {
        let mut several = Several::default();
        for name in &self.containers {
            match one(&self, name, &context).await {
                // Gone already is what was asked for, but nothing was done.
                Err(error) if self.force && error.kind == Kind::NotFound => {}
                result => several.add(name, result),
            }
        }
        Ok(several)
    }
}

async fn one(rm: &Rm, name: &str, context: &JobContext) -> Result<()> {
    let container = context.engine.container(name)?;
    context.engine.remove(&container, rm.force, rm.volumes).await
}

/// What became of each thing a verb was asked to do something to.
#[derive(Debug, Default)]
pub struct Several {
    /// Those done, by the names they were asked for.
    pub done: Vec<String>,
    /// Those that failed.
    pub failed: Vec<Error>,
    /// What the user should know, each sentence once.
    pub warnings: Vec<String>,
}

impl Several {
    /// Adds the outcome for `name`.
    pub fn add(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => self.done.push(name.to_owned()),
            Err(error) => self.failed.push(error),
        }
    }

    /// Adds what the user should know.
    pub fn warn(&mut self, warnings: impl IntoIterator<Item = String>) {
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}
