//! A theme's file: one line a meaning, its style in words (`bold #7fc98f`, `on #1d2b3a`, `reverse`).

use super::{Role, SERIES, Theme};
use crate::tui::setting::{self, SettingError};
use ratatui::style::{Color, Modifier, Style};

/// The words for what is no colour.
const MODIFIERS: &[(&str, Modifier)] = &[
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underline", Modifier::UNDERLINED),
    ("reverse", Modifier::REVERSED),
    ("strike", Modifier::CROSSED_OUT),
];

const EXPECTED_STYLE: &str = "write words such as \"bold #7fc98f\", \"black on yellow\", \"on 236\", \"reverse\" or \"none\"; colours are #rrggbb, 0 to 255, or a name \
     (black, red, green, yellow, blue, magenta, cyan, gray, dark-gray, light-red …, white)";

/// Keys of a theme's file that are no roles.
const OTHER_KEYS: [&str; 3] = ["base", "background", "series"];

/// The theme that `text` describes; `file` is for messages, `base` finds the theme that it may begin from.
pub fn parse(name: &str, file: &str, text: &str, base: impl Fn(&str) -> Option<Theme>) -> Result<Theme, SettingError> {
    let mut table = setting::document(file, text)?;
    let base = match table.remove("base") {
        None => None,
        Some(toml::Value::String(known)) => Some(base(&known).ok_or_else(|| SettingError::unknown(file, "base", "theme", &known, super::Theme::names()))?),
        Some(other) => return Err(SettingError::wrong_type(file, "base", &other, "the name of a theme to begin from")),
    };
    let names = || Role::ALL.iter().map(|role| role.name()).chain(OTHER_KEYS);
    if let Some(key) = table.keys().find(|key| !names().any(|name| name == key.as_str())) {
        return Err(SettingError::unknown(file, key, "part of a theme called", key, names()));
    }
    let missing = |key: &str| SettingError::new(file, key, "is missing; give it a style, or begin from another theme with base = \"dark\"");
    let background = match (table.get("background"), &base) {
        (Some(value), _) => background(file, value)?,
        (None, Some(base)) => base.background,
        (None, None) => return Err(missing("background")),
    };
    let series = match (table.get("series"), &base) {
        (Some(value), _) => series(file, value)?,
        (None, Some(base)) => base.series,
        (None, None) => return Err(missing("series")),
    };
    let mut styles = [Style::new(); Role::ALL.len()];
    for (&role, place) in Role::ALL.iter().zip(&mut styles) {
        *place = match (table.get(role.name()), &base) {
            (Some(value), _) => style(file, role.name(), value)?,
            (None, Some(base)) => base.styles[role as usize],
            (None, None) => return Err(missing(role.name())),
        };
    }
    Ok(Theme { name: name.to_owned(), background, styles, series })
}

/// The ground of the whole screen: a single colour, `none` for the terminal's own.
fn background(file: &str, value: &toml::Value) -> Result<Color, SettingError> {
    let text = value.as_str().ok_or_else(|| SettingError::wrong_type(file, "background", value, "a colour, or \"none\" for the terminal's own"))?;
    color(text).ok_or_else(|| SettingError::new(file, "background", "is no colour; write #rrggbb, 0 to 255, a name, or \"none\" for the terminal's own"))
}

fn series(file: &str, value: &toml::Value) -> Result<[Style; SERIES], SettingError> {
    let expected = "a list of six styles, one for each line of a chart";
    let list = value.as_array().ok_or_else(|| SettingError::wrong_type(file, "series", value, expected))?;
    let styles = list.iter().enumerate().map(|(at, value)| style(file, &format!("series[{at}]"), value)).collect::<Result<Vec<_>, _>>()?;
    styles.try_into().map_err(|styles: Vec<Style>| SettingError::new(file, "series", format!("has {} styles; expected {expected}", styles.len())))
}

