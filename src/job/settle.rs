//! From options and an image's configuration to what a container is: pure but for looking at the files they name.

use super::options::ContainerOptions;
use super::{attachments, mounts, values};
use crate::container::config::set_env;
use crate::container::{Config, HostConfig, LogConfig, Mount, MountKind, NetworkMode};
use crate::engine::{Error, Kind, Result};

/// The options' words: the image, then the command.
pub fn image_and_command(options: &ContainerOptions) -> Result<(&str, &[String])> {
    match options.words.split_first() {
        Some((image, _)) if later(image).is_some() => {
            Err(Error::new(Kind::Unsupported, format!("option {} is not in this version", later(image).unwrap_or_default())))
        }
        Some((image, _)) if image.starts_with('-') => Err(Error::invalid(format!("unknown option {image}")).hint("`kapal run --help` lists the options")),
        Some((image, _)) if image.is_empty() => Err(Error::invalid("the image's name is empty")),
        Some((image, command)) => Ok((image, command)),
        None => Err(Error::invalid("an image is needed").hint("`kapal images` lists those at hand")),
    }
}

/// The option that a word holds and this version does not: `--gpus`, `--gpus=all`, `-p`, `-p80:80`, `-dp`.
fn later(word: &str) -> Option<String> {
    let known = |name: &str| super::options::LATER.contains(&name);
    let name = word.split('=').next().unwrap_or_default();
    if known(name) {
        return Some(name.to_owned());
    }
    let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?;
    let (_, letter) = letters.char_indices().find(|(_, letter)| !"ditq".contains(*letter))?;
    Some(format!("-{letter}")).filter(|name| known(name))
}

/// The configuration of the container: the image's, with the options laid over it.
pub fn config(options: &ContainerOptions, image: Config) -> Result<Config> {
    let (_, command) = image_and_command(options)?;
    let mut config = image;
    for entry in environment(options)? {
        set_env(&mut config.env, &entry);
    }
    for label in labels(options)? {
        let (name, value) = label.split_once('=').unwrap_or((&label, ""));
        if name.is_empty() {
            return Err(Error::invalid(format!("invalid label {label:?}: expected NAME[=VALUE]")));
        }
        config.labels.insert(name.to_owned(), value.to_owned());
    }
    if let Some(entrypoint) = &options.entrypoint {
        config.entrypoint = if entrypoint.is_empty() { Vec::new() } else { vec![entrypoint.clone()] };
        // The image's arguments belonged to the image's entry point.
        config.cmd = Vec::new();
    }
    if !command.is_empty() {
        config.cmd = command.to_vec();
    }
    if config.entrypoint.is_empty() && config.cmd.is_empty() {
        return Err(Error::invalid("no command specified, and the image names none").hint("give a command after the image"));
    }
    if let Some(workdir) = &options.workdir {
        if !workdir.starts_with('/') {
            return Err(Error::invalid(format!("the working folder {workdir:?} is not an absolute path")));
        }
        config.working_dir.clone_from(workdir);
    }
    let overlay = |target: &mut String, value: &Option<String>| {
        if let Some(value) = value {
            target.clone_from(value);
        }
    };
    overlay(&mut config.user, &options.user);
    overlay(&mut config.hostname, &options.hostname);
    overlay(&mut config.domainname, &options.domainname);
    if config.hostname.len() > 64 || config.hostname.bytes().any(|b| !(b.is_ascii_alphanumeric() || b"-._".contains(&b))) {
        return Err(Error::invalid(format!(
            "invalid host name {:?}: expected letters, digits, - and ., at most 64",
            crate::engine::containers::shown(&config.hostname)
        )));
    }
    for port in &options.expose {
        config.exposed_ports.extend(crate::container::port::exposed(port).map_err(|why| Error::invalid(format!("--expose: {why}")))?);
    }
    config.tty = options.tty;
    config.open_stdin = options.interactive;
    config.stdin_once = options.interactive;
    if let Some(signal) = &options.stop_signal {
        values::signal(signal)?;
        config.stop_signal = Some(signal.clone());
    }
    config.stop_timeout = options.stop_timeout.or(config.stop_timeout);
    config.healthcheck = options.health.check(config.healthcheck)?;
    Ok(config)
}

