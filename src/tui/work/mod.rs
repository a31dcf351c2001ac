//! Effects done: verbs, questions and consoles as tasks beside the loop, each telling its news.

mod answer;
mod figures;
pub mod history;
pub mod look;

use crate::engine::{Engine, Event, Snapshot};
use crate::id::ContainerId;
use crate::tui::console::session::{Session, SessionHandle};
use crate::tui::effect::{ConsoleId, Effect, Ticket, WorkId};
use crate::tui::line::{CommandLine, Opened, Said, voice};
use crate::tui::msg::{Console, Msg, News};
use futures_util::FutureExt;
use std::collections::HashMap;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    verbs: HashMap<WorkId, JoinHandle<()>>,
    asked: HashMap<Ticket, JoinHandle<()>>,
    consoles: Consoles,
    record: Option<PathBuf>,
    history: Option<PathBuf>,
    background: Vec<JoinHandle<()>>,
}

/// The consoles that are open, for the loop's keys and for the verbs that open them.
type Consoles = Arc<Mutex<HashMap<ConsoleId, SessionHandle>>>;

impl Drop for Works {
    fn drop(&mut self) {
        // A verb whose task is dropped calls its job off.
        self.verbs.values().chain(self.asked.values()).chain(&self.background).for_each(JoinHandle::abort);
    }
}

impl Works {
    /// Begins to look at the engine; news go to `news`. Verbs done are noted in the file `record`, lines typed in `history`.
    pub fn begin(engine: Engine, line: Arc<dyn CommandLine>, news: mpsc::Sender<Msg>, record: Option<PathBuf>, history: Option<PathBuf>) -> Self {
        let (seen, sight) = tokio::sync::watch::channel(None);
        let watching = tokio::spawn(watch(engine.clone(), seen, news.clone()));
        let machine = tokio::spawn(figures::machine(news.clone()));
        let sampling = tokio::spawn(figures::sample(engine.clone(), sight, news.clone()));
        Self {
            engine,
            line,
            news,
            next: 1,
            verbs: HashMap::new(),
            asked: HashMap::new(),
            consoles: Consoles::default(),
            record,
            history,
            background: vec![watching, sampling, machine],
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
            Effect::Shell(id) => self.shell(id),
            Effect::Cancel(id) => {
                if let Some(task) = self.verbs.remove(&id) {
                    task.abort();
                    self.tell(News::Ended(id, Err(crate::tui::session::CANCELLED.to_owned())));
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
            Effect::Input(id, bytes) => {
                let taken = self.open().get(&id).map_or(Ok(()), |console| console.input(bytes));
                if let Err(error) = taken {
                    self.tell(News::Notice(Err(error.to_string())));
                }
            }
            Effect::Resize(id, rows, columns) => {
                if let Some(console) = self.open().get(&id) {
                    console.resize(rows, columns);
                }
            }
            Effect::Leave(id) => {
                self.open().remove(&id);
            }
            Effect::Wake(time) => {
                let news = self.news.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    let _ = news.send(Msg::Tick(jiff::Timestamp::now())).await;
                });
            }
            Effect::Save(path, text) => self.beside(move || save(&path, &text)),
            Effect::Remember(line) => self.remember(line),
            Effect::Copy(_) | Effect::Redraw | Effect::Suspend | Effect::Quit => {}
        }
        self.verbs.retain(|_, task| !task.is_finished());
        self.asked.retain(|_, task| !task.is_finished());
    }

    /// Keeps a typed line for the next session.
    fn remember(&self, line: String) {
        let Some(path) = self.history.clone() else { return };
        let news = self.news.clone();
        tokio::spawn(async move {
            let kept =
                tokio::task::spawn_blocking(move || history::remember(&path, &line).map_err(|error| format!("cannot write {}: {error}", path.display())));
            if let Ok(Err(sentence)) = kept.await {
                let _ = news.send(Msg::News(News::Notice(Err(sentence)))).await;
            }
        });
    }

