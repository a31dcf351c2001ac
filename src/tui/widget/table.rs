//! A table that is walked, sorted, filtered and marked by key or mouse; its selection follows a row, not a place.

use crate::text;
use crate::tui::keymap::Action;
use crate::tui::theme::Theme;
use crate::tui::widget::input::Input;
use crate::tui::widget::rows::{Hit, Rows};
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The columns between two cells.
const GAP: u16 = 2;
/// A column that may be so much wider than its least holds text of any length.
const LONG: u16 = 20;
/// From this `sheds` on a column goes before others are squeezed.
const MISSED_LEAST: u8 = 5;

/// A column: what stands above it and how it behaves where room is short.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading, also its name in the configuration.
    pub title: &'static str,
    /// The least that is worth showing, in columns of the terminal.
    pub least: u16,
    /// The most it takes.
    pub most: u16,
    /// Numbers stand at its right edge.
    pub right: bool,
    /// Where room is short the column with the highest number goes first; 0 never goes.
    pub sheds: u8,
}

/// What a row is sorted by in one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Sort {
    /// By letters, without regard to their case.
    Text(String),
    /// By size; what is not known comes last.
    Number(Option<f64>),
}

impl Sort {
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(two)) => match (one, two) {
                (Some(one), Some(two)) => one.total_cmp(two),
                (one, two) => one.is_some().cmp(&two.is_some()),
            },
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// A cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Harmless text.
    pub text: String,
    /// Over the row's own style.
    pub style: Style,
    /// What it is sorted by.
    pub sort: Sort,
    /// Where room is short its beginning goes, not its end.
    pub keeps_end: bool,
}

impl Cell {
    /// Text from outside, made harmless, sorted by its letters.
    pub fn text(words: &str, style: Style) -> Self {
        let text = text::clean(words).into_owned();
        Self { sort: Sort::Text(text.to_lowercase()), text, style, keeps_end: false }
    }

    /// Text that stands for a number.
    pub fn number(words: impl Into<String>, value: Option<f64>, style: Style) -> Self {
        Self { text: words.into(), style, sort: Sort::Number(value), keeps_end: false }
    }

    /// The name of an image: its end tells more than the registry at its beginning.
    pub fn image(name: &str, style: Style) -> Self {
        Self { keeps_end: true, ..Self::text(name, style) }
    }
}

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is, the same from one look to the next.
    pub key: String,
    /// One for each column.
    pub cells: Vec<Cell>,
}

/// The table, with what its user did to it.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// The widest cell of each column, measured once for all drawings of the same rows.
    contents: Vec<u16>,
    /// Those that the filter lets through, in their order.
    shown: Vec<usize>,
    selected: Option<String>,
    /// Where among the rows one is.
    pub(in crate::tui) place: Rows,
    sort: Option<(usize, bool)>,
    filter: Input,
    filtering: bool,
    /// Rows can be marked.
    marking: bool,
    marks: BTreeSet<String>,
}

impl Table {
    /// An empty table; `sort` is the column it is sorted by at first, and whether downwards.
    pub fn new(columns: impl Into<Vec<Column>>, sort: Option<(usize, bool)>) -> Self {
        let columns = columns.into();
        Self {
            contents: vec![0; columns.len()],
            columns,
            rows: Vec::new(),
            shown: Vec::new(),
            selected: None,
            place: Rows::default(),
            sort,
            filter: Input::default(),
            filtering: false,
            marking: true,
            marks: BTreeSet::new(),
        }
    }

    /// The same without marks: nothing is done to several rows at once.
    #[must_use]
    pub fn without_marks(self) -> Self {
        Self { marking: false, ..self }
    }

    /// Takes new rows; the selection stays with its row, or with its place if the row is gone.
    pub fn set(&mut self, rows: Vec<Row>) {
        self.rows = rows;
        let rows = &self.rows;
        let widest = |column: usize| rows.iter().map(|row| text::width::of(&row.cells[column].text)).max().unwrap_or(0);
        self.contents = (0..self.columns.len()).map(|column| widest(column).min(usize::from(u16::MAX)) as u16).collect();
        self.marks.retain(|mark| rows.iter().any(|row| row.key == *mark));
        self.arrange();
    }

