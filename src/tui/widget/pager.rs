//! Text to scroll in: logs that grow, documents; with search, wrapping, and a filter that leaves lines out.

use crate::text::{self, width};
use crate::tui::keymap::Action;
use crate::tui::theme::Theme;
use crate::tui::widget::input::Input;
use crate::tui::widget::rows::Rows;
use crossterm::event::{KeyCode, KeyEvent, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::collections::VecDeque;

/// What a line is, which its colour tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    #[default]
    Plain,
    /// Error output, a failure.
    Error,
    /// Beside the matter.
    Muted,
    /// A heading.
    Heading,
    /// Came.
    Added,
    /// Is another.
    Changed,
    /// Went.
    Removed,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Harmless text.
    pub text: String,
    /// When it was written; shown if the user wants it.
    pub time: String,
    /// What it is.
    pub kind: Kind,
}

impl Line {
    /// Text from outside, made harmless.
    pub fn new(words: &str, kind: Kind) -> Self {
        Self { text: text::clean(&words.replace('\t', "    ")).into_owned(), time: String::new(), kind }
    }
}

/// What keys are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typing {
    Search,
    Filter,
}

/// The text and where its user is in it.
#[derive(Debug)]
pub struct Pager {
    lines: VecDeque<Line>,
    most: usize,
    /// Lines that fell off at the beginning.
    dropped: u64,
    top: usize,
    left: usize,
    /// It grows: its end can be followed.
    grows: bool,
    follow: bool,
    wrap: bool,
    times: bool,
    search: Input,
    filter: Input,
    typing: Option<Typing>,
    area: Rect,
}

impl Pager {
    /// An empty one that keeps at most `most` lines; `follow` stays at the end as it grows.
    pub fn new(most: usize, follow: bool) -> Self {
        Self {
            lines: VecDeque::new(),
            most: most.max(1),
            dropped: 0,
            top: 0,
            left: 0,
            grows: follow,
            follow,
            wrap: false,
            times: false,
            search: Input::default(),
            filter: Input::default(),
            typing: None,
            area: Rect::default(),
        }
    }

