//! What running containers use, sampled by whoever shows it.
//!
//! The kernel counts; the execdriver's meters read what it counted; a rate is the difference of two samples over the
//! monotonic time between them, and belongs to whoever took both.

use super::recovery::exec_driver;
use super::{Engine, Error, Result};
use crate::container::Container;
use crate::execdriver::{ExecDriver, Meter, Usage};
use crate::id::ContainerId;
use std::collections::{HashMap, HashSet};
use std::io;
use std::time::{Duration, Instant};

/// Of how many containers the meters stay open: each holds half a dozen descriptors of the 1024 a process commonly may
/// have. Those of others are opened for each sample, which costs a few microseconds more.
const KEPT: usize = 100;

/// One container's use at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, on the monotonic clock.
    pub at: Instant,
    /// What it used.
    pub usage: Usage,
}

/// What happened between two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Between them.
    pub over: Duration,
    /// Processors that were busy with it: 1.0 is one, all the time. `None` if that is not counted, or it started anew.
    pub cpu: Option<f64>,
}

impl Sample {
    /// What happened since `previous`, an earlier sample of the same container; `None` if no time has passed.
    pub fn rate(&self, previous: &Self) -> Option<Rate> {
        let over = self.at.checked_duration_since(previous.at).filter(|over| !over.is_zero())?;
        let busy = self.usage.cpu.zip(previous.usage.cpu).and_then(|(now, then)| now.checked_sub(then));
        Some(Rate { over, cpu: busy.map(|nanos| nanos as f64 / over.as_nanos() as f64) })
    }
}

/// Takes samples of all running containers.
pub struct Sampler {
    engine: Engine,
    /// By cgroup parent: containers may be below different ones.
    drivers: HashMap<String, Box<dyn ExecDriver>>,
    meters: HashMap<ContainerId, Box<dyn Meter>>,
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sampler({} meters)", self.meters.len())
    }
}

impl Engine {
    /// A sampler. It keeps files open: one for each screen is enough.
    pub fn sampler(&self) -> Sampler {
        Sampler { engine: self.clone(), drivers: HashMap::new(), meters: HashMap::new() }
    }
}

impl Sampler {
    /// A sample of each container of the list that runs, in its order. One that ends meanwhile is left out.
    ///
    /// It blocks, for some ten microseconds a container.
    ///
    /// # Errors
    /// Cgroup files that are there and cannot be read.
    pub fn sample(&mut self, containers: &[Container]) -> Result<Vec<(ContainerId, Sample)>> {
        let running: Vec<&Container> = containers.iter().filter(|container| container.state.status.is_alive()).collect();
        let known: HashSet<&ContainerId> = running.iter().map(|container| &container.id).collect();
        self.meters.retain(|id, _| known.contains(id));
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
        if let Some(meter) = self.meters.get(&container.id) {
            if let Some(usage) = meter.read()? {
                return Ok(Some(usage));
            }
            // Started again since: its cgroup is another one.
            self.meters.remove(&container.id);
        }
        let parent = &container.host_config.cgroup_parent;
        if !self.drivers.contains_key(parent) {
            self.drivers.insert(parent.clone(), exec_driver(container, self.engine.place())?);
        }
        let Some(Some(meter)) = self.drivers.get(parent).map(|driver| driver.meter(&container.id)).transpose()? else { return Ok(None) };
        let usage = meter.read()?;
        if usage.is_some() && self.meters.len() < KEPT {
            self.meters.insert(container.id.clone(), meter);
        }
        Ok(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_monotonic_time() {
        let at = Instant::now();
        let sample = |seconds: u64, cpu: Option<u64>| Sample { at: at + Duration::from_secs(seconds), usage: Usage { cpu, ..Usage::default() } };
        let rate = sample(4, Some(3_000_000_000)).rate(&sample(2, Some(0))).unwrap();
        assert!(rate.cpu.is_some_and(|cpu| (cpu - 1.5).abs() < 1e-9) && rate.over == Duration::from_secs(2), "{rate:?}");
        assert_eq!(sample(4, Some(1)).rate(&sample(2, Some(7))).unwrap().cpu, None, "it started anew");
        assert_eq!(sample(4, Some(1)).rate(&sample(2, None)).unwrap().cpu, None, "not counted");
        assert_eq!(sample(2, Some(1)).rate(&sample(2, Some(1))), None);
        assert_eq!(sample(1, Some(1)).rate(&sample(2, Some(1))), None, "the wrong way round");
    }
}
