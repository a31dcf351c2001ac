//! A question answered with one line, which becomes the last word of a verb.

use crate::id::LayerId;
use crate::text;
use crate::tui::keymap::{Action, Context};
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::popup;
use crate::tui::widget::input::Input;
use crate::tui::world::World;
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use std::path::Path;

/// The question.
#[derive(Debug)]
pub struct Prompt {
    title: String,
    label: String,
    input: Input,
    words: Vec<String>,
}

impl Prompt {
    /// Asks for `label`, beginning with `text`; the answer follows `words`.
    pub fn new<S: Into<String>>(title: impl Into<String>, label: impl Into<String>, text: impl Into<String>, words: impl IntoIterator<Item = S>) -> Self {
        Self { title: title.into(), label: label.into(), input: Input::with(text), words: words.into_iter().map(Into::into).collect() }
    }

    /// Asks where to a file of a container or a layer is to be copied.
    ///
    /// # Errors
    /// Its name is no text, so that no verb can name it.
    fn copy_out(title: &str, path: &Path, words: impl FnOnce(&str) -> Vec<String>) -> Result<Self, &'static str> {
        let (Some(from), Some(name)) = (path.to_str(), path.file_name()) else { return Err("its name is no UTF-8, so that no command can name it") };
        Ok(Self::new(title, "To", format!("./{}", name.to_string_lossy()), words(&format!("/{from}"))))
    }

    /// The question where to a file of a layer is to be copied, as a screen answers a key with it.
    pub fn out_of_layer(layer: &LayerId, path: &Path) -> Reaction {
        let words = |from: &str| ["image", "extract", layer.as_str(), from].map(str::to_owned).to_vec();
        Self::copy_out("Copy a file out of its layer", path, words).map_or_else(Reaction::error, Reaction::open)
    }

    /// The question where to a file of a container is to be copied, as a screen answers a key with it.
    pub fn out_of_container(container: &str, path: &Path) -> Reaction {
        let words = |from: &str| vec!["cp".to_owned(), format!("{container}:{from}")];
        Self::copy_out("Copy it out of the container", path, words).map_or_else(Reaction::error, Reaction::open)
    }

    fn line(&self) -> Vec<String> {
        let answer = self.input.text().trim();
        self.words.iter().cloned().chain((!answer.is_empty()).then(|| answer.to_owned())).collect()
    }
}

impl Screen for Prompt {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::CommandLine]
    }

    fn takes(&self, action: Action) -> bool {
        matches!(action, Action::Accept | Action::Open | Action::Back)
    }

    fn typed(&mut self, key: KeyEvent, _world: &World) -> Option<Reaction> {
        self.input.typed(key).then(Reaction::none)
    }

    fn pasted(&mut self, words: &str, _world: &World) -> Option<Reaction> {
        self.input.insert(words);
        Some(Reaction::none())
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        match action {
            Action::Accept | Action::Open => {
                let words = self.line();
                Some(match world.line.check(&words) {
                    Ok(()) => Reaction::close().and(Reaction::perform(words)),
                    Err(sentence) => Reaction::error(sentence),
                })
            }
            Action::Back => Some(Reaction::close()),
            _ => None,
        }
    }

    fn equal(&self, world: &World) -> Option<String> {
        Some(format!("{} …", crate::text::clean(&world.line.quote(&self.words))))
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        let theme = &world.theme;
        let inner = popup(area, area.width.saturating_sub(4).min(70), 6, frame.buffer_mut(), theme, &self.title);
        let buffer = frame.buffer_mut();
        buffer.set_stringn(inner.x, inner.y, &*text::clean(&self.label), usize::from(inner.width), theme.muted());
        if inner.height < 2 {
            return;
        }
        let cursor = self.input.draw(Rect { y: inner.y + 1, height: 1, ..inner }, buffer, theme.text());
        if inner.height >= 4 {
            let equal = format!("kapal {}", text::clean(&world.line.quote(&self.line())));
            buffer.set_stringn(inner.x, inner.y + 3, text::truncate(&equal, usize::from(inner.width)), usize::from(inner.width), theme.muted());
        }
        frame.set_cursor_position(cursor);
    }
}
