//! The keys that hold where one is, read off the map of keys itself.

use crate::tui::keymap::{Action, Context};
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::popup;
use crate::tui::widget::pager::{Kind, Line, Pager};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

/// The list.
#[derive(Debug)]
pub struct Help {
    of: Vec<Context>,
    pager: Pager,
    filled: bool,
}

impl Help {
    /// For a place with these contexts.
    pub fn new(of: Vec<Context>) -> Self {
        Self { of, pager: Pager::new(1000, false), filled: false }
    }

    fn fill(&mut self, world: &World) {
        let mut lines = Vec::new();
        let mut group = None;
        for row in world.config.keymap.help(&self.of) {
            if group != Some(row.context) {
                if group.is_some() {
                    lines.push(Line::default());
                }
                lines.push(Line::new(row.context.title(), Kind::Heading));
                group = Some(row.context);
            }
            let keys: Vec<String> = row.chords.iter().map(ToString::to_string).collect();
            lines.push(Line::new(&format!("  {:<22} {}", keys.join("  "), row.description), Kind::Plain));
        }
        self.pager.set(lines);
        self.filled = true;
    }
}

impl Screen for Help {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Help, Context::Text]
    }

    fn typed(&mut self, key: KeyEvent, _world: &World) -> Option<Reaction> {
        self.pager.typed(key).then(Reaction::none)
    }

    fn act(&mut self, action: Action, _world: &World) -> Option<Reaction> {
        if self.pager.act(action) {
            return Some(Reaction::none());
        }
        matches!(action, Action::Back | Action::Help | Action::Quit).then(Reaction::close)
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Option<Reaction> {
        self.pager.mouse(event).then(Reaction::none)
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        if !self.filled {
            self.fill(world);
        }
        let width = area.width.saturating_sub(4).min(100);
        let inner = popup(area, width, area.height.saturating_sub(2), frame.buffer_mut(), &world.theme, "Keys");
        self.pager.draw(inner, frame.buffer_mut(), &world.theme);
    }
}
