//! `logs`: what containers wrote.

use crate::engine::logs::Reader;
use crate::engine::{Error, Job, JobContext, Result};
use clap::Args;

/// Show what a container wrote
#[derive(Args, Clone, Debug, Default)]
pub struct Logs {
    /// Go on as it writes
    #[arg(short, long)]
    pub follow: bool,
    /// From this moment on (RFC 3339, seconds since 1970, or 10m ago as 10m)
    #[arg(long, value_name = "MOMENT")]
    pub since: Option<String>,
    /// Up to this moment
    #[arg(long, value_name = "MOMENT")]
    pub until: Option<String>,
    /// The last N lines
    #[arg(short = 'n', long, value_name = "N|all", default_value = "all", allow_hyphen_values = true)]
    pub tail: String,
    /// With the time of each line
    #[arg(short, long)]
    pub timestamps: bool,
    /// Container
    pub container: String,
    /// The moments above, read by the front-end: nanoseconds since 1970.
    #[arg(skip)]
    pub span: (Option<i64>, Option<i64>),
}

impl Job for Logs {
    type Output = Reader;
    const VERB: &'static str = "logs";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("logs {}", self.container)
    }

    async fn run(self, context: JobContext) -> Result<Reader> {
        let container = context.engine.container(&self.container)?;
        if container.host_config.log.driver == "none" {
            return Err(Error::conflict(format!("container {} keeps no log: it was made with --log-driver none", container.name)));
        }
        let tail = match self.tail.as_str() {
            "all" => None,
            // Any number below 0 is all, as docker has it.
            number => {
                usize::try_from(number.parse::<i64>().map_err(|_| Error::invalid(format!("--tail {number:?}: expected a number of lines, or all")))?).ok()
            }
        };
        Ok(Reader::new(&context.engine, container, tail, self.follow, self.span))
    }
}
