//! The volumes: where they lie, who holds them.

use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::confirm::asked;
use crate::tui::screen::list::{Captions, List, ListPane};
use crate::tui::screen::prompt::Prompt;
use crate::tui::screen::{Reaction, listed};
use crate::tui::widget::table::{Cell, Column, Row, Table};
use crate::tui::world::World;

const COLUMNS: &[Column] = &[
    Column { title: "NAME", least: 12, most: 40, right: false, sheds: 0 },
    Column { title: "USED BY", least: 8, most: 40, right: false, sheds: 1 },
    Column { title: "DRIVER", least: 6, most: 8, right: false, sheds: 3 },
    Column { title: "MOUNTPOINT", least: 12, most: 90, right: false, sheds: 2 },
];

/// The pane.
#[derive(Debug)]
pub struct Volumes {
    list: List<()>,
}

impl Default for Volumes {
    /// The pane before the first look.
    fn default() -> Self {
        Self { list: List::new(Table::new(COLUMNS, Some((0, false))), ()) }
    }
}

impl Volumes {
    fn refresh(&mut self, world: &World) {
        let theme = &world.theme;
        let rows = world.snapshot.volumes.iter().map(|volume| {
            let holds =
                |container: &&crate::container::Container| container.host_config.mounts.iter().any(|mount| mount.name.as_deref() == Some(volume.name.as_str()));
            let users: Vec<&str> = world.snapshot.containers.iter().filter(holds).map(|container| container.name.as_str()).collect();
            let style = if users.is_empty() { theme.muted() } else { theme.text() };
            Row {
                key: volume.name.clone(),
                cells: vec![
                    Cell::text(&volume.name, style),
                    Cell::text(&if users.is_empty() { "–".to_owned() } else { users.join(", ") }, style),
                    Cell::text(volume.driver, theme.muted()),
                    Cell::text(&volume.mountpoint, theme.muted()),
                ],
            }
        });
        self.list.table.set(rows.collect());
    }

    fn remove(&mut self, world: &World) -> Reaction {
        let names = self.list.table.chosen();
        if names.is_empty() {
            return Reaction::error("no volume is selected");
        }
        self.list.table.unmark();
        let question = format!("Remove {}, with everything in it?", listed(&names));
        let words = ["volume", "rm"].map(str::to_owned).into_iter().chain(names);
        asked(world, "Remove", question, Reaction::perform(words))
    }
}

impl ListPane for Volumes {
    type Details = ();

    const CONTEXT: Context = Context::Volumes;

    fn list(&self) -> &List<()> {
        &self.list
    }

    fn list_mut(&mut self) -> &mut List<()> {
        &mut self.list
    }

    fn does(&self, action: Action) -> bool {
        matches!(action, Action::Create | Action::Remove | Action::Prune | Action::Inspect | Action::Open | Action::Copy)
    }

    fn fits(&self, action: Action, _world: &World) -> bool {
        self.list.table.counts().1 > 0 || action == Action::Create
    }

    fn command(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let selected = self.list.table.selected().map(str::to_owned);
        Some(match (action, selected) {
            (Action::Create, _) => Reaction::open(Prompt::new("New volume", "Name", "", ["volume", "create"])),
            (Action::Remove, _) => self.remove(world),
            (Action::Prune, _) => asked(world, "Prune", "Remove every volume that no container holds?", Reaction::perform(["volume", "prune", "-a", "-f"])),
            (Action::Inspect | Action::Open, Some(name)) => Reaction::perform(["volume", "inspect", &name]),
            (Action::Copy, Some(name)) => Reaction::copy(name.as_str(), &name),
            _ => return None,
        })
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        if matches!(news, News::Snapshot(_)) {
            self.refresh(world);
        }
        Reaction::none()
    }

    fn captions(&self, _world: &World) -> Captions {
        Captions {
            title: format!("Volumes {}", self.list.table.counts().0),
            note: self.list.table.note(),
            empty: "No volumes. A container's -v NAME:/path makes one, and so does the key for a new one.",
            ..Captions::default()
        }
    }
}
