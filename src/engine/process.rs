//! Processes told apart beyond their numbers, which the kernel gives again.

use std::sync::OnceLock;

/// When a process started, in clock ticks since boot; `None` if it is gone.
///
/// Source: proc_pid_stat(5), field 22; the fields are counted after the last `)`, a command's name may hold anything.
pub fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Whether the process that had this number and start time is still there.
pub fn is_alive(pid: i32, start: u64) -> bool {
    pid > 0 && start_time(pid) == Some(start)
}

/// This process's number and start time.
pub fn own() -> (i32, u64) {
    static OWN: OnceLock<(i32, u64)> = OnceLock::new();
    *OWN.get_or_init(|| {
        let pid = std::process::id() as i32;
        (pid, start_time(pid).unwrap_or(0))
    })
}
