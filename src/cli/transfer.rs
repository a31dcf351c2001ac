//! The verbs that move files: pull, push, login, save, load, cp, export, with their progress.

use super::face::Face;
use super::perform::{cleaned_up, run};
use super::progress::{Line, Progress};
use super::{terminal, text};
use crate::engine::{Engine, Error, Job, Result};
use crate::job;
use serde_json::json;
use std::io::{self, IsTerminal, Read, Write};

/// Runs a job and shows how far it is; Ctrl-C or SIGTERM calls it off.
pub async fn with_progress<J: Job>(job: J, engine: &Engine, face: &mut Face, quiet: bool) -> Result<J::Output> {
    let mut called_off = Box::pin(terminal::called_off());
    let mut handle = engine.submit(job)?;
    face.submitted(handle.id);
    let screen = if face.is_batch() { None } else { terminal::size(io::stderr()) };
    let mut board = Progress::new(io::stderr(), screen);
    let mut lines: Vec<Line> = Vec::new();
    let cancel = handle.canceller();
    let mut off = None;
    loop {
        let progress = tokio::select! {
            progress = handle.progress.recv() => progress,
            why = &mut called_off => {
                off = Some(why);
                cancel();
                break;
            }
        };
        let Some(progress) = progress else { break };
        if face.takes_progress() {
            face.progress(&progress)?;
        } else if !quiet {
            if progress.id.is_empty() {
                // A sentence stands above what is drawn from then on.
                let _ = board.finish(&lines);
                face.note(&progress.status)?;
                lines.clear();
                board = Progress::new(io::stderr(), screen);
                continue;
            }
            let line = Line { id: progress.id, status: progress.status, current: progress.current, total: progress.total };
            match lines.iter_mut().find(|known| !known.id.is_empty() && known.id == line.id) {
                Some(known) => *known = line,
                None => lines.push(line),
            }
            // A terminal that is gone is no reason to stop the work.
            let _ = board.update(&lines, std::time::Instant::now());
        }
    }
    let _ = board.finish(&lines);
    match off {
        Some(off) => cleaned_up(handle.result(), off).await,
        None => handle.result().await,
    }
}

/// `pull`.
pub async fn pull(job: job::pull::Pull, engine: &Engine, face: &mut Face) -> Result<i32> {
    let quiet = job.quiet;
    for pulled in with_progress(job, engine, face, quiet).await? {
        if !quiet {
            face.say(&format!("Digest: {}", pulled.digest))?;
            let status = if pulled.up_to_date { "Image is up to date for" } else { "Downloaded newer image for" };
            face.say(&text::clean(&format!("Status: {status} {}", pulled.familiar)))?;
        }
        face.say(&text::clean(&pulled.reference))?;
        face.give(serde_json::to_value(pulled).unwrap_or_default());
    }
    Ok(0)
}

/// `push`.
pub async fn push(job: job::push::Push, engine: &Engine, face: &mut Face) -> Result<i32> {
    let quiet = job.quiet;
    let pushed = with_progress(job, engine, face, quiet).await?;
    if !quiet {
        face.say(&text::clean(&format!("{}: digest: {} size: {}", pushed.tag, pushed.digest, pushed.size)))?;
    }
    face.give(serde_json::to_value(pushed).unwrap_or_default());
    Ok(0)
}

/// `login`: the password comes from standard input or is asked for without showing it.
pub async fn login(mut job: job::login::Login, engine: &Engine, face: &mut Face) -> Result<i32> {
    if job.password.is_some() && !job.password_stdin {
        face.note("WARNING! A password on the command line can be read by others. Use --password-stdin.")?;
    }
    if job.password_stdin {
        let mut password = String::new();
        io::stdin().lock().take(64 << 10).read_to_string(&mut password).map_err(|e| Error::io("cannot read the password", &e))?;
        job.password = Some(password.trim_end_matches(['\n', '\r']).to_owned());
    }
    if job.username.is_none() {
        job.username = Some(ask("Username: ", false)?);
    }
    if job.password.is_none() {
        job.password = Some(ask("Password: ", true)?);
    }
    let done = run(job, engine, face).await?;
    if let Some(warning) = &done.warning {
        face.note(&format!("WARNING! {warning}"))?;
    }
    face.say("Login Succeeded")?;
    face.give(json!({ "Registry": done.registry }));
    Ok(0)
}

