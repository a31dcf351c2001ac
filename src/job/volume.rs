//! `volume`: create, ls, inspect, rm, prune.

use super::prune::PruneFilter;
use super::rm::Several;
use super::values;
use crate::engine::volumes::Volume;
use crate::engine::{Error, Job, JobContext, Kind, Result};
use clap::Args;
use std::collections::BTreeMap;

/// The driver of volumes that are folders of the store.
const LOCAL: &str = "local";

/// Make a volume
#[derive(Args, Clone, Debug)]
pub struct VolumeCreate {
    /// Driver; local, a folder of the store, is the only one in this version
    #[arg(short, long, value_name = "NAME", default_value = LOCAL)]
    pub driver: String,
    /// Set a label
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub label: Vec<String>,
    /// Its name; one is made up if there is none
    pub name: Option<String>,
}

/// List volumes
#[derive(Args, Clone, Debug, Default)]
pub struct VolumeLs {
    /// Filter: name, label, dangling (repeatable)
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub filter: Vec<String>,
}

/// Show volumes in full
#[derive(Args, Clone, Debug)]
pub struct VolumeInspect {
    /// Volumes
    #[arg(required = true, value_name = "VOLUME")]
    pub names: Vec<String>,
}

/// Remove volumes
#[derive(Args, Clone, Debug)]
pub struct VolumeRm {
    /// One that is not there is no error
    #[arg(short, long)]
    pub force: bool,
    /// Volumes
    #[arg(required = true, value_name = "VOLUME")]
    pub names: Vec<String>,
}

/// Remove the volumes no container holds: those without a name from the user
#[derive(Args, Clone, Debug)]
pub struct VolumePrune {
    /// Those with a name too
    #[arg(short, long)]
    pub all: bool,
    /// Which of them; all=true is --all.
    #[command(flatten)]
    pub filter: PruneFilter,
    /// Do not ask
    #[arg(short, long)]
    pub force: bool,
}

/// What a prune took away.
#[derive(Clone, Debug, Default, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pruned {
    /// Names or identities.
    pub removed: Vec<String>,
    /// Bytes given back.
    pub space_reclaimed: u64,
}

impl Job for VolumeCreate {
    type Output = Volume;
    const VERB: &'static str = "volume create";

    fn title(&self) -> String {
        format!("volume create {}", self.name.as_deref().unwrap_or_default())
    }

    async fn run(self, context: JobContext) -> Result<Volume> {
        if self.driver != LOCAL {
            return Err(Error::new(Kind::Unsupported, format!("volume driver {:?} is not in this version: choose {LOCAL}", self.driver)));
        }
        let labels: BTreeMap<String, String> =
            self.label.iter().map(|text| text.split_once('=').unwrap_or((text, ""))).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let name = match self.name.filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => crate::id::ContainerId::random().map_err(|e| Error::io("no random numbers", &e))?.to_string(),
        };
        context.blocking(move |context| context.engine.create_volume(&name, &labels)).await
    }
}

impl Job for VolumeLs {
    type Output = Vec<Volume>;
    const VERB: &'static str = "volume ls";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "volume ls".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Vec<Volume>> {
        let mut volumes = context.engine.volumes()?;
        for filter in &self.filter {
            let (key, value) = values::pair("--filter", filter)?;
            match key {
                "name" => volumes.retain(|v| v.name.contains(value)),
                "dangling" => volumes.retain(|v| (v.users == 0) == matches!(value, "true" | "1")),
                "label" => volumes.retain(|v| match value.split_once('=') {
                    Some((k, expected)) => v.labels.get(k).is_some_and(|found| found == expected),
                    None => v.labels.contains_key(value),
                }),
                _ => return Err(Error::invalid(format!("invalid filter key {key:?}: expected name, label or dangling"))),
            }
        }
        Ok(volumes)
    }
}

impl Job for VolumeInspect {
    /// Those found, and why the others were not.
    type Output = (Vec<Volume>, Vec<Error>);
    const VERB: &'static str = "volume inspect";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("volume inspect {}", self.names.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<(Vec<Volume>, Vec<Error>)> {
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        for name in &self.names {
            match context.engine.volume(name) {
                Ok(volume) => found.push(volume),
                Err(error) => failed.push(error),
            }
        }
        Ok((found, failed))
    }
}

impl Job for VolumeRm {
    type Output = Several;
    const VERB: &'static str = "volume rm";

    fn title(&self) -> String {
        format!("volume rm {}", self.names.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Several> {
        context
            .blocking(move |context| {
                let mut several = Several::default();
                for name in &self.names {
                    let result = match context.engine.remove_volume(name) {
                        Err(error) if self.force && error.kind == Kind::NotFound => Ok(()),
                        other => other,
                    };
                    several.add(name, result);
                }
                Ok(several)
            })
            .await
    }
}

impl Job for VolumePrune {
    type Output = Pruned;
    const VERB: &'static str = "volume prune";

    fn title(&self) -> String {
        "volume prune".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Pruned> {
        self.filter.check(&["all"])?;
        let all = self.all || self.filter.flag("all")? == Some(true);
        context.blocking(move |context| prune(all, &self.filter, context)).await
    }
}

/// Removes the volumes no container holds, the anonymous ones or all, of those that the filter means.
pub fn prune(all: bool, filter: &PruneFilter, context: &JobContext) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    for volume in context.engine.volumes()?.into_iter().filter(|v| v.users == 0 && (all || v.anonymous) && filter.fits_labels(&v.labels)) {
        context.check()?;
        let size = size(&volume);
        match context.engine.remove_volume(&volume.name) {
            // A container took it meanwhile.
            Err(error) if error.kind == Kind::Conflict => {}
            other => {
                other?;
                pruned.space_reclaimed += size;
                pruned.removed.push(volume.name);
            }
        }
    }
    Ok(pruned)
}

/// Bytes of a volume's files.
pub fn size(volume: &Volume) -> u64 {
    crate::engine::files::tree_size(std::path::Path::new(&volume.mountpoint))
}
