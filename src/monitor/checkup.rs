//! A running container is asked whether it is well, and what follows if it is not.

use super::health::Course;
use super::probe::{Child, Patient, Running};
use super::protocol::Reply;
use super::session::{Session, say};
use crate::container::past::Happening;
use crate::container::{Container, Health, HealthStatus, OnFailure, Probe};
use crate::execdriver::spec::{self, ExecOptions};
use crate::execdriver::user::User;
use oci_spec::runtime::Process;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long the end of a container waits for a probe that was killed.
const PATIENCE: Duration = Duration::from_millis(500);

/// The questions to one run of a container.
#[derive(Debug)]
pub struct Checkup {
    course: Course,
    process: Process,
    running: Option<Running>,
    /// Answered for, killed, and not let go of by the kernel yet.
    dying: Option<Child>,
    /// The store did not take the last answer, which was said: it is not said each time.
    unrecorded: bool,
}

impl Checkup {
    /// The questions to a container whose process has just started; nothing if there are none.
    fn begin(container: &Container, before: Option<&Health>, user: &User) -> Result<Option<Self>, String> {
        let Some(check) = &container.config.healthcheck else { return Ok(None) };
        let (Some(args), Some(health)) = (check.command(&container.config.shell), Health::anew(Some(check), before)) else { return Ok(None) };
        let process = spec::exec_process(container, user, &ExecOptions { args, ..ExecOptions::default() })?;
        let course = Course::new(check.clone(), health, Instant::now());
        Ok(Some(Self { course, process, running: None, dying: None, unrecorded: false }))
    }

    fn tend(&mut self, patient: Patient<'_>, now: Instant, buffer: &mut [u8]) -> Option<(Probe, Instant)> {
        self.dying = self.dying.take().filter(|child| child.reap().is_none());
        if let Some(running) = &mut self.running {
            let answer = running.tend(patient, now, buffer)?;
            let asked = running.asked();
            self.dying = self.running.take().and_then(Running::into_child).filter(|child| child.reap().is_none());
            return Some((answer, asked));
        }
        if self.course.due().is_none_or(|due| due > now) { None } else { self.ask(patient, now) }
    }

    /// Begins a probe; the answer at once if it cannot be begun.
    fn ask(&mut self, patient: Patient<'_>, now: Instant) -> Option<(Probe, Instant)> {
        self.course.hold();
        let why = if self.dying.is_some() {
            "the process of the last health check was killed and does not end: the kernel is busy with it".to_owned()
        } else {
            match Running::begin(patient, &self.process, self.course.timeout()) {
                Ok(running) => {
                    self.running = Some(running);
                    return None;
                }
                Err(error) => error.to_string(),
            }
        };
        let moment = jiff::Timestamp::now();
        Some((Probe { start: moment, end: moment, exit_code: -1, output: why }, now))
    }

    /// Ends the probe under way, whose answer nobody wants any more; none begins until more is said.
    fn hold(&mut self, patient: Patient<'_>) {
        self.course.hold();
        if let Some(child) = self.running.take().and_then(Running::into_child) {
            child.kill(patient);
            self.dying = Some(child);
        }
    }
}

