//! A console in the foreground: standard input to the container, its output here, until it ends or the user leaves.

use super::face::Face;
use super::terminal::{self, RawMode};
use crate::container::detach::{self, Detach, DetachKeys};
use crate::engine::attach::{Console, ConsoleWriter, Output};
use crate::engine::{Engine, Error, Kind, Result};
use crate::id::ContainerId;
use crate::tui::line::Opened;
use futures_util::FutureExt;
use std::io::{self, IsTerminal};
use std::pin::Pin;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How a console is driven.
#[derive(Clone, Debug)]
pub struct Drive {
    /// Standard input goes to the container.
    pub stdin: bool,
    /// The container's process has a terminal.
    pub tty: bool,
    /// Its output and its error output are shown.
    pub shown: [bool; 2],
    /// Keys that leave; ctrl-p,ctrl-q if absent.
    pub detach_keys: Option<String>,
    /// Signals to this program go to this container.
    pub sig_proxy: Option<(Engine, ContainerId)>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The container's process ended with this status.
    Exited(i32),
    /// The user left; it runs on.
    Detached,
}

/// Interruptions and terminations since this was made. Whoever begins a container to drive makes it before: one that came too late
/// to call off the beginning is for the container.
pub struct Early([Signal; 2]);

impl Early {
    const KINDS: [SignalKind; 2] = [SignalKind::interrupt(), SignalKind::terminate()];

    /// Listens from now on.
    pub fn listen() -> Result<Self> {
        let [interrupt, terminate] = Self::KINDS.map(listen);
        Ok(Self([interrupt?, terminate?]))
    }

    /// One that has come already.
    fn heard(&mut self) -> Option<i32> {
        let mut listening = Self::KINDS.iter().zip(&mut self.0);
        listening.find_map(|(kind, signal)| signal.recv().now_or_never().map(|_| kind.as_raw_value()))
    }
}

fn deaf(error: &io::Error) -> Error {
    Error::io("cannot listen to signals", error)
}

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|error| deaf(&error))
}

/// What comes from standard input.
enum Input {
    Bytes(Vec<u8>),
    End,
}

/// A task that ends with what it serves.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Drives a console until it ends. Input, output and signals each go their own way: a process that reads nothing still
/// gets its signals, and one whose output nobody takes still gets its input.
pub async fn drive(console: Console, how: Drive, early: Option<Early>, face: &mut Face) -> Result<End> {
    let opened = Opened { console, tty: how.tty, stdin: how.stdin, detach_keys: how.detach_keys.clone() };
    let console = match face.hand_over(opened) {
        Ok(()) => return Ok(End::Detached),
        Err(opened) => opened.console,
    };
    let (mut reader, mut writer) = console.split();
    let terminal = how.tty && how.stdin && io::stdin().is_terminal() && !face.is_batch();
    let keys = how.detach_keys.as_deref().unwrap_or_default();
    let detach = Detach::new(DetachKeys::parse(keys).map_err(|e| Error::invalid(format!("--detach-keys: {e}")))?);
    // One that comes once the terminal is raw is to find somebody who gives it back.
    let signals: Pin<Box<dyn Future<Output = ()> + Send>> = match how.sig_proxy {
        Some((engine, id)) if !terminal => Box::pin(pass_on(Signals::open(early)?, engine, id)),
        proxy => {
            let ended = terminal::restore_on_signals().map_err(|error| deaf(&error))?;
            match (early.and_then(|mut early| early.heard()), proxy) {
                (Some(number), Some((engine, id))) => pass(number, &engine, &id).await,
                (Some(number), None) => std::process::exit(128 + number),
                (None, _) => {}
            }
            Box::pin(end_on_signal(ended))
        }
    };
    let window = listen(SignalKind::window_change())?;
    let raw = if terminal { Some(RawMode::enter(io::stdin()).map_err(|e| Error::io("cannot switch the terminal to raw mode", &e))?) } else { None };
    let _signals = Task(tokio::spawn(signals));
    if how.tty {
        resize(&mut writer).await?;
    }
    let input = how.stdin.then(standard_input);
    let mut typing = Task(tokio::spawn(feed(writer, input, terminal.then_some(detach), how.tty.then_some(window))));
    let end = loop {
        tokio::select! {
            output = reader.next() => match output? {
                Output::Stdout(_) if !how.shown[0] => {}
                Output::Stderr(_) if !how.shown[1] => {}
                Output::Stdout(bytes) => face.pass("stdout", bytes).await?,
                Output::Stderr(bytes) => face.pass("stderr", bytes).await?,
                Output::Missed(count) => face.note(&format!("kapal: {count} bytes of output were dropped: the reader is too slow"))?,
                Output::Exit(status) => break End::Exited(status),
                Output::Closed => return Err(Error::new(Kind::Unavailable, "the container's monitor closed the console").hint("`kapal ps -a` tells what became of it")),
            },
            // It goes on until the user leaves; until then the line stays open, or the monitor would hang up first.
            _line = &mut typing.0 => break End::Detached,
        }
    };
    drop(raw);
    if end == End::Detached {
        // The cursor stands where the container left it.
        face.note("")?;
        face.note("read escape sequence")?;
    }
    Ok(end)
}

