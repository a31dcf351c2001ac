//! The batch language: one verb a line, quoted as in a shell, with variables and nothing else that could surprise.
//!
//! ```text
//! # a comment
//! IMAGE=busybox:1                       a value for the lines below
//! ID=$(run -d --name web $IMAGE sleep 60)   what a verb prints, without the line ends behind it
//! exec $ID sh -c 'echo "$HOME"'         '…' as it stands, "…" with $NAME and ${NAME}
//! logs \                                a backslash continues the line
//!   web; rm -f web                      ; separates statements
//! ```
//!
//! A variable is always a part of one word: it is never split at spaces. One that was never set is an error. There are
//! no pipes, redirections, globs or nested substitutions, and their signs are refused rather than taken as text.
//! Parsing touches nothing: a script with an error on its last line does not begin.

mod lexer;

use lexer::{Lexer, Token};
pub use lexer::{Part, Word};
use std::collections::HashMap;
use std::fmt;

/// Most bytes of a statement, of its words after expansion, and of a variable.
pub const LONGEST: usize = 1 << 20;
/// Most lines of one statement: they are continued lines, or lines in quotes.
pub const TALLEST: usize = 1000;
/// Most lines of a script.
pub const LINES: usize = 100_000;
/// Most bytes of a script; whoever reads one need not read further.
pub const BYTES: usize = 64 << 20;

/// What is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BatchError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
    /// More lines could mend it: a quote or a backslash is open.
    pub incomplete: bool,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// What is done with a statement's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// They are a verb and its arguments.
    Run,
    /// The one word is the variable's value.
    Set(String),
    /// They are a verb, and what it prints is the variable's value.
    Capture(String),
}

/// One verb or assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The line it begins on, counted from 1.
    pub line: usize,
    /// What is to be done.
    pub action: Action,
    /// At least one.
    pub words: Vec<Word>,
}

impl Statement {
    /// The words with the variables of this moment in them.
    ///
    /// # Errors
    /// A variable that is not set, and words that grow beyond [`LONGEST`].
    pub fn expand(&self, variables: &Variables) -> Result<Vec<String>, BatchError> {
        let wrong = |message| BatchError { line: self.line, message, incomplete: false };
        let mut bytes = 0;
        let mut words = Vec::with_capacity(self.words.len());
        for word in &self.words {
            let mut text = String::new();
            for part in &word.0 {
                let piece = match part {
                    Part::Text(text) => text,
                    Part::Variable(name) => variables.get(name).ok_or_else(|| wrong(format!("${name} is not set: assign it first, or export it")))?,
                };
                bytes += piece.len();
                if bytes > LONGEST {
                    return Err(wrong(format!("its words grow beyond {LONGEST} bytes")));
                }
                text.push_str(piece);
            }
            words.push(text);
        }
        Ok(words)
    }
}

/// A whole script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// In their order.
    pub statements: Vec<Statement>,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BatchError> {
        if text.len() > BYTES {
            return Err(BatchError { line: 1, message: format!("a script of {} bytes: at most {BYTES} are read", text.len()), incomplete: false });
        }
        parse_from(text, 1).map(|statements| Self { statements })
    }
}

/// A script that comes line by line, its statements to be run as they come.
#[derive(Debug, Default)]
pub struct Feed {
    pending: String,
    lines: usize,
    /// Lines before those in `pending`.
    before: usize,
}

impl Feed {
    /// One more line; gives the statements that are whole now.
    ///
    /// # Errors
    /// What is wrong with the statement that this line ends; that statement is dropped.
    pub fn line(&mut self, line: &str) -> Result<Vec<Statement>, BatchError> {
        self.pending.push_str(line.strip_suffix('\n').unwrap_or(line));
        self.pending.push('\n');
        self.lines += 1;
        match parse_from(&self.pending, self.before + 1) {
            Err(error) if error.incomplete => Ok(Vec::new()),
            done => {
                self.pending.clear();
                self.before = self.lines;
                done
            }
        }
    }

    /// The end of the script.
    ///
    /// # Errors
    /// A quote or a backslash that was left open.
    pub fn finish(&mut self) -> Result<(), BatchError> {
        let pending = std::mem::take(&mut self.pending);
        parse_from(&pending, self.before + 1).map(drop)
    }
}

fn parse_from(text: &str, first_line: usize) -> Result<Vec<Statement>, BatchError> {
    let mut lexer = Lexer::new(text, first_line);
    let mut statements = Vec::new();
    loop {
        let token = lexer.token()?;
        if lexer.line > LINES + 1 {
            return Err(lexer.error(format!("a script of more than {LINES} lines")));
        }
        let line = lexer.began;
        match token {
            Token::EndOfText => return Ok(statements),
            Token::Assign(name) => statements.push(assignment(&mut lexer, line, name)?),
            Token::Word(word) => {
                let mut words = vec![word];
                while let Token::Word(word) = lexer.token()? {
                    words.push(word);
                }
                statements.push(Statement { line, action: Action::Run, words });
            }
            Token::End | Token::Open | Token::Close => {}
        }
    }
}

fn assignment(lexer: &mut Lexer<'_>, line: usize, name: String) -> Result<Statement, BatchError> {
    let value = lexer.value()?;
    let statement = if let Token::Word(word) = value {
        Statement { line, action: Action::Set(name), words: vec![word] }
    } else {
        let mut words = Vec::new();
        loop {
            match lexer.token()? {
                Token::Word(word) => words.push(word),
                Token::Close => break,
                _ => return Err(BatchError { line, message: format!("{name}=$( is not closed by ) on its line"), incomplete: false }),
            }
        }
        lexer.in_capture = false;
        if words.is_empty() {
            return Err(BatchError { line, message: format!("{name}=$() holds no verb"), incomplete: false });
        }
        Statement { line, action: Action::Capture(name), words }
    };
    match lexer.token()? {
        Token::End | Token::EndOfText => Ok(statement),
        _ => Err(BatchError {
            line,
            message: "an assignment stands alone: quote a value with spaces, and write the verb on a line of its own".to_owned(),
            incomplete: false,
        }),
    }
}

/// The values of names: those assigned, then those of the environment.
#[derive(Clone, Debug, Default)]
pub struct Variables(HashMap<String, String>);

impl Variables {
    /// Those of this process's environment that are text.
    pub fn from_environment() -> Self {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&String> {
        self.0.get(name)
    }

    /// Gives `name` a value.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Gives `name` what a verb printed, without the line ends behind it.
    pub fn capture(&mut self, name: &str, printed: &str) {
        self.set(name, printed.trim_end_matches(['\n', '\r']));
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// Words as a line of this language, and of a shell, that means just them.
pub fn quote<S: AsRef<str>>(words: &[S]) -> String {
    let plain =
        |word: &str, first: bool| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c) || (c == '=' && !first));
    let quoted = words.iter().enumerate().map(|(at, word)| {
        let word = word.as_ref();
        if plain(word, at == 0) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
