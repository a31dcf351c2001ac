//! Text marked with the mouse, on the screen and above it, and its way to the user's clipboard.

use super::terminal::Terminal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// The most text that goes to the clipboard; terminals drop longer sequences.
pub const CLIPBOARD: usize = 100 << 10;

/// A place in the text: line (counted from the first there ever was) and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// As [`Terminal::line_at`] gives it.
    pub line: u64,
    /// From 0.
    pub column: u16,
}

/// What a selection grows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Cell,
    Word,
    Line,
}

/// What is marked: from where the button went down to where the mouse is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    unit: Unit,
    anchor: (Point, Point),
    head: (Point, Point),
    generation: u64,
}

impl Selection {
    /// The button went down on a row and column of the view: for the first time (`clicks` 1), the second (a word) or
    /// the third (a line).
    pub fn begin(terminal: &mut Terminal, row: u16, column: u16, clicks: u8) -> Self {
        let unit = match clicks {
            0 | 1 => Unit::Cell,
            2 => Unit::Word,
            _ => Unit::Line,
        };
        let anchor = around(terminal, unit, row, column);
        Self { unit, anchor, head: anchor, generation: terminal.generation() }
    }

    /// The mouse moved there with the button down.
    pub fn extend(&mut self, terminal: &mut Terminal, row: u16, column: u16) {
        self.head = around(terminal, self.unit, row, column);
    }

    /// The first and last place that are marked.
    fn ends(&self) -> (Point, Point) {
        (self.anchor.0.min(self.head.0), self.anchor.1.max(self.head.1))
    }

    /// Whether the button only went down and up: a click marks nothing.
    pub fn is_empty(&self) -> bool {
        self.unit == Unit::Cell && self.anchor == self.head
    }

    /// Whether the text is no longer where it was marked.
    pub fn is_stale(&self, terminal: &Terminal) -> bool {
        self.generation != terminal.generation()
    }

    /// The columns that are marked in a line.
    pub fn columns(&self, terminal: &Terminal, line: u64) -> Option<Range<u16>> {
        let (first, last) = self.ends();
        if self.is_empty() || self.is_stale(terminal) || line < first.line || line > last.line {
            return None;
        }
        let from = if line == first.line { first.column } else { 0 };
        let to = if line == last.line { last.column.saturating_add(1) } else { u16::MAX };
        Some(from..to)
    }

    /// The text that is marked, without the blanks at its lines' ends; lines that only the edge broke are one.
    pub fn text(&self, terminal: &mut Terminal) -> String {
        let mut text = String::new();
        if self.is_empty() || self.is_stale(terminal) {
            return text;
        }
        let (first, last) = self.ends();
        let (oldest, newest) = terminal.lines();
        for number in first.line.max(oldest)..=last.line.min(newest) {
            let (Some(columns), Some((cells, wraps))) = (self.columns(terminal, number), terminal.line(number)) else { continue };
            let to = usize::from(columns.end).min(cells.len());
            let from = usize::from(columns.start).min(to);
            let goes_on = wraps && number < last.line;
            let part = cells[from..to].concat();
            text.push_str(if goes_on { &part } else { part.trim_end() });
            if !goes_on && number < last.line {
                text.push('\n');
            }
            if text.len() > 2 * CLIPBOARD {
                break;
            }
        }
        text
    }
}

/// What the unit takes in around a place.
fn around(terminal: &mut Terminal, unit: Unit, row: u16, column: u16) -> (Point, Point) {
    let (rows, columns) = terminal.size();
    let point = Point { line: terminal.line_at(row.min(rows - 1)), column: column.min(columns - 1) };
    match unit {
        Unit::Cell => whole_cell(terminal, point),
        Unit::Word => word(terminal, point),
        Unit::Line => line(terminal, point, columns),
    }
}

/// Both halves of a wide character.
fn whole_cell(terminal: &mut Terminal, point: Point) -> (Point, Point) {
    let Some((cells, _)) = terminal.line(point.line) else { return (point, point) };
    let at = usize::from(point.column);
    let is_second = |at: usize| cells.get(at).is_some_and(String::is_empty);
    let first = if is_second(at) { point.column.saturating_sub(1) } else { point.column };
    let last = if is_second(at + 1) { point.column + 1 } else { point.column };
    (Point { column: first, ..point }, Point { column: last, ..point })
}

/// What belongs to a name, a path, an address or an option.
fn is_of_word(text: &str) -> bool {
    text.chars().next().is_none_or(|c| c.is_alphanumeric() || "_-./~:@%+#?&=".contains(c))
}

fn word(terminal: &mut Terminal, point: Point) -> (Point, Point) {
    let Some((cells, _)) = terminal.line(point.line) else { return (point, point) };
    let at = usize::from(point.column).min(cells.len() - 1);
    if !is_of_word(&cells[at]) {
        return whole_cell(terminal, point);
    }
    let first = cells[..at].iter().rposition(|cell| !is_of_word(cell)).map_or(0, |gap| gap + 1);
    let last = cells[at..].iter().position(|cell| !is_of_word(cell)).map_or(cells.len(), |gap| at + gap) - 1;
    (Point { column: first as u16, ..point }, Point { column: last as u16, ..point })
}

/// The whole line, over the edges that broke it.
fn line(terminal: &mut Terminal, point: Point, columns: u16) -> (Point, Point) {
    let (oldest, newest) = terminal.lines();
    let goes_on = |terminal: &mut Terminal, line| terminal.line(line).is_some_and(|(_, wraps)| wraps);
    let (mut first, mut last) = (point.line, point.line);
    while first > oldest && goes_on(terminal, first - 1) {
        first -= 1;
    }
    while last < newest && goes_on(terminal, last) {
        last += 1;
    }
    (Point { line: first, column: 0 }, Point { line: last, column: columns - 1 })
}

/// The sequence that puts text on the clipboard of whoever looks at the real terminal (OSC 52); cut at the bound.
pub fn clipboard(text: &str) -> String {
    let mut end = text.len().min(CLIPBOARD);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("\x1b]52;c;{}\x1b\\", STANDARD.encode(&text[..end]))
}
