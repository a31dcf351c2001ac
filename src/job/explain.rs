//! `network explain`: who reaches a container's ports, and by which rules.

use super::port;
use crate::engine::network::Explanation;
use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Show who reaches a container's ports, and by which rules
#[derive(Args, Clone, Debug)]
pub struct NetworkExplain {
    /// Container, and one of its ports; all that are published if there is none
    #[arg(value_name = "CONTAINER[:PORT[/PROTOCOL]]")]
    pub target: String,
}

impl Job for NetworkExplain {
    type Output = Explanation;
    const VERB: &'static str = "network explain";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("network explain {}", self.target)
    }

    async fn run(self, context: JobContext) -> Result<Explanation> {
        let (name, port) = self.target.split_once(':').map_or((self.target.as_str(), None), |(name, port)| (name, Some(port)));
        let asked = port.map(port::named).transpose()?;
        let container = context.engine.container(name)?;
        context.blocking(move |context| context.engine.explanation(&container, asked)).await
    }
}
