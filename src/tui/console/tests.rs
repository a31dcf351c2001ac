//! The terminal in memory against what programs write, and against anything at all.

use super::selection::{self, Selection};
use super::terminal::Terminal;
use super::view::View;
use crate::tui::theme::Depth;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::Widget;
use std::time::{Duration, Instant};

fn fed(rows: u16, columns: u16, bytes: &[u8]) -> Terminal {
    let mut terminal = Terminal::new(rows, columns, 100);
    terminal.feed(bytes);
    terminal
}

fn drawn(terminal: &Terminal, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    View::new(terminal).render(area, &mut buffer);
    buffer
}

/// The lines of a view, without the blanks at their ends.
fn lines(terminal: &Terminal) -> Vec<String> {
    let (rows, columns) = terminal.size();
    let buffer = drawn(terminal, columns, rows);
    let row = |row| (0..columns).map(|column| buffer[(column, row)].symbol()).collect::<String>().trim_end().to_owned();
    (0..rows).map(row).collect()
}

#[test]
fn text_colours_and_attributes_are_drawn() {
    let terminal =
        fed(3, 20, b"\x1b[1;31mred\x1b[0m \x1b[38;5;208mo\x1b[48:2::1:2:3mx\x1b[m\r\n\x1b[7;4minv\x1b[0m\x1b]0;my \ttitle\x07\x1b]8;;http://x\x1b\\");
    assert_eq!(lines(&terminal), ["red ox", "inv", ""]);
    assert_eq!(terminal.title(), "my \\ttitle");
    let buffer = drawn(&terminal, 20, 3);
    assert_eq!((buffer[(0, 0)].fg, buffer[(0, 0)].modifier), (Color::Red, Modifier::BOLD));
    assert_eq!((buffer[(4, 0)].fg, buffer[(5, 0)].bg), (Color::Indexed(208), Color::Rgb(1, 2, 3)));
    assert_eq!(buffer[(1, 1)].modifier, Modifier::REVERSED | Modifier::UNDERLINED);
    let area = Rect::new(0, 0, 20, 3);
    let mut plain = Buffer::empty(area);
    View::new(&terminal).style(Style::new().bg(Color::Blue)).depth(Depth::None).render(area, &mut plain);
    assert_eq!((plain[(0, 0)].fg, plain[(0, 0)].bg, plain[(19, 2)].bg), (Color::Reset, Color::Blue, Color::Blue));
    let mut few = Buffer::empty(area);
    View::new(&terminal).depth(Depth::Sixteen).render(area, &mut few);
    let named = |colour| !matches!(colour, Color::Rgb(..) | Color::Indexed(_));
    assert_eq!((few[(0, 0)].fg, few[(5, 0)].bg), (Color::Red, Color::Black));
    assert!((0..20).all(|x| named(few[(x, 0)].fg) && named(few[(x, 0)].bg)), "{few:?}");
}

