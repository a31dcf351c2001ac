//! Figures of all running containers and of the machine, as Prometheus reads them.
//!
//! ```text
//!  Prometheus ── GET /metrics ──► one sample of everything ──► exposition::text
//!  kapal metrics ──────────────────────┘
//! ```

pub mod exposition;
mod families;

use crate::container::Container;
use crate::engine::stats::{Detail, MachineSampler, Sampler, cgroup_path};
use crate::engine::{Engine, Result};
use exposition::{Labels, Scrape, Subject};
use std::collections::HashMap;

/// The place where it is served unless another one is named: the port that docker's own metrics have.
pub const ADDRESS: &str = "127.0.0.1:9323";

/// Of how many devices the names are remembered.
const MOST_DEVICES: usize = 1024;

/// Takes the samples. It keeps files open: one for each server is enough.
#[derive(Debug)]
pub struct Collector {
    engine: Engine,
    sampler: Sampler,
    machine: MachineSampler,
    devices: HashMap<(u32, u32), String>,
}

impl Collector {
    /// Of everything that the engine looks after.
    pub fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), sampler: engine.sampler(Detail::Full), machine: MachineSampler::open(), devices: HashMap::new() }
    }

    /// Samples everything and writes it down. It blocks, for some 50 microseconds a container.
    ///
    /// # Errors
    /// A store or cgroup files that cannot be read.
    pub fn text(&mut self) -> Result<String> {
        let containers = self.engine.containers()?;
        self.sampler.sample(&containers)?;
        let machine = self.machine.sample();
        let seen = jiff::Timestamp::now().as_duration().as_secs_f64();
        let whole = machine.sample.usage;
        let (cores, memory, swap) = (machine.processors, whole.memory.limit, whole.memory.swap_limit);
        let mut subjects = vec![Subject { labels: Labels { id: "/".to_owned(), ..Labels::default() }, usage: whole, started: None, seen, processes: None }];
        for container in &containers {
            let Some(usage) = self.sampler.of(&container.id).map(|sample| sample.usage.clone()) else { continue };
            let started = container.state.started_at.map(|moment| moment.as_duration().as_secs_f64());
            let processes = self.sampler.processes(container).ok().map(|processes| processes as u64);
            subjects.push(Subject { labels: labels(container), usage, started, seen, processes });
        }
        for device in subjects.iter().filter_map(|subject| subject.usage.devices.as_ref()).flatten() {
            if self.devices.len() >= MOST_DEVICES {
                self.devices.clear();
            }
            self.devices.entry(device.number).or_insert_with(|| name(device.number));
        }
        Ok(exposition::text(&Scrape { cores, memory, swap, subjects: &subjects, devices: &self.devices }))
    }
}

fn labels(container: &Container) -> Labels {
    Labels { id: cgroup_path(container), name: container.name.clone(), image: container.image.clone() }
}

/// A device as programs name it; its number if the kernel does not tell.
fn name((major, minor): (u32, u32)) -> String {
    let link = std::fs::read_link(format!("/sys/dev/block/{major}:{minor}"));
    let name = link.ok().and_then(|path| Some(path.file_name()?.to_str()?.replace('!', "/")));
    name.map_or_else(|| format!("{major}:{minor}"), |name| format!("/dev/{name}"))
}
