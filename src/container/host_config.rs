//! How this machine holds a container: limits, mounts, network, capabilities, log and restarts.

use super::health::OnFailure;
use super::network::Attachment;
use super::port::PortBinding;
use super::restart::RestartPolicy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The part of a container that belongs to this machine.
///
/// Source of the names: Docker Engine API, HostConfig, where a field exists there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    /// Everything mounted into it beside its own files, in the order of mounting.
    pub mounts: Vec<Mount>,
    /// Which network it sees.
    pub network_mode: NetworkMode,
    /// Its places on networks, the first one first; none unless the mode is [`NetworkMode::Networks`].
    pub networks: Vec<Attachment>,
    /// Ports that are to be reached through this machine.
    pub port_bindings: Vec<PortBinding>,
    /// All exposed ports are to be, each by some free port.
    pub publish_all: bool,
    /// At which address of this machine those are; at all of them if absent.
    pub publish_all_at: Option<std::net::IpAddr>,
    /// What happens when its process ends.
    pub restart_policy: RestartPolicy,
    /// What happens when it turns out to be unhealthy.
    pub health_on_failure: OnFailure,
    /// Its monitor removes it once it has ended.
    pub auto_remove: bool,
    /// Its own files cannot be written.
    pub readonly_rootfs: bool,
    /// Capabilities beyond the default ones (`NET_ADMIN`, `ALL`), without the `CAP_` prefix.
    pub cap_add: Vec<String>,
    /// Default capabilities it does not get.
    pub cap_drop: Vec<String>,
    /// All capabilities, all devices, no masked paths.
    pub privileged: bool,
    /// May gain privileges by setuid programs; `no_new_privs` is set unless this is true.
    ///
    /// True by default, as Docker's: setuid programs of images (su, sudo, ping) work. `--security-opt
    /// no-new-privileges` makes it false.
    #[serde(default = "yes")]
    pub new_privileges: bool,
    /// A small init reaps orphans and passes signals on.
    pub init: bool,
    /// Limits enforced by cgroups.
    pub resources: Resources,
    /// `getrlimit` name without the RLIMIT_ prefix in lower case (`nofile`) → (soft, hard).
    pub ulimits: BTreeMap<String, (u64, u64)>,
    /// Size of /dev/shm in bytes; 64 MiB if absent.
    pub shm_size: Option<u64>,
    /// `name:address` lines for /etc/hosts; `host-gateway` in place of an address is this machine's on the first network.
    pub extra_hosts: Vec<String>,
    /// Name servers for /etc/resolv.conf in place of the machine's.
    pub dns: Vec<String>,
    /// Search domains for /etc/resolv.conf.
    pub dns_search: Vec<String>,
    /// Options for /etc/resolv.conf.
    pub dns_options: Vec<String>,
    /// Kernel parameters of its own namespaces (`net.ipv4.ip_forward`).
    pub sysctls: BTreeMap<String, String>,
    /// Devices of this machine: (path here, path inside, `rwm`).
    pub devices: Vec<(String, String, String)>,
    /// Groups the process is in beside its own, by name or number.
    pub group_add: Vec<String>,
    /// Shift of its processes' OOM score, -1000 … 1000.
    pub oom_score_adj: Option<i32>,
    /// Where its output goes.
    pub log: LogConfig,
    /// Parent cgroup; `/kapal` if empty.
    pub cgroup_parent: String,
    /// Shares the machine's process ids.
    pub host_pid: bool,
    /// Shares the machine's IPC objects.
    pub host_ipc: bool,
    /// Shares the machine's host name.
    pub host_uts: bool,
}

fn yes() -> bool {
    true
}

/// What kind of thing is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A file or folder of this machine.
    Bind,
    /// A named or anonymous volume of the store.
    Volume,
    /// Memory.
    Tmpfs,
}

/// One mount into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mount {
    /// What it is.
    #[serde(rename = "Type")]
    pub kind: MountKind,
    /// The volume's name, for volumes.
    pub name: Option<String>,
    /// Absolute path on this machine, for binds and volumes; empty for tmpfs.
    pub source: String,
    /// Absolute path inside.
    pub destination: String,
    /// Cannot be written.
    pub read_only: bool,
    /// `rprivate`, `rshared`, `rslave`, `private`, `shared`, `slave`; `rprivate` if absent.
    pub propagation: Option<String>,
    /// tmpfs options beside the defaults (`size=64m`, `mode=1777`, `noexec` …).
    pub options: Vec<String>,
    /// An anonymous volume, removed with the container when the user says so.
    pub anonymous: bool,
}

