//! A key with its modifiers: how terminals report it, how people write it, one form for both.

use crate::text;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::fmt;
use std::str::FromStr;

/// A key pressed together with some of ctrl, alt, shift and super, in one normal form.
///
/// The same press comes in several shapes: `G` with or without shift, shift-tab as a key of its own, ctrl-] as ctrl-5
/// from terminals that send bytes, as ctrl-] from those that speak the kitty protocol. Here each has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// The modifiers that tell chords apart, as they are written.
const MODIFIERS: &[(&str, KeyModifiers)] =
    &[("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT), ("super-", KeyModifiers::SUPER)];

/// The keys with names, their usual name first.
const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("menu", KeyCode::Menu),
    ("return", KeyCode::Enter),
    ("escape", KeyCode::Esc),
    ("del", KeyCode::Delete),
    ("pageup", KeyCode::PageUp),
    ("page-up", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("page-down", KeyCode::PageDown),
];

/// What a small screen shows instead of a name.
const SHORT: &[(KeyCode, &str)] =
    &[(KeyCode::Up, "↑"), (KeyCode::Down, "↓"), (KeyCode::Left, "←"), (KeyCode::Right, "→"), (KeyCode::Enter, "⏎"), (KeyCode::Tab, "⇥")];

/// The highest function key that terminals report.
const LAST_FUNCTION_KEY: u8 = 35;

impl Chord {
    /// The chord of a press or a repetition; none for releases, for modifiers alone and for keys that no name is for.
    pub fn from_event(event: KeyEvent) -> Option<Self> {
        (event.kind != KeyEventKind::Release).then(|| Self::new(event.code, event.modifiers)).flatten()
    }

    /// The normal form of `code` with `modifiers`; none if there is no way to write it.
    pub fn new(code: KeyCode, modifiers: KeyModifiers) -> Option<Self> {
        let known = MODIFIERS.iter().fold(KeyModifiers::NONE, |all, &(_, modifier)| all | modifier);
        if !known.contains(modifiers) {
            return None;
        }
        match code {
            KeyCode::BackTab => Some(Self { code: KeyCode::Tab, modifiers: modifiers | KeyModifiers::SHIFT }),
            KeyCode::Char(c) => Self::of_character(c, modifiers),
            KeyCode::F(1..=LAST_FUNCTION_KEY) => Some(Self { code, modifiers }),
            _ => NAMED.iter().any(|&(_, named)| named == code).then_some(Self { code, modifiers }),
        }
    }

    fn of_character(c: char, mut modifiers: KeyModifiers) -> Option<Self> {
        if !is_key(c) {
            return None;
        }
        let mut c = c;
        if modifiers.contains(KeyModifiers::CONTROL) {
            // With ctrl, bytes know no case; where a terminal tells it, shift is told by the flag or by the capital.
            let shifted = c.is_alphabetic() && (modifiers.contains(KeyModifiers::SHIFT) || c.is_uppercase());
            modifiers.set(KeyModifiers::SHIFT, shifted);
            c = single(c.to_lowercase()).unwrap_or(c);
            // ctrl-i is the byte of tab, ctrl-m that of enter, ctrl-[ that of esc; 0x1c … 0x1f arrive as ctrl-4 … ctrl-7.
            let code = match c {
                'i' if !shifted => KeyCode::Tab,
                'm' if !shifted => KeyCode::Enter,
                '[' | '3' => KeyCode::Esc,
                '@' | '2' => KeyCode::Char(' '),
                '4' => KeyCode::Char('\\'),
                '5' => KeyCode::Char(']'),
                '6' => KeyCode::Char('^'),
                '7' | '/' => KeyCode::Char('_'),
                c => KeyCode::Char(c),
            };
            let modifiers = if matches!(code, KeyCode::Char(_)) { modifiers } else { modifiers - KeyModifiers::CONTROL };
            return Some(Self { code, modifiers });
        }
        if modifiers.contains(KeyModifiers::SHIFT) {
            c = single(c.to_uppercase()).unwrap_or(c);
        }
        // The character itself says what shift did to the key, whatever the keyboard's layout.
        Some(Self { code: KeyCode::Char(c), modifiers: modifiers - KeyModifiers::SHIFT })
    }

    /// The character that this chord types into a line of text; none for commands.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.modifiers.is_empty() => Some(c),
            _ => None,
        }
    }

    /// As narrow as it can be told: `^d`, `↑`, `⏎`.
    pub fn short(self) -> String {
        let symbol = SHORT.iter().find(|&&(code, _)| code == self.code).map(|&(_, symbol)| symbol);
        if self.modifiers.is_empty() {
            return symbol.map_or_else(|| self.to_string(), str::to_owned);
        }
        match self.code {
            KeyCode::Char(c) if self.modifiers == KeyModifiers::CONTROL && c != ' ' => format!("^{c}"),
            _ => self.to_string(),
        }
    }
}

