//! The toolbox that needs no program: a small shell and small tools, run in the process that joined a container.
//!
//! They stand in for a static busybox where this machine has none. This program itself cannot be executed in there: its
//! libraries are not. But a fork of the monitor has them mapped already, so that it can go on as an applet where it would
//! have executed a program (`native::child`). Hence two rules: nothing in here may make the library load a file of the
//! container's (no lookup of users or hosts through it, no time zones), and every fork ends in here, never in its parent's
//! code.

mod applets;
mod call;
mod change;
mod expand;
mod list;
mod parse;
mod pattern;
mod process;
mod run;
mod shell;
mod system;
mod text;
mod walk;

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The status of an applet that failed in a way it should not.
const BROKEN: i32 = 125;

/// Whether there is an applet of this name.
pub fn has(name: &str) -> bool {
    applets::find(name.as_bytes()).is_some()
}

/// Runs the applet that the first argument names, on the standard streams; its exit status. The process has one thread
/// and no descriptors but the standard streams, and ends with this.
pub fn run(arguments: &[CString], environment: &[CString]) -> i32 {
    contained(|| {
        let name = arguments.first().map(|name| name.to_bytes()).unwrap_or_default();
        applets::find(name).map_or(127, |applet| applet.run(&arguments[1..], environment))
    })
}

/// A panic ends an applet and no more: what lies beneath on the stack is the monitor's.
fn contained(work: impl FnOnce() -> i32) -> i32 {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(BROKEN)
}