fn environment(options: &ContainerOptions) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for file in &options.env_file {
        lines.extend(values::file_lines("--env-file", file)?);
    }
    lines.extend(options.env.iter().cloned());
    let mut entries = Vec::new();
    for line in lines {
        if line.starts_with('=') || line.is_empty() || line.contains('\0') {
            return Err(Error::invalid(format!("invalid environment variable {line:?}: expected NAME[=VALUE]")));
        }
        if line.contains('=') {
            entries.push(line);
        } else if let Ok(value) = std::env::var(&line) {
            entries.push(format!("{line}={value}"));
        }
    }
    Ok(entries)
}

fn labels(options: &ContainerOptions) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for file in &options.label_file {
        lines.extend(values::file_lines("--label-file", file)?);
    }
    lines.extend(options.label.iter().cloned());
    Ok(lines)
}

/// How this machine is to hold it. Volumes of other containers and of the image are not in it yet.
pub fn host_config(options: &ContainerOptions) -> Result<HostConfig> {
    if let Some(other) = options.attach.iter().find(|stream| !["stdin", "stdout", "stderr"].iter().any(|known| stream.eq_ignore_ascii_case(known))) {
        return Err(Error::invalid(format!("invalid -a {other:?}: expected stdin, stdout or stderr")));
    }
    let mut host = HostConfig {
        mounts: all_mounts(options)?,
        health_on_failure: options.health.on_failure()?,
        auto_remove: options.rm,
        readonly_rootfs: options.read_only,
        cap_add: options.cap_add.iter().map(|c| values::capability(c)).collect::<Result<_>>()?,
        cap_drop: options.cap_drop.iter().map(|c| values::capability(c)).collect::<Result<_>>()?,
        privileged: options.privileged,
        new_privileges: true,
        init: options.init,
        shm_size: options.shm_size.as_deref().map(|size| values::bytes("--shm-size", size)).transpose()?,
        dns: options.dns.clone(),
        dns_search: options.dns_search.clone(),
        dns_options: options.dns_option.clone(),
        group_add: options.group_add.clone(),
        oom_score_adj: options.oom_score_adj,
        log: log(options)?,
        cgroup_parent: options.cgroup_parent.clone().unwrap_or_default(),
        host_pid: shared_namespace("--pid", options.pid.as_deref())?,
        host_ipc: shared_namespace("--ipc", options.ipc.as_deref())?,
        host_uts: shared_namespace("--uts", options.uts.as_deref())?,
        ..HostConfig::default()
    };
    options.limits.update()?.apply(&mut host).map_err(Error::invalid)?;
    host.resources.oom_kill_disable = options.oom_kill_disable;
    if host.host_uts && (options.hostname.is_some() || options.domainname.is_some()) {
        return Err(Error::conflict("--uts host and a host name of its own exclude each other"));
    }
    if host.oom_score_adj.is_some_and(|shift| !(-1000..=1000).contains(&shift)) {
        return Err(Error::invalid("--oom-score-adj: expected a number from -1000 to 1000"));
    }
    if !host.cgroup_parent.is_empty() && (!host.cgroup_parent.starts_with('/') || host.cgroup_parent.split('/').any(|part| part == "..")) {
        return Err(Error::invalid(format!("--cgroup-parent {:?}: expected an absolute path without \"..\"", host.cgroup_parent)));
    }
    attachments::settle(options, &mut host)?;
    security(options, &mut host)?;
    named_lists(options, &mut host)?;
    Ok(host)
}

fn all_mounts(options: &ContainerOptions) -> Result<Vec<Mount>> {
    let mut found: Vec<Mount> = Vec::new();
    let volumes = options.volume.iter().map(|text| mounts::volume(text));
    let spelled = options.mount.iter().map(|text| mounts::spelled(text).and_then(existing));
    let memory = options.tmpfs.iter().map(|text| mounts::tmpfs(text));
    for mount in volumes.chain(spelled).chain(memory) {
        let mount = mount?;
        if found.iter().any(|other| other.destination == mount.destination) {
            return Err(Error::invalid(format!("duplicate mount point: {}", mount.destination)));
        }
        found.push(mount);
    }
    Ok(found)
}

/// Unlike `-v`, `--mount` makes no source that is missing.
fn existing(mount: Mount) -> Result<Mount> {
    if mount.kind == MountKind::Bind && std::fs::symlink_metadata(&mount.source).is_err() {
        return Err(Error::invalid(format!("invalid --mount: bind source path does not exist: {}", mount.source)).hint("make it first, or use -v"));
    }
    Ok(mount)
}