    /// Takes all lines away.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.dropped = 0;
        self.top = 0;
    }

    /// Takes other lines in place of all; the place in them stays.
    pub fn set(&mut self, lines: impl IntoIterator<Item = Line>) {
        self.lines = lines.into_iter().take(self.most).collect();
        self.dropped = 0;
        self.top = self.top.min(self.lines.len().saturating_sub(1));
    }

    /// Appends lines; the oldest go when there are too many.
    pub fn extend(&mut self, lines: impl IntoIterator<Item = Line>) {
        for line in lines {
            if self.lines.len() == self.most {
                self.lines.pop_front();
                self.dropped += 1;
                self.top = self.top.saturating_sub(1);
            }
            self.lines.push_back(line);
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// All of it as text, with times if they are shown.
    pub fn text(&self) -> String {
        let mut all = String::new();
        for line in self.lines.iter().filter(|line| self.passes(line)) {
            all.push_str(&self.shown(line));
            all.push('\n');
        }
        all
    }

    fn shown<'a>(&self, line: &'a Line) -> std::borrow::Cow<'a, str> {
        if self.times && !line.time.is_empty() { format!("{} {}", line.time, line.text).into() } else { line.text.as_str().into() }
    }

    fn passes(&self, line: &Line) -> bool {
        self.filter.text().is_empty() || contains(&line.text, self.filter.text())
    }

    /// What stands beside the title.
    pub fn note(&self) -> String {
        let mut notes = Vec::new();
        let typing = |which| if self.typing == Some(which) { "▏" } else { "" };
        if self.typing == Some(Typing::Filter) || !self.filter.text().is_empty() {
            notes.push(format!("only {}{}", text::clean(self.filter.text()), typing(Typing::Filter)));
        }
        if self.typing == Some(Typing::Search) || !self.search.text().is_empty() {
            notes.push(format!("/{}{}", text::clean(self.search.text()), typing(Typing::Search)));
        }
        if self.dropped > 0 {
            notes.push(format!("{} earlier lines not kept", self.dropped));
        }
        if self.wrap {
            notes.push("wrap".to_owned());
        }
        if self.follow {
            notes.push("follow".to_owned());
        }
        notes.join("  ")
    }

    /// Takes a key for the search or the filter; false if it is none of its business.
    pub fn typed(&mut self, key: KeyEvent) -> bool {
        let Some(typing) = self.typing else { return false };
        let input = if typing == Typing::Search { &mut self.search } else { &mut self.filter };
        match key.code {
            KeyCode::Enter => {
                self.typing = None;
                if typing == Typing::Search {
                    self.find(true, true);
                }
            }
            KeyCode::Esc => {
                input.clear();
                self.typing = None;
            }
            _ => {
                input.typed(key);
            }
        }
        true
    }

    /// Pasted text goes into the search or the filter, if one is open.
    pub fn pasted(&mut self, words: &str) -> bool {
        match self.typing {
            Some(Typing::Search) => self.search.insert(words),
            Some(Typing::Filter) => self.filter.insert(words),
            None => return false,
        }
        true
    }

    /// Whether keys are taken for the search or the filter now.
    pub fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    /// Whether an action means something here.
    pub fn takes(&self, action: Action) -> bool {
        match action {
            Action::Wrap | Action::Filter | Action::Only => true,
            Action::Copy | Action::Save => !self.lines.is_empty(),
            Action::Left | Action::Right => !self.wrap,
            Action::Follow => self.grows,
            Action::Timestamps => self.lines.back().is_some_and(|line| !line.time.is_empty()),
            Action::NextHit | Action::PreviousHit => !self.search.text().is_empty(),
            Action::Back => !self.search.text().is_empty() || !self.filter.text().is_empty(),
            _ => Rows::takes(action),
        }
    }

    /// Does what a key stands for; false if it means nothing here.
    pub fn act(&mut self, action: Action) -> bool {
        let page = usize::from(self.area.height).max(1);
        match action {
            Action::Up => self.scroll(-1),
            Action::Down => self.scroll(1),
            Action::PageUp => self.scroll(-(page as isize)),
            Action::PageDown => self.scroll(page as isize),
            Action::HalfPageUp => self.scroll(-(page.div_ceil(2) as isize)),
            Action::HalfPageDown => self.scroll(page.div_ceil(2) as isize),
            Action::Left => self.left = self.left.saturating_sub(8),
            Action::Right => self.left = (self.left + 8).min(100_000),
            Action::Home => {
                self.follow = false;
                self.top = 0;
                self.left = 0;
            }
            Action::End => self.top = self.lines.len(),
            Action::Follow => self.follow = !self.follow,
            Action::Wrap => self.wrap = !self.wrap,
            Action::Timestamps => self.times = !self.times,
            Action::Filter => self.typing = Some(Typing::Search),
            Action::Only => self.typing = Some(Typing::Filter),
            Action::NextHit => self.find(true, false),
            Action::PreviousHit => self.find(false, false),
            Action::Back if !self.search.text().is_empty() => self.search.clear(),
            Action::Back if !self.filter.text().is_empty() => self.filter.clear(),
            _ => return false,
        }
        true
    }

    fn scroll(&mut self, by: isize) {
        if by < 0 {
            self.follow = false;
        }
        self.top = self.top.saturating_add_signed(by);
    }

    fn find(&mut self, forward: bool, here: bool) {
        let wanted = self.search.text().to_owned();
        if wanted.is_empty() {
            return;
        }
        let shown: Vec<usize> = (0..self.lines.len()).filter(|&index| self.passes(&self.lines[index])).collect();
        let hit = |&place: &usize| contains(&self.shown(&self.lines[shown[place]]), &wanted);
        let found = if forward { (self.top + usize::from(!here)..shown.len()).find(hit) } else { (0..self.top.min(shown.len())).rev().find(hit) };
        if let Some(place) = found {
            self.follow = false;
            self.top = place;
        }
    }

    /// Scrolls with the wheel.
    pub fn mouse(&mut self, event: MouseEvent) -> bool {
        if !self.area.contains(Position::new(event.column, event.row)) {
            return false;
        }
        match event.kind {
            MouseEventKind::ScrollUp => self.scroll(-3),
            MouseEventKind::ScrollDown => self.scroll(3),
            _ => return false,
        }
        true
    }

    fn pieces<'a>(&self, words: &'a str, columns: usize) -> Vec<&'a str> {
        if self.wrap { wrapped(words, columns) } else { vec![skipped(words, self.left)] }
    }

    /// Draws what fits.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, theme: &Theme) {
        self.area = area;
        // The last column is for the bar that tells where one is.
        let (columns, height) = (usize::from(area.width.saturating_sub(1)), usize::from(area.height));
        if columns == 0 || height == 0 {
            return;
        }
        let shown: Vec<usize> =
            if self.filter.text().is_empty() { Vec::new() } else { (0..self.lines.len()).filter(|&index| self.passes(&self.lines[index])).collect() };
        let count = if self.filter.text().is_empty() { self.lines.len() } else { shown.len() };
        let line = |place: usize| &self.lines[if self.filter.text().is_empty() { place } else { shown[place] }];
        // The last place from which the rest fills the area: no scrolling beyond it, and what following means.
        let mut last = count;
        let mut rows = 0;
        while last > 0 && rows < height {
            let more = self.pieces(&self.shown(line(last - 1)), columns).len();
            if rows + more > height && rows > 0 {
                break;
            }
            rows += more;
            last -= 1;
        }
        let top = if self.follow { last } else { self.top.min(last) };
        let wanted = self.search.text();
        let mut y = area.y;
        'lines: for place in top..count {
            let line = line(place);
            let words = self.shown(line);
            for piece in self.pieces(&words, columns) {
                if y == area.bottom() {
                    break 'lines;
                }
                buffer.set_stringn(area.x, y, piece, columns, style(theme, line.kind));
                highlight(buffer, Rect { width: area.width - 1, ..area }, y, piece, wanted, theme.hit(false));
                y += 1;
            }
        }
        self.top = top;
        super::frame::scrollbar(area, buffer, theme, count, top, count - last);
    }
}

