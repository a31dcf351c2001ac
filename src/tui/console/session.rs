//! A console's connection: a task that carries its output here and keys there, bounded in both directions.
//!
//! ```text
//!  monitor ── frames ──► reading task ── events (few, each at most 64 KiB) ──► pane
//!  monitor ◄── frames ── writing task ◄── keys (at most 1 MiB waiting) · size (the last one) ◄── handle
//! ```
//!
//! A pane that is slow to take its events makes the reading task wait; then an attached console misses output and is
//! told how much, and the program of one that was executed waits. Keys go their own way and wait for neither.

use crate::container::Container;
use crate::engine::attach::{Console, ConsoleReader, ConsoleWriter, Output};
use crate::engine::{Engine, Error, Result};
use crate::job::exec::Exec;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot, watch};

/// SIGHUP, which is the same number everywhere.
const HANG_UP: i32 = 1;
/// Events that may wait for the pane.
const EVENTS: usize = 8;
/// The most output in one event.
const CHUNK: usize = 64 << 10;
/// Keys and pasted texts that may wait for the program.
const KEYS: usize = 1024;
/// The most bytes of keys and pasted text that wait for the program.
const INPUT: usize = 1 << 20;

/// What comes out of a console.
#[derive(Debug)]
pub enum ConsoleEvent {
    /// Output for the terminal.
    Output(Vec<u8>),
    /// So many bytes were dropped: the pane was too slow.
    Missed(u64),
    /// The program ended with this status.
    Ended(i32),
    /// The monitor hung up without a word.
    Closed,
    /// It did not begin, or it broke.
    Failed(Error),
}

/// Input that was not taken: too much waits for the program already, or the console is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program in the console takes no more input")]
pub struct NotTaken;

/// The pane's hold on a console. Dropping it is leaving: see [`SessionHandle::close`].
#[derive(Debug)]
pub struct SessionHandle {
    input: mpsc::Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    size: watch::Sender<(u16, u16)>,
    writable: bool,
    /// Its end is how the task learns that the pane has left.
    _present: oneshot::Sender<()>,
}

impl SessionHandle {
    /// Input for the program; never waits.
    ///
    /// # Errors
    /// Too much waits already, or nobody is there to take it.
    pub fn input(&self, bytes: Vec<u8>) -> std::result::Result<(), NotTaken> {
        if !self.writable || bytes.is_empty() {
            return Ok(());
        }
        let length = bytes.len();
        if self.waiting.fetch_add(length, Ordering::Relaxed) + length > INPUT || self.input.try_send(bytes).is_err() {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            return Err(NotTaken);
        }
        Ok(())
    }

    /// Whether what is typed reaches the program: not for a container that was made without `-i`.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The pane has this size now.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.size.send_if_modified(|size| std::mem::replace(size, (rows, columns)) != (rows, columns));
    }

    /// Leaves. A container runs on; a program that was executed for this console is hung up on, as by a closed terminal.
    pub fn close(self) {}
}

/// Opens consoles.
#[derive(Debug)]
pub struct Session;

impl Session {
    /// The console of a container, in a pane of so many rows and columns.
    pub fn attach(engine: &Engine, container: Container, size: (u16, u16)) -> (SessionHandle, mpsc::Receiver<ConsoleEvent>) {
        let kind = Kind { writable: container.config.open_stdin, lines: !container.config.tty, hang_up: false };
        let engine = engine.clone();
        open(kind, size, async move { engine.attach(&container).await })
    }

    /// A console that a verb opened: of a container, or of a command beside it (`hangs_up`), with a terminal inside or not.
    pub fn over(console: Console, tty: bool, stdin: bool, hangs_up: bool) -> (SessionHandle, mpsc::Receiver<ConsoleEvent>) {
        open(Kind { writable: stdin, lines: !tty, hang_up: hangs_up }, (24, 80), std::future::ready(Ok(console)))
    }

    /// A command beside a container's own, always with a terminal.
    pub fn exec(engine: &Engine, mut job: Exec, size: (u16, u16)) -> (SessionHandle, mpsc::Receiver<ConsoleEvent>) {
        (job.tty, job.interactive, job.detach) = (true, true, false);
        let engine = engine.clone();
        let start = async move {
            let started = engine.run(job).await?;
            started.console.ok_or_else(|| Error::invalid("the command was started without a console"))
        };
        open(Kind { writable: true, lines: false, hang_up: true }, size, start)
    }
}

/// How one console differs from another.
#[derive(Clone, Copy, Debug)]
struct Kind {
    writable: bool,
    /// Without a terminal inside, lines end as in files.
    lines: bool,
    hang_up: bool,
}

