//! The line-drawing set of the VT100 family, as Unicode.

/// The character that a byte from `` ` `` to `~` stands for while the set is chosen.
///
/// Source: the acsc capability of terminfo(5) for xterm.
pub fn line_drawing(byte: u8) -> char {
    const SET: [char; 31] = [
        '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─', '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£',
        '·',
    ];
    byte.checked_sub(b'`').and_then(|at| SET.get(usize::from(at)).copied()).unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::line_drawing;

    #[test]
    fn a_box_is_drawn() {
        assert_eq!(b"lqkxmqj".map(line_drawing), ['┌', '─', '┐', '│', '└', '─', '┘']);
        assert_eq!((line_drawing(b'A'), line_drawing(b'`'), line_drawing(b'~'), line_drawing(0x7f)), ('A', '◆', '·', '\u{7f}'));
    }
}
