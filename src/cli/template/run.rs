//! A template's nodes, applied to a value.

use super::super::text;
use super::TemplateError;
use super::functions::{self, plain, truth};
use super::parser::{Base, Command, Node, Operand, Pipe};
use serde_json::Value;
use std::borrow::Cow;

/// Most bytes written, and most commands run, by one application of a template.
const OUTPUT: usize = 16 << 20;
const STEPS: usize = 1_000_000;

/// What is being written.
#[derive(Clone, Copy)]
pub(super) enum Mode<'t> {
    /// Lines of text: values keep their line ends.
    Text,
    /// The cells of a row: a value's tabs and line ends are shown as `\t` and `\n`.
    Row,
    /// Titles of columns in place of values.
    Header(&'t [(&'t str, &'t str)]),
}

type Val<'v> = Cow<'v, Value>;

struct Run<'v> {
    root: &'v Value,
    mode: Mode<'v>,
    variables: Vec<(&'v str, Val<'v>)>,
    out: String,
    steps: usize,
}

pub(super) fn render<'v>(nodes: &'v [Node], value: &'v Value, mode: Mode<'v>) -> Result<String, TemplateError> {
    let mut run = Run { root: value, mode, variables: Vec::new(), out: String::new(), steps: 0 };
    run.nodes(nodes, &Cow::Borrowed(value))?;
    Ok(run.out)
}