/// Whether a key can make `c`: one column or two, nothing that a terminal would obey.
fn is_key(c: char) -> bool {
    let text = c.encode_utf8(&mut [0; 4]).to_owned();
    text::clean(&text) == text && text::width::of(&text) > 0 && (c == ' ' || !c.is_whitespace())
}

/// The only character of a change of case; none where one letter becomes several.
fn single(mut changed: impl Iterator<Item = char>) -> Option<char> {
    let first = changed.next();
    if changed.next().is_none() { first } else { None }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, modifier) in MODIFIERS {
            if self.modifiers.contains(*modifier) {
                f.write_str(name)?;
            }
        }
        match (self.code, NAMED.iter().find(|&&(_, code)| code == self.code)) {
            (_, Some((name, _))) => f.write_str(name),
            (KeyCode::Char(c), None) => write!(f, "{c}"),
            (KeyCode::F(number), None) => write!(f, "f{number}"),
            (code, None) => write!(f, "{code}"),
        }
    }
}

/// A text that names no chord: why, and how to write one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ChordError(String);

impl FromStr for Chord {
    type Err = ChordError;

    fn from_str(text: &str) -> Result<Self, ChordError> {
        let fault = |why: &str| ChordError(format!("{} is no key: {why}", text::quoted(&text::truncate(text, 24))));
        let mut rest = text;
        let mut modifiers = KeyModifiers::NONE;
        while let Some((name, modifier)) = MODIFIERS.iter().find(|(name, _)| starts_with(rest, name)) {
            if modifiers.contains(*modifier) {
                return Err(fault("it names a modifier twice"));
            }
            modifiers |= *modifier;
            rest = &rest[name.len()..];
        }
        let lower = rest.to_lowercase();
        let code = match single(rest.chars()) {
            Some(c) if modifiers.contains(KeyModifiers::CONTROL) => KeyCode::Char(single(c.to_lowercase()).unwrap_or(c)),
            Some(c) => KeyCode::Char(c),
            None => named(&lower).ok_or_else(|| fault(EXPECTED))?,
        };
        if let KeyCode::Char(c) = code
            && modifiers.contains(KeyModifiers::SHIFT)
            && !c.is_alphabetic()
            && c != ' '
        {
            return Err(fault("with shift such a key makes another character: write that one, as in \"+\" or \"alt-?\""));
        }
        Self::new(code, modifiers).ok_or_else(|| fault(EXPECTED))
    }
}

const EXPECTED: &str = "write a character (\"x\", \"G\", \"+\"), a name (space, enter, esc, tab, pgup, f5 …), or either after ctrl-, alt-, shift-, super-";

