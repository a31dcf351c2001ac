//! The verbs with a process in the foreground: run, exec, start, attach, logs.

use super::console::{self, Drive, Early, End, drive};
use super::face::Face;
use super::{text, transfer, when};
use crate::container::Container;
use crate::engine::logs::Piece;
use crate::engine::{Engine, Error, Result};
use crate::id::ContainerId;
use crate::job;
use serde_json::json;
use std::io::{self, IsTerminal};

/// A terminal inside needs one here, as docker has it, or the keys would mean nothing.
fn check_terminal(tty: bool, interactive: bool, face: &Face) -> Result<()> {
    if !tty || !interactive || face.is_window() {
        return Ok(());
    }
    if face.is_batch() {
        return Err(Error::invalid("a batch has no terminal to give: nobody could type").hint("leave out -t, or -d and `kapal attach` it from a terminal"));
    }
    if !io::stdin().is_terminal() {
        return Err(Error::invalid("the input device is not a TTY").hint("leave out -t, or run it on a terminal"));
    }
    Ok(())
}

/// The keys that leave a console: as the option says, or `detachKeys` of the configuration that docker shares.
fn detach_keys(option: Option<String>, engine: &Engine) -> Option<String> {
    option.or_else(|| {
        let text = std::fs::read_to_string(engine.options().docker_config.join("config.json")).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        value.get("detachKeys")?.as_str().map(str::to_owned)
    })
}

/// Where signals go while someone looks at a container. One with a terminal gets them from its keys; without that, ctrl-c
/// here could not end the looking.
fn proxy(wanted: bool, container: &Container, engine: &Engine) -> Option<(Engine, ContainerId)> {
    (wanted && !container.config.tty).then(|| (engine.clone(), container.id.clone()))
}

/// `run`.
pub async fn run(mut job: job::run::Run, engine: &Engine, face: &mut Face) -> Result<i32> {
    let options = &job.options;
    let stdin = options.interactive && options.attaches("stdin");
    let shown = ["stdout", "stderr"].map(|stream| options.attaches(stream));
    let mut how = Drive { stdin, tty: options.tty, shown, detach_keys: detach_keys(job.detach_keys.clone(), engine), sig_proxy: None };
    let (detach, sig_proxy) = (job.detach, job.sig_proxy);
    if !detach {
        check_terminal(options.tty, options.interactive, face)?;
    }
    let quiet = options.quiet;
    job.size = options.tty.then(console::size).flatten();
    let early = if detach { None } else { Some(Early::listen()?) };
    let started = transfer::with_progress(job, engine, face, quiet).await?;
    super::perform::cautions(&started.warnings, face)?;
    face.give(json!({ "ID": started.id, "Name": started.name }));
    how.sig_proxy = sig_proxy.then(|| (engine.clone(), started.id.clone()));
    match started.console {
        None => {
            face.say(started.id.as_str())?;
            Ok(0)
        }
        Some(console) => match drive(console, how, early, face).await? {
            End::Exited(status) => Ok(status),
            End::Detached => Ok(0),
        },
    }
}

/// `exec`.
pub async fn exec(mut job: job::exec::Exec, engine: &Engine, face: &mut Face) -> Result<i32> {
    let how = Drive { stdin: job.interactive, tty: job.tty, shown: [true; 2], detach_keys: detach_keys(job.detach_keys.clone(), engine), sig_proxy: None };
    if !job.detach {
        check_terminal(job.tty, job.interactive, face)?;
    }
    job.size = job.tty.then(console::size).flatten();
    let handle = engine.submit(job)?;
    face.submitted(handle.id);
    let started = handle.result().await?;
    match started.console {
        None => {
            face.give(json!({ "ID": started.id }));
            Ok(0)
        }
        Some(console) => match drive(console, how, None, face).await? {
            End::Exited(status) => Ok(status),
            End::Detached => Ok(0),
        },
    }
}

/// `start`.
pub async fn start(mut job: job::start::Start, engine: &Engine, face: &mut Face) -> Result<i32> {
    let (interactive, detach_keys) = (job.interactive, detach_keys(job.detach_keys.clone(), engine));
    // Without a terminal of its own the container has no use for it.
    job.size = console::size();
    let handle = engine.submit(job)?;
    face.submitted(handle.id);
    let outcome = handle.result().await?;
    match outcome.console {
        Some((container, console)) => {
            super::perform::cautions(&outcome.several.warnings, face)?;
            let sig_proxy = proxy(true, &container, engine);
            let how = Drive { stdin: interactive && container.config.open_stdin, tty: container.config.tty, shown: [true; 2], detach_keys, sig_proxy };
            match drive(console, how, None, face).await? {
                End::Exited(status) => Ok(status),
                End::Detached => Ok(0),
            }
        }
        None => super::perform::several(outcome.several, face),
    }
}

/// `attach`.
pub async fn attach(job: job::attach::Attach, engine: &Engine, face: &mut Face) -> Result<i32> {
    let (no_stdin, detach_keys, sig_proxy) = (job.no_stdin, detach_keys(job.detach_keys.clone(), engine), job.sig_proxy);
    let (container, console) = engine.run(job).await?;
    let sig_proxy = proxy(sig_proxy, &container, engine);
    let how = Drive { stdin: container.config.open_stdin && !no_stdin, tty: container.config.tty, shown: [true; 2], detach_keys, sig_proxy };
    check_terminal(how.tty, how.stdin, face)?;
    match drive(console, how, None, face).await? {
        End::Exited(status) => Ok(status),
        End::Detached => Ok(0),
    }
}

/// `logs`.
pub async fn logs(mut job: job::logs::Logs, engine: &Engine, face: &mut Face) -> Result<i32> {
    let now = jiff::Timestamp::now();
    let moment = |text: Option<&String>| text.map(|text| when::moment(text, now)).transpose().map_err(Error::invalid);
    let nanos = |t: jiff::Timestamp| t.as_nanosecond() as i64;
    job.span = (moment(job.since.as_ref())?.map(nanos), moment(job.until.as_ref())?.map(nanos));
    let timestamps = job.timestamps;
    let mut lines = engine.run(job).await?;
    // A terminal gets nothing raw, but for a container that has one of its own: that is what it drew.
    let guarded = io::stdout().is_terminal() && !lines.tty;
    let mut called_off = Box::pin(face.left());
    loop {
        let line = tokio::select! {
            line = lines.next() => line?,
            off = &mut called_off => return Ok(super::exit_status(&Error::new(off, "cancelled"), 1)),
        };
        let line = match line {
            Some(Piece::Line(line)) => line,
            Some(lost @ Piece::Lost(_)) => {
                face.note(&format!("kapal: {lost}"))?;
                continue;
            }
            None => return Ok(0),
        };
        let mut bytes = Vec::with_capacity(line.log.len() + 32);
        if timestamps {
            bytes.extend_from_slice(text::clean(&line.time).as_bytes());
            bytes.push(b' ');
        }
        if guarded {
            bytes.extend_from_slice(text::clean_block(&line.log).as_bytes());
        } else {
            bytes.extend_from_slice(line.log.as_bytes());
        }
        if !face.is_batch() {
            face.raw(&line.stream, &bytes)?;
            continue;
        }
        // What is called off here goes on elsewhere: it cannot be left to the kernel while nobody reads.
        let stream = if line.stream == "stderr" { "stderr" } else { "stdout" };
        tokio::select! {
            written = face.pass(stream, bytes) => written?,
            off = &mut called_off => return Ok(super::exit_status(&Error::new(off, "cancelled"), 1)),
        }
    }
}
