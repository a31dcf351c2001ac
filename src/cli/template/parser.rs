//! A template's text as a tree of nodes.

use super::lexer::{self, Placed, Token};
use super::{DEEPEST, TemplateError};
use serde_json::Value;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// Written, unless it sets a variable.
    Pipe(Pipe),
    If(Pipe, Vec<Node>, Vec<Node>),
    With(Pipe, Vec<Node>, Vec<Node>),
    Range(Pipe, Vec<Node>, Vec<Node>),
}

/// Commands, each given the result of the one before as its last argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipe {
    /// `$a :=`, or `$key, $value :=` of a range.
    pub variables: Vec<String>,
    /// They are those set before: `=`.
    pub again: bool,
    pub commands: Vec<Command>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    /// A function's name with its arguments, or one operand; never empty.
    pub words: Vec<Operand>,
    pub at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operand {
    pub base: Base,
    /// `.A.B` behind it.
    pub fields: Vec<String>,
    pub at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Constant(Value),
    Function(String),
    Pipe(Box<Pipe>),
}

/// An action of the template that is not yet placed in the tree, or text.
enum Piece<'a> {
    Text(String),
    Action { inside: &'a str, at: usize },
}

/// Cuts the template at `{{` and `}}`, trims as `{{-` and `-}}` say, and drops comments.
fn pieces(template: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut trim = false;
    loop {
        let open = template[at..].find("{{").map_or(template.len(), |bytes| at + bytes);
        let mut text = &template[at..open];
        if trim {
            text = text.trim_start();
        }
        let trims_before = template[open..].starts_with("{{- ");
        if trims_before {
            text = text.trim_end();
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.replace("\\t", "\t").replace("\\n", "\n")));
        }
        if open == template.len() {
            return Ok(pieces);
        }
        let start = open + if trims_before { 3 } else { 2 };
        let close =
            action_end(&template[start..]).map(|bytes| start + bytes).ok_or_else(|| TemplateError::at(open, "a {{ that is never closed by }}".to_owned()))?;
        let mut inside = &template[start..close];
        trim = inside.ends_with(" -");
        if trim {
            inside = &inside[..inside.len() - 2];
        }
        if !(inside.trim_start().starts_with("/*") && inside.trim_end().ends_with("*/")) {
            pieces.push(Piece::Action { inside, at: start });
        }
        at = close + 2;
    }
}

/// Where `}}` stands outside of quotes and comments.
fn action_end(text: &str) -> Option<usize> {
    if text.trim_start().starts_with("/*") {
        let end = text.find("*/")?;
        return text[end..].find("}}").map(|bytes| end + bytes);
    }
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some('"') if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '`' => quote = Some(c),
            None if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

pub(super) fn parse(template: &str) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser { pieces: pieces(template)?.into_iter(), depth: 0 };
    let (nodes, end) = parser.nodes()?;
    match end {
        End::OfText => Ok(nodes),
        End::Block(at) => Err(TemplateError::at(at, "an {{end}} with nothing to end".to_owned())),
        End::Else(at, _) => Err(TemplateError::at(at, "an {{else}} outside of if, with or range".to_owned())),
    }
}

struct Parser<'a> {
    pieces: std::vec::IntoIter<Piece<'a>>,
    depth: usize,
}

/// What ended a list of nodes.
enum End {
    OfText,
    Block(usize),
    /// With the tokens of an `else if …` or `else with …`.
    Else(usize, Vec<Placed>),
}

impl Parser<'_> {
    fn nodes(&mut self) -> Result<(Vec<Node>, End), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (inside, at) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action { inside, at } => (inside, at),
            };
            let mut tokens = lexer::read(inside, at)?;
            let keyword = match tokens.first().map(|placed| &placed.token) {
                Some(Token::Name(name)) => name.clone(),
                Some(_) => String::new(),
                None => return Err(TemplateError::at(at, "an empty {{}}".to_owned())),
            };
            match keyword.as_str() {
                "end" if tokens.len() == 1 => return Ok((nodes, End::Block(at))),
                "else" => {
                    tokens.remove(0);
                    return Ok((nodes, End::Else(at, tokens)));
                }
                "if" | "with" | "range" => nodes.push(self.block(&keyword, &tokens[1..], at)?),
                "end" | "define" | "template" | "block" | "break" | "continue" => {
                    return Err(TemplateError::at(at, format!("{keyword} is not known here")));
                }
                _ => nodes.push(Node::Pipe(pipe(&tokens, at)?)),
            }
        }
        Ok((nodes, End::OfText))
    }

    fn block(&mut self, keyword: &str, tokens: &[Placed], at: usize) -> Result<Node, TemplateError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TemplateError::at(at, format!("blocks more than {DEEPEST} deep")));
        }
        let condition = pipe(tokens, at)?;
        if condition.variables.len() > 1 && keyword != "range" {
            return Err(TemplateError::at(at, format!("{keyword} takes one variable at most")));
        }
        let (body, end) = self.nodes()?;
        let otherwise = match end {
            End::Block(_) => Vec::new(),
            End::Else(at, tokens) => match tokens.first().map(|placed| &placed.token) {
                None => match self.nodes()? {
                    (nodes, End::Block(_)) => nodes,
                    (_, End::Else(at, _)) => return Err(TemplateError::at(at, "a second {{else}}".to_owned())),
                    (_, End::OfText) => return Err(TemplateError::at(at, "an {{else}} without its {{end}}".to_owned())),
                },
                Some(Token::Name(name)) if name == "if" || name == "with" => vec![self.block(&name.clone(), &tokens[1..], at)?],
                Some(_) => return Err(TemplateError::at(at, "expected else, else if or else with".to_owned())),
            },
            End::OfText => return Err(TemplateError::at(at, format!("{{{{{keyword}}}}} without its {{{{end}}}}"))),
        };
        self.depth -= 1;
        Ok(match keyword {
            "if" => Node::If(condition, body, otherwise),
            "with" => Node::With(condition, body, otherwise),
            _ => Node::Range(condition, body, otherwise),
        })
    }
}

