//! When a container that ended is started again, and after how long.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What happens when a container's process ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Nothing.
    #[default]
    No,
    /// Started again after a status other than 0, at most so many times (0: without end).
    OnFailure(u32),
    /// Started again, unless the user stopped it.
    Always,
    /// As `Always`, and not after a reboot if the user had stopped it.
    UnlessStopped,
}

impl RestartPolicy {
    /// Whether a container that ended with `status` after `restarts` restarts is started again.
    pub fn applies(self, status: i32, restarts: u32, stopped_by_user: bool) -> bool {
        match self {
            _ if stopped_by_user => false,
            Self::No => false,
            Self::OnFailure(most) => status != 0 && (most == 0 || restarts < most),
            Self::Always | Self::UnlessStopped => true,
        }
    }

    /// Reads `no`, `on-failure`, `on-failure:3`, `always` or `unless-stopped`.
    ///
    /// # Errors
    /// A sentence that names the text and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None => match text {
                "" | "no" => Ok(Self::No),
                "on-failure" => Ok(Self::OnFailure(0)),
                "always" => Ok(Self::Always),
                "unless-stopped" => Ok(Self::UnlessStopped),
                _ => Err(format!("invalid restart policy {text:?}: expected no, on-failure[:n], always or unless-stopped")),
            },
            Some(("on-failure", n)) => n.parse().map(Self::OnFailure).map_err(|_| format!("invalid restart policy {text:?}: {n:?} is not a number of tries")),
            Some((name, _)) => Err(format!("invalid restart policy {text:?}: only on-failure takes a number of tries, {name} does not")),
        }
    }

    /// The policy's name as Docker writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::OnFailure(_) => "on-failure",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
        }
    }
}

/// The wait before restart number `restarts` (0 for the first): 100 ms, doubled each time, at most a minute.
///
/// A run of 10 s or more starts the series anew, as Docker does; the caller counts `restarts` in the series.
pub fn backoff(restarts: u32) -> Duration {
    Duration::from_millis(100u64.saturating_mul(1 << restarts.min(10))).min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_say_when() {
        assert!(!RestartPolicy::No.applies(1, 0, false));
        assert!(RestartPolicy::OnFailure(2).applies(1, 1, false));
        assert!(!RestartPolicy::OnFailure(2).applies(1, 2, false));
        assert!(!RestartPolicy::OnFailure(0).applies(0, 0, false));
        assert!(RestartPolicy::Always.applies(0, 1000, false));
        assert!(!RestartPolicy::Always.applies(0, 0, true));
    }

    #[test]
    fn the_wait_doubles_and_is_bounded() {
        assert_eq!(backoff(0), Duration::from_millis(100));
        assert_eq!(backoff(3), Duration::from_millis(800));
        assert_eq!(backoff(u32::MAX), Duration::from_secs(60));
    }

    #[test]
    fn words_are_read_and_wrong_ones_named() {
        assert_eq!(RestartPolicy::parse("on-failure:3"), Ok(RestartPolicy::OnFailure(3)));
        assert!(RestartPolicy::parse("always:3").is_err());
        assert!(RestartPolicy::parse("sometimes").is_err_and(|e| e.contains("sometimes")));
    }
}
