//! How many columns of a terminal a character takes: none, one or two.

use unicode_width::UnicodeWidthStr;

/// The columns of a line of text.
pub fn of(text: &str) -> usize {
    text.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_terminals() {
        assert_eq!(of("abc"), 3);
        assert_eq!(of("größe"), 5);
        assert_eq!(of("日本"), 4);
        assert_eq!(of("e\u{301}"), 1);
        assert_eq!(of("🐳"), 2);
        assert_eq!(of("한글"), 4);
        assert_eq!(of("…"), 1);
    }
}
