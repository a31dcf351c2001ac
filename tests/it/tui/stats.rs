//! Charts by key: what a container used, what happened to it, the machine, and limits edited at the row.

use super::screens::full;
use super::stage::{NOW, Stage, key};
use jiff::tz::TimeZone;
use kapal::container::past::{Happening, Moment, Occurrence, Past};
use kapal::container::{NetworkMode, Resources, Status};
use kapal::id::ContainerId;
use kapal::tui::effect::{Effect, Question, Ticket};
use kapal::tui::msg::{Answer, Msg, News};
use kapal::tui::theme::Signs;
use kapal::tui::update::update;
use kapal::tui::world::Figure;
use std::sync::Arc;

fn id(number: usize) -> ContainerId {
    format!("{number:064x}").parse().unwrap()
}

/// Of each second, with a gap of half a minute: a processor that is more and more busy under a limit that came later,
/// memory that came to its limit, links and devices that carried something in between.
fn second(ago: i64) -> Option<Moment> {
    let limited = ago <= 120;
    let wave = |length: i64| (ago.rem_euclid(length) as f32 / length as f32 * 2.0 - 1.0).abs();
    (!(150..180).contains(&ago)).then(|| Moment {
        at: NOW - ago,
        cpu: Some(if limited { 0.5 } else { 0.9 + wave(10) / 10.0 }),
        cpu_limit: limited.then_some(0.5),
        throttled: Some(if limited { 0.9 } else { 0.0 }),
        memory: Some(((64 - (ago / 8).min(40)) << 20) as u64),
        memory_limit: Some(64 << 20),
        processes: Some(3),
        read: Some(if (60..90).contains(&ago) { 4_000_000.0 } else { 0.0 }),
        written: Some(1_000_000.0 * wave(60)),
        received: Some(12_000.0 * wave(40)),
        sent: Some(3000.0),
        cpu_pressure: None,
        memory_pressure: None,
        io_pressure: None,
    })
}

fn past() -> Past {
    let happened = |ago: i64, what| Occurrence { at: jiff::Timestamp::from_second(NOW - ago).unwrap(), what };
    Past {
        seconds: (0..3600).rev().filter_map(second).collect(),
        minutes: (0..24 * 60).rev().filter_map(|minutes| second(minutes * 60)).collect(),
        occurrences: vec![
            happened(280, Happening::Started),
            happened(120, Happening::Limits("limits changed: cpus 0.5".to_owned())),
            happened(118, Happening::Throttled),
            happened(30, Happening::MemoryHigh),
            happened(12, Happening::OomKill { victim: "tail (4711)".to_owned(), cgroup: "/kapal".to_owned() }),
        ],
    }
}

/// A past that is out of order, and holds figures that are none.
pub fn strange_past(texts: &[String]) -> Past {
    let figures = [None, Some(0.0), Some(0.5), Some(-1.0), Some(f32::NAN), Some(f32::INFINITY), Some(f32::MAX)];
    let pick = |at: usize| figures[at % figures.len()];
    let moment = |at: usize| Moment {
        at: [1_700_000_000, i64::MAX, i64::MIN, 0][at % 4] / 2 + at as i64,
        cpu: pick(at),
        cpu_limit: pick(at / 2),
        throttled: pick(at / 3),
        memory: Some(u64::MAX >> (at % 64)),
        memory_limit: (!at.is_multiple_of(5)).then_some(1 << (at % 40)),
        read: pick(at + 1),
        received: pick(at + 2),
        cpu_pressure: pick(at + 3),
        ..Moment::default()
    };
    let told = |(at, text): (usize, &String)| {
        let all = [
            Happening::OomKill { victim: text.clone(), cgroup: text.clone() },
            Happening::Limits(text.clone()),
            Happening::Restarted(at as i32),
            Happening::MemoryHigh,
        ];
        Occurrence { at: jiff::Timestamp::from_second(1_700_000_000 + at as i64).unwrap(), what: all[at % 4].clone() }
    };
    let count = texts.iter().map(String::len).sum::<usize>() % 200;
    Past { seconds: (0..count).map(moment).collect(), minutes: (0..count / 2).map(moment).collect(), occurrences: texts.iter().enumerate().map(told).collect() }
}

/// Keys; what would be done outside, and is not.
fn pressed(stage: &mut Stage, keys: &str) -> Vec<Effect> {
    keys.split_whitespace().flat_map(|word| update(&mut stage.model, Msg::Key(key(word)))).collect()
}

fn asked(effects: &[Effect]) -> Option<Ticket> {
    effects.iter().find_map(|effect| if let Effect::Ask(ticket, Question::Past(_)) = effect { Some(*ticket) } else { None })
}

