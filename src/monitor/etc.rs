//! The files of /etc that belong to a container and not to its image: hosts, hostname, resolv.conf.

use crate::container::{Container, NetworkMode};
use crate::execdriver::spec::{Files, hostname};
use std::fmt::Write;
use std::io::{self, Read};
use std::path::Path;

/// Writes them below `folder` and says where each is to appear.
pub fn write(folder: &Path, container: &Container) -> io::Result<Files> {
    let mut files = Files::default();
    let texts = [
        ("hosts", "/etc/hosts", hosts(container)),
        ("hostname", "/etc/hostname", format!("{}\n", hostname(container))),
        ("resolv.conf", "/etc/resolv.conf", resolv(container)),
    ];
    for (name, inside, text) in texts {
        let path = folder.join(name);
        std::fs::write(&path, text)?;
        rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(0o644))?;
        files.etc.push((path, inside));
    }
    Ok(files)
}

/// The most of this machine's own file that is read.
const MOST: u64 = 256 << 10;

fn own(path: &str) -> String {
    let mut text = Vec::new();
    match std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut text)) {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::new(),
    }
}

fn hosts(container: &Container) -> String {
    let shares_network = container.host_config.network_mode == NetworkMode::Host;
    let mut text = if shares_network {
        own("/etc/hosts")
    } else {
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n".to_owned()
    };
    for line in &container.host_config.extra_hosts {
        if let Some((name, address)) = line.split_once(':') {
            let _ = writeln!(text, "{address}\t{name}");
        }
    }
    if !shares_network {
        let _ = writeln!(text, "127.0.0.1\t{}", hostname(container));
    }
    text
}

fn resolv(container: &Container) -> String {
    let host = &container.host_config;
    let machine = own("/etc/resolv.conf");
    let mut lines: Vec<String> = machine
        .lines()
        .filter(|line| {
            let word = line.split_whitespace().next().unwrap_or_default();
            let replaced = (word == "nameserver" && !host.dns.is_empty())
                || (word == "search" && !host.dns_search.is_empty())
                || (word == "options" && !host.dns_options.is_empty());
            !replaced
        })
        .map(str::to_owned)
        .collect();
    lines.extend(host.dns.iter().map(|server| format!("nameserver {server}")));
    if !host.dns_search.is_empty() {
        lines.push(format!("search {}", host.dns_search.join(" ")));
    }
    if !host.dns_options.is_empty() {
        lines.push(format!("options {}", host.dns_options.join(" ")));
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}
