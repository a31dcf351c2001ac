//! What a screen wants done outside: plain data, so that a test can compare it.

use crate::id::{ContainerId, ImageId, LayerId};
use std::path::PathBuf;

/// A work's number in this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkId(pub u64);

/// A question's number; answers bear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A console's number in this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsoleId(pub u64);

/// What a screen would like to know. Answered as often as there is something new, until it is forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What a container wrote, the last lines and on as it grows.
    Log(ContainerId),
    /// Its processes, again and again.
    Processes(ContainerId),
    /// A container in full.
    InspectContainer(ContainerId),
    /// An image in full.
    InspectImage(ImageId),
    /// What a container used and what happened to it, then what is new each second.
    Past(ContainerId),
    /// What a container changed.
    Changes(ContainerId),
    /// How an image was made.
    History(ImageId),
    /// How images share their layers.
    Graph,
    /// What an image carries in vain.
    Wasted(ImageId),
    /// What this machine's links carry, again each second.
    Traffic,
    /// Who reaches the ports that lead to this one inside a container, again and again.
    Explain(ContainerId, u16),
    /// The files of the topmost of these layers, which lie upon each other, bottom first; or those of all of them.
    Files {
        /// The layers.
        layers: Vec<LayerId>,
        /// Also what the lower ones hold and nothing above them hides.
        all: bool,
    },
    /// The beginning of a layer's file; the path is relative to the root.
    Content(LayerId, PathBuf),
    /// A path of a container beside the same path of its image.
    Difference(ContainerId, PathBuf),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A verb, by its words.
    Perform(Vec<String>),
    /// Several, one after the other, until one fails.
    Script(Vec<Vec<String>>),
    /// The best shell that a container has, or the toolbox's, on a console.
    Shell(ContainerId),
    /// A typed line, for the history.
    Remember(String),
    /// Call a work off.
    Cancel(WorkId),
    /// Find something out.
    Ask(Ticket, Question),
    /// No answers to this any more.
    Forget(Ticket),
    /// Keys for a console.
    Input(ConsoleId, Vec<u8>),
    /// A console's room, in rows and columns.
    Resize(ConsoleId, u16, u16),
    /// Leave a console; what runs in it runs on.
    Leave(ConsoleId),
    /// Tell the screens when so much time went by.
    Wake(std::time::Duration),
    /// Text into the user's clipboard.
    Copy(String),
    /// Text into a new file.
    Save(PathBuf, String),
    /// Draw everything anew.
    Redraw,
    /// Give the terminal back until we are continued.
    Suspend,
    /// End.
    Quit,
}
