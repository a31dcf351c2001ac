//! `system prune`, `system check` and `container prune`: the store looked after.

use super::prune::PruneFilter;
use super::volume::Pruned;
use crate::container::Status;
use crate::engine::{Error, Job, JobContext, Kind, Result};
use clap::Args;

/// Remove all containers that do not run
#[derive(Args, Clone, Debug, Default)]
pub struct ContainerPrune {
    /// Which of them.
    #[command(flatten)]
    pub filter: PruneFilter,
}

impl Job for ContainerPrune {
    type Output = Pruned;
    const VERB: &'static str = "container prune";

    fn title(&self) -> String {
        "container prune".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Pruned> {
        self.filter.check(&["until"])?;
        containers(&self.filter, &context).await
    }
}

async fn containers(filter: &PruneFilter, context: &JobContext) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    for container in context.engine.sound_containers()?.0 {
        context.check()?;
        let ended = matches!(container.state.status, Status::Created | Status::Exited | Status::Removing);
        if !ended || !filter.fits_age(Some(container.created)) || !filter.fits_labels(&container.config.labels) {
            continue;
        }
        let size = context.engine.container_size(&container).unwrap_or(0);
        match context.engine.remove(&container, false, false).await {
            // Someone started or removed it meanwhile.
            Err(error) if matches!(error.kind, Kind::Conflict | Kind::NotFound) => {}
            Err(error) => return Err(error),
            Ok(()) => {
                pruned.removed.push(container.id.to_string());
                pruned.space_reclaimed += size;
            }
        }
    }
    Ok(pruned)
}

/// Remove stopped containers, unused networks, images and volumes
#[derive(Args, Clone, Debug, Default)]
pub struct SystemPrune {
    /// All images that no container uses, not the unnamed ones alone
    #[arg(short, long)]
    pub all: bool,
    /// Anonymous volumes that no container holds too
    #[arg(long)]
    pub volumes: bool,
    /// Which of them.
    #[command(flatten)]
    pub filter: PruneFilter,
    /// Do not ask
    #[arg(short, long)]
    pub force: bool,
}

impl Job for SystemPrune {
    type Output = Pruned;
    const VERB: &'static str = "system prune";

    fn title(&self) -> String {
        "system prune".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Pruned> {
        self.filter.check(&["until"])?;
        if self.volumes && self.filter.moments().next().is_some() {
            return Err(Error::invalid("--filter until and --volumes exclude each other: a volume is as old as what it is used for"));
        }
        let mut pruned = containers(&self.filter, &context).await?;
        context
            .blocking(move |context| {
                let mut parts = vec![super::network::prune(&self.filter, context)?, super::image_prune::prune(self.all, &self.filter, context)?];
                if self.volumes {
                    parts.push(super::volume::prune(false, &self.filter, context)?);
                }
                for part in parts {
                    pruned.removed.extend(part.removed);
                    pruned.space_reclaimed += part.space_reclaimed;
                }
                Ok(pruned)
            })
            .await
    }
}

/// Say whether the store is consistent, a line for each fault
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Check {
    /// Mend what can be mended
    #[arg(long)]
    pub repair: bool,
    /// Read every blob again and compare digests
    #[arg(long)]
    pub deep: bool,
}

impl Job for Check {
    /// The faults that are left, a sentence each, and those mended.
    type Output = crate::engine::check::Report;
    const VERB: &'static str = "system check";

    fn title(&self) -> String {
        "system check".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<crate::engine::check::Report> {
        context.blocking(move |context| context.engine.check(self.repair, self.deep)).await
    }
}
