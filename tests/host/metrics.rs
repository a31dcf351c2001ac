//! Figures for Prometheus: of real containers, printed and over a real socket.

use crate::store::{Store, status_of, tool, until};
use nix::sys::signal::{Signal, kill};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// The value of a line, by the beginning of its name and labels.
fn value(text: &str, wanted: &[&str]) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(wanted[0]) && wanted.iter().all(|part| line.contains(part)))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn containers_are_told_to_prometheus() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let id = store.ok(&["run", "-d", "--name", "told", "-m", "64m", "--cpus", "0.5", "--pids-limit", "9", &image, "sleep", "1000"]);
    store.ok(&["create", "--name", "untold", &image, "true"]);
    let text = store.ok(&["metrics"]);
    let own = |family: &str| value(&text, &[&format!("{family}{{id=\"/kapal/{id}\""), "name=\"told\"", &format!("image=\"{image}\"")]);
    assert_eq!(own("container_spec_memory_limit_bytes"), Some(f64::from(64 << 20)));
    assert_eq!(own("container_threads_max"), Some(9.0));
    assert_eq!((own("container_processes"), own("container_threads")), (Some(1.0), Some(1.0)));
    assert_eq!(own("container_spec_cpu_quota"), Some(50_000.0));
    assert!(own("container_cpu_usage_seconds_total").is_some_and(|seconds| seconds > 0.0) && own("container_network_transmit_bytes_total").is_some());
    let began: jiff::Timestamp = store.field("told", ".State.StartedAt").parse().unwrap();
    assert!(own("container_start_time_seconds").is_some_and(|start| (start - began.as_duration().as_secs_f64()).abs() < 1.0));
    assert!(value(&text, &["container_memory_usage_bytes{id=\"/\""]).is_some_and(|bytes| bytes > 0.0));
    assert!(!text.contains("untold"), "it does not run");
    assert!(store.fails(1, &["metrics", "--listen", "0.0.0.0:0"]).contains("--any"));

    let mut server = store.command(&["metrics", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut words = BufReader::new(server.stderr.take().unwrap()).lines();
    let told = words.next().unwrap().unwrap();
    let address = told.strip_prefix("serving ").unwrap_or_else(|| panic!("{told}")).to_owned();
    let scraped = || tool("curl", &["-fsS", &address]);
    let seconds = |text: &str| value(text, &["container_cpu_usage_seconds_total{", "name=\"told\""]).unwrap();
    let first = seconds(&scraped());
    store.ok(&["exec", "told", "sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"]);
    until("its work is seen", || seconds(&scraped()) > first);
    store.ok(&["rm", "-f", "told"]);
    assert!(!scraped().contains("name=\"told\""));
    kill(nix::unistd::Pid::from_raw(server.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(status_of(server.wait().unwrap()), 0);
}
