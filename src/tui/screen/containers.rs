//! The containers: a live table, and beside it what the selected one writes, runs, changed and is.

use crate::container::{Container, HealthStatus, Protocol, Status};
use crate::text::{self, size, when};
use crate::tui::config::Column as Shown;
use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::confirm::asked;
use crate::tui::screen::details::{Details, Tab};
use crate::tui::screen::limits::{self, Limits};
use crate::tui::screen::list::{Captions, Details as _, List, ListPane};
use crate::tui::screen::welcome::welcome;
use crate::tui::screen::{Reaction, forms, listed};
use crate::tui::screen::{minute, stats};
use crate::tui::widget::table::{Cell, Column, Row, Table};
use crate::tui::world::World;
use ratatui::Frame;
use ratatui::layout::Rect;
use std::net::SocketAddr;

/// How a column behaves; of those that may go, the first is missed the least.
fn column(shown: Shown) -> Column {
    let (least, most, right, sheds) = match shown {
        Shown::State => (9, 12, false, 0),
        Shown::Name => (16, 32, false, 0),
        Shown::Image => (15, 40, false, 2),
        Shown::Cpu => (6, 7, true, 1),
        Shown::Minute => (minute::WIDTH, minute::WIDTH, false, 4),
        Shown::Limits => (8, 28, false, 7),
        Shown::Memory => (8, 9, true, 1),
        Shown::Up => (4, 10, false, 3),
        Shown::Exit => (4, 7, true, 5),
        Shown::Pids => (4, 6, true, 7),
        Shown::Command => (16, 60, false, 6),
        Shown::Ports => (12, 24, false, 4),
        Shown::Created => (7, 10, false, 8),
        Shown::Networks => (8, 20, false, 8),
        Shown::Restarts => (8, 8, true, 8),
        Shown::Id => (12, 12, false, 9),
    };
    Column { title: shown.heading(), least, most, right, sheds }
}

/// What the menu has beside what keys do.
const MORE: [&str; 2] = ["exec…", "signal…"];

/// The pane.
#[derive(Debug)]
pub struct Containers {
    list: List<Details>,
    /// Those that do not run are shown, too.
    all: bool,
}

impl Containers {
    /// The pane before the first look.
    pub fn new(world: &World) -> Self {
        let table = Table::new(world.config.columns.iter().copied().map(column).collect::<Vec<_>>(), None);
        Self { list: List::new(table, Details::new(world.config.log_lines)), all: true }
    }

    fn refresh(&mut self, world: &World) -> Reaction {
        let rows = world.snapshot.containers.iter().filter(|c| self.all || c.state.status.is_alive()).map(|c| row(c, world)).collect();
        self.list.table.set(rows);
        self.list.look(world)
    }

    /// Names of the chosen containers that `fits`; none is a sentence.
    fn chosen(&self, world: &World, fits: impl Fn(Status) -> bool) -> Vec<String> {
        let keys = self.list.table.chosen();
        keys.iter().filter_map(|key| world.container(key)).filter(|container| fits(container.state.status)).map(|container| container.name.clone()).collect()
    }

    fn verb(&mut self, words: &[&str], names: Vec<String>, otherwise: &str) -> Reaction {
        if names.is_empty() {
            return Reaction::error(otherwise);
        }
        self.list.table.unmark();
        Reaction::perform(words.iter().map(ToString::to_string).chain(names))
    }

    fn remove(&mut self, world: &World) -> Reaction {
        let names = self.chosen(world, |status| status != Status::Removing);
        if names.is_empty() {
            return Reaction::error("nothing is selected that could be removed");
        }
        let running = self.chosen(world, Status::is_alive).len();
        let mut words = vec!["rm".to_owned()];
        let mut question = format!("Remove {}, with what was written in it?", listed(&names));
        if running > 0 {
            words.push("-f".to_owned());
            question = format!("Remove {}? {running} of them run and will be killed first.", listed(&names));
            if names.len() == 1 {
                question = format!("Kill and remove {}, with what was written in it?", names[0]);
            }
        }
        words.extend(names);
        self.list.table.unmark();
        asked(world, "Remove", question, Reaction::perform(words))
    }

