//! The loop: the only place that waits. Messages in, one drawing for all that came together, effects out.

use crate::engine::{Engine, Error, Result};
use crate::tui::config::Config;
use crate::tui::effect::Effect;
use crate::tui::line::CommandLine;
use crate::tui::model::Model;
use crate::tui::msg::{Msg, News};
use crate::tui::quiet::Quiet;
use crate::tui::terminal::{self, Taken};
use crate::tui::theme::Depth;
use crate::tui::update::{drawn, update};
use crate::tui::view::view;
use crate::tui::work::{WAITING, Works, history};
use crate::tui::world::World;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The least time between two drawings that no key asked for: thirty a second.
const FRAME: Duration = Duration::from_millis(33);
/// How long messages are taken before keys are looked at again.
const SLICE: Duration = Duration::from_millis(5);
/// How long we wait to be stopped; longer, and nobody could continue us.
const STOPPING: Duration = Duration::from_millis(300);

/// How a session begins.
#[derive(Debug)]
pub struct Options {
    /// What the user set.
    pub config: Config,
    /// How many colours the terminal has.
    pub depth: Depth,
    /// The command line.
    pub line: Arc<dyn CommandLine>,
    /// Where verbs done are noted.
    pub record: Option<PathBuf>,
    /// Where lines typed are kept.
    pub history: Option<PathBuf>,
    /// Verbs done at the beginning.
    pub first: Vec<Vec<String>>,
    /// A warning at the beginning.
    pub warning: Option<String>,
}

/// Why the loop ends.
enum End {
    Quit,
    Signal(i32),
}

/// The signals that concern the terminal.
struct Signals {
    ending: Vec<(i32, Signal)>,
    stopping: Signal,
    continued: Signal,
}

/// What a signal wants.
enum Wish {
    End(i32),
    Stop,
    /// We were continued.
    Wake,
}

impl Signals {
    fn open() -> io::Result<Self> {
        let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()];
        let ending = kinds.into_iter().map(|kind| Ok((kind.as_raw_value(), signal(kind)?))).collect::<io::Result<_>>()?;
        let one = |number: nix::sys::signal::Signal| signal(SignalKind::from_raw(number as i32));
        Ok(Self { ending, stopping: one(nix::sys::signal::Signal::SIGTSTP)?, continued: one(nix::sys::signal::Signal::SIGCONT)? })
    }

    async fn next(&mut self) -> Wish {
        let ending = self.ending.iter_mut().map(|(number, signal)| {
            let number = *number;
            Box::pin(async move {
                signal.recv().await;
                number
            })
        });
        tokio::select! {
            (number, ..) = futures_util::future::select_all(ending) => Wish::End(number),
            _ = self.stopping.recv() => Wish::Stop,
            _ = self.continued.recv() => Wish::Wake,
        }
    }
}

/// Takes the terminal over until the user leaves. The result is the exit status.
///
/// # Errors
/// The terminal's, if it cannot be taken or goes away.
pub async fn run(engine: Engine, options: Options) -> Result<i32> {
    let failed = |error: io::Error| Error::io("cannot use the terminal", &error);
    let mut signals = Signals::open().map_err(failed)?;
    let taken = Taken::take(options.config.mouse).map_err(failed)?;
    let mut screen = ratatui::Terminal::new(Quiet::new(io::stdout())).map_err(failed)?;
    screen.clear().map_err(failed)?;
    let size = screen.size().map_err(failed)?;
    let world = World::new(options.config, options.depth, Arc::clone(&options.line), (size.width, size.height));
    let mut model = Model::new(world);
    if let Some(path) = &options.history {
        match history::load(path) {
            Ok(lines) => model.world.history = lines,
            Err(error) => {
                let _ = update(&mut model, Msg::News(News::Notice(Err(format!("cannot read {}: {error}", path.display())))));
            }
        }
    }
    if let Some(warning) = options.warning {
        let _ = update(&mut model, Msg::News(News::Notice(Err(warning))));
    }
    let (sender, messages) = mpsc::channel(WAITING);
    let works = Works::begin(engine, options.line, sender, options.record, options.history);
    let mut session = Session { model, works, screen, taken, messages, drawn: Instant::now(), dirty: true, asleep: None };
    for words in options.first {
        session.works.perform(Effect::Perform(words));
    }
    model = match session.turn(&mut signals).await.map_err(failed)? {
        End::Quit => session.model,
        End::Signal(number) => return Ok(128 + number),
    };
    drop(model);
    Ok(0)
}

