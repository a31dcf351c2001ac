//! The face of a verb: where its results, its notes and its progress go, in words or as JSON lines.

use super::table::Table;
use super::template::Template;
use super::verb::Shape;
use super::{terminal, text};
use crate::engine::{Error, Kind, Progress, Result};
use crate::id::JobId;
use crate::tui::line::{Opened, Said, Voice};
use serde_json::{Value, json};
use std::io::{self, BufRead, Read, Write};

/// Where results go.
#[derive(Debug)]
enum Sink {
    /// Standard output.
    Standard,
    /// A batch variable.
    Captured(Vec<u8>),
    /// A window of the screens.
    Window(Voice),
}

/// A verb's way to speak.
#[derive(Debug)]
pub struct Face {
    sink: Sink,
    /// JSON lines in place of text.
    json: bool,
    /// The line of the batch it stands on.
    line: Option<usize>,
    /// What the verb gave, for JSON.
    result: Value,
}

impl Face {
    /// Text on standard output, notes on standard error.
    pub fn standard() -> Self {
        Self { sink: Sink::Standard, json: false, line: None, result: Value::Null }
    }

    /// A line of a batch.
    pub fn batch(line: usize, json: bool, captured: bool) -> Self {
        Self { sink: if captured { Sink::Captured(Vec::new()) } else { Sink::Standard }, json, line: Some(line), result: Value::Null }
    }

    /// A window of the screens, which the verb speaks into.
    pub fn window(voice: Voice) -> Self {
        Self { sink: Sink::Window(voice), json: false, line: None, result: Value::Null }
    }

    /// Whether it wants to know how far a part of the work is, as values.
    pub fn takes_progress(&self) -> bool {
        self.json || matches!(self.sink, Sink::Window(_))
    }

    /// Tells the screens which job of the list a verb became.
    pub fn submitted(&self, job: Option<JobId>) {
        if let (Sink::Window(voice), Some(job)) = (&self.sink, job) {
            voice.say(Said::Job(job));
        }
    }

    /// Gives a console to the screens; gives it back where there are none.
    pub fn hand_over(&self, opened: Opened) -> std::result::Result<(), Box<Opened>> {
        match &self.sink {
            Sink::Window(voice) => {
                voice.say(Said::Console(Box::new(opened)));
                Ok(())
            }
            _ => Err(Box::new(opened)),
        }
    }

    /// Whether it speaks in JSON lines.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether it belongs to a window of the screens, which have a terminal for every console.
    pub fn is_window(&self) -> bool {
        matches!(self.sink, Sink::Window(_))
    }

    /// Whether it belongs to a batch or to a window: then nothing asks, and nothing takes over the terminal.
    pub fn is_batch(&self) -> bool {
        self.line.is_some() || self.is_window()
    }

    /// Comes when somebody ends a verb that only watches, and has nothing to give back. Outside of a batch and of a window it never
    /// does: there the kernel ends the program by itself, also while it writes to a reader that takes nothing.
    pub fn left(&self) -> impl Future<Output = Kind> + use<> {
        let called_off = self.is_batch().then(terminal::called_off);
        async move {
            match called_off {
                Some(called_off) => called_off.await,
                None => std::future::pending().await,
            }
        }
    }

    /// What was captured.
    pub fn captured(self) -> Vec<u8> {
        match self.sink {
            Sink::Captured(bytes) => bytes,
            Sink::Standard | Sink::Window(_) => Vec::new(),
        }
    }

    /// Bytes of a result, as they are: what a container wrote, an archive.
    pub fn raw(&mut self, stream: &str, bytes: &[u8]) -> Result<()> {
        match &mut self.sink {
            Sink::Captured(captured) => {
                if stream == "stdout" {
                    if captured.len() + bytes.len() > super::batch::LONGEST {
                        return Err(Error::invalid(format!("a variable holds at most {} bytes: the verb printed more", super::batch::LONGEST)));
                    }
                    captured.extend_from_slice(bytes);
                }
                Ok(())
            }
            Sink::Window(voice) => {
                voice.say(Said::Text(text::clean_block(&String::from_utf8_lossy(bytes)).into_owned()));
                Ok(())
            }
            Sink::Standard if self.json => {
                Self::event(&json!({ "event": "output", "line": self.line, "stream": stream, "data": String::from_utf8_lossy(bytes) }))
            }
            Sink::Standard if stream == "stderr" => written(io::stderr().lock().write_all(bytes)),
            Sink::Standard => {
                let mut out = io::stdout().lock();
                written(out.write_all(bytes).and_then(|()| out.flush()))
            }
        }
    }

    /// The same, where the reader may be slow: what else is under way does not wait for it.
    pub async fn pass(&mut self, stream: &'static str, bytes: Vec<u8>) -> Result<()> {
        if self.json || !matches!(self.sink, Sink::Standard) {
            return self.raw(stream, &bytes);
        }
        let write = move || {
            if stream == "stderr" {
                return io::stderr().lock().write_all(&bytes);
            }
            let mut out = io::stdout().lock();
            out.write_all(&bytes).and_then(|()| out.flush())
        };
        written(tokio::task::spawn_blocking(write).await.unwrap_or_else(|gone| Err(io::Error::other(gone))))
    }

    /// A line of the result; the caller has made foreign text in it harmless.
    pub fn say(&mut self, line: &str) -> Result<()> {
        self.print(&format!("{line}\n"))
    }

    /// Text of the result; the caller has made foreign text in it harmless.
    pub fn print(&mut self, text: &str) -> Result<()> {
        match &mut self.sink {
            Sink::Standard if self.json => Ok(()),
            _ => self.raw("stdout", text.as_bytes()),
        }
    }

