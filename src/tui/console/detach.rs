//! The keys that leave a console in a pane: looked for in what keys become, with the clock that a lone first one needs.

use crate::container::detach::{Detach, DetachKeys, PATIENCE, Typed};
use std::time::Instant;

/// The watch over a console's keys.
#[derive(Clone, Debug)]
pub struct Leaving {
    detach: Detach,
    due: Option<Instant>,
}

impl Leaving {
    /// A watch for these keys.
    pub fn new(keys: DetachKeys) -> Self {
        Self { detach: Detach::new(keys), due: None }
    }

    /// The keys that leave.
    pub fn keys(&self) -> DetachKeys {
        self.detach.keys()
    }

    /// A key became these bytes. A key of several bytes, an arrow for one, is none of the sequence.
    pub fn key(&mut self, bytes: &[u8], now: Instant) -> Typed {
        let typed = match bytes {
            [_] => self.detach.feed(bytes),
            _ => Typed { pass: [&self.detach.timeout(), bytes].concat(), detached: false },
        };
        self.due = self.detach.is_holding().then(|| now + PATIENCE);
        typed
    }

    /// When [`Leaving::tick`] is due; `None` while no key is held back.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Gives what was held back, once it is time.
    pub fn tick(&mut self, now: Instant) -> Vec<u8> {
        if self.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.due = None;
        self.detach.timeout()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_lone_first_key_is_passed_on_in_time() {
        let now = Instant::now();
        let mut leaving = Leaving::new(DetachKeys::default());
        assert_eq!(leaving.key(b"\x10", now), Typed::default());
        assert_eq!(leaving.due(), Some(now + PATIENCE));
        assert_eq!(leaving.tick(now + Duration::from_millis(499)), b"");
        assert_eq!(leaving.tick(now + PATIENCE), b"\x10");
        assert_eq!((leaving.due(), leaving.tick(now + PATIENCE * 2)), (None, Vec::new()));
        assert!(!leaving.key(b"\x11", now).detached, "the first one was long ago");
    }

    #[test]
    fn both_keys_leave_and_an_arrow_between_them_does_not() {
        let now = Instant::now();
        let mut leaving = Leaving::new(DetachKeys::parse("ctrl-p,ctrl-q").unwrap());
        assert_eq!(leaving.key(b"a", now).pass, b"a");
        leaving.key(b"\x10", now);
        assert!(leaving.key(b"\x11", now).detached && leaving.due().is_none());
        leaving.key(b"\x10", now);
        assert_eq!(leaving.key(b"\x1b[A", now), Typed { pass: b"\x10\x1b[A".to_vec(), detached: false });
        let mut leaving = Leaving::new(DetachKeys::parse("ctrl-[,[").unwrap());
        assert!(!leaving.key(b"\x1b[A", now).detached, "an arrow begins with the same bytes");
        assert!(leaving.key(b"\x1b", now).pass.is_empty() && leaving.key(b"[", now).detached);
    }
}
