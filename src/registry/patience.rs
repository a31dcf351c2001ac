//! How long a registry's bad moments are borne: waits that it asks for, and faults that may pass.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest that one request waits for a registry that asks for time, all waits together.
const LONGEST: Duration = Duration::from_secs(120);

/// How often a request is throttled before it is given up, however short the waits.
const THROTTLES: u32 = 20;

/// How often in a row a fault is borne.
const FAULTS: u32 = 4;

/// What a registry made a client do, worth a line for the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// The registry asked for a pause.
    Waiting {
        /// The registry.
        host: String,
        /// How long the pause takes.
        pause: Duration,
        /// The registry's reason.
        reason: String,
    },
    /// Something failed and is tried again.
    Retrying {
        /// What is tried again.
        what: String,
        /// Why it failed.
        reason: String,
    },
    /// Something is taken as it is, though it is not as it should be.
    Doubtful {
        /// What is taken.
        what: String,
        /// What is odd about it.
        reason: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { host, pause, reason } => write!(f, "registry {host} asks to wait {} s: {reason}", pause.as_secs_f32().ceil()),
            Self::Retrying { what, reason } => write!(f, "trying again: {what}: {reason}"),
            Self::Doubtful { what, reason } => write!(f, "WARNING: {what}: {reason}"),
        }
    }
}

/// Who is told of waits and retries.
pub type Listener = Arc<dyn Fn(&Notice) + Send + Sync>;

/// What is left of a request's patience.
#[derive(Default)]
pub(super) struct Patience {
    waited: Duration,
    throttles: u32,
    faults: u32,
}

impl Patience {
    /// How long to wait for a registry that asks for it (or says nothing: 1, 2, 4 … seconds), unless it is too long.
    pub(super) fn throttled(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let own = Duration::from_secs(1 << self.throttles.min(6));
        let pause = asked.map_or(own, |asked| asked.max(Duration::from_millis(50)));
        self.throttles += 1;
        self.waited += pause.min(LONGEST * 2);
        (self.throttles <= THROTTLES && self.waited <= LONGEST).then_some(pause)
    }

    /// How long to wait after a fault: a quarter of a second, doubled each time, four times.
    pub(super) fn fault(&mut self) -> Option<Duration> {
        self.faults += 1;
        (self.faults <= FAULTS).then(|| Duration::from_millis(125 << self.faults))
    }

    /// Faults so far do not count any more: there was progress.
    pub(super) fn renew(&mut self) {
        self.faults = 0;
    }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }

    #[test]
    fn patience_ends() {
        let mut patience = Patience::default();
        assert_eq!(patience.throttled(Some(Duration::from_secs(100))), Some(Duration::from_secs(100)));
        assert_eq!(patience.throttled(Some(Duration::from_secs(100))), None);
        assert_eq!(Patience::default().throttled(Some(Duration::from_secs(u64::from(u32::MAX)))), None);
        let mut patience = Patience::default();
        assert!((0..1000).any(|_| patience.throttled(Some(Duration::ZERO)).is_none()));
        let mut patience = Patience::default();
        assert_eq!((0..10).filter_map(|_| patience.fault()).count(), FAULTS as usize);
    }
}
