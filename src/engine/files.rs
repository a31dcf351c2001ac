//! A container's files as the engine reaches them: its root, its changes, its size; the same out as an archive.

use super::recovery::exec_driver;
use super::{Engine, Error, Result};
use crate::container::{Config, Container, HostConfig, MountKind, Resources};
use crate::graph::diff::{self, Pack};
use crate::graphdriver::{Base, Change, ChangeKind, GraphDriver};
use rustix::fs::{AtFlags, Mode, OFlags};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Bytes of the files in a folder; what cannot be read counts nothing.
pub fn tree_size(path: &Path) -> u64 {
    crate::graphdriver::tree_size(path).unwrap_or(0)
}

impl Engine {
    /// Runs `work` with the driver and base of a container.
    pub(super) fn with_base<T>(&self, container: &Container, work: impl FnOnce(&dyn GraphDriver, Base<'_>) -> std::io::Result<T>, what: &str) -> Result<T> {
        let hidden = self.hidden_paths();
        let base = if container.is_host_image() { Base::Host { hidden: &hidden } } else { Base::Layers(&container.layers) };
        let other;
        let driver: &dyn GraphDriver = match self.graph() {
            Ok(driver) if driver.name() == container.driver => driver,
            _ => {
                other = self.graph_named(&container.driver)?;
                &*other
            }
        };
        work(driver, base).map_err(|e| Error::io(format_args!("container {}: {what}", container.name), &e))
    }

    /// How a container's files differ from its image. What a start made for something to be mounted on is no change.
    pub fn changes(&self, container: &Container) -> Result<Vec<Change>> {
        let mut changes = self.with_base(container, |driver, base| driver.changes(&container.id, base), "cannot compare its files")?;
        let is_candidate = |change: &Change| change.kind == ChangeKind::Added && MOUNT_POINTS.iter().any(|point| change.path == Path::new(point));
        if changes.iter().any(is_candidate) {
            let root = self.files(container, true)?;
            changes.retain(|change| !is_candidate(change) || !is_empty(&root, &change.path));
            self.forget_folder(container, &root, &mut changes)?;
        }
        Ok(changes)
    }

    /// Leaves out the folder of mount points, if to make them was all that changed it.
    fn forget_folder(&self, container: &Container, root: &OwnedFd, changes: &mut Vec<Change>) -> Result<()> {
        let folder = Path::new("etc");
        if changes.iter().any(|change| change.path.parent() == Some(folder) && change.kind != ChangeKind::Changed) {
            return Ok(());
        }
        let attributes = |root: &OwnedFd| rustix::fs::statat(root, folder, AtFlags::SYMLINK_NOFOLLOW).map(|stat| (stat.st_mode, stat.st_uid, stat.st_gid)).ok();
        let below = self.with_base(container, base_root, "cannot mount what its files lie on")?;
        let made = |change: &Change| change.path == folder && (change.kind == ChangeKind::Added || attributes(&below) == attributes(root));
        changes.retain(|change| !made(change));
        Ok(())
    }

    /// Bytes in a container's writable layer.
    pub fn container_size(&self, container: &Container) -> Result<u64> {
        self.with_base(container, |driver, _| driver.size(&container.id), "cannot measure its files")
    }

    /// A container's root to look at or to write to: that of its running process, mounts and all, or a mount of its
    /// files alone.
    pub fn root(&self, container: &Container, read_only: bool) -> Result<OwnedFd> {
        if container.state.status.is_alive() && container.state.pid > 0 {
            let path = format!("/proc/{}/root", container.state.pid);
            let opened = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
            if let Ok(root) = opened
                && super::process::is_alive(container.state.pid, container.state.pid_start)
            {
                return Ok(root);
            }
        }
        self.files(container, read_only)
    }

    /// A mount of a container's files alone: nothing that is mounted on them.
    pub(super) fn files(&self, container: &Container, read_only: bool) -> Result<OwnedFd> {
        self.with_base(container, |driver, base| driver.mount(&container.id, base, read_only), "cannot mount its files")
    }

    /// Writes a container's files as a tar archive.
    pub fn export(&self, container: &Container, output: &mut dyn Write) -> Result<()> {
        // As docker has it.
        let root = self.files(container, true)?;
        let root = rustix::fs::openat(&root, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| Error::io("cannot open its files", &e.into()))?;
        diff::pack_tree(root.as_fd(), Path::new("."), output, &Pack { name: None, follow: false })
            .map_err(|e| Error::io(format_args!("cannot export container {}", container.name), &e))?;
        Ok(())
    }

    /// The container's processes, as this machine numbers them.
    pub fn processes(&self, container: &Container) -> Result<Vec<i32>> {
        let failed = |e: std::io::Error| Error::io(format_args!("cannot list the processes of container {}", container.name), &e);
        exec_driver(container, self.place()).and_then(|driver| driver.processes(&container.id)).map_err(failed)
    }

    /// Fills new volumes with what the image has in their place, as docker does: once, and only where both are folders
    /// and the volume is empty.
    pub fn fill_volumes(&self, container: &Container) -> Result<()> {
        for mount in
            container.host_config.mounts.iter().filter(|mount| mount.kind == MountKind::Volume && !mount.options.iter().any(|option| option == "nocopy"))
        {
            let source = Path::new(&mount.source);
            let empty = std::fs::read_dir(source).is_ok_and(|mut entries| entries.next().is_none());
            if !empty {
                continue;
            }
            let root = self.files(container, true)?;
            fill(&root, &mount.destination, source).map_err(|e| Error::io(format_args!("cannot fill the volume at {}", mount.destination), &e))?;
        }
        Ok(())
    }

    /// As `inspect` shows a container.
    ///
    /// Source of the names: Docker Engine API, ContainerInspectResponse, with our own beside them.
    pub fn inspect_container(&self, container: &Container, size: Option<u64>) -> Value {
        let state = &container.state;
        let command = container.command();
        let (path, args) = command.split_first().map_or((String::new(), Vec::new()), |(path, args)| (path.clone(), args.to_vec()));
        let time = |time: Option<jiff::Timestamp>| time.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |time| time.to_string());
        let status = state.status.as_str();
        let host = &container.host_config;
        let mut value = json!({
            "Id": container.id,
            "Created": container.created.to_string(),
            "Path": path,
            "Args": args,
            "State": {
                "Status": status,
                "Running": matches!(status, "running" | "paused" | "restarting"),
                "Paused": status == "paused",
                "Restarting": status == "restarting",
                "OOMKilled": state.oom_killed,
                "Dead": false,
                "Pid": state.pid,
                "MonitorPid": state.monitor_pid,
                "ExitCode": state.exit_code,
                "Error": state.error,
                "StartedAt": time(state.started_at),
                "FinishedAt": time(state.finished_at),
                // Also where there is none: templates ask for it.
                "Health": state.health,
            },
            "Image": container.image_id,
            "Name": format!("/{}", container.name),
            "RestartCount": state.restart_count,
            "Driver": container.driver,
            "Platform": "linux",
            "LogPath": self.place().log(&container.id),
            "HostnamePath": self.place().run(&container.id).join("hostname"),
            "HostsPath": self.place().run(&container.id).join("hosts"),
            "ResolvConfPath": self.place().run(&container.id).join("resolv.conf"),
            "ConsolePath": self.place().console(&container.id),
            "HostConfig": host_config(container),
            "Mounts": host.mounts.iter().map(|mount| json!({
                "Type": mount.kind,
                "Name": mount.name,
                "Source": mount.source,
                "Destination": mount.destination,
                "RW": !mount.read_only,
                "Propagation": mount.propagation.as_deref().unwrap_or(if mount.kind == MountKind::Bind { "rprivate" } else { "" }),
            })).collect::<Vec<_>>(),
            "Config": config(container),
            "NetworkSettings": self.network_settings(container),
        });
        if let Some(size) = size {
            value["SizeRw"] = json!(size);
        }
        value
    }
}

