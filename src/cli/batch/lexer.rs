//! The batch language's words: quotes, backslashes, variables, comments, and where a statement ends.
//!
//! ```text
//!  pull 'a b' "c $D" e\ f ${G}h   # comment
//!  ──── ───── ────── ──── ─────
//!  word  text  text,  text variable, text      ends at a line end or `;`
//!              variable
//! ```

use super::{BatchError, LONGEST, TALLEST};
use std::iter::Peekable;
use std::str::Chars;

/// A stretch of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Stands for itself.
    Text(String),
    /// Stands for the variable of this name, whatever it then holds, as a part of the same word.
    Variable(String),
}

/// One argument, to be expanded when its statement runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word(pub Vec<Part>);

impl Word {
    fn text(&mut self, c: char) {
        if let Some(Part::Text(text)) = self.0.last_mut() {
            text.push(c);
        } else {
            self.0.push(Part::Text(c.to_string()));
        }
    }

    /// Makes sure that there is a word, though an empty one: `''`.
    fn exists(&mut self) {
        if self.0.is_empty() {
            self.0.push(Part::Text(String::new()));
        }
    }
}

/// What the text is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// `NAME=` at the beginning of a statement; its value is the word or `$(` that follows without a space.
    Assign(String),
    /// `$(` after `NAME=`.
    Open,
    /// `)` inside of `$(`.
    Close,
    End,
    EndOfText,
}

/// Signs that shells give a meaning to and this language does not; refused bare, so that nothing is misread.
const REFUSED: &str = "|&<>()`";

