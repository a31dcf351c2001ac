//! `info`: what this machine and this store are.

use crate::engine::{Job, JobContext, Result};
use clap::Args;
use serde::Serialize;

/// Show what this machine and this store are
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Info {}

/// This machine and this store.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Infos {
    /// All containers.
    pub containers: usize,
    /// Those that run.
    pub containers_running: usize,
    /// Those that are frozen.
    pub containers_paused: usize,
    /// Those that ended or never began.
    pub containers_stopped: usize,
    /// All images.
    pub images: usize,
    /// The graphdriver in use.
    pub driver: String,
    /// Drivers passed over, and why.
    pub driver_passed_over: Vec<String>,
    /// The networkdrivers there are.
    pub network_drivers: Vec<&'static str>,
    /// The execdriver in use.
    pub exec_driver: &'static str,
    /// `v1`, `v2` or `hybrid`.
    pub cgroup_version: String,
    /// The kernel's release.
    pub kernel_version: String,
    /// The distribution.
    pub operating_system: String,
    /// The machine.
    pub architecture: String,
    /// Processors.
    #[serde(rename = "NCPU")]
    pub cpus: usize,
    /// Bytes of memory.
    pub mem_total: u64,
    /// The store.
    pub root: String,
    /// Its run-time files.
    pub run_root: String,
    /// Of kapal.
    pub server_version: &'static str,
    /// The host name.
    pub name: String,
    /// What is missing here, in the way or damaged in the store, a line each.
    pub warnings: Vec<String>,
}

impl Job for Info {
    type Output = Infos;
    const VERB: &'static str = "info";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "info".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<Infos> {
        context.blocking(infos).await
    }
}

fn infos(context: &JobContext) -> Result<Infos> {
    use crate::container::Status;
    let engine = &context.engine;
    let (containers, mut damaged) = engine.sound_containers()?;
    let (images, others) = engine.sound_images()?;
    damaged.extend(others);
    let count = |wanted: &[Status]| containers.iter().filter(|c| wanted.contains(&c.state.status)).count();
    let system = rustix::system::uname();
    let machine = engine.machine();
    Ok(Infos {
        containers: containers.len(),
        containers_running: count(&[Status::Running, Status::Restarting]),
        containers_paused: count(&[Status::Paused]),
        containers_stopped: count(&[Status::Created, Status::Exited, Status::Removing]),
        images: images.len(),
        driver: engine.graph()?.name().to_owned(),
        driver_passed_over: engine.passed_over()?.iter().map(|(name, why)| format!("{name}: {why}")).collect(),
        network_drivers: vec!["bridge", "host", "null"],
        exec_driver: "native",
        cgroup_version: machine.cgroup,
        kernel_version: system.release().to_string_lossy().into_owned(),
        operating_system: machine.distribution,
        architecture: system.machine().to_string_lossy().into_owned(),
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        mem_total: rustix::system::sysinfo().totalram as u64 * u64::from(rustix::system::sysinfo().mem_unit),
        root: engine.place().root.display().to_string(),
        run_root: engine.place().run_root.display().to_string(),
        server_version: env!("CARGO_PKG_VERSION"),
        name: system.nodename().to_string_lossy().into_owned(),
        warnings: machine.warnings.into_iter().chain(engine.obstacle_warnings()).chain(damaged.into_iter().map(|error| error.sentence())).collect(),
    })
}