/// Which network a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum NetworkMode {
    /// Loopback alone.
    #[default]
    None,
    /// This machine's own.
    Host,
    /// That of another container, by its identity or name.
    Container(String),
    /// A place of its own on networks, of which this is the first.
    Networks(String),
}

impl NetworkMode {
    /// What begins the name of another container's network.
    pub const CONTAINER: &str = "container:";

    /// As the user writes it.
    pub fn name(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Host => "host".to_owned(),
            Self::Container(other) => format!("{}{other}", Self::CONTAINER),
            Self::Networks(first) => first.clone(),
        }
    }
}

impl From<String> for NetworkMode {
    fn from(text: String) -> Self {
        match text.as_str() {
            "none" => Self::None,
            "host" => Self::Host,
            "default" => Self::Networks(super::network::DEFAULT.to_owned()),
            _ => match text.strip_prefix(Self::CONTAINER) {
                Some(other) => Self::Container(other.to_owned()),
                None => Self::Networks(text),
            },
        }
    }
}

impl From<NetworkMode> for String {
    fn from(mode: NetworkMode) -> Self {
        mode.name()
    }
}

/// Limits; an absent one is the kernel's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Resources {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory kept under pressure.
    pub memory_reservation: Option<u64>,
    /// Bytes of memory and swap together; `u64::MAX` is without limit; twice `memory` if absent.
    pub memory_swap: Option<u64>,
    /// Billionths of a processor (1.5 processors = 1_500_000_000).
    pub nano_cpus: Option<u64>,
    /// Microseconds of processor time in each period.
    pub cpu_quota: Option<i64>,
    /// Length of the period in microseconds; 100,000 if absent.
    pub cpu_period: Option<u64>,
    /// Relative weight, 2 … 262144; 1024 if absent.
    pub cpu_shares: Option<u64>,
    /// Processors it may use, `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes it may use.
    pub cpuset_mems: Option<String>,
    /// Most processes and threads.
    pub pids_limit: Option<u64>,
    /// How readily the kernel swaps its memory out, 0 … 100 (cgroup v1 only); the machine's own inclination if absent.
    pub memory_swappiness: Option<u64>,
    /// Relative weight of block I/O, 10 … 1000.
    pub blkio_weight: Option<u16>,
    /// Another weight on these disks.
    pub blkio_weight_device: Vec<DeviceWeight>,
    /// Most bytes a second read from these disks.
    pub blkio_device_read_bps: Vec<DeviceRate>,
    /// Most bytes a second written to these disks.
    pub blkio_device_write_bps: Vec<DeviceRate>,
    /// Most operations a second that read from these disks.
    #[serde(rename = "BlkioDeviceReadIOps")]
    pub blkio_device_read_iops: Vec<DeviceRate>,
    /// Most operations a second that write to these disks.
    #[serde(rename = "BlkioDeviceWriteIOps")]
    pub blkio_device_write_iops: Vec<DeviceRate>,
    /// The OOM killer does not touch it (cgroup v1 only).
    pub oom_kill_disable: bool,
}

/// A limit of what is done to one disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeviceRate {
    /// The disk's node on this machine.
    pub path: String,
    /// The most in a second.
    pub rate: u64,
}

/// A weight on one disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeviceWeight {
    /// The disk's node on this machine.
    pub path: String,
    /// 10 … 1000.
    pub weight: u16,
}

/// Where output goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LogConfig {
    /// `json-file` or `none`.
    pub driver: String,
    /// Size in bytes at which a log file is turned over; `None` is without limit.
    pub max_size: Option<u64>,
    /// How many files are kept, the current one included; at least 1.
    pub max_file: u32,
}

impl Default for LogConfig {
    /// Two files of 32 MiB: a container that shouts for a year does not fill the disk.
    fn default() -> Self {
        Self { driver: "json-file".to_owned(), max_size: Some(32 << 20), max_file: 2 }
    }
}
