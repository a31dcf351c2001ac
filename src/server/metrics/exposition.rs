//! The text that Prometheus reads, from values alone.
//!
//! Source of the format: Prometheus, "Exposition formats", text format 0.0.4.

use super::families::{FAMILIES, Kind};
use crate::engine::Usage;
use std::collections::HashMap;
use std::fmt::{Display, Write};

/// What the text is, in words of HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is told at once.
#[derive(Clone, Copy, Debug)]
pub struct Scrape<'a> {
    /// Processors of the machine; 0 if the kernel does not tell.
    pub cores: usize,
    /// Bytes of its memory.
    pub memory: Option<u64>,
    /// Bytes of its swap space.
    pub swap: Option<u64>,
    /// The machine itself, as `/`, and the containers.
    pub subjects: &'a [Subject],
    /// Devices by their numbers.
    pub devices: &'a HashMap<(u32, u32), String>,
}

/// Whose figures they are.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// Its cgroup.
    pub id: String,
    /// The container's name; empty for the machine.
    pub name: String,
    /// The image as the user named it; empty for the machine.
    pub image: String,
}

/// One that uses something.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// Who it is.
    pub labels: Labels,
    /// What it uses.
    pub usage: Usage,
    /// When it started, seconds since 1970.
    pub started: Option<f64>,
    /// When it was looked at, seconds since 1970.
    pub seen: f64,
    /// How many processes it has.
    pub processes: Option<u64>,
}

/// Where the values of one family and one subject are written.
pub struct Lines<'a> {
    text: &'a mut String,
    family: &'static str,
    labels: &'a str,
    /// Devices by their numbers.
    pub devices: &'a HashMap<(u32, u32), String>,
}

impl Lines<'_> {
    /// A value with further labels.
    pub fn put(&mut self, further: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.family);
        self.text.push('{');
        self.text.push_str(self.labels);
        for (name, value) in further {
            self.text.push(',');
            label(self.text, name, value);
        }
        // Writing into a text cannot fail.
        let _ = writeln!(self.text, "}} {value}");
    }

    /// A count, if there is one.
    pub fn count(&mut self, count: Option<u64>) {
        if let Some(count) = count {
            self.put(&[], count);
        }
    }

    /// A time, if there is one.
    pub fn seconds(&mut self, parts: Option<u64>, of_a_second: f64) {
        if let Some(parts) = parts {
            self.put(&[], parts as f64 / of_a_second);
        }
    }
}

/// Everything as text.
pub fn text(scrape: &Scrape<'_>) -> String {
    let mut text = String::new();
    let cores = Some(scrape.cores as u64).filter(|cores| *cores > 0);
    for (name, help, value) in [
        ("machine_cpu_cores", "Number of processors that are online.", cores),
        ("machine_memory_bytes", "Amount of memory on the machine.", scrape.memory),
        ("machine_swap_bytes", "Amount of swap memory on the machine.", scrape.swap),
    ] {
        if let Some(value) = value {
            head(&mut text, name, Kind::Gauge, help);
            let _ = writeln!(text, "{name} {value}");
        }
    }
    let labels: Vec<String> = scrape.subjects.iter().map(|subject| common(&subject.labels)).collect();
    for family in FAMILIES {
        let before = text.len();
        head(&mut text, family.name, family.kind, family.help);
        let empty = text.len();
        for (subject, labels) in scrape.subjects.iter().zip(&labels) {
            (family.of)(subject, &mut Lines { text: &mut text, family: family.name, labels, devices: scrape.devices });
        }
        if text.len() == empty {
            // This machine counts no such thing.
            text.truncate(before);
        }
    }
    text
}

fn head(text: &mut String, name: &str, kind: Kind, help: &str) {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
    };
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn common(labels: &Labels) -> String {
    let mut text = String::new();
    label(&mut text, "id", &labels.id);
    // An empty label is the same as none.
    for (name, value) in [("image", &labels.image), ("name", &labels.name)].iter().filter(|(_, value)| !value.is_empty()) {
        text.push(',');
        label(&mut text, name, value);
    }
    text
}