    fn one<'a>(&self, world: &'a World) -> Option<&'a Container> {
        world.container(self.list.table.selected()?)
    }

    fn pause(&mut self, world: &World) -> Reaction {
        let frozen = self.chosen(world, |status| status == Status::Paused);
        if frozen.is_empty() {
            let running = self.chosen(world, |status| status == Status::Running);
            return self.verb(&["pause"], running, "only what runs can be paused");
        }
        self.verb(&["unpause"], frozen, "")
    }

    fn publish(&self, world: &World) -> Reaction {
        match self.one(world) {
            Some(container) if container.host_config.networks.is_empty() => {
                let mode = container.host_config.network_mode.name();
                Reaction::error(format!("{} was made with --network {mode}: it has no ports to publish", container.name))
            }
            Some(container) => Reaction::open(forms::publish(&container.name, Vec::new(), world)),
            None => Reaction::error("no container is selected"),
        }
    }

    /// The line in which limits are edited, at the row.
    fn limits(&mut self, world: &World) -> Reaction {
        let names = self.chosen(world, |status| status != Status::Removing);
        let place = if self.list.split.inside { self.list.details.place() } else { self.list.table.place.line() };
        Limits::of(names, place, world).map_or_else(|| Reaction::error("no container is selected"), Reaction::open)
    }
}

fn row(container: &Container, world: &World) -> Row {
    Row { key: container.id.to_string(), cells: world.config.columns.iter().map(|&shown| cell(shown, container, world)).collect() }
}

fn cell(shown: Shown, container: &Container, world: &World) -> Cell {
    let theme = &world.theme;
    let state = &container.state;
    let alive = state.status.is_alive();
    let style = if alive { theme.text() } else { theme.muted() };
    let figure = world.figure(&container.id);
    // What does not run takes nothing; what the kernel does not tell is not nothing.
    let absent = if alive { "" } else { "–" };
    let number = |words: Option<String>, value: Option<f64>| Cell::number(words.unwrap_or_else(|| absent.to_owned()), value, style);
    match shown {
        Shown::State => Cell { text: sign(container), ..Cell::text(state.status.as_str(), state_style(container, world)) },
        Shown::Name => Cell::text(&container.name, style),
        Shown::Id => Cell::text(container.id.short(), theme.muted()),
        Shown::Image => Cell::image(&container.image, style),
        Shown::Command => Cell::text(&container.command().join(" "), theme.muted()),
        Shown::Created => Cell::number(when::short_ago(container.created, world.now), age(Some(container.created), world), theme.muted()),
        Shown::Up => {
            let since = if alive { state.started_at } else { state.finished_at };
            let length = since.map(|since| when::short(when::since(since, world.now)));
            let words = length.map(|length| if alive { length } else { format!("{length} ago") });
            Cell::number(words.unwrap_or_default(), age(since, world), style)
        }
        Shown::Exit => {
            let ended = state.finished_at.filter(|_| !alive).map(|_| state.exit_code);
            let words = ended.map(|code| if state.oom_killed { format!("{code} oom") } else { code.to_string() }).unwrap_or_default();
            Cell::number(words, ended.map(f64::from), ended.map_or(style, |code| theme.exit(code)))
        }
        Shown::Cpu => number(figure.and_then(|f| f.cpu).map(|cpu| format!("{cpu:.1}%")), figure.and_then(|f| f.cpu)),
        Shown::Memory => number(figure.and_then(|f| f.memory).map(size::binary), figure.and_then(|f| f.memory).map(|bytes| bytes as f64)),
        Shown::Minute => minute::cell(container, world),
        Shown::Limits => Cell::text(&limits::told(container), theme.muted()),
        Shown::Pids => number(figure.and_then(|f| f.pids).map(|pids| pids.to_string()), figure.and_then(|f| f.pids).map(|pids| pids as f64)),
        Shown::Ports => ports(container, world),
        Shown::Networks => Cell::text(&networks(container), theme.muted()),
        Shown::Restarts => Cell::number(state.restart_count.to_string(), Some(f64::from(state.restart_count)), style),
    }
}

/// Where it is reached, `8080→80`; without that, what it exposes.
fn ports(container: &Container, world: &World) -> Cell {
    let mut all: Vec<String> = Vec::new();
    for forward in world.forwards(&container.id) {
        let port = &forward.port;
        let here = if port.address.is_unspecified() { port.port.to_string() } else { SocketAddr::new(port.address, port.port).to_string() };
        let protocol = if port.protocol == Protocol::Tcp { "" } else { port.protocol.as_str() };
        let shown = format!("{here}→{}{}{protocol}", port.inside, if protocol.is_empty() { "" } else { "/" });
        // Addresses of both families are one wish.
        if !all.contains(&shown) {
            all.push(shown);
        }
    }
    if all.is_empty() {
        return Cell::text(&container.config.exposed_ports.iter().map(String::as_str).collect::<Vec<_>>().join(","), world.theme.muted());
    }
    Cell::text(&all.join(","), world.theme.text())
}

