//! A field of a form: what is typed or switched, and which words of a command line it stands for.

use crate::text;
use crate::tui::line::{CommandLine, Completion, Names};
use crate::tui::theme::Theme;
use crate::tui::widget::input::Input;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use std::borrow::Cow;
use tui_textarea::{CursorMove, TextArea};

/// The most lines of a field with several that are shown at once.
const TALLEST: u16 = 4;
/// Most bytes of such a field.
const LONGEST: usize = 64 << 10;

/// Whether the terminal may be shown a character as it is: a field with several lines draws what it holds.
fn is_harmless(c: char) -> bool {
    matches!(text::clean(c.encode_utf8(&mut [0; 4])), Cow::Borrowed(_))
}

/// Which words it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// This word, if it is switched on.
    Switch(&'static str),
    /// An option with its value.
    Option(&'static str),
    /// An option for each of its lines.
    Each(&'static str),
    /// A plain word, which must be there.
    Word,
    /// Plain words, quoted as on a command line.
    Words,
}

/// What is offered to be put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Nothing: it is for the user to know.
    Nothing,
    /// The images here.
    Images,
    /// The containers here.
    Containers,
    /// One of these, each with a word on it.
    These(&'static [(&'static str, &'static str)]),
    /// One of these words, as they are now.
    Given(Vec<String>),
}

#[derive(Clone, Debug)]
enum Value {
    Line(Input),
    Lines(Box<TextArea<'static>>),
    Switch(bool),
}

/// The field.
#[derive(Clone, Debug)]
pub struct Field {
    /// What it is called.
    pub label: &'static str,
    /// Shown while it is empty: what is expected.
    pub about: &'static str,
    /// Which words it stands for.
    pub place: Place,
    /// What is offered.
    pub offered: Offered,
    /// Stands in one line with the field before it, where there is room.
    pub beside: bool,
    /// Without it nothing can be done.
    pub needed: bool,
    value: Value,
}

impl Field {
    fn new(label: &'static str, about: &'static str, place: Place, value: Value) -> Self {
        Self { label, about, place, offered: Offered::Nothing, beside: false, needed: place == Place::Word, value }
    }

    /// One line.
    pub fn line(label: &'static str, about: &'static str, place: Place) -> Self {
        Self::new(label, about, place, Value::Line(Input::default()))
    }

    /// Several lines.
    pub fn lines(label: &'static str, about: &'static str, place: Place) -> Self {
        Self::new(label, about, place, Value::Lines(Box::default()))
    }

    /// On or off.
    pub fn switch(label: &'static str, word: &'static str, on: bool) -> Self {
        Self::new(label, "", Place::Switch(word), Value::Switch(on))
    }

    /// In one line with the field before it.
    #[must_use]
    pub fn beside(self) -> Self {
        Self { beside: true, ..self }
    }

    /// It must be there.
    #[must_use]
    pub fn needed(self) -> Self {
        Self { needed: true, ..self }
    }

    /// With these on offer.
    #[must_use]
    pub fn offering(self, offered: Offered) -> Self {
        Self { offered, ..self }
    }

    /// With this in it.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        self.set(text);
        self
    }

    /// Puts `text` in place of what is in it; a switch is on unless it is empty.
    pub fn set(&mut self, text: &str) {
        match &mut self.value {
            Value::Line(input) => {
                *input = Input::default();
                input.insert(text);
            }
            Value::Lines(area) => {
                let lines = text.lines().map(|line| line.chars().map(|c| if is_harmless(c) { c } else { ' ' }).collect());
                **area = TextArea::new(lines.collect());
                area.move_cursor(CursorMove::Bottom);
                area.move_cursor(CursorMove::End);
            }
            Value::Switch(on) => *on = !text.is_empty(),
        }
    }

    /// What is in it.
    pub fn text(&self) -> String {
        match &self.value {
            Value::Line(input) => input.text().trim().to_owned(),
            Value::Lines(area) => area.lines().join("\n"),
            Value::Switch(on) => {
                if *on {
                    "on".to_owned()
                } else {
                    String::new()
                }
            }
        }
    }

    /// Whether there is nothing in it, or it is off.
    pub fn is_empty(&self) -> bool {
        self.text().trim().is_empty()
    }

    /// Whether it has several lines.
    pub fn is_tall(&self) -> bool {
        matches!(self.value, Value::Lines(_))
    }

    /// Whether it is switched, not typed into.
    pub fn is_switch(&self) -> bool {
        matches!(self.value, Value::Switch(_))
    }

    /// Its words.
    ///
    /// # Errors
    /// A sentence on what is wrong with what was typed.
    pub fn words(&self, line: &dyn CommandLine) -> Result<Vec<String>, String> {
        let text = self.text();
        if self.is_empty() {
            return Ok(Vec::new());
        }
        match self.place {
            Place::Switch(word) => Ok(vec![word.to_owned()]),
            // A value that looks like an option is still the value.
            Place::Option(option) if text.starts_with('-') && option.starts_with("--") => Ok(vec![format!("{option}={text}")]),
            Place::Option(option) => Ok(vec![option.to_owned(), text]),
            Place::Each(option) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                Ok(lines.flat_map(|line| [option.to_owned(), line.to_owned()]).collect())
            }
            Place::Word => Ok(vec![text]),
            Place::Words => split(&text, line),
        }
    }

    /// What could stand in it.
    pub fn offers(&self, names: &Names) -> Vec<Completion> {
        let typed = self.text();
        let offer = |word: &str, about: &str| Completion { word: word.to_owned(), about: about.to_owned() };
        let mut list: Vec<Completion> = match &self.offered {
            Offered::Nothing => Vec::new(),
            Offered::Containers => names.containers.iter().map(|name| offer(name, "")).collect(),
            Offered::Images => {
                let host = offer(crate::container::HOST_IMAGE, "this machine's own files, below a fresh layer");
                names.images.iter().map(|name| offer(name, "")).chain([host]).collect()
            }
            Offered::Given(words) => words.iter().map(|word| offer(word, "")).collect(),
            Offered::These(these) => these.iter().map(|(word, about)| offer(word, about)).collect(),
        };
        // What begins with it comes first, then what holds it.
        list.retain(|offer| offer.word.contains(&typed) && offer.word != typed);
        list.sort_by_key(|offer| !offer.word.starts_with(&typed));
        list
    }

    /// Takes a key; false if it means nothing here.
    pub fn typed(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match &mut self.value {
            Value::Line(input) => input.typed(key),
            Value::Switch(on) => {
                let turns = key.code == KeyCode::Char(' ') && !control;
                *on ^= turns;
                // Other letters mean nothing here, but they are not keys of the panes either.
                turns || (matches!(key.code, KeyCode::Char(_)) && !control)
            }
            Value::Lines(area) => {
                let row = area.cursor().0;
                match key.code {
                    KeyCode::Enter if control => return false,
                    KeyCode::Up if control || row == 0 => return false,
                    KeyCode::Down if control || row + 1 == area.lines().len() => return false,
                    KeyCode::Char(c) if control && !"aeukwbf".contains(c) => return false,
                    KeyCode::Char(c) if !is_harmless(c) => return false,
                    KeyCode::Char(_) | KeyCode::Enter if !control && area.lines().iter().map(String::len).sum::<usize>() > LONGEST => return true,
                    KeyCode::Char(_)
                    | KeyCode::Enter
                    | KeyCode::Backspace
                    | KeyCode::Delete
                    | KeyCode::Left
                    | KeyCode::Right
                    | KeyCode::Up
                    | KeyCode::Down
                    | KeyCode::Home
                    | KeyCode::End => {}
                    _ => return false,
                }
                match key.code {
                    KeyCode::Char('u') if control => {
                        area.delete_line_by_head();
                    }
                    _ => {
                        area.input(key);
                    }
                }
                true
            }
        }
    }

    /// Takes pasted text.
    pub fn pasted(&mut self, words: &str) {
        match &mut self.value {
            Value::Line(input) => input.insert(words),
            Value::Lines(area) => {
                let room = LONGEST.saturating_sub(area.lines().iter().map(String::len).sum());
                let clean: String = words.chars().map(|c| if c == '\n' || is_harmless(c) { c } else { ' ' }).take(room).collect();
                area.insert_str(clean);
            }
            Value::Switch(_) => {}
        }
    }

    /// Turns a switch.
    pub fn turn(&mut self) {
        if let Value::Switch(on) = &mut self.value {
            *on = !*on;
        }
    }

    /// How many lines it wants.
    pub fn height(&self, focused: bool) -> u16 {
        match &self.value {
            Value::Lines(area) => (area.lines().len() as u16).clamp(1 + u16::from(focused), TALLEST),
            _ => 1,
        }
    }

    /// Draws its value; gives where the cursor stands if it has one of the terminal's.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, theme: &Theme, focused: bool) -> Option<Position> {
        if area.width == 0 || area.height == 0 {
            return None;
        }
        let hint = self.is_empty();
        match &mut self.value {
            Value::Switch(on) => {
                let style = if focused {
                    theme.selection(true)
                } else if *on {
                    theme.text()
                } else {
                    theme.muted()
                };
                buffer.set_stringn(area.x, area.y, format!("[{}] {}", if *on { "✓" } else { " " }, self.label), usize::from(area.width), style);
                None
            }
            Value::Line(input) => {
                buffer.set_style(area, theme.input());
                if hint && input.text().is_empty() {
                    buffer.set_stringn(area.x, area.y, self.about, usize::from(area.width), theme.faint());
                    return focused.then_some(Position::new(area.x, area.y));
                }
                let cursor = input.draw(area, buffer, theme.text());
                focused.then_some(cursor)
            }
            Value::Lines(lines) => {
                buffer.set_style(area, theme.input());
                if hint && lines.lines().len() == 1 && lines.lines()[0].is_empty() {
                    buffer.set_stringn(area.x, area.y, self.about, usize::from(area.width), theme.faint());
                    if focused {
                        buffer.set_style(Rect { width: 1, height: 1, ..area }, theme.selection(true));
                    }
                    return None;
                }
                lines.set_style(theme.text().patch(theme.input()));
                lines.set_cursor_line_style(Style::new());
                lines.set_cursor_style(if focused { theme.selection(true) } else { theme.text() });
                (&**lines).render(area, buffer);
                None
            }
        }
    }
}

/// Text as the words of a command line. A line end outside of quotes is a space: the field is as wide as it is.
fn split(text: &str, line: &dyn CommandLine) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut pending = String::new();
    let mut wrong = None;
    for piece in text.lines() {
        if !pending.is_empty() {
            pending.push('\n');
        }
        pending.push_str(piece);
        // Something stands before them, so that `a=b` is a word and no assignment.
        match line.statements(&format!("x {pending}")) {
            Ok(statements) if statements.len() > 1 => return Err("; ends a command here: put it in quotes, as in sh -c 'a; b'".to_owned()),
            Ok(statements) => {
                words.extend(statements.into_iter().flatten().skip(1));
                pending.clear();
                wrong = None;
            }
            // A quote may be open that the next line closes.
            Err(sentence) => wrong = Some(sentence),
        }
    }
    wrong.map_or(Ok(words), Err)
}
