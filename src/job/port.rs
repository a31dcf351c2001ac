//! `port`: published ports of a container.

use crate::engine::{Error, Job, JobContext, Result};
use clap::Args;

/// List the published ports of a container
#[derive(Args, Clone, Debug)]
pub struct Port {
    /// Container
    pub container: String,
    /// Only where this port of the container is published
    #[arg(value_name = "PORT[/PROTOCOL]")]
    pub port: Option<String>,
}

impl Job for Port {
    type Output = Vec<String>;
    const VERB: &'static str = "port";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("port {}", self.container)
    }

    /// A container on no network or on the machine's own publishes none, and other networks are not in this version.
    async fn run(self, context: JobContext) -> Result<Vec<String>> {
        let container = context.engine.container(&self.container)?;
        match self.port {
            Some(port) => Err(Error::not_found(format!("no public port {port:?} published for {}", container.name))),
            None => Ok(Vec::new()),
        }
    }
}
