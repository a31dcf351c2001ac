//! Commands of the small shell, run: pipelines of forks, each led to its streams, then an applet or a program.

use super::call::{complain, reason};
use super::parse::{Access, Command, Pipeline, Redirection, Target};
use super::shell::{BUILTINS, Shell};
use super::{applets, contained};
use crate::execdriver::{StartError, search};
use crate::sys;
use crate::sys::clone::{Side, clone};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, setpgid, tcsetpgrp};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// A command of a pipeline, and the arguments that its words make.
struct Stage<'a> {
    command: &'a Command,
    words: Vec<Vec<u8>>,
}

/// The streams of a fork that are not the shell's own.
#[derive(Default)]
struct Ends {
    input: Option<OwnedFd>,
    output: Option<OwnedFd>,
}

impl Shell {
    /// Runs a pipeline; the status of its last command.
    pub fn pipeline(&mut self, pipeline: &Pipeline) -> i32 {
        let stages: Vec<Stage<'_>> = pipeline.commands.iter().map(|command| Stage { command, words: self.words(command) }).collect();
        if let [stage] = &stages[..]
            && stage.words.first().is_none_or(|name| BUILTINS.contains(&&name[..]))
        {
            return self.in_place(stage);
        }
        let (children, all) = self.fork_all(&stages);
        if !all {
            // What has begun waits for what could not begin.
            for child in &children {
                let _ = kill(*child, Signal::SIGTERM);
            }
        }
        let mut last = WaitStatus::StillAlive;
        for child in children {
            last = wait(child);
        }
        if self.interrupts.is_some() {
            // The terminal is the shell's again.
            let _ = tcsetpgrp(io::stdin(), getpgrp());
            if matches!(last, WaitStatus::Signaled(..)) {
                // Behind the ^C that it shows.
                eprintln!();
            }
        }
        match last {
            WaitStatus::Exited(_, status) if all => status,
            WaitStatus::Signaled(_, signal, _) if all => 128 + signal as i32,
            _ => 1,
        }
    }

    fn words(&self, command: &Command) -> Vec<Vec<u8>> {
        command.words.iter().flat_map(|word| self.scope.fields(word)).collect()
    }

