//! The map of a network: from a port of this machine by its rule and the bridge to a container, line by line.

use super::draw;
use super::rows::Rates;
use super::told;
use crate::container::Endpoint;
use crate::container::network::Forward;
use crate::engine::network::{Answer as Reached, Berths};
use crate::tui::effect::{Effect, Question, Ticket};
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::Answer;
use crate::tui::screen::Reaction;
use crate::tui::theme::Theme;
use crate::tui::widget::pager::Pager;
use crate::tui::widget::rows::{Hit, Rows};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Most lines that are told of one entry.
const MOST: usize = 2000;
/// The least lines for what is told of the selected one.
const TOLD: u16 = 4;

/// A line of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A published port, with the place of its container.
    Port(Forward, Option<Endpoint>),
    /// A container of which none is published.
    Member(String, Endpoint),
    /// The way to everywhere else.
    Out,
}

impl Entry {
    /// What it is, the same from one look to the next.
    fn key(&self) -> String {
        match self {
            Self::Port(forward, _) => forward.port.to_string(),
            Self::Member(_, endpoint) => endpoint.container.to_string(),
            Self::Out => "out".to_owned(),
        }
    }

    /// The container's name.
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::Port(forward, _) => Some(&forward.name),
            Self::Member(name, _) => Some(name),
            Self::Out => None,
        }
    }

    /// The container's place.
    pub fn place(&self) -> Option<&Endpoint> {
        match self {
            Self::Port(_, place) => place.as_ref(),
            Self::Member(_, place) => Some(place),
            Self::Out => None,
        }
    }
}

/// The lines of a network's map: by container, each with its ports, and at the end the way out.
pub fn entries(berths: &Berths) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (name, place) in &berths.members {
        let before = entries.len();
        let own = berths.forwards.iter().filter(|forward| forward.container == place.container);
        entries.extend(own.map(|forward| Entry::Port(forward.clone(), Some(place.clone()))));
        if entries.len() == before {
            entries.push(Entry::Member(name.clone(), place.clone()));
        }
    }
    // What is just being taken away may still be published.
    let is_lost = |forward: &&Forward| berths.members.iter().all(|(_, place)| place.container != forward.container);
    entries.extend(berths.forwards.iter().filter(is_lost).map(|forward| Entry::Port(forward.clone(), None)));
    if !entries.is_empty() {
        entries.push(Entry::Out);
    }
    entries
}

/// The map, which of its lines is selected, and what is told of it.
#[derive(Debug)]
pub struct Map {
    pub(super) entries: Vec<Entry>,
    pub(super) place: Rows,
    /// Whose explanation was asked for.
    asked: Option<(Ticket, Forward)>,
    pub(super) answer: Option<Result<Vec<Reached>, String>>,
    pub(super) told: Pager,
    /// What is told has the keys, and the room.
    pub reading: bool,
}

impl Default for Map {
    /// Of nothing.
    fn default() -> Self {
        Self { entries: Vec::new(), place: Rows::default(), asked: None, answer: None, told: Pager::new(MOST, false), reading: false }
    }
}

impl Map {
    /// Takes the lines anew; the selection stays with what it is about.
    pub fn set(&mut self, entries: Vec<Entry>) {
        let old = self.selected().map(Entry::key);
        self.entries = entries;
        let same = old.and_then(|old| self.entries.iter().position(|entry| entry.key() == old));
        self.place.at = same.unwrap_or(self.place.at).min(self.entries.len().saturating_sub(1));
        self.reading &= same.is_some();
    }

    /// The selected line.
    pub fn selected(&self) -> Option<&Entry> {
        self.entries.get(self.place.at)
    }

    /// Asks about the selected port, if the map is looked at.
    pub fn look(&mut self, shown: bool, world: &World) -> Reaction {
        let wanted = match self.selected() {
            Some(Entry::Port(forward, _)) if shown => Some(forward.clone()),
            _ => None,
        };
        if self.asked.as_ref().map(|(_, forward)| forward) == wanted.as_ref() {
            return Reaction::none();
        }
        self.answer = None;
        let forget = self.asked.take().map(|(ticket, _)| Reaction::effect(Effect::Forget(ticket))).unwrap_or_default();
        let Some(forward) = wanted else { return forget };
        let ticket = world.ticket();
        let question = Question::Explain(forward.container.clone(), forward.port.inside);
        self.asked = Some((ticket, forward));
        forget.and(Reaction::ask(ticket, question))
    }

    /// Hears an answer; tells whether it was the map's.
    pub fn hear(&mut self, ticket: Ticket, answer: &mut Answer) -> bool {
        let Some((_, forward)) = self.asked.as_ref().filter(|(asked, _)| *asked == ticket) else { return false };
        match answer {
            Answer::Explained(all) => {
                let own = std::mem::take(all).into_iter().filter(|one| one.forward.port == forward.port);
                self.answer = Some(Ok(own.flat_map(|one| one.answers).collect()));
            }
            Answer::Failed(sentence) => self.answer = Some(Err(std::mem::take(sentence))),
            _ => {}
        }
        true
    }

    /// Where its keys are looked up.
    pub fn contexts(&self) -> Vec<Context> {
        if self.reading { vec![Context::Text] } else { vec![Context::Networks, Context::List] }
    }

    /// Whether an action means something here.
    pub fn takes(&self, action: Action) -> bool {
        if self.reading {
            return action == Action::Back || self.told.takes(action);
        }
        Rows::takes(action) || (action == Action::Open && !self.entries.is_empty())
    }

