//! A Rust file taken apart far enough for the rules of the house: its words, its comments, and the rooms it names.

/// One word or sign of the code, with the line it stands on; strings, characters and comments are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A file's code and comments, apart.
#[derive(Default)]
pub struct RustText {
    pub tokens: Vec<Token>,
    pub comments: Vec<Token>,
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (head, tail) = self.rest.split_at(bytes);
        self.line += head.matches('\n').count();
        self.rest = tail;
        head
    }

    /// Up to and with the first `end`, or all there is.
    fn take_through(&mut self, end: &str) -> &'a str {
        let bytes = self.rest.find(end).map_or(self.rest.len(), |at| at + end.len());
        self.take(bytes)
    }

    fn block_comment(&mut self) -> &'a str {
        let start = self.rest;
        let mut depth = 0usize;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
            } else if let Some(c) = self.rest.chars().next() {
                self.take(c.len_utf8());
            }
            if depth == 0 || self.rest.is_empty() {
                return &start[..start.len() - self.rest.len()];
            }
        }
    }

    fn quoted(&mut self) {
        self.take(1);
        while let Some(c) = self.rest.chars().next() {
            self.take(c.len_utf8());
            match c {
                '"' => return,
                '\\' => {
                    let escaped = self.rest.chars().next().map_or(0, char::len_utf8);
                    self.take(escaped);
                }
                _ => {}
            }
        }
    }

    /// The length of `r"`, `r#"`, `br##"` and the like, with the sign that ends it.
    fn raw_string(&self) -> Option<(usize, String)> {
        let after = self.rest.strip_prefix("br").or_else(|| self.rest.strip_prefix("cr")).or_else(|| self.rest.strip_prefix('r'))?;
        let hashes = after.len() - after.trim_start_matches('#').len();
        after[hashes..].starts_with('"').then(|| (self.rest.len() - after.len() + hashes + 1, format!("\"{}", "#".repeat(hashes))))
    }

    /// The length of a character such as `'a'` or `'\n'`; a lifetime is none.
    fn character(&self) -> Option<usize> {
        let inner = self.rest.strip_prefix('\'')?;
        if let Some(escape) = inner.strip_prefix('\\') {
            let first = escape.chars().next()?.len_utf8();
            return escape[first..].find('\'').map(|at| 2 + first + at + 1);
        }
        let first = inner.chars().next()?.len_utf8();
        inner[first..].starts_with('\'').then_some(first + 2)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Takes `text` apart.
pub fn read(text: &str) -> RustText {
    let mut parts = RustText::default();
    let mut reader = Reader { rest: text, line: 1 };
    while let Some(c) = reader.rest.chars().next() {
        let line = reader.line;
        if reader.rest.starts_with("//") {
            let text = reader.take_through("\n").to_owned();
            parts.comments.push(Token { text, line });
        } else if reader.rest.starts_with("/*") {
            let text = reader.block_comment().to_owned();
            parts.comments.push(Token { text, line });
        } else if let Some((open, close)) = reader.raw_string() {
            reader.take(open);
            reader.take_through(&close);
        } else if c == '"' {
            reader.quoted();
        } else if let Some(bytes) = reader.character() {
            reader.take(bytes);
        } else if is_word(c) {
            let bytes = reader.rest.find(|c| !is_word(c)).unwrap_or(reader.rest.len());
            let text = reader.take(bytes).to_owned();
            parts.tokens.push(Token { text, line });
        } else if reader.rest.starts_with("::") {
            parts.tokens.push(Token { text: reader.take(2).to_owned(), line });
        } else {
            let sign = reader.take(c.len_utf8()).to_owned();
            if !c.is_whitespace() {
                parts.tokens.push(Token { text: sign, line });
            }
        }
    }
    parts
}

/// The names directly below `crate` that `tokens`, a file of the module `depth` levels below it, reaches for.
///
/// `crate::a::b`, `crate::{a::b, c}` and as many `super::` as lead to the top. A `*` there is reported as such: it
/// would name every room at once.
pub fn rooms_named(tokens: &[Token], depth: usize) -> Vec<Token> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    let mut inner: Vec<usize> = Vec::new();
    let mut braces = 0usize;
    let mut at = 0;
    while at < tokens.len() {
        match text(at) {
            "mod" if text(at + 2) == "{" => {
                inner.push(braces);
                braces += 1;
                at += 3;
                continue;
            }
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if inner.last() == Some(&braces) {
                    inner.pop();
                }
            }
            "crate" if text(at + 1) == "::" => first_names(tokens, at + 2, &mut found),
            "crate" if text(at + 1) == "as" => found.push(Token { text: "*".to_owned(), line: tokens[at].line }),
            "super" if text(at + 1) == "::" => {
                let mut supers = 1;
                while text(at + 2 * supers) == "super" && text(at + 2 * supers + 1) == "::" {
                    supers += 1;
                }
                if supers >= depth + inner.len() {
                    first_names(tokens, at + 2 * supers, &mut found);
                }
                at += 2 * supers;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The first name of a path, or of each path of a group in braces, that begins at `at`.
fn first_names(tokens: &[Token], at: usize, found: &mut Vec<Token>) {
    match tokens.get(at) {
        Some(token) if token.text == "{" => {
            let (mut depth, mut fresh) = (1, true);
            for token in &tokens[at + 1..] {
                match token.text.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    "," if depth == 1 => fresh = true,
                    "::" if depth == 1 && fresh => {}
                    _ if depth == 1 && fresh => {
                        found.push(token.clone());
                        fresh = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    return;
                }
            }
        }
        Some(token) => found.push(token.clone()),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        read(text).tokens.into_iter().map(|token| token.text).collect()
    }

    fn rooms(text: &str, depth: usize) -> Vec<String> {
        rooms_named(&read(text).tokens, depth).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn strings_comments_and_characters_are_no_code() {
        assert_eq!(words("a \"b \\\" c\" d"), ["a", "d"]);
        assert_eq!(words("a r#\"b \" c\"# d br\"e\" f"), ["a", "d", "f"]);
        assert_eq!(words("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
        assert_eq!(words("a '\"' b '\\'' c '\\u{41}' d"), ["a", "b", "c", "d"]);
        assert_eq!(words("fn f<'a>(x: &'a str)"), ["fn", "f", "<", "'", "a", ">", "(", "x", ":", "&", "'", "a", "str", ")"]);
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let parts = read("\"\n\n\" a /*\n*/ b // c\nd");
        assert_eq!(parts.tokens.iter().map(|t| t.line).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(parts.comments.iter().map(|t| t.line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn paths_from_the_top_are_found() {
        assert_eq!(rooms("use crate::sys::mount;", 1), ["sys"]);
        assert_eq!(rooms("use crate::{id::ContainerId, sys::{a, b}, graph};", 1), ["id", "sys", "graph"]);
        assert_eq!(rooms("fn f() { crate::engine::run() }", 1), ["engine"]);
        assert_eq!(rooms("// use crate::sys;\n\"crate::sys\"", 1), [""; 0]);
        assert_eq!(rooms("use crate::*;", 1), ["*"]);
        assert_eq!(rooms("use crate as everything;", 1), ["*"]);
    }

    #[test]
    fn so_are_those_through_super() {
        assert_eq!(rooms("use super::super::sys;", 2), ["sys"]);
        assert_eq!(rooms("use super::sibling;", 2), [""; 0]);
        assert_eq!(rooms("use super::id;", 1), ["id"]);
        assert_eq!(rooms("mod tests { use super::super::sibling; }", 2), [""; 0]);
        assert_eq!(rooms("mod tests { use super::super::super::sys; } fn f() {}", 2), ["sys"]);
        assert_eq!(rooms("mod tests { fn g() {} } use super::super::sys;", 2), ["sys"]);
    }
}
