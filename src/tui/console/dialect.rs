//! What a program writes to its terminal, read as xterm reads it and said again in the few words the emulator knows.
//!
//! The emulator gets whole, bounded sequences only, so that neither a torn one nor a count of 65535 nor one it would
//! misread can harm it. Along the way the dialect grows: repeated characters, line drawing, insertion, tabs backwards.
//! Source: XTerm Control Sequences (ctlseqs), ECMA-48.

use super::{charset, sgr};
use crate::text;
use std::borrow::Cow;
use std::io::Write;

/// Most parameters of a sequence, and most subparameters of one.
const PARAMS: usize = 32;
/// The longest title.
const TITLE: usize = 256;
/// The longest string of an operating system command that is looked at.
const STRING: usize = 4 << 10;

/// What the emulator is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take these bytes.
    Bytes(Vec<u8>),
    /// Take these bytes, which change to another screen or begin anew.
    Screen(&'static [u8]),
    /// Go back so many tab stops.
    BackTab(u16),
    /// Answer.
    Ask(Question),
    /// The program names its window so; harmless text.
    Title(String),
}

/// What a program asks its terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What are you (DA1)?
    Attributes,
    /// Which version (DA2)?
    Version,
    /// Are you well (DSR 5)?
    Status,
    /// Where is the cursor (DSR 6)?
    Cursor,
    /// The same in the private form (DECXCPR).
    PrivateCursor,
    /// How large are you, in characters?
    Size,
    /// How is this mode set (DECRQM)?
    Mode(u16),
}

/// Where in a sequence the reader is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Charset(u8),
    /// An escape sequence with an intermediate byte that nobody here knows.
    Skipped,
    Sequence,
    /// The string of an operating system command.
    Command,
    /// A string that is for nobody here.
    String,
    /// An ESC inside a string: its end, if `\` follows.
    StringEnd,
}

/// A control sequence as far as it is read.
#[derive(Clone, Debug, Default)]
struct Sequence {
    prefix: Option<u8>,
    intermediate: Option<u8>,
    params: Vec<Vec<u16>>,
}

impl Sequence {
    fn byte(&mut self, byte: u8) {
        match byte {
            b'0'..=b'9' => {
                if self.params.is_empty() {
                    self.params.push(vec![0]);
                }
                if let Some(number) = self.params.last_mut().and_then(|param| param.last_mut()) {
                    *number = number.saturating_mul(10).saturating_add(u16::from(byte - b'0'));
                }
            }
            b';' => {
                if self.params.is_empty() {
                    self.params.push(vec![0]);
                }
                // One too many is kept, by which the sequence is known to be too long.
                if self.params.len() <= PARAMS {
                    self.params.push(vec![0]);
                }
            }
            b':' => {
                if self.params.is_empty() {
                    self.params.push(vec![0]);
                }
                if let Some(param) = self.params.last_mut().filter(|param| param.len() < PARAMS) {
                    param.push(0);
                }
            }
            b'<'..=b'?' => self.prefix = Some(byte),
            _ => self.intermediate = Some(byte),
        }
    }

    fn param(&self, at: usize) -> u16 {
        self.params.get(at).and_then(|param| param.first()).copied().unwrap_or(0)
    }

    /// A count: at least one, at most `most`.
    fn count(&self, most: u16) -> u16 {
        self.param(0).clamp(1, most)
    }
}

/// The reader.
#[derive(Clone, Debug, Default)]
pub struct Dialect {
    state: State,
    sequence: Sequence,
    string: Vec<u8>,
    /// The beginning of a character in UTF-8.
    partial: Vec<u8>,
    /// Line drawing is chosen for G0 and G1.
    drawing: [bool; 2],
    /// G1 is in use.
    shifted: bool,
    inserting: bool,
    last: Option<char>,
    rows: u16,
    columns: u16,
    steps: Vec<Step>,
}

impl Dialect {
    /// A reader for an emulator of this size.
    pub fn new(rows: u16, columns: u16) -> Self {
        Self { rows, columns, ..Self::default() }
    }

