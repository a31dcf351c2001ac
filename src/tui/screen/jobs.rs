//! The jobs: everything that runs and was done, and how far it is.

use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::frame;
use crate::tui::widget::table::{Cell, Column, Row, Table};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

const COLUMNS: &[Column] = &[
    Column { title: "STATE", least: 9, most: 9, right: false, sheds: 0 },
    Column { title: "COMMAND", least: 20, most: 100, right: false, sheds: 0 },
    Column { title: "RESULT", least: 10, most: 100, right: false, sheds: 1 },
];

/// The pane.
#[derive(Debug)]
pub struct Jobs {
    table: Table,
}

impl Jobs {
    /// The pane before the first look.
    pub fn new() -> Self {
        Self { table: Table::new(COLUMNS, None) }
    }

    fn refresh(&mut self, world: &World) {
        let theme = &world.theme;
        let rows = world.snapshot.jobs.iter().map(|job| Row {
            key: job.id.to_string(),
            cells: vec![Cell::text(&job.state, theme.text()), Cell::text(&job.title, theme.text()), Cell::text(&job.error, theme.failed())],
        });
        self.table.set(rows.collect());
    }
}

impl Screen for Jobs {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Jobs, Context::List]
    }

    fn typed(&mut self, key: KeyEvent, _world: &World) -> Option<Reaction> {
        self.table.typed(key).then(Reaction::none)
    }

    fn act(&mut self, action: Action, _world: &World) -> Option<Reaction> {
        self.table.act(action).then(Reaction::none)
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Option<Reaction> {
        self.table.mouse(event);
        None
    }

    fn hear(&mut self, _news: &mut News, world: &World) -> Reaction {
        self.refresh(world);
        Reaction::none()
    }

    fn draw(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let buffer = frame_.buffer_mut();
        let inner = frame(area, buffer, &world.theme, "Jobs", &self.table.note(), true);
        self.table.draw(inner, buffer, &world.theme, true);
    }
}
