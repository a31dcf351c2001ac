//! What a container is, as plain values: no file, no kernel, no clock is touched here.

pub mod cidr;
pub mod config;
pub mod detach;
pub mod health;
pub mod host_config;
mod instruction;
pub mod length;
pub mod name;
pub mod network;
pub mod past;
pub mod place;
pub mod port;
pub mod restart;
pub mod signal;
pub mod state;
pub mod update;

pub use cidr::Cidr;
pub use config::Config;
pub use health::{Health, HealthCheck, HealthStatus, OnFailure, Probe};
pub use host_config::{DeviceRate, DeviceWeight, HostConfig, LogConfig, Mount, MountKind, NetworkMode, Resources};
pub use network::{Attachment, Endpoint, Network, Subnet};
pub use place::Place;
pub use port::{PortBinding, Protocol, Published};
pub use restart::RestartPolicy;
pub use state::{State, Status, Transition};
pub use update::Update;

use crate::id::{ContainerId, ImageId, LayerId};
use serde::{Deserialize, Serialize};

/// A container as the store keeps it.
///
/// The configuration is fixed at creation; only `name`, `host_config` (by `update`) and `state` change. The state of
/// a running container is written by its monitor alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: ContainerId,
    /// Without a leading slash; unique in the store.
    pub name: String,
    /// When it was created.
    pub created: jiff::Timestamp,
    /// The image as the user named it (`busybox:1`, a digest, `host`).
    pub image: String,
    /// The image's identity; `None` for the `host` image.
    pub image_id: Option<ImageId>,
    /// The image's layers, bottom first; empty for the `host` image.
    pub layers: Vec<LayerId>,
    /// The graphdriver that holds its files (`overlay`, `vfs`).
    pub driver: String,
    /// What runs in it.
    pub config: Config,
    /// How this machine holds it.
    pub host_config: HostConfig,
    /// Where it is in its life.
    pub state: State,
}

/// The reserved image name that means this machine's own root file system.
pub const HOST_IMAGE: &str = "host";

impl Container {
    /// Whether its files are those of this machine below a fresh writable layer.
    pub fn is_host_image(&self) -> bool {
        self.image_id.is_none()
    }

    /// The whole command line: entry point, then arguments.
    pub fn command(&self) -> Vec<String> {
        self.config.entrypoint.iter().chain(&self.config.cmd).cloned().collect()
    }
}
