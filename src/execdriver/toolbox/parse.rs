//! Lines of the small shell, read into what is to be done.
//!
//! ```text
//!  line      pipeline { (; | newline | && | ||) pipeline }
//!  pipeline  [!] command { | command }
//!  command   { NAME=WORD } { WORD } { redirection }
//! ```
//!
//! What a bigger shell knows beside that is refused by name: nothing is run that was meant differently.

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes. Quoted ones are no pattern and are never split.
    Text {
        /// The bytes.
        bytes: Vec<u8>,
        /// They stood in quotes or behind a backslash.
        quoted: bool,
    },
    /// The value of a variable.
    Variable {
        /// Its name, or one of `?`, `$`, `#` and digits.
        name: Vec<u8>,
        /// It stood in double quotes.
        quoted: bool,
    },
}

/// A word before its variables are put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word(pub Vec<Piece>);

/// How a file is opened for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `<`
    Read,
    /// `>`
    Write,
    /// `>>`
    Append,
}

/// Where a stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To or from a file.
    File(Word, Access),
    /// Where this other stream goes.
    Stream(i32),
}

/// A stream, 0 to 2, led elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// Which.
    pub stream: i32,
    /// Where to.
    pub target: Target,
}

/// One command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Variables set for it, or for the shell if there is no word.
    pub assignments: Vec<(Vec<u8>, Word)>,
    /// Its name and its arguments.
    pub words: Vec<Word>,
    /// Its streams, in order.
    pub redirections: Vec<Redirection>,
}

/// Commands that run side by side, each reading what the one before it writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// Its status is turned around.
    pub not: bool,
    /// The commands; at least one.
    pub commands: Vec<Command>,
}

/// When a pipeline runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In any case.
    Always,
    /// If the one before it went well.
    Success,
    /// If it did not.
    Failure,
}

/// Why a line is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It goes on: a quote is open, or an operator waits for its right side.
    Incomplete,
    /// It cannot be read.
    Wrong(String),
}

/// Words that begin what this shell does not have.
const RESERVED: [&[u8]; 11] = [b"if", b"then", b"for", b"while", b"until", b"case", b"do", b"function", b"select", b"{", b"[["];

fn wrong<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::Wrong(what.into()))
}

