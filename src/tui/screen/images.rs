//! The images: names, sizes, age, and who uses them.

use crate::engine::images::Image;
use crate::text::{size, when};
use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::confirm::asked;
use crate::tui::screen::{Reaction, Screen, forms, listed};
use crate::tui::widget::frame::frame;
use crate::tui::widget::table::{Cell, Column, Hit, Row, Table};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

const COLUMNS: &[Column] = &[
    Column { title: "NAME", least: 12, most: 60, right: false, sheds: 0 },
    Column { title: "SIZE", least: 8, most: 8, right: true, sheds: 0 },
    Column { title: "LAYERS", least: 6, most: 8, right: true, sheds: 3 },
    Column { title: "USED BY", least: 8, most: 40, right: false, sheds: 2 },
    Column { title: "CREATED", least: 10, most: 20, right: false, sheds: 1 },
    Column { title: "ID", least: 12, most: 12, right: false, sheds: 4 },
];

/// The pane.
#[derive(Debug)]
pub struct Images {
    table: Table,
}

/// How an image is called on a command line: by its first name, or its identity.
fn name(image: &Image) -> String {
    image.tags.first().or(image.digests.first()).cloned().unwrap_or_else(|| image.id.short().to_owned())
}

impl Images {
    /// The pane before the first look.
    pub fn new() -> Self {
        Self { table: Table::new(COLUMNS, None) }
    }

    fn refresh(&mut self, world: &World) {
        let theme = &world.theme;
        let rows = world.snapshot.images.iter().map(|image| {
            let users: Vec<&str> = world.snapshot.containers.iter().filter(|c| c.image_id.as_ref() == Some(&image.id)).map(|c| c.name.as_str()).collect();
            let names = if image.tags.is_empty() { name(image) } else { image.tags.join(", ") };
            let age = image.created.map(|created| when::since(created, world.now).as_secs_f64());
            Row {
                key: image.id.to_string(),
                cells: vec![
                    Cell::text(&names, if image.tags.is_empty() { theme.muted() } else { theme.text() }),
                    Cell::number(size::decimal(image.size), Some(image.size as f64), theme.text()),
                    Cell::number(image.layers.len().to_string(), Some(image.layers.len() as f64), theme.muted()),
                    Cell::text(&if users.is_empty() { "–".to_owned() } else { users.join(", ") }, theme.text()),
                    Cell::number(image.created.map_or_else(|| "–".to_owned(), |created| when::ago(created, world.now)), age, theme.muted()),
                    Cell::text(image.id.short(), theme.muted()),
                ],
            }
        });
        self.table.set(rows.collect());
    }

    fn names(&self, world: &World) -> Vec<String> {
        self.table.chosen().iter().filter_map(|key| world.image(key)).flat_map(|i| if i.tags.is_empty() { vec![name(i)] } else { i.tags.clone() }).collect()
    }
}

impl Images {
    /// What is done to what is selected.
    fn command(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let image = self.table.selected().and_then(|key| world.image(key));
        Some(match (action, image) {
            (Action::Remove, Some(_)) => {
                let names = self.names(world);
                self.table.unmark();
                let question = format!("Remove {}?", listed(&names));
                asked(world, "Remove", question, Reaction::perform(std::iter::once("rmi".to_owned()).chain(names)))
            }
            (Action::Prune, _) => asked(world, "Prune", "Remove all images that have no name?", Reaction::perform(["image", "prune", "-f"])),
            (Action::Pull, _) => Reaction::open(forms::pull(world)),
            (Action::Push, Some(image)) => Reaction::perform(["push".to_owned(), name(image)]),
            (Action::Tag, Some(image)) => Reaction::open(forms::tag(&name(image), world)),
            (Action::Run, Some(image)) => Reaction::open(forms::run(&name(image), world)),
            (Action::Copy, Some(image)) => Reaction::effect(Effect::Copy(image.id.to_string())).and(Reaction::say(format!("copied {}", image.id.short()))),
            _ => return None,
        })
    }
}

impl Screen for Images {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Images, Context::List]
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
        // What means nothing without a row is not offered; marks are the table's own, and some keys hold everywhere.
        let elsewhere = matches!(action, Action::Mark | Action::MarkAll | Action::Run | Action::Pull);
        reaction.or_else(|| (!elsewhere).then(|| Reaction::error("nothing is selected")))
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
        let title = format!("Images {}", self.table.counts().0);
        let inner = frame(area, buffer, &world.theme, &title, &self.table.note(), true);
        self.table.draw(inner, buffer, &world.theme, true);
    }
}
