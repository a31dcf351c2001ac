//! `version`: what this is.

use crate::engine::{Job, JobContext, Result};
use clap::Args;
use serde::Serialize;

/// Show the version
#[derive(Args, Clone, Copy, Debug)]
pub struct Version {}

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
}

/// The versions, without an engine.
pub fn versions() -> Versions {
    let system = rustix::system::uname();
    Versions {
        version: env!("CARGO_PKG_VERSION"),
        platform: crate::engine::images::own_platform(),
        kernel: system.release().to_string_lossy().into_owned(),
        schema: crate::engine::SCHEMA_VERSION,
    }
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