/// Reads a text of one or more lines.
///
/// # Errors
/// It goes on, or cannot be read.
pub fn parse(text: &[u8]) -> Result<Vec<(When, Pipeline)>, Error> {
    let mut reader = Reader { text, at: 0 };
    let mut line = Vec::new();
    let mut when = When::Always;
    loop {
        reader.skip(true);
        if reader.peek().is_none() {
            return if when == When::Always { Ok(line) } else { Err(Error::Incomplete) };
        }
        line.push((when, reader.pipeline()?));
        when = reader.operator()?;
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    fn take(&mut self, text: &[u8]) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Skips blanks and a comment; line ends as well where a command may begin.
    fn skip(&mut self, lines: bool) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\n') if lines => self.at += 1,
                Some(b'\\') if self.rest().starts_with(b"\\\n") => self.at += 2,
                Some(b'#') => self.at += self.rest().iter().position(|byte| *byte == b'\n').unwrap_or(self.rest().len()),
                _ => return,
            }
        }
    }

    /// What stands between two pipelines.
    fn operator(&mut self) -> Result<When, Error> {
        if self.take(b"&&") {
            return Ok(When::Success);
        }
        if self.take(b"||") {
            return Ok(When::Failure);
        }
        match self.peek() {
            None => Ok(When::Always),
            Some(b';' | b'\n') => {
                self.at += 1;
                Ok(When::Always)
            }
            Some(b'&') => wrong("`&`: nothing runs in the background here; open another console"),
            Some(byte) => wrong(format!("unexpected `{}`", byte.escape_ascii())),
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, Error> {
        let mut pipeline = Pipeline::default();
        while self.rest().starts_with(b"!") && matches!(self.text.get(self.at + 1), None | Some(b' ' | b'\t')) {
            self.at += 1;
            pipeline.not = !pipeline.not;
            self.skip(false);
        }
        loop {
            pipeline.commands.push(self.command()?);
            self.skip(false);
            if self.rest().starts_with(b"||") || !self.take(b"|") {
                return Ok(pipeline);
            }
            self.skip(true);
            if self.peek().is_none() {
                return Err(Error::Incomplete);
            }
        }
    }

    fn command(&mut self) -> Result<Command, Error> {
        let mut command = Command::default();
        loop {
            self.skip(false);
            if let Some(redirection) = self.redirection()? {
                command.redirections.push(redirection);
                continue;
            }
            let begin = self.at;
            let Some(word) = self.word()? else { break };
            let raw = &self.text[begin..self.at];
            if command.words.is_empty() {
                if RESERVED.contains(&raw) {
                    return wrong(format!("there is no `{}` here: this small shell knows ; && || ! | and redirections", raw.escape_ascii()));
                }
                if let Some(assignment) = assignment(&word) {
                    command.assignments.push(assignment);
                    continue;
                }
            }
            command.words.push(word);
        }
        if command == Command::default() {
            return wrong(match self.peek() {
                Some(byte) => format!("unexpected `{}`", byte.escape_ascii()),
                None => "a command is missing".to_owned(),
            });
        }
        Ok(command)
    }

    fn redirection(&mut self) -> Result<Option<Redirection>, Error> {
        let (number, operator) = match self.rest() {
            [digit @ b'0'..=b'9', b'<' | b'>', ..] => (Some(i32::from(digit - b'0')), 1),
            [b'<' | b'>', ..] => (None, 0),
            _ => return Ok(None),
        };
        self.at += operator;
        if self.rest().starts_with(b"<<") || self.rest().starts_with(b"<>") {
            return wrong("of redirections there are < > >> and >&");
        }
        let access = if self.take(b">>") {
            Access::Append
        } else if self.take(b">") {
            Access::Write
        } else {
            self.at += 1;
            Access::Read
        };
        let stream = number.unwrap_or(i32::from(access != Access::Read));
        if stream > 2 {
            return wrong(format!("{stream}: streams are 0, 1 and 2"));
        }
        if access != Access::Append && self.take(b"&") {
            let Some(other @ b'0'..=b'2') = self.peek() else { return wrong("after & of a redirection: expected 0, 1 or 2") };
            self.at += 1;
            return Ok(Some(Redirection { stream, target: Target::Stream(i32::from(other - b'0')) }));
        }
        self.skip(false);
        match self.word()? {
            Some(word) => Ok(Some(Redirection { stream, target: Target::File(word, access) })),
            None => wrong("a redirection without a file"),
        }
    }

    /// The next word; `None` where there is an operator or the end.
    fn word(&mut self) -> Result<Option<Word>, Error> {
        let mut word = Word::default();
        if self.peek() == Some(b'~') && matches!(self.text.get(self.at + 1), None | Some(b'/' | b' ' | b'\t' | b'\n' | b';' | b'|' | b'&')) {
            self.at += 1;
            word.0.push(Piece::Variable { name: b"HOME".to_vec(), quoted: true });
        }
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' => break,
                b'(' | b')' => return wrong(format!("`{}`: there are no subshells here", char::from(byte))),
                b'\'' => self.single_quoted(&mut word)?,
                b'"' => self.double_quoted(&mut word)?,
                b'\\' => {
                    let Some(next) = self.text.get(self.at + 1) else { return Err(Error::Incomplete) };
                    self.at += 2;
                    if *next != b'\n' {
                        word.push(*next, true);
                    }
                }
                _ => self.plain(&mut word, false)?,
            }
        }
        Ok((!word.0.is_empty()).then_some(word))
    }

    fn single_quoted(&mut self, word: &mut Word) -> Result<(), Error> {
        self.at += 1;
        let Some(length) = self.rest().iter().position(|byte| *byte == b'\'') else { return Err(Error::Incomplete) };
        word.0.push(Piece::Text { bytes: self.rest()[..length].to_vec(), quoted: true });
        self.at += length + 1;
        Ok(())
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), Error> {
        self.at += 1;
        // "" is a word, too.
        word.0.push(Piece::Text { bytes: Vec::new(), quoted: true });
        loop {
            match self.rest() {
                [] | [b'\\'] => return Err(Error::Incomplete),
                [b'"', ..] => {
                    self.at += 1;
                    return Ok(());
                }
                [b'\\', b'\n', ..] => self.at += 2,
                [b'\\', byte @ (b'"' | b'\\' | b'$' | b'`'), ..] => {
                    word.push(*byte, true);
                    self.at += 2;
                }
                _ => self.plain(word, true)?,
            }
        }
    }

    /// A byte that means itself, or a variable.
    fn plain(&mut self, word: &mut Word, quoted: bool) -> Result<(), Error> {
        match self.rest() {
            [b'`', ..] | [b'$', b'(', ..] => return wrong("a command's output cannot be put into a line here"),
            [b'$', b'{', rest @ ..] => {
                let Some(length) = rest.iter().position(|byte| *byte == b'}') else { return Err(Error::Incomplete) };
                let name = &rest[..length];
                if length == 0 || variable_name(name) != length {
                    return wrong(format!("${{{}}}: expected ${{NAME}}", name.escape_ascii()));
                }
                word.0.push(Piece::Variable { name: name.to_vec(), quoted });
                self.at += length + 3;
            }
            [b'$', rest @ ..] if variable_name(rest) > 0 => {
                let length = variable_name(rest);
                word.0.push(Piece::Variable { name: rest[..length].to_vec(), quoted });
                self.at += length + 1;
            }
            [byte, ..] => {
                word.push(*byte, quoted);
                self.at += 1;
            }
            [] => {}
        }
        Ok(())
    }
}

impl Word {
    fn push(&mut self, byte: u8, is_quoted: bool) {
        match self.0.last_mut() {
            Some(Piece::Text { bytes, quoted }) if *quoted == is_quoted => bytes.push(byte),
            _ => self.0.push(Piece::Text { bytes: vec![byte], quoted: is_quoted }),
        }
    }
}

