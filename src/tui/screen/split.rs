//! A list above, and below it the details of what is selected there: which of them has the keys, and the room.

use crate::tui::keymap::Action;
use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::layout::{Constraint, Layout, Position, Rect};

/// Fewer lines are for one of the two.
const BOTH: u16 = 12;
/// The least lines of a list.
const LEAST: u16 = 5;

/// Which of the two has the keys, and where they are.
#[derive(Debug, Default)]
pub struct Split {
    /// Keys go to the details.
    pub inside: bool,
    /// The details have the room of both.
    zoomed: bool,
    areas: [Rect; 2],
}

impl Split {
    /// Whether an action is about the two.
    pub fn takes(&self, action: Action) -> bool {
        self.inside && matches!(action, Action::Back | Action::Zoom)
    }

    /// Leaves the details, or gives them all the room; false for an action that is not about the two.
    pub fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Back if self.inside => (self.inside, self.zoomed) = (false, false),
            Action::Zoom if self.inside => self.zoomed = !self.zoomed,
            _ => return false,
        }
        true
    }

    /// Gives the keys to what was clicked; tells whether the mouse is over the details.
    pub fn mouse(&mut self, event: MouseEvent) -> bool {
        let place = Position::new(event.column, event.row);
        let below = self.areas[1].contains(place);
        if matches!(event.kind, MouseEventKind::Down(_)) && (below || self.areas[0].contains(place)) {
            self.inside = below;
        }
        below
    }

    /// Shares the room: the list of so many rows gets what it needs, and not more than leaves room to read.
    pub fn lay(&mut self, area: Rect, rows: usize) -> [Rect; 2] {
        let most = if self.inside { area.height / 3 } else { area.height / 2 };
        let list = match area.height {
            // Without rows there are no details.
            height if rows == 0 => height,
            height if self.inside && (self.zoomed || height < BOTH) => 0,
            height if height < BOTH => height,
            _ => (rows + 3).clamp(usize::from(LEAST), usize::from(most.max(LEAST))) as u16,
        };
        self.areas = Layout::vertical([Constraint::Length(list), Constraint::Min(0)]).areas(area);
        self.areas
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_shared_by_need() {
        let mut split = Split::default();
        let mut heights = |inside, height, rows| {
            split.inside = inside;
            split.lay(Rect::new(0, 0, 80, height), rows).map(|area| area.height)
        };
        assert_eq!([heights(false, 22, 3), heights(false, 22, 50), heights(true, 22, 50)], [[6, 16], [11, 11], [7, 15]]);
        assert_eq!([heights(false, 22, 0), heights(false, 8, 3), heights(true, 8, 3)], [[22, 0], [8, 0], [0, 8]]);
        split.inside = true;
        assert!(split.act(Action::Zoom) && split.lay(Rect::new(0, 0, 80, 22), 3)[0].height == 0);
        assert!(split.act(Action::Back) && !split.act(Action::Back) && !split.act(Action::Zoom));
    }
}
