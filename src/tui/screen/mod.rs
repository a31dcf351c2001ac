//! What a screen is: a part of the display that takes keys, hears news and draws itself. One file a screen.

pub mod command;
pub mod confirm;
pub mod console;
pub mod containers;
pub mod content;
pub mod details;
pub mod excerpt;
pub mod files;
pub mod form;
pub mod forms;
pub mod graph;
pub mod help;
pub mod image_details;
pub mod images;
pub mod inquiry;
pub mod jobs;
pub mod limits;
pub mod lineage;
pub mod list;
pub mod menu;
pub mod minute;
pub mod networks;
pub mod output;
pub mod prompt;
pub mod split;
pub mod stats;
pub mod tabs;
pub mod volumes;
pub mod welcome;

use crate::tui::effect::{Effect, Question, Ticket};
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::widget::pager::Pager;
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use std::fmt::Debug;

/// The panes, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    /// 1
    Containers,
    /// 2
    Images,
    /// 3
    Networks,
    /// 4
    Volumes,
    /// 5
    Jobs,
    /// 6
    Consoles,
}

impl Pane {
    /// All, in their order.
    pub const ALL: [Self; 6] = [Self::Containers, Self::Images, Self::Networks, Self::Volumes, Self::Jobs, Self::Consoles];

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Containers => "Containers",
            Self::Images => "Images",
            Self::Networks => "Networks",
            Self::Volumes => "Volumes",
            Self::Jobs => "Jobs",
            Self::Consoles => "Consoles",
        }
    }
}

/// What comes of a key, or of news.
#[derive(Debug, Default)]
pub struct Reaction {
    /// To be done outside.
    pub effects: Vec<Effect>,
    /// A screen to be laid over all others.
    pub open: Option<Box<dyn Screen>>,
    /// This screen goes.
    pub close: bool,
    /// Another pane comes to the front.
    pub go: Option<Pane>,
    /// The pane that was in front before this one comes back.
    pub back: bool,
    /// A sentence at the bottom: good news, or an error, which stays until it is dismissed.
    pub notice: Option<Result<String, String>>,
    /// Done by the screen below, once this one is gone.
    pub then: Option<menu::Deed>,
    /// A thing that all screens share is to be another.
    pub change: Option<Setting>,
}

/// What all screens share and one may change.
#[derive(Debug)]
pub enum Setting {
    /// How things look, by name.
    Theme(String),
}

impl Reaction {
    /// Nothing more to do.
    pub fn none() -> Self {
        Self::default()
    }

    /// Something to be done outside.
    pub fn effect(effect: Effect) -> Self {
        Self { effects: vec![effect], ..Self::default() }
    }

    /// A verb to be done.
    pub fn perform<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self::effect(Effect::Perform(words.into_iter().map(Into::into).collect()))
    }

    /// A question.
    pub fn ask(ticket: Ticket, question: Question) -> Self {
        Self::effect(Effect::Ask(ticket, question))
    }

    /// A screen over this one.
    pub fn open(screen: impl Screen + 'static) -> Self {
        Self { open: Some(Box::new(screen)), ..Self::default() }
    }

    /// This screen goes.
    pub fn close() -> Self {
        Self { close: true, ..Self::default() }
    }

    /// An error to be read.
    pub fn error(sentence: impl Into<String>) -> Self {
        Self { notice: Some(Err(sentence.into())), ..Self::default() }
    }

    /// A sentence to be read.
    pub fn say(sentence: impl Into<String>) -> Self {
        Self { notice: Some(Ok(sentence.into())), ..Self::default() }
    }

    /// Text into the clipboard, and a sentence about `what` that was.
    pub fn copy(text: impl Into<String>, what: &str) -> Self {
        Self::effect(Effect::Copy(text.into())).and(Self::say(format!("copied {what}")))
    }

    /// This and, after it, what `other` wants.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.effects.extend(other.effects);
        self.open = other.open.or(self.open);
        self.close |= other.close;
        self.go = other.go.or(self.go);
        self.back |= other.back;
        self.notice = other.notice.or(self.notice);
        self.then = other.then.or(self.then);
        self.change = other.change.or(self.change);
        self
    }
}

/// A part of the display.
pub trait Screen: Debug + Send {
    /// Where its keys are looked up, the most particular place first; the global ones follow by themselves.
    fn contexts(&self) -> Vec<Context>;

    /// Whether an action means something here now. No other reaches [`Screen::act`], and no other is told of in help.
    fn takes(&self, action: Action) -> bool;

    /// Whether an action it takes would do something to what is selected: the line of keys leaves out what would be refused.
    fn fits(&self, _action: Action, _world: &World) -> bool {
        true
    }

    /// The text that it shows, if it is a text: keys for a search in it, pasted words and the wheel are that one's.
    fn pager(&self) -> Option<&Pager> {
        None
    }

    /// The same, to be changed.
    fn pager_mut(&mut self) -> Option<&mut Pager> {
        None
    }

    /// A line of text has the keys: a filter, a search.
    fn is_typing(&self) -> bool {
        self.pager().is_some_and(Pager::is_typing)
    }

    /// Keys that it watches for itself, in no map: as they are written, what they do in a word, and in a sentence.
    fn watched(&self) -> Option<(String, &'static str, &'static str)> {
        None
    }

    /// Signs that it draws, and what each means, for help.
    fn signs(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Takes a key as it was typed, before it is looked up: what text is typed into does. `None`: not taken.
    fn typed(&mut self, key: KeyEvent, _world: &World) -> Option<Reaction> {
        self.pager_mut()?.typed(key).then(Reaction::none)
    }

    /// Takes pasted text. `None`: not taken.
    fn pasted(&mut self, text: &str, _world: &World) -> Option<Reaction> {
        self.pager_mut()?.pasted(text).then(Reaction::none)
    }

    /// Does what a key stands for. `None`: it means nothing here.
    fn act(&mut self, action: Action, world: &World) -> Option<Reaction>;

    /// What would come of an action, with nothing changed yet. `None`: it may be done, more is not known.
    fn trial(&mut self, _action: Action, _world: &World) -> Option<Reaction> {
        None
    }

    /// What can be done beside what keys do, for the menu.
    fn more(&self, _world: &World) -> Vec<String> {
        Vec::new()
    }

    /// Does the one with this number.
    fn done_more(&mut self, _number: usize, _world: &World) -> Reaction {
        Reaction::none()
    }

    /// Does what the mouse did. `None`: nothing that concerns it.
    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Option<Reaction> {
        self.pager_mut()?.mouse(event).then(Reaction::none)
    }

    /// Hears news; the world has them already.
    fn hear(&mut self, _news: &mut News, _world: &World) -> Reaction {
        Reaction::none()
    }

    /// Time went by: a second, or what [`Effect::Wake`] asked for.
    fn tick(&mut self, _world: &World) -> Reaction {
        Reaction::none()
    }

    /// It was drawn, and knows its room now.
    fn drawn(&mut self) -> Reaction {
        Reaction::none()
    }

    /// It came to the front, or goes from there: what it looks at may begin or end.
    fn shown(&mut self, _front: bool, _world: &World) -> Reaction {
        Reaction::none()
    }

    /// Draws itself, and remembers where, for the mouse. Sets the cursor if it has one.
    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World);

    /// The command line that saying yes to it means, as far as it is known.
    fn equal(&self, _world: &World) -> Option<String> {
        None
    }

    /// As a layer over the others: the screen below is drawn first.
    fn floats(&self) -> bool {
        true
    }
}

/// `a`, `a and b`, `a, b and 3 more`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}
