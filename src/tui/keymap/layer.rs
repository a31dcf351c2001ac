//! Files of keys laid over each other, and the faults they can have: unknown names, keys that are none, clashes.

use super::{Action, Binding, Chord, Context, action_named, context_named, preset};
use crate::tui::setting::{self, SettingError};
use std::collections::{BTreeMap, HashMap};

/// The chords of one action in one context, and who said so.
#[derive(Clone, Debug)]
struct Entry {
    chords: Vec<Chord>,
    file: String,
    key: String,
    /// Which file of those laid over each other it is from: the later one is to blame for a clash.
    layer: usize,
}

/// Files of keys laid over each other, not yet held against each other.
#[derive(Debug, Default)]
pub struct Draft {
    entries: BTreeMap<(Context, Action), Entry>,
    layers: usize,
}

impl Draft {
    /// Lays the preset `name` over what is there, first the one that it is based on.
    pub fn add_preset(&mut self, name: &str, text: &str) -> Result<(), SettingError> {
        let file = format!("preset {name}");
        let mut table = setting::document(&file, text)?;
        if let Some(base) = table.remove("base") {
            let below = base.as_str().filter(|&below| below != name).and_then(|below| Some((below, preset::text(below)?)));
            let (below, text) = below.ok_or_else(|| SettingError::new(&file, "base", "names no other preset"))?;
            self.add_preset(below, text)?;
        }
        self.add(&file, "", &table)
    }

    /// Lays the tables by context of `file` over what is there; `prefix` leads to them in the file.
    pub fn add(&mut self, file: &str, prefix: &str, table: &toml::Table) -> Result<(), SettingError> {
        self.layers += 1;
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            let context = context_named(file, &key, name)?;
            let toml::Value::Table(actions) = value else {
                return Err(SettingError::wrong_type(file, &key, value, "a table of actions with their keys, such as stop = [\"s\"]"));
            };
            for (name, value) in actions {
                let key = format!("{key}.{name}");
                let action = action_named(file, &key, name)?;
                let chords = chords(file, &key, context, value)?;
                self.entries.insert((context, action), Entry { chords, file: file.to_owned(), key, layer: self.layers });
            }
        }
        Ok(())
    }

    /// The bindings, if no chord is wanted twice in one context.
    pub fn finish(self) -> Result<Vec<Binding>, SettingError> {
        let mut bindings = Vec::new();
        let mut owners: HashMap<(Context, Chord), (Action, &Entry)> = HashMap::new();
        for (&(context, action), entry) in &self.entries {
            for &chord in &entry.chords {
                if let Some(&(other, owner)) = owners.get(&(context, chord)) {
                    return Err(clash(chord, (action, entry), (other, owner)));
                }
                owners.insert((context, chord), (action, entry));
                bindings.push(Binding { context, chord, action });
            }
        }
        Ok(bindings)
    }
}

/// The chords in `value`: a list, or a single one.
fn chords(file: &str, key: &str, context: Context, value: &toml::Value) -> Result<Vec<Chord>, SettingError> {
    let expected = "a list of keys, such as [\"s\", \"ctrl-s\"]; an empty list takes the action off the keys";
    let single = [value.clone()];
    let values: &[toml::Value] = match value {
        toml::Value::Array(values) => values,
        toml::Value::String(_) => &single,
        _ => return Err(SettingError::wrong_type(file, key, value, expected)),
    };
    let mut chords = Vec::new();
    for value in values {
        let text = value.as_str().ok_or_else(|| SettingError::wrong_type(file, key, value, expected))?;
        let chord: Chord = text.parse().map_err(|error: super::ChordError| SettingError::new(file, key, error.to_string()))?;
        if context.is_typed_into() && chord.typed().is_some() {
            let fault = format!("{chord} types a character in {}; take a key with ctrl- or alt-, or one without a character", context.name());
            return Err(SettingError::new(file, key, fault));
        }
        if chords.contains(&chord) {
            return Err(SettingError::new(file, key, format!("names {chord} twice; leave one out")));
        }
        chords.push(chord);
    }
    Ok(chords)
}

/// Two actions want one chord in one context: told at the later one, which can still be put right.
fn clash(chord: Chord, one: (Action, &Entry), other: (Action, &Entry)) -> SettingError {
    let ((action, entry), (taken, owner)) = if one.1.layer >= other.1.layer { (one, other) } else { (other, one) };
    let whose = if owner.file == entry.file { String::new() } else { format!(" by {}", owner.file) };
    let fault = format!(
        "{chord} is to {}, but it is given to {} ({}){whose} already; take another key for {}, or give {} other keys there ({} = [] for none)",
        action.name(),
        taken.name(),
        owner.key,
        action.name(),
        taken.name(),
        taken.name(),
    );
    SettingError::new(&entry.file, &entry.key, fault)
}
