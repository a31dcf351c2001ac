//! The store as a container's monitor writes it: opened for a word and closed when nothing is said for a while, so that its
//! memory is not kept.

use super::containers::{event_row, from_row, record_event, to_row};
use super::network::{self, rows};
use super::{event, lock, process, removal};
use crate::container::network::Traffic;
use crate::container::{Attachment, Container, Health, HealthStatus, HostConfig, Network, NetworkMode, PortBinding, Published, Status, Transition};
use crate::graphdb::GraphDb;
use crate::graphdriver;
use crate::id::NetworkId;
use crate::monitor::{Berth, Record, Task};
use std::path::PathBuf;

/// The store behind one monitor.
#[derive(Debug)]
struct Store {
    task: Task,
    database: Option<GraphDb>,
    /// The container has, or had, places on networks.
    claimed: bool,
    /// Held from its end on: whoever finds it free knows that links and rules may be left.
    leaving: Option<lock::Operation>,
    /// Another's network namespace, open until the container has entered it.
    shared: Option<std::fs::File>,
}

/// Opens the store for a monitor's task.
pub fn open(task: &Task) -> Box<dyn Record> {
    Box::new(Store { task: task.clone(), database: None, claimed: false, leaving: None, shared: None })
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

    /// From now on the store tells nobody any more that the container has links; the mark does.
    fn leave(&mut self) {
        if self.claimed && self.leaving.is_none() {
            // Without it a crash leaves a link until the next container comes or goes; no more.
            self.leaving = lock::Operation::begin(&self.task.place.departures()).ok();
        }
    }

    /// Changes what its starts to come are to have.
    fn rewrite(&mut self, change: impl FnOnce(&mut HostConfig)) -> Result<(), String> {
        let (db, task) = self.opened()?;
        let row = db.container(task.container.id.as_str()).map_err(text)?.ok_or("the container is gone from the store")?;
        let mut container = from_row(&row).map_err(text)?;
        change(&mut container.host_config);
        db.set_container_json(&row.id, &to_row(&container).map_err(text)?.json).map_err(text)
    }

    fn network_event(&mut self, action: &str, network: &Network) -> Result<(), String> {
        let (db, task) = self.opened()?;
        // Events tell of changes; one that cannot be told must not undo the change.
        let _ = db.insert_event(&rows::event(action, network, &[("container", task.container.id.as_str())]));
        event::poke(&task.place);
        Ok(())
    }

    /// Changes the container's row and tells everybody; `change` may refuse.
    fn update(&mut self, change: impl FnOnce(&mut Container) -> Result<(), String>, action: Option<&str>, more: &[(&str, String)]) -> Result<(), String> {
        self.write(change, action, more)?;
        event::poke(&self.task.place);
        Ok(())
    }

    /// Changes the container's row.
    fn write(&mut self, change: impl FnOnce(&mut Container) -> Result<(), String>, action: Option<&str>, more: &[(&str, String)]) -> Result<(), String> {
        let (db, task) = self.opened()?;
        let row = db.container(task.container.id.as_str()).map_err(text)?.ok_or("the container is gone from the store")?;
        let mut container = from_row(&row).map_err(text)?;
        change(&mut container)?;
        let new = to_row(&container).map_err(text)?;
        let event = action.map(|action| event_row(&container, action, more));
        db.set_state(&new.id, &row.status, &new.status, &new.state, !container.state.status.is_alive(), event.as_ref()).map_err(text)
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
            state.health = Health::anew(container.config.healthcheck.as_ref(), state.health.as_ref());
            Ok(())
        };
        self.update(change, Some("start"), &[])
    }

    fn failed(&mut self, status: i32, why: &str) -> Result<(), String> {
        self.leave();
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

    fn out_of_memory(&mut self) -> Result<(), String> {
        self.event("oom", &[])
    }

    fn health(&mut self, health: &Health, turned: Option<HealthStatus>) -> Result<(), String> {
        let change = |container: &mut Container| {
            container.state.health = Some(health.clone());
            Ok(())
        };
        // Only what people see at a glance is worth waking others for: on a machine where all is well nobody is.
        match turned {
            Some(status) => self.update(change, Some(&format!("health_status: {}", status.as_str())), &[]),
            None => self.write(change, None, &[]),
        }
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
        self.leave();
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

    fn claim(&mut self, attachments: &[Attachment]) -> Result<Vec<Berth>, String> {
        self.claimed = true;
        let (db, task) = self.opened()?;
        let networks = attachments.iter().map(|attachment| named(db, &attachment.network)).collect::<Result<Vec<_>, _>>()?;
        let claims = networks.iter().zip(attachments).map(|(network, attachment)| rows::claim(network, attachment).map_err(text));
        let claims = claims.collect::<Result<Vec<_>, _>>()?;
        let places = db.claim(task.container.id.as_str(), &claims, &[]).map_err(|error| refused(&error, &networks, attachments))?;
        networks.into_iter().zip(&places).map(|(network, row)| rows::endpoint(&network, row).map(|endpoint| (network, endpoint)).map_err(text)).collect()
    }

    fn connect(&mut self, attachment: &Attachment) -> Result<Berth, String> {
        let (db, task) = self.opened()?;
        let network = named(db, &attachment.network)?;
        let claim = rows::claim(&network, attachment).map_err(text)?;
        let place = db.claim_more(task.container.id.as_str(), &ALIVE, &claim);
        let place = place.map_err(|error| refused(&error, std::slice::from_ref(&network), std::slice::from_ref(attachment)))?;
        let endpoint = rows::endpoint(&network, &place).map_err(text)?;
        self.rewrite(|host| {
            host.networks.retain(|known| known.network != attachment.network);
            host.networks.push(attachment.clone());
        })?;
        self.network_event("connect", &network)?;
        Ok((network, endpoint))
    }

    fn disconnect(&mut self, network: &NetworkId) -> Result<(), String> {
        let (db, task) = self.opened()?;
        let all = network::all(db).map_err(text)?;
        db.release_place(task.container.id.as_str(), network.as_str()).map_err(text)?;
        let Some(known) = all.into_iter().find(|known| known.id == *network) else { return Ok(()) };
        self.rewrite(|host| host.networks.retain(|attachment| attachment.network != known.name))?;
        self.network_event("disconnect", &known)
    }

    fn publish(&mut self, ports: &[Published], wishes: Option<&[PortBinding]>) -> Result<(), String> {
        let (db, task) = self.opened()?;
        let id = task.container.id.as_str();
        // Before its process runs a container is not alive yet; then it publishes all the same.
        let states: &[&str] = if wishes.is_some() { &ALIVE } else { &["created", "exited", "running", "restarting"] };
        db.set_ports(id, states, &rows::port_rows(id, ports)).map_err(|error| match error {
            crate::graphdb::Error::Taken { name, by } => format!("port {name} is already allocated: {by} has it"),
            other => text(other),
        })?;
        let Some(wishes) = wishes else { return Ok(()) };
        self.rewrite(|host| {
            host.port_bindings = wishes.to_vec();
            // From now on what is published is what was said.
            host.publish_all = false;
        })?;
        event::poke(&self.task.place);
        Ok(())
    }

    fn updated(&mut self, host: &HostConfig) -> Result<(), String> {
        let (resources, policy) = (host.resources.clone(), host.restart_policy);
        self.rewrite(|host| (host.resources, host.restart_policy) = (resources, policy))?;
        // Events tell of changes; one that cannot be told must not undo the change.
        let _ = self.event("update", &[]);
        Ok(())
    }

    fn traffic(&mut self) -> Result<Traffic, String> {
        rows::traffic(self.opened()?.0).map_err(text)
    }

    fn links(&mut self) -> Result<Vec<String>, String> {
        rows::links(self.opened()?.0).map_err(text)
    }

    fn network_of(&mut self, container: &str) -> Result<(PathBuf, PathBuf, String), String> {
        let (db, task) = self.opened()?;
        let mut found = named_container(db, container)?;
        let (pid, start) = (found.state.pid, found.state.pid_start);
        let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net"));
        // Only now: the number may have become another process's while it was being opened.
        if !found.state.status.is_alive() || !process::is_alive(pid, start) {
            return Err(format!("cannot share the network of container {}: it is not running", found.name));
        }
        let namespace = namespace.map_err(|error| format!("cannot share the network of container {}: {error}", found.name))?;
        // One that shares another's itself has its files, too.
        for _ in 0..MOST_SHARED {
            let NetworkMode::Container(owner) = &found.host_config.network_mode else { break };
            found = named_container(db, &owner.clone())?;
        }
        let name = crate::execdriver::spec::hostname(&found).to_owned();
        let folder = task.place.run(&found.id);
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&namespace));
        self.shared = Some(namespace);
        Ok((PathBuf::from(path), folder, name))
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

/// The states in which a container has places on networks.
const ALIVE: [&str; 3] = ["running", "paused", "restarting"];

/// How far one container's network is followed to another's.
const MOST_SHARED: usize = 16;

/// The container that is meant.
fn named_container(db: &GraphDb, text_of: &str) -> Result<Container, String> {
    match db.containers_like(text_of).map_err(text)?.as_slice() {
        [row] => from_row(row).map_err(text),
        _ => Err(format!("cannot share the network of container {text_of}: there is no such container")),
    }
}

/// The network of this name.
fn named(db: &GraphDb, name: &str) -> Result<Network, String> {
    match db.networks_like(name).map_err(text)?.as_slice() {
        [row] => rows::network(row).map_err(text),
        _ => Err(format!("network {name} not found")),
    }
}

/// Why no place was given, in the words of networks.
fn refused(error: &crate::graphdb::Error, networks: &[Network], attachments: &[Attachment]) -> String {
    use crate::graphdb::Error as E;
    let names = networks.iter().map(|network| network.name.as_str()).collect::<Vec<_>>().join(", ");
    match error {
        E::Taken { by, .. } => {
            let wanted: Vec<String> = attachments.iter().flat_map(|a| a.v4.map(|v4| v4.to_string()).into_iter().chain(a.v6.map(|v6| v6.to_string()))).collect();
            format!("the address {} is already in use by {by} on network {names}", wanted.join(" or "))
        }
        E::Conflict(why) => format!("no place on network {names}: {why}"),
        other => other.to_string(),
    }
}

fn ended(container: &mut Container, status: i32, oom_killed: bool) {
    let state = &mut container.state;
    state.pid = 0;
    state.exit_code = status;
    state.oom_killed = oom_killed;
    state.finished_at = Some(jiff::Timestamp::now());
    state.health.iter_mut().for_each(Health::end);
}
