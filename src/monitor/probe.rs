//! One probe of a container's health: a process beside its first one, what it writes, its end in time.
//!
//! ```text
//!  begin ──► sets itself up ──► runs ──► ended: its status, what it wrote
//!                 │               │
//!                 └── time over ──┴──► killed with all that it started; reaped whenever the kernel lets go of it
//! ```
//!
//! Nothing here waits: whatever the container does to its files, its cgroups or the pipe, the monitor's loop goes on.

use crate::container::{Health, Probe, length};
use crate::execdriver::{Beside, ExecDriver, Program, Report, StartError, Stdio};
use crate::id::ContainerId;
use oci_spec::runtime::Process;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// A probe that writes more than is kept is read at this pace and a pipe full at a time: it must not keep the monitor busy.
const PACE: Duration = Duration::from_millis(10);
/// What died by SIGKILL may have died with its container, whose first process is then seen to end within this time.
const DOUBT: Duration = Duration::from_millis(200);

/// The container that is asked, as its driver needs it.
#[derive(Clone, Copy)]
pub struct Patient<'a> {
    pub driver: &'a dyn ExecDriver,
    pub id: &'a ContainerId,
    /// Its first process.
    pub pid: i32,
}

impl Patient<'_> {
    /// Whether its first process is about to end: then its end is heard of, however long the kernel takes to tell.
    fn is_ending(&self) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).map_or(true, |stat| ends(&stat).unwrap_or(false))
    }
}

/// Whether a process exits already, or must. Source of the format: proc_pid_stat(5), fields 9 and 31; include/linux/sched.h.
fn ends(stat: &str) -> Option<bool> {
    const PF_EXITING: u64 = 4;
    let fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let [flags, pending] = [6, 28].map(|at| fields.clone().nth(at).and_then(|field| field.parse::<u64>().ok()));
    Some(flags? & PF_EXITING != 0 || pending? & (1 << (libc::SIGKILL - 1)) != 0)
}

/// A probe under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Until its command runs.
    report: Option<Box<dyn Report>>,
    output: Option<OwnedFd>,
    written: Vec<u8>,
    cut: bool,
    /// Output is read again then.
    pause_until: Option<Instant>,
    start: jiff::Timestamp,
    asked: Instant,
    deadline: Instant,
    timeout: Duration,
    /// How it ended, and until when that is in doubt.
    ended: Option<(i32, Instant)>,
}

/// A probe's process, a child of the monitor until it is reaped.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
}

impl Child {
    /// Readable when it has ended.
    pub fn fd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Its status, if it has ended; reaped then, and not to be asked again.
    pub fn reap(&self) -> Option<i32> {
        let ended = rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).ok()??;
        ended.exit_status().or_else(|| ended.terminating_signal().map(|signal| 128 + signal))
    }

    /// Kills it, its process group, and what it started, where the kernel keeps those together.
    pub fn kill(&self, patient: Patient<'_>) {
        // Those that are gone already are what is wanted; what cannot be killed now dies with the container.
        let _ = patient.driver.end_apart(patient.id);
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        // It leads a group of its own number once it has begun its session; before that there is no such group, and as long as
        // it is not reaped the number is nobody else's.
        if let Some(group) = Pid::from_raw(self.pid) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits for its end after it was killed, but not for ever.
    pub fn bury(self, patience: Duration) {
        let wait = rustix::time::Timespec { tv_sec: 0, tv_nsec: patience.as_nanos() as i64 };
        let _ = rustix::event::poll(&mut [rustix::event::PollFd::new(&self.pidfd, rustix::event::PollFlags::IN)], Some(&wait));
        let _ = self.reap();
    }
}

