//! `rename`: another name for a container.

use crate::container::name;
use crate::engine::{Error, Job, JobContext, Result};
use clap::Args;

/// Rename a container
#[derive(Args, Clone, Debug)]
pub struct Rename {
    /// Container
    pub container: String,
    /// Its new name
    pub name: String,
}

impl Job for Rename {
    type Output = ();
    const VERB: &'static str = "rename";

    fn title(&self) -> String {
        format!("rename {} {}", self.container, self.name)
    }

    async fn run(self, context: JobContext) -> Result<()> {
        context
            .blocking(move |context| {
                let new = self.name.trim_start_matches('/');
                name::check("container", new).map_err(Error::invalid)?;
                let mut container = context.engine.container(&self.container)?;
                let old = container.name.clone();
                if old == new {
                    return Err(Error::conflict(format!("container {} has the name {new} already", container.id.short())));
                }
                context.engine.db().rename_container(container.id.as_str(), new)?;
                new.clone_into(&mut container.name);
                context.engine.tell(&container, "rename", &[("oldName", old)]);
                Ok(())
            })
            .await
    }
}
