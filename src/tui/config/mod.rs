//! The user's settings: `config.toml` of their own, over the machine's, over what holds otherwise.
//!
//! ```toml
//! theme = "nord"                      # or the name of a file in themes/ beside this one
//! columns = ["state", "name", "image", "cpu", "memory"]
//! mouse = true
//! confirm = true                      # ask before anything is destroyed
//! scrollback = 10000                  # lines that each console keeps
//! log-lines = 50000                   # lines that each view of logs keeps
//! charts = "braille"                  # or "blocks", "ascii"; what the terminal can show otherwise
//!
//! [keys]
//! preset = "k9s"
//!
//! [keys.containers]
//! stop = ["s", "ctrl-s"]
//! ```

mod column;

pub use column::Column;

use super::keymap::{Keymap, OwnKeys, preset};
use super::setting::{self, SettingError};
use super::theme::{Gallery, Signs, Theme};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// How far `scrollback` goes: a line of a console takes some kilobytes.
const SCROLLBACK: RangeInclusive<usize> = 0..=100_000;

/// How far `log-lines` goes.
const LOG_LINES: RangeInclusive<usize> = 100..=1_000_000;

/// The keys of a file of settings.
const KEYS: [&str; 10] = ["theme", "columns", "mouse", "confirm", "scrollback", "log-lines", "charts", "keys", "network", "metrics"];

/// Where the machine's settings lie.
const MACHINE: &str = "/etc/kapal";

/// What the user chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The colours.
    pub theme: Theme,
    /// The themes to choose from.
    pub themes: Gallery,
    /// The keys.
    pub keymap: Keymap,
    /// The columns of the table of containers, from left to right.
    pub columns: Vec<Column>,
    /// Whether clicks and the wheel come to kapal; otherwise the terminal keeps them, for selecting text.
    pub mouse: bool,
    /// Whether to ask before anything is destroyed.
    pub confirm: bool,
    /// How many lines that left the screen a console keeps.
    pub scrollback: usize,
    /// How many lines a view of logs keeps.
    pub log_lines: usize,
    /// What charts are drawn with; what the terminal can show unless it is said.
    pub charts: Option<Signs>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            theme: Theme::default(),
            themes: Gallery::default(),
            keymap: Keymap::default(),
            columns: Column::DEFAULT.to_vec(),
            mouse: true,
            confirm: true,
            scrollback: 10_000,
            log_lines: 50_000,
            charts: None,
        }
    }
}

/// A file of settings that was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path, for messages.
    pub file: String,
    /// What it holds.
    pub text: String,
}

impl Config {
    /// The settings in `sources`, of which later ones win key by key, with the themes of `themes` to choose from.
    pub fn parse(sources: &[Source], themes: Gallery) -> Result<Self, SettingError> {
        let mut config = Self { themes, ..Self::default() };
        let mut preset = ("keymap", preset::DEFAULT.to_owned());
        let mut theme = None;
        let mut own = Vec::new();
        for Source { file, text } in sources {
            let mut table = setting::document(file, text)?;
            if let Some(name) = table.keys().find(|name| !KEYS.contains(&name.as_str())) {
                return Err(SettingError::unknown(file, name, "setting called", name, KEYS.into_iter()));
            }
            if let Some(name) = taken(&mut table, file, "theme")? {
                theme = Some((file, name));
            }
            if let Some(mut keys) = keys(&mut table, file)? {
                if let Some(name) = keys.remove("preset") {
                    preset = (file, text_of(file, "keys.preset", name, "the name of a set of keys")?);
                }
                own.push((file, keys));
            }
            config.take(file, &table)?;
        }
        if let Some((file, name)) = theme {
            config.theme = config.themes.named(file, "theme", &name)?;
        }
        let own: Vec<OwnKeys> = own.iter().map(|(file, table)| OwnKeys { file, table }).collect();
        config.keymap = Keymap::with(preset.0, "keys.preset", &preset.1, &own)?;
        Ok(config)
    }