    /// Forks every command; false if not all of them could be.
    fn fork_all(&mut self, stages: &[Stage<'_>]) -> (Vec<Pid>, bool) {
        let mut children: Vec<Pid> = Vec::new();
        let mut input = None;
        for (at, stage) in stages.iter().enumerate() {
            let mut next = None;
            let forked = (|| {
                let mut ends = Ends { input: input.take(), output: None };
                if at + 1 < stages.len() {
                    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
                    (next, ends.output) = (Some(read), Some(write));
                }
                self.fork(stage, &ends, children.first().copied())
            })();
            match forked {
                Ok(child) => children.push(child),
                Err(error) => {
                    complain(&[b"sh", b"cannot fork", reason(&error).as_bytes()]);
                    return (children, false);
                }
            }
            input = next;
        }
        (children, true)
    }

    /// Forks a command, into the group of the pipeline's first one where somebody types.
    fn fork(&mut self, stage: &Stage<'_>, ends: &Ends, leader: Option<Pid>) -> io::Result<Pid> {
        match clone(0, None)? {
            Side::Child => {
                let status = contained(|| self.become_command(stage, ends, leader).unwrap_or_else(|status| status));
                sys::fd::exit(status)
            }
            Side::Parent { pid, .. } => {
                let child = Pid::from_raw(pid);
                if self.interrupts.is_some() {
                    // The child does the same: whoever comes first. One that has ended already is in no group.
                    let _ = setpgid(child, leader.unwrap_or(child));
                }
                Ok(child)
            }
        }
    }

    /// The child: its group, signals, streams; then what it is to do.
    fn become_command(&mut self, stage: &Stage<'_>, ends: &Ends, leader: Option<Pid>) -> Result<i32, i32> {
        let typed = self.interrupts.is_some();
        if typed {
            // Failing, they leave it in the shell's group, where keys do not end it: no reason not to run.
            let own = nix::unistd::getpid();
            let _ = setpgid(own, leader.unwrap_or(own));
            let _ = tcsetpgrp(io::stdin(), leader.unwrap_or(own));
        }
        sys::clone::default_signals().map_err(|error| refused(b"signals", &error))?;
        if typed {
            // There is nobody to wake up what was stopped.
            sys::clone::ignore_signal(Signal::SIGTSTP as i32);
        }
        for (end, stream) in [(&ends.input, 0), (&ends.output, 1)] {
            if let Some(end) = end {
                sys::fd::duplicate_onto(end.as_fd(), stream).map_err(|error| refused(b"streams", &error))?;
            }
        }
        self.redirect(&stage.command.redirections)?;
        // For good: an applet is not executed.
        sys::fd::close_from(3).map_err(|error| refused(b"streams", &error))?;
        for (name, word) in &stage.command.assignments {
            let value = self.scope.text(word);
            self.set(name, value, true);
        }
        match stage.words.first() {
            None => Ok(0),
            Some(name) if BUILTINS.contains(&&name[..]) => Ok(self.builtin(&stage.words)),
            Some(_) => self.execute(&stage.words),
        }
    }

    /// An applet, or what the container has by this name.
    fn execute(&self, words: &[Vec<u8>]) -> Result<i32, i32> {
        let arguments = words.iter().map(|word| CString::new(&word[..])).collect::<Result<Vec<_>, _>>().map_err(|error| refused(b"argument", &error.into()))?;
        if let Some(applet) = applets::find(arguments[0].to_bytes()) {
            return Ok(applet.run(&arguments[1..], &self.environment()));
        }
        let error = match search::Command::of(arguments, self.environment()).execute() {
            Ok(never) => match never {},
            Err(error) => error,
        };
        complain(&[b"sh", error.to_string().as_bytes()]);
        Err(if matches!(error, StartError::NotFound(_)) { 127 } else { 126 })
    }

    /// What changes the shell itself: its variables, a builtin. Its streams are the shell's again afterwards.
    fn in_place(&mut self, stage: &Stage<'_>) -> i32 {
        let Stage { command, words } = stage;
        let kept = if command.redirections.is_empty() { Ok(Vec::new()) } else { keep() };
        let kept = match kept {
            Ok(kept) => kept,
            Err(error) => return refused(b"streams", &error),
        };
        let status = match self.redirect(&command.redirections) {
            Ok(()) => {
                for (name, word) in &command.assignments {
                    let value = self.scope.text(word);
                    self.set(name, value, false);
                }
                if words.is_empty() { 0 } else { self.builtin(words) }
            }
            Err(status) => status,
        };
        for (stream, fd) in kept.iter().enumerate() {
            if let Err(error) = sys::fd::duplicate_onto(fd.as_fd(), stream as i32) {
                return refused(b"streams", &error);
            }
        }
        status
    }

    /// Leads this process's streams elsewhere; the status if that fails.
    fn redirect(&self, redirections: &[Redirection]) -> Result<(), i32> {
        for redirection in redirections {
            let (fd, name) = match &redirection.target {
                Target::Stream(other) => (copy(*other), other.to_string().into_bytes()),
                Target::File(word, access) => {
                    let path = self.scope.text(word);
                    (open(&path, *access), path)
                }
            };
            let done = fd.and_then(|fd| sys::fd::duplicate_onto(fd.as_fd(), redirection.stream));
            done.map_err(|error| refused(&name, &error))?;
        }
        Ok(())
    }
}

/// Waits for a child's end.
fn wait(child: Pid) -> WaitStatus {
    loop {
        match waitpid(child, None) {
            Ok(end @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => return end,
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return WaitStatus::StillAlive,
        }
    }
}

/// Tells what the shell could not do; the status for it.
fn refused(what: &[u8], error: &io::Error) -> i32 {
    complain(&[b"sh", what, reason(error).as_bytes()]);
    1
}

/// Copies of the three streams, out of the way.
fn keep() -> io::Result<Vec<OwnedFd>> {
    (0..3).map(copy).collect()
}

fn copy(stream: i32) -> io::Result<OwnedFd> {
    let (input, output, error) = (io::stdin(), io::stdout(), io::stderr());
    let fd = match stream {
        0 => input.as_fd(),
        1 => output.as_fd(),
        _ => error.as_fd(),
    };
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)
}

fn open(path: &[u8], access: Access) -> io::Result<OwnedFd> {
    let flags = match access {
        Access::Read => OFlags::RDONLY,
        Access::Write => OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC,
        Access::Append => OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND,
    };
    Ok(rustix::fs::open(OsStr::from_bytes(path), flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o666))?)
}
