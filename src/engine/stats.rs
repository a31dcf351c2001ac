//! What running containers use, sampled by whoever shows it.
//!
//! The kernel counts; the execdriver's meters read what it counted; a rate belongs to whoever took two samples.

use super::recovery::{cgroup_parent, exec_driver};
use super::{Engine, Error, Result};
use crate::container::{Container, NetworkMode};
pub use crate::execdriver::machine::{Machine, MachineSampler};
pub use crate::execdriver::rate::{Rate, Sample, Share};
use crate::execdriver::{ExecDriver, Meter, Usage, make_room};
use crate::id::ContainerId;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Instant;

/// Takes samples of all running containers.
pub struct Sampler {
    engine: Engine,
    /// By cgroup parent: containers may be below different ones.
    drivers: HashMap<String, Box<dyn ExecDriver>>,
    /// With the first process that the container had when it was opened.
    meters: HashMap<ContainerId, (i32, Box<dyn Meter>)>,
    /// For how many meters there are descriptors. Those of more containers are opened for each sample, which costs four times
    /// as much.
    room: usize,
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sampler({} meters)", self.meters.len())
    }
}

impl Engine {
    /// A sampler. It keeps files open: one for each screen is enough.
    pub fn sampler(&self) -> Sampler {
        Sampler { engine: self.clone(), drivers: HashMap::new(), meters: HashMap::new(), room: 0 }
    }

    /// A sampler of the whole machine.
    #[allow(clippy::unused_self)] // an engine elsewhere would have another machine
    pub fn machine_sampler(&self) -> MachineSampler {
        MachineSampler::open()
    }
}

impl Sampler {
    /// A sample of each container of the list that runs, in its order. One that ends meanwhile is left out.
    ///
    /// It blocks, for some 25 microseconds a container, four times as many the first time. The limit of descriptors of this process
    /// is raised as needed.
    ///
    /// # Errors
    /// Cgroup files that are there and cannot be read.
    pub fn sample(&mut self, containers: &[Container]) -> Result<Vec<(ContainerId, Sample)>> {
        let running: Vec<&Container> = containers.iter().filter(|container| container.state.status.is_alive()).collect();
        let known: HashSet<&ContainerId> = running.iter().map(|container| &container.id).collect();
        self.meters.retain(|id, _| known.contains(id));
        if running.len() > self.room {
            self.room = make_room(running.len());
        }
        let mut samples = Vec::with_capacity(running.len());
        for container in running {
            let usage = self.read(container).map_err(|e| Error::io(format_args!("cannot tell what container {} uses", container.name), &e))?;
            if let Some(usage) = usage {
                samples.push((container.id.clone(), Sample { at: Instant::now(), usage }));
            }
        }
        Ok(samples)
    }

    fn read(&mut self, container: &Container) -> io::Result<Option<Usage>> {
        let mut usage = Usage::default();
        if let Some((pid, meter)) = self.meters.get_mut(&container.id) {
            if *pid == container.state.pid && meter.read(&mut usage)? {
                return Ok(Some(usage));
            }
            // Started again since: its cgroup and its namespaces are others.
            self.meters.remove(&container.id);
        }
        let network = matches!(container.host_config.network_mode, NetworkMode::None | NetworkMode::Networks(_)).then_some(container.state.pid);
        let Some(mut meter) = self.driver(container)?.meter(&container.id, network)? else { return Ok(None) };
        if !meter.read(&mut usage)? {
            return Ok(None);
        }
        if self.meters.len() < self.room {
            self.meters.insert(container.id.clone(), (container.state.pid, meter));
        }
        Ok(Some(usage))
    }

    /// The driver of a container's cgroup.
    fn driver(&mut self, container: &Container) -> io::Result<&dyn ExecDriver> {
        let driver = match self.drivers.entry(cgroup_parent(container).to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(exec_driver(container, self.engine.place())?),
        };
        Ok(&**driver)
    }

    /// How many processes a container has, of which each may have many threads.
    ///
    /// # Errors
    /// Cgroup files that are there and cannot be read.
    pub fn processes(&mut self, container: &Container) -> Result<usize> {
        let count = self.driver(container).and_then(|driver| driver.processes(&container.id)).map(|processes| processes.len());
        count.map_err(|e| Error::io(format_args!("cannot count the processes of container {}", container.name), &e))
    }
}

/// A container's cgroup, below each hierarchy.
pub fn cgroup_path(container: &Container) -> String {
    format!("/{}/{}", cgroup_parent(container).trim_matches('/'), container.id)
}
