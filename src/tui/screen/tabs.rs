//! The tabs of details: which is in front, turned by key or click.

use crate::text;
use crate::tui::keymap::Action;
use crate::tui::theme::Theme;
use crate::tui::widget::frame;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// What can be shown, a tab for each.
pub trait Tabs: Copy + PartialEq + 'static {
    /// All, in their order.
    const ALL: &'static [Self];

    /// All that is known, as a document.
    const INSPECT: Self;

    /// Its name on the screen.
    fn name(self) -> &'static str;

    /// The one that an action shows, wherever one is.
    fn of(action: Action) -> Option<Self> {
        (action == Action::Inspect).then_some(Self::INSPECT)
    }
}

/// The tabs upon a frame.
#[derive(Debug)]
pub struct Strip<T> {
    /// The one in front.
    pub front: T,
    places: Vec<Rect>,
}

impl<T: Tabs> Strip<T> {
    /// With this one in front.
    pub fn new(front: T) -> Self {
        Self { front, places: Vec::new() }
    }

    fn at(&self) -> usize {
        T::ALL.iter().position(|&tab| tab == self.front).unwrap_or(0)
    }

    /// The one that an action turns to: the one in front, its neighbours round in a circle, or one with a key of its own.
    pub fn turned(&self, action: Action) -> Option<T> {
        let step = |by: usize| T::ALL[(self.at() + by) % T::ALL.len()];
        match action {
            Action::Open => Some(self.front),
            Action::NextTab => Some(step(1)),
            Action::PreviousTab => Some(step(T::ALL.len() - 1)),
            _ => T::of(action),
        }
    }

    /// The one that was clicked.
    pub fn clicked(&self, event: MouseEvent) -> Option<T> {
        let place = Position::new(event.column, event.row);
        let is_click = event.kind == MouseEventKind::Down(MouseButton::Left);
        self.places.iter().position(|area| is_click && area.contains(place)).map(|number| T::ALL[number])
    }

    /// Draws a frame at `area` with the tabs, a note beside them and what it is all about below; gives the room inside.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, theme: &Theme, (note, about): (&str, &str), focused: bool) -> Rect {
        // What the tabs leave: the two stand on one line.
        let wide: usize = T::ALL.iter().map(|tab| tab.name().len() + 2).sum();
        let note = text::truncate(note, usize::from(area.width).saturating_sub(wide + 6));
        let inner = frame::frame(area, buffer, theme, "", if note == "…" { "" } else { &note }, focused);
        self.places.clear();
        if inner == area {
            return area;
        }
        self.places = frame::tabs(area, buffer, theme, T::ALL.iter().map(|tab| tab.name()), self.at());
        frame::foot(area, buffer, theme, about);
        Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner }
    }
}
