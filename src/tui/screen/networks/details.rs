//! What is to be known of one network, a tab for each kind: its members, what is published, the map, all of it.

use super::map::{Entry, Map, entries};
use super::rows::{self, Rates};
use crate::container::NetworkMode;
use crate::container::network::Forward;
use crate::text;
use crate::tui::effect::Ticket;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::Answer;
use crate::tui::screen::Reaction;
use crate::tui::screen::list;
use crate::tui::screen::tabs::{Strip, Tabs};
use crate::tui::widget::pager::{Kind, Line, Pager};
use crate::tui::widget::rows::Hit;
use crate::tui::widget::table::Table;
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::{Map as Object, Value, json};

/// Most lines of a document.
const MOST: usize = 50_000;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Who is on it.
    Members,
    /// What is published by way of it.
    Ports,
    /// From this machine's ports to containers, drawn.
    Map,
    /// All of it, as `inspect` says it.
    Inspect,
}

impl Tabs for Tab {
    const ALL: &'static [Self] = &[Self::Members, Self::Ports, Self::Map, Self::Inspect];
    const INSPECT: Self = Self::Inspect;

    fn name(self) -> &'static str {
        match self {
            Self::Members => "Members",
            Self::Ports => "Ports",
            Self::Map => "Map",
            Self::Inspect => "Inspect",
        }
    }
}

/// The details of one network.
#[derive(Debug)]
pub struct Details {
    of: Option<String>,
    /// What of it is shown.
    tabs: Strip<Tab>,
    members: Table,
    ports: Table,
    map: Map,
    pager: Pager,
    /// What links carry.
    pub carried: Rates,
    /// No other pane is in front: somebody looks.
    pub front: bool,
}

impl Default for Details {
    /// Of none.
    fn default() -> Self {
        Self {
            of: None,
            tabs: Strip::new(Tab::Map),
            members: Table::new(rows::MEMBERS, None).without_marks(),
            ports: Table::new(rows::PORTS, None).without_marks(),
            map: Map::default(),
            pager: Pager::new(MOST, false),
            carried: Rates::new(),
            front: false,
        }
    }
}

impl Details {
    /// Turns to a tab of a network.
    fn turn(&mut self, tab: Tab, of: Option<&str>, world: &World) -> Reaction {
        self.tabs.front = tab;
        list::Details::look_at(self, of, world)
    }

    /// The text in front, if it is text.
    fn text(&mut self) -> Option<&mut Pager> {
        match self.tabs.front {
            Tab::Inspect => Some(&mut self.pager),
            Tab::Map if self.map.reading => Some(&mut self.map.told),
            _ => None,
        }
    }

    fn table(&self) -> Option<&Table> {
        match self.tabs.front {
            Tab::Members => Some(&self.members),
            Tab::Ports => Some(&self.ports),
            _ => None,
        }
    }

    /// The published port that is selected.
    pub fn forward<'a>(&'a self, world: &'a World) -> Option<&'a Forward> {
        let berths = world.network(self.of.as_deref()?)?;
        match (self.tabs.front, self.map.selected()) {
            (Tab::Ports, _) => berths.forwards.iter().find(|forward| Some(forward.port.to_string().as_str()) == self.ports.selected()),
            (Tab::Map, Some(Entry::Port(forward, _))) => Some(forward),
            _ => None,
        }
    }

    /// The name of the container that is selected, or whose port is.
    pub fn container<'a>(&'a self, world: &'a World) -> Option<&'a str> {
        match self.tabs.front {
            Tab::Members => self.members.selected().and_then(|id| world.container(id)).map(|container| container.name.as_str()),
            Tab::Ports => self.forward(world).map(|forward| forward.name.as_str()),
            Tab::Map => self.map.selected().and_then(Entry::container),
            Tab::Inspect => None,
        }
    }

