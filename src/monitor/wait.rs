//! What the monitor's loop waits for: one poll over all that may happen, until the first thing that is due.

use super::client::Client;
use super::log::Stream;
use super::session::Session;
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::OwnedFd;
use std::time::Instant;

/// What happened in a turn.
pub(super) struct Events {
    pub(super) signal: bool,
    pub(super) listener: bool,
    pub(super) ended: bool,
    pub(super) alarm: bool,
    pub(super) names: bool,
    pub(super) health: bool,
    pub(super) proxy: bool,
    pub(super) outputs: Vec<Stream>,
    pub(super) readable: Vec<usize>,
}

impl Session<'_> {
    /// Waits until something happens, or is due.
    pub(super) fn wait(&self, until: Option<Instant>) -> Events {
        let held_back = self.clients.iter().any(Client::holds_back);
        let takes_input = self.console.takes_input();
        let (names_due, proxy_due) = (self.harbour.names_due(), self.harbour.proxy_due());
        let deadline = self
            .clients
            .iter()
            .filter_map(Client::deadline)
            .chain(self.kill_at)
            .chain(self.settle_at)
            .chain(names_due)
            .chain(proxy_due)
            .chain(self.past.deadline())
            .chain(self.health_due())
            .chain(until)
            .min();
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN), PollFd::new(&self.listener, PollFlags::IN)];
        let ended = self.pidfd.as_ref().map(|fd| push(&mut fds, fd, PollFlags::IN));
        let mut outputs = Vec::new();
        if !held_back {
            for (fd, stream) in self.console.outputs() {
                outputs.push((push(&mut fds, fd, PollFlags::IN), stream));
            }
        }
        if let Some(fd) = self.console.waiting_input() {
            push(&mut fds, fd, PollFlags::OUT);
        }
        let [names, proxy] = [self.harbour.names_fd(), self.harbour.proxy_fd()].map(|fd| {
            fd.map(|fd| {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
                fds.len() - 1
            })
        });
        let alarm = self.past.alarm().map(|alarm| {
            fds.push(alarm);
            fds.len() - 1
        });
        let first_probe = fds.len();
        fds.extend(self.health_fds().map(|fd| PollFd::new(fd, PollFlags::IN)));
        let first_client = fds.len();
        for client in &self.clients {
            let mut flags = PollFlags::empty();
            if takes_input || !client.hello.stdin {
                flags |= PollFlags::IN;
            }
            if client.is_waiting() {
                flags |= PollFlags::OUT;
            }
            push(&mut fds, client.fd(), flags);
        }
        let timeout = deadline
            .map(|at| at.saturating_duration_since(Instant::now()))
            .map(|wait| rustix::time::Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) });
        // An interrupted wait is one in which nothing happened.
        let _ = poll(&mut fds, timeout.as_ref());
        let hit = |at: usize| !fds[at].revents().is_empty();
        Events {
            signal: hit(0),
            listener: hit(1),
            ended: ended.is_some_and(hit),
            alarm: alarm.is_some_and(hit),
            names: names.is_some_and(hit) || names_due.is_some_and(|due| due <= Instant::now()),
            health: (first_probe..first_client).any(hit) || self.health_due().is_some_and(|due| due <= Instant::now()),
            proxy: proxy.is_some_and(hit) || proxy_due.is_some_and(|due| due <= Instant::now()),
            outputs: outputs.iter().filter(|(at, _)| hit(*at)).map(|(_, stream)| *stream).collect(),
            readable: (0..self.clients.len())
                .filter(|at| fds[first_client + at].revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR))
                .collect(),
        }
    }
}

fn push<'a>(fds: &mut Vec<PollFd<'a>>, fd: &'a OwnedFd, flags: PollFlags) -> usize {
    fds.push(PollFd::new(fd, flags));
    fds.len() - 1
}
