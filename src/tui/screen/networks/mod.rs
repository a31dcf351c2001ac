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
use crate::tui::effect::Question;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::{Answer, News};
use crate::tui::screen::confirm::asked;
use crate::tui::screen::inquiry::Inquiry;
use crate::tui::screen::list::{Captions, List, ListPane};
use crate::tui::screen::{Reaction, forms, listed};
use crate::tui::widget::table::Table;
use crate::tui::world::World;
use details::Details;

/// The pane.
#[derive(Debug)]
pub struct Networks {
    list: List<Details>,
    /// What links carry.
    sampling: Inquiry,
}

impl Default for Networks {
    /// The pane before the first look.
    fn default() -> Self {
        Self { list: List::new(Table::new(rows::LIST, None), Details::default()), sampling: Inquiry::default() }
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
        self.list.table.set(rows::list(world, &self.list.details.carried));
        self.sample(world).and(self.list.look(world))
    }

    /// While the pane is looked at and somebody is on a network, links are sampled; nobody wakes for nothing.
    fn sample(&mut self, world: &World) -> Reaction {
        let wanted = self.list.details.front && world.snapshot.networks.iter().any(|berths| !berths.members.is_empty());
        match (wanted, self.sampling.is_open()) {
            (true, false) => self.sampling.ask(Question::Traffic, world),
            (false, true) => {
                self.list.details.carried.clear();
                self.sampling.forget()
            }
            _ => Reaction::none(),
        }
    }

    fn one<'a>(&self, world: &'a World) -> Option<&'a Berths> {
        self.list.table.selected().and_then(|key| world.network(key))
    }

    fn network<'a>(&self, world: &'a World) -> Option<&'a Network> {
        self.one(world).map(|berths| &berths.network)
    }

    /// The container selected in the details, if these have the keys.
    fn container<'a>(&'a self, world: &'a World) -> Option<&'a str> {
        self.list.details.container(world).filter(|_| self.list.split.inside)
    }

    fn forward<'a>(&'a self, world: &'a World) -> Option<&'a Forward> {
        self.list.details.forward(world).filter(|_| self.list.split.inside)
    }

    fn remove(&mut self, world: &World) -> Reaction {
        let chosen: Vec<&Berths> = self.list.table.chosen().iter().filter_map(|key| world.network(key)).collect();
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
        self.list.table.unmark();
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
            None if self.list.split.inside => Reaction::error("no container is selected"),
            None => Reaction::open(forms::disconnect(network, members(berths), world)),
        }
    }

    fn unpublish(&self, world: &World) -> Reaction {
        let Some(forward) = self.forward(world) else { return Reaction::error("no published port is selected") };
        let question = format!("Publish {} of {} no longer? Connections through it break.", forward.port, forward.name);
        asked(world, "Unpublish", question, Reaction::perform(["port", &forward.name, "--unpublish", &published(forward)]))
    }
}

fn members(berths: &Berths) -> Vec<String> {
    berths.members.iter().map(|(name, _)| name.clone()).collect()
}

impl ListPane for Networks {
    type Details = Details;

    const CONTEXT: Context = Context::Networks;

    fn list(&self) -> &List<Details> {
        &self.list
    }

    fn list_mut(&mut self) -> &mut List<Details> {
        &mut self.list
    }

    fn does(&self, action: Action) -> bool {
        use Action as A;
        let does = matches!(action, A::Create | A::Connect | A::Disconnect | A::Publish | A::Unpublish | A::Prune);
        if self.list.split.inside { does && !self.list.details.is_text() } else { does || matches!(action, A::Remove | A::Copy) }
    }

    fn fits(&self, action: Action, world: &World) -> bool {
        use Action as A;
        let berths = self.one(world);
        match action {
            A::Connect => berths.is_some(),
            A::Disconnect | A::Publish if self.list.split.inside => berths.is_some() && self.container(world).is_some(),
            A::Disconnect | A::Publish => berths.is_some_and(|berths| !berths.members.is_empty()),
            A::Unpublish => self.forward(world).is_some(),
            A::Prune => world.snapshot.networks.iter().any(rows::is_removable),
            A::Remove => self.list.table.chosen().iter().any(|key| world.network(key).is_some_and(rows::is_removable)),
            _ => true,
        }
    }

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
            Action::Remove if !self.list.split.inside => self.remove(world),
            Action::Prune => asked(world, "Prune", "Remove every network that no container is on?", Reaction::perform(["network", "prune", "-f"])),
            Action::Copy if !self.list.split.inside => {
                let copied = self.network(world).map_or_else(|| self.list.table.selected().unwrap_or_default().to_owned(), |network| network.id.to_string());
                Reaction::copy(copied.as_str(), &copied)
            }
            _ => return None,
        })
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        match news {
            News::Snapshot(_) => self.refresh(world),
            News::Answer(ticket, answer) if self.sampling.is(*ticket) => {
                match answer {
                    Answer::Rates(rates) => self.list.details.carried = std::mem::take(rates),
                    // It is said once; the numbers are left out.
                    Answer::Failed(sentence) => return Reaction::error(std::mem::take(sentence)),
                    _ => {}
                }
                self.refresh(world)
            }
            News::Answer(ticket, answer) => {
                self.list.details.hear(*ticket, answer);
                Reaction::none()
            }
            _ => Reaction::none(),
        }
    }

    fn shown(&mut self, front: bool, world: &World) -> Reaction {
        self.list.details.front = front;
        self.refresh(world)
    }

    fn captions(&self, world: &World) -> Captions {
        let name = self.network(world).map_or_else(|| self.list.table.selected().unwrap_or_default(), |network| &network.name);
        Captions { title: format!("Networks {}", self.list.table.counts().0), note: self.list.table.note(), empty: "", name: text::clean(name).into_owned() }
    }
}
