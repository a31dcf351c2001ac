//! Every theme compiled in is whole, readable at every depth, and keeps apart what must be told apart.

use super::*;
use std::collections::BTreeSet;

/// WCAG 2's relative luminance.
fn luminance(color: [u8; 3]) -> f64 {
    let [r, g, b] = color.map(|channel| {
        let part = f64::from(channel) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// WCAG 2's contrast ratio, 1 to 21.
fn contrast(a: Color, b: Color) -> f64 {
    let [a, b] = [a, b].map(|color| match color {
        Color::Rgb(r, g, b) => luminance([r, g, b]),
        other => panic!("{other}: whoever knows what a terminal makes of it"),
    });
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn all() -> impl Iterator<Item = Theme> {
    Theme::names().map(|name| Theme::named(name).unwrap_or_else(|error| panic!("{error}")))
}

/// Those that say in figures what they look like.
fn painted() -> impl Iterator<Item = Theme> {
    all().filter(|theme| theme.background != Color::Reset)
}

/// Roles that are read as text.
const READ: &[Role] = &[
    Role::Text,
    Role::Muted,
    Role::Accent,
    Role::Title,
    Role::Header,
    Role::StatusLine,
    Role::Marked,
    Role::Key,
    Role::Hint,
    Role::Link,
    Role::Running,
    Role::Paused,
    Role::Pending,
    Role::Stopped,
    Role::Failed,
    Role::Success,
    Role::Warning,
    Role::Error,
    Role::Added,
    Role::Changed,
    Role::Removed,
];

#[test]
fn every_theme_compiled_in_is_whole() {
    assert_eq!(all().count(), THEMES.len());
    assert_eq!(Theme::default().name(), Theme::DEFAULT);
    assert_eq!(Theme::plain().name(), "plain");
    assert!(Theme::named("drak").unwrap_err().to_string().contains("did you mean dark?"));
}

#[test]
fn every_file_in_themes_is_compiled_in() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/themes");
    let files: BTreeSet<String> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, Theme::names().map(|name| format!("{name}.toml")).collect());
}

#[test]
fn text_is_readable_on_every_ground_it_stands_on() {
    for theme in painted() {
        let grounds = [Role::Panel, Role::Selection, Role::SelectionUnfocused].map(|role| theme.style(role).bg.unwrap());
        for ground in [theme.background].iter().chain(&grounds) {
            for &role in READ {
                let floor = match (theme.name(), role) {
                    ("high-contrast", _) => 7.0,
                    (name, _) if name.starts_with("solarized") => 3.0,
                    (_, Role::Text) => 7.0,
                    _ => 4.0,
                };
                let ratio = contrast(theme.style(role).fg.unwrap(), *ground);
                assert!(ratio >= floor, "{}: {} on {ground}: {ratio:.2}, expected {floor}", theme.name(), role.name());
            }
        }
    }
}

#[test]
fn what_brings_its_own_ground_is_readable_on_it() {
    for theme in painted() {
        for role in [Role::Hit, Role::HitCurrent, Role::Input] {
            let style = theme.style(role);
            let ratio = contrast(style.fg.unwrap(), style.bg.unwrap());
            assert!(ratio >= 3.0, "{}: {}: {ratio:.2}", theme.name(), role.name());
        }
    }
}

#[test]
fn frames_are_quieter_than_text_and_louder_where_the_keys_are() {
    for theme in painted() {
        let of = |style: Style| contrast(style.fg.unwrap(), theme.background);
        let (frame, focused, text) = (of(theme.border(false)), of(theme.border(true)), of(theme.text()));
        assert!(frame > 1.15 && frame < focused && frame < text, "{}: {frame:.2} {focused:.2} {text:.2}", theme.name());
    }
}

#[test]
fn at_every_depth_what_must_be_told_apart_can_be() {
    for theme in all() {
        for depth in [Depth::None, Depth::Sixteen, Depth::Indexed, Depth::True] {
            let shown = theme.at(depth);
            let name = format!("{} at {depth:?}", theme.name());
            assert_ne!(shown.selection(true), shown.selection(false), "{name}: selections");
            assert_ne!(shown.selection(true), Style::new(), "{name}: selection");
            assert_ne!(shown.border(true), shown.border(false), "{name}: frames");
            assert_ne!(shown.hit(true), shown.hit(false), "{name}: hits");
            assert_ne!(shown.state(Status::Running), shown.exit(1), "{name}: states");
            assert_ne!(shown.state(Status::Running), shown.state(Status::Exited), "{name}: states");
            assert_ne!(shown.added(), shown.removed(), "{name}: changes");
            assert_eq!(shown.panel().add_modifier & Modifier::REVERSED, Modifier::empty(), "{name}: a dialog in reverse shouts");
            for &role in READ {
                let fg = shown.style(role).fg;
                assert!(fg.is_none_or(|fg| fg == Color::Reset || fg != shown.background), "{name}: {} is the ground's colour", role.name());
            }
        }
    }
}

#[test]
fn each_depth_keeps_to_its_colours() {
    for theme in all() {
        let colors = |depth| {
            let shown = theme.at(depth);
            let styles = Role::ALL.iter().map(|&role| shown.style(role)).chain((0..SERIES).map(|number| shown.series(number)));
            styles.flat_map(|style| [style.fg, style.bg]).flatten().chain([shown.background]).collect::<Vec<_>>()
        };
        assert!(theme.name() != PLAIN || colors(Depth::Sixteen).iter().all(|&color| color == Color::Reset));
        assert!(colors(Depth::None).iter().all(|&color| color == Color::Reset), "{}", theme.name());
        assert!(!colors(Depth::Sixteen).iter().any(|color| matches!(color, Color::Rgb(..) | Color::Indexed(_))), "{}", theme.name());
        assert!(!colors(Depth::Indexed).iter().any(|color| matches!(color, Color::Rgb(..))), "{}", theme.name());
    }
}

#[test]
fn the_terminals_own_colours_stay_its_own() {
    let theme = Theme::named("terminal").unwrap();
    for role in Role::ALL {
        let style = theme.style(*role);
        assert!([style.fg, style.bg].into_iter().flatten().all(|color| !matches!(color, Color::Rgb(..) | Color::Indexed(_))), "{}", role.name());
    }
    assert_eq!(theme.base().bg, Some(Color::Reset));
}

#[test]
fn lines_of_a_chart_differ() {
    for theme in all().filter(|theme| theme.name() != PLAIN) {
        for one in 0..SERIES {
            assert_eq!(theme.series(one), theme.series(one + SERIES));
            for other in 0..one {
                assert_ne!(theme.series(one), theme.series(other), "{}: {one} and {other}", theme.name());
            }
        }
    }
}

#[test]
fn programs_get_as_many_colours_as_the_theme_takes() {
    let depth = |name: &str, at| Theme::named(name).unwrap().at(at).depth();
    assert_eq!(["dark", "terminal", "plain"].map(|name| depth(name, Depth::True)), [Depth::True, Depth::Sixteen, Depth::None]);
    assert_eq!([Depth::Indexed, Depth::Sixteen, Depth::None].map(|at| depth("dark", at)), [Depth::Indexed, Depth::Sixteen, Depth::None]);
}
