//! Effects done: verbs, questions and consoles as tasks beside the loop, each telling its news.

mod answer;
mod figures;

use crate::engine::attach::{ConsoleWriter, Output};
use crate::engine::{Engine, Event};
use crate::tui::effect::{ConsoleId, Effect, Ticket, WorkId};
use crate::tui::line::{CommandLine, Opened, Said, voice};
use crate::tui::msg::{Msg, News};
use futures_util::FutureExt;
use std::collections::HashMap;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

/// News that may wait for the loop; who tells more waits itself.
pub const WAITING: usize = 256;
/// The least time between two looks at the store.
const CALM: Duration = Duration::from_millis(60);
/// How long a change that nobody told of may stay unseen.
const SLOW: Duration = Duration::from_secs(3);

/// Who does it.
#[derive(Debug)]
pub struct Works {
    engine: Engine,
    line: Arc<dyn CommandLine>,
    news: mpsc::Sender<Msg>,
    next: u64,
    works: HashMap<WorkId, JoinHandle<()>>,
    asked: HashMap<Ticket, JoinHandle<()>>,
    consoles: HashMap<ConsoleId, mpsc::Sender<Keys>>,
    record: Option<PathBuf>,
    background: Vec<JoinHandle<()>>,
}

/// What goes into a console.
#[derive(Debug)]
enum Keys {
    Bytes(Vec<u8>),
    Size(u16, u16),
}

impl Drop for Works {
    fn drop(&mut self) {
        // A verb whose task is dropped calls its job off.
        self.works.values().chain(self.asked.values()).chain(&self.background).for_each(JoinHandle::abort);
    }
}

impl Works {
    /// Begins to look at the engine; news go to `news`. Verbs done are noted in the file `record`.
    pub fn begin(engine: Engine, line: Arc<dyn CommandLine>, news: mpsc::Sender<Msg>, record: Option<PathBuf>) -> Self {
        let watching = tokio::spawn(watch(engine.clone(), news.clone()));
        let sampling = tokio::spawn(figures::sample(engine.clone(), news.clone()));
        Self {
            engine,
            line,
            news,
            next: 1,
            works: HashMap::new(),
            asked: HashMap::new(),
            consoles: HashMap::new(),
            record,
            background: vec![watching, sampling],
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Does an effect that concerns the engine or files; those of the terminal are the loop's.
    pub fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Perform(words) => self.verbs(vec![words]),
            Effect::Script(statements) => self.verbs(statements),
            Effect::Cancel(id) => {
                if let Some(task) = self.works.remove(&id) {
                    task.abort();
                    self.tell(News::Ended(id, Err("cancelled".to_owned())));
                }
            }
            Effect::Ask(ticket, question) => {
                let answering = answer::answer(self.engine.clone(), ticket, question, self.news.clone());
                self.asked.insert(ticket, tokio::spawn(answering));
            }
            Effect::Forget(ticket) => {
                if let Some(task) = self.asked.remove(&ticket) {
                    task.abort();
                }
            }
            Effect::Input(id, bytes) => self.keys(id, Keys::Bytes(bytes)),
            Effect::Resize(id, rows, columns) => self.keys(id, Keys::Size(rows, columns)),
            Effect::Leave(id) => {
                self.consoles.remove(&id);
            }
            Effect::Save(path, text) => {
                let news = self.news.clone();
                tokio::spawn(async move {
                    let saved = tokio::task::spawn_blocking(move || save(&path, &text)).await.unwrap_or_else(|error| Err(error.to_string()));
                    let _ = news.send(Msg::News(News::Notice(saved))).await;
                });
            }
            Effect::Remember(_) | Effect::Copy(_) | Effect::Redraw | Effect::Suspend | Effect::Quit => {}
        }
        self.works.retain(|_, task| !task.is_finished());
        self.asked.retain(|_, task| !task.is_finished());
    }

    fn tell(&self, news: News) {
        let sender = self.news.clone();
        // The loop itself calls this: it cannot wait for its own queue.
        tokio::spawn(async move {
            let _ = sender.send(Msg::News(news)).await;
        });
    }

    fn keys(&mut self, id: ConsoleId, keys: Keys) {
        // A console that takes nothing loses keys rather than holding up the screen.
        if let Some(sender) = self.consoles.get(&id)
            && let Err(mpsc::error::TrySendError::Closed(_)) = sender.try_send(keys)
        {
            self.consoles.remove(&id);
        }
    }

    /// One verb after the other, until one fails.
    fn verbs(&mut self, statements: Vec<Vec<String>>) {
        let id = WorkId(self.number());
        let console = ConsoleId(self.number());
        let (input, keys) = mpsc::channel(64);
        self.consoles.insert(console, input);
        let (engine, line, news, record) = (self.engine.clone(), Arc::clone(&self.line), self.news.clone(), self.record.clone());
        let task = tokio::spawn(async move {
            let words = statements.join(&";".to_owned());
            let tell = |message| news.send(Msg::News(message));
            if tell(News::Began(id, words.clone())).await.is_err() {
                return;
            }
            let mut result = Ok(0);
            let mut keys = Some(keys);
            for words in statements {
                if let Some(path) = &record
                    && let Err(sentence) = note(path, &line.quote(&words))
                {
                    let _ = tell(News::Notice(Err(sentence))).await;
                }
                let working = AssertUnwindSafe(verb(words, &engine, &*line, &news, (id, console), &mut keys));
                result = working.catch_unwind().await.unwrap_or_else(|_| Err("it broke off through a fault in kapal itself".to_owned()));
                if result != Ok(0) {
                    break;
                }
            }
            let _ = tell(News::Ended(id, result)).await;
        });
        self.works.insert(id, task);
    }
}