fn open(kind: Kind, size: (u16, u16), start: impl Future<Output = Result<Console>> + Send + 'static) -> (SessionHandle, mpsc::Receiver<ConsoleEvent>) {
    let (events, receiver) = mpsc::channel(EVENTS);
    let (input, keys) = mpsc::channel(KEYS);
    let (resize, size) = watch::channel(size);
    let (present, gone) = oneshot::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let pane = Pane { keys, waiting: Arc::clone(&waiting), size, gone };
    tokio::spawn(async move {
        match start.await {
            Ok(console) => carry(console, pane, events, kind).await,
            // A pane that left before is told nothing.
            Err(error) => drop(events.send(ConsoleEvent::Failed(error)).await),
        }
    });
    (SessionHandle { input, waiting, size: resize, writable: kind.writable, _present: present }, receiver)
}

/// The task's side of a handle.
struct Pane {
    keys: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    size: watch::Receiver<(u16, u16)>,
    gone: oneshot::Receiver<()>,
}

/// Carries both ways until the program ends or the pane leaves. The end is told only once no more keys are taken.
async fn carry(console: Console, pane: Pane, events: mpsc::Sender<ConsoleEvent>, kind: Kind) {
    let (reader, writer) = console.split();
    let last = {
        let writing = write(writer, pane, kind);
        tokio::pin!(writing);
        tokio::select! {
            () = &mut writing => None,
            last = read(reader, &events, kind.lines) => {
                if last.is_none() {
                    // Nobody listens, but the handle is still held: it says when to leave.
                    writing.await;
                }
                last
            }
        }
    };
    if let Some(last) = last {
        // A pane that left meanwhile is told nothing.
        let _ = events.send(last).await;
    }
}

/// Carries output to the pane, as much at once as there is; gives the console's end, or nothing if the pane listens no more.
async fn read(mut reader: ConsoleReader, events: &mpsc::Sender<ConsoleEvent>, lines: bool) -> Option<ConsoleEvent> {
    let mut output = Vec::new();
    let mut then: Option<ConsoleEvent> = None;
    loop {
        tokio::select! {
            biased;
            next = reader.next(), if then.is_none() && output.len() < CHUNK => match next {
                Ok(Output::Stdout(bytes) | Output::Stderr(bytes)) => append(&mut output, &bytes, lines),
                Ok(Output::Missed(count)) => then = Some(ConsoleEvent::Missed(count)),
                Ok(Output::Exit(status)) => then = Some(ConsoleEvent::Ended(status)),
                Ok(Output::Closed) => then = Some(ConsoleEvent::Closed),
                Err(error) => then = Some(ConsoleEvent::Failed(error)),
            },
            room = events.reserve(), if then.is_some() || !output.is_empty() => {
                let Ok(room) = room else { return None };
                if !output.is_empty() {
                    room.send(ConsoleEvent::Output(std::mem::take(&mut output)));
                } else if let Some(missed @ ConsoleEvent::Missed(_)) = then {
                    room.send(missed);
                    then = None;
                } else {
                    return then;
                }
            }
        }
    }
}

/// Without a terminal inside nothing returns the carriage at a line's end.
fn append(output: &mut Vec<u8>, bytes: &[u8], lines: bool) {
    if !lines {
        return output.extend_from_slice(bytes);
    }
    for part in bytes.split_inclusive(|byte| *byte == b'\n') {
        match part.strip_suffix(b"\n") {
            Some(line) => {
                output.extend_from_slice(line);
                output.extend_from_slice(b"\r\n");
            }
            None => output.extend_from_slice(part),
        }
    }
}

/// Carries keys and sizes to the program until the pane leaves. A connection that broke is told of by the reading side.
async fn write(mut writer: ConsoleWriter, pane: Pane, kind: Kind) {
    let Pane { mut keys, waiting, mut size, mut gone } = pane;
    let (rows, columns) = *size.borrow_and_update();
    if !kind.hang_up {
        // What was on the screen comes as the last that was written, cut anywhere: another size makes programs draw it anew.
        let _ = writer.resize(rows.saturating_add(1), columns).await;
    }
    let _ = writer.resize(rows, columns).await;
    loop {
        tokio::select! {
            biased;
            _ = &mut gone => break,
            Ok(()) = size.changed() => {
                let (rows, columns) = *size.borrow_and_update();
                let _ = writer.resize(rows, columns).await;
            }
            Some(bytes) = keys.recv() => {
                waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                tokio::select! {
                    // The program takes none of it, and half a frame is sent: nothing more can be said on this connection.
                    _ = &mut gone => return,
                    _ = writer.stdin(&bytes) => {}
                }
            }
        }
    }
    if kind.hang_up {
        let _ = writer.signal(HANG_UP).await;
    }
}
