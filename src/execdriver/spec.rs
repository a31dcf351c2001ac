//! From a container to the runtime specification that a driver carries out: pure.
//!
//! The specification is put together as the document that its standard defines and then read by the library that
//! knows the standard, so that a driver gets exactly what an OCI runtime would get from a file.
//! Source: OCI runtime specification, config.md and config-linux.md; defaults as Docker's.

use super::devices::devices;
use super::limits::resources;
use super::user::User;
use crate::container::{Container, HostConfig, Mount, MountKind, NetworkMode};
use oci_spec::runtime::{Process, Spec};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Docker's fourteen.
pub const DEFAULT_CAPABILITIES: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// All that Linux knows, in the order of their numbers.
pub const ALL_CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the monitor prepared for the container, on this machine.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// For /etc/hosts, /etc/hostname and /etc/resolv.conf: (here, inside).
    pub etc: Vec<(PathBuf, &'static str)>,
    /// The network namespace of another that it shares, and the host name there.
    pub shared_network: Option<(PathBuf, String)>,
}

/// Tools of this machine for one command in a container.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Toolbox {
    /// A program that runs in place of what the container has by the command's name.
    Program(PathBuf),
    /// This program's own applets.
    Applets,
}

/// A process beside the container's own, as `exec` asks for it.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct ExecOptions {
    /// The command and its arguments.
    pub args: Vec<String>,
    /// Variables over the container's own.
    pub env: Vec<String>,
    /// `user[:group]` in place of the container's.
    pub user: Option<String>,
    /// Folder in place of the container's.
    pub workdir: Option<String>,
    /// It has a terminal.
    pub tty: bool,
    /// Standard input stays open.
    pub stdin: bool,
    /// All capabilities.
    pub privileged: bool,
    /// What is brought along for it.
    #[serde(default)]
    pub toolbox: Option<Toolbox>,
    /// Rows and columns of its terminal at the beginning.
    pub size: Option<(u16, u16)>,
}

/// The capabilities of a container's processes, with the `CAP_` prefix.
pub fn capabilities(host: &HostConfig) -> Vec<String> {
    let all = |list: &[String]| list.iter().any(|name| name == "ALL");
    let mut names: Vec<&str> = if host.privileged || all(&host.cap_add) {
        ALL_CAPABILITIES.to_vec()
    } else if all(&host.cap_drop) {
        Vec::new()
    } else {
        DEFAULT_CAPABILITIES.to_vec()
    };
    names.retain(|name| !host.cap_drop.iter().any(|dropped| dropped == name));
    names.extend(host.cap_add.iter().map(String::as_str).filter(|name| *name != "ALL"));
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| format!("CAP_{name}")).collect()
}

/// The environment: the container's, with what every process needs.
fn environment(container: &Container, own: &[String], home: &str, tty: bool) -> Vec<String> {
    let has = |name: &str| own.iter().chain(&container.config.env).any(|entry| entry.split_once('=').map_or(entry.as_str(), |(n, _)| n) == name);
    let mut env = Vec::new();
    if !has("PATH") {
        env.push(DEFAULT_PATH.to_owned());
    }
    if !has("HOSTNAME") {
        env.push(format!("HOSTNAME={}", hostname(container)));
    }
    if tty && !has("TERM") {
        env.push("TERM=xterm".to_owned());
    }
    if !has("HOME") {
        env.push(format!("HOME={home}"));
    }
    for entry in container.config.env.iter().chain(own) {
        crate::container::config::set_env(&mut env, entry);
    }
    env
}

/// The host name inside: the one asked for, or the short id.
pub fn hostname(container: &Container) -> &str {
    if container.config.hostname.is_empty() { container.id.short() } else { &container.config.hostname }
}

fn process(container: &Container, user: &User, args: &[String], env: &[String], workdir: &str, tty: bool, capabilities: &[String]) -> Value {
    let host = &container.host_config;
    let rlimits: Vec<Value> =
        host.ulimits.iter().map(|(name, (soft, hard))| json!({ "type": format!("RLIMIT_{}", name.to_uppercase()), "soft": soft, "hard": hard })).collect();
    // As Docker: a user other than root has capabilities only through setuid programs.
    let effective: &[String] = if user.uid == 0 { capabilities } else { &[] };
    let mut value = json!({
        "terminal": tty,
        "user": { "uid": user.uid, "gid": user.gid, "additionalGids": user.groups },
        "args": args,
        "env": env,
        "cwd": if workdir.is_empty() { "/" } else { workdir },
        "capabilities": { "bounding": capabilities, "effective": effective, "permitted": effective, "inheritable": [], "ambient": [] },
        "rlimits": rlimits,
        "noNewPrivileges": !host.new_privileges,
    });
    if let Some(shift) = host.oom_score_adj {
        value["oomScoreAdj"] = json!(shift);
    }
    value
}