/// A container of the store, as if it ran, with its charts in front.
fn charted(columns: u16, rows: u16, past: Past) -> Stage {
    let mut stage = Stage::on(columns, rows, full);
    stage.model.world.zone = TimeZone::UTC;
    let mut snapshot = (*stage.model.world.snapshot).clone();
    for container in &mut snapshot.containers {
        container.state.status = Status::Running;
        container.host_config.network_mode = NetworkMode::Networks("bridge".to_owned());
        container.host_config.resources = Resources { memory: Some(64 << 20), nano_cpus: Some(500_000_000), ..Resources::default() };
    }
    stage.tell(Msg::News(News::Snapshot(Arc::new(snapshot))));
    let ticket = asked(&pressed(&mut stage, "u")).expect("the past is asked for");
    stage.tell(Msg::News(News::Answer(ticket, Answer::Past(Box::new(past)))));
    stage
}

#[test]
fn charts_are_laid_out_by_the_room_there_is() {
    let mut stage = charted(120, 30, past());
    stage.shows("stats-120").keys("Z").resize(200, 50).shows("stats-200").resize(80, 24).shows("stats-80");
    stage.resize(40, 12).shows("stats-40").resize(20, 5).shows("stats-20");
}

/// The line of the screen that begins with these words, after the frame.
fn line(stage: &mut Stage, words: &str) -> String {
    let text = stage.text();
    text.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words}:\n{text}")).to_owned()
}

#[test]
fn time_is_zoomed_frozen_and_read() {
    let mut stage = charted(120, 30, past());
    stage.keys("Z").resize(120, 40).keys("-").sees(" 15 min ╮").keys("- -").sees(" 6 h ╮").keys("- -").sees(" 24 h ╮");
    // A day of minutes: the axis has hours, and the newest minute is there.
    stage.sees("18:00").keys("+ + + + + +").sees(" 1 min ╮").sees("01:59:30");
    stage.keys("f").sees("frozen, 0s old").keys("m");
    assert!(stage.text().contains("this machine"), "{}", stage.text());
    stage.keys("m");
    // What is new is not shown while it is frozen.
    let charts = |stage: &mut Stage| stage.text().lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let before = charts(&mut stage);
    let ticket = stage.model.world.ticket();
    stage.tell(Msg::Tick(jiff::Timestamp::from_second(NOW + 90).unwrap()));
    stage.tell(Msg::News(News::Answer(
        Ticket(ticket.0 - 1),
        Answer::Past(Box::new(Past { seconds: vec![Moment { at: NOW + 90, cpu: Some(9.0), ..Moment::default() }], ..Past::default() })),
    )));
    let after = charts(&mut stage);
    assert_eq!(before[1..], after[1..]);
    assert!(after[0].contains("frozen, 1m old"), "{}", after[0]);
    stage.keys("esc").sees("cpu 900.0%");
    assert!(!stage.text().contains("frozen"), "{}", stage.text());
}

#[test]
fn a_cursor_reads_values_at_a_time() {
    let mut stage = charted(120, 30, past());
    stage.keys("+ left").sees("frozen");
    let before = line(&mut stage, "cpu 50.0%");
    assert!(before.contains("memory 63MiB") || before.contains("memory 64MiB"), "{before}");
    // To the oldest second in sight: a minute ago less memory was in use.
    stage.keys("home");
    let oldest = line(&mut stage, "limit 64MiB");
    assert!(oldest.contains("memory 57MiB"), "{oldest}");
    assert!(line(&mut stage, "frozen").contains("01:59:01 · frozen"), "{}", line(&mut stage, "frozen"));
    stage.keys("end esc").sees(" 1 min ╮");
}

#[test]
fn what_is_not_known_is_said() {
    let mut stage = charted(100, 24, Past::default());
    stage.sees("Nothing was counted yet.");
    let seconds = (0..60).rev().map(|ago| Moment { at: NOW - ago, cpu: Some(0.1), ..Moment::default() }).collect();
    let mut stage = charted(100, 30, Past { seconds, ..Past::default() });
    stage.sees("not counted on this machine: memory, network, disk, pressure");
    assert!(!stage.text().contains("0B"), "nothing is drawn of what is not counted: {}", stage.text());
}

#[test]
fn charts_out_of_sight_are_a_page_away() {
    let mut stage = charted(60, 16, past());
    stage.keys("Z").sees("cpu 50.0%").keys("pgdn pgdn pgdn pgdn pgdn").sees("throttled 90%").sees("page up");
    stage.keys("pgup pgup pgup pgup pgup").sees("cpu 50.0%").sees("page down");
}

#[test]
fn the_machine_is_shown_from_the_list_and_in_its_charts() {
    let mut stage = Stage::on(100, 30, full);
    let moment =
        |ago: i64| Moment { at: NOW - ago, cpu: Some(1.5), cpu_limit: Some(2.0), memory: Some(3 << 30), memory_limit: Some(4 << 30), ..Moment::default() };
    for ago in (0..30).rev() {
        stage.tell(Msg::News(News::Machine(moment(ago))));
    }
    stage.keys("M").sees("╰ this machine").sees("cpu 150.0%").sees("limit 200%").sees("memory 3GiB").keys("m").sees("╰ web").keys("esc").sees("web");
    // Who asks for the container's own gets them, whatever was shown last.
    stage.keys("M").sees("╰ this machine").keys("esc u").sees("╰ web");
    assert!(stage.model.world.machine.len() >= 30);
}

