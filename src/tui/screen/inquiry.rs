//! A question that a screen has asked: one at a time, the one before is forgotten.

use crate::tui::effect::{Effect, Question, Ticket};
use crate::tui::screen::Reaction;
use crate::tui::world::World;

/// The question, while answers are wanted.
#[derive(Debug, Default)]
pub struct Inquiry(Option<Ticket>);

impl Inquiry {
    /// Asks.
    pub fn ask(&mut self, question: Question, world: &World) -> Reaction {
        let forget = self.forget();
        let ticket = world.ticket();
        self.0 = Some(ticket);
        forget.and(Reaction::ask(ticket, question))
    }

    /// Wants no answer any more.
    pub fn forget(&mut self) -> Reaction {
        self.0.take().map(|old| Reaction::effect(Effect::Forget(old))).unwrap_or_default()
    }

    /// Whether an answer is to it; more may come.
    pub fn is(&self, ticket: Ticket) -> bool {
        self.0 == Some(ticket)
    }

    /// The same, of a question with one answer: that is it.
    pub fn ends_with(&mut self, ticket: Ticket) -> bool {
        self.0.take_if(|open| *open == ticket).is_some()
    }

    /// Whether answers are waited for.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }
}
