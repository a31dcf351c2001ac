//! `version`: what this is.

use crate::engine::{Job, JobContext, Result};
use clap::Args;
use serde::Serialize;

/// Show the version
#[derive(Args, Clone, Copy, Debug)]
pub struct Version {}

/// One side of docker's two.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Side {
    /// Of kapal.
    pub version: &'static str,
    /// `linux`.
    pub os: &'static str,
    /// `amd64` and the like.
    pub arch: &'static str,
    /// The kernel's release.
    pub kernel_version: String,
}

/// The version and what it runs on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Versions {
    /// Of kapal.
    pub version: &'static str,
    /// `linux/amd64` and the like.
    pub platform: String,
    /// The kernel's release.
    pub kernel: String,
    /// The version of the store's schema.
    pub schema: i64,
    /// As docker tells it of its client: here they are one program.
    pub client: Side,
    /// And of its server.
    pub server: Side,
}

/// The versions, without an engine.
pub fn versions() -> Versions {
    let version = env!("CARGO_PKG_VERSION");
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let side = Side { version, os: "linux", arch: crate::graph::image::architecture(), kernel_version: kernel.clone() };
    Versions { version, platform: crate::engine::images::own_platform(), kernel, schema: crate::engine::SCHEMA_VERSION, client: side.clone(), server: side }
}

impl Job for Version {
    type Output = Versions;
    const VERB: &'static str = "version";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "version".to_owned()
    }

    async fn run(self, _context: JobContext) -> Result<Versions> {
        Ok(versions())
    }
}