fn config(container: &Container) -> Value {
    let mut value = shown(&container.config);
    value["Image"] = json!(container.image);
    value["Hostname"] = json!(crate::execdriver::spec::hostname(container));
    value
}

/// A configuration as docker shows it: volumes and ports are the keys of an object.
pub fn shown(config: &Config) -> Value {
    let mut value = serde_json::to_value(config).unwrap_or_default();
    value["Healthcheck"] = json!(config.healthcheck);
    if config.stop_timeout == Some(crate::container::config::FOREVER) {
        value["StopTimeout"] = json!(-1);
    }
    for (key, names) in [("Volumes", &config.volumes), ("ExposedPorts", &config.exposed_ports)] {
        value[key] = Value::Object(names.iter().map(|name| (name.clone(), json!({}))).collect());
    }
    value
}

/// The root that a container's files lie on.
fn base_root(driver: &dyn GraphDriver, base: Base<'_>) -> std::io::Result<OwnedFd> {
    match base {
        Base::Layers(layers) => driver.mount_image(layers),
        Base::Host { .. } => Ok(rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?),
    }
}

/// What a start makes in an image that lacks it, to mount on.
const MOUNT_POINTS: [&str; 6] = ["dev", "etc/hostname", "etc/hosts", "etc/resolv.conf", "proc", "sys"];

