//! A console's lines for another width: those that only the edge broke are joined and broken anew.
//!
//! The emulator would cut lines off where its screen gets narrower, and leave them cut where it gets wider. So what it
//! holds is written into a new one, as a program would write it. The cursor, the saved one and the line that one looks at
//! stay with their text; margins go, as they go in other terminals, too.
//!
//! Two kinds of lines stay broken where there is more room: the one that the cursor is in, and one that was broken before
//! a wide character, with a column left over, of which the emulator does not know that it goes on.

use std::ops::Range;
use vt100::{Cell, Color, Parser, Screen};

/// A place in all lines, of which the first above the screen is the first: row and column.
type Place = (usize, usize);

/// Which of the places that are followed is which: the cursor, the saved one, the screen's and the view's first row.
const CURSOR: usize = 0;
const SAVED: usize = 1;
const TOP: usize = 2;
const VIEW: usize = 3;

/// A new emulator of this size with all that `old` holds, with at most `limit` lines above its screen, and how many lines
/// its view is to be scrolled back, after `back` in the old one.
pub fn reflow(old: &mut Parser, (rows, columns): (u16, u16), limit: usize, back: usize) -> (Parser, usize) {
    let mut new = Parser::new(rows, columns, limit);
    let screen = old.screen();
    let state = [screen.input_mode_formatted(), screen.attributes_formatted(), if screen.hide_cursor() { b"\x1b[?25l".to_vec() } else { Vec::new() }].concat();
    let alternate = screen.alternate_screen();
    // Both screens, whichever is shown: what is on the other one may come back.
    old.process(b"\x1b[?47h");
    new.process(b"\x1b[?47h");
    cut(old, &mut new);
    old.process(b"\x1b[?47l");
    new.process(b"\x1b[?47l");
    let back = join(old, &mut new, back);
    if alternate {
        new.process(b"\x1b[?47h");
    }
    new.process(&state);
    (new, back)
}

/// The second screen has no lines that go on: its program draws it anew for the new size.
fn cut(old: &mut Parser, new: &mut Parser) {
    let (rows, columns) = new.screen().size();
    let mut pen = Pen::new(columns);
    for row in 0..rows.min(old.screen().size().0) {
        pen.bytes.extend_from_slice(format!("\x1b[{}H", row + 1).as_bytes());
        let (cells, _) = line(old.screen(), row);
        // A wide character that the edge would cut in two is left out.
        let fits = |(column, cell): &(usize, &Cell)| column + width(cell) <= usize::from(columns);
        cells.iter().enumerate().filter(fits).for_each(|(_, cell)| pen.cell(cell));
    }
    new.process(&pen.bytes);
    let (cursor, saved, style) = cursors(old);
    stand(new, saved);
    new.process(&[&style, &b"\x1b7"[..]].concat());
    stand(new, cursor);
}