    /// Does what a key stands for; false if it means nothing here.
    pub fn act(&mut self, action: Action) -> bool {
        if self.reading {
            if !self.told.act(action) && action == Action::Back {
                self.leave();
                return true;
            }
            return self.told.takes(action);
        }
        if action == Action::Open && !self.entries.is_empty() {
            self.reading = true;
            return true;
        }
        let walked = self.place.act(action, self.entries.len());
        if walked {
            self.told.act(Action::Home);
        }
        walked
    }

    /// Lets go of all lines and of what is selected among them.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.place.at = 0;
        self.leave();
    }

    /// Goes back to the lines.
    pub fn leave(&mut self) {
        self.reading = false;
        self.told = Pager::new(MOST, false);
    }

    /// Takes a key for the search in what is told.
    pub fn typed(&mut self, key: KeyEvent) -> bool {
        self.reading && self.told.typed(key)
    }

    /// Does what the mouse did.
    pub fn mouse(&mut self, event: MouseEvent) -> bool {
        if self.told.mouse(event) {
            return true;
        }
        match self.place.mouse(event, self.entries.len()) {
            Hit::Nothing => false,
            Hit::Moved => {
                self.leave();
                true
            }
            Hit::Opened => {
                self.reading = true;
                true
            }
        }
    }

    /// Draws it.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, berths: &Berths, carried: &Rates, theme: &Theme, focused: bool) {
        let lines = self.entries.len() as u16 + 1;
        let room = usize::from(area.width.saturating_sub(1));
        let entry = self.selected().cloned();
        let (full, brief) = entry.as_ref().map(|entry| told::lines(entry, self.answer.as_ref(), berths, room)).unwrap_or_default();
        let wanted = (full.len() as u16).saturating_add(1);
        let below = match area.height {
            height if height < 2 + TOLD => 0,
            // The selected line stays in sight.
            height if self.reading => height - 2,
            height => wanted.min((height.saturating_sub(lines)).max(height / 2).max(TOLD)).min(height.saturating_sub(2)),
        };
        // What lines do not need belongs to what is told.
        let below = if below == 0 || self.reading { below } else { below.max(area.height.saturating_sub(lines)) };
        let upper = Rect { height: area.height - below, ..area };
        draw::map(self, upper, buffer, berths, carried, theme, focused && !self.reading);
        if below == 0 {
            return;
        }
        let line = Rect { y: upper.bottom(), height: 1, ..area };
        let inside = Rect { y: line.y + 1, height: below - 1, ..area };
        let fits = full.len() <= usize::from(inside.height);
        self.told.set(if fits || self.reading { full } else { brief });
        draw::divider(line, buffer, theme, &entry.as_ref().map(told::title).unwrap_or_default(), &self.told.note());
        self.told.draw(inside, buffer, theme);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::container::network::{Mac, Subnet};
    use crate::container::{Network, Protocol, Published};
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    pub fn place(number: u8) -> Endpoint {
        let address = std::net::Ipv4Addr::new(172, 17, 0, number);
        Endpoint {
            container: format!("{number:064x}").parse().unwrap(),
            network: format!("{:064x}", 9).parse().unwrap(),
            link: format!("kv{number:010x}00"),
            inside: "eth0".to_owned(),
            mac: Mac::of(address),
            addresses: vec![(IpAddr::V4(address), 16)],
            aliases: Vec::new(),
        }
    }

    pub fn forward(number: u8, name: &str, here: &str, inside: u16) -> Forward {
        let place = place(number);
        let here: std::net::SocketAddr = here.parse().unwrap();
        let port = Published { protocol: Protocol::Tcp, address: here.ip(), port: here.port(), inside };
        Forward { container: place.container, name: name.to_owned(), network: place.network, port, target: place.addresses[0].0 }
    }

    pub fn berths() -> Berths {
        let network = Network {
            id: format!("{:064x}", 9).parse().unwrap(),
            name: "bridge".to_owned(),
            created: jiff::Timestamp::UNIX_EPOCH,
            driver: "bridge".to_owned(),
            link: "kapal0".to_owned(),
            subnets: vec![Subnet { block: "172.17.0.0/16".parse().unwrap(), gateway: "172.17.0.1".parse().unwrap(), range: None, chosen: true }],
            internal: false,
            icc: true,
            masquerade: true,
            mtu: None,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        };
        let members = vec![("db".to_owned(), place(3)), ("web".to_owned(), place(2))];
        let forwards = vec![forward(2, "web", "0.0.0.0:8080", 80), forward(2, "web", "127.0.0.1:8443", 443)];
        Berths { network, members, forwards }
    }

    #[test]
    fn each_port_and_each_member_without_one_has_a_line() {
        let mut berths = berths();
        let keys = |berths: &Berths| entries(berths).iter().map(|entry| (entry.container().unwrap_or("–").to_owned(), entry.key())).collect::<Vec<_>>();
        let told = keys(&berths);
        assert_eq!(told.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["db", "web", "web", "–"]);
        assert_eq!((told[1].1.as_str(), told[3].1.as_str()), ("0.0.0.0:8080->80/tcp", "out"));
        berths.members.pop();
        assert_eq!(keys(&berths).len(), 4, "what is published stays until it is not");
        (berths.members, berths.forwards) = (Vec::new(), Vec::new());
        assert!(keys(&berths).is_empty());
    }

    #[test]
    fn the_selection_stays_with_its_port() {
        let mut berths = berths();
        let mut map = Map::default();
        map.set(entries(&berths));
        assert!(map.act(Action::Down) && map.act(Action::Down) && map.act(Action::Open) && map.reading);
        berths.members.remove(0);
        map.set(entries(&berths));
        assert_eq!((map.place.at, map.reading), (1, true));
        berths.forwards.pop();
        map.set(entries(&berths));
        assert!(!map.reading, "it is gone, and so is what was told of it");
    }
}
