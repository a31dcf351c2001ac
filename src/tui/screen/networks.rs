//! The networks that containers are in.

use crate::container::NetworkMode;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::frame;
use crate::tui::widget::rows::Hit;
use crate::tui::widget::table::{Cell, Column, Row, Table};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

const COLUMNS: &[Column] = &[
    Column { title: "NAME", least: 8, most: 24, right: false, sheds: 0 },
    Column { title: "DRIVER", least: 6, most: 10, right: false, sheds: 2 },
    Column { title: "RUNNING", least: 7, most: 9, right: true, sheds: 1 },
    Column { title: "WHAT IS IN IT", least: 20, most: 120, right: false, sheds: 0 },
];

/// The pane.
#[derive(Debug)]
pub struct Networks {
    table: Table,
}

impl Default for Networks {
    /// The pane before the first look.
    fn default() -> Self {
        Self { table: Table::new(COLUMNS, None).without_marks() }
    }
}

impl Networks {
    fn refresh(&mut self, world: &World) {
        let theme = &world.theme;
        let known = [(NetworkMode::None, "null", "loopback alone"), (NetworkMode::Host, "host", "this machine's own network")];
        let rows = known.into_iter().map(|(mode, driver, about)| {
            let inside: Vec<&str> = world
                .snapshot
                .containers
                .iter()
                .filter(|container| container.host_config.network_mode == mode && container.state.status.is_alive())
                .map(|container| container.name.as_str())
                .collect();
            let who = if inside.is_empty() { about.to_owned() } else { format!("{about}: {}", inside.join(", ")) };
            Row {
                key: mode.name(),
                cells: vec![
                    Cell::text(&mode.name(), theme.text()),
                    Cell::text(driver, theme.muted()),
                    Cell::number(inside.len().to_string(), Some(inside.len() as f64), theme.text()),
                    Cell::text(&who, theme.muted()),
                ],
            }
        });
        self.table.set(rows.collect());
    }
}

impl Screen for Networks {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Networks, Context::List]
    }

    fn takes(&self, action: Action) -> bool {
        self.table.takes(action)
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

    fn act(&mut self, action: Action, _world: &World) -> Option<Reaction> {
        self.table.act(action).then(Reaction::none)
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Option<Reaction> {
        (self.table.mouse(event) != Hit::Nothing).then(Reaction::none)
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        if matches!(news, News::Snapshot(_)) {
            self.refresh(world);
        }
        Reaction::none()
    }

    fn draw(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let buffer = frame_.buffer_mut();
        let title = format!("Networks {}", self.table.counts().0);
        let inner = frame(area, buffer, &world.theme, &title, &self.table.note(), true);
        self.table.draw(inner, buffer, &world.theme, true);
    }
}