pub(super) struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    /// The line the next character stands on.
    pub line: usize,
    /// The line the statement began on.
    pub began: usize,
    /// Bytes and lines of the statement so far.
    bytes: usize,
    lines: usize,
    /// No word of the statement was read yet.
    at_start: bool,
    /// Inside of `$(`.
    pub in_capture: bool,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str, line: usize) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { chars: text.chars().peekable(), line, began: line, bytes: 0, lines: 0, at_start: true, in_capture: false }
    }

    pub fn error(&self, message: impl Into<String>) -> BatchError {
        BatchError { line: self.line, message: message.into(), incomplete: false }
    }

    fn unfinished(line: usize, message: &str) -> BatchError {
        BatchError { line, message: message.to_owned(), incomplete: true }
    }

    fn next(&mut self) -> Result<Option<char>, BatchError> {
        let Some(c) = self.chars.next() else { return Ok(None) };
        self.bytes += c.len_utf8();
        if self.bytes > LONGEST {
            return Err(self.error(format!("a statement of more than {LONGEST} bytes")));
        }
        if c == '\n' {
            self.line += 1;
            self.lines += 1;
            if self.lines > TALLEST {
                return Err(self.error(format!("a statement of more than {TALLEST} lines: is a quote left open?")));
            }
        }
        if c == '\0' {
            return Err(self.error("a NUL character: no argument can hold one"));
        }
        Ok(Some(c))
    }

    fn ends_statement(&mut self) -> Token {
        (self.bytes, self.lines, self.at_start) = (0, 0, true);
        Token::End
    }

    pub fn token(&mut self) -> Result<Token, BatchError> {
        loop {
            match self.chars.peek().copied() {
                None => return Ok(Token::EndOfText),
                Some('\n' | ';') => {
                    self.next()?;
                    return Ok(self.ends_statement());
                }
                Some(' ' | '\t' | '\r') => {
                    self.next()?;
                }
                Some('#') => {
                    while self.chars.peek().is_some_and(|&c| c != '\n') {
                        self.next()?;
                    }
                }
                Some(')') if self.in_capture => {
                    self.next()?;
                    return Ok(Token::Close);
                }
                Some('\\') if self.continues()? => {}
                Some(_) if self.at_start => {
                    (self.at_start, self.began) = (false, self.line);
                    return match self.assignment()? {
                        Some(name) => Ok(Token::Assign(name)),
                        None => self.word(),
                    };
                }
                Some(_) => return self.word(),
            }
        }
    }

    /// Passes over a backslash at the end of a line, if there is one here.
    fn continues(&mut self) -> Result<bool, BatchError> {
        let mut ahead = self.chars.clone();
        ahead.next();
        let lines_end = match (ahead.next(), ahead.next()) {
            (None, _) => return Err(Self::unfinished(self.line, "a backslash with nothing behind it")),
            (Some('\n'), _) => 2,
            (Some('\r'), Some('\n')) => 3,
            _ => return Ok(false),
        };
        let line = self.line;
        for _ in 0..lines_end {
            self.next()?;
        }
        if self.chars.peek().is_none() {
            return Err(Self::unfinished(line, "a backslash with nothing behind it"));
        }
        Ok(true)
    }

    /// `NAME=`, if the statement begins with it.
    fn assignment(&mut self) -> Result<Option<String>, BatchError> {
        let mut ahead = self.chars.clone();
        let name = name(&mut ahead);
        if name.is_empty() || ahead.next() != Some('=') {
            return Ok(None);
        }
        for _ in 0..=name.chars().count() {
            self.next()?;
        }
        Ok(Some(name))
    }

    /// What stands directly behind `NAME=`: `$(` or a word, empty if there is none.
    pub fn value(&mut self) -> Result<Token, BatchError> {
        let mut ahead = self.chars.clone();
        if (ahead.next(), ahead.next()) == (Some('$'), Some('(')) {
            self.next()?;
            self.next()?;
            self.in_capture = true;
            return Ok(Token::Open);
        }
        self.word()
    }

    /// The word that begins here.
    fn word(&mut self) -> Result<Token, BatchError> {
        let mut word = Word::default();
        while let Some(&c) = self.chars.peek() {
            match c {
                ' ' | '\t' | '\n' | '\r' | ';' => break,
                ')' if self.in_capture => break,
                '\'' => self.single_quotes(&mut word)?,
                '"' => self.double_quotes(&mut word)?,
                '$' => self.variable(&mut word)?,
                '\\' => {
                    if !self.continues()? {
                        self.next()?;
                        let escaped = self.next()?;
                        word.text(escaped.unwrap_or('\\'));
                    }
                }
                c if REFUSED.contains(c) => {
                    return Err(self.error(format!("a bare {c}: there are no pipes, redirections or substitutions here; quote it if it belongs to a word")));
                }
                c => {
                    self.next()?;
                    word.text(c);
                }
            }
        }
        word.exists();
        Ok(Token::Word(word))
    }

    fn single_quotes(&mut self, word: &mut Word) -> Result<(), BatchError> {
        let line = self.line;
        self.next()?;
        word.exists();
        loop {
            match self.next()? {
                Some('\'') => return Ok(()),
                Some(c) => word.text(c),
                None => return Err(Self::unfinished(line, "a ' that is never closed")),
            }
        }
    }

    fn double_quotes(&mut self, word: &mut Word) -> Result<(), BatchError> {
        let line = self.line;
        self.next()?;
        word.exists();
        loop {
            match self.chars.peek().copied() {
                None => return Err(Self::unfinished(line, "a \" that is never closed")),
                Some('"') => {
                    self.next()?;
                    return Ok(());
                }
                Some('$') => self.variable(word)?,
                Some('`') => return Err(self.error("a ` in double quotes: there is no substitution of that kind; use single quotes")),
                Some('\\') if self.continues()? => {}
                Some('\\') => {
                    self.next()?;
                    match self.next()? {
                        Some(c @ ('"' | '\\' | '$' | '`')) => word.text(c),
                        Some(c) => {
                            word.text('\\');
                            word.text(c);
                        }
                        None => {}
                    }
                }
                Some(c) => {
                    self.next()?;
                    word.text(c);
                }
            }
        }
    }

    fn variable(&mut self, word: &mut Word) -> Result<(), BatchError> {
        self.next()?;
        match self.chars.peek().copied() {
            Some('{') => {
                self.next()?;
                let name = name(&mut self.chars);
                if name.is_empty() || self.chars.peek() != Some(&'}') {
                    return Err(self.error("a ${ that is not ${NAME}: write \\$ or single quotes for a dollar sign"));
                }
                self.next()?;
                word.0.push(Part::Variable(name));
            }
            Some('(') => return Err(self.error("a $( inside of a statement: the result of a verb is taken by a line of its own, NAME=$(verb …)")),
            Some(c) if c == '_' || c.is_ascii_alphabetic() => word.0.push(Part::Variable(name(&mut self.chars))),
            Some(c) if c.is_ascii_digit() || "$?!@*#-".contains(c) => {
                return Err(self.error(format!("${c} has no meaning here: write \\$ or single quotes for a dollar sign")));
            }
            _ => word.text('$'),
        }
        Ok(())
    }
}

/// The name that begins here: a letter or `_`, then letters, digits and `_`; empty if there is none.
fn name(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(&c) = chars.peek() {
        if c == '_' || c.is_ascii_alphabetic() || (c.is_ascii_digit() && !name.is_empty()) {
            name.push(c);
            chars.next();
        } else {
            break;
        }
    }
    name
}