/// Hands the container what is typed, and the size of the window, until the user types the keys that leave.
async fn feed(mut writer: ConsoleWriter, input: Option<mpsc::Receiver<Input>>, mut detach: Option<Detach>, mut window: Option<Signal>) -> ConsoleWriter {
    let mut feeding = input.is_some();
    // Without one that is fed nothing ends: whoever else is attached may have more to type.
    let mut input = input.unwrap_or_else(|| mpsc::channel(1).1);
    loop {
        let patience = detach.as_ref().is_some_and(Detach::is_holding).then_some(detach::PATIENCE);
        // A write that fails means that the process has ended, and how the output tells.
        tokio::select! {
            word = input.recv(), if feeding => match (word, &mut detach) {
                (Some(Input::Bytes(bytes)), Some(detach)) => {
                    let typed = detach.feed(&bytes);
                    feeding = typed.pass.is_empty() || writer.stdin(&typed.pass).await.is_ok();
                    if typed.detached {
                        return writer;
                    }
                }
                (Some(Input::Bytes(bytes)), None) => feeding = writer.stdin(&bytes).await.is_ok(),
                (Some(Input::End) | None, _) => {
                    feeding = false;
                    let _ = writer.eof().await;
                }
            },
            () = patient(patience) => {
                let held = detach.as_mut().map(Detach::timeout).unwrap_or_default();
                feeding = writer.stdin(&held).await.is_ok();
            }
            () = resized(&mut window) => {
                let _ = resize(&mut writer).await;
            }
        }
    }
}

async fn resized(window: &mut Option<Signal>) {
    match window {
        Some(window) => drop(window.recv().await),
        None => std::future::pending().await,
    }
}

/// Passes signals on to the container, not behind what was typed but on a way of their own.
async fn pass_on(mut signals: Signals, engine: Engine, id: ContainerId) {
    loop {
        let number = signals.next().await;
        pass(number, &engine, &id).await;
    }
}

/// One signal, on its way to the container.
async fn pass(number: i32, engine: &Engine, id: &ContainerId) {
    if let Ok(container) = engine.container_by_id(id) {
        // One that has just ended needs no signal any more.
        let _ = engine.kill(&container, number).await;
    }
}

/// Ends the program on a signal that means so, with the terminal as it was.
async fn end_on_signal(ended: impl Future<Output = i32>) {
    std::process::exit(128 + ended.await);
}

/// Standard input as it comes.
fn standard_input() -> mpsc::Receiver<Input> {
    let (sender, input) = mpsc::channel(4);
    std::thread::spawn(move || read_stdin(&sender));
    input
}

/// Rows and columns of the terminal here, for a process that is to have one.
pub fn size() -> Option<(u16, u16)> {
    let (columns, rows) = terminal::size(io::stdout()).or_else(|| terminal::size(io::stdin()))?;
    Some((rows, columns))
}

async fn patient(time: Option<std::time::Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

async fn resize(writer: &mut ConsoleWriter) -> Result<()> {
    match size() {
        Some((rows, columns)) => writer.resize(rows, columns).await,
        None => Ok(()),
    }
}

/// Reads standard input on a thread of its own: it may block for ever.
fn read_stdin(sender: &mpsc::Sender<Input>) {
    let mut buffer = vec![0u8; 32 << 10];
    loop {
        match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                if sender.blocking_send(Input::Bytes(buffer[..n].to_vec())).is_err() {
                    return;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    let _ = sender.blocking_send(Input::End);
}

/// The signals that are passed on.
struct Signals(Vec<(i32, Signal)>);

impl Signals {
    fn open(early: Option<Early>) -> Result<Self> {
        let Early(early) = early.map_or_else(Early::listen, Ok)?;
        let kinds = [SignalKind::hangup(), SignalKind::quit(), SignalKind::user_defined1(), SignalKind::user_defined2()];
        let more = kinds.into_iter().map(|kind| Ok((kind.as_raw_value(), listen(kind)?))).collect::<Result<Vec<_>>>()?;
        Ok(Self(Early::KINDS.iter().map(SignalKind::as_raw_value).zip(early).chain(more).collect()))
    }

    async fn next(&mut self) -> i32 {
        let waits = self.0.iter_mut().map(|(number, signal)| {
            let number = *number;
            Box::pin(async move {
                signal.recv().await;
                number
            })
        });
        futures_util::future::select_all(waits).await.0
    }
}
