//! What a process does about signals, as the kernel tells it.

use nix::sys::signal::Signal;
use std::fs;

/// Whether a process has a handler for a signal. One that comes before it has is a plain end, whatever it was about to do.
pub fn catches(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
    caught.is_some_and(|mask| mask >> (signal as u32 - 1) & 1 == 1)
}
