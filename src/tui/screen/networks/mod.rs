//! The networks: what each carries now, who is on it, what is published, and a map of the ways into its containers.

mod details;
mod draw;
mod map;
mod rows;
mod told;

use crate::container::network::{DEFAULT, Forward};
use crate::container::{Network, PortBinding};
use crate::engine::network::Berths;
use crate::text;
use crate::tui::effect::{Effect, Question, Ticket};
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::{Answer, News};
use crate::tui::screen::confirm::asked;
use crate::tui::screen::split::Split;
use crate::tui::screen::{Reaction, Screen, forms, listed};
use crate::tui::widget::frame::frame;
use crate::tui::widget::rows::Hit;
use crate::tui::widget::table::Table;
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use details::{Details, Tab};
use ratatui::Frame;
use ratatui::layout::Rect;
use rows::Rates;

/// The pane.
#[derive(Debug)]
pub struct Networks {
    table: Table,
    details: Details,
    split: Split,
    /// No other pane is in front.
    front: bool,
    /// Who tells what links carry.
    sampling: Option<Ticket>,
    carried: Rates,
}

impl Default for Networks {
    /// The pane before the first look.
    fn default() -> Self {
        Self { table: Table::new(rows::LIST, None), details: Details::default(), split: Split::default(), front: false, sampling: None, carried: Rates::new() }
    }
}

/// The words that publish a port no longer, as `port --unpublish` takes it.
fn published(forward: &Forward) -> String {
    let port = &forward.port;
    let address = (!port.address.is_unspecified()).then_some(port.address);
    PortBinding { protocol: port.protocol, inside: port.inside, address, ports: Some((port.port, port.port)) }.to_string()
}

impl Networks {
    fn refresh(&mut self, world: &World) -> Reaction {
        self.table.set(rows::list(world, &self.carried));
        self.sample(world).and(self.look(world))
    }

    fn look(&mut self, world: &World) -> Reaction {
        self.details.look_at(self.table.selected(), &self.carried, self.front, world)
    }

    /// While the pane is looked at and somebody is on a network, links are sampled; nobody wakes for nothing.
    fn sample(&mut self, world: &World) -> Reaction {
        let wanted = self.front && world.snapshot.networks.iter().any(|berths| !berths.members.is_empty());
        match (wanted, self.sampling) {
            (true, None) => {
                let ticket = world.ticket();
                self.sampling = Some(ticket);
                Reaction::ask(ticket, Question::Traffic)
            }
            (false, Some(ticket)) => {
                self.sampling = None;
                self.carried.clear();
                Reaction::effect(Effect::Forget(ticket))
            }
            _ => Reaction::none(),
        }
    }

    fn one<'a>(&self, world: &'a World) -> Option<&'a Berths> {
        self.table.selected().and_then(|key| world.network(key))
    }

    fn network<'a>(&self, world: &'a World) -> Option<&'a Network> {
        self.one(world).map(|berths| &berths.network)
    }

    /// The container selected in the details, if these have the keys.
    fn container<'a>(&'a self, world: &'a World) -> Option<&'a str> {
        self.details.container(world).filter(|_| self.split.inside)
    }

    fn forward<'a>(&'a self, world: &'a World) -> Option<&'a Forward> {
        self.details.forward(world).filter(|_| self.split.inside)
    }

    fn remove(&mut self, world: &World) -> Reaction {
        let chosen: Vec<&Berths> = self.table.chosen().iter().filter_map(|key| world.network(key)).collect();
        let busy = chosen.iter().find(|berths| !rows::is_removable(berths));
        match busy {
            None if chosen.is_empty() => return Reaction::error("no network is selected that could be removed"),
            Some(berths) if berths.network.name == DEFAULT => {
                return Reaction::error(format!("network {DEFAULT} is there without being asked for and cannot be removed"));
            }
            Some(berths) => return Reaction::error(format!("containers are on network {}: take them off it first", berths.network.name)),
            None => {}
        }
        let names: Vec<String> = chosen.iter().map(|berths| berths.network.name.clone()).collect();
        self.table.unmark();
        asked(world, "Remove", format!("Remove network {}?", listed(&names)), Reaction::perform(["network", "rm"].map(str::to_owned).into_iter().chain(names)))
    }

    fn disconnect(&self, world: &World) -> Reaction {
        let Some(berths) = self.one(world) else { return Reaction::error("nobody has a place on it") };
        let network = berths.network.name.as_str();
        match self.container(world) {
            Some(name) => {
                let question = format!("Take {name} off network {network}? Its connections there break.");
                asked(world, "Disconnect", question, Reaction::perform(["network", "disconnect", network, name]))
            }
            None if self.split.inside => Reaction::error("no container is selected"),
            None => Reaction::open(forms::disconnect(network, members(berths), world)),
        }
    }

    fn unpublish(&self, world: &World) -> Reaction {
        let Some(forward) = self.forward(world) else { return Reaction::error("no published port is selected") };
        let question = format!("Publish {} of {} no longer? Connections through it break.", forward.port, forward.name);
        asked(world, "Unpublish", question, Reaction::perform(["port", &forward.name, "--unpublish", &published(forward)]))
    }

    /// What is done to networks and those on them.
    fn command(&mut self, action: Action, world: &World) -> Option<Reaction> {
        Some(match action {
            Action::Create => Reaction::open(forms::network(world)),
            Action::Connect => match self.network(world) {
                Some(network) => Reaction::open(forms::connect(&network.name, world)),
                None => Reaction::error("no container can be connected with it: containers are made for it"),
            },
            Action::Disconnect => self.disconnect(world),
            Action::Publish => match (self.one(world), self.container(world)) {
                (Some(_), Some(name)) => Reaction::open(forms::publish(name, Vec::new(), world)),
                (Some(berths), None) if !berths.members.is_empty() => Reaction::open(forms::publish("", members(berths), world)),
                _ => Reaction::error("no container is on it of which a port could be published"),
            },
            Action::Unpublish => self.unpublish(world),
            Action::Remove if !self.split.inside => self.remove(world),
            Action::Prune => asked(world, "Prune", "Remove every network that no container is on?", Reaction::perform(["network", "prune", "-f"])),
            Action::Copy if !self.split.inside => {
                let copied = self.network(world).map_or_else(|| self.table.selected().unwrap_or_default().to_owned(), |network| network.id.to_string());
                Reaction::say(format!("copied {copied}")).and(Reaction::effect(Effect::Copy(copied)))
            }
            _ => return None,
        })
    }

    /// What is shown of the selected one.
    fn show(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let tab = match action {
            Action::Inspect => Tab::Inspect,
            Action::Open if self.split.inside => return None,
            Action::Open => self.details.tabs.front,
            Action::NextTab => self.details.tabs.next(),
            Action::PreviousTab => self.details.tabs.previous(),
            _ => return None,
        };
        self.split.inside |= !matches!(action, Action::NextTab | Action::PreviousTab);
        Some(self.details.turn(tab, &self.carried, world))
    }
}

