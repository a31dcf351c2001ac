//! A container's life as one pure table.
//!
//! ```text
//!            start            pause
//!  created ───────► running ◄──────► paused
//!     │               │ ▲   unpause    │
//!     │          exit │ │ start        │ exit
//!     │               ▼ │              │
//!     │        ┌──── exited ◄──────────┘
//!     │        │      ▲ │
//!     │ remove │ give │ │ (policy) await restart
//!     │        │   up │ ▼
//!     ▼        │    restarting ── start ──► running
//!  removing ◄──┘
//! ```

use super::health::Health;
use serde::{Deserialize, Serialize};

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, never started.
    #[default]
    Created,
    /// Its process runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Ended, and its monitor waits to start it again.
    Restarting,
    /// Ended.
    Exited,
    /// Being removed; a removal that a crash cut short is finished by the next engine.
    Removing,
}

impl Status {
    /// As `ps --filter status=` and inspect write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
        }
    }

    /// Whether a monitor belongs to a container in this state.
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }

    /// The state after `transition`, or `None` if there is no such step from here.
    pub fn next(self, transition: Transition) -> Option<Self> {
        use Transition as T;
        match (self, transition) {
            (Self::Created | Self::Exited | Self::Restarting, T::Start) | (Self::Paused, T::Unpause) => Some(Self::Running),
            (Self::Running, T::Pause) => Some(Self::Paused),
            (Self::Running | Self::Paused | Self::Restarting | Self::Created, T::Exit) => Some(Self::Exited),
            (Self::Running | Self::Paused, T::AwaitRestart) => Some(Self::Restarting),
            (Self::Created | Self::Exited | Self::Removing, T::Remove) => Some(Self::Removing),
            _ => None,
        }
    }
}

/// What happens to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// Its process started.
    Start,
    /// Its processes were frozen.
    Pause,
    /// Its processes were thawed.
    Unpause,
    /// Its process ended, or could not be started.
    Exit,
    /// Its process ended and will be started again.
    AwaitRestart,
    /// Its removal began.
    Remove,
}

/// A container's state with the figures that go with it.
///
/// Source of the names: Docker Engine API, ContainerState.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct State {
    /// Where it is.
    pub status: Status,
    /// Its first process, as this machine numbers it; 0 if none.
    pub pid: i32,
    /// When that process started, in clock ticks since boot (`/proc/PID/stat`, field 22): tells a reused number apart.
    pub pid_start: u64,
    /// Its monitor's process; 0 if none.
    pub monitor_pid: i32,
    /// The last process's status: 0 … 255, 128+n for signal n.
    pub exit_code: i32,
    /// The kernel killed something in it for want of memory.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// Why it could not be started or was lost; empty otherwise.
    pub error: String,
    /// When its last process started.
    pub started_at: Option<jiff::Timestamp>,
    /// When its last process ended.
    pub finished_at: Option<jiff::Timestamp>,
    /// How often the policy started it again.
    pub restart_count: u32,
    /// The user stopped it: the policy leaves it alone.
    pub stopped_by_user: bool,
    /// Its removal, once begun, takes its anonymous volumes along: also when a crash lets another finish it.
    pub removes_volumes: bool,
    /// What is known of its health; `None` if nobody asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Status; 6] = [Status::Created, Status::Running, Status::Paused, Status::Restarting, Status::Exited, Status::Removing];

    #[test]
    fn a_removed_container_never_comes_back() {
        for transition in [Transition::Start, Transition::Pause, Transition::Unpause, Transition::Exit, Transition::AwaitRestart] {
            assert_eq!(Status::Removing.next(transition), None);
        }
    }

    #[test]
    fn what_is_alive_is_not_removed() {
        for status in ALL {
            if status.is_alive() {
                assert_eq!(status.next(Transition::Remove), None, "{status:?}");
            }
        }
    }

    #[test]
    fn every_state_can_end() {
        for status in ALL {
            let ends = [Transition::Remove, Transition::Exit].iter().any(|&t| status.next(t).is_some());
            assert!(ends, "{status:?}");
        }
    }
}