/// The first screen, with the lines above it.
fn join(old: &mut Parser, new: &mut Parser, back: usize) -> usize {
    let (cursor, saved, style) = cursors(old);
    old.screen_mut().set_scrollback(usize::MAX);
    let (above, rows) = (old.screen().scrollback(), usize::from(new.screen().size().0));
    let read = |old: &mut Parser, row: usize| {
        old.screen_mut().set_scrollback(above.saturating_sub(row));
        line(old.screen(), row.saturating_sub(above) as u16)
    };
    // Blank rows at the end only fill the screen.
    let end = above + usize::from(old.screen().size().0);
    let least = above + usize::from(cursor.0);
    let used = (least + 1..end).rev().find(|&row| !read(old, row).0.is_empty()).unwrap_or(least) + 1;
    let on_screen = |(row, column): (u16, u16)| (above + usize::from(row), usize::from(column));
    let mut pen = Pen::new(new.screen().size().1);
    pen.old = [on_screen(cursor), on_screen(saved), (above, 0), (above.saturating_sub(back), 0)];
    // The line of the cursor gets no fewer rows: shells that edit it go up as many as they wrote, and write it again.
    let (mut typed, is_wider) = (least..least, new.screen().size().1 > old.screen().size().1);
    while is_wider && typed.start > 0 && read(old, typed.start - 1).1 {
        typed.start -= 1;
    }
    while is_wider && typed.end < used && read(old, typed.end).1 {
        typed.end += 1;
    }
    let mut row = 0;
    while row < used && !pen.is_full {
        let (cells, goes_on) = read(old, row);
        pen.row(row, rows, &cells);
        row += 1;
        if (!goes_on || typed.contains(&(row - 1))) && row < used {
            pen.next_row(b"\r\n");
        }
        new.process(&pen.bytes);
        pen.bytes.clear();
    }
    // What is left out lies below the screen.
    let (used, end) = (row, if pen.is_full { row } else { end });
    if pen.old[SAVED].0 >= used {
        pen.new[SAVED] = (pen.at.0 + 1 + pen.old[SAVED].0 - used, pen.old[SAVED].1.min(pen.columns - 1));
    }
    // A full screen stays full: lines above it come down. One with room keeps its first row, as after `clear`.
    let written = pen.at.0 + 1;
    let lowest = written.saturating_sub(rows);
    let top = if used == end { lowest } else { lowest.max(pen.new[TOP].0) };
    new.process(&b"\r\n".repeat(top + rows - written));
    let place = |which: usize| ((pen.new[which].0.saturating_sub(top)) as u16, pen.new[which].1 as u16);
    stand(new, place(SAVED));
    new.process(&[&style, &b"\x1b7"[..]].concat());
    stand(new, place(CURSOR));
    if let Some(cell) = &pen.edge {
        // Behind the last column there is no place to go to: only who writes the last character stands there.
        new.process(format!("\x1b[{}G", usize::from(new.screen().size().1) + 1 - width(cell)).as_bytes());
        let mut edge = Pen::new(new.screen().size().1);
        edge.cell(cell);
        new.process(&edge.bytes);
    }
    if back == 0 { 0 } else { top.saturating_sub(pen.new[VIEW].0) }
}

/// The cursor, the saved one, and the attributes saved with it. The emulator's own cursor is moved by it.
fn cursors(old: &mut Parser) -> ((u16, u16), (u16, u16), Vec<u8>) {
    let cursor = old.screen().cursor_position();
    old.process(b"\x1b8");
    (cursor, old.screen().cursor_position(), old.screen().attributes_formatted())
}

fn stand(new: &mut Parser, (row, column): (u16, u16)) {
    new.process(format!("\x1b[{};{}H", row + 1, column + 1).as_bytes());
}

/// The cells of a row of the view, and whether its line goes on in the next one; blanks at the end of a line are left out.
fn line(screen: &Screen, row: u16) -> (Vec<Cell>, bool) {
    let mut cells: Vec<Cell> = (0..screen.size().1).map_while(|column| screen.cell(row, column).cloned()).collect();
    let goes_on = screen.row_wrapped(row);
    let is_blank = |cell: &Cell| {
        let bare = matches!(cell.contents(), "" | " ") && !cell.is_wide_continuation();
        bare && cell.bgcolor() == Color::Default && !cell.inverse() && !cell.underline()
    };
    while !goes_on && cells.last().is_some_and(is_blank) {
        cells.pop();
    }
    (cells, goes_on)
}

fn width(cell: &Cell) -> usize {
    if cell.is_wide() { 2 } else { 1 }
}

/// Colours and attributes.
type Look = (Color, Color, [bool; 5]);

fn look(cell: &Cell) -> Look {
    (cell.fgcolor(), cell.bgcolor(), [cell.bold(), cell.dim(), cell.italic(), cell.underline(), cell.inverse()])
}

/// Writes cells as a program would, and follows where places of the old lines come to lie.
struct Pen {
    columns: usize,
    bytes: Vec<u8>,
    at: Place,
    look: Option<Look>,
    old: [Place; 4],
    new: [Place; 4],
    /// The character before the cursor, if that stands behind the last column.
    edge: Option<Cell>,
    /// The last row that finds room on the screen with the cursor's own.
    last: usize,
    /// There was more than finds room.
    is_full: bool,
}

impl Pen {
    fn new(columns: u16) -> Self {
        Self {
            columns: usize::from(columns),
            bytes: Vec::new(),
            at: (0, 0),
            look: None,
            old: [(0, 0); 4],
            new: [(0, 0); 4],
            edge: None,
            last: usize::MAX,
            is_full: false,
        }
    }

