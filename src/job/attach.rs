//! `attach`: the console of a running container.

use crate::container::Container;
use crate::engine::attach::Console;
use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Connect to a running container's console
#[derive(Args, Clone, Debug, Default)]
pub struct Attach {
    /// Do not connect standard input
    #[arg(long)]
    pub no_stdin: bool,
    /// Keys that leave without ending it (ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<String>,
    /// Pass signals on to it
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub sig_proxy: bool,
    /// Container
    pub container: String,
}

impl Job for Attach {
    type Output = (Container, Console);
    const VERB: &'static str = "attach";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("attach {}", self.container)
    }

    async fn run(self, context: JobContext) -> Result<(Container, Console)> {
        let container = context.engine.container(&self.container)?;
        let console = context.engine.attach(&container).await?;
        Ok((container, console))
    }
}
