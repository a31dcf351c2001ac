//! The volumes: where they lie, who holds them.

use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::confirm::asked;
use crate::tui::screen::prompt::Prompt;
use crate::tui::screen::{Reaction, Screen, listed};
use crate::tui::widget::frame::frame;
use crate::tui::widget::rows::Hit;
use crate::tui::widget::table::{Cell, Column, Row, Table};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

const COLUMNS: &[Column] = &[
    Column { title: "NAME", least: 12, most: 40, right: false, sheds: 0 },
    Column { title: "USED BY", least: 8, most: 40, right: false, sheds: 1 },
    Column { title: "DRIVER", least: 6, most: 8, right: false, sheds: 3 },
    Column { title: "MOUNTPOINT", least: 12, most: 90, right: false, sheds: 2 },
];

/// The pane.
#[derive(Debug)]
pub struct Volumes {
    table: Table,
}

impl Default for Volumes {
    /// The pane before the first look.
    fn default() -> Self {
        Self { table: Table::new(COLUMNS, Some((0, false))) }
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
        self.table.set(rows.collect());
    }

    fn remove(&mut self, world: &World) -> Reaction {
        let names = self.table.chosen();
        if names.is_empty() {
            return Reaction::error("no volume is selected");
        }
        self.table.unmark();
        let question = format!("Remove {}, with everything in it?", listed(&names));
        let words = ["volume", "rm"].map(str::to_owned).into_iter().chain(names);
        asked(world, "Remove", question, Reaction::perform(words))
    }
}

impl Volumes {
    /// What is done to what is selected.
    fn command(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let selected = self.table.selected().map(str::to_owned);
        Some(match (action, selected) {
            (Action::Create, _) => Reaction::open(Prompt::new("New volume", "Name", "", ["volume", "create"])),
            (Action::Remove, _) => self.remove(world),
            (Action::Prune, _) => asked(world, "Prune", "Remove every volume that no container holds?", Reaction::perform(["volume", "prune", "-a", "-f"])),
            (Action::Inspect | Action::Open, Some(name)) => Reaction::perform(["volume", "inspect", &name]),
            (Action::Copy, Some(name)) => Reaction::effect(Effect::Copy(name.clone())).and(Reaction::say(format!("copied {name}"))),
            _ => return None,
        })
    }
}

impl Screen for Volumes {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Volumes, Context::List]
    }

    fn takes(&self, action: Action) -> bool {
        self.table.takes(action) || matches!(action, Action::Create | Action::Remove | Action::Prune | Action::Inspect | Action::Open | Action::Copy)
    }

    fn fits(&self, action: Action, _world: &World) -> bool {
        self.table.counts().1 > 0 || action == Action::Create
    }

    fn is_typing(&self) -> bool {
        self.table.is_filtering()
    }

    fn typed(&mut self, key: KeyEvent, _world: &World) -> Option<Reaction> {
        self.table.typed(key).then(Reaction::none)
    }

    fn pasted(&mut self, words: &str, _world: &World) -> Option<Reaction> {
        self.table.pasted(words).then(Reaction::none)
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        if self.table.act(action) {
            return Some(Reaction::none());
        }
        self.command(action, world)
    }

    fn trial(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let marks = self.table.marks();
        let reaction = self.command(action, world);
        self.table.mark(marks);
        reaction
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Option<Reaction> {
        match self.table.mouse(event) {
            Hit::Nothing => None,
            Hit::Moved => Some(Reaction::none()),
            Hit::Opened => self.act(Action::Open, world),
        }
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        if matches!(news, News::Snapshot(_)) {
            self.refresh(world);
        }
        Reaction::none()
    }

    fn draw(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let buffer = frame_.buffer_mut();
        let title = format!("Volumes {}", self.table.counts().0);
        let inner = frame(area, buffer, &world.theme, &title, &self.table.note(), true);
        if self.table.counts().0 == 0 {
            let words = "No volumes. A container's -v NAME:/path makes one, and so does the key for a new one.";
            buffer.set_stringn(inner.x + 1, inner.y, words, usize::from(inner.width.saturating_sub(1)), world.theme.muted());
            return;
        }
        self.table.draw(inner, buffer, &world.theme, true);
    }
}