/// The container's own process and everything around it.
///
/// # Errors
/// A sentence on what does not fit into the standard's document.
pub fn spec(container: &Container, user: &User, files: &Files) -> Result<Spec, String> {
    let (config, host) = (&container.config, &container.host_config);
    let env = environment(container, &[], &user.home, config.tty);
    let masked: &[&str] = if host.privileged { &[] } else { &MASKED };
    let read_only: &[&str] = if host.privileged { &[] } else { &READ_ONLY };
    let document = json!({
        "ociVersion": "1.2.0",
        "process": process(container, user, &container.command(), &env, &config.working_dir, config.tty, &capabilities(host)),
        "root": { "path": "rootfs", "readonly": host.readonly_rootfs },
        "hostname": match &files.shared_network {
            _ if host.host_uts => "",
            Some((_, name)) => name,
            None => hostname(container),
        },
        "domainname": config.domainname,
        "mounts": mounts(host, files),
        "linux": {
            "namespaces": namespaces(host, files),
            "resources": resources(host)?,
            "sysctl": host.sysctls,
            "maskedPaths": masked,
            "readonlyPaths": read_only,
            "devices": devices(host)?,
            "rootfsPropagation": "rprivate",
        },
    });
    serde_json::from_value(document).map_err(|error| format!("container {} does not fit the runtime specification: {error}", container.name))
}

/// A process beside the container's own.
///
/// # Errors
/// A sentence on what does not fit into the standard's document.
pub fn exec_process(container: &Container, user: &User, options: &ExecOptions) -> Result<Process, String> {
    let mut host = container.host_config.clone();
    host.privileged |= options.privileged;
    let env = environment(container, &options.env, &user.home, options.tty);
    let workdir = options.workdir.as_deref().unwrap_or(&container.config.working_dir);
    let value = process(container, user, &options.args, &env, workdir, options.tty, &capabilities(&host));
    serde_json::from_value(value).map_err(|error| format!("the command does not fit the runtime specification: {error}"))
}

fn namespaces(host: &HostConfig, files: &Files) -> Vec<Value> {
    let shared = [
        ("mount", false),
        ("cgroup", false),
        ("pid", host.host_pid),
        ("ipc", host.host_ipc),
        ("uts", host.host_uts),
        ("network", host.network_mode == NetworkMode::Host || files.shared_network.is_some()),
    ];
    let own = shared.iter().filter(|(_, shared)| !shared).map(|(kind, _)| json!({ "type": kind }));
    own.chain(files.shared_network.iter().map(|(path, _)| json!({ "type": "network", "path": path }))).collect()
}

fn mounts(host: &HostConfig, files: &Files) -> Vec<Value> {
    let mount = |destination: &str, kind: &str, source: &str, options: &[&str]| json!({ "destination": destination, "type": kind, "source": source, "options": options });
    let system = if host.privileged { vec!["nosuid", "noexec", "nodev"] } else { vec!["nosuid", "noexec", "nodev", "ro"] };
    let shm = format!("size={}", host.shm_size.unwrap_or(64 << 20));
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        mount("/sys", "sysfs", "sysfs", &system),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &system),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", &shm]),
    ];
    let covered = |inside: &str| host.mounts.iter().any(|m| m.destination == inside);
    for (here, inside) in files.etc.iter().filter(|(_, inside)| !covered(inside)) {
        let mut options = vec!["rbind", "rprivate"];
        if host.readonly_rootfs {
            options.push("ro");
        }
        mounts.push(mount(inside, "bind", &here.display().to_string(), &options));
    }
    // Parents first, whatever the order they were asked for in.
    let mut own: Vec<&Mount> = host.mounts.iter().collect();
    own.sort_by_key(|m| m.destination.split('/').count());
    mounts.extend(own.into_iter().map(own_mount));
    mounts
}

fn own_mount(own: &Mount) -> Value {
    let mut options: Vec<&str> = own.options.iter().map(String::as_str).filter(|option| *option != "nocopy").collect();
    if own.read_only {
        options.push("ro");
    }
    if own.kind == MountKind::Tmpfs {
        let has = |name: &str| own.options.iter().any(|option| option == name);
        for (default, opposite) in [("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec")] {
            if !has(opposite) && !has(default) {
                options.push(default);
            }
        }
        return json!({ "destination": own.destination, "type": "tmpfs", "source": "tmpfs", "options": options });
    }
    options.push("rbind");
    options.push(own.propagation.as_deref().unwrap_or("rprivate"));
    json!({ "destination": own.destination, "type": "bind", "source": own.source, "options": options })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_added_and_dropped() {
        let names = |add: &[&str], drop: &[&str]| {
            let host = HostConfig {
                cap_add: add.iter().map(ToString::to_string).collect(),
                cap_drop: drop.iter().map(ToString::to_string).collect(),
                ..HostConfig::default()
            };
            capabilities(&host)
        };
        assert_eq!(names(&[], &[]).len(), 14);
        assert_eq!(names(&["NET_ADMIN"], &["ALL"]), ["CAP_NET_ADMIN"]);
        assert_eq!(names(&["ALL"], &["SYS_ADMIN"]).len(), 40);
        assert!(!names(&[], &["CHOWN"]).contains(&"CAP_CHOWN".to_owned()));
    }
}
