//! Questions answered: what a screen would like to know, as often as there is something new.

use crate::container::State;
use crate::container::past::Past;
use crate::engine::logs::{Piece, Reader};
use crate::engine::{Engine, Error, Kind as ErrorKind, Result};
use crate::id::ContainerId;
use crate::job;
use crate::job::inspect::Found;
use crate::tui::effect::{Question, Ticket};
use crate::tui::msg::{Answer, Msg, News};
use crate::tui::widget::pager::{Kind, Line};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Lines of a log that are read at first.
const TAIL: usize = 2000;
/// Lines told at once.
const BATCH: usize = 2000;
/// How long lines are gathered before they are told.
const GATHER: Duration = Duration::from_millis(50);
/// How often it is asked what a container used.
const EACH: Duration = Duration::from_secs(1);
/// How often processes and changes are looked at.
const AGAIN: Duration = Duration::from_secs(2);

/// Answers until nobody listens.
pub async fn answer(engine: Engine, ticket: Ticket, question: Question, news: mpsc::Sender<Msg>) {
    let told = |answer| news.send(Msg::News(News::Answer(ticket, answer)));
    let result = match question {
        Question::Log(id) => log(&engine, &id, &news, ticket).await,
        Question::Processes(id) => loop {
            let top = job::top::Top { container: id.to_string(), options: Vec::new() };
            let answer = match engine.run(top).await {
                Ok(processes) => Answer::Table(processes.titles, processes.processes),
                Err(error) => Answer::Whole(vec![Line::new(&error.message, Kind::Muted)]),
            };
            if told(answer).await.is_err() {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        },
        Question::Past(id) => past(&engine, &id, &news, ticket).await,
        Question::Changes(id) => changes(&engine, &id, &news, ticket).await,
        Question::InspectContainer(id) => inspect(&engine, id.as_str(), "container").await.map(Some),
        Question::InspectImage(id) => inspect(&engine, id.as_str(), "image").await.map(Some),
        Question::Traffic => super::figures::links(&engine, &news, ticket).await,
        Question::Explain(id, port) => explain(&engine, &id, port, &news, ticket).await,
        other => super::look::look(engine, other).await,
    };
    let last = match result {
        Ok(None) => return,
        Ok(Some(answer)) => answer,
        Err(error) => Answer::Failed(error.message),
    };
    // Nobody listening any more is no failure.
    let _ = told(last).await;
}

async fn inspect(engine: &Engine, name: &str, kind: &str) -> Result<Answer> {
    let job = job::inspect::Inspect { kind: Some(kind.to_owned()), size: false, names: vec![name.to_owned()] };
    let (found, mut failed) = engine.run(job).await?;
    let value = match found.first() {
        Some(Found::Container(container, size)) => engine.inspect_container(container, *size),
        Some(Found::Image(image)) => image.inspect(),
        Some(Found::Network(_) | Found::Volume(_)) | None => match failed.pop() {
            Some(error) => return Err(error),
            None => serde_json::Value::Null,
        },
    };
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    Ok(Answer::Whole(text.lines().map(|line| Line::new(line, Kind::Plain)).collect()))
}

/// What a container changed, again whenever it is something else.
async fn changes(engine: &Engine, id: &ContainerId, news: &mpsc::Sender<Msg>, ticket: Ticket) -> Result<Option<Answer>> {
    let mut last = None;
    loop {
        let changes = engine.run(job::diff::Diff { container: id.to_string() }).await?;
        if last.as_ref() != Some(&changes) {
            last = Some(changes.clone());
            if news.send(Msg::News(News::Answer(ticket, Answer::Changes(changes)))).await.is_err() {
                return Ok(None);
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// A container's past, then what is new of it each second, over its ends and starts until it is removed.
async fn past(engine: &Engine, id: &ContainerId, news: &mpsc::Sender<Msg>, ticket: Ticket) -> Result<Option<Answer>> {
    let mut clock = tokio::time::interval(EACH);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since = None;
    let mut first = true;
    loop {
        clock.tick().await;
        let (asking, id) = (engine.clone(), id.clone());
        let looking = tokio::task::spawn_blocking(move || asking.container_by_id(&id));
        let container = looking.await.map_err(|error| Error::new(ErrorKind::Cancelled, format!("looking was cut short: {error}")))??;
        let answer = match engine.past(&container, since).await {
            // Nothing is new of what does not run.
            Ok(newer) if newer == Past::default() && !first => continue,
            Ok(newer) => {
                since = newer.last().or(since);
                Answer::Past(Box::new(newer))
            }
            // It may be between two starts: the next second tells.
            Err(error) => Answer::Failed(error.message),
        };
        first = false;
        if news.send(Msg::News(News::Answer(ticket, answer))).await.is_err() {
            return Ok(None);
        }
    }
}

/// Who reaches a port, again whenever it is something else: firewalls and addresses change without a word.
async fn explain(engine: &Engine, id: &ContainerId, port: u16, news: &mpsc::Sender<Msg>, ticket: Ticket) -> Result<Option<Answer>> {
    let mut last = None;
    loop {
        let (asking, id) = (engine.clone(), id.clone());
        let looking = tokio::task::spawn_blocking(move || Ok::<_, Error>(asking.explanation(&asking.container(id.as_str())?, Some((port, None)))?.ports));
        let told = looking.await.map_err(|error| Error::new(ErrorKind::Cancelled, format!("looking was cut short: {error}")))??;
        if last.as_ref() != Some(&told) {
            last = Some(told.clone());
            if news.send(Msg::News(News::Answer(ticket, Answer::Explained(told)))).await.is_err() {
                return Ok(None);
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// A log as it grows, also while the container is not yet started, and when it is started again. Many lines a second are
/// told in few words, and those that the pager would drop at once are not told.
async fn log(engine: &Engine, id: &ContainerId, news: &mpsc::Sender<Msg>, ticket: Ticket) -> Result<Option<Answer>> {
    let job = job::logs::Logs { follow: true, tail: TAIL.to_string(), container: id.to_string(), ..Default::default() };
    let mut reader: Reader = engine.run(job).await?;
    let mut lines = Vec::new();
    // When it was started last of what has been read to the end.
    let mut known = None;
    loop {
        let deadline = tokio::time::Instant::now() + GATHER;
        let mut ended = false;
        while lines.len() < BATCH {
            let next = if lines.is_empty() { Ok(reader.next().await) } else { tokio::time::timeout_at(deadline, reader.next()).await };
            match next {
                Ok(Ok(Some(piece))) => lines.push(shown(&piece)),
                Ok(Ok(None)) => {
                    ended = true;
                    break;
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => break,
            }
        }
        if news.send(Msg::News(News::Answer(ticket, Answer::More(std::mem::take(&mut lines))))).await.is_err() {
            return Ok(None);
        }
        if ended {
            match started(engine, id, news, known).await {
                Some(state) => known = state.started_at,
                None => return Ok(None),
            }
            reader.again();
        }
    }
}

/// Waits until a container was started at another moment than `known`, or runs; `None` if it is removed, or nobody listens.
async fn started(engine: &Engine, id: &ContainerId, news: &mpsc::Sender<Msg>, known: Option<jiff::Timestamp>) -> Option<State> {
    let mut events = engine.events();
    loop {
        let (asking, id) = (engine.clone(), id.clone());
        let state = tokio::task::spawn_blocking(move || asking.container_by_id(&id)).await.ok()?.ok()?.state;
        if state.status.is_alive() || state.started_at != known {
            return Some(state);
        }
        tokio::select! {
            () = news.closed() => return None,
            // Each change is told of; what was told too often to be heard, or not at all, is looked for.
            _ = tokio::time::timeout(AGAIN, events.recv()) => {}
        }
        tokio::time::sleep(GATHER).await;
    }
}

fn shown(piece: &Piece) -> Line {
    let Piece::Line(line) = piece else { return Line::new(&piece.to_string(), Kind::Error) };
    let kind = if line.stream == "stderr" { Kind::Error } else { Kind::Plain };
    // Colours of the container's own are left out: what is shown is what it says.
    let words = plain(line.log.trim_end_matches(['\n', '\r']));
    let time = line.time.get(..19).unwrap_or(&line.time).replace('T', " ");
    Line { time, ..Line::new(&words, kind) }
}

/// A line without its colours and cursor movements (ECMA-48 control sequences); other controls stay, to be shown.
fn plain(words: &str) -> std::borrow::Cow<'_, str> {
    if !words.contains('\x1b') {
        return words.into();
    }
    let mut kept = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(at) = rest.find("\x1b[") {
        kept.push_str(&rest[..at]);
        let tail = &rest[at + 2..];
        let Some(end) = tail.find(|c: char| ('\x40'..='\x7e').contains(&c)) else {
            rest = "";
            break;
        };
        rest = &tail[end + 1..];
    }
    kept.push_str(rest);
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_the_rest_stays() {
        assert_eq!(plain("\x1b[1;31mred\x1b[0m and \x1b]0;title\x07"), "red and \x1b]0;title\x07");
        assert_eq!(plain("cut \x1b[31"), "cut ");
        assert_eq!(plain("größe"), "größe");
    }
}
