//! What is taken out of a screen as text: into the clipboard, or to a file, by the same keys wherever there is some.

use crate::tui::effect::Effect;
use crate::tui::keymap::Action;
use crate::tui::screen::Reaction;
use crate::tui::widget::pager::{Line, Pager};
use std::path::PathBuf;

/// Copies a text, or saves it to a file named after what it is of; `None` for any other action.
pub fn taken(action: Action, of: &str, text: impl FnOnce() -> String) -> Option<Reaction> {
    match action {
        Action::Copy => Some(Reaction::copy(text(), "what is shown")),
        Action::Save => Some(Reaction::effect(Effect::Save(file_name(of), text()))),
        _ => None,
    }
}

/// The name of a file for text of this title: in this folder, whatever is in it.
fn file_name(title: &str) -> PathBuf {
    let plain: String = title.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' }).take(60).collect();
    format!("{}.txt", plain.trim_matches(['-', '.'])).into()
}

/// Lines as text.
pub fn text<'a>(lines: impl IntoIterator<Item = &'a Line>) -> String {
    lines.into_iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
}

impl Pager {
    /// Does what a key stands for; text that is taken out of it is `of` this.
    pub fn react(&mut self, action: Action, of: &str) -> Option<Reaction> {
        taken(action, of, || self.text()).or_else(|| self.act(action).then(Reaction::none))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::widget::pager::Kind;
    use std::path::Path;

    #[test]
    fn files_are_named_after_what_they_hold_and_stay_in_this_folder() {
        assert_eq!(file_name("volume inspect data"), Path::new("volume-inspect-data.txt"));
        assert_eq!(file_name("inspect ../../etc/passwd"), Path::new("inspect-..-..-etc-passwd.txt"));
    }

    #[test]
    fn a_pager_gives_what_it_shows_and_nothing_where_it_is_empty() {
        let mut pager = Pager::new(9, false);
        assert!(!pager.takes(Action::Copy) && !pager.takes(Action::Save));
        pager.extend(["one", "two"].map(|words| Line::new(words, Kind::Plain)));
        assert!(pager.takes(Action::Copy) && pager.takes(Action::Save));
        let copied = pager.react(Action::Copy, "web logs").unwrap();
        assert_eq!(copied.effects, [Effect::Copy("one\ntwo\n".to_owned())]);
        assert_eq!(copied.notice, Some(Ok("copied what is shown".to_owned())));
        pager.act(Action::Only);
        pager.pasted("tw");
        let saved = pager.react(Action::Save, "web logs").unwrap();
        assert_eq!(saved.effects, [Effect::Save("web-logs.txt".into(), "two\n".to_owned())]);
        assert!(pager.react(Action::Wrap, "web logs").is_some() && pager.react(Action::Stop, "web logs").is_none());
    }
}