fn style(theme: &Theme, kind: Kind) -> Style {
    match kind {
        Kind::Plain => theme.text(),
        Kind::Error => theme.failed(),
        Kind::Muted => theme.muted(),
        Kind::Heading => theme.header(),
        Kind::Added => theme.added(),
        Kind::Changed => theme.changed(),
        Kind::Removed => theme.removed(),
    }
}

/// Whether `words` hold `wanted`; capitals matter only where one was typed.
fn contains(words: &str, wanted: &str) -> bool {
    if wanted.chars().any(char::is_uppercase) { words.contains(wanted) } else { words.to_lowercase().contains(wanted) }
}

fn highlight(buffer: &mut Buffer, area: Rect, y: u16, piece: &str, wanted: &str, style: Style) {
    if wanted.is_empty() {
        return;
    }
    let folded;
    let piece = if wanted.chars().any(char::is_uppercase) {
        piece
    } else {
        folded = piece.to_lowercase();
        &folded
    };
    for (at, hit) in piece.match_indices(wanted).take(200) {
        let from = width::of(&piece[..at]) as u16;
        if from >= area.width {
            return;
        }
        let length = (width::of(hit) as u16).min(area.width - from);
        buffer.set_style(Rect { x: area.x + from, y, width: length, height: 1 }, style);
    }
}

/// A text without its first `columns` columns.
fn skipped(words: &str, columns: usize) -> &str {
    if columns == 0 {
        return words;
    }
    let mut used = 0;
    for (at, c) in words.char_indices() {
        if used >= columns {
            return &words[at..];
        }
        used += width::of(c.encode_utf8(&mut [0; 4]));
    }
    ""
}