/// The networks it is on, or what it has in place of them.
fn networks(container: &Container) -> String {
    let host = &container.host_config;
    if host.networks.is_empty() {
        return host.network_mode.name();
    }
    host.networks.iter().map(|attachment| attachment.network.as_str()).collect::<Vec<_>>().join(",")
}

fn age(since: Option<jiff::Timestamp>, world: &World) -> Option<f64> {
    since.map(|since| when::since(since, world.now).as_secs_f64())
}

/// A sign and a word: also where there are no colours.
fn sign(container: &Container) -> String {
    let sign = match container.state.status {
        Status::Running => "●",
        Status::Paused => "◐",
        Status::Restarting | Status::Removing => "◌",
        Status::Created => "○",
        Status::Exited if container.state.exit_code == 0 => "○",
        Status::Exited => "✗",
    };
    let mark = match shown_health(container) {
        None => "",
        Some(HealthStatus::Starting) => " …",
        Some(HealthStatus::Healthy) => " ✓",
        Some(HealthStatus::Unhealthy) => " ✗",
    };
    format!("{sign} {}{mark}", container.state.status.as_str())
}

/// Its health, while that says something.
fn shown_health(container: &Container) -> Option<HealthStatus> {
    container.state.health.as_ref().filter(|_| container.state.status == Status::Running).map(|health| health.status)
}

fn state_style(container: &Container, world: &World) -> ratatui::style::Style {
    match (container.state.status, shown_health(container)) {
        (Status::Exited, _) => world.theme.exit(container.state.exit_code),
        (_, Some(HealthStatus::Unhealthy)) => world.theme.failed(),
        (_, Some(HealthStatus::Starting)) => world.theme.pending(),
        (status, _) => world.theme.state(status),
    }
}

impl ListPane for Containers {
    type Details = Details;

    const CONTEXT: Context = Context::Containers;

    fn list(&self) -> &List<Details> {
        &self.list
    }

    fn list_mut(&mut self) -> &mut List<Details> {
        &mut self.list
    }

    fn does(&self, action: Action) -> bool {
        use Action as A;
        if self.list.split.inside {
            return action == A::Limits && self.list.details.tabs.front == Tab::Stats;
        }
        matches!(action, A::Attach | A::Exec | A::Shell | A::Start | A::Stop | A::Restart | A::Pause | A::Kill)
            || matches!(action, A::Remove | A::Prune | A::Rename | A::Commit | A::Copy | A::ToggleStopped | A::Run | A::Pull | A::Publish | A::Limits)
    }

    fn fits(&self, action: Action, world: &World) -> bool {
        use Action as A;
        let any = |fits: fn(Status) -> bool| !self.chosen(world, fits).is_empty();
        match action {
            _ if self.list.split.inside => true,
            A::Start => any(|status| matches!(status, Status::Created | Status::Exited)),
            A::Stop | A::Kill | A::Attach | A::Processes => any(Status::is_alive),
            A::Pause => any(|status| matches!(status, Status::Running | Status::Paused)),
            A::Exec | A::Shell => any(|status| status == Status::Running),
            A::Run | A::Pull | A::Machine => true,
            A::Publish => self.one(world).is_some_and(|container| container.state.status.is_alive() && !container.host_config.networks.is_empty()),
            A::ToggleStopped if !self.all => true,
            A::Prune | A::ToggleStopped => world.snapshot.containers.iter().any(|container| !container.state.status.is_alive()),
            _ => self.list.table.counts().1 > 0,
        }
    }

