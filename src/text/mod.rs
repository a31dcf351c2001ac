//! Text from outside made fit for a terminal: nothing that a container, an image or a registry says gets there raw.
//!
//! What is dangerous is shown, not dropped: escape sequences could rewrite the screen or the window's title, and
//! direction marks could make a name read as another.

pub mod size;
pub mod when;
pub mod width;

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a terminal could take `c` for something other than a character to draw.
///
/// C0 and C1 controls, DEL; line and paragraph separators; the marks that turn the direction of writing (Unicode
/// Bidirectional Algorithm, UAX #9); invisible operators, annotations and tags. Joiners stay: scripts need them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_bad = |c: char| is_unsafe(c) && !keep(c);
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        let written = match c {
            c if !is_bad(c) => write!(shown, "{c}"),
            '\n' => write!(shown, "\\n"),
            '\r' => write!(shown, "\\r"),
            '\t' => write!(shown, "\\t"),
            c if u32::from(c) < 0x100 => write!(shown, "\\x{:02x}", u32::from(c)),
            c => write!(shown, "\\u{{{:x}}}", u32::from(c)),
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    Cow::Owned(shown)
}

/// `text` as one harmless line: `\n`, `\t`, `\x1b`, `\u{202e}` stand for what they name.
pub fn clean(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// The same for text of several lines: line ends and tabs stay.
pub fn clean_block(text: &str) -> Cow<'_, str> {
    escape(text, |c| matches!(c, '\n' | '\t'))
}

/// The same for bytes that should be UTF-8; what is none becomes U+FFFD.
pub fn clean_bytes(bytes: &[u8]) -> String {
    clean(&String::from_utf8_lossy(bytes)).into_owned()
}

/// A JSON document that says the same and is harmless: `\u001b` and the like inside its strings.
///
/// `json` is what serde_json wrote, so that outside of strings there is only ASCII; its line ends stay.
pub fn clean_json(json: &str) -> Cow<'_, str> {
    let is_bad = |c: char| is_unsafe(c) && c != '\n';
    if !json.contains(is_bad) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 32);
    for c in json.chars() {
        if is_bad(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let written = write!(shown, "\\u{unit:04x}");
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// At most `columns` columns of `text`, the last one an ellipsis if anything was cut off.
pub fn truncate(text: &str, columns: usize) -> Cow<'_, str> {
    if width::of(text) <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(1);
    // A mark may widen what stands before it, so that it is beginnings that are measured, not characters.
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|&end| width::of(&text[..end]) <= room).last().unwrap_or(0);
    Cow::Owned(if columns == 0 { String::new() } else { format!("{}…", &text[..end]) })
}

/// `text` in double quotes, as tables show commands and templates `%q`.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", clean(&text.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_shown() {
        assert_eq!(clean("a\x1b[31mb\r\n\t\u{7f}"), "a\\x1b[31mb\\r\\n\\t\\x7f");
        assert_eq!(clean("\u{9b}31m"), "\\x9b31m");
        assert_eq!(clean("exe.\u{202e}gpj"), "exe.\\u{202e}gpj");
        assert_eq!(clean_bytes(b"a\xffb\x1b"), "a\u{fffd}b\\x1b");
        assert!(matches!(clean("größe 日本 🐳"), Cow::Borrowed(_)));
    }

    #[test]
    fn blocks_keep_their_lines() {
        assert_eq!(clean_block("a\n\tb\r\x1b"), "a\n\tb\\r\\x1b");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({"a": "x\u{9b}\u{202e}\u{e0041}\u{7f}\n"});
        for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let shown = clean_json(&json);
            assert!(shown.is_ascii());
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }

    #[test]
    fn long_text_ends_in_an_ellipsis() {
        assert_eq!(truncate("abcdef", 6), "abcdef");
        assert_eq!(truncate("abcdef", 4), "abc…");
        assert_eq!(truncate("日本語", 4), "日…");
        assert_eq!(truncate("abc", 1), "…");
        assert_eq!(truncate("abc", 0), "");
        assert_eq!(quoted("sh -c \"a\\b\"\n"), r#""sh -c \"a\\b\"\n""#);
    }

    proptest! {
        #[test]
        fn nothing_dangerous_is_left(text in any::<String>(), columns in 0usize..40) {
            let shown = clean(&text);
            let dangerous = |c: char| c.is_control() || c == '\u{202e}';
            prop_assert!(!shown.contains(dangerous));
            prop_assert!(width::of(&truncate(&shown, columns)) <= columns);
        }
    }
}