impl<'v> Run<'v> {
    fn write(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.out.len() + text.len() > OUTPUT {
            return Err(TemplateError::at(0, format!("it writes more than {OUTPUT} bytes")));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn step(&mut self, at: usize) -> Result<(), TemplateError> {
        self.steps += 1;
        if self.steps > STEPS { Err(TemplateError::at(at, format!("it takes more than {STEPS} steps"))) } else { Ok(()) }
    }

    fn nodes(&mut self, nodes: &'v [Node], dot: &Val<'v>) -> Result<(), TemplateError> {
        let scope = self.variables.len();
        for node in nodes {
            match node {
                Node::Text(text) => self.write(text)?,
                Node::Pipe(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        let shown = plain(&value).map_err(|message| TemplateError::at(0, message))?;
                        let shown = if matches!(self.mode, Mode::Text) { text::clean_block(&shown) } else { text::clean(&shown) };
                        self.write(&shown)?;
                    }
                }
                Node::If(condition, yes, no) => {
                    let outer = self.variables.len();
                    let fits = truth(&*self.pipe(condition, dot)?);
                    self.nodes(if fits { yes } else { no }, dot)?;
                    self.variables.truncate(outer);
                }
                Node::With(condition, yes, no) => {
                    let outer = self.variables.len();
                    let value = self.pipe(condition, dot)?;
                    if truth(&value) {
                        self.nodes(yes, &value)?;
                    } else {
                        self.nodes(no, dot)?;
                    }
                    self.variables.truncate(outer);
                }
                Node::Range(over, body, otherwise) => self.range(over, body, otherwise, dot)?,
            }
        }
        self.variables.truncate(scope);
        Ok(())
    }

    fn range(&mut self, over: &'v Pipe, body: &'v [Node], otherwise: &'v [Node], dot: &Val<'v>) -> Result<(), TemplateError> {
        let outer = self.variables.len();
        let collection = self.commands(over, dot)?;
        let at = over.commands.first().map_or(0, |command| command.at);
        let items: Vec<(Value, Val<'v>)> = match collection {
            _ if matches!(self.mode, Mode::Header(_)) => Vec::new(),
            Cow::Borrowed(Value::Array(items)) => items.iter().enumerate().map(|(at, item)| (Value::from(at), Cow::Borrowed(item))).collect(),
            Cow::Borrowed(Value::Object(items)) => sorted(items.iter().map(|(key, item)| (key.clone(), Cow::Borrowed(item))).collect()),
            Cow::Owned(Value::Array(items)) => items.into_iter().enumerate().map(|(at, item)| (Value::from(at), Cow::Owned(item))).collect(),
            Cow::Owned(Value::Object(items)) => sorted(items.into_iter().map(|(key, item)| (key, Cow::Owned(item))).collect()),
            value if value.is_null() => Vec::new(),
            _ => return Err(TemplateError::at(at, "range needs a list or a map".to_owned())),
        };
        if items.is_empty() {
            self.nodes(otherwise, dot)?;
        }
        for (key, item) in items {
            self.step(at)?;
            match over.variables.as_slice() {
                [value] => self.set(value, item.clone(), over.again, at)?,
                [name, value] => {
                    self.set(name, Cow::Owned(key), over.again, at)?;
                    self.set(value, item.clone(), over.again, at)?;
                }
                _ => {}
            }
            self.nodes(body, &item)?;
            self.variables.truncate(outer);
        }
        Ok(())
    }

    fn set(&mut self, name: &'v str, value: Val<'v>, again: bool, at: usize) -> Result<(), TemplateError> {
        if again {
            let old = self
                .variables
                .iter_mut()
                .rfind(|(there, _)| *there == name)
                .ok_or_else(|| TemplateError::at(at, format!("${name} was never declared with :=")))?;
            old.1 = value;
        } else {
            self.variables.push((name, value));
        }
        Ok(())
    }

    /// The pipe's value, its variable set.
    fn pipe(&mut self, pipe: &'v Pipe, dot: &Val<'v>) -> Result<Val<'v>, TemplateError> {
        let value = self.commands(pipe, dot)?;
        let at = pipe.commands.first().map_or(0, |command| command.at);
        match pipe.variables.as_slice() {
            [] => {}
            [name] => self.set(name, value.clone(), pipe.again, at)?,
            _ => return Err(TemplateError::at(at, "only range sets two variables".to_owned())),
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &'v Pipe, dot: &Val<'v>) -> Result<Val<'v>, TemplateError> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, value, dot)?);
        }
        Ok(value.unwrap_or(Cow::Owned(Value::Null)))
    }

    fn command(&mut self, command: &'v Command, piped: Option<Val<'v>>, dot: &Val<'v>) -> Result<Val<'v>, TemplateError> {
        self.step(command.at)?;
        let Some((first, rest)) = command.words.split_first() else { return Ok(Cow::Owned(Value::Null)) };
        match &first.base {
            Base::Function(name) if first.fields.is_empty() => {
                if name == "and" || name == "or" {
                    return self.first_that_decides(name == "or", rest, piped, dot);
                }
                let mut arguments = Vec::with_capacity(rest.len() + 1);
                for operand in rest {
                    arguments.push(self.operand(operand, dot)?);
                }
                arguments.extend(piped);
                if let (Mode::Header(_), false) = (self.mode, matches!(name.as_str(), "print" | "printf" | "println")) {
                    return Ok(arguments.into_iter().next().unwrap_or(Cow::Owned(Value::Null)));
                }
                functions::call(name, arguments).map_err(|message| TemplateError::at(command.at, message))
            }
            Base::Dot if first.fields.last().is_some_and(|name| name == "Label") && rest.len() == 1 => {
                let name = self.operand(&rest[0], dot)?;
                self.label(first, &name, dot)
            }
            _ if rest.is_empty() && piped.is_none() => self.operand(first, dot),
            _ => Err(TemplateError::at(command.at, "it is no function and takes no arguments".to_owned())),
        }
    }

    /// `and` and `or` go no further than they must: `and .Health .Health.Status`.
    fn first_that_decides(&mut self, decides: bool, words: &'v [Operand], piped: Option<Val<'v>>, dot: &Val<'v>) -> Result<Val<'v>, TemplateError> {
        let mut value = Cow::Owned(Value::Null);
        for word in words {
            value = self.operand(word, dot)?;
            if truth(&value) == decides {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    fn operand(&mut self, operand: &'v Operand, dot: &Val<'v>) -> Result<Val<'v>, TemplateError> {
        let mut value = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Variable(name) if name.is_empty() => Cow::Borrowed(self.root),
            Base::Variable(name) => {
                let found = self.variables.iter().rfind(|(there, _)| there == name);
                found.map(|(_, value)| value.clone()).ok_or_else(|| TemplateError::at(operand.at, format!("${} was never set", text::clean(name))))?
            }
            Base::Constant(value) => Cow::Borrowed(value),
            Base::Function(name) => functions::call(name, Vec::new()).map_err(|message| TemplateError::at(operand.at, message))?,
            Base::Pipe(pipe) => self.commands(pipe, dot)?,
        };
        if let (Mode::Header(titles), Some(name)) = (self.mode, operand.fields.last()) {
            return Ok(Cow::Owned(Value::String(title(titles, name))));
        }
        for name in &operand.fields {
            value = field(value, name).map_err(|message| TemplateError::at(operand.at, message))?;
        }
        Ok(value)
    }

    /// `.Label "name"`: one of `.Labels`, which is a map or docker's list `a=1,b=2`; empty if there is none.
    fn label(&self, operand: &Operand, name: &Value, dot: &Val<'v>) -> Result<Val<'v>, TemplateError> {
        let name = name.as_str().ok_or_else(|| TemplateError::at(operand.at, "Label needs a name in quotes".to_owned()))?;
        if let Mode::Header(_) = self.mode {
            let last = name.rsplit('.').next().unwrap_or(name);
            return Ok(Cow::Owned(Value::String(last.replace(['-', '_'], " ").to_uppercase())));
        }
        let mut holder = dot.clone();
        for name in &operand.fields[..operand.fields.len() - 1] {
            holder = field(holder, name).map_err(|message| TemplateError::at(operand.at, message))?;
        }
        let labels = field(holder, "Labels").map_err(|message| TemplateError::at(operand.at, message))?;
        let value = match &*labels {
            Value::Object(map) => map.get(name).cloned(),
            Value::String(list) => list.split(',').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| Value::from(value)),
            _ => None,
        };
        Ok(Cow::Owned(value.unwrap_or_else(|| Value::from(""))))
    }
}

fn sorted(mut items: Vec<(String, Val<'_>)>) -> Vec<(Value, Val<'_>)> {
    items.sort_by(|a, b| a.0.cmp(&b.0));
    items.into_iter().map(|(key, item)| (Value::String(key), item)).collect()
}

fn title(titles: &[(&str, &str)], name: &str) -> String {
    titles.iter().find(|(field, _)| *field == name).map_or_else(|| name.to_uppercase(), |(_, title)| (*title).to_owned())
}

fn field<'v>(value: Val<'v>, name: &str) -> Result<Val<'v>, String> {
    let shown = text::truncate(name, 60).into_owned();
    match value {
        Cow::Borrowed(Value::Object(map)) => map.get(name).map(Cow::Borrowed).ok_or_else(|| missing(&shown, map)),
        Cow::Owned(Value::Object(mut map)) => map.shift_remove(name).map(Cow::Owned).ok_or_else(|| missing(&shown, &map)),
        value if value.is_null() => Err(format!("no .{shown} here: there is nothing to look into")),
        _ => Err(format!("no .{shown} here: the value has no fields")),
    }
}

fn missing(name: &str, map: &serde_json::Map<String, Value>) -> String {
    let names: Vec<&str> = map.keys().take(40).map(String::as_str).collect();
    format!("no .{name} here; there is {}", text::clean(&text::truncate(&names.join(", "), 500)))
}
