//! `system df`, `system prune`, `system check` and `container prune`: the store looked after.

use super::volume::Pruned;
use crate::container::Status;
use crate::engine::{Job, JobContext, Kind, Result};
use clap::Args;
use serde::Serialize;

/// Show what takes how much space
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Df {}

/// One kind of thing and its space.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Space {
    /// `Images`, `Containers`, `Local Volumes` …
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// How many.
    pub total_count: usize,
    /// How many are in use.
    pub active: usize,
    /// Bytes.
    pub size: u64,
    /// Bytes that a prune would give back.
    pub reclaimable: u64,
}

impl Job for Df {
    type Output = Vec<Space>;
    const VERB: &'static str = "system df";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "system df".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Vec<Space>> {
        context.blocking(spaces).await
    }
}

fn spaces(context: &JobContext) -> Result<Vec<Space>> {
    let engine = &context.engine;
    let driver = engine.graph()?.name();
    let images = engine.images()?;
    let containers = engine.containers()?;
    let used = |id: &crate::id::ImageId| containers.iter().any(|c| c.image_id.as_ref() == Some(id));
    let layers: u64 = engine.db().layers(driver)?.iter().map(|layer| layer.size.unsigned_abs()).sum();
    let needed: std::collections::BTreeSet<_> = images.iter().filter(|image| used(&image.id)).flat_map(|image| image.layers.iter()).collect();
    let needed: u64 = engine.db().layers(driver)?.iter().filter(|row| needed.iter().any(|id| id.as_str() == row.id)).map(|row| row.size.unsigned_abs()).sum();
    let mut sizes = Vec::new();
    for container in &containers {
        sizes.push((container.state.status.is_alive(), engine.container_size(container).unwrap_or(0)));
    }
    let volumes = engine.volumes()?;
    let volume_sizes: Vec<(bool, u64)> = volumes.iter().map(|v| (v.users > 0, super::volume::size(v))).collect();
    let blobs = engine.content_size()?;
    let sum = |sizes: &[(bool, u64)], all: bool| sizes.iter().filter(|(active, _)| all || !active).map(|(_, size)| size).sum();
    Ok(vec![
        Space {
            kind: "Images",
            total_count: images.len(),
            active: images.iter().filter(|image| used(&image.id)).count(),
            size: layers,
            reclaimable: layers.saturating_sub(needed),
        },
        Space {
            kind: "Containers",
            total_count: sizes.len(),
            active: sizes.iter().filter(|s| s.0).count(),
            size: sum(&sizes, true),
            reclaimable: sum(&sizes, false),
        },
        Space {
            kind: "Local Volumes",
            total_count: volumes.len(),
            active: volumes.iter().filter(|v| v.users > 0).count(),
            size: sum(&volume_sizes, true),
            reclaimable: sum(&volume_sizes, false),
        },
        Space {
            kind: "Blobs",
            total_count: engine.db().used_blobs()?.len(),
            active: images.iter().filter(|image| used(&image.id)).count(),
            size: blobs,
            reclaimable: 0,
        },
    ])
}

/// Remove all containers that do not run
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ContainerPrune {}

impl Job for ContainerPrune {
    type Output = Pruned;
    const VERB: &'static str = "container prune";

    fn title(&self) -> String {
        "container prune".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Pruned> {
        containers(&context).await
    }
}

async fn containers(context: &JobContext) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    for container in context.engine.containers()? {
        context.check()?;
        if !matches!(container.state.status, Status::Created | Status::Exited | Status::Removing) {
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

/// Remove stopped containers, unused images and volumes
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct SystemPrune {
    /// All images that no container uses, not the unnamed ones alone
    #[arg(short, long)]
    pub all: bool,
    /// Anonymous volumes that no container holds too
    #[arg(long)]
    pub volumes: bool,
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
        let mut pruned = containers(&context).await?;
        context
            .blocking(move |context| {
                let mut parts = vec![super::image_prune::prune(self.all, context)?];
                if self.volumes {
                    parts.push(super::volume::prune(false, context)?);
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
