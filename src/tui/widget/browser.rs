//! A tree of files on the screen: what keys and mouse do to it, and how its lines look.

use crate::text::{self, size, width};
use crate::tui::keymap::Action;
use crate::tui::theme::Theme;
use crate::tui::widget::input::Input;
use crate::tui::widget::rows::{Hit, Rows};
use crate::tui::widget::tree::{Line, Mark, Order, Tree};
use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::path::PathBuf;

/// The columns of a size.
const SIZE: u16 = 8;
/// Below so many columns permissions and owners are left out.
const ROOMY: u16 = 90;
/// Most columns by which a line is moved to the right.
const DEEP: usize = 40;

/// The tree with what its user did to it.
#[derive(Debug, Default)]
pub struct Browser {
    /// The files.
    pub tree: Tree,
    /// Sizes are known.
    sizes: bool,
    place: Rows,
    input: Input,
    filtering: bool,
}

impl Browser {
    /// Without files yet; with a column of sizes if those are known.
    pub fn new(sizes: bool) -> Self {
        Self { sizes, ..Self::default() }
    }

    /// Takes another tree; what was open stays open.
    pub fn set(&mut self, mut tree: Tree) {
        tree.resume(&self.tree);
        tree.filter(self.input.text());
        self.tree = tree;
    }

    /// The path of the selected file or folder, relative to the root.
    pub fn selected(&self) -> Option<PathBuf> {
        self.tree.selected().map(|place| self.tree.path(place))
    }

    /// What stands beside the title.
    pub fn note(&self) -> String {
        let mut notes = Vec::new();
        if self.filtering || !self.input.text().is_empty() {
            notes.push(format!("/{}{}", text::clean(self.input.text()), if self.filtering { "▏" } else { "" }));
        }
        if self.tree.order() == Order::Size {
            notes.push("by size".to_owned());
        }
        notes.join("  ")
    }

    /// Takes a key for the filter; false if it is none of its business.
    pub fn typed(&mut self, key: KeyEvent) -> bool {
        if !self.filtering {
            return false;
        }
        match key.code {
            KeyCode::Enter => self.filtering = false,
            KeyCode::Esc => {
                self.filtering = false;
                self.input.clear();
            }
            KeyCode::Up | KeyCode::Down => return false,
            _ => {
                self.input.typed(key);
            }
        }
        self.tree.filter(self.input.text());
        true
    }

    /// Pasted text goes into the filter, if that is open.
    pub fn pasted(&mut self, words: &str) -> bool {
        if self.filtering {
            self.input.insert(words);
            self.tree.filter(self.input.text());
        }
        self.filtering
    }

    /// Whether keys are taken for the filter now.
    pub fn is_filtering(&self) -> bool {
        self.filtering
    }

    /// Whether an action means something here.
    pub fn takes(&self, action: Action) -> bool {
        match action {
            Action::Left | Action::Right | Action::Open | Action::Filter => true,
            Action::Sort => self.sizes,
            Action::Back => !self.input.text().is_empty(),
            _ => Rows::takes(action),
        }
    }

    /// Does what a key stands for; false if it means nothing here, as opening a file does.
    pub fn act(&mut self, action: Action) -> bool {
        self.place.at = self.tree.at;
        if self.place.act(action, self.tree.lines().len()) {
            self.tree.at = self.place.at;
            return true;
        }
        self.change(action)
    }

    fn change(&mut self, action: Action) -> bool {
        match action {
            Action::Left => self.tree.fold(),
            Action::Right => {
                self.tree.unfold();
            }
            Action::Open => return self.tree.toggle(),
            Action::Sort if self.sizes => self.tree.sort(if self.tree.order() == Order::Name { Order::Size } else { Order::Name }),
            Action::Filter => self.filtering = true,
            Action::Back if !self.input.text().is_empty() => {
                self.input.clear();
                self.tree.filter("");
            }
            _ => return false,
        }
        true
    }

    /// Does what the mouse did.
    pub fn mouse(&mut self, event: MouseEvent) -> Hit {
        self.place.at = self.tree.at;
        let hit = self.place.mouse(event, self.tree.lines().len());
        self.tree.at = self.place.at;
        hit
    }