    /// The emulator has another size.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        (self.rows, self.columns) = (rows, columns);
    }

    /// Some bytes were lost: what was begun is not finished.
    pub fn gap(&mut self) {
        self.state = State::Ground;
        self.partial.clear();
    }

    /// Reads bytes; gives what is to be done, in order.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Step> {
        for &byte in bytes {
            self.byte(byte);
        }
        std::mem::take(&mut self.steps)
    }

    fn out(&mut self) -> &mut Vec<u8> {
        if !matches!(self.steps.last(), Some(Step::Bytes(_))) {
            self.steps.push(Step::Bytes(Vec::new()));
        }
        match self.steps.last_mut() {
            Some(Step::Bytes(bytes)) => bytes,
            _ => unreachable!("bytes were just put last"),
        }
    }

    fn say(&mut self, text: &str) {
        self.out().extend_from_slice(text.as_bytes());
    }

    fn byte(&mut self, byte: u8) {
        match (self.state, byte) {
            // Called off.
            (_, 0x18 | 0x1a) => {
                self.character_torn();
                self.state = State::Ground;
            }
            (State::Command | State::String, _) => self.in_string(byte),
            (_, 0x1b) => {
                self.character_torn();
                self.state = State::Escape;
            }
            (_, 0..=0x1f) => self.control(byte),
            (State::Ground, _) => self.text(byte),
            (State::StringEnd, b'\\') => self.command(),
            (State::Escape | State::StringEnd, _) => self.escape(byte),
            (State::Charset(set), _) => {
                self.drawing[usize::from(set)] = byte == b'0';
                self.state = State::Ground;
            }
            (State::Skipped, 0x30..=0x7e) => self.state = State::Ground,
            (State::Sequence, 0x20..=0x3f) => self.sequence.byte(byte),
            (State::Sequence, 0x40..=0x7e) => {
                self.state = State::Ground;
                let sequence = std::mem::take(&mut self.sequence);
                // One with too many parameters is no sequence of any program.
                if sequence.params.len() <= PARAMS {
                    self.dispatch(&sequence, byte);
                }
            }
            (State::Skipped | State::Sequence, _) => {}
        }
    }

    /// Inside a string, which ends with ST, or BEL for a command; only a command's is kept.
    fn in_string(&mut self, byte: u8) {
        let kept = self.state == State::Command;
        match byte {
            0x07 if kept => self.command(),
            0x1b => self.state = State::StringEnd,
            _ if kept && self.string.len() < STRING => self.string.push(byte),
            _ => {}
        }
    }

    fn control(&mut self, byte: u8) {
        self.character_torn();
        match byte {
            8..=13 => self.out().push(byte),
            14 => self.shifted = true,
            15 => self.shifted = false,
            _ => {}
        }
    }

    fn text(&mut self, byte: u8) {
        if byte < 0x80 {
            self.character_torn();
            let drawn = self.drawing[usize::from(self.shifted)];
            if byte != 0x7f {
                self.print(if drawn { charset::line_drawing(byte) } else { char::from(byte) });
            }
            return;
        }
        self.partial.push(byte);
        match std::str::from_utf8(&self.partial).map(|text| text.chars().next()) {
            Ok(Some(c)) => {
                self.partial.clear();
                self.print(c);
            }
            Ok(None) => {}
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                // The byte itself may begin the next character.
                let torn = self.partial.len() > 1;
                self.partial.clear();
                self.print('?');
                if torn {
                    self.text(byte);
                }
            }
        }
    }

    /// A character whose bytes did not all come is shown as one that cannot be.
    fn character_torn(&mut self) {
        if !self.partial.is_empty() {
            self.partial.clear();
            self.print('?');
        }
    }

    fn print(&mut self, c: char) {
        let mut buffer = [0; 4];
        let symbol = &*c.encode_utf8(&mut buffer);
        // Marks that turn the direction of writing and the like: not even a cell may hold them.
        if matches!(text::clean(symbol), Cow::Owned(_)) {
            return;
        }
        if self.inserting {
            let width = text::width::of(symbol);
            if width > 0 {
                self.say(&format!("\x1b[{width}@"));
            }
        }
        self.out().extend_from_slice(symbol.as_bytes());
        self.last = Some(c);
    }

    fn escape(&mut self, byte: u8) {
        self.state = State::Ground;
        match byte {
            b'[' => {
                self.sequence = Sequence::default();
                self.state = State::Sequence;
            }
            b']' => {
                self.string.clear();
                self.state = State::Command;
            }
            b'P' | b'X' | b'^' | b'_' => {
                self.string.clear();
                self.state = State::String;
            }
            b'(' => self.state = State::Charset(0),
            b')' => self.state = State::Charset(1),
            0x20..=0x2f => self.state = State::Skipped,
            b'7' | b'8' | b'=' | b'>' | b'M' => {
                let bytes = [0x1b, byte];
                self.out().extend_from_slice(&bytes);
            }
            b'D' => self.say("\n"),
            b'E' => self.say("\r\n"),
            b'Z' => self.steps.push(Step::Ask(Question::Attributes)),
            b'c' => {
                *self = Self { steps: std::mem::take(&mut self.steps), ..Self::new(self.rows, self.columns) };
                self.steps.push(Step::Screen(b"\x1bc"));
            }
            _ => {}
        }
    }

    /// An operating system command is complete: only titles are listened to. The clipboard is the user's alone.
    fn command(&mut self) {
        self.state = State::Ground;
        let string = std::mem::take(&mut self.string);
        if let Some(title) = string.strip_prefix(b"0;").or_else(|| string.strip_prefix(b"2;")) {
            let title: String = String::from_utf8_lossy(title).chars().take(TITLE).collect();
            self.steps.push(Step::Title(text::clean(&title).into_owned()));
        }
    }

    fn dispatch(&mut self, sequence: &Sequence, last: u8) {
        match (sequence.prefix, sequence.intermediate, last) {
            (None, None, _) => self.plain(sequence, last),
            (Some(b'?'), None, b'h' | b'l') => sequence.params.iter().filter_map(|param| param.first()).for_each(|mode| self.mode(*mode, last)),
            (Some(b'?'), None, b'J' | b'K') => self.say(&format!("\x1b[{}{}", sequence.param(0), char::from(last))),
            (Some(b'?'), None, b'n') if sequence.param(0) == 6 => self.steps.push(Step::Ask(Question::PrivateCursor)),
            (Some(b'?'), Some(b'$'), b'p') => self.steps.push(Step::Ask(Question::Mode(sequence.param(0)))),
            (Some(b'>'), None, b'c') if sequence.param(0) == 0 => self.steps.push(Step::Ask(Question::Version)),
            (None, Some(b'!'), b'p') => {
                self.drawing = [false; 2];
                (self.shifted, self.inserting) = (false, false);
                self.say("\x1b[m\x1b[?1l\x1b[?25h\x1b>");
            }
            _ => {}
        }
    }

    fn plain(&mut self, sequence: &Sequence, last: u8) {
        let far = u16::MAX >> 1;
        let (name, count) = match last {
            b'A'..=b'G' | b'd' => (last, sequence.count(far)),
            b'a' => (b'C', sequence.count(far)),
            b'e' => (b'B', sequence.count(far)),
            b'`' => (b'G', sequence.count(far)),
            b'@' | b'P' | b'X' => (last, sequence.count(self.columns)),
            b'L' | b'M' | b'S' => (last, sequence.count(self.rows)),
            // With more parameters it is about the mouse.
            b'T' if sequence.params.len() < 2 => (last, sequence.count(self.rows)),
            b'J' | b'K' => (last, sequence.param(0)),
            _ => return self.rarer(sequence, last),
        };
        self.say(&format!("\x1b[{count}{}", char::from(name)));
    }

    fn rarer(&mut self, sequence: &Sequence, last: u8) {
        let [first, second] = [0, 1].map(|at| sequence.param(at));
        match last {
            b'H' | b'f' => self.say(&format!("\x1b[{};{}H", first.max(1), second.max(1))),
            b'r' => self.say(&format!("\x1b[{first};{second}r")),
            b'm' => self.say(&sgr::known(&sequence.params)),
            b's' if sequence.params.is_empty() => self.say("\x1b7"),
            b'u' if sequence.params.is_empty() => self.say("\x1b8"),
            b'b' => {
                if let Some(c) = self.last {
                    (0..sequence.count(self.columns)).for_each(|_| self.print(c));
                }
            }
            b'I' => {
                let tabs = sequence.count(self.columns / 8 + 1);
                self.out().extend(std::iter::repeat_n(b'\t', usize::from(tabs)));
            }
            b'Z' => self.steps.push(Step::BackTab(sequence.count(self.columns))),
            b'h' | b'l' if first == 4 => self.inserting = last == b'h',
            b'c' if first == 0 => self.steps.push(Step::Ask(Question::Attributes)),
            b'n' if first == 5 => self.steps.push(Step::Ask(Question::Status)),
            b'n' if first == 6 => self.steps.push(Step::Ask(Question::Cursor)),
            b't' if first == 18 => self.steps.push(Step::Ask(Question::Size)),
            _ => {}
        }
    }

    fn mode(&mut self, mode: u16, last: u8) {
        let set = last == b'h';
        match mode {
            1 | 6 | 9 | 25 | 1000 | 1002 | 1003 | 1005 | 1006 | 2004 => {
                let written = write!(self.out(), "\x1b[?{mode}{}", char::from(last));
                debug_assert!(written.is_ok(), "writing to memory cannot fail");
            }
            47 | 1047 => self.steps.push(Step::Screen(if set { b"\x1b[?47h" } else { b"\x1b[?47l" })),
            1049 => self.steps.push(Step::Screen(if set { b"\x1b[?1049h" } else { b"\x1b[?1049l" })),
            1048 => self.say(if set { "\x1b7" } else { "\x1b8" }),
            _ => {}
        }
    }
}