fn members(berths: &Berths) -> Vec<String> {
    berths.members.iter().map(|(name, _)| name.clone()).collect()
}

impl Screen for Networks {
    fn contexts(&self) -> Vec<Context> {
        if self.split.inside { self.details.contexts() } else { vec![Context::Networks, Context::List] }
    }

    fn takes(&self, action: Action) -> bool {
        use Action as A;
        let shows = matches!(action, A::Inspect | A::NextTab | A::PreviousTab);
        let does = matches!(action, A::Create | A::Connect | A::Disconnect | A::Publish | A::Unpublish | A::Prune);
        if self.split.inside {
            return shows || (does && !self.details.is_text()) || self.details.takes(action) || self.split.takes(action);
        }
        shows || does || matches!(action, A::Open | A::Remove | A::Copy) || self.table.takes(action)
    }

    fn fits(&self, action: Action, world: &World) -> bool {
        use Action as A;
        let berths = self.one(world);
        match action {
            A::Connect => berths.is_some(),
            A::Disconnect | A::Publish if self.split.inside => berths.is_some() && self.container(world).is_some(),
            A::Disconnect | A::Publish => berths.is_some_and(|berths| !berths.members.is_empty()),
            A::Unpublish => self.forward(world).is_some(),
            A::Prune => world.snapshot.networks.iter().any(rows::is_removable),
            A::Remove => self.table.chosen().iter().any(|key| world.network(key).is_some_and(rows::is_removable)),
            _ => true,
        }
    }

    fn is_typing(&self) -> bool {
        if self.split.inside { self.details.is_typing() } else { self.table.is_filtering() }
    }

    fn typed(&mut self, key: KeyEvent, world: &World) -> Option<Reaction> {
        let taken = if self.split.inside { self.details.typed(key) } else { self.table.typed(key) };
        taken.then(|| self.look(world))
    }

    fn pasted(&mut self, words: &str, world: &World) -> Option<Reaction> {
        let taken = if self.split.inside { self.details.pasted(words) } else { self.table.pasted(words) };
        taken.then(|| self.look(world))
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        if self.split.inside {
            if self.details.takes(action)
                && let Some(reaction) = self.details.act(action, world)
            {
                return Some(reaction);
            }
            if self.split.act(action) {
                return Some(Reaction::none());
            }
        } else if self.table.act(action) {
            return Some(self.look(world));
        }
        self.show(action, world).or_else(|| self.command(action, world))
    }

    fn trial(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let marks = self.table.marks();
        let reaction = self.command(action, world);
        self.table.mark(marks);
        reaction
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Option<Reaction> {
        if self.split.mouse(event) {
            return self.details.mouse(event, &self.carried, world);
        }
        match self.table.mouse(event) {
            Hit::Nothing => None,
            Hit::Moved => Some(self.look(world)),
            Hit::Opened => self.show(Action::Open, world),
        }
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        match news {
            News::Snapshot(_) => self.refresh(world),
            News::Answer(ticket, answer) if self.sampling == Some(*ticket) => {
                match answer {
                    Answer::Rates(rates) => self.carried = std::mem::take(rates),
                    // It is said once; the numbers are left out.
                    Answer::Failed(sentence) => return Reaction::error(std::mem::take(sentence)),
                    _ => {}
                }
                self.refresh(world)
            }
            News::Answer(ticket, answer) => {
                self.details.hear(*ticket, answer);
                Reaction::none()
            }
            _ => Reaction::none(),
        }
    }

    fn shown(&mut self, front: bool, world: &World) -> Reaction {
        self.front = front;
        self.refresh(world)
    }

    fn draw(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let buffer = frame_.buffer_mut();
        let (all, shown) = self.table.counts();
        let [list, rest] = self.split.lay(area, if all == 0 { 0 } else { shown.max(1) });
        if list.height > 0 {
            let inner = frame(list, buffer, &world.theme, &format!("Networks {all}"), &self.table.note(), !self.split.inside);
            self.table.draw(inner, buffer, &world.theme, !self.split.inside);
        }
        if rest.height > 0 && all > 0 {
            let name = self.network(world).map_or_else(|| self.table.selected().unwrap_or_default().to_owned(), |network| network.name.clone());
            self.details.draw(rest, buffer, &self.carried, world, &text::clean(&name), self.split.inside);
        }
    }
}
