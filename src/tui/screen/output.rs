//! What a verb printed, in full: growing while it works, to be searched, saved and copied.

use crate::text;
use crate::tui::effect::{Effect, WorkId};
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::{Reaction, Screen};
use crate::tui::session::{CANCELLED, Work};
use crate::tui::widget::frame::frame;
use crate::tui::widget::pager::{Kind, Line, Pager};
use crate::tui::world::World;
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::widgets::{Clear, Widget};

/// Most lines shown.
const LINES: usize = 10_000;

/// The text.
#[derive(Debug)]
pub struct Output {
    title: String,
    work: Option<WorkId>,
    pager: Pager,
    /// There is more than the pager has.
    stale: bool,
}

impl Output {
    /// What a work of this session printed, and prints yet.
    pub fn of(work: WorkId, world: &World) -> Self {
        let known = world.known(work);
        // What grows is followed; what is whole is read from its beginning.
        let follow = known.is_some_and(|work| work.ended.is_none() && work.waits());
        Self { title: known.map(|work| work.title.clone()).unwrap_or_default(), work: Some(work), pager: Pager::new(LINES, follow), stale: true }
    }

    /// Lines that are known already.
    pub fn lines(title: impl Into<String>, lines: Vec<Line>) -> Self {
        let mut pager = Pager::new(LINES, false);
        pager.set(lines);
        Self { title: title.into(), work: None, pager, stale: false }
    }

    fn known<'a>(&self, world: &'a World) -> Option<&'a Work> {
        world.known(self.work?)
    }

    fn leave(&self, world: &World) -> Reaction {
        match self.known(world) {
            // Nobody else would ever see what it finds out.
            Some(work) if work.ended.is_none() && work.is_question() => Reaction::close().and(Reaction::effect(Effect::Cancel(work.id))),
            _ => Reaction::close(),
        }
    }

    fn refresh(&mut self, world: &World) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        if let Some(work) = self.known(world) {
            self.pager.set(lines(work));
        }
    }
}

/// What a work printed, and why it failed.
pub fn lines(work: &Work) -> Vec<Line> {
    let mut lines = Vec::new();
    if work.dropped > 0 {
        lines.push(Line::new(&format!("… {} earlier lines are not kept", work.dropped), Kind::Muted));
    }
    lines.extend(work.lines.iter().map(|line| Line::new(line, Kind::Plain)));
    match &work.ended {
        Some((_, Err(sentence))) if sentence != CANCELLED => lines.push(Line::new(sentence, Kind::Error)),
        Some((_, Ok(status))) if *status != 0 => lines.push(Line::new(&format!("ended with status {status}"), Kind::Error)),
        _ => {}
    }
    lines
}

impl Screen for Output {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Logs, Context::Text]
    }

    fn takes(&self, action: Action) -> bool {
        self.pager.takes(action) || matches!(action, Action::Back | Action::Quit)
    }

    fn pager(&self) -> Option<&Pager> {
        Some(&self.pager)
    }

    fn pager_mut(&mut self) -> Option<&mut Pager> {
        Some(&mut self.pager)
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        self.refresh(world);
        let leaves = matches!(action, Action::Back | Action::Quit);
        self.pager.react(action, &self.title).or_else(|| leaves.then(|| self.leave(world)))
    }

    fn hear(&mut self, news: &mut News, _world: &World) -> Reaction {
        if let News::Said(id, _) | News::Ended(id, _) = news {
            self.stale |= self.work == Some(*id);
        }
        Reaction::none()
    }

    fn draw(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        self.refresh(world);
        let buffer = frame_.buffer_mut();
        Clear.render(area, buffer);
        buffer.set_style(area, world.theme.base());
        let works = self.known(world).is_some_and(|work| work.ended.is_none());
        let note = if works { format!("at work  {}", self.pager.note()) } else { self.pager.note() };
        let inner = frame(area, buffer, &world.theme, &text::clean(&self.title), note.trim_end(), true).inner(Margin { horizontal: 1, vertical: 0 });
        if self.pager.is_empty() {
            let words = if works { "Nothing yet: what it says will stand here." } else { "It said nothing." };
            buffer.set_stringn(inner.x, inner.y, words, usize::from(inner.width), world.theme.muted());
            return;
        }
        self.pager.draw(inner, buffer, &world.theme);
    }

    fn floats(&self) -> bool {
        false
    }
}
