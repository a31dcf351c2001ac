//! `start`: containers started.

use super::rm::Several;
use crate::container::Container;
use crate::engine::attach::{self, Console};
use crate::engine::{Error, Hello, Job, JobContext, Result};
use clap::Args;

/// Start containers
#[derive(Args, Clone, Debug, Default)]
pub struct Start {
    /// Connect to its console
    #[arg(short, long)]
    pub attach: bool,
    /// Connect standard input too
    #[arg(short, long)]
    pub interactive: bool,
    /// Keys that leave without ending it (ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<String>,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
    /// Rows and columns of the terminal here, read by the front-end.
    #[arg(skip)]
    pub size: Option<(u16, u16)>,
}

/// What was started.
#[derive(Debug)]
pub struct Outcome {
    /// The container to be looked at, with its console.
    pub console: Option<(Container, Console)>,
    /// What became of each.
    pub several: Several,
}

impl Job for Start {
    type Output = Outcome;
    const VERB: &'static str = "start";

    fn title(&self) -> String {
        format!("start {}", self.containers.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Outcome> {
        if self.attach || self.interactive {
            let [name] = self.containers.as_slice() else { return Err(Error::invalid("only one container can be attached to at once")) };
            let monitor = context.engine.foresee();
            let container = context.engine.container(name)?;
            let (ours, theirs) = attach::pair()?;
            let hello = Hello { stdin: self.interactive && container.config.open_stdin, output: true, scrollback: false, exit: true, size: self.size };
            let console = Console::open(ours, hello).await?;
            let warnings = context.engine.start(&container.id, Some(theirs), monitor).await?;
            return Ok(Outcome { console: Some((container, console)), several: Several { warnings, ..Several::default() } });
        }
        let mut several = Several::default();
        for name in &self.containers {
            let result = match context.engine.container(name) {
                Ok(container) => context.engine.start(&container.id, None, context.engine.foresee()).await.map(|warnings| several.warn(warnings)),
                Err(error) => Err(error),
            };
            several.add(name, result);
        }
        Ok(Outcome { console: None, several })
    }
}
