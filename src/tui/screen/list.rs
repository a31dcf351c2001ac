//! A pane with a list, and below it the details of what is selected: all that is the same, whatever is listed.
//!
//! ```text
//!  key ─► the list, or its details (Split::inside) ─► a tab of the details ─► what the pane itself does
//! ```

use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::split::Split;
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::frame;
use crate::tui::widget::rows::Hit;
use crate::tui::widget::table::Table;
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::fmt::Debug;

/// What is to be known of one row.
pub trait Details: Debug + Send {
    /// There is something to be shown below the list.
    const ANY: bool = true;

    /// Where keys are looked up while these have them.
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Text]
    }

    /// Whether an action means something to what is shown.
    fn takes(&self, _action: Action) -> bool {
        false
    }

    /// Whether an action turns to one of the tabs.
    fn shows(&self, _action: Action) -> bool {
        false
    }

    /// Turns to the tab that an action shows, of the row with this key.
    fn show(&mut self, _action: Action, _of: Option<&str>, _world: &World) -> Option<Reaction> {
        None
    }

    /// Turns to a row; little happens if it is the same.
    fn look_at(&mut self, _of: Option<&str>, _world: &World) -> Reaction {
        Reaction::none()
    }

    /// A line of text has the keys.
    fn is_typing(&self) -> bool {
        false
    }

    /// Takes a key for a search or a filter.
    fn typed(&mut self, _key: KeyEvent) -> bool {
        false
    }

    /// Takes pasted text for a search or a filter.
    fn pasted(&mut self, _words: &str) -> bool {
        false
    }

    /// Does what a key stands for.
    fn act(&mut self, _action: Action, _world: &World) -> Option<Reaction> {
        None
    }

    /// Does what the mouse did over them.
    fn mouse(&mut self, _event: MouseEvent, _of: Option<&str>, _world: &World) -> Option<Reaction> {
        None
    }

    /// Draws what is known of the row called `name`.
    fn draw(&mut self, _area: Rect, _buffer: &mut Buffer, _world: &World, _name: &str, _focused: bool) {}
}

/// A list alone.
impl Details for () {
    const ANY: bool = false;
}

/// A list, its details, and which of the two has the keys.
#[derive(Debug)]
pub struct List<D> {
    /// The rows.
    pub table: Table,
    /// What is shown of the selected one.
    pub details: D,
    /// How the two share keys and room.
    pub split: Split,
}

/// What stands around a list.
#[derive(Debug, Default)]
pub struct Captions {
    /// What is listed, and how many.
    pub title: String,
    /// Beside the title.
    pub note: String,
    /// In place of rows, where there are none.
    pub empty: &'static str,
    /// What the selected one is called: harmless text.
    pub name: String,
}

impl<D: Details> List<D> {
    /// With the keys in the list.
    pub fn new(table: Table, details: D) -> Self {
        Self { table, details, split: Split::default() }
    }

    /// Turns the details to what is selected.
    pub fn look(&mut self, world: &World) -> Reaction {
        self.details.look_at(self.table.selected(), world)
    }

    /// Draws both.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, world: &World, captions: &Captions) {
        let (all, shown) = self.table.counts();
        // Without rows, and without details, the list has all the room.
        let [list, rest] = self.split.lay(area, if all == 0 || !D::ANY { 0 } else { shown.max(1) });
        if list.height > 0 {
            let inner = frame(list, buffer, &world.theme, &captions.title, &captions.note, !self.split.inside);
            if all == 0 && world.looked {
                buffer.set_stringn(inner.x + 1, inner.y, captions.empty, usize::from(inner.width.saturating_sub(1)), world.theme.muted());
            } else {
                self.table.draw(inner, buffer, &world.theme, !self.split.inside);
            }
        }
        if rest.height > 0 && all > 0 {
            self.details.draw(rest, buffer, world, &captions.name, self.split.inside);
        }
    }
}

/// What a pane with a list has of its own; as a [`Screen`] it is like all others of its kind.
pub trait ListPane: Debug + Send {
    /// What is shown of one row.
    type Details: Details;

    /// Where its keys are looked up before those of any list.
    const CONTEXT: Context;

    /// The list.
    fn list(&self) -> &List<Self::Details>;

    /// The list, to be changed.
    fn list_mut(&mut self) -> &mut List<Self::Details>;

    /// Whether [`ListPane::command`] or [`ListPane::change`] has an answer to an action now.
    fn does(&self, action: Action) -> bool;

    /// As [`Screen::fits`].
    fn fits(&self, action: Action, world: &World) -> bool;

