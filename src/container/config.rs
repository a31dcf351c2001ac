//! What runs in a container: the image's configuration with the user's options laid over it.

use super::health::HealthCheck;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The portable part of a container; the same fields stand in an image's configuration document.
///
/// Source of the names: Docker Engine API, ContainerConfig.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// Host name inside; the short id if empty.
    pub hostname: String,
    /// NIS domain name inside.
    pub domainname: String,
    /// `user`, `uid`, `user:group` or `uid:gid`; empty is root.
    pub user: String,
    /// Standard input stays open for clients.
    pub open_stdin: bool,
    /// Standard input closes when the first client that brought it leaves.
    pub stdin_once: bool,
    /// The process has a terminal.
    pub tty: bool,
    /// `NAME=value`, each name once.
    pub env: Vec<String>,
    /// The command's first words.
    pub entrypoint: Vec<String>,
    /// The words after the entry point.
    pub cmd: Vec<String>,
    /// Absolute path; made if missing; `/` if empty.
    pub working_dir: String,
    /// Name and value.
    pub labels: BTreeMap<String, String>,
    /// Folders the image wants on volumes of their own.
    pub volumes: BTreeSet<String>,
    /// `80/tcp` and the like.
    pub exposed_ports: BTreeSet<String>,
    /// Signal name or number that ends it politely; SIGTERM if absent.
    pub stop_signal: Option<String>,
    /// Seconds between the stop signal and SIGKILL; 10 if absent, [`FOREVER`] for no SIGKILL at all.
    pub stop_timeout: Option<u64>,
    /// What a line for a shell is given to, as the image's `SHELL` says; `/bin/sh -c` if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
    /// How it is asked whether it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthCheck>,
}

/// Seconds that never pass.
pub const FOREVER: u64 = u64::MAX;

/// Sets `name=value` in an environment list, replacing an older value of the same name.
pub fn set_env(env: &mut Vec<String>, entry: &str) {
    let name = entry.split_once('=').map_or(entry, |(name, _)| name);
    env.retain(|old| old.split_once('=').map_or(old.as_str(), |(n, _)| n) != name);
    env.push(entry.to_owned());
}
