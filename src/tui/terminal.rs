//! The terminal taken over, and given back as it was: at the end, on a panic, on a signal, while we sleep.

use crate::text;
use crate::tui::quiet::Quiet;
use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid, getpgrp, getsid};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal, Stdout, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The thread that draws: a panic there is the end, one anywhere else is a sentence on the screen.
static DRAWS: Mutex<Option<ThreadId>> = Mutex::new(None);

/// What panicked elsewhere and was not told yet.
static FAULTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Standard error, while nothing may be written there.
static ERROR: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// What is drawn on.
pub type Screen = ratatui::Terminal<Quiet<Stdout>>;

/// The terminal, ours until this is dropped.
#[derive(Debug)]
pub struct Taken {
    mouse: bool,
}

impl Taken {
    /// Takes the terminal over, for this thread to draw on.
    ///
    /// # Errors
    /// The kernel's, if there is none or it went away.
    pub fn take(mouse: bool) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let next = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| if TAKEN.load(Ordering::SeqCst) { panicked(info) } else { next(info) }));
        });
        *hold(&DRAWS) = Some(thread::current().id());
        let taken = Self { mouse };
        taken.again()?;
        Ok(taken)
    }

    /// Takes it over again, after it was given back for a while.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn again(&self) -> io::Result<()> {
        TAKEN.store(true, Ordering::SeqCst);
        silence()?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
        if self.mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, if it is ours.
pub fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that went away needs nothing back, and there is nobody to tell.
        let _ = execute!(io::stdout(), DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        let _ = io::stdout().flush();
        if let Some(error) = hold(&ERROR).take() {
            let _ = nix::unistd::dup2_stderr(error);
        }
    }
}

/// The panics of other threads since the last time, as sentences.
pub fn faults() -> Vec<String> {
    std::mem::take(&mut *hold(&FAULTS))
}

/// Asks this process and those that were started with it to stop, as ctrl-z does where a terminal is not raw.
///
/// # Errors
/// The kernel's.
pub fn sleep() -> io::Result<()> {
    kill(Pid::from_raw(0), Signal::SIGTSTP).map_err(Into::into)
}

/// Stops this process, which was asked to; false where nobody could continue it.
///
/// The signal that asked has a handler, so that the terminal is given back first: what stops us is another one, which the
/// kernel does not hold back from a group of processes without a shell. That is looked at here.
///
/// # Errors
/// The kernel's.
pub fn stop() -> io::Result<bool> {
    let can = has_shell().unwrap_or(false);
    if can {
        kill(Pid::this(), Signal::SIGSTOP)?;
    }
    Ok(can)
}

/// Whether an ancestor controls the jobs of this terminal: it is of our session, and not of our group.
fn has_shell() -> io::Result<bool> {
    let (group, session) = (getpgrp(), getsid(None)?);
    let mut ancestor = Pid::parent();
    while ancestor.as_raw() > 0 && getsid(Some(ancestor))? == session {
        if getpgid(Some(ancestor))? != group {
            return Ok(true);
        }
        let stat = std::fs::read_to_string(format!("/proc/{ancestor}/stat"))?;
        // Source: proc_pid_stat(5). The second field is a name in brackets, with whatever it holds; state and parent follow.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        ancestor = Pid::from_raw(parent.unwrap_or(0));
    }
    Ok(false)
}

fn hold<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whatever a library or a program that we start writes to standard error would land in the middle of the screen.
fn silence() -> io::Result<()> {
    let mut kept = hold(&ERROR);
    if kept.is_none() && io::stderr().is_terminal() {
        *kept = Some(io::stderr().as_fd().try_clone_to_owned()?);
        nix::unistd::dup2_stderr(File::options().write(true).open("/dev/null")?)?;
    }
    Ok(())
}

/// A panic's words may quote what a container or a registry said: they are made harmless, whoever reads them.
fn panicked(info: &PanicHookInfo<'_>) {
    let words = info.to_string();
    if *hold(&DRAWS) != Some(thread::current().id()) {
        hold(&FAULTS).push(format!("a fault in kapal itself: {words}"));
        return;
    }
    give_back();
    let trace = Backtrace::capture();
    let trace = if trace.status() == BacktraceStatus::Captured { trace.to_string() } else { String::new() };
    let _ = writeln!(io::stderr(), "kapal: a fault in kapal itself: {}\n{}", text::clean_block(&words), text::clean_block(&trace));
}