    fn arrange(&mut self) {
        let wanted = self.filter.text().to_lowercase();
        let words: Vec<&str> = wanted.split_whitespace().collect();
        let fits = |row: &Row| words.iter().all(|word| row.cells.iter().any(|cell| cell.text.to_lowercase().contains(word)));
        self.shown = (0..self.rows.len()).filter(|&index| fits(&self.rows[index])).collect();
        if let Some((column, down)) = self.sort {
            let rows = &self.rows;
            self.shown.sort_by(|&one, &two| {
                let order = rows[one].cells[column].sort.order(&rows[two].cells[column].sort);
                if down { order.reverse() } else { order }
            });
        }
        let same = self.selected.as_ref().and_then(|key| self.shown.iter().position(|&index| self.rows[index].key == *key));
        self.place.at = same.unwrap_or(self.place.at).min(self.shown.len().saturating_sub(1));
        self.follow();
    }

    /// The key of the selected row.
    pub fn selected(&self) -> Option<&str> {
        self.selected.as_deref()
    }

    /// Selects a row by its key, if it is there.
    pub fn select(&mut self, key: &str) {
        self.selected = Some(key.to_owned());
        self.arrange();
    }

    /// The keys an action takes: those marked, or the selected one.
    pub fn chosen(&self) -> Vec<String> {
        if self.marks.is_empty() { self.selected.iter().cloned().collect() } else { self.marks.iter().cloned().collect() }
    }

    /// The marks, to be put back with [`Table::mark`].
    pub fn marks(&self) -> BTreeSet<String> {
        self.marks.clone()
    }

    /// Marks these rows and no others.
    pub fn mark(&mut self, marks: BTreeSet<String>) {
        self.marks = marks;
    }

    /// Takes all marks away.
    pub fn unmark(&mut self) {
        self.marks.clear();
    }

    /// How many rows there are, and how many the filter lets through.
    pub fn counts(&self) -> (usize, usize) {
        (self.rows.len(), self.shown.len())
    }

    /// What stands beside the title: the filter and the marks.
    pub fn note(&self) -> String {
        let mut note = String::new();
        if self.filtering || !self.filter.text().is_empty() {
            note = format!("/{} ({}/{})", text::clean(self.filter.text()), self.shown.len(), self.rows.len());
        }
        if !self.marks.is_empty() {
            note = format!("{note}{}{} marked", if note.is_empty() { "" } else { "  " }, self.marks.len());
        }
        note
    }

    /// Whether keys are taken for the filter now.
    pub fn is_filtering(&self) -> bool {
        self.filtering
    }

    /// Takes a key for the filter; false if it is none of its business.
    pub fn typed(&mut self, key: KeyEvent) -> bool {
        if !self.filtering {
            return false;
        }
        match key.code {
            crossterm::event::KeyCode::Enter => self.filtering = false,
            crossterm::event::KeyCode::Esc => {
                self.filtering = false;
                self.filter.clear();
            }
            crossterm::event::KeyCode::Up | crossterm::event::KeyCode::Down => return false,
            _ => {
                self.filter.typed(key);
            }
        }
        self.arrange();
        true
    }

    /// Pasted text goes into the filter, if that is open.
    pub fn pasted(&mut self, words: &str) -> bool {
        if self.filtering {
            self.filter.insert(words);
            self.arrange();
        }
        self.filtering
    }

    /// Whether an action means something here.
    pub fn takes(&self, action: Action) -> bool {
        match action {
            Action::Filter | Action::Sort | Action::ReverseSort => true,
            Action::Mark | Action::MarkAll => self.marking,
            Action::Back => !self.filter.text().is_empty() || !self.marks.is_empty(),
            _ => Rows::takes(action),
        }
    }

    /// Does what a key stands for; false if it means nothing here.
    pub fn act(&mut self, action: Action) -> bool {
        if self.place.act(action, self.shown.len()) {
            self.follow();
            return true;
        }
        self.change(action)
    }

    fn change(&mut self, action: Action) -> bool {
        match action {
            Action::Filter => self.filtering = true,
            Action::Mark if self.marking => {
                if let Some(key) = self.selected.clone()
                    && !self.marks.remove(&key)
                {
                    self.marks.insert(key);
                }
                self.act(Action::Down);
            }
            Action::MarkAll if self.marking => {
                let all: BTreeSet<String> = self.shown.iter().map(|&index| self.rows[index].key.clone()).collect();
                self.marks = if self.marks == all { BTreeSet::new() } else { all };
            }
            Action::Sort => {
                let next = self.sort.map_or(0, |(column, _)| (column + 1) % self.columns.len());
                self.sort = Some((next, false));
                self.arrange();
            }
            Action::ReverseSort => {
                self.sort = Some(self.sort.map_or((0, true), |(column, down)| (column, !down)));
                self.arrange();
            }
            Action::Back if !self.filter.text().is_empty() => {
                self.filter.clear();
                self.arrange();
            }
            Action::Back if !self.marks.is_empty() => self.marks.clear(),
            _ => return false,
        }
        true
    }