/// A text in pieces of at most `columns` columns; at least one.
fn wrapped(words: &str, columns: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut from, mut used) = (0, 0);
    for (at, c) in words.char_indices() {
        let wide = width::of(c.encode_utf8(&mut [0; 4]));
        if used + wide > columns && at > from {
            pieces.push(&words[from..at]);
            (from, used) = (at, 0);
        }
        used += wide;
    }
    pieces.push(&words[from..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(pager: &mut Pager, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        pager.draw(area, &mut buffer, &Theme::default());
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end_matches([' ', '▐']).to_owned()).collect()
    }

    fn lines(count: usize) -> impl Iterator<Item = Line> {
        (0..count).map(|n| Line::new(&format!("line {n}"), Kind::Plain))
    }

    #[test]
    fn the_end_is_followed_until_someone_looks_back() {
        let mut pager = Pager::new(100, true);
        pager.extend(lines(10));
        assert_eq!(drawn(&mut pager, 20, 3), ["line 7", "line 8", "line 9"]);
        pager.act(Action::Up);
        pager.extend(lines(1));
        assert_eq!(drawn(&mut pager, 20, 3), ["line 6", "line 7", "line 8"]);
        pager.act(Action::Follow);
        assert_eq!(drawn(&mut pager, 20, 3)[2], "line 0");
    }

    #[test]
    fn the_oldest_go_and_it_is_said() {
        let mut pager = Pager::new(5, false);
        pager.extend(lines(12));
        assert!(pager.note().contains("7 earlier"), "{}", pager.note());
        assert_eq!(drawn(&mut pager, 20, 2)[0], "line 7");
    }

    #[test]
    fn long_lines_wrap_or_are_pushed_aside() {
        let mut pager = Pager::new(5, false);
        pager.extend([Line::new("日本語abc", Kind::Plain)]);
        pager.act(Action::Wrap);
        assert_eq!(drawn(&mut pager, 6, 3), ["日 本 ", "語 abc", ""].map(|row| row.trim_end().to_owned()));
        pager.act(Action::Wrap);
        pager.act(Action::Right);
        assert_eq!(drawn(&mut pager, 20, 1)[0], "c");
    }

    #[test]
    fn what_is_sought_is_found_and_what_is_filtered_goes() {
        let mut pager = Pager::new(100, false);
        pager.extend(lines(50));
        pager.act(Action::Filter);
        for c in "LINE 3".to_lowercase().chars() {
            pager.typed(KeyEvent::from(KeyCode::Char(c)));
        }
        pager.typed(KeyEvent::from(KeyCode::Enter));
        assert_eq!(drawn(&mut pager, 20, 1)[0], "line 3");
        pager.act(Action::NextHit);
        assert_eq!(drawn(&mut pager, 20, 1)[0], "line 30");
        pager.act(Action::Only);
        pager.pasted("9");
        assert_eq!(drawn(&mut pager, 20, 9)[0], "line 9");
        assert_eq!(pager.text().lines().count(), 5);
    }

    proptest! {
        #[test]
        fn no_text_at_no_size_breaks_it(words in proptest::collection::vec(".{0,40}", 0..30), acts in proptest::collection::vec(0usize..14, 0..20), width in 0u16..30, height in 0u16..10) {
            const ACTS: [Action; 14] = [Action::Up, Action::Down, Action::PageUp, Action::PageDown, Action::Home, Action::End, Action::Left, Action::Right,
                Action::Follow, Action::Wrap, Action::NextHit, Action::PreviousHit, Action::Back, Action::HalfPageDown];
            let mut pager = Pager::new(20, true);
            pager.search.insert("a");
            pager.extend(words.iter().map(|words| Line::new(words, Kind::Plain)));
            for act in acts {
                pager.act(ACTS[act]);
                drawn(&mut pager, width, height);
            }
        }
    }
}