#[test]
fn what_xterm_knows_and_the_emulator_does_not_is_said_in_its_words() {
    for (bytes, expected) in [
        (&b"-\x1b[4b"[..], "-----"),
        (b"\x1b(0lqk\x1b(Bq", "┌─┐q"),
        (b"\x1b)0a\x0eq\x0fq", "a─q"),
        (b"bc\r\x1b[4ha\x1b[4l", "abc"),
        (b"\tx\x1b[2Zy", "y       x"),
        (b"ab\x1b[sc\x1b[uC", "abC"),
        (b"a\x1b[5`b", "a   b"),
        (b"a\x1bPignored\x1b\\b\x1b_too\x1b\\c\x1b^x\x18d", "abcd"),
        (b"a\x1b]52;c;aGk=\x07b", "ab"),
        (b"\x1b[31\x18ok", "ok"),
        (b"\x1b[1\n2Cx", ""),
        (b"\xe2\x82\xac\xe2\x82x\xff", "€?x?"),
        (b"a\xe2\x80\xaeb\xc2\x9b31mc", "ab31mc"),
        (b"\x1b[?7lx\x1b[>4;2my\x1b[?2026hz", "xyz"),
        (b"\x1b[999999999999999999999Cx", "                   x"),
    ] {
        assert_eq!(lines(&fed(3, 20, bytes))[0], expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn questions_are_answered() {
    let mut terminal = fed(24, 80, b"\x1b[3;5H\x1b[c\x1b[>c\x1b[5n\x1b[6n\x1b[?6n\x1b[18t\x1b[?2004h\x1b[?2004$p\x1b[?12$p\x1bZ");
    let expected = "\x1b[?62;22c\x1b[>41;354;0c\x1b[0n\x1b[3;5R\x1b[?3;5R\x1b[8;24;80t\x1b[?2004;1$y\x1b[?12;0$y\x1b[?62;22c";
    assert_eq!(String::from_utf8(terminal.replies()).unwrap(), expected);
    assert!(terminal.replies().is_empty());
    terminal.feed(&b"\x1b[6n".repeat(100_000));
    assert!(terminal.replies().len() <= 4 << 10, "who only asks is not answered for ever");
}

#[test]
fn modes_are_told() {
    let mut terminal = fed(5, 10, b"\x1b[?1h\x1b=\x1b[?2004h\x1b[?1002h\x1b[?1006h\x1b[?1049h\x1b[?25l");
    let modes = terminal.modes();
    assert!(modes.application_cursor && modes.application_keypad && modes.bracketed_paste && modes.alternate);
    assert_eq!((modes.mouse, modes.mouse_encoding), (vt100::MouseProtocolMode::ButtonMotion, vt100::MouseProtocolEncoding::Sgr));
    assert_eq!(terminal.cursor(), None);
    terminal.feed(b"\x1bc");
    assert_eq!((terminal.modes(), terminal.cursor()), (super::terminal::Modes::default(), Some((0, 0))));
}

#[test]
fn wide_characters_are_drawn_whole_or_not_at_all() {
    let terminal = fed(2, 6, "日本x\r\ne\u{301}❤\u{fe0f}a".as_bytes());
    let buffer = drawn(&terminal, 3, 2);
    assert_eq!([0, 1, 2].map(|x| buffer[(x, 0)].symbol()), ["日", " ", " "]);
    assert_eq!([0, 1, 2].map(|x| buffer[(x, 1)].symbol()), ["e\u{301}", "❤", "a"], "a mark that would widen its cell is left out");
    let mut terminal = fed(3, 6, "ab日本".as_bytes());
    terminal.resize(3, 5);
    assert_eq!(lines(&terminal)[0], "ab日");
    terminal.feed(b"\x1b[1;5HX\x1b[2P\x1b[1;1H\x1b[2K");
    assert_eq!(lines(&terminal)[0], "");
}

#[test]
fn lines_above_the_screen_stay_in_view_while_more_come() {
    let mut terminal = Terminal::new(3, 10, 50);
    (0..20).for_each(|n| terminal.feed(format!("line {n}\r\n").as_bytes()));
    assert_eq!(lines(&terminal), ["line 18", "line 19", ""]);
    assert_eq!(terminal.cursor(), Some((2, 0)));
    terminal.scroll(5);
    assert_eq!(lines(&terminal), ["line 13", "line 14", "line 15"]);
    assert_eq!((terminal.cursor(), terminal.line_at(0)), (None, 13));
    terminal.feed(b"more\r\nand\r\n");
    assert_eq!(lines(&terminal), ["line 13", "line 14", "line 15"]);
    (0..40).for_each(|n| terminal.feed(format!("later {n}\r\n").as_bytes()));
    assert_eq!(lines(&terminal)[0], "line 13");
    assert_eq!((terminal.line_at(0), terminal.scrollback()), (13, (50, 47)));
    terminal.feed(&b"flood\r\n".repeat(500));
    assert_eq!((lines(&terminal)[0].as_str(), terminal.scrollback()), ("flood", (50, 50)));
    terminal.scroll(-1000);
    assert_eq!(lines(&terminal), ["flood", "flood", ""]);
}

#[test]
fn a_smaller_screen_keeps_the_cursors_line() {
    let mut terminal = fed(5, 10, b"1\r\n2\r\n3\r\n4\r\n$ ");
    assert_eq!(terminal.resize(2, 10), (2, 10));
    assert_eq!(lines(&terminal), ["4", "$"]);
    assert_eq!(terminal.cursor(), Some((1, 2)));
    terminal.scroll(3);
    assert_eq!(lines(&terminal), ["1", "2"]);
    assert_eq!(terminal.resize(0, 0), (2, 2), "a pane without room is told the least that is emulated");
    assert_eq!(terminal.resize(u16::MAX, u16::MAX), (512, 1024));
}

#[test]
fn the_cursor_is_put_inside_the_pane_alone() {
    let terminal = fed(5, 10, b"\x1b[4;8H");
    let view = View::new(&terminal);
    assert_eq!(view.cursor(Rect::new(2, 3, 10, 5)), Some(Position::new(9, 6)));
    assert_eq!(view.cursor(Rect::new(2, 3, 10, 3)), None);
}

#[test]
fn marked_text_is_read_without_blanks_and_broken_lines_are_one() {
    let mut terminal = fed(5, 10, "first  \r\n/usr/lib64/long-path x\r\n日本".as_bytes());
    let text = |terminal: &mut Terminal, from: (u16, u16), clicks, to: (u16, u16)| {
        let mut selection = Selection::begin(terminal, from.0, from.1, clicks);
        selection.extend(terminal, to.0, to.1);
        selection.text(terminal)
    };
    assert_eq!(text(&mut terminal, (0, 2), 1, (1, 3)), "rst\n/usr");
    assert_eq!(text(&mut terminal, (1, 3), 1, (0, 2)), "rst\n/usr", "the mouse may go back");
    assert_eq!(text(&mut terminal, (0, 2), 1, (0, 2)), "", "a click marks nothing");
    assert_eq!(text(&mut terminal, (0, 1), 2, (0, 1)), "first");
    assert_eq!(text(&mut terminal, (2, 1), 3, (2, 1)), "/usr/lib64/long-path x");
    assert_eq!(text(&mut terminal, (4, 1), 1, (4, 2)), "日本", "both halves belong to one");
    let mut selection = Selection::begin(&mut terminal, 0, 0, 2);
    terminal.feed(b"\r\nmore\r\nmore");
    assert_eq!(selection.text(&mut terminal), "first", "it moved up with its text");
    selection.extend(&mut terminal, 0, 0);
    terminal.resize(5, 12);
    assert!(selection.is_stale(&terminal) && selection.text(&mut terminal).is_empty());
}

#[test]
fn what_is_marked_is_shown_where_it_is() {
    let mut terminal = fed(3, 10, b"one two\r\n\r\n");
    let selection = Selection::begin(&mut terminal, 0, 5, 2);
    terminal.feed(b"\r\n");
    terminal.scroll(1);
    let area = Rect::new(0, 0, 10, 3);
    let mut buffer = Buffer::empty(area);
    View::new(&terminal).selection(Some(&selection), Style::new().bg(Color::Yellow)).render(area, &mut buffer);
    let marked: Vec<u16> = (0..10).filter(|x| buffer[(*x, 0)].bg == Color::Yellow).collect();
    assert_eq!(marked, [4, 5, 6]);
}

#[test]
fn the_clipboard_gets_no_more_than_its_bound() {
    assert_eq!(selection::clipboard("hi"), "\x1b]52;c;aGk=\x1b\\");
    let long = "€".repeat(selection::CLIPBOARD);
    assert!(selection::clipboard(&long).len() <= selection::CLIPBOARD * 4 / 3 + 16);
}

#[test]
fn output_is_taken_in_portions() {
    let mut terminal = Terminal::new(24, 80, 100);
    let flood = b"\x1b[40@\x1b[12S".repeat(10_000);
    let began = Instant::now();
    let taken = terminal.feed_until(&flood, began + Duration::from_millis(1));
    assert!(taken >= 256 && taken < flood.len(), "{taken} of {}", flood.len());
}

/// Bytes that often make sense to a terminal.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let sequence = (prop::sample::select(vec!["", "?", ">", "!"]), prop::collection::vec(prop_oneof![0u32..12, Just(65_535), 0u32..3000], 0..4), 0x40u8..0x7f)
        .prop_map(|(prefix, numbers, last)| {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("\x1b[{prefix}{}{}", numbers.join(";"), char::from(last)).into_bytes()
        });
    let mode = (prop::sample::select(vec![1, 4, 6, 25, 47, 1047, 1048, 1049]), prop::bool::ANY)
        .prop_map(|(mode, set)| format!("\x1b[?{mode}{}", if set { 'h' } else { 'l' }).into_bytes());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        "[日本語한a-z\u{301}\u{200d}👩 ]{0,12}".prop_map(String::into_bytes),
        sequence,
        mode,
        prop::sample::select(vec![&b"\r\n"[..], b"\x1bM", b"\x1b7", b"\x1b8", b"\t", b"\x08", b"\x1b[2;3r", b"\x1bc", b"\n\n\n"]).prop_map(<[u8]>::to_vec),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn anything_at_any_size_is_survived(
        parts in prop::collection::vec((output(), prop::option::weighted(0.3, (0u16..9, 0u16..12)), -3isize..4), 0..60),
    ) {
        let mut terminal = Terminal::new(1, 1, 5);
        let mut selection = None;
        for (bytes, size, scroll) in parts {
            terminal.feed(&bytes);
            if let Some((rows, columns)) = size {
                terminal.resize(rows, columns);
            }
            terminal.scroll(scroll);
            let (rows, columns) = terminal.size();
            let (length, offset) = terminal.scrollback();
            prop_assert!(length <= 5 && offset <= length);
            let area = Rect::new(1, 1, columns, rows);
            let mut buffer = Buffer::empty(Rect::new(0, 0, 9, 7));
            View::new(&terminal).selection(selection.as_ref(), Style::new()).render(area, &mut buffer);
            for (at, cell) in buffer.content.iter().enumerate() {
                prop_assert!(!cell.symbol().contains(char::is_control));
                let width = crate::text::width::of(cell.symbol());
                prop_assert!(width == 1 || (width == 2 && at % 9 < 8), "{:?}", cell.symbol());
            }
            let mut new = Selection::begin(&mut terminal, rows / 2, columns / 2, (bytes.len() % 4) as u8);
            new.extend(&mut terminal, 0, columns);
            let text = new.text(&mut terminal);
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
            selection = Some(new);
            let (first, last) = terminal.lines();
            prop_assert_eq!(last - first + 1, (length + usize::from(rows)) as u64);
            prop_assert!(terminal.line(first).is_some() && terminal.line(last).is_some() && terminal.line(last + 1).is_none());
        }
    }

    #[test]
    fn bytes_may_come_in_any_pieces(parts in prop::collection::vec(output(), 0..20), cut in 1usize..7) {
        let whole = parts.concat();
        let (mut one, mut many) = (Terminal::new(5, 12, 100), Terminal::new(5, 12, 100));
        one.feed(&whole);
        whole.chunks(cut).for_each(|piece| many.feed(piece));
        prop_assert_eq!(lines(&one), lines(&many));
        prop_assert_eq!((one.cursor(), one.modes(), one.replies()), (many.cursor(), many.modes(), many.replies()));
    }
}
