//! Which devices a container may open: v1's list, or a program of the kernel's for v2.

use super::Cgroup;
use super::writer::Writer;
use crate::sys::bpf;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use std::io;

/// Sets the rules.
pub fn restrict(writer: &mut Writer, cgroup: &Cgroup, rules: &[LinuxDeviceCgroup]) -> io::Result<()> {
    if let Some(path) = cgroup.v1_of("devices") {
        for rule in rules {
            let name = if rule.allow() { "devices.allow" } else { "devices.deny" };
            writer.set(&path.join(name), &old_rule(rule))?;
        }
        return Ok(());
    }
    // The specification's last fitting rule decides, the program's first one.
    let program: Vec<bpf::Rule> = rules.iter().rev().map(new_rule).collect();
    match &cgroup.unified {
        Some(fd) => bpf::allow_devices(std::os::fd::AsFd::as_fd(fd), &program)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot restrict devices: {error}"))),
        None => Ok(()),
    }
}

fn old_rule(rule: &LinuxDeviceCgroup) -> String {
    let number = |number: Option<i64>| number.map_or("*".to_owned(), |n| n.to_string());
    let kind = match rule.typ() {
        Some(LinuxDeviceType::B) => "b",
        Some(LinuxDeviceType::C) => "c",
        _ => "a",
    };
    format!("{kind} {}:{} {}", number(rule.major()), number(rule.minor()), rule.access().as_deref().unwrap_or("rwm"))
}

fn new_rule(rule: &LinuxDeviceCgroup) -> bpf::Rule {
    let kind = match rule.typ() {
        Some(LinuxDeviceType::B) => Some(b'b'),
        Some(LinuxDeviceType::C) => Some(b'c'),
        _ => None,
    };
    let access = rule.access().as_deref().unwrap_or("rwm").bytes().fold(0, |access, letter| {
        access
            | match letter {
                b'm' => 1,
                b'r' => 2,
                b'w' => 4,
                _ => 0,
            }
    });
    let number = |number: Option<i64>| number.and_then(|n| u32::try_from(n).ok());
    bpf::Rule { allow: rule.allow(), kind, major: number(rule.major()), minor: number(rule.minor()), access }
}
