//! A line to type in: a filter, a search, a name.

use crate::text;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};

/// Most bytes of a line.
const LONGEST: usize = 64 << 10;

/// The line, with its cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    text: String,
    /// In bytes, between two characters.
    cursor: usize,
    /// What it held at first is marked: typing takes its place, moving in it keeps it.
    marked: bool,
}

impl Input {
    /// A line with text in it, the cursor behind it.
    pub fn with(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text, marked: false }
    }

    /// The same for a value that is more often replaced than edited: what is typed first takes its place.
    pub fn marked(text: impl Into<String>) -> Self {
        let line = Self::with(text);
        Self { marked: !line.text.is_empty(), ..line }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the cursor is, in bytes.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Empties it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Puts text at the cursor; line ends and other controls become spaces.
    pub fn insert(&mut self, words: &str) {
        if std::mem::take(&mut self.marked) {
            self.clear();
        }
        for c in words.chars() {
            let c = if c.is_control() { ' ' } else { c };
            if self.text.len() + c.len_utf8() > LONGEST {
                return;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    /// Puts `text` in place of the bytes from `from` to the cursor.
    pub fn replace(&mut self, from: usize, text: &str) {
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
        self.insert(text);
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].chars().next().map_or(self.cursor, |c| self.cursor + c.len_utf8())
    }

    fn word_before(&self) -> usize {
        let head = self.text[..self.cursor].trim_end();
        head.rfind(char::is_whitespace).map_or(0, |at| at + head[at..].chars().next().map_or(1, char::len_utf8))
    }

    fn word_after(&self) -> usize {
        let tail = &self.text[self.cursor..];
        let word = tail.find(|c: char| !c.is_whitespace()).unwrap_or(tail.len());
        self.cursor + word + tail[word..].find(char::is_whitespace).unwrap_or(tail.len() - word)
    }

    /// Takes a key, as a shell's line does; false if it means nothing here.
    pub fn typed(&mut self, key: KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let marked = self.marked;
        self.marked = marked && matches!(key.code, KeyCode::Char(_)) && !ctrl && !alt;
        match key.code {
            KeyCode::Backspace | KeyCode::Delete if marked => self.clear(),
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Char('u') if ctrl => self.replace(0, ""),
            KeyCode::Char('k') if ctrl => self.text.truncate(self.cursor),
            KeyCode::Char('w') if ctrl => self.replace(self.word_before(), ""),
            KeyCode::Char('b') if alt => self.cursor = self.word_before(),
            KeyCode::Char('f') if alt => self.cursor = self.word_after(),
            KeyCode::Char(c) if !ctrl && !alt => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Backspace => self.replace(self.before(), ""),
            KeyCode::Delete => {
                let after = self.after();
                self.text.replace_range(self.cursor..after, "");
            }
            KeyCode::Left if ctrl => self.cursor = self.word_before(),
            KeyCode::Right if ctrl => self.cursor = self.word_after(),
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => self.cursor = self.after(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => {
                self.marked = marked;
                return false;
            }
        }
        true
    }

    /// Draws what fits around the cursor, and tells where the cursor stands.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, style: Style) -> Position {
        let room = usize::from(area.width.saturating_sub(1));
        // Backwards from the cursor: what was pasted may be long, what fits is short.
        let (mut from, mut used) = (self.cursor, 0);
        for (at, c) in self.text[..self.cursor].char_indices().rev() {
            used += text::width::of(&text::clean(c.encode_utf8(&mut [0; 4])));
            if used > room {
                break;
            }
            from = at;
        }
        let look = if self.marked { style.add_modifier(Modifier::REVERSED) } else { style };
        buffer.set_stringn(area.x, area.y, &*text::clean(&self.text[from..]), usize::from(area.width), look);
        let before = text::width::of(&text::clean(&self.text[from..self.cursor])).min(room);
        Position::new(area.x + before as u16, area.y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn press(input: &mut Input, code: KeyCode, modifiers: KeyModifiers) {
        input.typed(KeyEvent::new(code, modifiers));
    }

    #[test]
    fn it_is_edited_as_a_shells_line() {
        let mut input = Input::with("run -d größe");
        press(&mut input, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(input.text(), "run -d ");
        input.insert("a\nb");
        assert_eq!(input.text(), "run -d a b");
        press(&mut input, KeyCode::Home, KeyModifiers::NONE);
        press(&mut input, KeyCode::Right, KeyModifiers::CONTROL);
        press(&mut input, KeyCode::Char('k'), KeyModifiers::CONTROL);
        assert_eq!((input.text(), input.cursor()), ("run", 3));
    }

    #[test]
    fn what_is_marked_is_replaced_by_what_is_typed_and_kept_by_who_moves() {
        let typed = |keys: &[KeyCode]| {
            let mut input = Input::marked("32m");
            for key in keys {
                press(&mut input, *key, KeyModifiers::NONE);
            }
            input.text().to_owned()
        };
        let [four, zero] = ['4', '0'].map(KeyCode::Char);
        assert_eq!(typed(&[four, zero]), "40");
        assert_eq!(typed(&[KeyCode::End, zero]), "32m0");
        assert_eq!(typed(&[KeyCode::Left, zero]), "320m");
        assert_eq!(typed(&[KeyCode::Backspace]), "");
        assert_eq!(typed(&[KeyCode::F(1), four]), "4");
        let mut input = Input::marked("32m");
        input.insert("64m");
        assert_eq!(input.text(), "64m");
        press(&mut input, KeyCode::Char('a'), KeyModifiers::CONTROL);
        input.insert("1");
        assert_eq!(input.text(), "164m");
        let mut input = Input::marked("");
        input.insert("a");
        input.insert("b");
        assert_eq!(input.text(), "ab");
    }

    proptest! {
        #[test]
        fn no_keys_break_it(text in any::<String>(), keys in proptest::collection::vec((0usize..10, any::<char>(), 0u8..4), 0..60), width in 0u16..20) {
            let codes = [KeyCode::Backspace, KeyCode::Delete, KeyCode::Left, KeyCode::Right, KeyCode::Home, KeyCode::End];
            let modifiers = [KeyModifiers::NONE, KeyModifiers::CONTROL, KeyModifiers::ALT, KeyModifiers::SHIFT];
            let mut input = Input::default();
            input.insert(&text);
            for (which, c, modifier) in keys {
                press(&mut input, codes.get(which).copied().unwrap_or(KeyCode::Char(c)), modifiers[usize::from(modifier)]);
                prop_assert!(input.text().is_char_boundary(input.cursor()));
            }
            let area = Rect::new(0, 0, width, 1);
            input.draw(area, &mut Buffer::empty(area), Style::default());
        }
    }
}