/// How long the variable's name at the beginning is.
fn variable_name(text: &[u8]) -> usize {
    match text.first() {
        Some(b'?' | b'$' | b'#' | b'0'..=b'9') => 1,
        _ => name_length(text),
    }
}

/// How long the name at the beginning is: letters, digits and `_`, no digit first.
pub fn name_length(text: &[u8]) -> usize {
    let length = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if text.first().is_some_and(u8::is_ascii_digit) { 0 } else { length }
}

/// `NAME=WORD`, if the word is that.
fn assignment(word: &Word) -> Option<(Vec<u8>, Word)> {
    let Some((Piece::Text { bytes, quoted: false }, rest)) = word.0.split_first() else { return None };
    let length = name_length(bytes);
    if length == 0 || bytes.get(length) != Some(&b'=') {
        return None;
    }
    let first = Piece::Text { bytes: bytes[length + 1..].to_vec(), quoted: false };
    Some((bytes[..length].to_vec(), Word(std::iter::once(first).chain(rest.iter().cloned()).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str, quoted: bool) -> Piece {
        Piece::Text { bytes: text.as_bytes().to_vec(), quoted }
    }

    fn plain(word: &str) -> Word {
        Word(vec![text(word, false)])
    }

    fn variable(name: &str, quoted: bool) -> Piece {
        Piece::Variable { name: name.as_bytes().to_vec(), quoted }
    }

    fn one(line: &str) -> Command {
        let mut read = parse(line.as_bytes()).unwrap();
        assert_eq!((read.len(), read[0].1.commands.len()), (1, 1), "{line}");
        read.remove(0).1.commands.remove(0)
    }

    #[test]
    fn words() {
        let words = |line: &str| one(line).words;
        assert_eq!(words("echo a  b # c"), [plain("echo"), plain("a"), plain("b")]);
        assert_eq!(
            words("e 'a b'c\"d$X\"\\ f"),
            [plain("e"), Word(vec![text("a b", true), text("c", false), text("d", true), variable("X", true), text(" ", true), text("f", false)]),]
        );
        assert_eq!(words("e \"\" ''"), [plain("e"), Word(vec![text("", true)]), Word(vec![text("", true)])]);
        assert_eq!(
            words("e $A${B}c$?$ a#b"),
            [plain("e"), Word(vec![variable("A", false), variable("B", false), text("c", false), variable("?", false), text("$", false)]), plain("a#b"),]
        );
        assert_eq!(words("e ~/x a~"), [plain("e"), Word(vec![variable("HOME", true), text("/x", false)]), plain("a~")]);
        assert_eq!(words("a\\\nb"), [plain("ab")], "a line goes on behind a backslash");
    }

    #[test]
    fn commands() {
        let command = one("A=1 B= cmd C=2 2>&1 <in >>out 2>err");
        assert_eq!(command.assignments, [(b"A".to_vec(), plain("1")), (b"B".to_vec(), plain(""))]);
        assert_eq!(command.words, [plain("cmd"), plain("C=2")]);
        let file = |stream, name: &str, access| Redirection { stream, target: Target::File(plain(name), access) };
        assert_eq!(
            command.redirections,
            [Redirection { stream: 2, target: Target::Stream(1) }, file(0, "in", Access::Read), file(1, "out", Access::Append), file(2, "err", Access::Write),]
        );
        assert_eq!(one("echo 2 >x").words, [plain("echo"), plain("2")], "a number by itself is a word");
    }

    #[test]
    fn lines() {
        let when = |line: &str| parse(line.as_bytes()).unwrap().iter().map(|(when, pipeline)| (*when, pipeline.commands.len())).collect::<Vec<_>>();
        assert_eq!(when("a && b | c || d; e\n\n#x\nf ;\n"), [(When::Always, 1), (When::Success, 2), (When::Failure, 1), (When::Always, 1), (When::Always, 1),]);
        assert_eq!(when(" \n # nothing"), []);
        assert!(parse(b"! a").unwrap()[0].1.not && !parse(b"! ! a").unwrap()[0].1.not);
        for open in ["'", "a \"", "a &&", "a |", "a ||\n", "a \\", "${A"] {
            assert_eq!(parse(open.as_bytes()), Err(Error::Incomplete), "{open}");
        }
        for bad in ["a & b", "if x", "(a)", "a `b`", "$(a)", "${A:-b}", ";", "a ;; b", "| a", "a | | b", "a <<x", "a >", "a 3>x", "a >&x", "!"] {
            assert!(matches!(parse(bad.as_bytes()), Err(Error::Wrong(_))), "{bad}: {:?}", parse(bad.as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&text);
        }

        #[test]
        fn any_line_is_read_or_refused(line in "[a$A{}?#'\"\\\\|&;<>! \n~=0-3*]{0,40}") {
            let _ = parse(line.as_bytes());
        }

        #[test]
        fn what_is_quoted_is_one_word(inside in "[^']{0,40}") {
            let word = Word(vec![text(&inside, true)]);
            prop_assert_eq!(one(&format!("e '{inside}'")).words, [plain("e"), word]);
        }
    }
}
