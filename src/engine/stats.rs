//! What running containers use, sampled by whoever shows it.
//!
//! The kernel counts; the execdriver's meters read what it counted; a rate belongs to whoever took two samples.

use super::recovery::{cgroup_parent, exec_driver};
use super::{Engine, Error, Result};
use crate::container::{Container, NetworkMode};
pub use crate::execdriver::Detail;
pub use crate::execdriver::machine::{Machine, MachineSampler};
pub use crate::execdriver::rate::{Rate, Sample, Share};
use crate::execdriver::{ExecDriver, Meter, Usage, make_room};
use crate::id::ContainerId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::time::Instant;

/// Takes samples of all running containers, and keeps the last two of each. Once it knows them, a sample allocates nothing.
pub struct Sampler {
    engine: Engine,
    detail: Detail,
    /// By cgroup parent: containers may be below different ones.
    drivers: HashMap<String, Box<dyn ExecDriver>>,
    watched: HashMap<ContainerId, Watched>,
    /// For how many meters there are descriptors. Those of more containers are opened for each sample, which costs four times
    /// as much.
    room: usize,
    /// The number of the last sample.
    round: u64,
}

/// A container that is looked at.
struct Watched {
    /// Its life, by the first process and when it was started: in another one its counters are others.
    life: (i32, Option<jiff::Timestamp>),
    /// `None` if there was no room for its files.
    meter: Option<Box<dyn Meter>>,
    now: Sample,
    before: Option<Sample>,
    /// The sample in which it was seen last.
    round: u64,
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sampler({} containers)", self.watched.len())
    }
}

impl Engine {
    /// A sampler. It keeps files open: one for each screen is enough.
    pub fn sampler(&self, detail: Detail) -> Sampler {
        Sampler { engine: self.clone(), detail, drivers: HashMap::new(), watched: HashMap::new(), room: 0, round: 0 }
    }
}

impl Sampler {
    /// Takes a sample of each container of the list that runs; how many there are. One that ends meanwhile is left out.
    ///
    /// It blocks, for some 35 microseconds a container, four times as many the first time. The limit of descriptors of this process
    /// is raised as needed.
    ///
    /// # Errors
    /// Cgroup files that are there and cannot be read, the first of them; of all others there is a sample.
    pub fn sample(&mut self, containers: &[Container]) -> Result<usize> {
        let running = || containers.iter().filter(|container| container.state.status.is_alive());
        let count = running().count();
        if count > self.room {
            self.room = make_room(count);
        }
        self.round += 1;
        let (mut found, mut fault) = (0, None);
        for container in running() {
            match self.read(container) {
                Ok(there) => found += usize::from(there),
                Err(error) => _ = fault.get_or_insert((&container.name, error)),
            }
        }
        let round = self.round;
        self.watched.retain(|_, watched| watched.round == round);
        match fault {
            Some((name, error)) => Err(Error::io(format_args!("cannot tell what container {name} uses"), &error)),
            None => Ok(found),
        }
    }

    /// What a container used when the last sample was taken; `None` if it was not in it.
    pub fn of(&self, id: &ContainerId) -> Option<&Sample> {
        self.seen(id).map(|watched| &watched.now)
    }

    /// What happened in a container between the last two samples; `None` if it was not in both, or was started anew between them.
    pub fn rate(&self, id: &ContainerId) -> Option<Rate> {
        let watched = self.seen(id)?;
        watched.now.rate(watched.before.as_ref()?)
    }

    fn seen(&self, id: &ContainerId) -> Option<&Watched> {
        self.watched.get(id).filter(|watched| watched.round == self.round)
    }

    /// Whether the container was there to be read.
    fn read(&mut self, container: &Container) -> io::Result<bool> {
        let (life, round) = ((container.state.pid, container.state.started_at), self.round);
        if let Some(watched) = self.watched.get_mut(&container.id).filter(|watched| watched.life == life)
            && let Some(meter) = &mut watched.meter
        {
            let mut usage = watched.before.take().map(|old| old.usage).unwrap_or_default();
            if meter.read(&mut usage)? {
                watched.before = Some(std::mem::replace(&mut watched.now, Sample { at: Instant::now(), usage }));
                watched.round = round;
                return Ok(true);
            }
        }
        // Not seen before, or started again since: its cgroup and its namespaces are others.
        let before = self.watched.remove(&container.id).filter(|watched| watched.life == life && watched.meter.is_none());
        let network = matches!(container.host_config.network_mode, NetworkMode::None | NetworkMode::Networks(_)).then_some(life.0);
        let detail = self.detail;
        let Some(mut meter) = self.driver(container)?.meter(&container.id, network, detail)? else { return Ok(false) };
        let mut usage = Usage::default();
        if !meter.read(&mut usage)? {
            return Ok(false);
        }
        let now = Sample { at: Instant::now(), usage };
        let meter = (self.watched.len() < self.room).then_some(meter);
        self.watched.insert(container.id.clone(), Watched { life, meter, now, before: before.map(|watched| watched.now), round });
        Ok(true)
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
