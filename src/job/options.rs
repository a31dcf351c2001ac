//! The options that `run` and `create` share, as the command line spells them.

use super::limits::LimitOptions;
use clap::Args;
use std::path::PathBuf;

/// Options of docker's, of these verbs and others, that this version knows by name and cannot carry yet.
pub const LATER: [&str; 35] = [
    "--annotation",
    "--attachable",
    "--aux-address",
    "--cgroupns",
    "--checkpoint",
    "--checkpoint-dir",
    "--config-from",
    "--config-only",
    "--cpu-count",
    "--cpu-percent",
    "--cpu-rt-period",
    "--cpu-rt-runtime",
    "--details",
    "--device-cgroup-rule",
    "--disable-content-trust",
    "--driver-opt",
    "--gpus",
    "--gw-priority",
    "--ingress",
    "--io-maxbandwidth",
    "--io-maxiops",
    "--ipam-driver",
    "--ipam-opt",
    "--ipv4",
    "--isolation",
    "--kernel-memory",
    "--link",
    "--link-local-ip",
    "--runtime",
    "--scope",
    "--storage-opt",
    "--tree",
    "--use-api-socket",
    "--userns",
    "--volume-driver",
];

/// How a container is to be made.
#[derive(Args, Clone, Debug, Default)]
pub struct ContainerOptions {
    /// Give the container a name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Attach to stdin, stdout or stderr (repeatable)
    #[arg(short = 'a', long, value_name = "STREAM")]
    pub attach: Vec<String>,
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Set an environment variable; NAME alone takes the value from here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Replace the image's entry point ("" for none)
    #[arg(long, value_name = "COMMAND")]
    pub entrypoint: Option<String>,
    /// User, by name or number, and group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Further group of the process
    #[arg(long, value_name = "GROUP")]
    pub group_add: Vec<String>,
    /// Working folder inside
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// Set a label
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub label: Vec<String>,
    /// Read labels from a file
    #[arg(long, value_name = "FILE")]
    pub label_file: Vec<PathBuf>,
    /// Host name inside
    #[arg(long, short = 'h', value_name = "NAME")]
    pub hostname: Option<String>,
    /// NIS domain name inside
    #[arg(long, value_name = "NAME")]
    pub domainname: Option<String>,
    /// Mount a folder, a file or a volume
    #[arg(short, long, value_name = "[SOURCE:]DEST[:OPTIONS]")]
    pub volume: Vec<String>,
    /// Mount, spelled out: type=bind|volume|tmpfs,source=…,target=… and readonly
    #[arg(long, value_name = "SPEC")]
    pub mount: Vec<String>,
    /// Mount memory
    #[arg(long, value_name = "DEST[:OPTIONS]")]
    pub tmpfs: Vec<String>,
    /// Mount all volumes of another container
    #[arg(long, value_name = "CONTAINER[:ro]")]
    pub volumes_from: Vec<String>,
    /// Its own files cannot be written
    #[arg(long)]
    pub read_only: bool,
    /// Network by name (repeatable; or name=NAME,alias=…,ip=…,ip6=…,mac-address=…), none, host or container:NAME
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    pub network: Vec<String>,
    /// Name beside its own on the first network
    #[arg(long, visible_alias = "net-alias", value_name = "NAME")]
    pub network_alias: Vec<String>,
    /// IPv4 address on the first network
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<String>,
    /// IPv6 address on the first network
    #[arg(long, value_name = "ADDRESS")]
    pub ip6: Option<String>,
    /// Hardware address on the first network
    #[arg(long, value_name = "ADDRESS")]
    pub mac_address: Option<String>,
    /// Publish a port of the container on this machine
    #[arg(short = 'p', long, value_name = "[[ADDRESS:]PORT:]INSIDE[/PROTOCOL]")]
    pub publish: Vec<String>,
    /// Publish all exposed ports, each by a free one
    #[arg(short = 'P', long)]
    pub publish_all: bool,
    /// Add a line to /etc/hosts; host-gateway is this machine
    #[arg(long, value_name = "NAME:ADDRESS")]
    pub add_host: Vec<String>,
    /// Name server
    #[arg(long, value_name = "ADDRESS")]
    pub dns: Vec<String>,
    /// Search domain
    #[arg(long, value_name = "DOMAIN")]
    pub dns_search: Vec<String>,
    /// Resolver option
    #[arg(long, visible_alias = "dns-opt", value_name = "OPTION")]
    pub dns_option: Vec<String>,
    /// Say that a port is served inside
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    pub expose: Vec<String>,
    /// What it may use.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// Keep the OOM killer away (cgroup v1 only)
    #[arg(long)]
    pub oom_kill_disable: bool,
    /// Shift its OOM score, -1000 to 1000
    #[arg(long, value_name = "SHIFT", allow_hyphen_values = true)]
    pub oom_score_adj: Option<i32>,
    /// Size of /dev/shm
    #[arg(long, value_name = "BYTES")]
    pub shm_size: Option<String>,
    /// Resource limit of processes (nofile=1024:2048)
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub ulimit: Vec<String>,
    /// Add a capability
    #[arg(long, value_name = "CAPABILITY")]
    pub cap_add: Vec<String>,
    /// Drop a capability
    #[arg(long, value_name = "CAPABILITY")]
    pub cap_drop: Vec<String>,
    /// All capabilities and devices
    #[arg(long)]
    pub privileged: bool,
    /// Security option: no-new-privileges
    #[arg(long, value_name = "OPTION")]
    pub security_opt: Vec<String>,
    /// Add a device of this machine
    #[arg(long, value_name = "HERE[:INSIDE][:rwm]")]
    pub device: Vec<String>,
    /// Kernel parameter of its own namespaces
    #[arg(long, value_name = "NAME=VALUE")]
    pub sysctl: Vec<String>,
    /// Run a small init as its first process
    #[arg(long)]
    pub init: bool,
    /// Process namespace: host shares this machine's
    #[arg(long, value_name = "host")]
    pub pid: Option<String>,
    /// IPC namespace: host shares this machine's
    #[arg(long, value_name = "host|private")]
    pub ipc: Option<String>,
    /// Host name namespace: host shares this machine's
    #[arg(long, value_name = "host")]
    pub uts: Option<String>,
    /// Remove it when it has ended
    #[arg(long)]
    pub rm: bool,
    /// How it is asked whether it is well.
    #[command(flatten)]
    pub health: super::health::HealthOptions,
    /// Signal that ends it politely
    #[arg(long, value_name = "SIGNAL")]
    pub stop_signal: Option<String>,
    /// Seconds from that signal to SIGKILL; -1 waits for ever
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true, value_parser = super::values::patience)]
    pub stop_timeout: Option<u64>,
    /// Where its output goes: json-file or none
    #[arg(long, value_name = "DRIVER")]
    pub log_driver: Option<String>,
    /// Log option: max-size=10m, max-file=3
    #[arg(long, value_name = "NAME=VALUE")]
    pub log_opt: Vec<String>,
    /// Parent cgroup in place of /kapal
    #[arg(long, value_name = "PATH")]
    pub cgroup_parent: Option<String>,
    /// Write the container's id into a new file
    #[arg(long, value_name = "FILE")]
    pub cidfile: Option<PathBuf>,
    /// Platform of a multi-platform image (linux/arm64)
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", env = "DOCKER_DEFAULT_PLATFORM")]
    pub platform: Option<String>,
    /// When to pull the image: always, missing, never
    #[arg(long, value_name = "WHEN", default_value = "missing")]
    pub pull: String,
    /// Say nothing while pulling
    #[arg(short, long)]
    pub quiet: bool,
    /// Print help (-h is the host name, as docker has it)
    #[arg(long, action = clap::ArgAction::Help)]
    pub help: Option<bool>,
    /// Image, then the command and its arguments
    #[arg(value_name = "IMAGE [COMMAND] [ARG]", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

impl ContainerOptions {
    /// Whether a stream is attached to: all are, unless `-a` names some.
    pub fn attaches(&self, stream: &str) -> bool {
        self.attach.is_empty() || self.attach.iter().any(|named| named.eq_ignore_ascii_case(stream))
    }
}
