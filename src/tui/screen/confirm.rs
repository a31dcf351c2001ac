//! A question before something is destroyed. The default is no.

use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Context};
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::popup;
use crate::tui::world::World;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

/// Asks first, unless the user wants no questions.
pub fn asked(world: &World, title: &str, question: impl Into<String>, then: Reaction) -> Reaction {
    if world.config.confirm { Reaction::open(Confirm::new(title, question, then)) } else { then }
}

/// The question.
#[derive(Debug)]
pub struct Confirm {
    title: String,
    question: String,
    yes: bool,
    then: Option<Reaction>,
}

impl Confirm {
    /// Asks `question`; `then` is what a yes means.
    pub fn new(title: impl Into<String>, question: impl Into<String>, then: Reaction) -> Self {
        Self { title: title.into(), question: crate::text::clean(&question.into()).into_owned(), yes: false, then: Some(then) }
    }

    fn answer(&mut self, yes: bool) -> Reaction {
        let then = if yes { self.then.take() } else { None };
        Reaction::close().and(then.unwrap_or_default())
    }
}

impl Screen for Confirm {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Confirm]
    }

    fn takes(&self, action: Action) -> bool {
        use Action as A;
        matches!(action, A::Yes | A::No | A::Back | A::Accept | A::Open | A::Left | A::Right | A::NextField | A::PreviousField)
    }

    fn act(&mut self, action: Action, _world: &World) -> Option<Reaction> {
        match action {
            Action::Yes => Some(self.answer(true)),
            Action::No | Action::Back => Some(self.answer(false)),
            Action::Accept | Action::Open => {
                let yes = self.yes;
                Some(self.answer(yes))
            }
            Action::Left | Action::Right | Action::NextField | Action::PreviousField => {
                self.yes = !self.yes;
                Some(Reaction::none())
            }
            _ => None,
        }
    }

    fn equal(&self, world: &World) -> Option<String> {
        match self.then.as_ref()?.effects.as_slice() {
            [Effect::Perform(words)] => Some(crate::text::clean(&world.line.quote(words)).into_owned()),
            _ => None,
        }
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        let theme = &world.theme;
        let width = area.width.saturating_sub(4).clamp(20, 60);
        let equal = self.equal(world).map(|line| format!("kapal {line}")).unwrap_or_default();
        let pieces = crate::text::wrap(&self.question, usize::from(width.saturating_sub(4)));
        let lines = pieces.len().min(1000) as u16;
        let inner = popup(area, width, lines + 4 + 2 * u16::from(!equal.is_empty()), frame.buffer_mut(), theme, &self.title);
        let below = |lines: u16, least: u16| Constraint::Length(if inner.height >= least { lines } else { 0 });
        // Where room is short the answers matter most, then what is asked.
        let command = if equal.is_empty() { 0 } else { 2 };
        let parts = [Constraint::Min(u16::from(inner.height > 1)), below(command, lines + 3), below(1, lines + 2), Constraint::Length(1)];
        let [asked, command, _, answers] = Layout::vertical(parts).areas(inner);
        for (row, piece) in asked.rows().zip(&pieces) {
            frame.buffer_mut().set_stringn(row.x, row.y, piece, usize::from(row.width), theme.text());
        }
        let line = command.rows().next_back().unwrap_or_default();
        let room = usize::from(line.width);
        frame.buffer_mut().set_stringn(line.x, line.y, crate::text::truncate(&equal, room), if line.height > 0 { room } else { 0 }, theme.muted());
        let style = |chosen: bool| if chosen { theme.selection(true) } else { theme.muted() };
        let line = Line::from(vec![Span::styled(" y  yes ", style(self.yes)), Span::raw("  "), Span::styled(" n  no ", style(!self.yes))]);
        Paragraph::new(line).render(answers, frame.buffer_mut());
    }
}
