//! A console in the foreground: standard input to the container, its output here, until it ends or the user leaves.

use super::face::Face;
use super::terminal::{self, RawMode};
use crate::container::detach::{self, Detach, DetachKeys};
use crate::engine::attach::{Console, ConsoleWriter, Output};
use crate::engine::{Error, Kind, Result};
use crate::tui::line::Opened;
use std::io::{self, IsTerminal};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// How a console is driven.
#[derive(Clone, Debug)]
pub struct Drive {
    /// Standard input goes to the container.
    pub stdin: bool,
    /// The container's process has a terminal.
    pub tty: bool,
    /// Keys that leave; ctrl-p,ctrl-q if absent.
    pub detach_keys: Option<String>,
    /// Signals to this program go to the container.
    pub sig_proxy: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The container's process ended with this status.
    Exited(i32),
    /// The user left; it runs on.
    Detached,
}

/// What comes from standard input.
enum Input {
    Bytes(Vec<u8>),
    End,
}

/// Drives a console until it ends.
pub async fn drive(console: Console, how: Drive, face: &mut Face) -> Result<End> {
    let opened = Opened { console, tty: how.tty, stdin: how.stdin, detach_keys: how.detach_keys.clone() };
    let console = match face.hand_over(opened) {
        Ok(()) => return Ok(End::Detached),
        Err(opened) => opened.console,
    };
    let (mut reader, mut writer) = console.split();
    let terminal = how.tty && how.stdin && io::stdin().is_terminal() && !face.is_batch();
    let keys = how.detach_keys.as_deref().unwrap_or_default();
    let mut detach = Detach::new(DetachKeys::parse(keys).map_err(|e| Error::invalid(format!("--detach-keys: {e}")))?);
    let raw = if terminal { Some(RawMode::enter(io::stdin()).map_err(|e| Error::io("cannot switch the terminal to raw mode", &e))?) } else { None };
    if how.tty {
        resize(&mut writer).await?;
    }
    let watch = terminal.then(|| tokio::spawn(end_on_signal()));
    let mut input = standard_input(how.stdin);
    let mut signals = Signals::open(how.sig_proxy && !terminal)?;
    let mut feeding = how.stdin;
    let end = loop {
        let patience = detach.is_holding().then_some(detach::PATIENCE);
        tokio::select! {
            output = reader.next() => match output? {
                Output::Stdout(bytes) => face.raw("stdout", &bytes)?,
                Output::Stderr(bytes) => face.raw("stderr", &bytes)?,
                Output::Missed(count) => face.note(&format!("kapal: {count} bytes of output were dropped: the reader is too slow"))?,
                Output::Exit(status) => break End::Exited(status),
                Output::Closed => return Err(Error::new(Kind::Unavailable, "the container's monitor closed the console").hint("`kapal ps -a` tells what became of it")),
            },
            word = input.recv(), if feeding => match word {
                Some(Input::Bytes(bytes)) if terminal => {
                    let pass = detach.feed(&bytes);
                    if !pass.pass.is_empty() {
                        writer.stdin(&pass.pass).await?;
                    }
                    if pass.detached {
                        break End::Detached;
                    }
                }
                Some(Input::Bytes(bytes)) => feeding = writer.stdin(&bytes).await.is_ok(),
                Some(Input::End) | None => {
                    feeding = false;
                    // Its process may have ended meanwhile: the output tells.
                    let _ = writer.eof().await;
                }
            },
            () = patient(patience) => {
                let held = detach.timeout();
                if !held.is_empty() {
                    writer.stdin(&held).await?;
                }
            }
            event = signals.next() => match event {
                Event::Resized if how.tty => resize(&mut writer).await?,
                Event::Resized => {}
                Event::Signal(number) => { let _ = writer.signal(number).await; }
            },
        }
    };
    drop(raw);
    watch.inspect(tokio::task::JoinHandle::abort);
    if end == End::Detached {
        // The cursor stands where the container left it.
        face.note("")?;
        face.note("read escape sequence")?;
    }
    Ok(end)
}

/// Ends the program on a signal that means so, with the terminal as it was.
async fn end_on_signal() {
    if let Ok(number) = terminal::restore_on_signals().await {
        std::process::exit(128 + number);
    }
}

/// Standard input as it comes; nothing if it is not wanted.
fn standard_input(wanted: bool) -> mpsc::Receiver<Input> {
    let (sender, input) = mpsc::channel(4);
    if wanted {
        std::thread::spawn(move || read_stdin(&sender));
    }
    input
}

async fn patient(time: Option<std::time::Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

async fn resize(writer: &mut ConsoleWriter) -> Result<()> {
    match terminal::size(io::stdout()).or_else(|| terminal::size(io::stdin())) {
        Some((columns, rows)) => writer.resize(rows, columns).await,
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

enum Event {
    Resized,
    Signal(i32),
}

/// The signals that matter while a console is in the foreground.
struct Signals {
    window: Signal,
    proxied: Option<Vec<(i32, Signal)>>,
}

impl Signals {
    fn open(proxy: bool) -> Result<Self> {
        let failed = |e: io::Error| Error::io("cannot listen to signals", &e);
        let proxied = if proxy {
            let kinds = [
                SignalKind::interrupt(),
                SignalKind::terminate(),
                SignalKind::hangup(),
                SignalKind::quit(),
                SignalKind::user_defined1(),
                SignalKind::user_defined2(),
            ];
            Some(kinds.into_iter().map(|kind| Ok((kind.as_raw_value(), signal(kind)?))).collect::<io::Result<_>>().map_err(failed)?)
        } else {
            None
        };
        Ok(Self { window: signal(SignalKind::window_change()).map_err(failed)?, proxied })
    }

    async fn next(&mut self) -> Event {
        let proxied = async {
            match &mut self.proxied {
                None => std::future::pending().await,
                Some(signals) => {
                    let waits = signals.iter_mut().map(|(number, signal)| {
                        let number = *number;
                        Box::pin(async move {
                            signal.recv().await;
                            number
                        })
                    });
                    futures_util::future::select_all(waits).await.0
                }
            }
        };
        tokio::select! {
            _ = self.window.recv() => Event::Resized,
            number = proxied => Event::Signal(number),
        }
    }
}
