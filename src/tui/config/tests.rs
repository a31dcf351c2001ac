//! Settings are read as written, win over each other as promised, and are refused by name.

use super::*;
use crate::tui::keymap::{Action, Chord, Context};
use proptest::prelude::*;
use std::fs;

fn source(file: &str, text: &str) -> Source {
    Source { file: file.to_owned(), text: text.to_owned() }
}

fn parse(text: &str) -> Result<Config, SettingError> {
    Config::parse(&[source("config.toml", text)], Gallery::default())
}

fn chord(text: &str) -> Chord {
    text.parse().unwrap()
}

#[test]
fn without_files_the_defaults_hold() {
    let config = Config::parse(&[], Gallery::default()).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.theme.name(), "dark");
    assert!(config.mouse && config.confirm);
    assert_eq!(parse("").unwrap(), config);
}

#[test]
fn every_setting_is_taken() {
    let config = parse(
        "theme = 'nord'\ncolumns = ['name', 'cpu']\nmouse = false\nconfirm = false\nscrollback = 0\nlog-lines = 100\n\
         [keys]\npreset = 'k9s'\n[keys.containers]\nstop = ['ctrl-t']\n",
    )
    .unwrap();
    assert_eq!(config.theme, Theme::named("nord").unwrap());
    assert_eq!(config.columns, [Column::Name, Column::Cpu]);
    assert_eq!((config.mouse, config.confirm, config.scrollback, config.log_lines), (false, false, 0, 100));
    let place = [Context::Containers, Context::List];
    assert_eq!(config.keymap.resolve(&place, chord("ctrl-t")), Some(Action::Stop));
    assert_eq!(config.keymap.resolve(&place, chord("d")), Some(Action::Inspect), "k9s describes with d");
}

#[test]
fn the_users_file_wins_key_by_key() {
    let machine = source("/etc/kapal/config.toml", "theme = 'light'\nmouse = false\n[keys]\npreset = 'vim'\n[keys.list]\nsort = ['ctrl-o']");
    let user = source("user", "theme = 'gruvbox'\n[keys.list]\nreverse-sort = ['ctrl-r']");
    let config = Config::parse(&[machine, user], Gallery::default()).unwrap();
    assert_eq!(config.theme.name(), "gruvbox");
    assert!(!config.mouse);
    let place = [Context::Images, Context::List];
    assert_eq!(config.keymap.chords(&place, Action::Sort), [chord("ctrl-o")]);
    assert_eq!(config.keymap.chords(&place, Action::ReverseSort), [chord("ctrl-r")]);
    assert_eq!(config.keymap.resolve(&place, chord("v")), Some(Action::Mark), "the machine's preset still holds");
}

#[test]
fn a_fault_names_the_file_the_key_and_what_was_expected() {
    for (text, expected) in [
        ("thme = 'x'", "config.toml: thme: there is no setting called \"thme\"; did you mean theme?"),
        ("log_lines = 5", "config.toml: log_lines: there is no setting called \"log_lines\"; did you mean log-lines?"),
        ("theme = 'drak'", "config.toml: theme: there is no theme \"drak\"; did you mean dark?"),
        ("theme = 1", "config.toml: theme: is a whole number; expected the name of a theme"),
        ("mouse = 'yes'", "config.toml: mouse: is a text; expected true or false"),
        ("scrollback = -1", "config.toml: scrollback: is -1; expected a whole number from 0 to 100000"),
        ("log-lines = 99", "config.toml: log-lines: is 99; expected a whole number from 100 to 1000000"),
        ("log-lines = 1e5", "config.toml: log-lines: is a number with a point; expected a whole number"),
        ("columns = ['nam']", "config.toml: columns: there is no column called \"nam\"; did you mean name?"),
        ("columns = ['name', 'name']", "config.toml: columns: names name twice"),
        ("columns = []", "config.toml: columns: is empty"),
        ("columns = 'name'", "config.toml: columns: is a text; expected a list of columns"),
        ("keys = 'k9s'", "config.toml: keys: is a text; expected a table"),
        ("keys.preset = 'vi'", "config.toml: keys.preset: there is no preset of keys \"vi\"; did you mean vim?"),
        ("keys.list.sort = ['i']", "config.toml: keys.list.sort: i is to sort, but it is given to inspect (list.inspect)"),
        ("mouse = true\nmouse = false", "config.toml: line 2: is not TOML"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn the_users_folder_is_where_xdg_says() {
    let with = |variables: &'static [(&str, &str)]| {
        let found = folders(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()));
        found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(with(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]), ["/x/kapal", MACHINE]);
    assert_eq!(with(&[("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")]), ["/h/.config/kapal", MACHINE]);
    assert_eq!(with(&[("HOME", "/h")]), ["/h/.config/kapal", MACHINE]);
    assert_eq!(with(&[("HOME", "")]), [MACHINE]);
}

#[test]
fn files_are_loaded_from_the_folders_with_their_themes() {
    let (user, machine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let places = [user.path().to_owned(), machine.path().to_owned()];
    assert_eq!(load(&places), Ok(Config::default()));
    fs::create_dir(machine.path().join("themes")).unwrap();
    fs::write(machine.path().join("themes/house.toml"), "base = 'light'").unwrap();
    fs::write(machine.path().join("config.toml"), "theme = 'house'\nmouse = false").unwrap();
    fs::write(user.path().join("config.toml"), "mouse = true").unwrap();
    let config = load(&places).unwrap();
    assert_eq!((config.theme.name(), config.mouse), ("house", true));
    assert!(config.themes.names().contains(&"house".to_owned()));
    fs::write(user.path().join("config.toml"), "mose = true").unwrap();
    let error = load(&places).unwrap_err();
    assert_eq!((error.file, error.key.as_str()), (user.path().join("config.toml").display().to_string(), "mose"));
}

#[test]
fn columns_have_names_that_tell_them_apart() {
    for &column in Column::ALL {
        assert_eq!(Column::named(column.name()), Some(column));
        assert!(!column.heading().is_empty());
    }
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "((theme|mouse|columns|keys|scrollback|keys.list.up|\\[keys\\.[a-z]{1,5}\\]) = ?(true|-?[0-9]{1,20}|'.{0,6}'|\\[.{0,9}\\])\n){0,3}") {
        if let Err(error) = parse(&text) {
            prop_assert!(!error.file.is_empty() && !error.fault.is_empty());
        }
    }
}