fn style(file: &str, key: &str, value: &toml::Value) -> Result<Style, SettingError> {
    let text = value.as_str().ok_or_else(|| SettingError::wrong_type(file, key, value, "a text with a style, such as \"bold #7fc98f\""))?;
    let fault = |why: &str| SettingError::new(file, key, format!("{} {why}; {EXPECTED_STYLE}", crate::text::quoted(&crate::text::truncate(text, 60))));
    let mut style = Style::new();
    let mut is_ground = false;
    for word in text.split_whitespace() {
        let modifier = MODIFIERS.iter().find(|(name, _)| *name == word);
        match (modifier, word) {
            _ if is_ground && style.bg.is_none() => style.bg = Some(color(word).ok_or_else(|| fault("has no colour after \"on\""))?),
            (Some((_, modifier)), _) => style = style.add_modifier(*modifier),
            (None, "on") if !is_ground => is_ground = true,
            (None, "none") => {}
            (None, _) if style.fg.is_none() && !is_ground => style.fg = Some(color(word).ok_or_else(|| fault("holds a word that is no colour"))?),
            (None, _) => return Err(fault("has too many colours")),
        }
    }
    if is_ground && style.bg.is_none() {
        return Err(fault("ends with \"on\""));
    }
    Ok(style)
}

fn color(word: &str) -> Option<Color> {
    if matches!(word, "none" | "default") { Some(Color::Reset) } else { word.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Theme, SettingError> {
        parse("own", "own.toml", text, |name| Theme::named(name).ok())
    }

    fn style_of(text: &str) -> Result<Style, String> {
        style("own.toml", "accent", &toml::Value::String(text.to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn styles_are_words() {
        assert_eq!(style_of("bold #ff0010"), Ok(Style::new().fg(Color::Rgb(255, 0, 16)).add_modifier(Modifier::BOLD)));
        assert_eq!(style_of("black on light-yellow"), Ok(Style::new().fg(Color::Black).bg(Color::LightYellow)));
        assert_eq!(style_of("on 236 underline"), Ok(Style::new().bg(Color::Indexed(236)).add_modifier(Modifier::UNDERLINED)));
        assert_eq!(style_of("none"), Ok(Style::new()));
        assert_eq!(style_of("reverse dim"), Ok(Style::new().add_modifier(Modifier::REVERSED | Modifier::DIM)));
    }

    #[test]
    fn a_style_that_is_none_is_told_with_what_was_expected() {
        for (text, why) in [
            ("blurple", "is no colour"),
            ("red on", "ends with"),
            ("red on bold", "after \"on\""),
            ("red blue", "too many"),
            ("red on blue on green", "too many"),
            ("#ff", "is no colour"),
        ] {
            let error = style_of(text).unwrap_err();
            assert!(error.starts_with("own.toml: accent: ") && error.contains(why) && error.contains("#rrggbb"), "{error}");
        }
    }

    #[test]
    fn a_theme_may_begin_from_another() {
        let theme = read("base = 'nord'\naccent = 'red'").unwrap();
        let nord = Theme::named("nord").unwrap();
        assert_eq!(theme.accent(), Style::new().fg(Color::Red));
        assert_eq!((theme.text(), theme.background, theme.name()), (nord.text(), nord.background, "own"));
    }

    #[test]
    fn a_fault_names_the_file_the_key_and_what_was_expected() {
        for (text, expected) in [
            ("base = 'dark'\nacent = 'red'", "own.toml: acent: there is no part of a theme called \"acent\"; did you mean accent?"),
            ("base = 'drak'", "own.toml: base: there is no theme \"drak\"; did you mean dark?"),
            ("base = 1", "own.toml: base: is a whole number; expected the name of a theme"),
            ("base = 'dark'\nbackground = 'mud'", "own.toml: background: is no colour"),
            ("base = 'dark'\ntext = 3", "own.toml: text: is a whole number; expected a text with a style"),
            ("base = 'dark'\nseries = ['red']", "own.toml: series: has 1 styles; expected a list of six"),
            ("base = 'dark'\nseries = ['mud']", "own.toml: series[0]: \"mud\" holds a word"),
            ("background = 'none'\nseries = ['1','2','3','4','5','6']", "own.toml: text: is missing"),
            ("text = 'red", "own.toml: line 1: is not TOML"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