/// Whether `text` begins with the modifier `name` and goes on after it: in `ctrl--` the last dash is the key.
fn starts_with(text: &str, name: &str) -> bool {
    text.len() > name.len() && text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

fn named(lower: &str) -> Option<KeyCode> {
    let function = || lower.strip_prefix('f').filter(|digits| !digits.starts_with(['0', '+'])).and_then(|digits| digits.parse().ok()).map(KeyCode::F);
    NAMED.iter().find(|&&(name, _)| name == lower).map(|&(_, code)| code).or_else(function)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chord(text: &str) -> Chord {
        text.parse().unwrap()
    }

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> String {
        Chord::from_event(KeyEvent::new(code, modifiers)).map_or_else(|| "nothing".to_owned(), |chord| chord.to_string())
    }

    #[test]
    fn chords_read_as_they_are_written() {
        for text in [
            "x",
            "G",
            "+",
            "-",
            "?",
            "ä",
            "ctrl-d",
            "ctrl--",
            "alt-x",
            "alt-X",
            "shift-tab",
            "f1",
            "f12",
            "space",
            "ctrl-space",
            "enter",
            "pgdn",
            "super-k",
            "ctrl-alt-delete",
            "ctrl-shift-a",
            "shift-up",
            "alt--",
            "ctrl-]",
            "ctrl-\\",
        ] {
            assert_eq!(chord(text).to_string(), text);
        }
    }

    #[test]
    fn other_ways_to_write_the_same_are_understood() {
        for (text, normal) in [
            ("Ctrl-D", "ctrl-d"),
            ("CTRL-ALT-X", "ctrl-alt-x"),
            ("alt-ctrl-x", "ctrl-alt-x"),
            ("shift-g", "G"),
            ("Escape", "esc"),
            ("PageDown", "pgdn"),
            ("ctrl-i", "tab"),
            ("ctrl-m", "enter"),
            ("ctrl-[", "esc"),
            ("ctrl-/", "ctrl-_"),
            (" ", "space"),
        ] {
            assert_eq!(chord(text).to_string(), normal, "{text}");
        }
    }

    #[test]
    fn what_is_no_chord_is_refused_with_the_way_to_write_one() {
        for text in ["", "ctrl-", "foo", "ctrl-ctrl-x", "f0", "f36", "f+1", "\x1b", "\u{202e}", "xy", "hyper-x", "\u{301}", "ctrl-\u{85}"] {
            let error = text.parse::<Chord>().unwrap_err().to_string();
            assert!(error.contains("is no key") && !error.contains('\x1b'), "{text:?}: {error}");
        }
        assert!("shift-1".parse::<Chord>().unwrap_err().to_string().contains("another character"));
    }

    #[test]
    fn one_press_is_one_chord_however_a_terminal_reports_it() {
        let (none, shift, ctrl) = (KeyModifiers::NONE, KeyModifiers::SHIFT, KeyModifiers::CONTROL);
        assert_eq!(pressed(KeyCode::Char('G'), none), "G");
        assert_eq!(pressed(KeyCode::Char('G'), shift), "G");
        assert_eq!(pressed(KeyCode::Char('g'), shift), "G");
        assert_eq!(pressed(KeyCode::Char('?'), shift), "?");
        assert_eq!(pressed(KeyCode::BackTab, shift), "shift-tab");
        assert_eq!(pressed(KeyCode::BackTab, none), "shift-tab");
        assert_eq!(pressed(KeyCode::Tab, shift), "shift-tab");
        assert_eq!(pressed(KeyCode::Char(' '), ctrl), "ctrl-space");
        assert_eq!(pressed(KeyCode::Char('5'), ctrl), "ctrl-]");
        assert_eq!(pressed(KeyCode::Char(']'), ctrl), "ctrl-]");
        assert_eq!(pressed(KeyCode::Char('7'), ctrl), "ctrl-_");
        assert_eq!(pressed(KeyCode::Char('A'), ctrl), "ctrl-shift-a");
        assert_eq!(pressed(KeyCode::Char('a'), ctrl | shift), "ctrl-shift-a");
        assert_eq!(pressed(KeyCode::Char('a'), ctrl), "ctrl-a");
        assert_eq!(pressed(KeyCode::Char('X'), KeyModifiers::ALT | shift), "alt-X");
    }

    #[test]
    fn releases_and_keys_without_a_name_are_nothing() {
        let mut event = KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE);
        event.kind = KeyEventKind::Release;
        assert_eq!(Chord::from_event(event), None);
        event.kind = KeyEventKind::Repeat;
        assert_eq!(Chord::from_event(event), Some(chord("x")));
        for code in [KeyCode::Null, KeyCode::CapsLock, KeyCode::KeypadBegin, KeyCode::F(0), KeyCode::Char('\u{7f}')] {
            assert_eq!(pressed(code, KeyModifiers::NONE), "nothing");
        }
        assert_eq!(pressed(KeyCode::Char('x'), KeyModifiers::HYPER), "nothing");
    }

    #[test]
    fn the_status_line_gets_short_forms() {
        for (text, short) in [("ctrl-d", "^d"), ("up", "↑"), ("enter", "⏎"), ("x", "x"), ("shift-up", "shift-up"), ("ctrl-space", "ctrl-space"), ("f1", "f1")]
        {
            assert_eq!(chord(text).short(), short);
        }
    }

    #[test]
    fn only_plain_characters_are_typed() {
        assert_eq!(chord("G").typed(), Some('G'));
        assert_eq!(chord("space").typed(), Some(' '));
        assert_eq!(chord("ctrl-g").typed(), None);
        assert_eq!(chord("f1").typed(), None);
    }

    fn code() -> impl Strategy<Value = KeyCode> {
        let named: Vec<KeyCode> = NAMED.iter().map(|&(_, code)| code).chain([KeyCode::BackTab]).collect();
        prop_oneof![
            any::<char>().prop_map(KeyCode::Char),
            (b' '..=b'~').prop_map(|c| KeyCode::Char(c.into())),
            any::<u8>().prop_map(KeyCode::F),
            prop::sample::select(named)
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_pressed_can_be_written_and_read(code in code(), bits in 0u8..16) {
            if let Some(chord) = Chord::new(code, KeyModifiers::from_bits_truncate(bits)) {
                prop_assert_eq!(chord.to_string().parse(), Ok(chord));
                prop_assert_eq!(Chord::new(chord.code, chord.modifiers), Some(chord), "the normal form is its own");
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,12}") {
            if let Ok(chord) = text.parse::<Chord>() {
                prop_assert_eq!(chord.to_string().parse(), Ok(chord));
            }
        }
    }
}
