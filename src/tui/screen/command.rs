//! The command line: verbs as in a script, with completion and history, and what is wrong said while one types.

use crate::text;
use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Context};
use crate::tui::line::Completion;
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::input::Input;
use crate::tui::world::World;
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// Most completions shown at once.
const SHOWN: usize = 8;

/// The line.
#[derive(Debug)]
pub struct CommandLine {
    input: Input,
    history: Vec<String>,
    /// Which line of the history is shown; its length is the line being typed.
    at: usize,
    draft: String,
    from: usize,
    offers: Vec<Completion>,
    chosen: Option<usize>,
    wrong: Option<String>,
}

impl CommandLine {
    /// An empty line, with the lines typed before in its history.
    pub fn new(world: &World) -> Self {
        let mut line = Self {
            input: Input::default(),
            history: world.history.clone(),
            at: world.history.len(),
            draft: String::new(),
            from: 0,
            offers: Vec::new(),
            chosen: None,
            wrong: None,
        };
        line.offer(world);
        line
    }

    /// A line that begins with `text`.
    pub fn with(text: impl Into<String>, world: &World) -> Self {
        let mut line = Self { input: Input::with(text), ..Self::new(world) };
        line.offer(world);
        line
    }

    fn offer(&mut self, world: &World) {
        self.chosen = None;
        self.wrong = None;
        (self.from, self.offers) = world.line.complete(&self.input.text()[..self.input.cursor()], &world.names());
    }

    fn complete(&mut self, by: isize) {
        if self.offers.is_empty() {
            return;
        }
        let count = self.offers.len() as isize;
        let next = self.chosen.map_or(if by > 0 { 0 } else { count - 1 }, |at| (at as isize + by).rem_euclid(count));
        self.chosen = Some(next as usize);
        let word = format!("{}{}", self.offers[next as usize].word, if count == 1 { " " } else { "" });
        self.input.replace(self.from, &word);
    }

    fn recall(&mut self, by: isize, world: &World) {
        let to = self.at.saturating_add_signed(by).min(self.history.len());
        if to == self.at {
            return;
        }
        if self.at == self.history.len() {
            self.input.text().clone_into(&mut self.draft);
        }
        self.at = to;
        self.input = Input::with(self.history.get(to).unwrap_or(&self.draft).clone());
        self.offer(world);
    }

    fn accept(&mut self, world: &World) -> Reaction {
        let line = self.input.text().trim().to_owned();
        if line.is_empty() {
            return Reaction::close();
        }
        let statements = world.line.statements(&line).and_then(|statements| {
            statements.iter().try_for_each(|words| world.line.check(words))?;
            Ok(statements)
        });
        match statements {
            Err(sentence) => {
                self.wrong = Some(text::clean(&sentence).into_owned());
                Reaction::none()
            }
            Ok(mut statements) => {
                let effect = if statements.len() == 1 { Effect::Perform(statements.remove(0)) } else { Effect::Script(statements) };
                Reaction::close().and(Reaction { effects: vec![Effect::Remember(line), effect], ..Reaction::default() })
            }
        }
    }
}

impl Screen for CommandLine {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::CommandLine]
    }

    fn typed(&mut self, key: KeyEvent, world: &World) -> Option<Reaction> {
        let before = self.input.clone();
        if !self.input.typed(key) {
            return None;
        }
        if before != self.input {
            self.offer(world);
        }
        Some(Reaction::none())
    }

    fn pasted(&mut self, words: &str, world: &World) -> Option<Reaction> {
        self.input.insert(words);
        self.offer(world);
        Some(Reaction::none())
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        match action {
            Action::Complete | Action::NextField => self.complete(1),
            Action::PreviousField => self.complete(-1),
            Action::HistoryPrevious | Action::Up => self.recall(-1, world),
            Action::HistoryNext | Action::Down => self.recall(1, world),
            Action::Accept | Action::Open => return Some(self.accept(world)),
            Action::Back => return Some(Reaction::close()),
            _ => return None,
        }
        Some(Reaction::none())
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        let theme = &world.theme;
        let buffer = frame.buffer_mut();
        if area.height == 0 {
            return;
        }
        let line = Rect { y: area.bottom() - 1, height: 1, ..area };
        let rows = self.offers.len().min(SHOWN).min(usize::from(area.height.saturating_sub(2))) as u16;
        let rows = if self.wrong.is_some() { rows.min(1).max(u16::from(area.height > 1)) } else { rows };
        let list = Rect { y: line.y - rows, height: rows, ..area };
        Clear.render(Rect { y: list.y, height: rows + 1, ..area }, buffer);
        buffer.set_style(Rect { y: list.y, height: rows + 1, ..area }, theme.text());
        if let Some(wrong) = &self.wrong {
            buffer.set_stringn(list.x + 2, list.y, text::truncate(wrong, usize::from(list.width.saturating_sub(3))), usize::from(list.width), theme.failed());
        } else {
            let first = self.chosen.map_or(0, |at| (at + 1).saturating_sub(usize::from(rows)));
            let widest = self.offers.iter().map(|offer| text::width::of(&offer.word)).max().unwrap_or(0).min(40) as u16;
            for (row, (number, offer)) in self.offers.iter().enumerate().skip(first).take(usize::from(rows)).enumerate() {
                let y = list.y + row as u16;
                let style = if self.chosen == Some(number) { theme.selection(true) } else { theme.text() };
                buffer.set_stringn(list.x + 2, y, text::truncate(&text::clean(&offer.word), 40), usize::from(list.width.saturating_sub(2)), style);
                let x = list.x + 4 + widest;
                if x < list.right() {
                    let room = usize::from(list.right() - x);
                    buffer.set_stringn(x, y, text::truncate(&text::clean(&offer.about), room), room, theme.muted());
                }
            }
        }
        buffer.set_stringn(line.x, line.y, ":", 1, theme.accent());
        let cursor = self.input.draw(Rect { x: line.x + 1, width: line.width.saturating_sub(1), ..line }, buffer, theme.text());
        frame.set_cursor_position(cursor);
    }
}
