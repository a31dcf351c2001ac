//! `image prune`: images that nothing needs.

use super::prune::PruneFilter;
use super::volume::Pruned;
use crate::engine::{Job, JobContext, Kind, Result};
use clap::Args;

/// Remove images that have no name, or that no container uses
#[derive(Args, Clone, Debug, Default)]
pub struct ImagePrune {
    /// All that no container uses
    #[arg(short, long)]
    pub all: bool,
    /// Which of them; dangling=false is --all.
    #[command(flatten)]
    pub filter: PruneFilter,
    /// Do not ask
    #[arg(short, long)]
    pub force: bool,
}

impl Job for ImagePrune {
    type Output = Pruned;
    const VERB: &'static str = "image prune";

    fn title(&self) -> String {
        "image prune".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Pruned> {
        self.filter.check(&["until", "dangling"])?;
        let all = self.all || self.filter.flag("dangling")? == Some(false);
        context.blocking(move |context| prune(all, &self.filter, context)).await
    }
}

/// Removes the images without a name, or all that no container uses, of those that the filter means.
pub fn prune(all: bool, filter: &PruneFilter, context: &JobContext) -> Result<Pruned> {
    let engine = &context.engine;
    let before = engine.content_size()?;
    let mut pruned = Pruned::default();
    for image in engine.sound_images()?.0 {
        context.check()?;
        let used = !engine.db().containers_of_image(engine.graph()?.name(), image.id.as_str())?.is_empty();
        if used || (!all && !image.tags.is_empty()) || !filter.fits_age(image.created) || !filter.fits_labels(&image.config.labels) {
            continue;
        }
        match engine.remove_image(image.id.as_str(), true) {
            // A container was made from it meanwhile.
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) => return Err(error),
            Ok(removed) => {
                pruned.removed.extend(removed.iter().map(ToString::to_string));
                pruned.space_reclaimed += removed.iter().map(|r| r.bytes).sum::<u64>();
            }
        }
    }
    engine.collect()?;
    pruned.space_reclaimed += before.saturating_sub(engine.content_size()?);
    Ok(pruned)
}