fn shared_namespace(option: &str, value: Option<&str>) -> Result<bool> {
    match value {
        None | Some("" | "private") => Ok(false),
        Some("host") => Ok(true),
        Some(other) => Err(Error::new(Kind::Unsupported, format!("{option} {other:?} is not in this version: choose host"))),
    }
}

fn log(options: &ContainerOptions) -> Result<LogConfig> {
    let mut log = LogConfig::default();
    match options.log_driver.as_deref() {
        None | Some("json-file") => {}
        Some("none") => "none".clone_into(&mut log.driver),
        Some(other) => return Err(Error::new(Kind::Unsupported, format!("log driver {other:?} is not in this version: choose json-file or none"))),
    }
    for option in &options.log_opt {
        match values::pair("--log-opt", option)? {
            ("max-size", "-1") => log.max_size = None,
            ("max-size", size) => log.max_size = Some(values::bytes("--log-opt max-size", size)?.max(4096)),
            ("max-file", count) => {
                log.max_file = count
                    .parse()
                    .ok()
                    .filter(|n| (1..=1000).contains(n))
                    .ok_or_else(|| Error::invalid("--log-opt max-file: expected a number from 1 to 1000"))?;
            }
            (name, _) => return Err(Error::new(Kind::Unsupported, format!("log option {name:?} is not in this version: max-size and max-file are"))),
        }
    }
    Ok(log)
}

fn security(options: &ContainerOptions, host: &mut HostConfig) -> Result<()> {
    for option in &options.security_opt {
        match option.as_str() {
            "no-new-privileges" | "no-new-privileges=true" | "no-new-privileges:true" => host.new_privileges = false,
            "no-new-privileges=false" | "no-new-privileges:false" => host.new_privileges = true,
            // This version sets up neither: asking for none of them is what happens.
            "seccomp=unconfined" | "apparmor=unconfined" | "label=disable" | "label:disable" => {}
            other => return Err(Error::new(Kind::Unsupported, format!("--security-opt {other} is not in this version"))),
        }
    }
    Ok(())
}

fn named_lists(options: &ContainerOptions, host: &mut HostConfig) -> Result<()> {
    const NAMES: [&str; 16] =
        ["as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"];
    for text in &options.ulimit {
        let (name, value) = values::pair("--ulimit", text)?;
        let wrong = || Error::invalid(format!("invalid --ulimit {text:?}: expected NAME=SOFT[:HARD]"));
        let number = |text: &str| if text == "-1" || text == "unlimited" { Some(u64::MAX) } else { text.parse().ok() };
        let (soft, hard) = value.split_once(':').unwrap_or((value, value));
        let (soft, hard) = (number(soft).ok_or_else(wrong)?, number(hard).ok_or_else(wrong)?);
        if !NAMES.contains(&name) || soft > hard {
            return Err(if soft > hard { wrong() } else { Error::invalid(format!("unknown ulimit {name:?}: expected one of {}", NAMES.join(", "))) });
        }
        host.ulimits.insert(name.to_owned(), (soft, hard));
    }
    for text in &options.sysctl {
        let (name, value) = values::pair("--sysctl", text)?;
        host.sysctls.insert(name.to_owned(), value.to_owned());
    }
    for text in &options.add_host {
        let (name, address) = text.split_once([':', '=']).ok_or_else(|| Error::invalid(format!("invalid --add-host {text:?}: expected NAME:ADDRESS")))?;
        if address == "host-gateway" && host.network_mode == NetworkMode::None {
            return Err(Error::conflict(format!("--add-host {text}: without a network nothing leads to this machine")));
        }
        let address = address.trim_matches(['[', ']']);
        if name.is_empty()
            || name.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control())
            || (address != "host-gateway" && address.parse::<std::net::IpAddr>().is_err())
        {
            return Err(Error::invalid(format!("invalid --add-host {text:?}: expected NAME:ADDRESS")));
        }
        host.extra_hosts.push(format!("{name}:{address}"));
    }
    for server in &host.dns {
        server.parse::<std::net::IpAddr>().map_err(|_| Error::invalid(format!("invalid --dns {server:?}: expected an address")))?;
    }
    if let Some(word) = host.dns_search.iter().chain(&host.dns_options).find(|word| word.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control())) {
        return Err(Error::invalid(format!("invalid resolver setting {word:?}: expected one word")));
    }
    for text in &options.device {
        let parts: Vec<&str> = text.split(':').collect();
        let is_mode = |mode: &str| !mode.is_empty() && mode.bytes().all(|b| b"rwm".contains(&b));
        let (here, inside, mode) = match parts[..] {
            [here] => (here, here, "rwm"),
            [here, mode] if is_mode(mode) => (here, here, mode),
            [here, inside] => (here, inside, "rwm"),
            [here, inside, mode] if is_mode(mode) => (here, inside, mode),
            _ => return Err(Error::invalid(format!("invalid --device {text:?}: expected HERE[:INSIDE][:rwm]"))),
        };
        if !here.starts_with('/') || !inside.starts_with('/') {
            return Err(Error::invalid(format!("invalid --device {text:?}: expected absolute paths")));
        }
        host.devices.push((here.to_owned(), inside.to_owned(), mode.to_owned()));
    }
    Ok(())
}