fn ask(prompt: &str, secret: bool) -> Result<String> {
    if !io::stdin().is_terminal() {
        return Err(Error::invalid("login needs a user and a password").hint("give -u NAME and --password-stdin"));
    }
    let failed = |e: io::Error| Error::io("cannot ask", &e);
    let mut err = io::stderr().lock();
    err.write_all(prompt.as_bytes()).and_then(|()| err.flush()).map_err(failed)?;
    let hidden = if secret { Some(terminal::Hidden::enter(io::stdin()).map_err(failed)?) } else { None };
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(failed)?;
    if hidden.is_some() {
        err.write_all(b"\n").map_err(failed)?;
    }
    Ok(answer.trim_end_matches(['\n', '\r']).to_owned())
}

/// `logout`.
pub async fn logout(job: job::login::Logout, engine: &Engine, face: &mut Face) -> Result<i32> {
    let registry = run(job, engine, face).await?;
    face.say(&text::clean(&format!("Removing login credentials for {registry}")))?;
    face.give(json!({ "Registry": registry }));
    Ok(0)
}

/// An archive on a terminal helps nobody.
fn check_output(given: bool, face: &Face) -> Result<()> {
    if given {
        return Ok(());
    }
    if face.is_batch() {
        return Err(Error::invalid("a batch has no standard output for an archive").hint("name a file with -o"));
    }
    if io::stdout().is_terminal() {
        return Err(Error::invalid("an archive is not written to a terminal").hint("name a file with -o, or redirect the output"));
    }
    Ok(())
}

/// `export`.
pub async fn export(job: job::export::Export, engine: &Engine, face: &mut Face) -> Result<i32> {
    check_output(job.output.is_some(), face)?;
    run(job, engine, face).await.map(|()| 0)
}

/// `cp`.
pub async fn copy(job: job::copy::Copy, engine: &Engine, face: &mut Face) -> Result<i32> {
    if job.target == "-" {
        check_output(false, face)?;
    }
    let to = job.target.clone();
    let quiet = job.quiet || job.target == "-";
    let bytes = run(job, engine, face).await?;
    copied(bytes, (!quiet).then_some(to.as_str()), face)
}

/// `image extract`.
pub async fn extract(job: job::extract::Extract, engine: &Engine, face: &mut Face) -> Result<i32> {
    let to = job.target.display().to_string();
    let bytes = run(job, engine, face).await?;
    copied(bytes, Some(&to), face)
}

fn copied(bytes: u64, to: Option<&str>, face: &mut Face) -> Result<i32> {
    if let Some(to) = to {
        face.note(&format!("Successfully copied {} to {to}", super::size::decimal(bytes)))?;
    }
    face.give(json!({ "Bytes": bytes }));
    Ok(0)
}

/// `save`.
pub async fn save(job: job::save::Save, engine: &Engine, face: &mut Face) -> Result<i32> {
    check_output(job.output.is_some(), face)?;
    run(job, engine, face).await.map(|()| 0)
}

/// `load`.
pub async fn load(job: job::load::Load, engine: &Engine, face: &mut Face) -> Result<i32> {
    if job.input.is_none() && io::stdin().is_terminal() {
        return Err(Error::invalid("load reads an archive").hint("name a file with -i, or redirect the input"));
    }
    let quiet = job.quiet;
    let loaded = with_progress(job, engine, face, quiet).await?;
    for image in &loaded {
        for name in &image.names {
            face.say(&text::clean(&format!("Loaded image: {name}")))?;
        }
        if image.names.is_empty() {
            face.say(&format!("Loaded image ID: {}", image.id))?;
        }
    }
    face.give(serde_json::to_value(loaded).unwrap_or_default());
    Ok(0)
}