/// Does one verb and tells what it says.
async fn verb(
    words: Vec<String>,
    engine: &Engine,
    line: &dyn CommandLine,
    news: &mpsc::Sender<Msg>,
    (id, console): (WorkId, ConsoleId),
    keys: &mut Option<mpsc::Receiver<Keys>>,
) -> Result<i32, String> {
    let (voice, mut ear) = voice();
    let title = words.join(" ");
    let mut working = line.perform(words, engine.clone(), voice);
    let mut done = None;
    loop {
        let said = tokio::select! {
            biased;
            said = ear.hear() => said,
            result = &mut working, if done.is_none() => {
                done = Some(result);
                // Its voice is gone with it: the ear hears what is left, then the end.
                working = Box::pin(std::future::pending());
                continue;
            }
        };
        match said {
            None => break,
            Some(Said::Console(opened)) => match keys.take() {
                Some(keys) => console_begins(news, console, &title, *opened, keys).await,
                None => return Err("one line opens one console at most".to_owned()),
            },
            Some(said) => {
                let _ = news.send(Msg::News(News::Said(id, said))).await;
            }
        }
    }
    match done {
        Some(Ok(status)) => Ok(status),
        Some(Err(error)) => Err(match error.hint {
            Some(hint) => format!("{} ({hint})", error.message),
            None => error.message,
        }),
        None => Err("it ended without a word".to_owned()),
    }
}

async fn console_begins(news: &mpsc::Sender<Msg>, id: ConsoleId, title: &str, opened: Opened, keys: mpsc::Receiver<Keys>) {
    let (mut reader, writer) = opened.console.split();
    let about = crate::tui::msg::Console { title: title.to_owned(), tty: opened.tty, stdin: opened.stdin, detach_keys: opened.detach_keys };
    if news.send(Msg::News(News::Opened(id, about))).await.is_err() {
        return;
    }
    tokio::spawn(write(writer, keys));
    let news = news.clone();
    tokio::spawn(async move {
        loop {
            let output = match reader.next().await {
                Ok(output) => output,
                Err(error) => {
                    let _ = news.send(Msg::News(News::Notice(Err(error.message)))).await;
                    Output::Closed
                }
            };
            let is_last = matches!(output, Output::Exit(_) | Output::Closed);
            // While the screen has not taken this, the monitor keeps the next: it drops and counts what is too much.
            if news.send(Msg::News(News::Console(id, output))).await.is_err() || is_last {
                return;
            }
        }
    });
}

/// Writes keys into a console until nobody types any more; then leaves it.
async fn write(mut writer: ConsoleWriter, mut keys: mpsc::Receiver<Keys>) {
    while let Some(keys) = keys.recv().await {
        let written = match keys {
            Keys::Bytes(bytes) => writer.stdin(&bytes).await,
            Keys::Size(rows, columns) => writer.resize(rows, columns).await,
        };
        if written.is_err() {
            return;
        }
    }
}

/// Looks at the store whenever something changed, here or elsewhere, and now and then by itself.
async fn watch(engine: Engine, news: mpsc::Sender<Msg>) {
    let mut events = engine.events();
    let _listening = match engine.listen() {
        Ok(listening) => Some(listening),
        Err(error) => {
            let _ = news.send(Msg::News(News::Notice(Err(error.message)))).await;
            None
        }
    };
    loop {
        let looking = engine.clone();
        let looked = tokio::task::spawn_blocking(move || looking.snapshot()).await;
        let message = match looked {
            Ok(Ok(snapshot)) => News::Snapshot(Arc::new(snapshot)),
            Ok(Err(error)) => News::Blind(format!("cannot look at the store: {}", error.message)),
            Err(error) => News::Blind(error.to_string()),
        };
        if news.send(Msg::News(message)).await.is_err() {
            return;
        }
        tokio::time::sleep(CALM).await;
        match tokio::time::timeout(SLOW, events.recv()).await {
            Ok(Err(broadcast::error::RecvError::Closed)) => return,
            Ok(Ok(Event::JobStarted(_) | _) | Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => {}
        }
        while events.try_recv().is_ok() {}
    }
}

/// Writes a new file; one that is there stays as it is.
fn save(path: &std::path::Path, text: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot save {}: {error}", path.display());
    let mut file = std::fs::File::options().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(format!("saved {} bytes in {}", text.len(), std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display()))
}

/// Appends a line to the record of the session.
fn note(path: &std::path::Path, line: &str) -> Result<(), String> {
    let file = std::fs::File::options().append(true).create(true).open(path);
    file.and_then(|mut file| writeln!(file, "{line}")).map_err(|error| format!("cannot write the record {}: {error}", path.display()))
}
