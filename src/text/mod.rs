//! Text from outside made fit for a terminal: nothing that a container, an image or a registry says gets there raw.
//!
//! What is dangerous is shown, not dropped: escape sequences could rewrite the screen or the window's title, and
//! direction marks could make a name read as another.

pub mod ports;
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

/// The same from the other end: of a long name of an image the end tells more.
pub fn truncate_start(text: &str, columns: usize) -> Cow<'_, str> {
    if width::of(text) <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(1);
    // A mark without what it stands on would stand on the ellipsis.
    let stands = |at: &usize| text[*at..].chars().next().is_some_and(|c| width::of(c.encode_utf8(&mut [0; 4])) > 0);
    let start = text.char_indices().map(|(at, _)| at).filter(stands).find(|&at| width::of(&text[at..]) <= room).unwrap_or(text.len());
    Cow::Owned(if columns == 0 { String::new() } else { format!("…{}", &text[start..]) })
}

/// `text` in lines of at most `columns` columns: whole words, as far as these are not longer than a line.
pub fn wrap(text: &str, columns: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let line = beginning(rest, columns);
        lines.push(line.trim_end());
        rest = rest[line.len()..].trim_start();
    }
    lines
}

/// As much of `text` as a line holds; one character at least.
fn beginning(text: &str, columns: usize) -> &str {
    let mut end = 0;
    let mut space = None;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        if c == ' ' {
            space = Some(at);
        } else if end > 0 && width::of(&text[..next]) > columns {
            return &text[..space.unwrap_or(end)];
        }
        end = next;
    }
    text
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
    fn what_is_cut_at_its_start_keeps_its_end() {
        assert_eq!(truncate_start("registry/busybox:1", 10), "…busybox:1");
        assert_eq!(truncate_start("short", 5), "short");
        assert_eq!(truncate_start("日本語", 4), "…語");
        assert_eq!(truncate_start("ae\u{301}xyz", 5), "ae\u{301}xyz");
        assert_eq!(truncate_start("abe\u{301}xy", 3), "…xy");
        assert_eq!((truncate_start("ab", 1), truncate_start("ab", 0)), ("…".into(), "".into()));
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("run -it host sh", 8), ["run -it", "host sh"]);
        assert_eq!(wrap("a longestword  b", 6), ["a", "longes", "tword", "b"]);
        assert_eq!(wrap("日本語", 3), ["日", "本", "語"]);
        assert_eq!(wrap("日x", 1), ["日", "x"]);
        assert_eq!(wrap("  ", 4), [""; 0]);
    }

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
