//! This process's terminal: its size, and its raw mode, which never outlives the session that wanted it.

use crate::engine::Kind;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};
use tokio::signal::unix::{SignalKind, signal};

/// The terminal that is raw now, and what it was before. One for the process: it has one terminal.
static BEFORE: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

/// Columns and rows of the terminal at `fd`; `None` if it is none or does not know.
pub fn size(fd: impl AsFd) -> Option<(u16, u16)> {
    let size = tcgetwinsize(fd).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// A terminal that passes every key on as it is, until this is dropped.
///
/// It becomes what it was before on drop, on a panic anywhere in the process, by [`restore`], and through
/// [`restore_on_signals`].
#[derive(Debug)]
pub struct RawMode(());

impl RawMode {
    /// Makes the terminal at `fd` raw.
    ///
    /// # Errors
    /// The kernel's if `fd` is no terminal; `AlreadyExists` if one is raw already.
    pub fn enter(fd: impl AsFd) -> io::Result<Self> {
        change(fd, Termios::make_raw).map(|()| Self(()))
    }
}

/// A terminal that does not show what is typed, until this is dropped.
#[derive(Debug)]
pub struct Hidden(());

impl Hidden {
    /// Hides what is typed at `fd`.
    ///
    /// # Errors
    /// As [`RawMode::enter`].
    pub fn enter(fd: impl AsFd) -> io::Result<Self> {
        change(fd, |termios| termios.local_modes.remove(rustix::termios::LocalModes::ECHO)).map(|()| Self(()))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        restore();
    }
}

/// Changes the terminal at `fd` and remembers what it was.
fn change(fd: impl AsFd, how: impl FnOnce(&mut Termios)) -> io::Result<()> {
    {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let next = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                next(info);
            }));
        });
        let mut slot = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "this terminal is raw already"));
        }
        let before = tcgetattr(&fd)?;
        let kept = fcntl_dupfd_cloexec(&fd, 0)?;
        let mut changed = before.clone();
        how(&mut changed);
        tcsetattr(&kept, OptionalActions::Now, &changed)?;
        *slot = Some((kept, before));
        Ok(())
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was, if it is raw; does nothing otherwise.
pub fn restore() {
    let taken = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((fd, before)) = taken {
        // A terminal that went away needs nothing back, and there is nobody to tell.
        let _ = tcsetattr(fd, OptionalActions::Now, &before);
    }
}

/// Listens from this call on to the signals that end the process (hang-up, interrupt, quit, terminate). What it gives waits for
/// one, restores the terminal, and gives the signal's number, for the caller to end with 128 + it.
///
/// # Errors
/// The kernel's, if the signals cannot be watched.
pub fn restore_on_signals() -> io::Result<impl Future<Output = i32>> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let kind = tokio::select! {
            _ = hang_up.recv() => SignalKind::hangup(),
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = quit.recv() => SignalKind::quit(),
            _ = terminate.recv() => SignalKind::terminate(),
        };
        restore();
        kind.as_raw_value()
    })
}

/// Listens from this call on to the signals that call off what is under way: whoever begins something calls it before. What it
/// gives waits for one, and gives what its error is to be: interrupt or terminate.
pub fn called_off() -> impl Future<Output = Kind> {
    let opened = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = opened else {
            // Nobody can call it off: the kernel ends the program, as it does where nobody waits here.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => Kind::Cancelled,
            _ = terminate.recv() => Kind::Terminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, OutputModes, Winsize, tcsetwinsize};

    fn pty() -> (OwnedFd, OwnedFd) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        (master, slave)
    }

    fn is_raw(fd: &OwnedFd) -> bool {
        let modes = tcgetattr(fd).unwrap();
        !modes.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG) && !modes.output_modes.contains(OutputModes::OPOST)
    }

    // One test, for there is one terminal a process.
    #[test]
    fn raw_mode_ends_on_drop_on_demand_and_on_a_panic() {
        let (_master, slave) = pty();
        assert!(!is_raw(&slave));
        let raw = RawMode::enter(&slave).unwrap();
        assert!(is_raw(&slave));
        assert_eq!(RawMode::enter(&slave).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        drop(raw);
        assert!(!is_raw(&slave));

        let raw = RawMode::enter(&slave).unwrap();
        restore();
        assert!(!is_raw(&slave));
        drop(raw);

        let caught = std::panic::catch_unwind(|| {
            let _raw = RawMode::enter(&slave).unwrap();
            assert!(!is_raw(&slave), "a panic on purpose");
        });
        assert!(caught.is_err() && !is_raw(&slave));
        assert!(RawMode::enter(std::fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn sizes_are_those_of_the_terminal() {
        let (_master, slave) = pty();
        assert_eq!(size(&slave), None);
        tcsetwinsize(&slave, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        assert_eq!(size(&slave), Some((80, 24)));
        assert_eq!(size(std::fs::File::open("/dev/null").unwrap()), None);
    }
}
