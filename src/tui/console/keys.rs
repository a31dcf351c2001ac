//! Keys as the bytes that xterm sends for them, and pasted text as programs expect it.
//!
//! Source: XTerm Control Sequences (ctlseqs), "PC-Style Function Keys", "VT220-Style Function Keys".

use super::terminal::Modes;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers};

/// What a key is to the program; nothing for a key that was let go, or that terminals have no bytes for.
pub fn bytes(key: &KeyEvent, modes: Modes) -> Vec<u8> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let held = key.modifiers;
    let keypad = modes.application_keypad && key.state.contains(KeyEventState::KEYPAD);
    match key.code {
        KeyCode::Char(c) if keypad && held.is_empty() && keypad_letter(c).is_some() => vec![0x1b, b'O', keypad_letter(c).unwrap_or_default()],
        KeyCode::Enter if keypad && held.is_empty() => b"\x1bOM".to_vec(),
        KeyCode::Char(c) => character(c, held),
        KeyCode::Enter => alone(b'\r', held),
        KeyCode::Tab if held.contains(KeyModifiers::SHIFT) => b"\x1b[Z".to_vec(),
        KeyCode::Tab => alone(b'\t', held),
        KeyCode::BackTab => b"\x1b[Z".to_vec(),
        KeyCode::Esc => alone(0x1b, held),
        KeyCode::Null => alone(0, held),
        KeyCode::Backspace if held.contains(KeyModifiers::CONTROL) => alone(0x08, held),
        KeyCode::Backspace => alone(0x7f, held),
        KeyCode::Up => cursor(b'A', held, modes),
        KeyCode::Down => cursor(b'B', held, modes),
        KeyCode::Right => cursor(b'C', held, modes),
        KeyCode::Left => cursor(b'D', held, modes),
        KeyCode::KeypadBegin => cursor(b'E', held, modes),
        KeyCode::End => cursor(b'F', held, modes),
        KeyCode::Home => cursor(b'H', held, modes),
        KeyCode::Insert => editing(2, held),
        KeyCode::Delete => editing(3, held),
        KeyCode::PageUp => editing(5, held),
        KeyCode::PageDown => editing(6, held),
        KeyCode::F(number) => function(number, held),
        _ => Vec::new(),
    }
}

/// Pasted text: line ends as the Enter key gives them, and in brackets if the program asked for them. Nothing pasted can
/// close the brackets.
pub fn paste(text: &str, modes: Modes) -> Vec<u8> {
    let lines = text.replace("\r\n", "\r").replace('\n', "\r");
    if modes.bracketed_paste { format!("\x1b[200~{}\x1b[201~", lines.replace('\x1b', "")).into_bytes() } else { lines.into_bytes() }
}

/// The number that stands for modifiers; 1 for none.
fn modifier(held: KeyModifiers) -> u8 {
    1 + u8::from(held.contains(KeyModifiers::SHIFT))
        + 2 * u8::from(held.contains(KeyModifiers::ALT))
        + 4 * u8::from(held.contains(KeyModifiers::CONTROL))
        + 8 * u8::from(held.contains(KeyModifiers::META))
}

/// A byte, behind ESC if Alt is held.
fn alone(byte: u8, held: KeyModifiers) -> Vec<u8> {
    if held.intersects(KeyModifiers::ALT | KeyModifiers::META) { vec![0x1b, byte] } else { vec![byte] }
}

fn character(c: char, held: KeyModifiers) -> Vec<u8> {
    if held.contains(KeyModifiers::CONTROL)
        && let Some(byte) = control(c)
    {
        return alone(byte, held);
    }
    let mut bytes = Vec::new();
    if held.intersects(KeyModifiers::ALT | KeyModifiers::META) {
        bytes.push(0x1b);
    }
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    bytes
}

/// The control character on a key; digits are those of a VT220's keyboard.
fn control(c: char) -> Option<u8> {
    Some(match c {
        'a'..='z' | 'A'..='Z' | '@' | '[' | '\\' | ']' | '^' | '_' => (c as u8).to_ascii_uppercase() & 0x1f,
        ' ' | '2' | '`' => 0,
        '3' => 0x1b,
        '4' | '|' => 0x1c,
        '5' | '}' => 0x1d,
        '6' | '~' => 0x1e,
        '7' | '/' | '-' => 0x1f,
        '8' | '?' => 0x7f,
        _ => return None,
    })
}

fn keypad_letter(c: char) -> Option<u8> {
    Some(match c {
        '0'..='9' => b'p' + (c as u8 - b'0'),
        '*' => b'j',
        '+' => b'k',
        ',' => b'l',
        '-' => b'm',
        '.' => b'n',
        '/' => b'o',
        '=' => b'X',
        _ => return None,
    })
}

fn cursor(letter: u8, held: KeyModifiers, modes: Modes) -> Vec<u8> {
    match modifier(held) {
        1 if modes.application_cursor => vec![0x1b, b'O', letter],
        1 => vec![0x1b, b'[', letter],
        number => format!("\x1b[1;{number}{}", char::from(letter)).into_bytes(),
    }
}

fn editing(key: u8, held: KeyModifiers) -> Vec<u8> {
    match modifier(held) {
        1 => format!("\x1b[{key}~"),
        number => format!("\x1b[{key};{number}~"),
    }
    .into_bytes()
}

