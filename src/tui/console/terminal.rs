//! A terminal in memory: a program's output as a screen of cells with lines above it, and the answers it expects.

use super::dialect::{Dialect, Question, Step};
use super::reflow::reflow;
use std::time::Instant;

/// The smallest and largest screen that is emulated; a smaller pane shows a part.
const LEAST: u16 = 2;
const MOST_ROWS: u16 = 512;
const MOST_COLUMNS: u16 = 1024;
/// The most bytes of answers that wait; a program that asks and never reads gets no more.
const REPLIES: usize = 4 << 10;
/// Bytes between two looks at the clock.
const PIECE: usize = 256;

/// Lines that are kept above the screen unless told otherwise.
pub const SCROLLBACK: usize = 2000;

/// What the program has asked its terminal to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// Cursor keys are sent as applications want them.
    pub application_cursor: bool,
    /// So is the keypad.
    pub application_keypad: bool,
    /// Pasted text is put in brackets.
    pub bracketed_paste: bool,
    /// It draws on the second screen, without scrollback.
    pub alternate: bool,
    /// Which events of the mouse it wants.
    pub mouse: vt100::MouseProtocolMode,
    /// How they are written.
    pub mouse_encoding: vt100::MouseProtocolEncoding,
}

/// The terminal.
pub struct Terminal {
    parser: vt100::Parser,
    dialect: Dialect,
    limit: usize,
    /// How many lines the view is scrolled back.
    offset: usize,
    /// Lines that have left the screen upwards, ever.
    gone: u64,
    generation: u64,
    title: String,
    replies: Vec<u8>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("size", &self.size()).field("offset", &self.offset).field("title", &self.title).finish_non_exhaustive()
    }
}

impl Terminal {
    /// A terminal of this size that keeps so many lines above its screen.
    pub fn new(rows: u16, columns: u16, scrollback: usize) -> Self {
        let (rows, columns) = bounded(rows, columns);
        let scrollback = scrollback.max(1);
        Self {
            parser: vt100::Parser::new(rows, columns, scrollback),
            dialect: Dialect::new(rows, columns),
            limit: scrollback,
            offset: 0,
            gone: 0,
            generation: 0,
            title: String::new(),
            replies: Vec::new(),
        }
    }

    /// Rows and columns, as the program should be told.
    pub fn size(&self) -> (u16, u16) {
        self.parser.screen().size()
    }

    /// The window's title as the program wants it; harmless text, empty if it said nothing.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the program has asked for.
    pub fn modes(&self) -> Modes {
        let screen = self.parser.screen();
        Modes {
            application_cursor: screen.application_cursor(),
            application_keypad: screen.application_keypad(),
            bracketed_paste: screen.bracketed_paste(),
            alternate: screen.alternate_screen(),
            mouse: screen.mouse_protocol_mode(),
            mouse_encoding: screen.mouse_protocol_encoding(),
        }
    }

    /// Where the cursor stands, as row and column of the view; `None` while it is hidden or scrolled out.
    pub fn cursor(&self) -> Option<(u16, u16)> {
        let screen = self.parser.screen();
        let (rows, columns) = screen.size();
        let (row, column) = screen.cursor_position();
        let row = usize::from(row) + self.offset;
        (!screen.hide_cursor() && row < usize::from(rows)).then(|| (row as u16, column.min(columns - 1)))
    }

    /// A cell of the view.
    pub fn cell(&self, row: u16, column: u16) -> Option<&vt100::Cell> {
        self.parser.screen().cell(row, column)
    }

    /// Takes output.
    pub fn feed(&mut self, bytes: &[u8]) {
        for step in self.dialect.read(bytes) {
            self.step(step);
        }
    }

    /// Takes output until it is time to do something else, and tells how many bytes it took; at least a piece, so that
    /// it comes to an end.
    pub fn feed_until(&mut self, bytes: &[u8], end: Instant) -> usize {
        let mut taken = 0;
        for piece in bytes.chunks(PIECE) {
            self.feed(piece);
            taken += piece.len();
            if Instant::now() >= end {
                break;
            }
        }
        taken
    }

    /// Some output was lost.
    pub fn gap(&mut self) {
        self.dialect.gap();
    }