/// Whether a path of a root is an empty file or an empty folder.
fn is_empty(root: &OwnedFd, path: &Path) -> bool {
    let how = rustix::fs::ResolveFlags::IN_ROOT | rustix::fs::ResolveFlags::NO_SYMLINKS;
    let Ok(found) = rustix::fs::openat2(root, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty(), how) else { return false };
    match rustix::fs::fstat(&found).map(|stat| (rustix::fs::FileType::from_raw_mode(stat.st_mode), stat.st_size)) {
        Ok((rustix::fs::FileType::RegularFile, size)) => size == 0,
        Ok((rustix::fs::FileType::Directory, _)) => {
            rustix::fs::Dir::read_from(&found).is_ok_and(|entries| entries.flatten().all(|entry| matches!(entry.file_name().to_bytes(), b"." | b"..")))
        }
        _ => false,
    }
}

fn host_config(container: &Container) -> Value {
    let host = &container.host_config;
    let mut value = json!({
        "Binds": host.mounts.iter().filter(|m| m.kind != MountKind::Tmpfs).map(|m| format!("{}:{}{}", m.name.as_deref().unwrap_or(&m.source), m.destination, if m.read_only { ":ro" } else { "" })).collect::<Vec<_>>(),
        "NetworkMode": host.network_mode.name(),
        "PortBindings": port_bindings(host),
        "PublishAllPorts": host.publish_all,
        "RestartPolicy": { "Name": host.restart_policy.name(), "MaximumRetryCount": match host.restart_policy { crate::container::RestartPolicy::OnFailure(most) => most, _ => 0 } },
        "HealthOnFailure": host.health_on_failure,
        "AutoRemove": host.auto_remove,
        "ReadonlyRootfs": host.readonly_rootfs,
        "CapAdd": host.cap_add,
        "CapDrop": host.cap_drop,
        "Privileged": host.privileged,
        "SecurityOpt": if host.new_privileges { Vec::new() } else { vec!["no-new-privileges"] },
        "Init": host.init,
        "ShmSize": host.shm_size.unwrap_or(64 << 20),
        "ExtraHosts": host.extra_hosts,
        "Dns": host.dns,
        "Sysctls": host.sysctls,
        "GroupAdd": host.group_add,
        "OomScoreAdj": host.oom_score_adj.unwrap_or(0),
        "LogConfig": { "Type": host.log.driver, "Config": { "max-size": host.log.max_size.map(|n| n.to_string()), "max-file": host.log.max_file.to_string() } },
        "CgroupParent": host.cgroup_parent,
        "PidMode": if host.host_pid { "host" } else { "" },
        "IpcMode": if host.host_ipc { "host" } else { "private" },
        "UTSMode": if host.host_uts { "host" } else { "" },
        "Ulimits": host.ulimits.iter().map(|(name, (soft, hard))| json!({ "Name": name, "Soft": soft, "Hard": hard })).collect::<Vec<_>>(),
        "Devices": host.devices.iter().map(|(here, inside, mode)| json!({ "PathOnHost": here, "PathInContainer": inside, "CgroupPermissions": mode })).collect::<Vec<_>>(),
    });
    if let (Value::Object(all), Value::Object(limits)) = (&mut value, limits(&host.resources)) {
        all.extend(limits);
    }
    value
}

