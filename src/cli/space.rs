//! `system df`: what takes how much space, by kind or each thing by itself.

use super::face::Face;
use super::perform::{run, warn};
use super::rows;
use super::verb::{Shape, Showing};
use crate::engine::{Engine, Result};
use crate::job::df::{Df, Usage};
use jiff::Timestamp;
use serde_json::{Value, json};

/// `system df`.
pub async fn df(verb: Showing<Df>, engine: &Engine, face: &mut Face) -> Result<i32> {
    let Showing { job, format } = verb;
    let verbose = job.verbose;
    let usage = run(job, engine, face).await?;
    warn(face, &usage.damaged)?;
    if verbose {
        each(&usage, format.format.as_deref(), face)?;
    } else {
        let shape = Shape { format: format.format, ..Shape::default() };
        face.list(&shape, usage.spaces.iter().map(rows::space).collect(), rows::SPACES, "Type")?;
    }
    Ok(0)
}

fn each(usage: &Usage, format: Option<&str>, face: &mut Face) -> Result<()> {
    let now = Timestamp::now();
    let images: Vec<Value> = usage.images.iter().map(|image| rows::image_space(image, now)).collect();
    let containers: Vec<Value> = usage.containers.iter().map(|listed| rows::container_space(listed, now)).collect();
    let volumes: Vec<Value> = usage.volumes.iter().map(|(volume, bytes)| rows::volume_space(volume, *bytes)).collect();
    let parts =
        [("Images", &images, rows::IMAGE_SPACES), ("Containers", &containers, rows::CONTAINER_SPACES), ("Local Volumes", &volumes, rows::VOLUME_SPACES)];
    let whole = json!({ "Images": images, "Containers": containers, "Volumes": volumes });
    if let Some(format) = format {
        face.formatted(format, std::slice::from_ref(&whole), &[])?;
    } else {
        for (at, (title, rows, columns)) in parts.into_iter().enumerate() {
            face.say(&format!("{}{title} space usage:\n", if at == 0 { "" } else { "\n" }))?;
            face.table(rows, columns)?;
        }
    }
    face.give(whole);
    Ok(())
}
