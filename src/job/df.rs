//! `system df`: what takes how much space.

use super::ps::Listed;
use crate::engine::images::Image;
use crate::engine::volumes::Volume;
use crate::engine::{Engine, Error, Job, JobContext, Result};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;

/// Show what takes how much space
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Df {
    /// Each image, container and volume by itself
    #[arg(short, long)]
    pub verbose: bool,
}

/// What takes how much space.
#[derive(Debug)]
pub struct Usage {
    /// By kind.
    pub spaces: Vec<Space>,
    /// Newest first.
    pub images: Vec<ImageSpace>,
    /// Newest first, each with its size.
    pub containers: Vec<Listed>,
    /// By name, each with the bytes of its files.
    pub volumes: Vec<(Volume, u64)>,
    /// What is wrong with what cannot be read and is left out.
    pub damaged: Vec<Error>,
}

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

/// An image and its space.
#[derive(Clone, Debug)]
pub struct ImageSpace {
    /// The image.
    pub image: Image,
    /// Bytes in layers that other images have, too.
    pub shared: u64,
    /// Bytes in layers that no other image has.
    pub unique: u64,
    /// How many containers were made from it.
    pub containers: usize,
}

impl Job for Df {
    type Output = Usage;
    const VERB: &'static str = "system df";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "system df".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Usage> {
        context.blocking(|context| usage(&context.engine)).await
    }
}

fn usage(engine: &Engine) -> Result<Usage> {
    let (images, mut damaged) = engine.sound_images()?;
    let (containers, others) = engine.sound_containers()?;
    damaged.extend(others);
    let graph = engine.image_graph()?;
    let space = |image: Image| {
        let node = graph.images.iter().find(|node| node.id == image.id);
        let (shared, unique) = node.map_or((0, image.size), |node| (node.shared, node.unique));
        let containers = containers.iter().filter(|container| container.image_id.as_ref() == Some(&image.id)).count();
        ImageSpace { image, shared, unique, containers }
    };
    let images: Vec<ImageSpace> = images.into_iter().map(space).collect();
    let measured = |container| {
        let (size, image_size) = (engine.container_size(&container).unwrap_or(0), engine.image_size(&container).unwrap_or(0));
        Listed { container, size: Some(size), image_size: Some(image_size), ports: Vec::new() }
    };
    let containers: Vec<Listed> = containers.into_iter().map(measured).collect();
    let volumes: Vec<(Volume, u64)> = engine.volumes()?.into_iter().map(|volume| (super::volume::size(&volume), volume)).map(|(size, v)| (v, size)).collect();
    let spaces = spaces(engine, &images, &containers, &volumes)?;
    Ok(Usage { spaces, images, containers, volumes, damaged })
}

fn spaces(engine: &Engine, images: &[ImageSpace], containers: &[Listed], volumes: &[(Volume, u64)]) -> Result<Vec<Space>> {
    let rows = engine.db().layers(engine.graph()?.name())?;
    let layers: u64 = rows.iter().map(|row| row.size.unsigned_abs()).sum();
    let active = || images.iter().filter(|image| image.containers > 0);
    let needed: BTreeSet<&str> = active().flat_map(|image| image.image.layers.iter()).map(crate::id::LayerId::as_str).collect();
    let needed: u64 = rows.iter().filter(|row| needed.contains(row.id.as_str())).map(|row| row.size.unsigned_abs()).sum();
    let measured = |kind, sizes: Vec<(bool, u64)>| Space {
        kind,
        total_count: sizes.len(),
        active: sizes.iter().filter(|(active, _)| *active).count(),
        size: sizes.iter().map(|(_, size)| size).sum(),
        reclaimable: sizes.iter().filter(|(active, _)| !active).map(|(_, size)| size).sum(),
    };
    Ok(vec![
        Space { kind: "Images", total_count: images.len(), active: active().count(), size: layers, reclaimable: layers.saturating_sub(needed) },
        measured("Containers", containers.iter().map(|one| (one.container.state.status.is_alive(), one.size.unwrap_or(0))).collect()),
        measured("Local Volumes", volumes.iter().map(|(volume, size)| (volume.users > 0, *size)).collect()),
        Space { kind: "Blobs", total_count: engine.db().used_blobs()?.len(), active: active().count(), size: engine.content_size()?, reclaimable: 0 },
    ])
}
