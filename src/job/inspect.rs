//! `inspect`: containers, images, networks or volumes in full.

use crate::container::Container;
use crate::engine::images::Image;
use crate::engine::network::{self, Berths};
use crate::engine::volumes::Volume;
use crate::engine::{Error, Job, JobContext, Kind, Result};
use clap::Args;

/// Show containers, images, networks or volumes in full
#[derive(Args, Clone, Debug, Default)]
pub struct Inspect {
    /// Only things of this type: container, image, network or volume
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// With sizes of containers
    #[arg(short, long)]
    pub size: bool,
    /// Names or identities
    #[arg(required = true, value_name = "NAME|ID")]
    pub names: Vec<String>,
}

/// What was found under a name.
#[derive(Clone, Debug)]
pub enum Found {
    /// A container, with the bytes in its writable layer if asked for.
    Container(Box<Container>, Option<u64>),
    /// An image.
    Image(Box<Image>),
    /// A network, with who is on it.
    Network(Box<Berths>),
    /// A volume.
    Volume(Volume),
}

impl Job for Inspect {
    type Output = (Vec<Found>, Vec<Error>);
    const VERB: &'static str = "inspect";
    const KEPT: bool = false;

    fn title(&self) -> String {
        format!("inspect {}", self.names.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<(Vec<Found>, Vec<Error>)> {
        if let Some(other) = self.kind.as_deref().filter(|kind| !["container", "image", "network", "volume"].contains(kind)) {
            return Err(Error::invalid(format!("--type {other:?}: expected container, image, network or volume")));
        }
        context
            .blocking(move |context| {
                let mut found = Vec::new();
                let mut failed = Vec::new();
                for name in &self.names {
                    match find(&self, name, context) {
                        Ok(thing) => found.push(thing),
                        Err(error) => failed.push(error),
                    }
                }
                Ok((found, failed))
            })
            .await
    }
}

fn find(job: &Inspect, name: &str, context: &JobContext) -> Result<Found> {
    let engine = &context.engine;
    let container = || {
        let container = engine.container(name)?;
        let size = if job.size { Some(engine.container_size(&container)?) } else { None };
        Ok(Found::Container(Box::new(container), size))
    };
    let image = || engine.image(name).map(|image| Found::Image(Box::new(image)));
    let network = || Ok(Found::Network(Box::new(network::find(&engine.all_berths()?, name)?.clone())));
    let volume = || engine.volume(name).map(Found::Volume);
    match job.kind.as_deref() {
        Some("container") => container(),
        Some("image") => image(),
        Some("network") => network(),
        Some("volume") => volume(),
        _ => {
            for find in [&container as &dyn Fn() -> Result<Found>, &image, &network, &volume] {
                match find() {
                    Err(error) if matches!(error.kind, Kind::NotFound | Kind::Invalid) => {}
                    other => return other,
                }
            }
            Err(Error::not_found(format!("no such container, image, network or volume: {}", crate::engine::containers::shown(name))))
        }
    }
}
