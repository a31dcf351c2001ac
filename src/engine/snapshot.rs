//! The truth at one moment: what a screen shows.

use super::images::Image;
use super::volumes::Volume;
use super::{Engine, Result};
use crate::container::Container;
use crate::graphdb::JobRow;

/// Everything the store knows, read at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Newest first, each as it really is.
    pub containers: Vec<Container>,
    /// Newest first.
    pub images: Vec<Image>,
    /// By name.
    pub volumes: Vec<Volume>,
    /// Newest first.
    pub jobs: Vec<JobRow>,
}

impl Engine {
    /// Looks at everything.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot { containers: self.containers()?, images: self.images()?, volumes: self.volumes()?, jobs: self.jobs()? })
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