impl Session<'_> {
    /// The container's process has started.
    pub(super) fn begin_health(&mut self, user: &User) {
        let container = &self.task.container;
        if self.task.exec.is_none() {
            match Checkup::begin(container, self.health.as_ref().or(container.state.health.as_ref()), user) {
                Ok(checkup) => self.checkup = checkup,
                Err(why) => say("the health check", Err(why)),
            }
        }
    }

    /// It has ended, or is to end: so does the probe under way.
    pub(super) fn end_health(&mut self) {
        let Some(mut checkup) = self.checkup.take() else { return };
        if let Some(pid) = self.pid {
            checkup.hold(Patient { driver: &*self.driver, id: &self.task.container.id, pid });
        }
        if let Some(child) = checkup.dying.take() {
            child.bury(PATIENCE);
        }
        self.health = Some(checkup.course.health().clone());
    }

    /// Its processes are about to be frozen, or were thawed.
    pub(super) fn pause_health(&mut self, frozen: bool) {
        let (Some(checkup), Some(pid)) = (&mut self.checkup, self.pid) else { return };
        if frozen {
            checkup.hold(Patient { driver: &*self.driver, id: &self.task.container.id, pid });
            self.reply_to_askers(&Err("was paused".to_owned()));
        } else {
            checkup.course.await_next(Instant::now());
        }
    }

    /// When it is to be looked after whatever happens.
    pub(super) fn health_due(&self) -> Option<Instant> {
        let checkup = self.checkup.as_ref()?;
        checkup.running.as_ref().map(Running::alarm).or(checkup.course.due())
    }

    /// What wakes the monitor for it.
    pub(super) fn health_fds(&self) -> impl Iterator<Item = &OwnedFd> {
        let checkup = self.checkup.iter();
        checkup.flat_map(|checkup| checkup.running.iter().flat_map(Running::fds).chain(checkup.dying.iter().map(Child::fd)))
    }

    /// Looks after the probe under way, or begins one that is due.
    pub(super) fn tend_health(&mut self) {
        let (Some(checkup), Some(pid)) = (&mut self.checkup, self.pid) else { return };
        let patient = Patient { driver: &*self.driver, id: &self.task.container.id, pid };
        let mut buffer = std::mem::take(&mut self.buffer);
        let answer = checkup.tend(patient, Instant::now(), &mut buffer);
        self.buffer = buffer;
        if let Some((probe, asked)) = answer {
            self.answered(probe, asked);
        }
    }

    /// A client asks now.
    pub(super) fn ask_health(&mut self, at: usize) -> Result<(), String> {
        let (Some(checkup), Some(pid)) = (&mut self.checkup, self.pid) else {
            return Err(if self.pidfd.is_some() { "has no health check" } else { "is not running" }.to_owned());
        };
        if self.paused {
            return Err("is paused".to_owned());
        }
        self.clients[at].asking = true;
        if checkup.running.is_none() {
            let patient = Patient { driver: &*self.driver, id: &self.task.container.id, pid };
            if let Some((probe, asked)) = checkup.ask(patient, Instant::now()) {
                self.answered(probe, asked);
            }
        }
        Ok(())
    }

    /// An answer has come: it is told, and what follows from it is done.
    fn answered(&mut self, probe: Probe, asked: Instant) {
        let Some(checkup) = &mut self.checkup else { return };
        let reply = match probe.exit_code {
            0 => Ok(()),
            code => Err(unwell(code, &probe.output)),
        };
        let turned = checkup.course.take(probe, asked, Instant::now());
        let told = self.record.health(checkup.course.health(), turned);
        if !std::mem::replace(&mut checkup.unrecorded, told.is_err()) {
            say("cannot record the health", told);
        }
        match turned {
            Some(HealthStatus::Healthy) => self.past.note(Happening::Healthy),
            Some(HealthStatus::Unhealthy) => self.past.note(Happening::Unhealthy),
            Some(HealthStatus::Starting) | None => {}
        }
        if self.settle_at.is_none() {
            // Nothing is held for the next word, which comes after an interval.
            self.record.rest();
        }
        self.reply_to_askers(&reply);
        if turned == Some(HealthStatus::Unhealthy) && !self.stopped_by_user {
            self.treat();
        }
    }

    fn reply_to_askers(&mut self, reply: &Reply) {
        for client in self.clients.iter_mut().filter(|client| client.asking) {
            client.asking = false;
            client.reply(reply.clone());
        }
    }

    /// What follows when it turned out to be unhealthy.
    fn treat(&mut self) {
        let signal = match self.task.container.host_config.health_on_failure {
            OnFailure::None => return,
            OnFailure::Kill => {
                let _ = self.signal(libc::SIGKILL);
                libc::SIGKILL
            }
            OnFailure::Restart => {
                self.again = true;
                self.end_politely(None, None).0
            }
            OnFailure::Stop => {
                self.stopped_by_user = true;
                self.end_politely(None, None).0
            }
        };
        say("cannot record the signal", self.record.signalled(signal));
    }
}

/// Why a container is not well, as one line.
fn unwell(code: i32, output: &str) -> String {
    const MOST: usize = 200;
    let line = output.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line: String = line.chars().take(MOST).collect();
    match (code, line.as_str()) {
        (-1, line) => format!("is unhealthy: {line}"),
        (code, "") => format!("is unhealthy: its check ended with status {code}"),
        (code, line) => format!("is unhealthy: its check ended with status {code}: {line}"),
    }
}