/// A label, its value escaped as the format wants it. Other control characters would be allowed, but are nothing for a terminal.
fn label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            control if control.is_control() => text.push(char::REPLACEMENT_CHARACTER),
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Carried, Cpu, Device, Link, Memory, Pressure, Stall, Throttling};

    fn link(name: &[u8]) -> Link {
        let mut link =
            Link { received: Carried { bytes: 1, packets: 2, errors: 3, dropped: 4 }, sent: Carried { bytes: 5, ..Carried::default() }, ..Link::default() };
        link.name[..name.len()].copy_from_slice(name);
        link
    }

    fn subject() -> Subject {
        Subject {
            labels: Labels { id: "/kapal/1".into(), name: "web".into(), image: "box:1".into() },
            usage: Usage {
                cpu: Cpu {
                    total: Some(1_500_000_000),
                    user: Some(1_000_000_000),
                    limit: Some(500_000_000),
                    throttling: Some(Throttling { periods: 9, throttled: 3, time: 7_250_000_000 }),
                    ..Cpu::default()
                },
                memory: Memory { total: Some(5000), failures: Some(0), ..Memory::default() },
                devices: Some(vec![Device { number: (8, 0), read: 4096, ..Device::default() }, Device { number: (8, 16), ..Device::default() }]),
                links: Some(vec![link(b"lo"), link(b"e\"\\\x1b0")]),
                pressure: Pressure { cpu: Some(Stall { some: 2_500_000, full: None }), ..Pressure::default() },
                ..Usage::default()
            },
            started: Some(12.5),
            seen: 100.0,
            processes: Some(2),
        }
    }

    fn told(subjects: &[Subject]) -> String {
        let devices = HashMap::from([((8, 0), "/dev/sda".to_owned())]);
        text(&Scrape { cores: 2, memory: Some(1 << 30), swap: None, subjects, devices: &devices })
    }

    #[test]
    fn a_container_is_told_with_cadvisors_names() {
        let text = told(&[subject()]);
        let who = "id=\"/kapal/1\",image=\"box:1\",name=\"web\"";
        for line in [
            "# TYPE machine_cpu_cores gauge\nmachine_cpu_cores 2\n".to_owned(),
            format!("# TYPE container_cpu_usage_seconds_total counter\ncontainer_cpu_usage_seconds_total{{{who},cpu=\"total\"}} 1.5\n"),
            format!("container_cpu_cfs_throttled_seconds_total{{{who}}} 7.25\n"),
            format!("container_spec_cpu_quota{{{who}}} 50000\n"),
            format!("container_spec_cpu_period{{{who}}} 100000\n"),
            format!("container_memory_usage_bytes{{{who}}} 5000\n"),
            format!("container_memory_failcnt{{{who}}} 0\n"),
            format!("container_spec_memory_limit_bytes{{{who}}} 0\n"),
            format!("container_fs_reads_bytes_total{{{who},device=\"/dev/sda\"}} 4096\n"),
            format!("container_fs_reads_bytes_total{{{who},device=\"8:16\"}} 0\n"),
            format!("container_network_receive_packets_dropped_total{{{who},interface=\"e\\\"\\\\\u{fffd}0\"}} 4\n"),
            format!("container_pressure_cpu_waiting_seconds_total{{{who}}} 2.5\n"),
            format!("container_start_time_seconds{{{who}}} 12.5\n"),
            format!("container_processes{{{who}}} 2\n"),
        ] {
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
        // What is not counted is not there, not even its head; nor is the way back to the container itself.
        for absent in ["container_memory_swap", "machine_swap_bytes", "container_pressure_cpu_stalled", "interface=\"lo\"", "\x1b"] {
            assert!(!text.contains(absent), "{absent} is in\n{text}");
        }
    }

    #[test]
    fn the_text_is_well_formed() {
        let mut other = subject();
        other.labels = Labels { id: "/".into(), ..Labels::default() };
        let text = told(&[other, subject()]);
        let mut seen = std::collections::BTreeSet::new();
        let mut family = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                family = rest.split(' ').next().unwrap();
                assert!(seen.insert(rest.split_at(family.len() + 1).0.to_owned()), "{family} is told twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, family);
                assert_eq!(kind == "counter", name.ends_with("_total") || name == "container_memory_failcnt", "{name}");
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert_eq!(name.split('{').next(), Some(family));
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(seen.insert(name.to_owned()), "{line} is told twice");
            }
        }
        assert!(text.ends_with('\n') && text.contains("container_memory_usage_bytes{id=\"/\"} 5000\n"));
        assert_eq!(told(&[]).lines().count(), 6, "a machine without figures");
    }
}
