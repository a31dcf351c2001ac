//! The menu of a row: what can be done to it now, by which key, and which command that equals.

use crate::text::{self, width};
use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Chord, Context};
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::{popup, scrollbar};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

/// What of the lists and of everywhere belongs into a row's menu; the rest moves about, or is not about the row.
const SHARED: [Action; 8] = [Action::Open, Action::Inspect, Action::Remove, Action::Copy, Action::Run, Action::Pull, Action::Mark, Action::MarkAll];

/// Something that can be done.
#[derive(Clone, Debug)]
pub struct Item {
    /// In a word or two.
    pub label: String,
    /// The key that does the same without the menu.
    pub chord: Option<Chord>,
    /// The command that it equals, or what it does.
    pub equal: String,
    /// What it is.
    pub deed: Deed,
}

/// What an item does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// What a key does.
    Act(Action),
    /// What only the screen itself knows, by its number there.
    More(usize),
}

/// The menu.
#[derive(Debug)]
pub struct Menu {
    items: Vec<Item>,
    at: usize,
    top: usize,
    list: Rect,
}

impl Menu {
    /// All that `screen` can do now.
    pub fn of(screen: &mut dyn Screen, world: &World) -> Self {
        let contexts = screen.contexts();
        let mut items: Vec<Item> = Vec::new();
        for row in world.config.keymap.help(&contexts) {
            let own = !matches!(row.context, Context::List | Context::Text | Context::Global);
            let known = items.iter().any(|item| item.deed == Deed::Act(row.action));
            let means = screen.takes(row.action) || matches!(row.action, Action::Run | Action::Pull);
            if known || !means || !(own && row.action.weight() > 0 || SHARED.contains(&row.action)) {
                continue;
            }
            let equal = match screen.trial(row.action, world) {
                // It would only say why it cannot be done.
                Some(reaction) if matches!(reaction.notice, Some(Err(_))) => continue,
                Some(reaction) => equal(&reaction, world),
                None => None,
            };
            let equal = equal.unwrap_or_else(|| row.description.trim_end_matches('.').to_owned());
            items.push(Item { label: row.action.label().to_owned(), chord: row.chords.first().copied(), equal, deed: Deed::Act(row.action) });
        }
        let more = screen.more(world).into_iter().enumerate();
        items.extend(more.map(|(number, label)| Item {
            equal: screen.done_more(number, world).open.and_then(|form| form.equal(world)).map(|line| format!("kapal {line}")).unwrap_or_default(),
            label,
            chord: None,
            deed: Deed::More(number),
        }));
        Self { items, at: 0, top: 0, list: Rect::default() }
    }

    fn choose(&self, at: usize) -> Reaction {
        match self.items.get(at) {
            Some(item) => Reaction { then: Some(item.deed), ..Reaction::close() },
            None => Reaction::close(),
        }
    }
}

/// The command that a reaction is, if it is one.
fn equal(reaction: &Reaction, world: &World) -> Option<String> {
    let line = match reaction.effects.as_slice() {
        [Effect::Perform(words)] => Some(text::clean(&world.line.quote(words)).into_owned()),
        _ => reaction.open.as_ref().and_then(|screen| screen.equal(world)),
    };
    line.map(|line| format!("kapal {line}"))
}

impl Screen for Menu {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Menu]
    }

    fn takes(&self, action: Action) -> bool {
        use Action as A;
        matches!(action, A::Up | A::Down | A::PageUp | A::PageDown | A::Home | A::End | A::Accept | A::Open | A::Back | A::Menu)
    }

    fn typed(&mut self, key: KeyEvent, world: &World) -> Option<Reaction> {
        // What walks and leaves the menu comes before what its items are called by.
        if world.config.keymap.action(&self.contexts(), key).is_some() {
            return None;
        }
        let chord = Chord::from_event(key)?;
        let at = self.items.iter().position(|item| item.chord == Some(chord))?;
        Some(self.choose(at))
    }

    fn act(&mut self, action: Action, _world: &World) -> Option<Reaction> {
        let last = self.items.len().saturating_sub(1);
        let page = usize::from(self.list.height).max(1);
        self.at = match action {
            Action::Up => self.at.checked_sub(1).unwrap_or(last),
            Action::Down => {
                if self.at == last {
                    0
                } else {
                    self.at + 1
                }
            }
            Action::PageUp => self.at.saturating_sub(page),
            Action::PageDown => (self.at + page).min(last),
            Action::Home => 0,
            Action::End => last,
            Action::Accept | Action::Open => return Some(self.choose(self.at)),
            Action::Back | Action::Menu => return Some(Reaction::close()),
            _ => return None,
        };
        Some(Reaction::none())
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Option<Reaction> {
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) if self.list.contains(Position::new(event.column, event.row)) => {
                Some(self.choose(self.top + usize::from(event.row - self.list.y)))
            }
            MouseEventKind::Down(MouseButton::Left) => Some(Reaction::close()),
            MouseEventKind::ScrollDown => self.act(Action::Down, world),
            MouseEventKind::ScrollUp => self.act(Action::Up, world),
            _ => None,
        }
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        let theme = &world.theme;
        let keys = self.items.iter().filter_map(|item| item.chord).map(|chord| width::of(&chord.short())).max().unwrap_or(1) as u16;
        let labels = self.items.iter().map(|item| width::of(&item.label)).max().unwrap_or(4) as u16;
        let equals = self.items.iter().map(|item| width::of(&item.equal)).max().unwrap_or(0) as u16;
        let wide = (keys + labels + equals + 8).max(24).min(area.width.saturating_sub(4).max(20));
        let count = u16::try_from(self.items.len()).unwrap_or(u16::MAX);
        let inner = popup(area, wide, count.saturating_add(2).min(area.height), frame.buffer_mut(), theme, "What can be done");
        self.list = inner;
        let rows = usize::from(inner.height);
        self.top = self.top.max((self.at + 1).saturating_sub(rows)).min(self.at);
        let buffer = frame.buffer_mut();
        for (row, (number, item)) in self.items.iter().enumerate().skip(self.top).take(rows).enumerate() {
            let line = Rect { y: inner.y + row as u16, height: 1, ..inner };
            let chosen = number == self.at;
            if chosen {
                buffer.set_style(line, theme.selection(true));
            }
            let bare = ratatui::style::Style::new();
            let mut put = |x: u16, words: &str, style| {
                let room = usize::from(line.right().saturating_sub(x));
                if room > 0 {
                    buffer.set_stringn(x, line.y, text::truncate(&text::clean(words), room), room, style);
                }
            };
            put(line.x, &item.chord.map(Chord::short).unwrap_or_default(), if chosen { bare } else { theme.key() });
            put(line.x + keys + 2, &item.label, bare);
            put(line.x + keys + labels + 4, &item.equal, if chosen { bare } else { theme.muted() });
        }
        scrollbar(Rect { width: inner.width + 1, ..inner }, buffer, theme, self.items.len(), self.top, rows);
    }
}
