//! What clients ask of a monitor, and signals that somebody sends to the monitor itself.

use super::etc;
use super::protocol::Request;
use super::session::{Session, say};
use crate::container::past::Happening;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

impl Session<'_> {
    /// Does what the client at `at` asks for, and answers.
    pub(super) fn request(&mut self, at: usize, request: &Request) {
        let own_signal = stop_signal(self.task.container.config.stop_signal.as_deref());
        let result = match *request {
            Request::Stop { signal, seconds } => {
                self.stopped_by_user = true;
                self.clients[at].stopping = true;
                if self.pidfd.is_none() {
                    // Waiting to be started again: the wait ends, and the end answers.
                    return;
                }
                let (_, sent) = self.end_politely(signal, seconds);
                if self.paused {
                    let _ = self.freeze(false);
                }
                match sent {
                    Ok(()) => return,
                    Err(error) => Err(error.to_string()),
                }
            }
            Request::Signal(number) => {
                if number == libc::SIGKILL || Some(number) == own_signal || number == libc::SIGTERM {
                    self.stopped_by_user = true;
                }
                // What is sent to a process beside the container's own is no event of the container.
                if self.task.exec.is_none() {
                    let told = self.record.signalled(number);
                    say("cannot record the signal", told);
                }
                let sent = self.signal(number);
                if number == libc::SIGKILL && self.paused {
                    let _ = self.freeze(false);
                }
                sent.map_err(|error| error.to_string())
            }
            Request::Pause if self.paused => Err("is already paused".to_owned()),
            Request::Unpause if !self.paused => Err("is not paused".to_owned()),
            Request::Pause => self.freeze(true),
            Request::Unpause => self.freeze(false),
            Request::Past { since } => {
                self.tell_past(at, since);
                return;
            }
            Request::Update(ref change) => self.update(change).map(|told| {
                if !told.is_empty() {
                    self.past.note(Happening::Limits(told));
                }
            }),
            Request::Probe => match self.ask_health(at) {
                Ok(()) => return,
                Err(why) => Err(why),
            },
            Request::Connect(_) | Request::Disconnect(_) | Request::Publish(_) | Request::Unpublish(_) => self.networks(request),
        };
        self.clients[at].stopping = false;
        self.clients[at].reply(result);
    }

    /// Sends the signal that ends it politely, SIGKILL after so many seconds; which signal that was, and whether it could be sent.
    pub(super) fn end_politely(&mut self, signal: Option<i32>, seconds: Option<u64>) -> (i32, io::Result<()>) {
        let config = &self.task.container.config;
        let signal = signal.or_else(|| stop_signal(config.stop_signal.as_deref())).unwrap_or(libc::SIGTERM);
        let seconds = seconds.or(config.stop_timeout).unwrap_or(10);
        let end = Instant::now() + Duration::from_secs(seconds.min(10 * 365 * 86_400));
        self.kill_at = Some(self.kill_at.map_or(end, |before| before.min(end)));
        (signal, self.signal(signal))
    }

    /// Changes the container's networks or ports.
    fn networks(&mut self, request: &Request) -> Result<(), String> {
        let Some(pid) = self.pid.filter(|_| self.pidfd.is_some() && self.task.exec.is_none()) else { return Err("is not running".to_owned()) };
        let done = match request {
            Request::Connect(attachment) => self.harbour.connect(pid, attachment, self.record),
            Request::Disconnect(network) => self.harbour.disconnect(pid, network, self.record),
            Request::Publish(wish) => self.harbour.publish(wish, true, self.record),
            Request::Unpublish(wish) => self.harbour.publish(wish, false, self.record),
            _ => Ok(()),
        };
        if matches!(request, Request::Connect(_) | Request::Disconnect(_)) {
            // Names and addresses inside follow, in the same files: they are mounted.
            let written = etc::write(&self.task.place.run(&self.task.container.id), &self.task.container, self.harbour.berths());
            say("cannot write the container's /etc files", written.map(|_| ()).map_err(|error| error.to_string()));
            let asked_before = self.harbour.asks_names();
            let told = if asked_before { self.harbour.tell_names(&self.task.container) } else { self.harbour.open_names(pid, &self.task) };
            say("networks", told);
            if !asked_before {
                say("networks", self.harbour.register_names());
            }
        }
        done
    }

    fn freeze(&mut self, frozen: bool) -> Result<(), String> {
        if frozen {
            self.pause_health(true);
        }
        let done = self.driver.freeze(&self.task.container.id, frozen).map_err(|error| error.to_string());
        self.paused = if done.is_ok() { frozen } else { self.paused };
        if !self.paused {
            self.pause_health(false);
        }
        done?;
        self.past.note(if frozen { Happening::Paused } else { Happening::Unpaused });
        self.settle();
        self.record.paused(frozen)
    }

    pub(super) fn signal(&self, number: i32) -> io::Result<()> {
        let Some(pidfd) = &self.pidfd else { return Err(io::Error::other("is not running")) };
        crate::sys::fd::signal(pidfd.as_fd(), number)
    }

    /// A signal to the monitor itself: whoever ends it means the container.
    pub(super) fn own_signal(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            if [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT].contains(&(signal.ssi_signo as i32)) && self.task.exec.is_none() {
                self.stopped_by_user = true;
                self.kill_at = Some(Instant::now() + Duration::from_secs(10));
                let _ = self.signal(stop_signal(self.task.container.config.stop_signal.as_deref()).unwrap_or(libc::SIGTERM));
            }
        }
    }
}

/// The number of a container's own stop signal.
fn stop_signal(text: Option<&str>) -> Option<i32> {
    text.and_then(crate::container::signal::number)
}
