//! The mouse as the bytes that a program asked for, or as arrows for one that only scrolls.
//!
//! Source: XTerm Control Sequences (ctlseqs), "Mouse Tracking".

use super::keys;
use super::terminal::Modes;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEventKind};
use vt100::{MouseProtocolEncoding as Encoding, MouseProtocolMode as Wanted};

/// Lines that a turn of the wheel scrolls a program that knows no mouse.
const WHEEL: usize = 3;

/// Whether the program wants the mouse for itself; otherwise it selects text.
pub fn is_wanted(modes: Modes) -> bool {
    modes.mouse != Wanted::None
}

/// What an event at a row and column (from 0) of the screen is to the program; nothing if it does not want it.
pub fn bytes(kind: MouseEventKind, row: u16, column: u16, held: KeyModifiers, modes: Modes) -> Vec<u8> {
    if modes.mouse == Wanted::None {
        return wheel(kind, modes);
    }
    let Some(code) = code(kind, modes.mouse) else { return Vec::new() };
    let released = matches!(kind, MouseEventKind::Up(_));
    let modifiers = if modes.mouse == Wanted::Press {
        0
    } else {
        4 * u16::from(held.contains(KeyModifiers::SHIFT))
            + 8 * u16::from(held.contains(KeyModifiers::ALT))
            + 16 * u16::from(held.contains(KeyModifiers::CONTROL))
    };
    let (column, row) = (column.saturating_add(1), row.saturating_add(1));
    match modes.mouse_encoding {
        Encoding::Sgr => format!("\x1b[<{};{column};{row}{}", code + modifiers, if released { 'm' } else { 'M' }).into_bytes(),
        encoding => {
            // Without decimal numbers nobody can tell which button was let go.
            let code = if released { 3 } else { code };
            numbers([code + modifiers, column, row], encoding)
        }
    }
}

/// A program on the second screen that asked for no mouse (a pager) scrolls by arrows.
fn wheel(kind: MouseEventKind, modes: Modes) -> Vec<u8> {
    let key = match kind {
        MouseEventKind::ScrollUp if modes.alternate => KeyCode::Up,
        MouseEventKind::ScrollDown if modes.alternate => KeyCode::Down,
        _ => return Vec::new(),
    };
    keys::bytes(&KeyEvent::new(key, KeyModifiers::NONE), modes).repeat(WHEEL)
}

fn button(button: MouseButton) -> u16 {
    match button {
        MouseButton::Left => 0,
        MouseButton::Middle => 1,
        MouseButton::Right => 2,
    }
}

/// The number of an event, if it is wanted.
fn code(kind: MouseEventKind, wanted: Wanted) -> Option<u16> {
    const MOTION: u16 = 32;
    match kind {
        MouseEventKind::Down(which) => Some(button(which)),
        MouseEventKind::Up(which) => (wanted != Wanted::Press).then(|| button(which)),
        MouseEventKind::Drag(which) => matches!(wanted, Wanted::ButtonMotion | Wanted::AnyMotion).then(|| MOTION + button(which)),
        MouseEventKind::Moved => (wanted == Wanted::AnyMotion).then_some(MOTION + 3),
        MouseEventKind::ScrollUp => Some(64),
        MouseEventKind::ScrollDown => Some(65),
        MouseEventKind::ScrollLeft => Some(66),
        MouseEventKind::ScrollRight => Some(67),
    }
}

/// Numbers as characters above the blank; a place that is too far away for the encoding is not reported.
fn numbers(numbers: [u16; 3], encoding: Encoding) -> Vec<u8> {
    let mut bytes = b"\x1b[M".to_vec();
    for number in numbers {
        let number = u32::from(number) + 32;
        match encoding {
            Encoding::Utf8 if number < 0x800 => {
                let c = char::from_u32(number).unwrap_or(' ');
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Encoding::Default if number < 0x100 => bytes.push(number as u8),
            _ => return Vec::new(),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use MouseEventKind::{Down, Drag, Moved, ScrollDown, ScrollUp, Up};

    fn sent(kind: MouseEventKind, mouse: Wanted, mouse_encoding: Encoding) -> Vec<u8> {
        bytes(kind, 4, 9, KeyModifiers::NONE, Modes { mouse, mouse_encoding, ..Modes::default() })
    }

    #[test]
    fn events_are_sent_as_they_were_asked_for() {
        let (left, right) = (MouseButton::Left, MouseButton::Right);
        for (kind, mode, encoding, expected) in [
            (Down(left), Wanted::None, Encoding::Sgr, ""),
            (Down(left), Wanted::Press, Encoding::Default, "\x1b[M *%"),
            (Up(left), Wanted::Press, Encoding::Default, ""),
            (Down(right), Wanted::PressRelease, Encoding::Default, "\x1b[M\"*%"),
            (Up(right), Wanted::PressRelease, Encoding::Default, "\x1b[M#*%"),
            (Drag(left), Wanted::PressRelease, Encoding::Sgr, ""),
            (Drag(left), Wanted::ButtonMotion, Encoding::Default, "\x1b[M@*%"),
            (Moved, Wanted::ButtonMotion, Encoding::Sgr, ""),
            (Moved, Wanted::AnyMotion, Encoding::Sgr, "\x1b[<35;10;5M"),
            (Down(MouseButton::Middle), Wanted::PressRelease, Encoding::Sgr, "\x1b[<1;10;5M"),
            (Up(right), Wanted::AnyMotion, Encoding::Sgr, "\x1b[<2;10;5m"),
            (ScrollUp, Wanted::PressRelease, Encoding::Sgr, "\x1b[<64;10;5M"),
            (ScrollDown, Wanted::PressRelease, Encoding::Utf8, "\x1b[Ma*%"),
        ] {
            assert_eq!(sent(kind, mode, encoding), expected.as_bytes(), "{kind:?} {mode:?} {encoding:?}");
        }
    }

    #[test]
    fn far_places_and_modifiers_are_told_where_they_can_be() {
        let far = |mouse_encoding| {
            let modes = Modes { mouse: Wanted::PressRelease, mouse_encoding, ..Modes::default() };
            bytes(Down(MouseButton::Left), 0, 299, KeyModifiers::CONTROL | KeyModifiers::SHIFT, modes)
        };
        assert_eq!(far(Encoding::Sgr), b"\x1b[<20;300;1M");
        assert_eq!(far(Encoding::Utf8), "\x1b[M4\u{14c}!".as_bytes());
        assert!(far(Encoding::Default).is_empty());
    }

    #[test]
    fn a_pager_scrolls_by_arrows() {
        let pager = Modes { alternate: true, application_cursor: true, ..Modes::default() };
        assert_eq!(bytes(ScrollUp, 0, 0, KeyModifiers::NONE, pager), b"\x1bOA\x1bOA\x1bOA");
        assert!(bytes(ScrollUp, 0, 0, KeyModifiers::NONE, Modes::default()).is_empty());
    }
}
