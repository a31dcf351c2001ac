//! Keys and what they do: presets compiled in, the user's own over them, looked up by the place one is in.
//!
//! ```text
//!  preset (and the preset it is based on) ─► own bindings, file by file ─► one map: (context, chord) ─► action
//!                                            a later list replaces an earlier one for the same context and action
//! ```
//! A pane gives its contexts, nearest first; [`Context::Global`] comes last, as far as it reaches there. In one context a
//! chord means one thing: two actions that want it are a fault, told before anything starts.

mod action;
mod chord;
mod context;
mod help;
mod layer;
pub mod preset;

pub use action::Action;
pub use chord::{Chord, ChordError};
pub use context::Context;
pub use help::{GAP, HelpRow, Hint};

use super::setting::{self, SettingError};
use crossterm::event::KeyEvent;
use layer::Draft;
use std::collections::HashMap;

/// One chord, where it holds, and what it does there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// What is pressed.
    pub chord: Chord,
    /// What it does.
    pub action: Action,
}

/// A table of keys for a file with settings, and the file's name for messages.
#[derive(Clone, Debug)]
pub struct OwnKeys<'a> {
    /// The file, for messages.
    pub file: &'a str,
    /// Tables by context, in them lists of chords by action; the path to this table is `keys`.
    pub table: &'a toml::Table,
}

/// Which key does what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    /// By context, in the order of its actions, each action's chords as they were written.
    bindings: Vec<Binding>,
    actions: HashMap<(Context, Chord), Action>,
}

impl Keymap {
    /// The preset `name`.
    pub fn named(name: &str) -> Result<Self, SettingError> {
        Self::with("keymap", "preset", name, &[])
    }

    /// The preset `name`, asked for by `key` in `file`, under the bindings of `own`, of which later ones win.
    pub fn with(file: &str, key: &str, name: &str, own: &[OwnKeys]) -> Result<Self, SettingError> {
        let mut draft = Draft::default();
        let text = preset::text(name).ok_or_else(|| SettingError::unknown(file, key, "preset of keys", name, preset::names()))?;
        draft.add_preset(name, text)?;
        for keys in own {
            draft.add(keys.file, "keys.", keys.table)?;
        }
        let bindings = draft.finish()?;
        let actions = bindings.iter().map(|binding| ((binding.context, binding.chord), binding.action)).collect();
        Ok(Self { bindings, actions })
    }

    /// What a press means in a place with these `contexts`, the nearest first; [`Context::Global`] need not be named.
    pub fn action(&self, contexts: &[Context], event: KeyEvent) -> Option<Action> {
        self.resolve(contexts, Chord::from_event(event)?)
    }

    /// What `chord` means in a place with these `contexts`, the nearest first.
    pub fn resolve(&self, contexts: &[Context], chord: Chord) -> Option<Action> {
        let own = contexts.iter().filter(|&&context| context != Context::Global).find_map(|&context| self.actions.get(&(context, chord)));
        own.or_else(|| self.actions.get(&(Context::Global, chord)).filter(|action| context::is_reached(contexts, chord, action.holds_everywhere()))).copied()
    }

    /// Every binding, by context.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }
}

impl Default for Keymap {
    /// The default preset.
    fn default() -> Self {
        // What is compiled in is read by a test; were it broken, no key at all is still better than no terminal.
        Self::named(preset::DEFAULT).unwrap_or(Self { bindings: Vec::new(), actions: HashMap::new() })
    }
}

/// The names that a file of keys may use for contexts.
fn context_names() -> impl Iterator<Item = &'static str> + Clone {
    Context::ALL.into_iter().map(Context::name)
}

/// The context that `file` calls `name`.
fn context_named(file: &str, key: &str, name: &str) -> Result<Context, SettingError> {
    Context::named(name).ok_or_else(|| SettingError::unknown(file, key, "place for keys", name, context_names()))
}

/// The action that `file` calls `name`.
fn action_named(file: &str, key: &str, name: &str) -> Result<Action, SettingError> {
    Action::named(name).ok_or_else(|| unknown_action(file, key, name))
}

fn unknown_action(file: &str, key: &str, name: &str) -> SettingError {
    let names = Action::ALL.iter().map(|action| action.name());
    let advice = match setting::nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => "help (?) lists what keys can do, the presets in assets/keymaps show all names".to_owned(),
    };
    SettingError::new(file, key, format!("there is no such action; {advice}"))
}

#[cfg(test)]
mod tests;
