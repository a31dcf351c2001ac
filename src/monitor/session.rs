//! The monitor's loop: one process after the other of a container, their output, their clients, their end.
//!
//! ```text
//!  start ──► running ──── exit ───► policy? ── no ──► record, tell clients, tear down, end
//!    ▲                                 │ yes
//!    └────── back-off over ◄── waiting ┘ (stop ends the waiting)
//! ```

use super::checkup::Checkup;
use super::client::Client;
use super::console::Console;
use super::log::{Log, Stream};
use super::network::{Departure, Harbour};
use super::past::{Chronicle, KernelLog};
use super::protocol::Frame;
use super::start::{self, Ready};
use super::{Outcome, Record, Task};
use crate::container::{Health, restart};
use crate::execdriver::ExecDriver;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Clients at once.
const CLIENTS: usize = 256;
/// How long clients may take to fetch what waits for them when everything has ended.
const FAREWELL: Duration = Duration::from_secs(2);
/// A process that has run for so long is here to stay: what its start needed is given back.
const SETTLED: Duration = Duration::from_secs(1);
/// A run of this length makes the policy forget the ones before.
const LONG_RUN: Duration = Duration::from_secs(10);

/// One task under way.
pub(super) struct Session<'a> {
    /// What it is to do; limits and the restart policy as they are now.
    pub(super) task: Task,
    pub(super) record: &'a mut dyn Record,
    pub(super) driver: Box<dyn ExecDriver>,
    pub(super) console: Console,
    pub(super) harbour: Harbour,
    pub(super) departure: Departure,
    pub(super) log: Option<Log>,
    pub(super) clients: Vec<Client>,
    pub(super) listener: OwnedFd,
    pub(super) signals: SignalFd,
    pub(super) pid: Option<i32>,
    pub(super) pidfd: Option<OwnedFd>,
    pub(super) paused: bool,
    pub(super) stopped_by_user: bool,
    pub(super) kill_at: Option<Instant>,
    pub(super) checkup: Option<Checkup>,
    /// Its health as the last run left it.
    pub(super) health: Option<Health>,
    /// It is to be started again whatever the policy says.
    pub(super) again: bool,
    pub(super) settle_at: Option<Instant>,
    pub(super) past: Chronicle,
    pub(super) buffer: Vec<u8>,
}

/// Does a task from its start to its end; gives what is left to do on networks.
pub fn run(task: &Task, record: &mut dyn Record, mut ready: Ready, first: Option<OwnedFd>) -> io::Result<Departure> {
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2] {
        mask.add(signal);
    }
    mask.thread_block()?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let driver = start::driver(task)?;
    let listener = start::listen(task)?;
    let tty = task.exec.as_ref().map_or(task.container.config.tty, |(_, options)| options.tty);
    let mut session = Session {
        task: task.clone(),
        record,
        driver,
        console: Console::new(tty),
        harbour: Harbour::new(&task.place),
        departure: Departure::default(),
        log: None,
        clients: first.map(|fd| Client::new(fd, true)).into_iter().collect(),
        listener,
        signals,
        pid: None,
        pidfd: None,
        paused: false,
        stopped_by_user: false,
        kill_at: None,
        checkup: None,
        health: None,
        again: false,
        settle_at: None,
        past: Chronicle::new(KernelLog::new(start::cgroup_parent(task), &task.container.id)),
        buffer: vec![0; 64 << 10],
    };
    let result = session.life(&mut ready);
    session.teardown();
    result.map(|()| session.departure)
}

