//! What help and the status line say of the keys, read off the map itself, so that it cannot be wrong.

use super::{Action, Chord, Context, Keymap, context};
use crate::text::width;
use std::cmp::Reverse;

/// An action and the keys that do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelpRow {
    /// Where the keys hold: rows come grouped by it.
    pub context: Context,
    /// The keys, the usual one first.
    pub chords: Vec<Chord>,
    /// What they do.
    pub action: Action,
    /// The same in a sentence.
    pub description: &'static str,
}

/// A key worth a place in the status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The key.
    pub chord: Chord,
    /// What it does.
    pub action: Action,
    /// The same in a word or two.
    pub label: &'static str,
}

/// The columns between two hints.
pub const GAP: usize = 2;

impl Hint {
    /// The columns it takes: the key, a space, the label.
    pub fn width(&self) -> usize {
        width::of(&self.chord.short()) + 1 + width::of(self.label)
    }
}

impl Keymap {
    /// Every key that does something in a place with these `contexts`, nearest first, grouped by context.
    ///
    /// What something nearer takes away is left out: each row says what really happens.
    pub fn help(&self, contexts: &[Context]) -> Vec<HelpRow> {
        let mut rows: Vec<HelpRow> = Vec::new();
        let own = contexts.iter().copied().filter(|&context| context != Context::Global);
        for context in own.chain([Context::Global]) {
            for binding in self.bindings.iter().filter(|binding| binding.context == context) {
                let is_reached = context != Context::Global || context::is_reached(contexts, binding.chord, binding.action.holds_everywhere());
                let is_hidden = rows.iter().any(|row| row.context != context && row.chords.contains(&binding.chord));
                if !is_reached || is_hidden {
                    continue;
                }
                match rows.iter_mut().find(|row| row.context == context && row.action == binding.action) {
                    Some(row) => row.chords.push(binding.chord),
                    None => rows.push(HelpRow { context, chords: vec![binding.chord], action: binding.action, description: binding.action.description() }),
                }
            }
        }
        rows
    }

    /// The keys that do `action` in a place with these `contexts`, the nearest first.
    pub fn chords(&self, contexts: &[Context], action: Action) -> Vec<Chord> {
        self.help(contexts).into_iter().filter(|row| row.action == action).flat_map(|row| row.chords).collect()
    }

    /// The keys that matter most in a place with these `contexts`, of the actions that apply there now (no `start` for what
    /// runs): as many as `room` columns show with two between them, in the order in which to show them.
    pub fn hints(&self, contexts: &[Context], room: usize, applies: impl Fn(Action) -> bool) -> Vec<Hint> {
        let mut hints: Vec<Hint> = Vec::new();
        for row in self.help(contexts) {
            let is_new = hints.iter().all(|hint| hint.action != row.action);
            if row.action.weight() > 0 && is_new && applies(row.action) {
                hints.push(Hint { chord: row.chords[0], action: row.action, label: row.action.label() });
            }
        }
        // Stable: of equal weight, the nearer context's stay before the others'.
        hints.sort_by_key(|hint| Reverse(hint.action.weight()));
        let mut left = room + GAP;
        hints.retain(|hint| {
            let fits = hint.width() + GAP <= left;
            // What matters less does not take the place of what matters more and is too wide.
            left = if fits { left - hint.width() - GAP } else { 0 };
            fits
        });
        hints.sort_by_key(|hint| hint.action);
        hints
    }
}
