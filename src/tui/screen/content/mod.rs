//! A file looked into: its text or its bytes, or what a container changed in it.

use crate::engine::contents::Difference;
use crate::engine::layers::Head;
use crate::id::{ContainerId, LayerId};
use crate::text::{self, size};
use crate::tui::effect::Question;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::{Answer, News};
use crate::tui::screen::inquiry::Inquiry;
use crate::tui::screen::prompt::Prompt;
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::{self, frame};
use crate::tui::widget::pager::{Kind, Line, Pager};
use crate::tui::world::World;
use ratatui::Frame;
use ratatui::layout::Rect;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

mod lines;

/// Where the file is.
#[derive(Clone, Debug)]
enum Source {
    Layer(LayerId),
    /// With the container's name.
    Container(ContainerId, String),
}

/// The screen.
#[derive(Debug)]
pub struct Content {
    source: Source,
    path: PathBuf,
    inquiry: Inquiry,
    pager: Pager,
    head: Option<Head>,
    difference: Option<Box<Difference>>,
    hex: bool,
    failed: bool,
}

impl Content {
    fn new(source: Source, path: PathBuf) -> Self {
        Self { source, path, inquiry: Inquiry::default(), pager: Pager::new(lines::MOST + 16, false), head: None, difference: None, hex: false, failed: false }
    }

    /// The content of a layer's file; `path` is relative to the root.
    pub fn of_layer(layer: LayerId, path: PathBuf) -> Self {
        Self::new(Source::Layer(layer), path)
    }

    /// What a container changed in a file; `path` is relative to the root.
    pub fn of_container(container: ContainerId, name: String, path: PathBuf) -> Self {
        Self::new(Source::Container(container, name), path)
    }

    /// The file's beginning, if it has content.
    fn bytes(&self) -> Option<&Head> {
        match &self.difference {
            Some(difference) => difference.new.as_ref().or(difference.old.as_ref())?.content.as_ref(),
            None => self.head.as_ref(),
        }
    }

    fn fill(&mut self) {
        let shown = match (self.hex, self.bytes(), &self.difference) {
            (true, Some(head), _) => lines::hex(head),
            (_, _, Some(difference)) => lines::difference(difference),
            (false, Some(head), None) => lines::text(head),
            (_, None, None) => Vec::new(),
        };
        self.pager.set(shown);
    }

    fn save(&self) -> Reaction {
        match &self.source {
            Source::Layer(layer) => Prompt::out_of_layer(layer, &self.path),
            Source::Container(_, container) => Prompt::out_of_container(container, &self.path),
        }
    }
}

impl Screen for Content {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Text]
    }

    fn takes(&self, action: Action) -> bool {
        self.pager.takes(action) || matches!(action, Action::Save | Action::Extract) || (action == Action::ToggleHex && self.bytes().is_some())
    }

    fn pager(&self) -> Option<&Pager> {
        Some(&self.pager)
    }

    fn pager_mut(&mut self) -> Option<&mut Pager> {
        Some(&mut self.pager)
    }

    fn act(&mut self, action: Action, _world: &World) -> Option<Reaction> {
        Some(match action {
            Action::ToggleHex if self.bytes().is_some() => {
                self.hex = !self.hex;
                self.fill();
                Reaction::none()
            }
            // The file itself, not as much of it as is shown.
            Action::Save | Action::Extract => self.save(),
            _ => return self.pager.react(action, ""),
        })
    }

    fn hear(&mut self, news: &mut News, _world: &World) -> Reaction {
        if let News::Answer(ticket, answer) = news
            && self.inquiry.ends_with(*ticket)
        {
            match answer {
                Answer::Content(head) => {
                    self.hex = head.is_binary();
                    self.head = Some(head.clone());
                    self.fill();
                }
                Answer::Difference(difference) => {
                    self.difference = Some(difference.clone());
                    self.fill();
                }
                Answer::Failed(sentence) => {
                    self.failed = true;
                    self.pager.set([Line::new(sentence, Kind::Error)]);
                }
                _ => {}
            }
        }
        Reaction::none()
    }

    fn shown(&mut self, front: bool, world: &World) -> Reaction {
        if !front {
            return self.inquiry.forget();
        }
        let question = match &self.source {
            Source::Layer(layer) => Question::Content(layer.clone(), self.path.clone()),
            Source::Container(id, _) => Question::Difference(id.clone(), self.path.clone()),
        };
        self.inquiry.ask(question, world)
    }

    fn draw(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let theme = &world.theme;
        let buffer = frame_.buffer_mut();
        let path = format!("/{}", text::clean_bytes(self.path.as_os_str().as_bytes()));
        let mut notes = vec![self.pager.note()];
        if let Some(head) = self.bytes().filter(|_| !self.failed) {
            notes.push(if head.is_cut() {
                format!("the first {} of {}", size::binary(head.bytes.len() as u64), size::binary(head.size))
            } else {
                size::decimal(head.size)
            });
        }
        if self.hex {
            notes.push("hex".to_owned());
        }
        notes.retain(|note| !note.is_empty());
        let inner = frame(area, buffer, theme, &path, &notes.join("  "), true);
        let inside = if inner == area { inner } else { Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner } };
        if self.pager.is_empty() {
            let words = if self.inquiry.is_open() { "Looking …" } else { "It is empty." };
            buffer.set_stringn(inside.x, inside.y, words, usize::from(inside.width), theme.muted());
            return;
        }
        self.pager.draw(inside, buffer, theme);
        let foot = match &self.source {
            Source::Layer(layer) => format!("layer {}", layer.short()),
            Source::Container(_, name) => format!("{} against its image", text::clean(name)),
        };
        if inner != area && area.width > 20 {
            frame::foot(area, buffer, theme, &foot);
        }
    }

    fn floats(&self) -> bool {
        false
    }
}
