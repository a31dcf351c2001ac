//! A batch run: line after line, each a verb, until one fails.

use super::args::{Source, Text, parse_verb};
use super::batch::{Action, BYTES, BatchError, Feed, Script, Statement, Variables};
use super::face::Face;
use super::perform::perform;
use super::{exit_status, failure_status, text};
use crate::engine::{Engine, Error, Kind, Result};
use std::io::{BufRead, Read, Write};

/// Runs a script and returns the first failure's status, or 0.
pub async fn run(source: Source, engine: &Engine) -> Result<i32> {
    let mut run = Run { engine, variables: Variables::from_environment(), keep_going: source.keep_going, json: source.json, status: 0 };
    match source.text {
        Text::Given(text) => run.whole(&text).await?,
        Text::File(path) => run.whole(&read(&path)?).await?,
        Text::Input => run.fed().await?,
    }
    Ok(run.status)
}

fn read(path: &std::path::Path) -> Result<String> {
    let failed = |e: &std::io::Error| Error::io(format_args!("cannot read the script {}", path.display()), e);
    let file = std::fs::File::open(path).map_err(|e| failed(&e))?;
    let mut text = String::new();
    file.take(BYTES as u64 + 1).read_to_string(&mut text).map_err(|e| failed(&e))?;
    Ok(text)
}

struct Run<'a> {
    engine: &'a Engine,
    variables: Variables,
    keep_going: bool,
    json: bool,
    status: i32,
}

impl Run<'_> {
    /// A script that is known as a whole: one with an error in it does not begin.
    async fn whole(&mut self, text: &str) -> Result<()> {
        let script = match Script::parse(text) {
            Ok(script) => script,
            Err(error) => return self.wrong(error).map(drop),
        };
        for statement in &script.statements {
            if !self.statement(statement).await? {
                break;
            }
        }
        Ok(())
    }

    /// A script that comes line by line, from a pipe or from someone who types.
    async fn fed(&mut self) -> Result<()> {
        let mut feed = Feed::default();
        loop {
            let Some(line) = typed().await? else { break };
            let statements = match feed.line(&line) {
                Ok(statements) => statements,
                Err(error) => {
                    // What follows of a line that was too long to be read whole is nobody's statement.
                    if self.wrong(error)? && line.ends_with('\n') {
                        continue;
                    }
                    return Ok(());
                }
            };
            for statement in statements {
                if !self.statement(&statement).await? {
                    return Ok(());
                }
            }
        }
        match feed.finish() {
            Ok(()) => Ok(()),
            Err(error) => self.wrong(error).map(drop),
        }
    }

    /// What is no statement fails as one would.
    fn wrong(&mut self, error: BatchError) -> Result<bool> {
        self.failed(error.line, &[], &Error::invalid(error.message), 1)
    }

    /// Does one statement; false ends the batch.
    async fn statement(&mut self, statement: &Statement) -> Result<bool> {
        let words = match statement.expand(&self.variables) {
            Ok(words) => words,
            Err(error) => return self.failed(statement.line, &[], &Error::invalid(error.message), 1),
        };
        let captured = match &statement.action {
            Action::Set(name) => {
                self.variables.set(name, words.concat());
                return Ok(true);
            }
            Action::Capture(name) => Some(name),
            Action::Run => None,
        };
        let verb = match parse_verb(&words) {
            Ok(verb) => verb,
            Err(message) => return self.failed(statement.line, &words, &Error::invalid(message), 1),
        };
        let failure = failure_status(&verb);
        let mut face = Face::batch(statement.line, self.json, captured.is_some());
        match Box::pin(perform(verb, self.engine, &mut face)).await {
            Ok(status) => {
                face.ended(&words, status, None)?;
                if let Some(name) = captured {
                    self.variables.capture(name, &String::from_utf8_lossy(&face.captured()));
                }
                if status != 0 && self.status == 0 {
                    self.status = status;
                }
                if status != 0 && !self.json {
                    say(&format!("kapal: line {}: {} ended with status {status}", statement.line, words[0]));
                }
                Ok(status == 0 || self.keep_going)
            }
            Err(error) => self.failed(statement.line, &words, &error, failure),
        }
    }

    fn failed(&mut self, line: usize, words: &[String], error: &Error, failure: i32) -> Result<bool> {
        let status = exit_status(error, failure);
        if self.status == 0 {
            self.status = status;
        }
        if self.json {
            Face::batch(line, true, false).ended(words, status, Some(error))?;
        } else {
            say(&format!("kapal: line {line}: {}", error.sentence()));
        }
        Ok(self.keep_going && !matches!(error.kind, Kind::Cancelled | Kind::Terminated | Kind::Unread))
    }
}

/// The next line of standard input; `None` at its end.
async fn typed() -> Result<Option<String>> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().take(super::batch::LONGEST as u64 + 1).read_line(&mut line).map(|n| (n > 0).then_some(line))
    });
    // The verbs before have taken the signals over: without this, ctrl-c would end nothing here.
    let read = tokio::select! {
        read = read => read,
        off = super::terminal::called_off() => return Err(Error::new(off, "cancelled")),
    };
    read.map_err(|e| Error::new(Kind::Failed, e.to_string()))?.map_err(|e| Error::io("cannot read the script from standard input", &e))
}

fn say(line: &str) {
    // Standard error may be closed; the status still tells.
    let _ = writeln!(std::io::stderr().lock(), "{}", text::clean(line));
}
