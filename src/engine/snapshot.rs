//! The truth at one moment: what a screen shows.

use super::images::Image;
use super::network::Berths;
use super::volumes::Volume;
use super::{Engine, Result};
use crate::container::Container;
use crate::graphdb::JobRow;

/// Everything the store knows, read at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When.
    pub taken: jiff::Timestamp,
    /// The graphdriver in use; images are its own, containers keep to the one they were made with.
    pub driver: &'static str,
    /// Newest first, each as it really is.
    pub containers: Vec<Container>,
    /// Newest first.
    pub images: Vec<Image>,
    /// By name.
    pub volumes: Vec<Volume>,
    /// By name, with who is on them.
    pub networks: Vec<Berths>,
    /// Newest first.
    pub jobs: Vec<JobRow>,
    /// What is damaged in the store and therefore in none of these lists, a sentence each.
    pub damaged: Vec<String>,
}

impl Snapshot {
    /// The image that a container was made from; `None` for the host image, and for one that was removed by force.
    pub fn image_of(&self, container: &Container) -> Option<&Image> {
        let id = container.image_id.as_ref()?;
        self.images.iter().find(|image| image.id == *id)
    }

    /// The containers made from an image, newest first.
    pub fn users_of(&self, image: &Image) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| container.driver == self.driver && container.image_id.as_ref() == Some(&image.id))
    }

    /// The containers that hold a volume, newest first.
    pub fn holders_of(&self, volume: &Volume) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| container.host_config.mounts.iter().any(|mount| mount.name.as_deref() == Some(&volume.name)))
    }
}

impl Engine {
    /// Looks at everything; one damaged row is no reason to show nothing. It blocks, for a few milliseconds.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let driver = self.graph()?.name();
        let (containers, mut damaged) = self.sound_containers()?;
        let (images, others) = self.sound_images()?;
        damaged.extend(others);
        Ok(Snapshot {
            taken: jiff::Timestamp::now(),
            driver,
            containers,
            images,
            volumes: self.volumes()?,
            networks: self.berths()?,
            jobs: self.jobs()?,
            damaged: damaged.into_iter().map(|error| error.message).collect(),
        })
    }

    /// All jobs, newest first; one whose process is gone without a word is told as lost.
    pub fn jobs(&self) -> Result<Vec<JobRow>> {
        let mut jobs = self.db().jobs()?;
        for job in &mut jobs {
            if job.state == "running" && !super::process::is_alive(job.pid as i32, job.pid_start as u64) {
                "lost".clone_into(&mut job.state);
                "its process ended before it did".clone_into(&mut job.error);
            }
        }
        Ok(jobs)
    }
}