    /// What comes of an action done to what is selected. But for marks nothing changes here: it may be a trial.
    fn command(&mut self, action: Action, world: &World) -> Option<Reaction>;

    /// Changes what is listed.
    fn change(&mut self, _action: Action, _world: &World) -> Option<Reaction> {
        None
    }

    /// As [`Screen::hear`].
    fn hear(&mut self, news: &mut News, world: &World) -> Reaction;

    /// As [`Screen::shown`].
    fn shown(&mut self, _front: bool, _world: &World) -> Reaction {
        Reaction::none()
    }

    /// What stands around the list.
    fn captions(&self, world: &World) -> Captions;

    /// Draws it.
    fn paint(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        let captions = self.captions(world);
        self.list_mut().draw(area, frame.buffer_mut(), world, &captions);
    }

    /// Does what the mouse did where neither list nor details are.
    fn mouse_beside(&mut self, _event: MouseEvent) -> bool {
        false
    }

    /// As [`Screen::signs`].
    fn signs(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// As [`Screen::more`].
    fn more(&self, _world: &World) -> Vec<String> {
        Vec::new()
    }

    /// As [`Screen::done_more`].
    fn done_more(&mut self, _number: usize, _world: &World) -> Reaction {
        Reaction::none()
    }
}

/// Turns to a tab, changes the list, or does something to what is selected.
fn perform<P: ListPane>(pane: &mut P, action: Action, world: &World) -> Option<Reaction> {
    let list = pane.list_mut();
    // What is open already is not opened.
    let opens = action != Action::Open || !list.split.inside;
    let shown = if opens { list.details.show(action, list.table.selected(), world) } else { None };
    if shown.is_some() {
        list.split.inside |= !matches!(action, Action::NextTab | Action::PreviousTab);
        return shown;
    }
    pane.change(action, world).or_else(|| pane.command(action, world))
}

impl<P: ListPane> Screen for P {
    fn contexts(&self) -> Vec<Context> {
        let list = self.list();
        if list.split.inside { list.details.contexts() } else { vec![P::CONTEXT, Context::List] }
    }

    fn takes(&self, action: Action) -> bool {
        let List { table, details, split } = self.list();
        if split.inside {
            return (details.shows(action) && action != Action::Open) || self.does(action) || details.takes(action) || split.takes(action);
        }
        details.shows(action) || self.does(action) || table.takes(action)
    }

    fn fits(&self, action: Action, world: &World) -> bool {
        ListPane::fits(self, action, world)
    }

    fn signs(&self) -> &'static [(&'static str, &'static str)] {
        ListPane::signs(self)
    }

    fn is_typing(&self) -> bool {
        let list = self.list();
        if list.split.inside { list.details.is_typing() } else { list.table.is_filtering() }
    }

    fn typed(&mut self, key: KeyEvent, world: &World) -> Option<Reaction> {
        let list = self.list_mut();
        let taken = if list.split.inside { list.details.typed(key) } else { list.table.typed(key) };
        taken.then(|| list.look(world))
    }

    fn pasted(&mut self, words: &str, world: &World) -> Option<Reaction> {
        let list = self.list_mut();
        let taken = if list.split.inside { list.details.pasted(words) } else { list.table.pasted(words) };
        taken.then(|| list.look(world))
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let list = self.list_mut();
        if list.split.inside {
            if list.details.takes(action)
                && let Some(reaction) = list.details.act(action, world)
            {
                return Some(reaction);
            }
            if list.split.act(action) {
                return Some(Reaction::none());
            }
        } else if list.table.act(action) {
            return Some(list.look(world));
        }
        perform(self, action, world)
    }

    fn trial(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let marks = self.list().table.marks();
        let reaction = self.command(action, world);
        self.list_mut().table.mark(marks);
        reaction
    }

    fn more(&self, world: &World) -> Vec<String> {
        ListPane::more(self, world)
    }

    fn done_more(&mut self, number: usize, world: &World) -> Reaction {
        ListPane::done_more(self, number, world)
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Option<Reaction> {
        if self.mouse_beside(event) {
            return Some(Reaction::none());
        }
        let list = self.list_mut();
        if list.split.mouse(event) {
            return list.details.mouse(event, list.table.selected(), world);
        }
        match list.table.mouse(event) {
            Hit::Nothing => None,
            Hit::Moved => Some(list.look(world)),
            Hit::Opened => perform(self, Action::Open, world),
        }
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        ListPane::hear(self, news, world)
    }

    fn shown(&mut self, front: bool, world: &World) -> Reaction {
        ListPane::shown(self, front, world)
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        self.paint(area, frame, world);
    }
}
