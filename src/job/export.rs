//! `export`: a container's files as a tar archive.

use crate::engine::{Error, Job, JobContext, Result};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// Write a container's files as a tar archive
#[derive(Args, Clone, Debug)]
pub struct Export {
    /// File in place of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Container
    pub container: String,
}

impl Job for Export {
    type Output = ();
    const VERB: &'static str = "export";

    fn title(&self) -> String {
        format!("export {}", self.container)
    }

    async fn run(self, context: JobContext) -> Result<()> {
        context
            .blocking(move |context| {
                let container = context.engine.container(&self.container)?;
                let mut output = super::archive::Target::open(self.output.as_deref(), context)?;
                let result =
                    context.engine.export(&container, &mut output).and_then(|()| output.flush().map_err(|e| Error::io("cannot write the archive", &e)));
                output.finish(result)
            })
            .await
    }
}