fn limits(limits: &Resources) -> Value {
    let number = |value: Option<u64>| value.map_or(json!(0), |value| if value == u64::MAX { json!(-1) } else { json!(value) });
    json!({
        "Memory": number(limits.memory),
        "MemoryReservation": number(limits.memory_reservation),
        "MemorySwap": number(limits.memory_swap.or_else(|| limits.memory.map(|bytes| bytes.saturating_mul(2)))),
        "NanoCpus": number(limits.nano_cpus),
        "CpuQuota": limits.cpu_quota.unwrap_or(0),
        "CpuPeriod": number(limits.cpu_period),
        "CpuShares": number(limits.cpu_shares),
        "CpusetCpus": limits.cpuset_cpus.as_deref().unwrap_or_default(),
        "CpusetMems": limits.cpuset_mems.as_deref().unwrap_or_default(),
        "PidsLimit": limits.pids_limit,
        "MemorySwappiness": limits.memory_swappiness,
        "BlkioWeight": limits.blkio_weight.unwrap_or(0),
        "BlkioWeightDevice": limits.blkio_weight_device,
        "BlkioDeviceReadBps": limits.blkio_device_read_bps,
        "BlkioDeviceWriteBps": limits.blkio_device_write_bps,
        "BlkioDeviceReadIOps": limits.blkio_device_read_iops,
        "BlkioDeviceWriteIOps": limits.blkio_device_write_iops,
        "OomKillDisable": limits.oom_kill_disable,
    })
}

/// Ports that are to be published, by the port inside: where, as `-p` said it.
fn port_bindings(host: &HostConfig) -> Value {
    let mut ports: Map<String, Value> = Map::new();
    for wish in &host.port_bindings {
        let here = match wish.ports {
            None => String::new(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
        };
        let address = wish.address.map_or_else(String::new, |address| address.to_string());
        let places = ports.entry(format!("{}/{}", wish.inside, wish.protocol.as_str())).or_insert_with(|| json!([]));
        if let Value::Array(places) = places {
            places.push(json!({ "HostIp": address, "HostPort": here }));
        }
    }
    Value::Object(ports)
}

/// Copies what the image has at `inside` into a volume.
fn fill(root: &OwnedFd, inside: &str, volume: &Path) -> std::io::Result<()> {
    use rustix::fs::ResolveFlags;
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let from = match rustix::fs::openat2(root, inside, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), how) {
        Ok(from) => from,
        // The image has nothing there, or no folder.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let (reader, writer) = std::io::pipe()?;
    let to = rustix::fs::open(volume, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // The volume's own folder belongs to whom the image's belongs to.
    let stat = rustix::fs::fstat(&from)?;
    rustix::fs::fchown(&to, Some(rustix::fs::Uid::from_raw(stat.st_uid)), Some(rustix::fs::Gid::from_raw(stat.st_gid)))?;
    rustix::fs::fchmod(&to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(|| diff::pack_tree(from.as_fd(), Path::new("."), writer, &Pack { name: None, follow: false }).map(|_| ()));
        let unpacked = diff::extract(reader, to.as_fd(), diff::Form::Files, &diff::Limits::default());
        let packed = packing.join().unwrap_or_else(|_| Err(std::io::Error::other("the copy broke down")));
        unpacked?;
        packed
    })
}
