//! What a monitor tells the store, so that it need not know how the store keeps it.

/// The store, as a container's monitor sees it. A failure is said in the monitor's last words and changes nothing: the
/// container's life goes on.
pub trait Record {
    /// The container's process runs.
    fn started(&mut self, pid: i32) -> Result<(), String>;
    /// The process could not be started.
    fn failed(&mut self, status: i32, why: &str) -> Result<(), String>;
    /// Its processes are frozen, or thawed.
    fn paused(&mut self, paused: bool) -> Result<(), String>;
    /// A signal was sent on a user's behalf.
    fn signalled(&mut self, signal: i32) -> Result<(), String>;
    /// The process ended and will be started again.
    fn restarting(&mut self, status: i32, oom_killed: bool) -> Result<(), String>;
    /// The process ended for good.
    fn exited(&mut self, status: i32, oom_killed: bool, stopped_by_user: bool) -> Result<(), String>;
    /// Nothing is to be told for a while: what is held for the next word is given back.
    fn rest(&mut self);
    /// The container is to go, with its anonymous volumes (`--rm`); nothing of it runs any more.
    fn remove(&mut self) -> Result<(), String>;
}
