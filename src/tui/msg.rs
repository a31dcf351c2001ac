//! What reaches the screens: keys, the passing of time, and news from the engine.

use crate::container::past::{Moment, Past};
use crate::engine::contents::Difference;
use crate::engine::graph::ImageGraph;
use crate::engine::images::Step;
use crate::engine::layers::{Head, Wasted};
use crate::engine::network::Reached;
use crate::engine::{Change, LayerEntry, Snapshot};
use crate::id::LayerId;
use crate::tui::console::session::ConsoleEvent;
use crate::tui::effect::{ConsoleId, Ticket, WorkId};
use crate::tui::line::Said;
use crate::tui::widget::pager::Line;
use crate::tui::widget::tree::Tree;
use crate::tui::world::Rate;
use crossterm::event::{KeyEvent, MouseEvent};
use std::collections::HashMap;
use std::sync::Arc;

/// Something happened.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// A second went by.
    Tick(jiff::Timestamp),
    /// From the engine.
    News(News),
}

/// From the engine.
#[derive(Debug)]
pub enum News {
    /// The truth at one moment.
    Snapshot(Arc<Snapshot>),
    /// The snapshot could not be taken.
    Blind(String),
    /// What the whole machine used in the last second.
    Machine(Moment),
    /// What containers take, sampled now.
    Figures(Vec<super::world::Figure>),
    /// An answer.
    Answer(Ticket, Answer),
    /// A work began; the verbs it is, each by its words.
    Began(WorkId, Vec<Vec<String>>),
    /// A work says something.
    Said(WorkId, Said),
    /// A work ended with a status or a sentence.
    Ended(WorkId, Result<i32, String>),
    /// A console was opened.
    Opened(ConsoleId, Console),
    /// A console brings something.
    Console(ConsoleId, ConsoleEvent),
    /// A verb is to be done: what was asked for turned out to be this.
    Wanted(Vec<String>),
    /// Something beside all this went wrong, or well.
    Notice(Result<String, String>),
}

/// A console that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// The verb that opened it.
    pub title: String,
    /// The container has a terminal there.
    pub tty: bool,
    /// Keys go into it.
    pub stdin: bool,
    /// Keys that leave it, if the verb named some.
    pub detach_keys: Option<String>,
}

/// What is known now.
#[derive(Clone, Debug)]
pub enum Answer {
    /// More lines.
    More(Vec<Line>),
    /// All lines there are.
    Whole(Vec<Line>),
    /// A table: headings and rows.
    Table(Vec<String>, Vec<Vec<String>>),
    /// A container's past, or what is new of it.
    Past(Box<Past>),
    /// Changed paths.
    Changes(Vec<Change>),
    /// How an image was made, the newest step first.
    History(Vec<Step>),
    /// How images share their layers.
    Graph(Arc<ImageGraph>),
    /// What an image carries in vain.
    Wasted(Wasted),
    /// What each link carries, by its name.
    Rates(HashMap<String, Rate>),
    /// Who reaches published ports.
    Explained(Vec<Reached>),
    /// Files of layers.
    Files(Box<Files>),
    /// The beginning of a file.
    Content(Head),
    /// A path on both sides.
    Difference(Box<Difference>),
    /// It cannot be known.
    Failed(String),
}

/// Files of layers that lie upon each other.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The layers, bottom first.
    pub layers: Vec<LayerId>,
    /// Each file, with the place of the layer that it comes from.
    pub entries: Vec<(usize, LayerEntry)>,
    /// The same as a tree, whose leaves stand as the entries do.
    pub tree: Tree,
    /// There are more than were listed.
    pub truncated: bool,
}
