//! Content as lines: text, bytes with their offsets, and differences as `diff -u` tells them.

use crate::engine::FileKind;
use crate::engine::contents::unified::{Hunk, Mark};
use crate::engine::contents::{Difference, Side};
use crate::engine::layers::Head;
use crate::text::{self, size};
use crate::tui::widget::pager::{Kind, Line};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

/// Most lines that are shown of a file.
pub const MOST: usize = 50_000;
/// Most characters of a line.
const LONGEST: usize = 8000;
/// Bytes on a line of numbers.
const ROW: usize = 16;

/// A file's lines as text.
pub fn text(head: &Head) -> Vec<Line> {
    let words = String::from_utf8_lossy(&head.bytes);
    let mut lines: Vec<Line> = words.lines().take(MOST).map(|line| short(line, "", Kind::Plain)).collect();
    let all = words.lines().count();
    if all > MOST {
        lines.push(note(format!("… {} more lines are not shown", all - MOST)));
    }
    if head.is_cut() {
        lines.push(cut(head));
    }
    lines
}

/// A file's bytes: offset, numbers, and the characters that they are.
pub fn hex(head: &Head) -> Vec<Line> {
    let rows = head.bytes.chunks(ROW).enumerate().take(MOST);
    let mut lines: Vec<Line> = rows.map(|(row, bytes)| Line { text: row_of(row * ROW, bytes), ..Line::default() }).collect();
    if head.is_cut() {
        lines.push(cut(head));
    }
    lines
}

fn row_of(offset: usize, bytes: &[u8]) -> String {
    let mut row = format!("{offset:08x}  ");
    for at in 0..ROW {
        // Writing to a string cannot fail.
        let _ = match bytes.get(at) {
            Some(byte) => write!(row, "{byte:02x} "),
            None => write!(row, "   "),
        };
        if at == ROW / 2 - 1 {
            row.push(' ');
        }
    }
    row.push('│');
    row.extend(bytes.iter().map(|&byte| if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '·' }));
    row.push('│');
    row
}

fn note(words: String) -> Line {
    Line { text: words, time: String::new(), kind: Kind::Muted }
}

fn cut(head: &Head) -> Line {
    let shown = size::binary(head.bytes.len() as u64);
    note(format!("… here end the first {shown} of {}: what follows is not shown; a copy of the file has all of it", size::binary(head.size)))
}

/// A line with its sign; what is far too long for a screen is cut, and says so.
fn short(words: &str, sign: &str, kind: Kind) -> Line {
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => Line::new(&format!("{sign}{}… ({} more bytes in this line)", &words[..end], words.len() - end), kind),
        None => Line::new(&format!("{sign}{words}"), kind),
    }
}

/// What differs.
pub fn difference(difference: &Difference) -> Vec<Line> {
    let mut lines = vec![
        Line::new(&format!("--- {}", described(difference.old.as_ref(), "the image does not have it")), Kind::Removed),
        Line::new(&format!("+++ {}", described(difference.new.as_ref(), "removed by the container")), Kind::Added),
    ];
    match &difference.text {
        Some(hunks) if hunks.is_empty() => lines.push(note(if difference.is_cut() {
            "what was compared is the same; the rest of the file was not compared".to_owned()
        } else {
            "the content is the same".to_owned()
        })),
        Some(hunks) => {
            for hunk in hunks {
                told(hunk, &mut lines);
            }
            if difference.is_cut() {
                lines.push(note("… only the beginning of the file was compared".to_owned()));
            }
        }
        None if difference.is_binary() => lines.push(note("the content is no text: the key for hex shows its bytes".to_owned())),
        None => {}
    }
    if lines.len() > MOST {
        let more = lines.len() - MOST;
        lines.truncate(MOST);
        lines.push(note(format!("… {more} more lines are not shown")));
    }
    lines
}