    /// The places in these columns of a row are here now.
    fn meet(&mut self, row: usize, columns: &Range<usize>) {
        for (old, new) in self.old.iter().zip(&mut self.new) {
            if old.0 == row && columns.contains(&old.1) {
                *new = self.at;
            }
        }
    }

    /// Goes to the next row by these bytes, unless there is no room for one.
    fn next_row(&mut self, by: &[u8]) {
        self.is_full |= self.at.0 >= self.last;
        if !self.is_full {
            self.bytes.extend_from_slice(by);
            self.at = (self.at.0 + 1, 0);
        }
    }

    /// Writes a row of a screen with so many `rows`, as far as there is room below the cursor.
    fn row(&mut self, row: usize, rows: usize, cells: &[Cell]) {
        for (column, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_wide_continuation()) {
            if self.at.1 + width(cell) > self.columns {
                self.next_row(b"");
            }
            if self.is_full {
                return;
            }
            self.meet(row, &(column..column + width(cell)));
            if row == self.old[CURSOR].0 && (column..column + width(cell)).contains(&self.old[CURSOR].1) {
                self.last = self.at.0 + rows - 1;
            }
            self.cell(cell);
            self.at.1 += width(cell);
        }
        if cells.is_empty() && self.at.1 == self.columns {
            // The line goes on, if with nothing: a blank takes the next row for it.
            self.next_row(b"\x1b[0m ");
            self.look = None;
        }
        if row == self.old[CURSOR].0 && self.old[CURSOR].1 >= cells.len() {
            self.last = self.at.0 + rows - 1;
        }
        // What lies behind the end of a line stays as far behind it as there is room.
        for which in 0..self.old.len() {
            let (of, column) = self.old[which];
            if of == row && column >= cells.len() {
                let behind = (self.at.1 + column - cells.len()).min(self.columns - 1);
                let is_edge = column == cells.len() && self.at.1 == self.columns;
                self.new[which] = (self.at.0, if is_edge { self.columns - 1 } else { behind });
                if which == CURSOR && is_edge {
                    self.edge = cells.iter().rfind(|cell| !cell.is_wide_continuation()).cloned();
                }
            }
        }
    }