impl Session<'_> {
    fn life(&mut self, ready: &mut Ready) -> io::Result<()> {
        if self.task.exec.is_none() {
            self.log = Some(Log::open(&self.task.place.log(&self.task.container.id), &self.task.container.host_config.log)?);
        }
        // The client that came along has said hello already: it is to have every byte.
        (0..self.clients.len()).for_each(|at| self.hear(at));
        let mut restarts = 0;
        loop {
            let begun = Instant::now();
            let (status, oom_killed) = match start::start(&self.task, &*self.driver, self.console.size(), &mut self.harbour, self.record) {
                Ok(running) => {
                    let pid = running.started.pid;
                    self.run_one(running, pid, ready)
                }
                Err(error) => {
                    let (status, why) = (error.exit_code(), error.to_string());
                    if self.task.exec.is_none() {
                        let told = self.record.failed(status, &why);
                        say("cannot record the failure", told);
                        self.leave();
                    }
                    // Before the engine hears of it: nobody else is to remove it at the same time.
                    self.auto_remove();
                    ready.say(&Outcome::Failed(status, why));
                    self.farewell(status);
                    return Ok(());
                }
            };
            if begun.elapsed() >= LONG_RUN {
                restarts = 0;
            }
            if !self.starts_again(status, restarts) || !self.wait_to_restart(status, oom_killed, restarts) {
                self.end(status, oom_killed);
                return Ok(());
            }
            restarts += 1;
        }
    }

    /// Looks after one process until it has ended; its status and whether memory ran out.
    fn run_one(&mut self, mut running: start::Running, pid: i32, ready: &mut Ready) -> (i32, bool) {
        self.console.connect(&mut running);
        self.pid = Some(pid);
        self.again = false;
        self.pidfd = Some(running.started.pidfd);
        if self.task.exec.is_none() {
            let told = self.record.started(pid);
            say("cannot record the start", told);
        }
        ready.say(&Outcome::Started(pid, self.harbour.take_warnings()));
        say("networks", self.harbour.register_names());
        self.begin_health(&running.user);
        self.settle();
        self.begin_past();
        while self.pidfd.is_some() {
            if let Some(status) = self.turn(None) {
                self.end_health();
                self.drain();
                self.pidfd = None;
                self.kill_at = None;
                return (status, self.end_past());
            }
        }
        (255, false)
    }

    /// In a while, what the store and the allocator hold is to be given back.
    pub(super) fn settle(&mut self) {
        self.settle_at = Some(Instant::now() + SETTLED);
    }

    /// Waits as long as the policy says; false if the user stopped the container meanwhile, or changed the policy.
    fn wait_to_restart(&mut self, status: i32, oom_killed: bool, restarts: u32) -> bool {
        self.console.disconnect();
        let told = self.record.restarting(status, oom_killed);
        say("cannot record the restart", told);
        self.past.go_on(status);
        let left = self.driver.destroy(&self.task.container.id).iter().map(ToString::to_string).collect::<Vec<_>>();
        for why in left.into_iter().chain(self.harbour.detach(&mut self.buffer)) {
            say("teardown before the restart", Err(why));
        }
        self.clients.iter_mut().filter(|client| client.hello.exit || client.hello.output).for_each(|client| client.exit(status));
        let end = Instant::now() + restart::backoff(restarts);
        // Meanwhile the user may stop it, or want it otherwise.
        while Instant::now() < end && self.starts_again(status, restarts) {
            self.turn(Some(end));
        }
        self.starts_again(status, restarts)
    }

    /// Whether the policy, as it is now, has it started again, or its health.
    fn starts_again(&self, status: i32, restarts: u32) -> bool {
        let wanted = self.again && !self.stopped_by_user;
        let policy = self.task.container.host_config.restart_policy;
        self.task.exec.is_none() && (wanted || policy.applies(status, restarts, self.stopped_by_user))
    }

    /// One turn of the loop: waits for something to happen and deals with it. The process's status, if it has ended.
    fn turn(&mut self, until: Option<Instant>) -> Option<i32> {
        let events = self.wait(until);
        let now = Instant::now();
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            let _ = self.signal(libc::SIGKILL);
        }
        if self.settle_at.is_some_and(|at| at <= now) {
            self.settle_at = None;
            self.record.rest();
            self.harbour.rest();
            crate::sys::spawn::trim_memory();
        }
        self.clients.iter_mut().for_each(|client| client.lose_patience(now));
        if events.signal {
            self.own_signal();
        }
        for stream in events.outputs {
            self.output(stream);
        }
        if let Some(log) = &mut self.log {
            log.flush();
        }
        self.console.write();
        if events.listener {
            self.accept();
        }
        if events.names {
            say("networks", self.harbour.tend_names());
        }
        if events.proxy {
            self.harbour.tend_proxy(&mut self.buffer);
        }
        for at in events.readable {
            self.hear(at);
        }
        self.clients.iter_mut().filter(|client| client.is_waiting()).for_each(Client::write);
        self.clients.retain(|client| !client.is_gone());
        self.observe(now, events.alarm);
        let ended = if events.ended { self.reap() } else { None };
        if ended.is_none() && events.health {
            self.tend_health();
        }
        ended
    }

    /// Reads a stream and passes on what came.
    fn output(&mut self, stream: Stream) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let length = self.console.read(stream, &mut buffer);
        let bytes = &buffer[..length.unwrap_or(0)];
        if !bytes.is_empty() {
            if let Some(log) = &mut self.log {
                log.take(stream, bytes, rustix::time::clock_gettime(rustix::time::ClockId::Realtime));
            }
            self.clients.iter_mut().for_each(|client| client.output(stream, bytes));
        }
        self.buffer = buffer;
        length.is_some_and(|length| length > 0)
    }

    /// Reads what the dead process left in its streams. With a terminal the kernel may still be about to hand it over.
    fn drain(&mut self) {
        let end = Instant::now() + Duration::from_millis(200);
        for stream in [Stream::Stdout, Stream::Stderr] {
            // Others may hold the stream and write on for ever: what the dead one left is no more than the stream holds,
            // and comes in pieces of a page at least.
            for _ in 0..=self.console.capacity(stream) / 4096 {
                while self.clients.iter().any(Client::holds_back) && Instant::now() < end + FAREWELL {
                    self.flush_clients(end + FAREWELL);
                }
                if self.output(stream) {
                    continue;
                }
                let Some(fd) = self.console.outputs().find(|(_, s)| *s == stream).map(|(fd, _)| fd) else { break };
                let wait = rustix::time::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
                if !self.console.is_tty() || Instant::now() >= end || poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&wait)) != Ok(1) {
                    break;
                }
            }
        }
        if let Some(log) = &mut self.log {
            log.close(rustix::time::clock_gettime(rustix::time::ClockId::Realtime));
        }
    }

    fn accept(&mut self) {
        while let Ok(fd) = rustix::net::accept_with(&self.listener, rustix::net::SocketFlags::CLOEXEC) {
            let own = rustix::process::geteuid();
            let allowed = rustix::net::sockopt::socket_peercred(&fd).is_ok_and(|peer| peer.uid.is_root() || peer.uid == own);
            if allowed && self.clients.len() < CLIENTS {
                self.clients.push(Client::new(fd, false));
            }
        }
    }

    /// Reads a client and does what it says.
    fn hear(&mut self, at: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.clients[at].read(&mut buffer);
        self.buffer = buffer;
        while let Some(frame) = self.clients[at].frame() {
            match frame {
                Frame::Hello(hello) => {
                    if let Some((rows, columns)) = hello.size {
                        self.console.resize(rows, columns);
                    }
                    let client = &mut self.clients[at];
                    client.hello = hello;
                    client.welcome(self.console.is_tty());
                    if hello.scrollback && hello.output {
                        client.output(Stream::Stdout, self.console.scrollback());
                    }
                }
                Frame::Stdin(bytes) if self.clients[at].hello.stdin => self.console.input(&bytes),
                Frame::StdinEof if self.clients[at].hello.stdin => self.console.end_input(),
                Frame::Resize(rows, columns) => self.console.resize(rows, columns),
                Frame::Request(request) => self.request(at, &request),
                // What only monitors say, or what was not asked for at the beginning.
                _ => {}
            }
        }
        if self.clients[at].is_gone()
            && self.clients[at].hello.stdin
            && self.task.container.config.stdin_once
            && self.task.exec.is_none()
            && !self.console.is_tty()
        {
            self.console.end_input();
        }
    }

    fn reap(&mut self) -> Option<i32> {
        let pidfd = self.pidfd.as_ref()?;
        let flags = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOHANG;
        let status = rustix::process::waitid(rustix::process::WaitId::PidFd(pidfd.as_fd()), flags).ok()??;
        status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal))
    }

    /// The end: recorded, told to the clients.
    fn end(&mut self, status: i32, oom_killed: bool) {
        if self.task.exec.is_none() {
            for error in self.driver.destroy(&self.task.container.id) {
                say("teardown", Err(error.to_string()));
            }
            if let Some(lost) = self.log.as_ref().map(Log::lost).filter(|lost| *lost > 0) {
                say("log", Err(format!("{lost} bytes could not be written")));
            }
            let told = self.record.exited(status, oom_killed, self.stopped_by_user);
            say("cannot record the end", told);
            self.leave();
            self.auto_remove();
        }
        self.farewell(status);
    }

    /// Gives up networks and ports, which the store has let go of.
    fn leave(&mut self) {
        let (departure, errors) = self.harbour.leave(&mut self.buffer);
        self.departure = departure;
        for why in errors {
            say("networks", Err(why));
        }
    }

    fn auto_remove(&mut self) {
        if self.task.exec.is_none() && self.task.container.host_config.auto_remove {
            let told = self.record.remove();
            say("cannot remove the container", told);
        }
    }

    /// Tells the clients, and gives them a little time to fetch what waits.
    fn farewell(&mut self, status: i32) {
        self.accept();
        for at in 0..self.clients.len() {
            self.hear(at);
        }
        self.clients.iter_mut().for_each(|client| client.exit(status));
        let end = Instant::now() + FAREWELL;
        while self.clients.iter().any(|client| client.is_waiting() && !client.is_gone()) && Instant::now() < end {
            self.flush_clients(end);
        }
    }

    fn flush_clients(&mut self, end: Instant) {
        let mut fds: Vec<PollFd<'_>> =
            self.clients.iter().filter(|client| client.is_waiting()).map(|client| PollFd::new(client.fd(), PollFlags::OUT)).collect();
        let rest = end.saturating_duration_since(Instant::now());
        let wait = rustix::time::Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: i64::from(rest.subsec_nanos()) };
        let _ = poll(&mut fds, Some(&wait));
        drop(fds);
        self.clients.iter_mut().for_each(Client::write);
    }

    /// Files of the run-time folder that are nobody's once this process ends.
    fn teardown(&mut self) {
        let id = &self.task.container.id;
        let path = match &self.task.exec {
            Some((name, _)) => self.task.place.exec_console(id, name),
            None => self.task.place.console(id),
        };
        let _ = std::fs::remove_file(path);
    }
}

/// Says a failure that changes nothing in the monitor's last words.
pub(super) fn say(what: &str, result: Result<(), String>) {
    if let Err(why) = result {
        let _ = writeln!(io::stderr(), "{what}: {why}");
    }
}