impl Running {
    /// Begins. What cannot be begun is an answer, too.
    pub fn begin(patient: Patient<'_>, process: &Process, timeout: Duration) -> Result<Self, StartError> {
        let (start, asked) = (jiff::Timestamp::now(), Instant::now());
        let failed = |error: rustix::io::Errno| StartError::Failed(format!("cannot make the probe's streams: {error}"));
        let input = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        let (output, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(failed)?;
        // So that a user other than root can open /dev/stdout again. A file system may refuse; then so does open.
        let _ = rustix::fs::fchown(&theirs, Some(rustix::fs::Uid::from_raw(process.user().uid())), None);
        rustix::io::ioctl_fionbio(&output, true).map_err(failed)?;
        let error = rustix::io::fcntl_dupfd_cloexec(&theirs, 3).map_err(failed)?;
        let stdio = Stdio::Streams([input, theirs, error]);
        let beside = Beside { id: patient.id, init_pid: patient.pid, process, stdio, program: Program::Own, apart: true };
        let begun = patient.driver.begin(beside)?;
        Ok(Self {
            child: Child { pid: begun.pid, pidfd: begun.pidfd },
            report: Some(begun.report),
            output: Some(output),
            written: Vec::new(),
            cut: false,
            pause_until: None,
            start,
            asked,
            deadline: asked + timeout,
            timeout,
            ended: None,
        })
    }

    /// When it was asked for.
    pub fn asked(&self) -> Instant {
        self.asked
    }

    /// What wakes the monitor for it.
    pub fn fds(&self) -> impl Iterator<Item = &OwnedFd> {
        let child = self.ended.is_none().then(|| self.child.fd());
        let report = self.report.as_ref().map(|report| report.fd());
        child.into_iter().chain(report).chain(self.output.as_ref().filter(|_| self.pause_until.is_none()))
    }

    /// When it is to be looked after whatever happens.
    pub fn alarm(&self) -> Instant {
        let own = self.ended.map_or(self.deadline, |(_, until)| until);
        self.pause_until.map_or(own, |until| until.min(own))
    }

    /// Looks after it; its answer, if there is one. Its process may live on then, killed: it is to be reaped.
    pub fn tend(&mut self, patient: Patient<'_>, now: Instant, buffer: &mut [u8]) -> Option<Probe> {
        self.pause_until = self.pause_until.filter(|until| *until > now);
        if self.pause_until.is_none() {
            self.read(now, buffer);
        }
        if let Some(heard) = self.report.as_mut().and_then(|report| report.hear()) {
            self.report = None;
            if let Err(error) = heard {
                self.child.kill(patient);
                return Some(self.answer(-1, error.to_string()));
            }
        }
        if self.ended.is_none()
            && let Some(status) = self.child.reap()
        {
            // The rest of what is kept; what others write to the pipe from now on is nobody's answer.
            while self.written.len() < Health::OUTPUT && self.read(now, buffer) {}
            self.output = None;
            self.pause_until = None;
            self.ended = Some((status, if status == 128 + libc::SIGKILL { now + DOUBT } else { now }));
        }
        if let Some((status, until)) = &mut self.ended
            && *until <= now
            && *status == 128 + libc::SIGKILL
            && patient.is_ending()
        {
            *until = now + DOUBT;
        }
        match self.ended {
            Some((status, until)) if until <= now => Some(self.answer(status, self.words())),
            None if self.deadline <= now => {
                self.child.kill(patient);
                let words = self.words();
                let over = format!("Health check exceeded timeout ({})", length::write(self.timeout.as_nanos() as u64));
                Some(self.answer(-1, if words.is_empty() { over } else { format!("{over}: {words}") }))
            }
            _ => None,
        }
    }

    /// Its process, if it has not been reaped.
    pub fn into_child(self) -> Option<Child> {
        Some(self.child).filter(|_| self.ended.is_none())
    }

    /// Reads once; whether there was something.
    fn read(&mut self, now: Instant, buffer: &mut [u8]) -> bool {
        let Some(output) = &self.output else { return false };
        let length = match rustix::io::read(output, &mut *buffer) {
            Ok(length) if length > 0 => length,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return false,
            _ => {
                self.output = None;
                return false;
            }
        };
        let room = Health::OUTPUT - self.written.len();
        self.written.extend_from_slice(&buffer[..length.min(room)]);
        if length > room {
            self.cut = true;
            self.pause_until = Some(now + PACE);
        }
        true
    }

    fn words(&self) -> String {
        text(&self.written, self.cut)
    }

    fn answer(&self, exit_code: i32, output: String) -> Probe {
        Probe { start: self.start, end: jiff::Timestamp::now(), exit_code, output }
    }
}

/// Bytes as text, with dots where there were more; a character that was cut in two is left out.
fn text(bytes: &[u8], cut: bool) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Err(error) if cut && error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    let mut text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
    if cut {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{ends, text};

    #[test]
    fn who_exits_or_must_is_about_to_end() {
        let stat = |flags: u64, pending: u64| format!("7 (a) b) S 1 7 7 0 -1 {flags} {}{pending} 0 0", "0 ".repeat(21));
        assert_eq!(ends(&stat(0x40_0100, 0)), Some(false));
        assert_eq!(ends(&stat(0x40_0104, 0)), Some(true));
        assert_eq!(ends(&stat(0x40_0100, 1 << 8)), Some(true));
        assert_eq!(ends(&stat(0x40_0100, 1 << 9)), Some(false));
        assert_eq!(ends("7 (a"), None);
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert_eq!(ends(&own), Some(false));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let zombie = || ends(&std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap());
        while zombie() != Some(true) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[test]
    fn text_is_always_valid_and_tells_where_it_was_cut() {
        assert_eq!(text(b"plain\n", false), "plain\n");
        assert_eq!(text(b"a\xffb", false), "a\u{fffd}b");
        assert_eq!(text("aé".as_bytes().split_last().unwrap().1, true), "a...");
        assert_eq!(text("aé".as_bytes().split_last().unwrap().1, false), "a\u{fffd}", "the probe itself wrote no more");
    }
}