fn pipe(tokens: &[Placed], at: usize) -> Result<Pipe, TemplateError> {
    let mut commands = Commands { tokens, next: 0, end: at };
    let pipe = commands.pipe(0)?;
    match commands.peek() {
        None => Ok(pipe),
        Some(placed) => Err(TemplateError::at(placed.at, "unexpected here".to_owned())),
    }
}

struct Commands<'a> {
    tokens: &'a [Placed],
    next: usize,
    /// A place to name if the tokens end too early.
    end: usize,
}

impl<'a> Commands<'a> {
    fn peek(&self) -> Option<&'a Placed> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, token: &Token) -> bool {
        let fits = self.peek().is_some_and(|placed| placed.token == *token);
        self.next += usize::from(fits);
        fits
    }

    /// The variables that are set, and whether they were before.
    fn variables(&mut self) -> (Vec<String>, bool) {
        let start = self.next;
        let mut names = Vec::new();
        while let Some(Placed { token: Token::Variable(name), .. }) = self.peek() {
            names.push(name.clone());
            self.next += 1;
            let again = self.take(&Token::Assign);
            if (again || self.take(&Token::Declare)) && names.len() <= 2 && names.iter().all(|name| !name.is_empty()) {
                return (names, again);
            }
            if !self.take(&Token::Comma) {
                break;
            }
        }
        self.next = start;
        (Vec::new(), false)
    }

    fn pipe(&mut self, depth: usize) -> Result<Pipe, TemplateError> {
        if depth > DEEPEST {
            return Err(TemplateError::at(self.end, format!("parentheses more than {DEEPEST} deep")));
        }
        let (variables, again) = self.variables();
        let mut commands = Vec::new();
        loop {
            let at = self.peek().map_or(self.end, |placed| placed.at);
            let mut words = Vec::new();
            while let Some(operand) = self.operand(depth)? {
                words.push(operand);
            }
            match words.first() {
                None => return Err(TemplateError::at(at, "a value or a function is missing".to_owned())),
                Some(first) if !commands.is_empty() && !matches!(first.base, Base::Function(_)) => {
                    return Err(TemplateError::at(at, "only a function can stand behind |".to_owned()));
                }
                Some(_) => commands.push(Command { words, at }),
            }
            if !self.take(&Token::Pipe) {
                return Ok(Pipe { variables, again, commands });
            }
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Option<Operand>, TemplateError> {
        let Some(placed) = self.peek() else { return Ok(None) };
        let mut fields = Vec::new();
        let base = match &placed.token {
            Token::Field(name) => {
                fields.push(name.clone());
                Base::Dot
            }
            Token::Dot => Base::Dot,
            Token::Variable(name) => Base::Variable(name.clone()),
            Token::Name(name) => match name.as_str() {
                "true" => Base::Constant(Value::Bool(true)),
                "false" => Base::Constant(Value::Bool(false)),
                "nil" => Base::Constant(Value::Null),
                _ => Base::Function(name.clone()),
            },
            Token::Text(text) => Base::Constant(Value::from(text.as_str())),
            Token::Integer(number) => Base::Constant(Value::from(*number)),
            Token::Number(number) => Base::Constant(Value::from(*number)),
            Token::Open => {
                self.next += 1;
                let inner = self.pipe(depth + 1)?;
                if self.peek().is_none_or(|placed| placed.token != Token::Close) {
                    return Err(TemplateError::at(placed.at, "a ( that is never closed".to_owned()));
                }
                Base::Pipe(Box::new(inner))
            }
            Token::Pipe | Token::Close => return Ok(None),
            Token::Comma | Token::Assign | Token::Declare => return Err(TemplateError::at(placed.at, "unexpected here".to_owned())),
        };
        self.next += 1;
        while let Some(Placed { token: Token::Field(name), spaced: false, .. }) = self.peek() {
            fields.push(name.clone());
            self.next += 1;
        }
        Ok(Some(Operand { base, fields, at: placed.at }))
    }
}