struct Session {
    model: Model,
    works: Works,
    screen: terminal::Screen,
    taken: Taken,
    messages: mpsc::Receiver<Msg>,
    drawn: Instant,
    dirty: bool,
    /// The terminal was given back, until we are continued or this moment comes.
    asleep: Option<Instant>,
}

impl Session {
    async fn turn(&mut self, signals: &mut Signals) -> io::Result<End> {
        let mut keys = EventStream::new();
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let next_frame = self.drawn + FRAME;
            tokio::select! {
                biased;
                event = keys.next() => {
                    let Some(event) = event else { return Ok(End::Signal(nix::sys::signal::Signal::SIGHUP as i32)) };
                    if let Some(end) = self.typed(event?)? {
                        return Ok(end);
                    }
                    // What a key does is seen at once.
                    self.draw()?;
                }
                wish = signals.next() => match wish {
                    Wish::End(number) => return Ok(End::Signal(number)),
                    Wish::Stop => self.stop()?,
                    Wish::Wake => self.wake()?,
                },
                () = tokio::time::sleep_until(self.asleep.unwrap_or(next_frame)), if self.asleep.is_some() => self.wake()?,
                () = tokio::time::sleep_until(next_frame), if self.dirty && self.asleep.is_none() => self.draw()?,
                _ = ticks.tick() => {
                    let faults = terminal::faults().into_iter().map(|fault| Msg::News(News::Notice(Err(fault))));
                    for message in faults.chain([Msg::Tick(jiff::Timestamp::now())]) {
                        if let Some(end) = self.take(message)? {
                            return Ok(end);
                        }
                    }
                }
                message = self.messages.recv() => {
                    let Some(message) = message else { return Ok(End::Quit) };
                    let mut next = Some(message);
                    let until = Instant::now() + SLICE;
                    while let Some(message) = next {
                        if let Some(end) = self.take(message)? {
                            return Ok(end);
                        }
                        next = if Instant::now() < until { self.messages.try_recv().ok() } else { None };
                    }
                }
            }
        }
    }

    fn typed(&mut self, event: Event) -> io::Result<Option<End>> {
        let message = match event {
            Event::Key(key) => Msg::Key(key),
            Event::Paste(words) => Msg::Paste(words),
            Event::Mouse(event) => Msg::Mouse(event),
            Event::Resize(columns, rows) => Msg::Resize(columns, rows),
            Event::FocusGained | Event::FocusLost => return Ok(None),
        };
        self.take(message)
    }

    fn take(&mut self, message: Msg) -> io::Result<Option<End>> {
        self.dirty = true;
        for effect in update(&mut self.model, message) {
            match effect {
                Effect::Quit => return Ok(Some(End::Quit)),
                Effect::Redraw => self.screen.clear()?,
                Effect::Copy(text) => copy(&text)?,
                Effect::Remember(line) => {
                    self.model.world.remember(line.clone());
                    self.works.perform(Effect::Remember(line));
                }
                // The signal comes to us as well.
                Effect::Suspend => terminal::sleep()?,
                other => self.works.perform(other),
            }
        }
        Ok(None)
    }

    /// Gives the terminal back and stops, until someone continues us.
    fn stop(&mut self) -> io::Result<()> {
        terminal::give_back();
        if !terminal::stop()? {
            return self.wake();
        }
        // The signal need not have stopped us when the call is back: what follows waits until it has.
        self.asleep = Some(Instant::now() + STOPPING);
        Ok(())
    }

    /// The terminal is ours again, and nothing on it need be as we left it.
    fn wake(&mut self) -> io::Result<()> {
        self.asleep = None;
        self.taken.again()?;
        self.screen.clear()?;
        self.dirty = true;
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        if self.asleep.is_some() {
            return Ok(());
        }
        let model = &mut self.model;
        self.screen.draw(|frame| view(model, frame))?;
        for effect in drawn(model) {
            self.works.perform(effect);
        }
        self.drawn = Instant::now();
        self.dirty = false;
        Ok(())
    }
}

/// Text into the clipboard of the user's terminal, wherever that runs.
///
/// Source: xterm's control sequences, OSC 52.
fn copy(text: &str) -> io::Result<()> {
    use base64::Engine as _;
    /// Longer ones are not taken by most terminals.
    const LONGEST: usize = 74_000;
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = io::stdout().lock();
    write!(out, "\x1b]52;c;{}\x07", base64::engine::general_purpose::STANDARD.encode(&text[..end]))?;
    out.flush()
}