fn described(side: Option<&Side>, absent: &str) -> String {
    let Some(side) = side else { return absent.to_owned() };
    let kind = match (side.kind, &side.target) {
        (FileKind::Link, Some(target)) => format!("link to {}", text::clean_bytes(target.as_os_str().as_bytes())),
        (FileKind::File, _) => side.content.as_ref().map_or_else(|| "file".to_owned(), |head| format!("file, {}", size::decimal(head.size))),
        (kind, _) => format!("{kind:?}").to_lowercase(),
    };
    format!("{kind}, mode {:04o}, owner {}:{}", side.mode, side.uid, side.gid)
}

fn told(hunk: &Hunk, lines: &mut Vec<Line>) {
    let heading = format!("@@ -{},{} +{},{} @@", hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines);
    lines.push(Line::new(&heading, Kind::Heading));
    for (mark, words) in &hunk.lines {
        let (sign, kind) = match mark {
            Mark::Same => (" ", Kind::Plain),
            Mark::Old => ("-", Kind::Removed),
            Mark::New => ("+", Kind::Added),
        };
        lines.push(short(words.trim_end_matches('\n'), sign, kind));
        if !words.ends_with('\n') {
            lines.push(note("\\ no line end at the end of the file".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(bytes: &[u8], size: u64) -> Head {
        Head { bytes: bytes.to_vec(), size }
    }

    #[test]
    fn bytes_stand_beside_their_characters() {
        let lines = hex(&head(b"\x7fELF\x02\x01 kapal~\x80\xffg", 17));
        assert_eq!(lines[0].text, "00000000  7f 45 4c 46 02 01 20 6b  61 70 61 6c 7e 80 ff 67 │·ELF·· kapal~··g│");
        assert_eq!(lines.len(), 2, "it says that there is more");
        assert!(lines[1].text.contains("first 16B of 17B"), "{}", lines[1].text);
        assert_eq!(hex(&head(b"a", 1))[0].text, "00000000  61                                               │a│");
    }

    #[test]
    fn text_is_harmless_and_bounded() {
        let lines = text(&head(b"a\x1b[31m\n\tb\n", 9));
        assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["a\\x1b[31m", "    b"]);
        let long = text(&head(&vec![b'x'; LONGEST + 5], (LONGEST + 5) as u64));
        assert!(long[0].text.ends_with("(5 more bytes in this line)"));
        let many = text(&head(&vec![b'\n'; MOST + 7], (MOST + 7) as u64));
        assert_eq!((many.len(), many[MOST].text.as_str()), (MOST + 1, "… 7 more lines are not shown"));
    }

    #[test]
    fn a_difference_is_told_line_by_line() {
        let side = |content: &[u8], mode| Side { kind: FileKind::File, mode, uid: 0, gid: 5, target: None, content: Some(head(content, content.len() as u64)) };
        let hunk = Hunk { old_start: 1, old_lines: 1, new_start: 1, new_lines: 1, lines: vec![(Mark::Old, "a\n".to_owned()), (Mark::New, "b".to_owned())] };
        let changed = Difference { path: "x".into(), old: Some(side(b"a\n", 0o644)), new: Some(side(b"b", 0o755)), text: Some(vec![hunk]) };
        let lines: Vec<String> = difference(&changed).into_iter().map(|line| line.text).collect();
        let expected = [
            "--- file, 2B, mode 0644, owner 0:5",
            "+++ file, 1B, mode 0755, owner 0:5",
            "@@ -1,1 +1,1 @@",
            "-a",
            "+b",
            "\\ no line end at the end of the file",
        ];
        assert_eq!(lines, expected);
        let gone = Difference { path: "x".into(), old: Some(side(b"\0", 0)), new: None, text: None };
        assert_eq!(difference(&gone)[1].text, "+++ removed by the container");
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200), more in 0u64..3) {
            let head = head(&bytes, bytes.len() as u64 + more);
            for line in text(&head).into_iter().chain(hex(&head)) {
                prop_assert!(!line.text.contains(char::is_control));
            }
        }
    }
}
