//! The words inside a template's `{{…}}`.

use super::TemplateError;

/// One word or sign of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `.Names` without its dot.
    Field(String),
    /// A dot alone.
    Dot,
    /// `$name` with its sign; `$` alone is the whole value.
    Variable(String),
    /// A function's name or a keyword.
    Name(String),
    Text(String),
    Integer(i64),
    Number(f64),
    Pipe,
    Open,
    Close,
    Comma,
    /// `:=`.
    Declare,
    /// `=`.
    Assign,
}

/// A token, its place in the template (bytes from its beginning), and whether white space stands before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub token: Token,
    pub at: usize,
    pub spaced: bool,
}

/// Takes the inside of an action apart; `at` is its place in the whole.
pub(super) fn read(action: &str, at: usize) -> Result<Vec<Placed>, TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = action;
    let mut spaced = true;
    while let Some(first) = rest.chars().next() {
        let place = at + action.len() - rest.len();
        if first.is_ascii_whitespace() {
            rest = &rest[1..];
            spaced = true;
            continue;
        }
        let (token, bytes) = one(rest, first).map_err(|message| TemplateError::at(place, message))?;
        tokens.push(Placed { token, at: place, spaced });
        rest = &rest[bytes..];
        spaced = false;
    }
    Ok(tokens)
}

fn name_bytes(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn one(rest: &str, first: char) -> Result<(Token, usize), String> {
    let name = |skip: usize| {
        let bytes = skip + name_bytes(&rest[skip..]);
        (rest[skip..bytes].to_owned(), bytes)
    };
    Ok(match first {
        '|' => (Token::Pipe, 1),
        '(' => (Token::Open, 1),
        ')' => (Token::Close, 1),
        ',' => (Token::Comma, 1),
        '=' => (Token::Assign, 1),
        ':' if rest.starts_with(":=") => (Token::Declare, 2),
        '"' => quoted(rest)?,
        '`' => {
            let end = rest[1..].find('`').ok_or("a ` that is never closed")?;
            (Token::Text(rest[1..=end].to_owned()), end + 2)
        }
        '$' => {
            let (name, bytes) = name(1);
            (Token::Variable(name), bytes)
        }
        '.' if name_bytes(&rest[1..]) == 0 => (Token::Dot, 1),
        '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            let (name, bytes) = name(1);
            (Token::Field(name), bytes)
        }
        '0'..='9' | '-' | '+' | '.' => number(rest)?,
        c if c.is_alphabetic() || c == '_' => {
            let (name, bytes) = name(0);
            (Token::Name(name), bytes)
        }
        c => return Err(format!("{c:?} means nothing in a template")),
    })
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let bytes = rest.char_indices().find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || (at == 0 && matches!(c, '-' | '+')))).map_or(rest.len(), |(at, _)| at);
    let text = &rest[..bytes];
    let token = match text.parse() {
        Ok(whole) => Token::Integer(whole),
        Err(_) => Token::Number(text.parse().map_err(|_| format!("{text:?} is no number"))?),
    };
    Ok((token, bytes))
}

fn quoted(rest: &str) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(text), at + 1)),
            '\n' => break,
            '\\' => text.push(match chars.next().map(|(_, c)| c) {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('a') => '\u{7}',
                Some(c @ ('"' | '\\' | '\'')) => c,
                Some('x') => {
                    let digits: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                    let code = u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2);
                    code.map(char::from).ok_or_else(|| format!("\\x{digits} is not \\x and two hexadecimal digits"))?
                }
                other => return Err(format!("the escape \\{} is not known here", other.unwrap_or(' '))),
            }),
            c => text.push(c),
        }
    }
    Err("a \" that is never closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        read(text, 0).unwrap().into_iter().map(|placed| placed.token).collect()
    }

    #[test]
    fn words_are_told_apart() {
        assert_eq!(
            tokens("json .A.B | printf \"%s\\n\" $x . -1 2.5"),
            [
                Token::Name("json".to_owned()),
                Token::Field("A".to_owned()),
                Token::Field("B".to_owned()),
                Token::Pipe,
                Token::Name("printf".to_owned()),
                Token::Text("%s\n".to_owned()),
                Token::Variable("x".to_owned()),
                Token::Dot,
                Token::Integer(-1),
                Token::Number(2.5),
            ]
        );
        assert_eq!(tokens("$k, $v := (`a\"b`)").len(), 7);
    }

    #[test]
    fn places_are_known() {
        let placed = read("a .b.c", 10).unwrap();
        assert_eq!(placed.iter().map(|placed| (placed.at, placed.spaced)).collect::<Vec<_>>(), [(10, true), (12, true), (14, false)]);
        for text in ["\"a", "`a", "a & b", "1.2.3", "\"\\q\"", "\"\\xz\"", "\"a\nb\""] {
            assert!(read(text, 0).is_err(), "{text}");
        }
    }
}
