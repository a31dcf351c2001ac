//! What a screen wants done outside: plain data, so that a test can compare it.

use crate::id::{ContainerId, ImageId};

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
    /// What a container changed.
    Changes(ContainerId),
    /// How an image was made.
    History(ImageId),
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
    Save(std::path::PathBuf, String),
    /// Draw everything anew.
    Redraw,
    /// Give the terminal back until we are continued.
    Suspend,
    /// End.
    Quit,
}