    /// The settings that a single value is enough for.
    fn take(&mut self, file: &str, table: &Table) -> Result<(), SettingError> {
        for (key, value) in table {
            match key.as_str() {
                "columns" => self.columns = column::list(file, key, value)?,
                "mouse" => self.mouse = switch(file, key, value)?,
                "confirm" => self.confirm = switch(file, key, value)?,
                // The command line reads them, for the screens and for single verbs alike.
                "network" | "metrics" => {}
                "charts" => self.charts = Some(signs(file, value)?),
                "scrollback" => self.scrollback = number(file, key, value, &SCROLLBACK)?,
                _ => self.log_lines = number(file, key, value, &LOG_LINES)?,
            }
        }
        Ok(())
    }
}

/// The text at `key`, taken out of `table`.
fn taken(table: &mut Table, file: &str, key: &str) -> Result<Option<String>, SettingError> {
    table.remove(key).map(|value| text_of(file, key, value, &format!("the name of a {key}"))).transpose()
}

fn text_of(file: &str, key: &str, value: Value, expected: &str) -> Result<String, SettingError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(SettingError::wrong_type(file, key, &other, expected)),
    }
}

fn keys(table: &mut Table, file: &str) -> Result<Option<Table>, SettingError> {
    match table.remove("keys") {
        None => Ok(None),
        Some(Value::Table(keys)) => Ok(Some(keys)),
        Some(other) => Err(SettingError::wrong_type(file, "keys", &other, "a table, [keys] with preset = \"k9s\", or [keys.containers] with stop = [\"s\"]")),
    }
}

fn switch(file: &str, key: &str, value: &Value) -> Result<bool, SettingError> {
    value.as_bool().ok_or_else(|| SettingError::wrong_type(file, key, value, "true or false"))
}

fn signs(file: &str, value: &Value) -> Result<Signs, SettingError> {
    let names = Signs::ALL.iter().map(|(name, _)| *name);
    let word = value.as_str().ok_or_else(|| SettingError::wrong_type(file, "charts", value, "\"braille\", \"blocks\" or \"ascii\""))?;
    let known = Signs::ALL.iter().find(|(name, _)| *name == word);
    known.map(|(_, signs)| *signs).ok_or_else(|| SettingError::unknown(file, "charts", "set of signs", word, names))
}

fn number(file: &str, key: &str, value: &Value, range: &RangeInclusive<usize>) -> Result<usize, SettingError> {
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    let number = value.as_integer().ok_or_else(|| SettingError::wrong_type(file, key, value, &expected))?;
    let fitting = usize::try_from(number).ok().filter(|number| range.contains(number));
    fitting.ok_or_else(|| SettingError::new(file, key, format!("is {number}; expected {expected}")))
}

/// The folders that settings may lie in, the user's before the machine's: `$XDG_CONFIG_HOME/kapal`, else `~/.config/kapal`.
///
/// A relative XDG_CONFIG_HOME counts for nothing, as the XDG Base Directory Specification says.
pub fn folders(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    user.map(|folder| folder.join("kapal")).into_iter().chain([PathBuf::from(MACHINE)]).collect()
}

/// The files of settings in `folders`, the most important last; what is missing is no fault.
pub fn sources(folders: &[PathBuf]) -> Result<Vec<Source>, SettingError> {
    let mut sources = Vec::new();
    for path in folders.iter().rev().map(|folder| folder.join("config.toml")) {
        if let Some(text) = setting::read(&path)? {
            sources.push(Source { file: path.display().to_string(), text });
        }
    }
    Ok(sources)
}

/// The settings in `folders`, the most important first.
pub fn load(folders: &[PathBuf]) -> Result<Config, SettingError> {
    let sources = sources(folders)?;
    let themes: Vec<PathBuf> = folders.iter().map(|folder| Path::join(folder, "themes")).collect();
    Config::parse(&sources, Gallery::open(&themes))
}

#[cfg(test)]
mod tests;
