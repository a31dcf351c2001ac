//! A question before something is destroyed. The default is no.

use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Context};
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::popup;
use crate::tui::world::World;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

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
        let lines = (crate::text::width::of(&self.question).min(10_000) as u16).div_ceil(width.saturating_sub(6).max(1)) + 1;
        let inner = popup(area, width, lines + 4, frame.buffer_mut(), theme, &self.title);
        let [question, answers] = ratatui::layout::Layout::vertical([ratatui::layout::Constraint::Min(1), ratatui::layout::Constraint::Length(1)]).areas(inner);
        Paragraph::new(self.question.as_str()).style(theme.text()).wrap(Wrap { trim: true }).render(question, frame.buffer_mut());
        let style = |chosen: bool| if chosen { theme.selection(true) } else { theme.muted() };
        let line = Line::from(vec![Span::styled(" y  yes ", style(self.yes)), Span::raw("  "), Span::styled(" n  no ", style(!self.yes))]);
        Paragraph::new(line).render(answers, frame.buffer_mut());
    }
}
