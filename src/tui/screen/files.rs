//! The files of a layer as a tree: what it adds, changes and removes, or all that is seen once it lies upon those below.

use crate::engine::{FileKind, LayerChange, LayerEntry};
use crate::id::LayerId;
use crate::text::{self, size};
use crate::tui::effect::Question;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::{Answer, News};
use crate::tui::screen::content::Content;
use crate::tui::screen::inquiry::Inquiry;
use crate::tui::screen::prompt::Prompt;
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::browser::Browser;
use crate::tui::widget::frame::{self, frame};
use crate::tui::widget::rows::Hit;
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The screen.
#[derive(Debug)]
pub struct Files {
    /// The image or layer, as its title names it.
    of: String,
    /// Bottom first; the last one is what is looked at.
    layers: Vec<LayerId>,
    /// Also what the layers below hold.
    all: bool,
    inquiry: Inquiry,
    browser: Browser,
    /// Each leaf of the tree, with the place of its layer.
    entries: Vec<(usize, LayerEntry)>,
    /// What stands beside the title.
    sums: String,
    failed: Option<String>,
    known: bool,
}

impl Files {
    /// Of the last of these layers, which lie upon each other, bottom first.
    pub fn new(of: impl Into<String>, layers: Vec<LayerId>, all: bool) -> Self {
        Self {
            of: of.into(),
            layers,
            all,
            inquiry: Inquiry::default(),
            browser: Browser::new(true),
            entries: Vec::new(),
            sums: String::new(),
            failed: None,
            known: false,
        }
    }

    fn ask(&mut self, world: &World) -> Reaction {
        self.inquiry.ask(Question::Files { layers: self.layers.clone(), all: self.all }, world)
    }

    /// The selected file with the layer it comes from; a sentence if it is none that can be read.
    fn file(&self) -> Result<(LayerId, &LayerEntry), String> {
        let node = self.browser.tree.selected().map(|place| self.browser.tree.node(place)).ok_or("no file is selected")?;
        let (from, entry) = node.leaf.and_then(|leaf| self.entries.get(leaf)).ok_or("a folder is no file")?;
        let name = &node.name;
        match (entry.change, entry.kind, &entry.target) {
            (LayerChange::Removed, ..) => Err(format!("{name} was removed by this layer: one of those below it has its content")),
            (_, FileKind::File, _) => Ok((self.layers.get(*from).ok_or("its layer is gone")?.clone(), entry)),
            (_, FileKind::Link, Some(target)) => Err(format!("{name} leads to {}", text::clean_bytes(target.as_os_str().as_bytes()))),
            (_, FileKind::Folder, _) => Err(format!("{name} is a folder")),
            _ => Err(format!("{name} is no file that has content")),
        }
    }

    fn open(&self) -> Reaction {
        match self.file() {
            Ok((layer, entry)) => Reaction::open(Content::of_layer(layer, entry.path.clone())),
            Err(sentence) => Reaction::say(sentence),
        }
    }

    fn extract(&self) -> Reaction {
        match self.file() {
            Ok((layer, entry)) => Prompt::out_of_layer(&layer, &entry.path),
            Err(sentence) => Reaction::error(sentence),
        }
    }

    fn take(&mut self, files: crate::tui::msg::Files) {
        let (mut added, mut changed, mut removed) = (0, 0, 0);
        for (_, entry) in &files.entries {
            match entry.change {
                LayerChange::Added => added += 1,
                LayerChange::Changed => changed += 1,
                LayerChange::Removed => removed += 1,
                LayerChange::Unchanged => {}
            }
        }
        let more = if files.truncated { "  only the first are listed" } else { "" };
        self.sums = format!("+{added} ~{changed} -{removed}  {}{more}", size::decimal(files.tree.size()));
        self.entries = files.entries;
        self.browser.set(files.tree);
        self.known = true;
        self.failed = None;
    }
}

/// The path of a file inside, into the clipboard.
pub fn copied(path: &Path) -> Reaction {
    let path = format!("/{}", path.display());
    Reaction::copy(path.as_str(), &path)
}

impl Screen for Files {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Files, Context::List]
    }

    fn takes(&self, action: Action) -> bool {
        self.browser.takes(action) || matches!(action, Action::Inspect | Action::Extract | Action::ToggleUnchanged | Action::Copy)
    }

    fn is_typing(&self) -> bool {
        self.browser.is_filtering()
    }

    fn typed(&mut self, key: KeyEvent, _world: &World) -> Option<Reaction> {
        self.browser.typed(key).then(Reaction::none)
    }

    fn pasted(&mut self, words: &str, _world: &World) -> Option<Reaction> {
        self.browser.pasted(words).then(Reaction::none)
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        if self.browser.act(action) {
            return Some(Reaction::none());
        }
        Some(match action {
            Action::Open | Action::Inspect => self.open(),
            Action::Extract => self.extract(),
            Action::ToggleUnchanged => {
                self.all = !self.all;
                self.ask(world)
            }
            Action::Copy => self.browser.selected().map(|path| copied(&path)).unwrap_or_default(),
            _ => return None,
        })
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Option<Reaction> {
        match self.browser.mouse(event) {
            Hit::Nothing => None,
            Hit::Moved => Some(Reaction::none()),
            Hit::Opened => self.act(Action::Open, world),
        }
    }

    fn hear(&mut self, news: &mut News, _world: &World) -> Reaction {
        if let News::Answer(ticket, answer) = news
            && self.inquiry.ends_with(*ticket)
        {
            match answer {
                Answer::Files(files) => self.take(std::mem::take(&mut **files)),
                Answer::Failed(sentence) => self.failed = Some(std::mem::take(sentence)),
                _ => {}
            }
        }
        Reaction::none()
    }

    fn shown(&mut self, front: bool, world: &World) -> Reaction {
        if front { self.ask(world) } else { self.inquiry.forget() }
    }

    fn draw(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let buffer = frame_.buffer_mut();
        let theme = &world.theme;
        let what = if self.all { "All files" } else { "Changed files" };
        let note = [self.browser.note(), self.sums.clone()].into_iter().filter(|note| !note.is_empty()).collect::<Vec<_>>().join("  ");
        let inner = frame(area, buffer, theme, &format!("{what} · {}", text::clean(&self.of)), &note, true);
        let inside = if inner == area { inner } else { Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner } };
        let room = usize::from(inside.width);
        match (&self.failed, self.inquiry.is_open()) {
            (Some(sentence), _) => {
                buffer.set_stringn(inside.x, inside.y, &*text::truncate(&text::clean(sentence), room), room, theme.failed());
                return;
            }
            (None, true) if !self.known => {
                buffer.set_stringn(inside.x, inside.y, "Looking …", room, theme.muted());
                return;
            }
            _ => {}
        }
        if self.browser.tree.lines().is_empty() {
            let words = if self.browser.tree.count() == 0 { "This layer holds no files." } else { "No name has that in it." };
            buffer.set_stringn(inside.x, inside.y, words, room, theme.muted());
            return;
        }
        self.browser.draw(inside, buffer, theme, true);
        if let Some(path) = self.browser.selected().filter(|_| inner != area) {
            let path = format!("/{}", text::clean_bytes(path.as_os_str().as_bytes()));
            frame::foot(area, buffer, theme, &path);
        }
    }

    fn floats(&self) -> bool {
        false
    }
}
