//! `run`: a container made and started.

use super::create;
use super::options::ContainerOptions;
use crate::engine::attach::{self, Console};
use crate::engine::{Error, Hello, Job, JobContext, Kind, Result};
use crate::id::ContainerId;
use clap::Args;

/// Make a container from an image and start it
#[derive(Args, Clone, Debug, Default)]
pub struct Run {
    /// Do not wait for it; print its id
    #[arg(short, long)]
    pub detach: bool,
    /// Keys that leave without ending it (ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<String>,
    /// Pass signals on to it
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub sig_proxy: bool,
    /// Rows and columns of the terminal here, read by the front-end.
    #[arg(skip)]
    pub size: Option<(u16, u16)>,
    /// How.
    #[command(flatten)]
    pub options: ContainerOptions,
}

/// A container that was made and started.
#[derive(Debug)]
pub struct Started {
    /// The container.
    pub id: ContainerId,
    /// Its name.
    pub name: String,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Its console, unless it is detached.
    pub console: Option<Console>,
}

impl Job for Run {
    type Output = Started;
    const VERB: &'static str = "run";

    fn title(&self) -> String {
        format!("run {}", self.options.words.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Started> {
        if self.detach && !self.options.attach.is_empty() {
            return Err(Error::conflict("-d and -a exclude each other"));
        }
        let stdin = self.options.interactive && self.options.attaches("stdin");
        let hello = Hello { stdin, output: true, scrollback: false, exit: true, size: self.size };
        let remove = self.options.rm;
        let detach = self.detach;
        let monitor = context.engine.foresee();
        let created = create::create(self.options, &context).await?;
        let (console, first) = if detach {
            (None, None)
        } else {
            let (ours, theirs) = attach::pair()?;
            (Some(Console::open(ours, hello).await?), Some(theirs))
        };
        match context.engine.start(&created.id, first, monitor).await {
            Ok(warnings) => Ok(Started { id: created.id, name: created.name, warnings: [created.warnings, warnings].concat(), console }),
            Err(error) => {
                // What could not be started and is to be removed at its end is at its end.
                if remove && let Ok(container) = context.engine.container_by_id(&created.id) {
                    // Its monitor may have done so already, or be about to.
                    match context.engine.remove(&container, true, true).await {
                        Err(error) if !matches!(error.kind, Kind::NotFound | Kind::Conflict) => return Err(error),
                        _ => {}
                    }
                }
                Err(error)
            }
        }
    }
}
