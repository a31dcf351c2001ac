//! `image extract`: one file out of a layer.

use crate::engine::{Job, JobContext, Result};
use clap::Args;
use std::path::{Path, PathBuf};

/// Copy a file out of one layer of an image, as it is there, whatever the layers above it say
#[derive(Args, Clone, Debug)]
pub struct Extract {
    /// The layer, by its id or the beginning of just one's (`kapal graph` shows them)
    pub layer: String,
    /// The file's path in it
    pub path: String,
    /// A path of this machine, where nothing is yet
    pub target: PathBuf,
}

impl Job for Extract {
    /// Bytes copied.
    type Output = u64;
    const VERB: &'static str = "image extract";

    fn title(&self) -> String {
        format!("image extract {} {} {}", self.layer, self.path, self.target.display())
    }

    async fn run(self, context: JobContext) -> Result<u64> {
        context
            .blocking(move |context| {
                let layer = context.engine.layer(&self.layer)?;
                context.engine.extract_layer_file(&layer, Path::new(self.path.trim_start_matches('/')), &self.target)
            })
            .await
    }
}
