//! `tag`: another name for an image.

use crate::engine::{Job, JobContext, Result};
use clap::Args;

/// Give an image another name
#[derive(Args, Clone, Debug)]
pub struct Tag {
    /// Image
    pub source: String,
    /// New name, as NAME:TAG
    pub target: String,
}

impl Job for Tag {
    type Output = ();
    const VERB: &'static str = "tag";

    fn title(&self) -> String {
        format!("tag {} {}", self.source, self.target)
    }

    async fn run(self, context: JobContext) -> Result<()> {
        context
            .blocking(move |context| {
                let target = crate::engine::images::new_tag(&self.target)?;
                let image = context.engine.image(&self.source)?;
                context.engine.db().set_tag(context.engine.graph()?.name(), &target.to_string(), image.id.as_str(), false)?;
                context.engine.tell_of("image", "tag", image.id.as_str(), &target.familiar());
                Ok(())
            })
            .await
    }
}