    fn cell(&mut self, cell: &Cell) {
        if cell.is_wide_continuation() {
            return;
        }
        let new = look(cell);
        if self.look.replace(new) != Some(new) {
            self.bytes.extend_from_slice(b"\x1b[0");
            let attributes = ["1", "2", "3", "4", "7"].into_iter().zip(new.2).filter(|(_, is_set)| *is_set).map(|(number, _)| number.to_owned());
            let colours = [(38, new.0), (48, new.1)].into_iter().filter_map(|(number, colour)| match colour {
                Color::Default => None,
                Color::Idx(index) => Some(format!("{number};5;{index}")),
                Color::Rgb(red, green, blue) => Some(format!("{number};2;{red};{green};{blue}")),
            });
            attributes.chain(colours).for_each(|words| self.bytes.extend_from_slice(format!(";{words}").as_bytes()));
            self.bytes.push(b'm');
        }
        self.bytes.extend_from_slice(if cell.has_contents() { cell.contents() } else { " " }.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn screen(parser: &Parser) -> Vec<String> {
        parser.screen().rows(0, 1000).map(|row| row.trim_end().to_owned()).collect()
    }

    /// All lines, whole: where one ends and the next begins.
    fn whole(parser: &mut Parser) -> Vec<String> {
        parser.screen_mut().set_scrollback(usize::MAX);
        let above = parser.screen().scrollback();
        let mut lines = vec![String::new()];
        for row in 0..above + usize::from(parser.screen().size().0) {
            parser.screen_mut().set_scrollback(above.saturating_sub(row));
            let (cells, goes_on) = line(parser.screen(), row.saturating_sub(above) as u16);
            let words: String =
                cells.iter().filter(|cell| !cell.is_wide_continuation()).map(|cell| if cell.has_contents() { cell.contents() } else { " " }).collect();
            if let Some(last) = lines.last_mut() {
                last.push_str(&words);
            }
            if !goes_on {
                lines.push(String::new());
            }
        }
        parser.screen_mut().set_scrollback(0);
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
        lines.iter().map(|line| line.trim_end().to_owned()).collect()
    }

    fn fed(rows: u16, columns: u16, bytes: &[u8]) -> Parser {
        let mut parser = Parser::new(rows, columns, 50);
        parser.process(bytes);
        parser
    }

    fn resized(mut parser: Parser, rows: u16, columns: u16) -> Parser {
        reflow(&mut parser, (rows, columns), 50, 0).0
    }

    #[test]
    fn what_the_edge_broke_is_joined_and_what_a_program_ended_is_not() {
        let narrow = resized(fed(4, 10, b"abcdefghijkl\r\n0123456789\r\n$ "), 6, 6);
        assert_eq!(screen(&narrow), ["abcdef", "ghijkl", "012345", "6789", "$", ""]);
        assert_eq!(narrow.screen().cursor_position(), (4, 2));
        let wide = resized(narrow, 6, 20);
        assert_eq!(screen(&wide), ["abcdefghijkl", "0123456789", "$", "", "", ""]);
        assert_eq!(wide.screen().cursor_position(), (2, 2));
    }

    #[test]
    fn a_full_screen_stays_full_and_a_cleared_one_stays_clear() {
        let lines = (0..9).map(|n| format!("line {n}\r\n")).collect::<Vec<_>>().concat();
        let small = resized(fed(10, 10, format!("{lines}$ ").as_bytes()), 4, 10);
        assert_eq!(screen(&small), ["line 6", "line 7", "line 8", "$"]);
        assert_eq!(screen(&resized(small, 6, 10)), ["line 4", "line 5", "line 6", "line 7", "line 8", "$"]);
        let cleared = resized(fed(4, 10, format!("{lines}\x1b[H\x1b[2J$ ").as_bytes()), 6, 5);
        assert_eq!((screen(&cleared)[0].as_str(), cleared.screen().cursor_position()), ("$", (0, 2)));
        // A cursor that was saved further below holds nothing.
        let mut cleared = resized(fed(4, 10, format!("{lines}\x1b[4;9H\x1b7\x1b[H\x1b[2J$ ").as_bytes()), 6, 5);
        assert_eq!((screen(&cleared)[0].as_str(), cleared.screen().cursor_position()), ("$", (0, 2)));
        cleared.process(b"\x1b8");
        assert_eq!(cleared.screen().cursor_position(), (3, 4));
    }

    #[test]
    fn the_cursor_stays_with_its_line_though_much_stands_below_it() {
        let menu = (0..5).map(|n| format!("\r\nchoice {n}")).collect::<Vec<_>>().concat();
        let parser = fed(6, 10, format!("old\r\n\x1b[H\x1b[2J$ now\x1b7{menu}\x1b8").as_bytes());
        let narrow = resized(parser, 6, 6);
        assert_eq!(screen(&narrow), ["$ now", "choice", " 0", "choice", " 1", "choice"]);
        assert_eq!(narrow.screen().cursor_position(), (0, 5));
        let wide = resized(narrow, 6, 10);
        assert_eq!((screen(&wide)[..2].join("|"), wide.screen().cursor_position().0), ("$ now|choice 0".to_owned(), 0));
    }

    #[test]
    fn colours_modes_and_both_cursors_stay() {
        let mut parser = fed(4, 12, b"\x1b[1;31mred and \x1b[48;2;1;2;3mdeep\x1b[m text\x1b7\r\nmore\x1b[?2004h\x1b[?1h\x1b[?25l\x1b[4;38;5;200m");
        parser = resized(parser, 4, 7);
        assert_eq!(screen(&parser), ["red and", " deep t", "ext", "more"]);
        let screen = parser.screen();
        assert!(screen.bracketed_paste() && screen.application_cursor() && screen.hide_cursor() && screen.underline());
        assert_eq!((screen.fgcolor(), screen.cursor_position()), (Color::Idx(200), (3, 4)));
        let cell = screen.cell(1, 1).unwrap();
        assert_eq!((cell.contents(), cell.bold(), cell.fgcolor(), cell.bgcolor()), ("d", true, Color::Idx(1), Color::Rgb(1, 2, 3)));
        assert_eq!(screen.cell(2, 0).map(look), Some((Color::Default, Color::Default, [false; 5])));
        parser.process(b"\x1b8");
        assert_eq!((parser.screen().cursor_position(), parser.screen().underline()), ((2, 3), false));
    }

    #[test]
    fn a_line_goes_on_where_the_cursor_stands_behind_its_last_column() {
        let mut parser = resized(fed(3, 12, b"abcdef"), 3, 6);
        parser.process(b"gh");
        assert_eq!(whole(&mut parser), ["abcdefgh"]);
        let mut parser = resized(fed(4, 4, b"abcd"), 4, 2);
        parser.process(b"e\r\n");
        assert_eq!(screen(&resized(parser, 4, 9)), ["abcde", "", "", ""]);
        // As shells do it: a blank that takes the next row, and back.
        let mut parser = resized(fed(4, 4, b"abcd \r"), 4, 2);
        assert_eq!(parser.screen().cursor_position(), (2, 0));
        parser.process(b"e");
        assert_eq!(whole(&mut parser), ["abcde"]);
    }

    #[test]
    fn the_line_that_is_edited_keeps_its_rows_where_there_is_more_room() {
        let typed = |keys: &str| fed(6, 6, format!("abcdefgh\r\n$ 0123456789{keys}").as_bytes());
        let wide = resized(typed(""), 6, 20);
        assert_eq!((screen(&wide)[..3].to_vec(), wide.screen().cursor_position()), (["abcdefgh", "$ 0123", "456789"].map(str::to_owned).to_vec(), (2, 6)));
        // Also where the cursor went back in it; and once it is done it is a line as any other.
        let wide = resized(typed("\x1b[A"), 6, 20);
        assert_eq!((screen(&wide)[1].as_str(), wide.screen().cursor_position()), ("$ 0123", (1, 6)));
        assert_eq!(screen(&resized(typed("\r\n"), 6, 20))[..2], ["abcdefgh", "$ 0123456789"]);
        assert_eq!(screen(&resized(typed(""), 6, 4))[2..], ["$ 01", "2345", "6789", ""]);
    }

    #[test]
    fn behind_a_full_screen_program_the_lines_are_broken_anew_too() {
        let mut parser = resized(fed(3, 8, b"abcdefghij\x1b[?1049h\x1b[H12345678\x1b[3;2Hx"), 4, 5);
        assert_eq!((screen(&parser), parser.screen().cursor_position()), (["12345", "", " x", ""].map(str::to_owned).to_vec(), (2, 2)));
        parser.process(b"\x1b[?1049l");
        assert_eq!((screen(&parser), parser.screen().cursor_position()), (["abcde", "fghij", "", ""].map(str::to_owned).to_vec(), (1, 4)));
    }

    #[test]
    fn one_goes_on_looking_at_the_same_line() {
        let lines = (0..9).map(|n| format!("{n} is the line\r\n")).collect::<Vec<_>>().concat();
        let mut parser = fed(3, 20, lines.as_bytes());
        let (mut new, back) = reflow(&mut parser, (3, 8), 50, 4);
        new.screen_mut().set_scrollback(back);
        assert_eq!(screen(&new), ["3 is the", " line", "4 is the"]);
    }

    proptest! {
        #[test]
        fn no_text_is_lost_at_any_width(
            lines in prop::collection::vec("[a-z]{0,3}( ?[a-zé]{1,9}){0,4}", 0..12), sizes in prop::collection::vec((2u16..9, 2u16..40), 1..5)
        ) {
            let mut parser = Parser::new(8, 30, 500);
            parser.process(format!("{}\r\n", lines.join("\r\n")).as_bytes());
            let before = whole(&mut parser);
            for (rows, columns) in sizes {
                parser = reflow(&mut parser, (rows, columns), 500, 0).0;
                prop_assert_eq!(parser.screen().size(), (rows, columns));
                // Nothing but a blank at the edge is nobody's.
                let joined = |lines: &[String]| lines.iter().map(|line| line.replace(' ', "")).collect::<Vec<_>>();
                prop_assert_eq!(joined(&whole(&mut parser)), joined(&before));
            }
            // The cursor stands below the last line, wherever that ends now.
            parser.process(b"!");
            let all = whole(&mut parser);
            prop_assert_eq!((all.len(), all.last().map(String::as_str)), (lines.len().max(1) + 1, Some("!")));
        }
    }
}