    /// Does what a disk may hold up, and tells how it went.
    fn beside(&self, work: impl FnOnce() -> Result<String, String> + Send + 'static) {
        let news = self.news.clone();
        tokio::spawn(async move {
            let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()));
            let _ = news.send(Msg::News(News::Notice(done))).await;
        });
    }

    fn tell(&self, news: News) {
        let sender = self.news.clone();
        // The loop itself calls this: it cannot wait for its own queue.
        tokio::spawn(async move {
            let _ = sender.send(Msg::News(news)).await;
        });
    }

    fn open(&self) -> MutexGuard<'_, HashMap<ConsoleId, SessionHandle>> {
        self.consoles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the best shell of a container: an `exec` like any other, once it is known of what.
    fn shell(&mut self, id: ContainerId) {
        let (engine, news) = (self.engine.clone(), self.news.clone());
        tokio::spawn(async move {
            let found = tokio::task::spawn_blocking(move || {
                let container = engine.container(id.as_str())?;
                let shell = engine.shell(&container)?;
                Ok::<_, crate::engine::Error>(crate::job::exec::Exec::shell(&container, shell))
            })
            .await;
            let message = match found {
                Ok(Ok(exec)) => {
                    News::Wanted(["exec", "-it"].map(str::to_owned).into_iter().chain(exec.toolbox.map(|_| "--toolbox".to_owned())).chain(exec.words).collect())
                }
                Ok(Err(error)) => News::Notice(Err(error.message)),
                Err(error) => News::Notice(Err(error.to_string())),
            };
            let _ = news.send(Msg::News(message)).await;
        });
    }

    /// One verb after the other, until one fails.
    fn verbs(&mut self, statements: Vec<Vec<String>>) {
        let id = WorkId(self.number());
        let console = ConsoleId(self.number());
        let consoles = Arc::clone(&self.consoles);
        let (engine, line, news, record) = (self.engine.clone(), Arc::clone(&self.line), self.news.clone(), self.record.clone());
        let task = tokio::spawn(async move {
            let tell = |message| news.send(Msg::News(message));
            if tell(News::Began(id, statements.clone())).await.is_err() {
                return;
            }
            let mut result = Ok(0);
            for words in statements {
                if let Some(path) = &record
                    && let Err(sentence) = note(path, &recorded(&words, line.as_ref()))
                {
                    let _ = tell(News::Notice(Err(sentence))).await;
                }
                let working = AssertUnwindSafe(verb(words, &engine, &*line, &news, (id, console), &consoles));
                result = working.catch_unwind().await.unwrap_or_else(|_| Err("it broke off through a fault in kapal itself".to_owned()));
                if result != Ok(0) {
                    break;
                }
            }
            let _ = tell(News::Ended(id, result)).await;
        });
        self.verbs.insert(id, task);
    }
}

/// Does one verb and tells what it says.
async fn verb(
    words: Vec<String>,
    engine: &Engine,
    line: &dyn CommandLine,
    news: &mpsc::Sender<Msg>,
    (id, console): (WorkId, ConsoleId),
    consoles: &Consoles,
) -> Result<i32, String> {
    let (voice, mut ear) = voice();
    let mut working = line.perform(words.clone(), engine.clone(), voice);
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
            Some(Said::Console(opened)) => console_begins(news, console, &words, *opened, consoles).await,
            Some(said) => {
                let _ = news.send(Msg::News(News::Said(id, said))).await;
            }
        }
    }
    match done {
        Some(Ok(status)) => Ok(status),
        Some(Err(error)) => Err(told(error)),
        None => Err("it ended without a word".to_owned()),
    }
}

/// An error as one line, with what to do about it.
fn told(error: crate::engine::Error) -> String {
    match error.hint {
        Some(hint) => format!("{} ({hint})", error.message),
        None => error.message,
    }
}

async fn console_begins(news: &mpsc::Sender<Msg>, id: ConsoleId, words: &[String], opened: Opened, consoles: &Consoles) {
    // What was executed for a console ends with it, as with a terminal's window; a container runs on.
    let hangs_up = words.iter().take(2).any(|word| word == "exec");
    let about = Console { title: words.join(" "), tty: opened.tty, stdin: opened.stdin, detach_keys: opened.detach_keys };
    let (handle, mut events) = Session::over(opened.console, opened.tty, opened.stdin, hangs_up);
    consoles.lock().unwrap_or_else(PoisonError::into_inner).insert(id, handle);
    if news.send(Msg::News(News::Opened(id, about))).await.is_err() {
        return;
    }
    let news = news.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if news.send(Msg::News(News::Console(id, event))).await.is_err() {
                return;
            }
        }
    });
}

/// Looks at the store whenever something changed, here or elsewhere, and now and then by itself.
async fn watch(engine: Engine, seen: tokio::sync::watch::Sender<Option<Arc<Snapshot>>>, news: mpsc::Sender<Msg>) {
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
            Ok(Ok(snapshot)) => {
                let snapshot = Arc::new(snapshot);
                seen.send_replace(Some(Arc::clone(&snapshot)));
                News::Snapshot(snapshot)
            }
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
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => format!("cannot save {}: it is there already, rename or remove it first", path.display()),
        _ => format!("cannot save {}: {error}", path.display()),
    };
    let mut file = std::fs::File::options().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(format!("saved {} bytes in {}", text.len(), std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display()))
}

/// A verb's line in the record of the session.
fn recorded(words: &[String], line: &dyn CommandLine) -> String {
    if words.first().is_some_and(|verb| verb == "login") {
        // A file that is passed on is no place for a password.
        return "# login, with a password that is not kept".to_owned();
    }
    line.quote(words)
}

/// Appends a line to the record of the session.
fn note(path: &std::path::Path, line: &str) -> Result<(), String> {
    let file = std::fs::File::options().append(true).create(true).open(path);
    file.and_then(|mut file| writeln!(file, "{line}")).map_err(|error| format!("cannot write the record {}: {error}", path.display()))
}
