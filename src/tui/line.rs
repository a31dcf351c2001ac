//! What the command line lends the screens: words into work, so that a key and a typed verb are the same thing.

use crate::engine::attach::Console;
use crate::engine::{Engine, Progress, Result};
use crate::id::JobId;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Most bytes of a verb's output that may wait for the screen; more is dropped and counted.
const WAITING: usize = 1 << 20;

/// What a verb says while it works.
#[derive(Debug)]
pub enum Said {
    /// Harmless text of its result.
    Text(String),
    /// A line beside it.
    Note(String),
    /// It became this job of the list.
    Job(JobId),
    /// How far a part is.
    Progress(Progress),
    /// A console that it would have taken the terminal for.
    Console(Box<Opened>),
    /// So many bytes were dropped.
    Missed(usize),
}

/// A console that a verb opened.
#[derive(Debug)]
pub struct Opened {
    /// The connection.
    pub console: Console,
    /// The container has a terminal there.
    pub tty: bool,
    /// Keys go into it.
    pub stdin: bool,
    /// Keys that leave it, if the verb named some.
    pub detach_keys: Option<String>,
}

/// A verb's way to speak to the screen: never blocks, never grows without end.
#[derive(Clone, Debug)]
pub struct Voice {
    sender: mpsc::UnboundedSender<Said>,
    waiting: Arc<AtomicUsize>,
    missed: Arc<AtomicUsize>,
}

/// The screen's end of a voice.
#[derive(Debug)]
pub struct Ear {
    receiver: mpsc::UnboundedReceiver<Said>,
    waiting: Arc<AtomicUsize>,
    missed: Arc<AtomicUsize>,
}

/// A voice and who hears it.
pub fn voice() -> (Voice, Ear) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (waiting, missed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    (Voice { sender, waiting: Arc::clone(&waiting), missed: Arc::clone(&missed) }, Ear { receiver, waiting, missed })
}

impl Said {
    fn weight(&self) -> usize {
        match self {
            Self::Text(words) | Self::Note(words) => words.len() + 64,
            _ => 64,
        }
    }
}

impl Voice {
    /// Says something; a screen that is gone is no reason to stop working.
    pub fn say(&self, said: Said) {
        let weight = said.weight();
        if matches!(said, Said::Text(_)) && self.waiting.load(Ordering::Relaxed) > WAITING {
            self.missed.fetch_add(weight, Ordering::Relaxed);
            return;
        }
        self.waiting.fetch_add(weight, Ordering::Relaxed);
        let _ = self.sender.send(said);
    }
}

impl Ear {
    /// What is said next; `None` at the end.
    pub async fn hear(&mut self) -> Option<Said> {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 {
            return Some(Said::Missed(missed));
        }
        let said = self.receiver.recv().await?;
        self.waiting.fetch_sub(said.weight(), Ordering::Relaxed);
        Some(said)
    }
}

/// A word that could stand where one is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The word.
    pub word: String,
    /// What it is, in a few words.
    pub about: String,
}

/// What can be named on a command line.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of containers.
    pub containers: Vec<String>,
    /// Of images.
    pub images: Vec<String>,
    /// Of networks.
    pub networks: Vec<String>,
    /// Of volumes.
    pub volumes: Vec<String>,
}

/// A verb at work.
pub type Working = Pin<Box<dyn Future<Output = Result<i32>> + Send>>;

/// The command line, as the screens use it.
pub trait CommandLine: Debug + Send + Sync {
    /// A typed line as verbs with their words; the error is a sentence.
    fn statements(&self, line: &str) -> std::result::Result<Vec<Vec<String>>, String>;

    /// Whether words are a verb that can be done.
    fn check(&self, words: &[String]) -> std::result::Result<(), String>;

    /// Words as one would type them.
    fn quote(&self, words: &[String]) -> String;

    /// Does a verb. Dropping the work calls it off.
    fn perform(&self, words: Vec<String>, engine: Engine, voice: Voice) -> Working;

    /// What could stand at the end of `line`, and from which byte on it would stand there.
    fn complete(&self, line: &str, names: &Names) -> (usize, Vec<Completion>);

    /// How the verb at the end of `line` is used, once it is known which one it is.
    fn usage(&self, line: &str) -> Option<String>;
}
