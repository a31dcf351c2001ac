//! `graph`: how images share their layers.

use crate::engine::graph::ImageGraph;
use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Show how images share their layers
#[derive(Args, Clone, Debug, Default)]
pub struct Graph {
    /// Only these images
    #[arg(value_name = "IMAGE")]
    pub images: Vec<String>,
}

impl Job for Graph {
    type Output = ImageGraph;
    const VERB: &'static str = "graph";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("graph {}", self.images.join(" ")).trim_end().to_owned()
    }

    async fn run(self, context: JobContext) -> Result<ImageGraph> {
        let look = move |context: &JobContext| {
            let wanted = self.images.iter().map(|text| Ok(context.engine.image(text)?.id)).collect::<Result<Vec<_>>>()?;
            let graph = context.engine.image_graph()?;
            Ok(if wanted.is_empty() { graph } else { graph.only(&wanted) })
        };
        context.blocking(look).await
    }
}