    /// Selects the row at the place.
    fn follow(&mut self) {
        self.selected = self.shown.get(self.place.at).map(|&index| self.rows[index].key.clone());
    }

    /// Does what the mouse did.
    pub fn mouse(&mut self, event: MouseEvent) -> Hit {
        let hit = self.place.mouse(event, self.shown.len());
        self.follow();
        hit
    }

    /// The widths of the columns that fit into `room`; 0 for one that does not. First those that hold long text give, then
    /// what is missed the least goes, then all give, and at last more goes.
    fn widths(&self, room: u16) -> Vec<u16> {
        // The arrow of the sorting stands behind the title.
        let arrow = |index: usize| if self.sort.is_some_and(|(by, _)| by == index) { 2 } else { 0 };
        // Numbers change from one look to the next, and are not to move what stands beside them.
        let steady = |column: &Column| if column.right { column.least } else { 0 };
        let wanted = |(index, column): (usize, &Column)| self.contents[index].max(text::width::of(column.title) as u16 + arrow(index)).max(steady(column));
        let full: Vec<u16> = self.columns.iter().enumerate().map(wanted).collect();
        let mut widths: Vec<u16> =
            full.iter().zip(&self.columns).map(|(&full, column)| full.min(column.most.max(text::width::of(column.title) as u16 + 2))).collect();
        let floors: Vec<u16> = widths.iter().zip(&self.columns).map(|(&width, column)| width.min(column.least)).collect();
        let is_long = |index: usize| self.columns[index].most - self.columns[index].least >= LONG;
        // Words that nobody has are missed the least; numbers may only be unknown yet.
        let is_bare = |index: usize| self.columns[index].sheds > 0 && !self.columns[index].right && self.contents[index] == 0;
        let sheds = |index: usize| if is_bare(index) { u8::MAX } else { self.columns[index].sheds };
        let total = |widths: &[u16]| widths.iter().filter(|width| **width > 0).map(|width| width + GAP).sum::<u16>().saturating_sub(GAP);
        while total(&widths) > room {
            let over = total(&widths) - room;
            let slack = |index: &usize| widths[*index].saturating_sub(floors[*index]);
            let giver = |long: bool| (0..widths.len()).filter(|index| is_long(*index) == long && slack(index) > 0).max_by_key(slack);
            let goer = |least: u8| (0..widths.len()).filter(|&index| widths[index] > 0 && sheds(index) >= least).max_by_key(|&index| sheds(index));
            if let Some(index) = giver(true) {
                widths[index] -= over.min(slack(&index).div_ceil(2));
            } else if let Some(index) = goer(MISSED_LEAST) {
                widths[index] = 0;
            } else if let Some(index) = giver(false) {
                widths[index] -= over.min(slack(&index).div_ceil(2));
            } else if let Some(index) = goer(1) {
                widths[index] = 0;
            } else {
                break;
            }
        }
        // What went for the sake of one that went later may have its room now.
        let mut gone: Vec<usize> = (0..widths.len()).filter(|&index| widths[index] == 0).collect();
        gone.sort_by_key(|&index| sheds(index));
        for index in gone {
            if total(&widths) + GAP + floors[index] <= room {
                widths[index] = floors[index];
            }
        }
        // What is left goes to those that are cut.
        for index in 0..widths.len() {
            let left = room.saturating_sub(total(&widths));
            let cut = if widths[index] == 0 { 0 } else { full[index].saturating_sub(widths[index]) };
            widths[index] += cut.min(left);
        }
        widths
    }

