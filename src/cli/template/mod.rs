//! Templates of `--format`: the part of Go's text/template that docker's users write, over JSON values.
//!
//! ```text
//! {{.Names}}  {{.State.Status}}  {{json .Config}}  {{index .Config.Labels "a"}}  {{.Label "a"}}
//! {{range $key, $value := .Labels}}{{$key}}={{$value}}\n{{end}}  {{if .Running}}up{{else}}down{{end}}
//! {{join .Args " " | upper}}  {{printf "%-10s" .Name}}  table {{.ID}}\t{{.Status}}
//! ```
//!
//! Functions: and eq ge gt index join json le len lower lt ne not or pad print printf println slice split title
//! truncate upper. What values say is made harmless for a terminal; what the template itself says is left as it is.
//!
//! Source of the language: the documentation of Go's text/template and of docker's `--format`.

mod functions;
mod lexer;
mod parser;
mod run;

use parser::Node;
use serde_json::Value;
use std::fmt;

/// Longest template in bytes, deepest nesting of blocks and of parentheses.
const LONGEST: usize = 64 << 10;
const DEEPEST: usize = 64;

/// What is wrong with a template, or with what it asks of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TemplateError {
    template: String,
    /// In bytes, then, once the template is known, the column counted from 1.
    place: usize,
    message: String,
}

impl TemplateError {
    fn at(place: usize, message: String) -> Self {
        Self { template: String::new(), place, message }
    }

    fn of(mut self, template: &str) -> Self {
        self.place = 1 + template.char_indices().take_while(|&(at, _)| at < self.place).count();
        self.template = super::text::truncate(template, 200).into_owned();
        self
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template {}, column {}: {}", super::text::quoted(&self.template), self.place, self.message)
    }
}

/// A template, ready to be applied.
#[derive(Clone, Debug)]
pub struct Template {
    text: String,
    nodes: Vec<Node>,
    is_table: bool,
}

impl Template {
    /// Reads a template; `table ` in front of it makes it one for rows below a header.
    ///
    /// # Errors
    /// The first thing that is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let text = text.trim_matches(' ');
        let (body, is_table) = match text.strip_prefix("table") {
            Some("") => ("", true),
            Some(body) if body.starts_with(' ') => (body.trim_start_matches(' '), true),
            _ => (text, false),
        };
        if text.len() > LONGEST {
            return Err(TemplateError::at(0, format!("{} bytes long: at most {LONGEST} are read", text.len())).of(body));
        }
        let nodes = parser::parse(body).map_err(|error| error.of(body))?;
        Ok(Self { text: body.to_owned(), nodes, is_table })
    }

    /// Whether it began with `table`: rows are to be cut into cells at tabs and put below [`Template::header`].
    pub fn is_table(&self) -> bool {
        self.is_table
    }

    /// Whether it began with `table` and says nothing else: the usual columns are wanted.
    pub fn is_plain_table(&self) -> bool {
        self.is_table && self.nodes.is_empty()
    }

    /// Applies it to `value`.
    ///
    /// # Errors
    /// What it asks for and `value` does not have, and output without end.
    pub fn render(&self, value: &Value) -> Result<String, TemplateError> {
        run::render(&self.nodes, value, if self.is_table { run::Mode::Row } else { run::Mode::Text }).map_err(|error| error.of(&self.text))
    }

    /// The header of its table: each field's title from `titles`, else its name in capitals.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn header(&self, titles: &[(&str, &str)]) -> Result<String, TemplateError> {
        run::render(&self.nodes, &Value::Null, run::Mode::Header(titles)).map_err(|error| error.of(&self.text))
    }
}

#[cfg(test)]
mod tests;