#[test]
fn the_machine_is_shown_where_there_is_no_container() {
    let mut stage = Stage::on(100, 30, |_| {});
    stage.keys("M");
    stage.tell(Msg::News(News::Machine(Moment { at: NOW, cpu: Some(0.5), ..Moment::default() })));
    stage.sees("cpu 50.0%").keys("m esc").sees("No containers yet.");
}

#[test]
fn limits_are_edited_at_the_row_and_become_a_command() {
    let mut stage = charted(100, 24, past());
    pressed(&mut stage, "esc");
    // The line stands at the row that was drawn.
    stage.sees("● running  web");
    // A key and a value: what is typed takes the place of what was there.
    pressed(&mut stage, "=");
    stage.types("128m").shows("limits");
    stage.keys("tab").types("much").keys("enter");
    let told = stage.text();
    assert!(told.contains("invalid value \"much\" for --cpus") && told.contains("such as 0.5 or 2") && told.contains("Limits of web"), "{told}");
    stage.keys("ctrl-u").types("1").keys("tab").types("50");
    stage.sees("kapal update --memory 128m --cpus 1 --pids-limit 50 web");
    stage.keys("esc");
    assert!(!stage.text().contains("Limits of web"), "{}", stage.text());
    // Without a change nothing is done.
    assert_eq!(pressed(&mut stage, "= enter"), []);
    assert!(!stage.text().contains("Limits of web"), "{}", stage.text());
    for (columns, rows) in [(20, 5), (30, 8), (60, 12)] {
        assert!(stage.resize(columns, rows).keys("=").text().contains("memory"), "{columns}×{rows}");
        stage.keys("esc");
    }
}

#[test]
fn rows_have_a_line_of_their_last_minute() {
    let mut stage = charted(140, 24, past());
    stage.keys("esc");
    for ago in (0..60).rev() {
        let figure = |number: usize, cpu: f64| Figure {
            container: id(number),
            at: NOW - ago,
            cpu: Some(cpu),
            cpu_limit: (number == 2).then_some(50.0),
            throttled: Some(if number == 2 && ago < 20 { 0.4 } else { 0.0 }),
            memory_pressure: None,
            memory: Some(if number == 3 { 64 << 20 } else { 1 << 20 }),
            memory_limit: Some(64 << 20),
            pids: Some(1),
        };
        stage.tell(Msg::News(News::Figures(vec![figure(1, 0.0), figure(2, 60.0 - ago as f64), figure(3, 400.0)])));
    }
    let text = stage.text();
    let row = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(row(" web ").contains("▁▁▁▁▁▁▁▁▁▁▁▁ "), "{}", row(" web "));
    assert!(row("database").contains("▂▃▄▄▅▆▆▇████ T"), "under its limit, and throttled: {}", row("database"));
    assert!(row("größe").contains("████████████ M"), "more than one processor, and short of memory: {}", row("größe"));
    // By the mean of the minute, downwards.
    stage.keys("o o o o o o o o O");
    let order: Vec<usize> = ["größe", "database", " web "].iter().map(|name| stage.text().lines().position(|line| line.contains(name)).unwrap()).collect();
    assert!(order.is_sorted(), "{}", stage.text());
}

#[test]
fn other_signs_draw_where_braille_is_not_known() {
    let mut stage = charted(80, 24, past());
    for signs in [Signs::Blocks, Signs::Ascii] {
        stage.model.world.signs = signs;
        let text = stage.text();
        assert!(!text.contains('⣿') && text.contains("cpu 50.0%"), "{text}");
    }
}

#[test]
fn what_happened_is_copied_and_saved_as_text() {
    let mut stage = charted(120, 30, past());
    let Some(Effect::Copy(copied)) = pressed(&mut stage, "y").pop() else { panic!("nothing was copied") };
    let lines: Vec<&str> = copied.lines().collect();
    assert_eq!(lines.len(), 5, "{copied}");
    assert_eq!(lines[0], "2023-11-16 01:55:20 +0000  ●  started");
    assert_eq!(lines[4], "2023-11-16 01:59:48 +0000  ✗  out of memory: the kernel killed tail (4711) at the limit of /kapal");
    assert_eq!(pressed(&mut stage, "ctrl-s"), [Effect::Save("web-stats.txt".into(), copied)]);
    stage.sees("copied what is shown");
    // Of the machine nothing is told in words.
    assert!(pressed(&mut stage, "m y ctrl-s").is_empty());
}
