//! Whether what runs in a container does its work: the check, what it found, and what follows.
//!
//! Source of the names: Docker Engine API, HealthConfig and Health.

use serde::{Deserialize, Serialize};

/// How a container is asked whether it is well; the same fields stand in an image's configuration document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthCheck {
    /// `["NONE"]`, `["CMD", word …]` or `["CMD-SHELL", line]`; empty takes the image's.
    pub test: Vec<String>,
    /// Nanoseconds from the end of one probe to the next; 0 is [`Self::INTERVAL`].
    pub interval: u64,
    /// Nanoseconds a probe may take; 0 is [`Self::TIMEOUT`].
    pub timeout: u64,
    /// Failures in a row that make it unhealthy; 0 is [`Self::RETRIES`].
    pub retries: u32,
    /// Nanoseconds after the start in which failures do not count.
    pub start_period: u64,
    /// Nanoseconds between probes within the start period; 0 is [`Self::START_INTERVAL`].
    pub start_interval: u64,
}

impl HealthCheck {
    /// The usual time between probes, nanoseconds.
    pub const INTERVAL: u64 = 30_000_000_000;
    /// The usual time a probe may take, nanoseconds.
    pub const TIMEOUT: u64 = 30_000_000_000;
    /// How many failures in a row are usually one too many.
    pub const RETRIES: u32 = 3;
    /// The usual time between probes within the start period, nanoseconds.
    pub const START_INTERVAL: u64 = 5_000_000_000;

    /// Whether there is something to ask.
    pub fn is_some(&self) -> bool {
        self.test.len() > 1 && self.test[0] != "NONE"
    }
}

/// What follows when a container turns out to be unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is told.
    #[default]
    None,
    /// Its process is killed; the restart policy sees to the rest.
    Kill,
    /// It is started again, whatever its restart policy.
    Restart,
    /// It is stopped, as by the user.
    Stop,
}

impl OnFailure {
    /// As `--health-on-failure` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Stop => "stop",
        }
    }
}

/// How a container is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Not known yet.
    #[default]
    Starting,
    /// The last probe went well.
    Healthy,
    /// As many probes failed, one after the other, as it takes.
    Unhealthy,
}

impl HealthStatus {
    /// As `ps --filter health=` and inspect write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// What is known of a container's health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// How it is.
    pub status: HealthStatus,
    /// How many probes failed since the last that went well.
    pub failing_streak: u32,
    /// The last [`Self::KEPT`] probes, oldest first.
    pub log: Vec<Probe>,
}

impl Health {
    /// How many probes are kept.
    pub const KEPT: usize = 5;
    /// Most bytes kept of what a probe wrote.
    pub const OUTPUT: usize = 4096;
}

/// One probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Probe {
    /// When it began.
    pub start: jiff::Timestamp,
    /// When it was over.
    pub end: jiff::Timestamp,
    /// Its command's status; -1 if it did not end in time or could not be executed.
    pub exit_code: i32,
    /// What it wrote, at most [`Health::OUTPUT`] bytes of it; foreign text.
    pub output: String,
}