    /// What a front-end that reads JSON gets as the result.
    pub fn give(&mut self, value: Value) {
        self.result = value;
    }

    /// A line beside the result: progress, a warning.
    pub fn note(&mut self, line: &str) -> Result<()> {
        if let Sink::Window(voice) = &self.sink {
            voice.say(Said::Note(text::clean(line).into_owned()));
            return Ok(());
        }
        if self.json {
            return Self::event(&json!({ "event": "note", "line": self.line, "message": line }));
        }
        written(writeln!(io::stderr().lock(), "{}", text::clean(line)))
    }

    /// How far a part of the work is, as a value.
    pub fn progress(&mut self, progress: &Progress) -> Result<()> {
        if let Sink::Window(voice) = &self.sink {
            voice.say(Said::Progress(progress.clone()));
            return Ok(());
        }
        let mut value = serde_json::to_value(progress).unwrap_or_default();
        if let Value::Object(fields) = &mut value {
            fields.insert("event".to_owned(), json!("progress"));
            fields.insert("line".to_owned(), json!(self.line));
        }
        Self::event(&value)
    }

    fn event(value: &Value) -> Result<()> {
        let mut out = io::stdout().lock();
        written(writeln!(out, "{value}").and_then(|()| out.flush()))
    }

    /// The end of a batch line, as a JSON line.
    pub fn ended(&mut self, words: &[String], status: i32, error: Option<&Error>) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let verb = words.first().cloned().unwrap_or_default();
        let mut value = json!({ "event": "result", "line": self.line, "verb": verb, "status": status, "result": self.result.take() });
        if let (Value::Object(fields), Some(error)) = (&mut value, error) {
            fields.insert("error".to_owned(), json!({ "kind": error.kind, "message": error.message, "hint": error.hint }));
        }
        Self::event(&value)
    }

    /// A list: `rows` are objects; `columns` are (header, key) of the usual table, `quiet` the key of the identity.
    pub fn list(&mut self, shape: &Shape, rows: Vec<Value>, columns: &[(&str, &str)], quiet: &str) -> Result<()> {
        if self.json {
            self.give(Value::Array(rows));
            return Ok(());
        }
        if shape.quiet && shape.format.is_none() {
            for row in &rows {
                self.say(&text::clean(cell(row, quiet)))?;
            }
        } else if let Some(format) = shape.format.as_deref().filter(|format| *format != "table") {
            return self.formatted(format, &rows, columns);
        } else {
            self.table(&rows, columns)?;
        }
        self.give(Value::Array(rows));
        Ok(())
    }

    /// Rows under the headers of a table.
    pub fn table(&mut self, rows: &[Value], columns: &[(&str, &str)]) -> Result<()> {
        self.print(&table(rows, columns))
    }

    /// Each of `rows` through a template, or as JSON lines.
    pub fn formatted(&mut self, format: &str, rows: &[Value], headers: &[(&str, &str)]) -> Result<()> {
        self.print(&formatted(format, rows, headers)?)
    }

    /// Asks before something is destroyed. The answer may come from a pipe, as in `yes | kapal …`; a batch has none.
    pub fn confirm(&mut self, warning: &str) -> Result<bool> {
        let unanswered = || Error::invalid(format!("{warning} Nobody answers here: add -f to do it"));
        if self.is_batch() {
            return Err(unanswered());
        }
        written(write!(io::stderr().lock(), "WARNING! {warning}\nAre you sure you want to continue? [y/N] "))?;
        // A word is enough: a pipe may hold anything.
        let mut answer = Vec::new();
        io::stdin().lock().take(64).read_until(b'\n', &mut answer).map_err(|e| Error::io("cannot read the answer", &e))?;
        if answer.is_empty() {
            written(writeln!(io::stderr().lock()))?;
            return Err(unanswered());
        }
        Ok(matches!(answer.trim_ascii().to_ascii_lowercase().as_slice(), b"y" | b"yes"))
    }
}

/// Rows under the headers of a table, as text.
pub fn table(rows: &[Value], columns: &[(&str, &str)]) -> String {
    let headers: Vec<&str> = columns.iter().map(|(header, _)| *header).collect();
    let mut table = Table::new(&headers);
    for row in rows {
        table.push(&columns.iter().map(|(_, key)| cell(row, key)).collect::<Vec<_>>());
    }
    table.render()
}

/// Each of `rows` through a template, or as JSON lines, as text.
pub fn formatted(format: &str, rows: &[Value], headers: &[(&str, &str)]) -> Result<String> {
    if format == "json" {
        return Ok(rows.iter().map(|row| text::clean_json(&row.to_string()).into_owned() + "\n").collect());
    }
    let template = Template::parse(format).map_err(|e| Error::invalid(e.to_string()))?;
    let wrong = |e: super::template::TemplateError| Error::invalid(e.to_string());
    if !template.is_table() {
        return rows.iter().map(|row| Ok(text::clean_block(&template.render(row).map_err(wrong)?).into_owned() + "\n")).collect();
    }
    let titles: Vec<(&str, &str)> = headers.iter().map(|(header, key)| (*key, *header)).collect();
    let mut table = Table::new(&template.header(&titles).map_err(wrong)?.split('\t').collect::<Vec<_>>());
    for row in rows {
        table.push(&template.render(row).map_err(wrong)?.split('\t').collect::<Vec<_>>());
    }
    Ok(table.render())
}

/// A cell of the usual table.
fn cell<'a>(row: &'a Value, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A front-end whose reader is gone ends like any program in a pipe: quietly.
fn written(result: io::Result<()>) -> Result<()> {
    result.map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Error::new(crate::engine::Kind::Unread, "nobody reads the output any more")
        } else {
            Error::io("cannot write the output", &error)
        }
    })
}