    /// What the program is to be sent in answer to its questions.
    pub fn replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.replies)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Bytes(bytes) => self.process(&bytes),
            Step::Screen(bytes) => {
                self.parser.process(bytes);
                self.scroll_to(0);
                self.forget();
            }
            Step::BackTab(count) => {
                let column = self.parser.screen().cursor_position().1;
                let stop = column.div_ceil(8).saturating_sub(count) * 8;
                self.process(format!("\x1b[{}G", stop + 1).as_bytes());
            }
            Step::Ask(question) => self.answer(question),
            Step::Title(title) => self.title = title,
        }
    }

    fn answer(&mut self, question: Question) {
        let screen = self.parser.screen();
        let (rows, columns) = screen.size();
        let (row, column) = screen.cursor_position();
        let (row, column) = (row + 1, column.min(columns - 1) + 1);
        let reply = match question {
            // A VT220 with colours.
            Question::Attributes => "\x1b[?62;22c".to_owned(),
            // As xterm's 354: programs take from it that the mouse may be reported in decimal.
            Question::Version => "\x1b[>41;354;0c".to_owned(),
            Question::Status => "\x1b[0n".to_owned(),
            Question::Cursor => format!("\x1b[{row};{column}R"),
            Question::PrivateCursor => format!("\x1b[?{row};{column}R"),
            Question::Size => format!("\x1b[8;{rows};{columns}t"),
            Question::Mode(mode) => format!("\x1b[?{mode};{}$y", self.mode(mode)),
        };
        if self.replies.len() + reply.len() <= REPLIES {
            self.replies.extend_from_slice(reply.as_bytes());
        }
    }

    /// 1 for a mode that is set, 2 for one that is not, 0 for one nobody here knows.
    fn mode(&self, mode: u16) -> u8 {
        use vt100::MouseProtocolEncoding as Encoding;
        use vt100::MouseProtocolMode as Mouse;
        let screen = self.parser.screen();
        let (mouse, encoding) = (screen.mouse_protocol_mode(), screen.mouse_protocol_encoding());
        let set = match mode {
            1 => screen.application_cursor(),
            9 => mouse == Mouse::Press,
            25 => !screen.hide_cursor(),
            47 | 1047 | 1049 => screen.alternate_screen(),
            1000 => mouse == Mouse::PressRelease,
            1002 => mouse == Mouse::ButtonMotion,
            1003 => mouse == Mouse::AnyMotion,
            1005 => encoding == Encoding::Utf8,
            1006 => encoding == Encoding::Sgr,
            2004 => screen.bracketed_paste(),
            _ => return 0,
        };
        if set { 1 } else { 2 }
    }

    /// The number of lines above the screen; the view is scrolled somewhere else afterwards.
    fn measure(&mut self) -> usize {
        let screen = self.parser.screen_mut();
        screen.set_scrollback(usize::MAX);
        screen.scrollback()
    }

    /// Lets the emulator take bytes and counts the lines that leave its screen.
    ///
    /// It keeps a view in place while lines leave, so that how far one line back has moved is how many left; until the
    /// scrollback is full, its length tells the same.
    fn process(&mut self, bytes: &[u8]) {
        let before = self.measure();
        self.parser.screen_mut().set_scrollback(1);
        self.parser.process(bytes);
        let moved = self.parser.screen().scrollback();
        let after = self.measure();
        let scrolled = if after < self.limit {
            after.saturating_sub(before)
        } else if before > 0 && moved < after {
            moved.saturating_sub(1)
        } else {
            // So many that nothing is left of what was.
            self.forget();
            after
        };
        self.gone += scrolled as u64;
        if self.offset > 0 {
            self.offset += scrolled;
        }
        self.offset = self.offset.min(after);
        self.parser.screen_mut().set_scrollback(self.offset);
    }

    /// Lines that were pointed to are no longer where they were.
    fn forget(&mut self) {
        self.generation += 1;
    }

    /// Changes the size, lines broken anew; tells what the program is to be told.
    pub fn resize(&mut self, rows: u16, columns: u16) -> (u16, u16) {
        let (rows, columns) = bounded(rows, columns);
        if self.size() == (rows, columns) {
            return (rows, columns);
        }
        let (parser, back) = reflow(&mut self.parser, (rows, columns), self.limit, self.offset);
        self.parser = parser;
        self.dialect.resize(rows, columns);
        // Lines have other numbers from now on, and no fewer are gone than there can be above the screen.
        self.gone += self.limit as u64;
        self.forget();
        self.scroll_to(back);
        (rows, columns)
    }

    /// How many lines there are above the screen, and how many the view is scrolled back.
    pub fn scrollback(&mut self) -> (usize, usize) {
        let length = self.measure();
        self.parser.screen_mut().set_scrollback(self.offset);
        (length, self.offset)
    }

    /// Whether the view shows lines above the screen.
    pub fn is_scrolled_back(&self) -> bool {
        self.offset > 0
    }

    /// Scrolls the view back (positive) or towards the present.
    pub fn scroll(&mut self, lines: isize) {
        self.scroll_to(self.offset.saturating_add_signed(lines));
    }

    /// Scrolls the view to so many lines back; 0 is the present.
    pub fn scroll_to(&mut self, back: usize) {
        self.parser.screen_mut().set_scrollback(back);
        self.offset = self.parser.screen().scrollback();
    }

    /// Changes whenever lines that were pointed to may have gone elsewhere.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of a row of the view, counted from the first line there ever was.
    pub fn line_at(&self, row: u16) -> u64 {
        (self.gone + u64::from(row)).saturating_sub(self.offset as u64)
    }

    /// The row of the view that shows a line; negative above it.
    pub fn row_of(&self, line: u64) -> i64 {
        line as i64 - self.gone as i64 + self.offset as i64
    }

    /// The first and last line that can be read.
    pub fn lines(&mut self) -> (u64, u64) {
        let (length, _) = self.scrollback();
        (self.gone.saturating_sub(length as u64), self.gone + u64::from(self.size().0) - 1)
    }

    /// Reads a line, wherever the view is: each cell's text (empty behind a wide character), and whether it goes on in
    /// the next. `None` for one that is not there.
    pub fn line(&mut self, line: u64) -> Option<(Vec<String>, bool)> {
        let (first, last) = self.lines();
        if line < first || line > last {
            return None;
        }
        let back = self.gone.saturating_sub(line) as usize;
        self.parser.screen_mut().set_scrollback(back);
        let screen = self.parser.screen();
        let row = (line + back as u64 - self.gone) as u16;
        let columns = screen.size().1;
        let text = |column| {
            screen.cell(row, column).map_or_else(
                || " ".to_owned(),
                |cell| match (cell.is_wide_continuation(), cell.contents()) {
                    (true, _) => String::new(),
                    (_, "") => " ".to_owned(),
                    (_, text) => text.to_owned(),
                },
            )
        };
        let found = ((0..columns).map(text).collect(), screen.row_wrapped(row));
        self.parser.screen_mut().set_scrollback(self.offset);
        Some(found)
    }
}

fn bounded(rows: u16, columns: u16) -> (u16, u16) {
    (rows.clamp(LEAST, MOST_ROWS), columns.clamp(LEAST, MOST_COLUMNS))
}