    /// Text is shown and has the keys: none of them does anything to the network.
    pub fn is_text(&self) -> bool {
        self.tabs.front == Tab::Inspect || (self.tabs.front == Tab::Map && self.map.reading)
    }

    /// Hears an answer.
    pub fn hear(&mut self, ticket: Ticket, answer: &mut Answer) {
        self.map.hear(ticket, answer);
    }

    /// Into the clipboard: where a port or a member is.
    fn copy(&self, world: &World) -> Reaction {
        let of_member = || {
            let berths = world.network(self.of.as_deref()?)?;
            let name = self.container(world)?;
            let place = berths.members.iter().find(|(member, _)| member == name).map(|(_, place)| place)?;
            place.addresses.first().map(|(address, _)| address.to_string())
        };
        self.forward(world).map(rows::here).or_else(of_member).map(|place| Reaction::copy(place.as_str(), &place)).unwrap_or_default()
    }

    /// What stands there if there is nothing to show.
    fn empty(&self, key: &str) -> Option<&'static str> {
        let mode = rows::mode(key);
        match (self.tabs.front, mode) {
            (Tab::Members, _) if self.members.counts().0 == 0 => Some("No running container is on it."),
            (Tab::Ports, Some(_)) => Some("Nothing is published here: ports are published by way of networks that containers have a place on."),
            (Tab::Ports, None) if self.ports.counts().0 == 0 => Some("Nothing is published by way of it."),
            (Tab::Map, Some(NetworkMode::Host)) => {
                Some("Containers here use this machine's own network: what they listen on is reached at its addresses, with no rule of kapal's between.")
            }
            (Tab::Map, Some(_)) => Some("Containers here have a loopback link alone: nobody reaches them, and they reach nobody."),
            (Tab::Map, None) if self.map.entries.is_empty() => Some("No running container is on it, so that nothing leads anywhere."),
            _ => None,
        }
    }
}

impl list::Details for Details {
    fn contexts(&self) -> Vec<Context> {
        match self.tabs.front {
            Tab::Map => self.map.contexts(),
            Tab::Inspect => vec![Context::Text],
            Tab::Members | Tab::Ports => vec![Context::Networks, Context::List],
        }
    }

    fn takes(&self, action: Action) -> bool {
        match self.tabs.front {
            Tab::Members => action == Action::Copy || self.members.takes(action),
            Tab::Ports => action == Action::Copy || self.ports.takes(action),
            Tab::Map => (action == Action::Copy && !self.map.reading) || self.map.takes(action),
            Tab::Inspect => self.pager.takes(action),
        }
    }

    fn shows(&self, action: Action) -> bool {
        self.tabs.turned(action).is_some()
    }

    fn show(&mut self, action: Action, of: Option<&str>, world: &World) -> Option<Reaction> {
        let tab = self.tabs.turned(action)?;
        Some(self.turn(tab, of, world))
    }

    fn look_at(&mut self, of: Option<&str>, world: &World) -> Reaction {
        if self.of.as_deref() != of {
            self.of = of.map(str::to_owned);
            self.pager = Pager::new(MOST, false);
            // Another network's lines, even if they are of the same containers: nothing stays selected.
            self.map.clear();
        }
        let key = of.unwrap_or_default();
        self.members.set(rows::members(world, key, &self.carried));
        self.ports.set(rows::ports(world, key));
        self.map.set(world.network(key).map(entries).unwrap_or_default());
        if self.tabs.front == Tab::Inspect {
            self.pager.set(inspected(world, key));
        }
        self.map.look(self.front && self.tabs.front == Tab::Map, world)
    }

    fn is_typing(&self) -> bool {
        match self.table() {
            Some(table) => table.is_filtering(),
            None if self.tabs.front == Tab::Map => self.map.reading && self.map.told.is_typing(),
            None => self.pager.is_typing(),
        }
    }