    /// Draws it.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, theme: &Theme, focused: bool) {
        if area.height == 0 || area.width < 2 {
            return;
        }
        // Room at both sides: for marks, and for the bar that tells where one is.
        let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
        self.place.show(Rect { y: area.y + 1, height: area.height - 1, ..area }, self.shown.len());
        let (body, top) = (self.place.body, self.place.top);
        let height = usize::from(body.height);
        let widths = self.widths(inner.width);
        let spans = spans(inner, &widths);
        for &(index, x, width) in &spans {
            let column = &self.columns[index];
            let arrow = match self.sort {
                Some((by, down)) if by == index => {
                    if down {
                        " ↓"
                    } else {
                        " ↑"
                    }
                }
                _ => "",
            };
            put(buffer, x, inner.y, width, column.right, &format!("{}{arrow}", column.title), theme.header());
        }
        for (line, &index) in self.shown.iter().skip(top).take(height).enumerate() {
            let row = &self.rows[index];
            let y = body.y + line as u16;
            let selected = top + line == self.place.at;
            let marked = self.marks.contains(&row.key);
            if selected {
                buffer.set_style(Rect { y, height: 1, ..area }, theme.selection(focused));
            }
            if marked {
                buffer.set_string(area.x, y, "▌", theme.marked());
            }
            for &(column, x, width) in &spans {
                let cell = &row.cells[column];
                let style = match (selected && focused, marked) {
                    (true, _) => theme.selection(true),
                    (false, true) => theme.marked(),
                    (false, false) => cell.style,
                };
                let words = if cell.keeps_end { text::truncate_start(&cell.text, usize::from(width)) } else { cell.text.as_str().into() };
                put(buffer, x, y, width, self.columns[column].right, &words, style);
            }
        }
        super::frame::scrollbar(body, buffer, theme, self.shown.len(), top, height);
    }
}

/// Where the columns that fit stand: each one's number, place and width.
fn spans(inner: Rect, widths: &[u16]) -> Vec<(usize, u16, u16)> {
    let mut x = inner.x;
    let mut spans = Vec::new();
    for (index, &width) in widths.iter().enumerate().filter(|(_, width)| **width > 0) {
        let width = width.min((inner.x + inner.width).saturating_sub(x));
        if width == 0 {
            break;
        }
        spans.push((index, x, width));
        x += width + GAP;
    }
    spans
}

/// Text in a field of `width` columns, cut with an ellipsis, at its right edge if so wanted.
pub fn put(buffer: &mut Buffer, x: u16, y: u16, width: u16, right: bool, words: &str, style: Style) {
    let words = text::truncate(words, usize::from(width));
    let used = text::width::of(&words) as u16;
    let from = if right { x + width.saturating_sub(used) } else { x };
    buffer.set_stringn(from, y, &words, usize::from(width), style);
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { title: "NAME", least: 8, most: 30, right: false, sheds: 0 },
        Column { title: "CPU", least: 6, most: 7, right: true, sheds: 1 },
        Column { title: "COMMAND", least: 12, most: 40, right: false, sheds: 6 },
        Column { title: "PIDS", least: 4, most: 6, right: true, sheds: 7 },
    ];

    fn drawn(table: &mut Table, width: u16) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 2));
        table.draw(buffer.area, &mut buffer, &Theme::default(), true);
        (0..2).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned()).collect()
    }

    fn table(name: Cell, cpu: &str, command: &str) -> Table {
        let mut table = Table::new(COLUMNS, None);
        let style = Style::new();
        table.set(vec![Row {
            key: "1".to_owned(),
            cells: vec![name, Cell::number(cpu, None, style), Cell::text(command, style), Cell::number("3", None, style)],
        }]);
        table
    }

    #[test]
    fn numbers_move_nothing_as_they_change() {
        let names = || Cell::text("web", Style::new());
        assert_eq!(drawn(&mut table(names(), "0.1%", "sh"), 40), [" NAME     CPU  COMMAND  PIDS", " web     0.1%  sh          3"]);
        assert_eq!(drawn(&mut table(names(), "100.0%", "sh"), 40)[0], " NAME     CPU  COMMAND  PIDS");
    }

    #[test]
    fn columns_give_go_come_back_and_take_what_is_left() {
        let long = "c".repeat(60);
        let mut wide = table(Cell::text("web", Style::new()), "0.1%", &long);
        assert_eq!(drawn(&mut wide, 90)[1], format!(" web     0.1%  {long}     3"));
        assert_eq!(drawn(&mut wide, 34)[1], format!(" web     0.1%  {}…     3", "c".repeat(11)));
        assert_eq!(drawn(&mut wide, 30)[1], format!(" web     0.1%  {}…", "c".repeat(13)));
        // The command is missed more than the number of processes; where it finds no room, that may have some.
        assert_eq!(drawn(&mut wide, 24)[0], " NAME     CPU  PIDS");
        assert_eq!(drawn(&mut wide, 14)[0], " NAME     CPU");
        // Words that nobody has go first.
        assert_eq!(drawn(&mut table(Cell::text("web", Style::new()), "", ""), 22)[0], " NAME     CPU  PIDS");
    }

    #[test]
    fn of_an_image_the_end_stays() {
        let mut table = table(Cell::image("registry.example/tools:1", Style::new()), "", "");
        assert_eq!(drawn(&mut table, 18)[1], " …tools:1");
    }
}
