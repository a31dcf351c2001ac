//! The store as a container's monitor writes it: opened for a word and closed when nothing is said for a while, so that its
//! memory is not kept.

use super::containers::{event_row, from_row, record_event, to_row};
use super::{event, lock, process, removal};
use crate::container::{Container, Status, Transition};
use crate::graphdb::GraphDb;
use crate::graphdriver;
use crate::monitor::{Record, Task};

/// The store behind one monitor.
#[derive(Debug)]
struct Store {
    task: Task,
    database: Option<GraphDb>,
}

/// Opens the store for a monitor's task.
pub fn open(task: &Task) -> Box<dyn Record> {
    Box::new(Store { task: task.clone(), database: None })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Store {
    /// The database, opened if it is not, and whom it is about.
    fn opened(&mut self) -> Result<(&GraphDb, &Task), String> {
        let database = match self.database.take() {
            Some(database) => database,
            None => GraphDb::open(&self.task.place.database()).map_err(text)?,
        };
        Ok((self.database.insert(database), &self.task))
    }

    fn event(&mut self, action: &str, more: &[(&str, String)]) -> Result<(), String> {
        let (db, task) = self.opened()?;
        record_event(db, &task.container, action, more);
        event::poke(&task.place);
        Ok(())
    }

    /// Changes the container's row; `change` may refuse.
    fn update(&mut self, change: impl FnOnce(&mut Container) -> Result<(), String>, action: Option<&str>, more: &[(&str, String)]) -> Result<(), String> {
        let (db, task) = self.opened()?;
        let row = db.container(task.container.id.as_str()).map_err(text)?.ok_or("the container is gone from the store")?;
        let mut container = from_row(&row).map_err(text)?;
        change(&mut container)?;
        let new = to_row(&container).map_err(text)?;
        let event = action.map(|action| event_row(&container, action, more));
        db.set_state(&new.id, &row.status, &new.status, &new.state, !container.state.status.is_alive(), event.as_ref()).map_err(text)?;
        event::poke(&task.place);
        Ok(())
    }
}

fn step(container: &mut Container, transition: Transition) -> Result<(), String> {
    let status = container.state.status;
    container.state.status = status.next(transition).ok_or_else(|| format!("there is no step {transition:?} from {}", status.as_str()))?;
    Ok(())
}

impl Record for Store {
    fn started(&mut self, pid: i32) -> Result<(), String> {
        let change = |container: &mut Container| {
            let again = container.state.status == Status::Restarting;
            step(container, Transition::Start)?;
            let state = &mut container.state;
            state.pid = pid;
            state.pid_start = process::start_time(pid).unwrap_or(0);
            state.monitor_pid = std::process::id() as i32;
            state.started_at = Some(jiff::Timestamp::now());
            state.exit_code = 0;
            state.oom_killed = false;
            state.error.clear();
            state.restart_count = if again { state.restart_count + 1 } else { 0 };
            state.stopped_by_user = false;
            Ok(())
        };
        self.update(change, Some("start"), &[])
    }

    fn failed(&mut self, status: i32, why: &str) -> Result<(), String> {
        let change = |container: &mut Container| {
            // One that never ran stays as it was made; one that ran before has ended.
            if container.state.status == Status::Restarting {
                step(container, Transition::Exit)?;
                container.state.finished_at = Some(jiff::Timestamp::now());
            }
            container.state.exit_code = status;
            why.clone_into(&mut container.state.error);
            container.state.pid = 0;
            container.state.monitor_pid = 0;
            Ok(())
        };
        self.update(change, None, &[])
    }

    fn paused(&mut self, paused: bool) -> Result<(), String> {
        let (transition, action) = if paused { (Transition::Pause, "pause") } else { (Transition::Unpause, "unpause") };
        self.update(|container| step(container, transition), Some(action), &[])
    }

    fn signalled(&mut self, signal: i32) -> Result<(), String> {
        self.event("kill", &[("signal", signal.to_string())])
    }

    fn restarting(&mut self, status: i32, oom_killed: bool) -> Result<(), String> {
        let change = |container: &mut Container| {
            step(container, Transition::AwaitRestart)?;
            ended(container, status, oom_killed);
            Ok(())
        };
        self.update(change, Some("die"), &[("exitCode", status.to_string())])
    }

    fn exited(&mut self, status: i32, oom_killed: bool, stopped_by_user: bool) -> Result<(), String> {
        if oom_killed {
            self.event("oom", &[])?;
        }
        let change = |container: &mut Container| {
            step(container, Transition::Exit)?;
            ended(container, status, oom_killed);
            container.state.monitor_pid = 0;
            container.state.stopped_by_user = stopped_by_user;
            if container.host_config.auto_remove {
                // Marked at once: whoever finds it so finishes what is about to begin.
                step(container, Transition::Remove)?;
                container.state.removes_volumes = true;
            }
            Ok(())
        };
        self.update(change, Some("die"), &[("exitCode", status.to_string())])
    }

    fn rest(&mut self) {
        if let Some(database) = self.database.take() {
            // A log that stays long makes the next one who opens the store read it.
            let _ = database.fold();
        }
    }

    fn remove(&mut self) -> Result<(), String> {
        let (db, task) = self.opened()?;
        let Some(row) = db.container(task.container.id.as_str()).map_err(text)? else { return Ok(()) };
        let container = from_row(&row).map_err(text)?;
        let (driver, _) = graphdriver::open(&task.place.root, Some(&container.driver)).map_err(text)?;
        let _operation = lock::Operation::begin(&task.place.operations()).map_err(text)?;
        removal::remove(db, &*driver, &task.place, &container, true).map_err(text)
    }
}

fn ended(container: &mut Container, status: i32, oom_killed: bool) {
    let state = &mut container.state;
    state.pid = 0;
    state.exit_code = status;
    state.oom_killed = oom_killed;
    state.finished_at = Some(jiff::Timestamp::now());
}
