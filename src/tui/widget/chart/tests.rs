//! Charts of known data are drawn rightly, gaps and limits among them.

use super::*;
use crate::container::past::Moment;

const END: i64 = 1_700_100_000;

/// A minute: a ramp to one processor, ten seconds of nothing known, then all of one; from the middle on a limit.
fn past() -> Vec<Moment> {
    let known = (1..=60).filter(|second| !(31..=40).contains(second));
    let moment = |second: i64| Moment {
        at: END - 60 + second,
        cpu: Some(if second <= 30 { second as f32 / 30.0 } else { 1.0 }),
        cpu_limit: (second > 30).then_some(1.0),
        read: Some(second as f32 * 1000.0),
        written: Some(30_000.0),
        ..Moment::default()
    };
    known.map(moment).collect()
}

fn window(area: Rect, signs: Signs) -> Window {
    Window { end: END, span: 60, columns: columns(area, signs) }
}

fn line(past: &[Moment], window: Window, name: &'static str, figure: fn(&Moment) -> Option<f32>) -> Line {
    Line { name, columns: window.columns_of(past, 1, figure), last: past.iter().rev().find_map(figure) }
}

fn cpu(window: Window) -> Chart {
    let past = past();
    Chart {
        title: "cpu",
        short: "cpu",
        unit: Unit::Processors,
        lines: vec![line(&past, window, "", |moment| moment.cpu)],
        limit: Some(line(&past, window, "", |moment| moment.cpu_limit)),
    }
}

fn devices(window: Window) -> Chart {
    let past = past();
    let line = |name, figure: fn(&Moment) -> Option<f32>| line(&past, window, name, figure);
    Chart {
        title: "disk",
        short: "disk",
        unit: Unit::Rate,
        lines: vec![line("read", |moment| moment.read), line("written", |moment| moment.written)],
        limit: None,
    }
}

fn drawn(chart: impl Fn(Window) -> Chart, (width, height): (u16, u16), signs: Signs, cursor: Option<usize>, theme: &Theme) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let window = window(area, signs);
    let marks = [Mark { at: END - 30, sign: "▲", style: Style::new() }, Mark { at: END - 4000, sign: "!", style: Style::new() }];
    let setting = Setting { window, marks: &marks, cursor, signs, theme, zone: &TimeZone::UTC };
    chart(window).draw(Rect { height: height - 1, ..area }, &mut buffer, &setting);
    times(Rect { y: height - 1, height: 1, ..area }, &mut buffer, &setting);
    (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned()).collect()
}

#[test]
fn a_ramp_a_gap_and_a_limit_that_came_later() {
    let wanted = ["cpu 100.0%  ╍ limit 100%", "  100%┤┈┈┈┈┈┈┈┈┈┈┈┈┈┈⢀⣴⡇┈┈┈┈┈⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿"];
    let lines = drawn(cpu, (40, 11), Signs::Braille, None, &Theme::default());
    assert_eq!(lines[0], wanted[0]);
    assert_eq!(lines[1], wanted[1], "the brim is the limit, and the gap holds nothing");
    assert_eq!(lines[9], "      └────────────────▲───────────────┬", "what happened stands upon the time, what is out of sight does not");
    assert_eq!(lines[10], "                   01:59:30");
}

#[test]
fn each_set_of_signs_draws_the_same_lines() {
    let theme = Theme::default();
    let blocks = drawn(devices, (40, 9), Signs::Blocks, None, &theme);
    assert_eq!(blocks[0], "disk █ read 60kB/s   █ written 30kB/s");
    let ascii = drawn(devices, (40, 9), Signs::Ascii, None, &theme);
    assert_eq!(ascii[0], "disk * read 60kB/s   + written 30kB/s");
    assert!(ascii.iter().all(|line| line.chars().all(|c| c.is_ascii() || c == '▲')), "{ascii:?}");
    // The first line lies upon the second, and both leave the gap empty.
    for (lines, [one, two]) in [(&blocks, ["█", "▀"]), (&ascii, ["*", "+"])] {
        let all: String = lines[1..7].concat();
        assert!(all.contains(one) && all.contains(two), "{lines:?}");
    }
}

