//! A place among rows: walked by key, clicked and rolled to by mouse, kept in sight.

use crate::tui::keymap::Action;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use std::time::{Duration, Instant};

/// The longest time between the two clicks of a double one.
const DOUBLE: Duration = Duration::from_millis(400);
/// How many rows the wheel moves.
const WHEEL: usize = 3;

/// What a mouse did to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// Nothing that concerns them.
    Nothing,
    /// Another row is selected, or the view moved.
    Moved,
    /// A row was clicked twice.
    Opened,
}

/// The place, and what is seen around it.
#[derive(Debug, Default)]
pub struct Rows {
    /// The row that is selected.
    pub at: usize,
    /// The first row in sight.
    pub top: usize,
    /// Where rows were drawn.
    pub body: Rect,
    clicked: Option<(Instant, usize)>,
}

impl Rows {
    /// Whether an action walks among rows.
    pub fn takes(action: Action) -> bool {
        use Action as A;
        matches!(action, A::Up | A::Down | A::PageUp | A::PageDown | A::HalfPageUp | A::HalfPageDown | A::Home | A::End)
    }

    /// Walks among so many rows; false for an action that does not.
    pub fn act(&mut self, action: Action, count: usize) -> bool {
        let page = usize::from(self.body.height).max(1);
        let last = count.saturating_sub(1);
        let to = match action {
            Action::Up => self.at.saturating_sub(1),
            Action::Down => self.at + 1,
            Action::PageUp => self.at.saturating_sub(page),
            Action::PageDown => self.at + page,
            Action::HalfPageUp => self.at.saturating_sub(page.div_ceil(2)),
            Action::HalfPageDown => self.at + page.div_ceil(2),
            Action::Home => 0,
            Action::End => last,
            _ => return false,
        };
        self.at = to.min(last);
        true
    }

    /// Does what the mouse did among so many rows.
    pub fn mouse(&mut self, event: MouseEvent, count: usize) -> Hit {
        if !self.body.contains(Position::new(event.column, event.row)) {
            return Hit::Nothing;
        }
        match event.kind {
            MouseEventKind::ScrollUp => self.at = self.at.saturating_sub(WHEEL),
            MouseEventKind::ScrollDown => self.at = (self.at + WHEEL).min(count.saturating_sub(1)),
            MouseEventKind::Down(MouseButton::Left) => {
                let row = self.top + usize::from(event.row - self.body.y);
                if row >= count {
                    return Hit::Nothing;
                }
                self.at = row;
                let now = Instant::now();
                let twice = self.clicked.is_some_and(|(when, which)| which == row && now.duration_since(when) < DOUBLE);
                self.clicked = (!twice).then_some((now, row));
                return if twice { Hit::Opened } else { Hit::Moved };
            }
            _ => return Hit::Nothing,
        }
        Hit::Moved
    }

    /// The line of the selected row, as it was drawn.
    pub fn line(&self) -> Rect {
        let row = self.at.saturating_sub(self.top).min(usize::from(self.body.height.saturating_sub(1))) as u16;
        Rect { y: self.body.y + row, height: self.body.height.min(1), ..self.body }
    }

    /// So many rows are drawn at `body`: the selected one is among those in sight, and none is left out that there is room for.
    pub fn show(&mut self, body: Rect, count: usize) {
        self.body = body;
        let height = usize::from(body.height);
        self.top = self.top.clamp((self.at + 1).saturating_sub(height.max(1)), self.at).min(count.saturating_sub(height));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn the_place_stays_among_the_rows_and_in_sight() {
        let mut rows = Rows::default();
        rows.show(Rect::new(0, 2, 10, 4), 10);
        assert!(rows.act(Action::PageDown, 10) && rows.act(Action::HalfPageDown, 10) && !rows.act(Action::Open, 10));
        rows.show(rows.body, 10);
        assert_eq!((rows.at, rows.top), (6, 3));
        rows.act(Action::End, 10);
        rows.show(rows.body, 10);
        assert_eq!((rows.at, rows.top), (9, 6));
        // Fewer rows than there were, then none.
        rows.act(Action::Down, 3);
        rows.show(rows.body, 3);
        assert_eq!((rows.at, rows.top), (2, 0));
        rows.act(Action::Down, 0);
        assert_eq!(rows.at, 0);
    }

    #[test]
    fn two_clicks_on_one_row_open_it() {
        let mut rows = Rows::default();
        rows.show(Rect::new(0, 2, 10, 4), 3);
        let mut click =
            |row, count| rows.mouse(MouseEvent { kind: MouseEventKind::Down(MouseButton::Left), column: 1, row, modifiers: KeyModifiers::NONE }, count);
        assert_eq!([click(3, 3), click(4, 3), click(4, 3), click(4, 3)], [Hit::Moved, Hit::Moved, Hit::Opened, Hit::Moved]);
        assert_eq!([click(5, 3), click(1, 3)], [Hit::Nothing, Hit::Nothing]);
    }
}
