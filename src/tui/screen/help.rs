//! The keys that hold where one is, read off the map of keys itself.

use crate::text::{self, width};
use crate::tui::keymap::{Action, Context, HelpRow};
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::popup;
use crate::tui::widget::pager::{Kind, Line, Pager};
use crate::tui::world::World;
use ratatui::Frame;
use ratatui::layout::Rect;

/// Most columns of the keys; more of them push their description on.
const KEYS: usize = 20;

/// The list.
#[derive(Debug)]
pub struct Help {
    /// Headings alone, and keys with what they do.
    rows: Vec<(String, &'static str)>,
    pager: Pager,
    /// The columns that the lines were made for.
    columns: u16,
}

impl Help {
    /// With these keys, and what the screen tells of itself: keys that it watches, signs that it draws.
    pub fn new(list: &[HelpRow], screen: &dyn Screen) -> Self {
        let mut rows: Vec<(String, &str)> = Vec::new();
        let mut group = None;
        for row in list {
            if group != Some(row.context) {
                rows.push((row.context.title().to_owned(), ""));
                group = Some(row.context);
            }
            let keys: Vec<String> = row.chords.iter().map(ToString::to_string).collect();
            rows.push((keys.join("  "), row.description));
        }
        // They belong to what is nearest, whose heading stands first.
        if let Some((keys, _, does)) = screen.watched() {
            rows.insert(1.min(rows.len()), (keys, does));
        }
        if !screen.signs().is_empty() {
            rows.push(("Signs".to_owned(), ""));
            rows.extend(screen.signs().iter().map(|&(signs, mean)| (signs.to_owned(), mean)));
        }
        Self { rows, pager: Pager::new(1000, false), columns: 0 }
    }

    /// Lines for so many columns: the keys, and beside them what they do, in as many lines as it takes.
    fn arrange(&mut self, columns: u16) {
        if columns == self.columns {
            return;
        }
        self.columns = columns;
        let keys = self.rows.iter().filter(|(_, does)| !does.is_empty()).map(|(keys, _)| width::of(keys)).max().unwrap_or(0).min(KEYS);
        let room = usize::from(columns).saturating_sub(keys + 5).max(12);
        let mut lines = Vec::new();
        for (at, (words, does)) in self.rows.iter().enumerate() {
            if does.is_empty() {
                lines.extend((at > 0).then(Line::default));
                lines.push(Line::new(words, Kind::Heading));
                continue;
            }
            for (row, piece) in text::wrap(does, room).into_iter().enumerate() {
                let keyed = if row == 0 { words.as_str() } else { "" };
                lines.push(Line::new(&format!("  {keyed:<keys$}  {piece}"), Kind::Plain));
            }
        }
        self.pager.set(lines);
    }
}

impl Screen for Help {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Help, Context::Text]
    }

    fn takes(&self, action: Action) -> bool {
        self.pager.takes(action) || matches!(action, Action::Back | Action::Help | Action::Quit)
    }

    fn pager(&self) -> Option<&Pager> {
        Some(&self.pager)
    }

    fn pager_mut(&mut self) -> Option<&mut Pager> {
        Some(&mut self.pager)
    }

    fn act(&mut self, action: Action, _world: &World) -> Option<Reaction> {
        let leaves = matches!(action, Action::Back | Action::Help | Action::Quit);
        self.pager.react(action, "keys").or_else(|| leaves.then(Reaction::close))
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        let width = area.width.saturating_sub(4).min(100);
        let inner = popup(area, width, area.height.saturating_sub(2), frame.buffer_mut(), &world.theme, "Keys");
        self.arrange(inner.width);
        self.pager.draw(inner, frame.buffer_mut(), &world.theme);
    }
}
