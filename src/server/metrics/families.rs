//! The families of figures: their names are cAdvisor's, so that dashboards made for it show our containers, too.
//!
//! As there, `container_threads` counts what the `pids` controller counts, and a limit of 0 is none. `kapal_` is before what
//! cAdvisor does not tell.
//!
//! Source of the names: cAdvisor, docs/storage/prometheus.md.

use super::exposition::{Lines, Subject};
use crate::engine::{Device, Link, Stall};

const NANOS: f64 = 1e9;
const MICROS: f64 = 1e6;

/// The period that quotas are told for, microseconds; the kernel's usual one.
const PERIOD: u64 = 100_000;

/// Whether a figure only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It counts from the start on.
    Counter,
    /// It is what it is now.
    Gauge,
}

/// A figure of everybody.
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// Writes the values of one.
    pub of: fn(&Subject, &mut Lines<'_>),
}

const fn counter(name: &'static str, help: &'static str, of: fn(&Subject, &mut Lines<'_>)) -> Family {
    Family { name, help, kind: Kind::Counter, of }
}

const fn gauge(name: &'static str, help: &'static str, of: fn(&Subject, &mut Lines<'_>)) -> Family {
    Family { name, help, kind: Kind::Gauge, of }
}

fn links(subject: &Subject, lines: &mut Lines<'_>, figure: fn(&Link) -> u64) {
    for link in subject.usage.links.iter().flatten().filter(|link| !link.is_loopback()) {
        lines.put(&[("interface", &link.name())], figure(link));
    }
}

fn devices(subject: &Subject, lines: &mut Lines<'_>, figure: fn(&Device) -> u64) {
    let known = lines.devices;
    for device in subject.usage.devices.iter().flatten() {
        match known.get(&device.number) {
            Some(name) => lines.put(&[("device", name)], figure(device)),
            None => lines.put(&[("device", &format!("{}:{}", device.number.0, device.number.1))], figure(device)),
        }
    }
}

fn waited(stall: Option<Stall>, lines: &mut Lines<'_>) {
    lines.seconds(stall.map(|stall| stall.some), MICROS);
}

fn stalled(stall: Option<Stall>, lines: &mut Lines<'_>) {
    lines.seconds(stall.and_then(|stall| stall.full), MICROS);
}

/// A limit of what is counted: 0 for none.
fn limit(counted: Option<u64>, limit: Option<u64>, lines: &mut Lines<'_>) {
    lines.count(counted.map(|_| limit.unwrap_or(0)));
}

/// All of them, in the order in which they are told.
pub const FAMILIES: &[Family] = &[
    gauge("container_last_seen", "Last time a container was seen by the exporter.", |one, to| to.put(&[], one.seen)),
    gauge("container_start_time_seconds", "Start time of the container since unix epoch in seconds.", |one, to| {
        if let Some(started) = one.started {
            to.put(&[], started);
        }
    }),
    counter("container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.", |one, to| {
        if let Some(total) = one.usage.cpu.total {
            to.put(&[("cpu", "total")], total as f64 / NANOS);
        }
    }),
    counter("container_cpu_user_seconds_total", "Cumulative user cpu time consumed in seconds.", |one, to| to.seconds(one.usage.cpu.user, NANOS)),
    counter("container_cpu_system_seconds_total", "Cumulative system cpu time consumed in seconds.", |one, to| to.seconds(one.usage.cpu.system, NANOS)),
    counter("container_cpu_cfs_periods_total", "Number of elapsed enforcement period intervals.", |one, to| {
        to.count(one.usage.cpu.throttling.map(|throttling| throttling.periods));
    }),
    counter("container_cpu_cfs_throttled_periods_total", "Number of throttled period intervals.", |one, to| {
        to.count(one.usage.cpu.throttling.map(|throttling| throttling.throttled));
    }),
    counter("container_cpu_cfs_throttled_seconds_total", "Total time duration the container has been throttled.", |one, to| {
        to.seconds(one.usage.cpu.throttling.map(|throttling| throttling.time), NANOS);
    }),
    gauge("container_spec_cpu_period", "CPU period of the container.", |one, to| to.count(one.usage.cpu.limit.map(|_| PERIOD))),
    gauge("container_spec_cpu_quota", "CPU quota of the container.", |one, to| {
        to.count(one.usage.cpu.limit.map(|nanos| (u128::from(nanos) * u128::from(PERIOD) / 1_000_000_000) as u64));
    }),
    gauge("container_memory_usage_bytes", "Current memory usage in bytes, including all memory regardless of when it was accessed.", |one, to| {
        to.count(one.usage.memory.total);
    }),
    gauge("container_memory_working_set_bytes", "Current working set in bytes.", |one, to| to.count(one.usage.memory.working_set)),
    gauge("container_memory_rss", "Size of RSS in bytes.", |one, to| to.count(one.usage.memory.anon)),
    gauge("container_memory_cache", "Number of bytes of page cache memory.", |one, to| to.count(one.usage.memory.cache)),
    gauge("container_memory_kernel_usage", "Size of kernel memory allocated in bytes.", |one, to| to.count(one.usage.memory.kernel)),
    gauge("container_memory_swap", "Container swap usage in bytes.", |one, to| to.count(one.usage.memory.swap)),
    gauge("container_memory_max_usage_bytes", "Maximum memory usage recorded in bytes.", |one, to| to.count(one.usage.memory.peak)),
    // The name is older than the rule that a counter's ends in _total.
    counter("container_memory_failcnt", "Number of memory usage hits limits.", |one, to| to.count(one.usage.memory.failures)),
    counter("container_oom_events_total", "Count of out of memory events observed for the container.", |one, to| to.count(one.usage.memory.oom_kills)),
    counter("kapal_container_memory_high_events_total", "How often the container was slowed down at memory.high.", |one, to| {
        to.count(one.usage.memory.high);
    }),
    gauge("container_spec_memory_limit_bytes", "Memory limit for the container.", |one, to| {
        limit(one.usage.memory.total, one.usage.memory.limit, to);
    }),
    gauge("container_spec_memory_swap_limit_bytes", "Memory swap limit for the container.", |one, to| {
        limit(one.usage.memory.swap, one.usage.memory.swap_limit, to);
    }),
    gauge("container_processes", "Number of processes running inside the container.", |one, to| to.count(one.processes)),
    gauge("container_threads", "Number of threads running inside the container.", |one, to| to.count(one.usage.processes)),
    gauge("container_threads_max", "Maximum number of threads allowed inside the container.", |one, to| {
        limit(one.usage.processes, one.usage.processes_limit, to);
    }),
    counter("container_fs_reads_bytes_total", "Cumulative count of bytes read.", |one, to| devices(one, to, |device| device.read)),
    counter("container_fs_writes_bytes_total", "Cumulative count of bytes written.", |one, to| devices(one, to, |device| device.written)),
    counter("container_fs_reads_total", "Cumulative count of reads completed.", |one, to| devices(one, to, |device| device.reads)),
    counter("container_fs_writes_total", "Cumulative count of writes completed.", |one, to| devices(one, to, |device| device.writes)),
    counter("container_network_receive_bytes_total", "Cumulative count of bytes received.", |one, to| links(one, to, |link| link.received.bytes)),
    counter("container_network_receive_packets_total", "Cumulative count of packets received.", |one, to| {
        links(one, to, |link| link.received.packets);
    }),
    counter("container_network_receive_errors_total", "Cumulative count of errors encountered while receiving.", |one, to| {
        links(one, to, |link| link.received.errors);
    }),
    counter("container_network_receive_packets_dropped_total", "Cumulative count of packets dropped while receiving.", |one, to| {
        links(one, to, |link| link.received.dropped);
    }),
    counter("container_network_transmit_bytes_total", "Cumulative count of bytes transmitted.", |one, to| links(one, to, |link| link.sent.bytes)),
    counter("container_network_transmit_packets_total", "Cumulative count of packets transmitted.", |one, to| {
        links(one, to, |link| link.sent.packets);
    }),
    counter("container_network_transmit_errors_total", "Cumulative count of errors encountered while transmitting.", |one, to| {
        links(one, to, |link| link.sent.errors);
    }),
    counter("container_network_transmit_packets_dropped_total", "Cumulative count of packets dropped while transmitting.", |one, to| {
        links(one, to, |link| link.sent.dropped);
    }),
    counter("container_pressure_cpu_waiting_seconds_total", "Total time duration tasks in the container have waited for CPU.", |one, to| {
        waited(one.usage.pressure.cpu, to);
    }),
    counter("container_pressure_cpu_stalled_seconds_total", "Total time duration no tasks in the container could make progress for want of CPU.", |one, to| {
        stalled(one.usage.pressure.cpu, to);
    }),
    counter("container_pressure_memory_waiting_seconds_total", "Total time duration tasks in the container have waited for memory.", |one, to| {
        waited(one.usage.pressure.memory, to);
    }),
    counter(
        "container_pressure_memory_stalled_seconds_total",
        "Total time duration no tasks in the container could make progress for want of memory.",
        |one, to| stalled(one.usage.pressure.memory, to),
    ),
    counter("container_pressure_io_waiting_seconds_total", "Total time duration tasks in the container have waited for I/O.", |one, to| {
        waited(one.usage.pressure.io, to);
    }),
    counter("container_pressure_io_stalled_seconds_total", "Total time duration no tasks in the container could make progress for want of I/O.", |one, to| {
        stalled(one.usage.pressure.io, to);
    }),
];