    fn typed(&mut self, key: KeyEvent) -> bool {
        match self.tabs.front {
            Tab::Members => self.members.typed(key),
            Tab::Ports => self.ports.typed(key),
            Tab::Map => self.map.typed(key),
            Tab::Inspect => self.pager.typed(key),
        }
    }

    fn pasted(&mut self, words: &str) -> bool {
        match self.tabs.front {
            Tab::Members => self.members.pasted(words),
            Tab::Ports => self.ports.pasted(words),
            Tab::Map => self.map.told.pasted(words),
            Tab::Inspect => self.pager.pasted(words),
        }
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        if matches!(action, Action::Copy | Action::Save) {
            let about = format!(
                "{}-{}",
                self.of.as_deref().and_then(|key| world.network(key)).map_or("network", |berths| &berths.network.name),
                self.tabs.front.name().to_lowercase()
            );
            return match self.text() {
                Some(text) => text.react(action, &about),
                None => Some(self.copy(world)),
            };
        }
        let taken = match self.tabs.front {
            Tab::Members => self.members.act(action),
            Tab::Ports => self.ports.act(action),
            Tab::Map => self.map.act(action),
            Tab::Inspect => self.pager.act(action),
        };
        taken.then(|| self.map.look(self.tabs.front == Tab::Map, world))
    }

    fn mouse(&mut self, event: MouseEvent, of: Option<&str>, world: &World) -> Option<Reaction> {
        if let Some(tab) = self.tabs.clicked(event) {
            return Some(self.turn(tab, of, world));
        }
        let taken = match self.tabs.front {
            Tab::Members => self.members.mouse(event) != Hit::Nothing,
            Tab::Ports => self.ports.mouse(event) != Hit::Nothing,
            Tab::Map => self.map.mouse(event),
            Tab::Inspect => self.pager.mouse(event),
        };
        taken.then(|| self.map.look(self.tabs.front == Tab::Map, world))
    }

    fn draw(&mut self, area: Rect, buffer: &mut Buffer, world: &World, name: &str, focused: bool) {
        let theme = &world.theme;
        let note = match self.table() {
            Some(table) => table.note(),
            None if self.tabs.front == Tab::Inspect => self.pager.note(),
            None => String::new(),
        };
        let inside = self.tabs.draw(area, buffer, theme, (&note, name), focused);
        let key = self.of.clone().unwrap_or_default();
        if let Some(words) = self.empty(&key) {
            let lines = text::wrap(words, usize::from(inside.width.saturating_sub(1)).max(1));
            for (row, line) in inside.rows().zip(lines) {
                buffer.set_stringn(row.x, row.y, line, usize::from(row.width), theme.muted());
            }
            return;
        }
        // Tables have a column for marks of their own.
        let table = Rect { x: inside.x.saturating_sub(1), width: inside.width + 1, ..inside };
        match (self.tabs.front, world.network(&key)) {
            (Tab::Members, _) => self.members.draw(table, buffer, theme, focused),
            (Tab::Ports, _) => self.ports.draw(table, buffer, theme, focused),
            (Tab::Map, Some(berths)) => self.map.draw(inside, buffer, berths, &self.carried, theme, focused),
            (Tab::Map, None) => {}
            (Tab::Inspect, _) => self.pager.draw(inside, buffer, theme),
        }
    }
}

/// A network as a document.
fn inspected(world: &World, key: &str) -> Vec<Line> {
    let value = match (world.network(key), rows::mode(key)) {
        (Some(berths), _) => berths.inspect(),
        (None, Some(mode)) => {
            let containers: Object<String, Value> =
                rows::users(world, &mode).map(|container| (container.id.to_string(), json!({ "Name": container.name }))).collect();
            json!({ "Name": key, "Driver": if mode == NetworkMode::Host { "host" } else { "null" }, "Scope": "local", "Containers": containers })
        }
        (None, None) => return Vec::new(),
    };
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.lines().map(|line| Line::new(line, Kind::Plain)).collect()
}