/// Adds the folders that the image wants on volumes, unless the user mounts something there.
pub fn image_volumes(config: &Config, host: &mut HostConfig) {
    for destination in &config.volumes {
        let taken = host.mounts.iter().any(|mount| mount.destination.trim_end_matches('/') == destination.trim_end_matches('/'));
        if !taken && destination.starts_with('/') && destination != "/" {
            host.mounts.push(Mount {
                kind: MountKind::Volume,
                name: None,
                source: String::new(),
                destination: destination.clone(),
                read_only: false,
                propagation: None,
                options: Vec::new(),
                anonymous: true,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> ContainerOptions {
        ContainerOptions { words: words.iter().map(ToString::to_string).collect(), ..ContainerOptions::default() }
    }

    #[test]
    fn options_that_are_not_there_are_refused_by_name() {
        let error = image_and_command(&options(&["--gpus", "all", "busybox"])).unwrap_err();
        assert!(error.message.contains("--gpus is not in this version"), "{error}");
        assert!(image_and_command(&options(&["--bogus"])).unwrap_err().message.contains("--bogus"));
        for (word, name) in [("--gpus=all", "--gpus"), ("--tree", "--tree"), ("--cpu-rt-period=3", "--cpu-rt-period")] {
            let error = image_and_command(&options(&[word, "busybox"])).unwrap_err();
            assert!(error.message.contains(&format!("option {name} is not in this version")), "{error}");
        }
        assert!(image_and_command(&options(&["-xy", "busybox"])).unwrap_err().message.contains("unknown option -xy"));
    }

    #[test]
    fn the_user_s_words_are_laid_over_the_image_s() {
        let image = Config { entrypoint: vec!["e".into()], cmd: vec!["c".into()], env: vec!["A=1".into(), "B=2".into()], ..Config::default() };
        let mut wanted = options(&["busybox", "x"]);
        wanted.env = vec!["A=3".into()];
        let made = config(&wanted, image.clone()).unwrap();
        assert_eq!((made.entrypoint, made.cmd, made.env), (vec!["e".to_owned()], vec!["x".to_owned()], vec!["B=2".to_owned(), "A=3".to_owned()]));
        let mut wanted = options(&["busybox"]);
        wanted.entrypoint = Some(String::new());
        assert!(config(&wanted, image).is_err(), "no command is left");
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        let with = |change: &dyn Fn(&mut ContainerOptions)| {
            let mut wanted = options(&["busybox"]);
            change(&mut wanted);
            host_config(&wanted)
        };
        assert!(with(&|o| o.limits.memory = Some("1m".into())).is_err());
        assert!(with(&|o| o.limits.memory_swap = Some("64m".into())).is_err());
        assert!(with(&|o| (o.rm, o.limits.restart) = (true, Some("always".into()))).is_err());
        assert!(with(&|o| o.volume = vec!["/a:/x".into(), "/b:/x".into()]).is_err());
        let gateway = |network: &str| with(&|o| (o.network, o.add_host) = (vec![network.into()], vec!["here:host-gateway".into()]));
        assert!(gateway("none").is_err_and(|e| e.message.contains("here:host-gateway")));
        assert_eq!(gateway("host").unwrap().extra_hosts, ["here:host-gateway"]);
        assert!(with(&|o| (o.uts, o.hostname) = (Some("host".into()), Some("x".into()))).is_err());
        assert!(with(&|o| o.attach = vec!["STDERR".into()]).is_ok());
        assert!(with(&|o| o.attach = vec!["stdlog".into()]).is_err());
        assert_eq!(with(&|o| o.limits.memory = Some("64m".into())).unwrap().resources.memory, Some(64 << 20));
    }
}