    /// Draws what is visible; `focused` if keys go here.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, theme: &Theme, focused: bool) {
        let (height, count) = (usize::from(area.height), self.tree.lines().len());
        self.place.at = self.tree.at;
        self.place.show(area, count);
        let top = self.place.top;
        if height == 0 || area.width < 2 {
            return;
        }
        for (row, &line) in self.tree.lines()[top..].iter().take(height).enumerate() {
            let place = Rect { y: area.y + row as u16, height: 1, ..area };
            // The last column is for the bar that tells where one is.
            self.line(line, Rect { width: place.width - 1, ..place }, buffer, theme);
            if top + row == self.tree.at {
                buffer.set_style(place, theme.selection(focused));
            }
        }
        super::frame::scrollbar(area, buffer, theme, count, top, height);
    }

    fn line(&self, line: Line, area: Rect, buffer: &mut Buffer, theme: &Theme) {
        let node = self.tree.node(line.node);
        let leaf = self.tree.leaf(node);
        let (sign, style) = match node.mark {
            Mark::Same => (" ", if node.folder { theme.text() } else { theme.muted() }),
            Mark::Added => ("+", theme.added()),
            Mark::Changed => ("~", theme.changed()),
            Mark::Removed => ("-", theme.removed()),
        };
        let mut pen = Pen { x: area.x, area, buffer };
        if area.width >= ROOMY
            && let Some(about) = leaf.map(|leaf| leaf.about.as_str()).filter(|about| !about.is_empty())
        {
            pen.write(&format!("{about:<22}"), theme.muted());
        } else if area.width >= ROOMY && self.sizes {
            pen.x += 22;
        }
        if self.sizes {
            // Links and the like have no size of their own.
            let is_no_file = node.folder || leaf.is_some_and(|leaf| !leaf.after.is_empty());
            let words = if node.mark == Mark::Removed || (node.size == 0 && is_no_file) { String::new() } else { size::decimal(node.size) };
            let room = usize::from(SIZE);
            pen.write(&format!("{words:>room$}  "), theme.muted());
        }
        pen.write(sign, style);
        pen.write(&" ".repeat((1 + 2 * line.depth).min(DEEP)), style);
        let fold = match (node.folder && !node.is_empty(), node.open || !self.input.text().is_empty()) {
            (true, true) => "▾ ",
            (true, false) => "▸ ",
            (false, _) => "  ",
        };
        pen.write(fold, theme.faint());
        pen.write(&node.name, style);
        pen.write(if node.folder { "/" } else { "" }, theme.muted());
        if let Some(after) = leaf.map(|leaf| leaf.after.as_str()).filter(|after| !after.is_empty()) {
            pen.write(&format!("  {after}"), theme.muted());
        }
    }
}

/// Writes pieces of a line one after the other, as far as it goes.
struct Pen<'a> {
    x: u16,
    area: Rect,
    buffer: &'a mut Buffer,
}

impl Pen<'_> {
    fn write(&mut self, words: &str, style: Style) {
        let room = usize::from(self.area.right().saturating_sub(self.x));
        if room == 0 || words.is_empty() {
            return;
        }
        let words = text::truncate(words, room);
        self.buffer.set_stringn(self.x, self.area.y, &*words, room, style);
        self.x += width::of(&words) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::widget::tree::Leaf;
    use proptest::prelude::*;

    fn drawn(browser: &mut Browser, width: u16, height: u16) -> Vec<String> {
        let room = Rect::new(0, 0, width.max(1), height + 2);
        let mut buffer = Buffer::empty(room);
        browser.draw(Rect::new(0, 1, width, height), &mut buffer, &Theme::default(), true);
        (1..=height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end_matches([' ', '▐']).to_owned()).collect()
    }

    fn leaf(path: &str, mark: Mark, size: u64) -> Leaf {
        Leaf { path: path.into(), mark, size, ..Leaf::default() }
    }

    #[test]
    fn lines_tell_size_change_and_place() {
        let mut browser = Browser::new(true);
        let link = Leaf { after: "-> etc/x".into(), ..leaf("b", Mark::Changed, 0) };
        browser.set(Tree::new(vec![leaf("etc/old", Mark::Removed, 0), leaf("etc/x", Mark::Added, 1200), link]));
        assert_eq!(
            drawn(&mut browser, 40, 4),
            ["   1.2kB    ▾ etc/", "          -     old", "   1.2kB  +     x", "          ~   b  -> etc/x"].map(str::to_owned)
        );
        browser.act(Action::Left);
        assert_eq!(drawn(&mut browser, 40, 4)[0], "   1.2kB    ▸ etc/");
    }

    proptest! {
        #[test]
        fn no_size_and_no_key_breaks_it(
            paths in proptest::collection::vec(".{0,30}", 0..40), acts in proptest::collection::vec(0usize..15, 0..30), typed in any::<char>(), width in 0u16..130, height in 0u16..12
        ) {
            const ACTS: [Action; 15] = [Action::Up, Action::Down, Action::PageUp, Action::PageDown, Action::Home, Action::End, Action::Left, Action::Right,
                Action::Open, Action::Sort, Action::Filter, Action::Back, Action::HalfPageDown, Action::HalfPageUp, Action::Copy];
            let mut browser = Browser::new(width % 2 == 0);
            browser.set(Tree::new(paths.iter().map(|path| leaf(path, Mark::Added, 7)).collect()));
            for act in acts {
                if !browser.typed(KeyEvent::from(KeyCode::Char(typed))) {
                    browser.act(ACTS[act]);
                }
                drawn(&mut browser, width, height);
            }
        }
    }
}