fn function(number: u8, held: KeyModifiers) -> Vec<u8> {
    let code = match number {
        1..=4 => {
            let letter = b'P' + number - 1;
            return match modifier(held) {
                1 => vec![0x1b, b'O', letter],
                with => format!("\x1b[1;{with}{}", char::from(letter)).into_bytes(),
            };
        }
        5 => 15,
        6..=10 => 11 + number,
        11..=14 => 12 + number,
        15 | 16 => 13 + number,
        17..=20 => 14 + number,
        _ => return Vec::new(),
    };
    editing(code, held)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: KeyModifiers = KeyModifiers::NONE;
    const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
    const ALT: KeyModifiers = KeyModifiers::ALT;
    const CTRL: KeyModifiers = KeyModifiers::CONTROL;

    fn sent(code: KeyCode, held: KeyModifiers, modes: Modes) -> String {
        String::from_utf8(bytes(&KeyEvent::new(code, held), modes)).unwrap()
    }

    #[test]
    fn keys_are_sent_as_xterm_sends_them() {
        let plain = Modes::default();
        for (code, held, expected) in [
            (KeyCode::Char('a'), NONE, "a"),
            (KeyCode::Char('A'), SHIFT, "A"),
            (KeyCode::Char('é'), NONE, "é"),
            (KeyCode::Char('é'), ALT, "\x1bé"),
            (KeyCode::Char('x'), ALT, "\x1bx"),
            (KeyCode::Char('c'), CTRL, "\x03"),
            (KeyCode::Char('c'), CTRL.union(ALT), "\x1b\x03"),
            (KeyCode::Char(' '), CTRL, "\0"),
            (KeyCode::Char('\\'), CTRL, "\x1c"),
            (KeyCode::Char('4'), CTRL, "\x1c"),
            (KeyCode::Char('7'), CTRL, "\x1f"),
            (KeyCode::Char('_'), CTRL, "\x1f"),
            (KeyCode::Char('?'), CTRL, "\x7f"),
            (KeyCode::Char('1'), CTRL, "1"),
            (KeyCode::Enter, NONE, "\r"),
            (KeyCode::Enter, ALT, "\x1b\r"),
            (KeyCode::Tab, NONE, "\t"),
            (KeyCode::BackTab, SHIFT, "\x1b[Z"),
            (KeyCode::Esc, NONE, "\x1b"),
            (KeyCode::Backspace, NONE, "\x7f"),
            (KeyCode::Backspace, ALT, "\x1b\x7f"),
            (KeyCode::Backspace, CTRL, "\x08"),
            (KeyCode::Up, NONE, "\x1b[A"),
            (KeyCode::Up, CTRL, "\x1b[1;5A"),
            (KeyCode::Left, SHIFT.union(ALT), "\x1b[1;4D"),
            (KeyCode::Home, NONE, "\x1b[H"),
            (KeyCode::End, SHIFT, "\x1b[1;2F"),
            (KeyCode::Insert, NONE, "\x1b[2~"),
            (KeyCode::Delete, CTRL, "\x1b[3;5~"),
            (KeyCode::PageUp, NONE, "\x1b[5~"),
            (KeyCode::PageDown, ALT, "\x1b[6;3~"),
            (KeyCode::F(1), NONE, "\x1bOP"),
            (KeyCode::F(4), CTRL, "\x1b[1;5S"),
            (KeyCode::F(5), NONE, "\x1b[15~"),
            (KeyCode::F(6), NONE, "\x1b[17~"),
            (KeyCode::F(10), NONE, "\x1b[21~"),
            (KeyCode::F(11), NONE, "\x1b[23~"),
            (KeyCode::F(12), SHIFT, "\x1b[24;2~"),
            (KeyCode::F(15), NONE, "\x1b[28~"),
            (KeyCode::F(20), NONE, "\x1b[34~"),
            (KeyCode::F(24), NONE, ""),
            (KeyCode::CapsLock, NONE, ""),
        ] {
            assert_eq!(sent(code, held, plain), expected, "{code:?} with {held:?}");
        }
    }

    #[test]
    fn applications_get_the_keys_they_asked_for() {
        let modes = Modes { application_cursor: true, application_keypad: true, ..Modes::default() };
        assert_eq!(sent(KeyCode::Up, NONE, modes), "\x1bOA");
        assert_eq!(sent(KeyCode::Home, NONE, modes), "\x1bOH");
        assert_eq!(sent(KeyCode::Up, CTRL, modes), "\x1b[1;5A");
        assert_eq!(sent(KeyCode::Char('5'), NONE, modes), "5");
        let keypad = |code| {
            let key = KeyEvent { state: KeyEventState::KEYPAD, ..KeyEvent::new(code, NONE) };
            String::from_utf8(bytes(&key, modes)).unwrap()
        };
        assert_eq!([KeyCode::Char('5'), KeyCode::Char('+'), KeyCode::Enter, KeyCode::Char('a')].map(keypad), ["\x1bOu", "\x1bOk", "\x1bOM", "a"]);
    }

    #[test]
    fn a_key_that_is_let_go_is_nothing() {
        let key = KeyEvent::new_with_kind(KeyCode::Char('a'), NONE, KeyEventKind::Release);
        assert!(bytes(&key, Modes::default()).is_empty());
    }

    #[test]
    fn nothing_pasted_closes_the_brackets() {
        let modes = Modes { bracketed_paste: true, ..Modes::default() };
        assert_eq!(paste("a\nb\r\n", Modes::default()), b"a\rb\r");
        assert_eq!(paste("a\x1b[201~rm", modes), b"\x1b[200~a[201~rm\x1b[201~");
    }
}