    fn command(&mut self, action: Action, world: &World) -> Option<Reaction> {
        Some(match action {
            Action::Stop => {
                let names = self.chosen(world, Status::is_alive);
                self.verb(&["stop"], names, "it does not run: there is nothing to stop")
            }
            Action::Start => {
                let names = self.chosen(world, |status| matches!(status, Status::Created | Status::Exited));
                self.verb(&["start"], names, "it runs already")
            }
            Action::Restart => {
                let names = self.chosen(world, |status| status != Status::Removing);
                self.verb(&["restart"], names, "nothing is selected")
            }
            Action::Pause => self.pause(world),
            Action::Kill => {
                let names = self.chosen(world, Status::is_alive);
                let question = format!("Kill {} at once, without a chance to finish?", listed(&names));
                let then = self.verb(&["kill"], names, "it does not run: there is nothing to kill");
                if then.effects.is_empty() { then } else { asked(world, "Kill", question, then) }
            }
            Action::Remove => self.remove(world),
            Action::Prune => asked(world, "Prune", "Remove all containers that do not run?", Reaction::perform(["container", "prune", "-f"])),
            Action::Attach => match self.one(world) {
                Some(container) => Reaction::perform(["attach", container.name.as_str()]),
                None => Reaction::error("no container is selected"),
            },
            Action::Exec | Action::Shell => match self.one(world) {
                Some(container) if container.state.status == Status::Running => {
                    if action == Action::Exec {
                        Reaction::effect(Effect::Shell(container.id.clone()))
                    } else {
                        Reaction::perform(["exec", "-it", "--toolbox", container.name.as_str()])
                    }
                }
                Some(container) => Reaction::error(format!("{} does not run: start it first", container.name)),
                None => Reaction::error("no container is selected"),
            },
            Action::Run => Reaction::open(forms::run(self.one(world).map_or("", |container| &container.image), world)),
            Action::Pull => Reaction::open(forms::pull(world)),
            Action::Rename => match self.one(world) {
                Some(container) => Reaction::open(forms::rename(&container.name, world)),
                None => Reaction::error("no container is selected"),
            },
            Action::Commit => match self.one(world) {
                Some(container) => Reaction::open(forms::commit(&container.name, world)),
                None => Reaction::error("no container is selected"),
            },
            Action::Publish => self.publish(world),
            Action::Limits => self.limits(world),
            Action::Copy => match self.one(world) {
                Some(container) => Reaction::copy(container.id.to_string(), container.id.short()),
                None => Reaction::none(),
            },
            _ => return None,
        })
    }

    fn change(&mut self, action: Action, world: &World) -> Option<Reaction> {
        if action != Action::ToggleStopped {
            return None;
        }
        self.all = !self.all;
        Some(self.refresh(world))
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        match news {
            News::Snapshot(_) | News::Figures(_) => self.refresh(world),
            News::Answer(ticket, answer) => {
                self.list.details.hear(*ticket, answer);
                Reaction::none()
            }
            _ => Reaction::none(),
        }
    }

    fn shown(&mut self, front: bool, world: &World) -> Reaction {
        if front { self.refresh(world) } else { self.list.details.look_at(None, world) }
    }

    fn captions(&self, world: &World) -> Captions {
        let name = self.one(world).map(|container| text::clean(&container.name).into_owned()).unwrap_or_default();
        Captions { title: format!("Containers {}", self.list.table.counts().0), note: self.list.table.note(), empty: "", name }
    }

    fn paint(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        let details = &mut self.list.details;
        let machine = self.list.split.inside && details.tabs.front == Tab::Stats && details.stats.about().is_some();
        match self.list.table.counts().0 {
            0 if machine => details.draw(area, frame.buffer_mut(), world, "", true),
            0 => welcome(area, frame, world, self.all),
            _ => {
                let captions = self.captions(world);
                self.list.draw(area, frame.buffer_mut(), world, &captions);
            }
        }
    }

    fn signs(&self) -> &'static [(&'static str, &'static str)] {
        match self.list.split.inside {
            true if self.list.details.tabs.front == Tab::Stats => stats::SIGNS,
            true => &[],
            false => minute::SIGNS,
        }
    }

    fn more(&self, world: &World) -> Vec<String> {
        let running = self.one(world).is_some_and(|container| container.state.status == Status::Running);
        let alive = !self.chosen(world, Status::is_alive).is_empty();
        let entries = [(running, MORE[0]), (alive, MORE[1])];
        entries.into_iter().filter(|(fits, _)| *fits).map(|(_, label)| label.to_owned()).collect()
    }

    fn done_more(&mut self, number: usize, world: &World) -> Reaction {
        match (self.more(world).get(number).map(String::as_str), self.one(world)) {
            (Some(label), Some(container)) if label == MORE[0] => Reaction::open(forms::exec(&container.name, world)),
            (Some(_), _) => Reaction::open(forms::kill(&self.chosen(world, Status::is_alive), world)),
            (None, _) => Reaction::none(),
        }
    }
}