#[test]
fn without_colours_lines_differ_by_their_dots() {
    let (colours, plain) = (Theme::default(), Theme::plain());
    let count =
        |theme: &Theme| drawn(devices, (40, 9), Signs::Braille, None, theme)[1..7].concat().chars().filter(|c| "⠁⠂⠄⡀⠉".contains(*c)).collect::<String>();
    assert!(count(&colours).contains('⠉') && !count(&plain).contains("⠉⠉⠉⠉⠉⠉⠉⠉"), "{} {}", count(&colours), count(&plain));
    assert!(drawn(devices, (40, 9), Signs::Braille, None, &plain)[0].contains("⡄ written"));
}

#[test]
fn values_are_read_at_the_cursor() {
    let theme = Theme::default();
    // Two dots a second: the column of the 15th second, and one in the gap.
    let width = columns(Rect::new(0, 0, 67, 9), Signs::Braille);
    let at = |second: usize| Some(width * second / 60 - 1);
    assert_eq!(drawn(cpu, (67, 9), Signs::Braille, at(15), &theme)[0], "cpu 50.0%");
    assert_eq!(drawn(cpu, (67, 9), Signs::Braille, at(35), &theme)[0], "cpu –");
    assert_eq!(drawn(cpu, (67, 9), Signs::Braille, at(50), &theme)[0], "cpu 100.0%  ╍ limit 100%");
}

#[test]
fn a_limit_far_away_is_told_in_words_and_leaves_the_line_its_room() {
    let far = |window: Window| {
        let mut chart = cpu(window);
        if let Some(limit) = &mut chart.limit {
            limit.columns.iter_mut().flatten().for_each(|limit| *limit = (64.0, 64.0));
            limit.last = Some(64.0);
        }
        chart
    };
    let lines = drawn(far, (40, 11), Signs::Braille, None, &Theme::default());
    assert_eq!(lines[0], "cpu 100.0%  ↑ limit 6400%");
    assert!(lines[1].starts_with("  100%┤") && !lines.concat().contains('╍'), "{lines:?}");
}

#[test]
fn small_rooms_get_less_and_break_nothing() {
    let theme = Theme::default();
    assert_eq!(drawn(cpu, (20, 6), Signs::Braille, None, &theme)[0], "cpu 100.0% ╍ limit …");
    for signs in [Signs::Braille, Signs::Blocks, Signs::Ascii] {
        for (width, height) in (2..40).flat_map(|width| (1..12).map(move |height| (width, height))) {
            drawn(devices, (width, height), signs, Some(7), &theme);
        }
    }
}

#[test]
fn a_title_becomes_shorter_before_it_is_cut() {
    let pressure = |window: Window| {
        let line = |name| Line { name, columns: vec![None; window.columns], last: Some(0.25) };
        Chart { title: "pressure", short: "psi", unit: Unit::Share, lines: ["cpu", "mem", "io"].map(line).to_vec(), limit: None }
    };
    let head = |width: u16, signs: Signs| drawn(pressure, (width, 8), signs, None, &Theme::default()).swap_remove(0);
    assert_eq!(head(40, Signs::Blocks), "pressure █ cpu 25%  █ mem 25%  █ io 25%");
    assert_eq!(head(39, Signs::Blocks), "pressure █cpu 25%  █mem 25%  █io 25%");
    assert_eq!(head(36, Signs::Blocks), "psi █cpu 25%  █mem 25%  █io 25%");
    assert_eq!(head(30, Signs::Blocks), "psi █cpu 25% █mem 25% █io 25%");
    assert_eq!(head(28, Signs::Blocks), "psi █cpu 25% █mem 25% █io 2…");
    assert_eq!(head(26, Signs::Blocks), "psi █cpu 25% █mem 25% █io…");
    assert_eq!(head(39, Signs::Ascii), "psi * cpu 25%  + mem 25%  o io 25%");
}
