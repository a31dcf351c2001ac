//! The small init of `--init`: the first process stays here, passes signals on, and reaps whom nobody else reaps.

use super::child::{leave, reset_signals, step};
use super::credentials;
use crate::execdriver::StartError;
use crate::execdriver::search::Command;
use crate::sys::clone::{self, Side};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use oci_spec::runtime::Process;
use std::os::fd::{AsFd, OwnedFd};

/// Forks: the child becomes the command, this process looks after it. It has the command's own user and capabilities.
pub fn run(process: &Process, command: &Command) -> Result<std::convert::Infallible, StartError> {
    credentials::take(process)?;
    let all = SigSet::all();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), None).map_err(|error| StartError::Failed(format!("init cannot block signals: {error}")))?;
    match clone::clone(0, None).map_err(|error| StartError::Failed(format!("init cannot fork: {error}")))? {
        Side::Child => {
            // A session of its own would lose the terminal; a group of its own in front of it does not.
            let _ = nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0));
            let _ = nix::unistd::tcsetpgrp(std::io::stdin(), nix::unistd::getpid());
            reset_signals()?;
            command.execute()
        }
        Side::Parent { pid, pidfd } => {
            drop(pidfd);
            let _ = rustix::thread::set_name(c"kapal-init");
            // What the command's start reports by closing must not be held open here.
            crate::sys::fd::close_from(3).map_err(|error| StartError::Failed(format!("init cannot close descriptors: {error}")))?;
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).map_err(step("init cannot close itself to others"))?;
            let child = rustix::process::Pid::from_raw(pid).ok_or_else(|| StartError::Failed("init has no child".to_owned()))?;
            // Not reaped before the loop begins: the number is still the command's.
            let handle = rustix::process::pidfd_open(child, rustix::process::PidfdFlags::empty()).map_err(step("init cannot hold its child"))?;
            let signals = SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC);
            let signals = signals.map_err(|error| StartError::Failed(format!("init cannot wait for signals: {error}")))?;
            look_after(Pid::from_raw(pid), &handle, &signals)
        }
    }
}

fn look_after(command: Pid, handle: &OwnedFd, signals: &SignalFd) -> ! {
    loop {
        match signals.read_signal() {
            Ok(Some(signal)) if signal.ssi_signo as i32 != libc::SIGCHLD => {
                // The command may have ended already: then the next SIGCHLD tells.
                let _ = crate::sys::fd::signal(handle.as_fd(), signal.ssi_signo as i32);
            }
            _ => {
                if let Some(status) = reap(command) {
                    leave(status);
                }
            }
        }
    }
}

/// Reaps all that have ended; the command's status, if it is among them.
fn reap(command: Pid) -> Option<i32> {
    let mut status = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == command => status = Some(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => status = Some(128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(_) => return status,
            Ok(_) => {}
        }
    }
}
