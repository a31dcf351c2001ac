//! The functions that templates can call.

use super::super::text;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Longest text that a function may make, and most parts of a split.
const LONGEST: usize = 4 << 20;
const PARTS: usize = 100_000;
/// Widest padding in columns.
const WIDEST: usize = 1000;

type Val<'v> = Cow<'v, Value>;

/// Calls `name`; the message of an error names it.
pub(super) fn call<'v>(name: &str, mut arguments: Vec<Val<'v>>) -> Result<Val<'v>, String> {
    let wants = |count: usize| if arguments.len() == count { Ok(()) } else { Err(format!("{name} takes {count} arguments, {} are given", arguments.len())) };
    let value = match name {
        "index" => return index(arguments),
        "json" => {
            wants(1)?;
            let json = serde_json::to_string(&*arguments[0]).map_err(|error| format!("json: {error}"))?;
            Value::String(bounded(text::clean_json(&json).into_owned())?)
        }
        "len" => {
            wants(1)?;
            Value::from(length(&arguments[0])?)
        }
        "lower" | "upper" | "title" => {
            wants(1)?;
            let text = plain(&arguments[0])?;
            Value::String(match name {
                "lower" => text.to_lowercase(),
                "upper" => text.to_uppercase(),
                _ => capitals(&text),
            })
        }
        "join" => {
            wants(2)?;
            join(&arguments[0], &plain(&arguments[1])?)?
        }
        "split" => {
            wants(2)?;
            split(&plain(&arguments[0])?, &plain(&arguments[1])?)?
        }
        "pad" => {
            wants(3)?;
            let spaces = |at: usize| whole(&arguments[at]).and_then(|count| usize::try_from(count).ok()).filter(|&count| count <= WIDEST);
            let (before, after) = spaces(1).zip(spaces(2)).ok_or_else(|| format!("pad takes a text and two counts up to {WIDEST}"))?;
            Value::String(format!("{}{}{}", " ".repeat(before), plain(&arguments[0])?, " ".repeat(after)))
        }
        "truncate" => {
            wants(2)?;
            let count = whole(&arguments[1]).and_then(|count| usize::try_from(count).ok()).ok_or("truncate takes a text and a count")?;
            Value::String(plain(&arguments[0])?.chars().take(count).collect())
        }
        "slice" => return slice(&arguments).map(Cow::Owned),
        "not" => {
            wants(1)?;
            Value::Bool(!truth(&arguments[0]))
        }
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => Value::Bool(compare(name, &arguments)?),
        "print" | "println" => Value::String(print(&arguments, name == "println")?),
        "printf" => {
            let rest = arguments.split_off(arguments.len().min(1));
            let format = arguments.first().and_then(|format| format.as_str()).ok_or("printf takes a format in quotes first")?;
            Value::String(printf(format, &rest)?)
        }
        _ => return Err(format!("there is no function {}", text::clean(&text::truncate(name, 60)))),
    };
    Ok(Cow::Owned(value))
}

fn bounded(text: String) -> Result<String, String> {
    if text.len() > LONGEST { Err(format!("a text of more than {LONGEST} bytes")) } else { Ok(text) }
}

/// Whether `if` takes the value for true: not if it is false, 0, or empty.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(items) => !items.is_empty(),
    }
}

/// A value as Go's `%v` writes it: `[a b]`, `map[a:1 b:2]`.
pub(super) fn plain(value: &Value) -> Result<Cow<'_, str>, String> {
    if let Value::String(text) = value {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::new();
    write_plain(value, &mut out)?;
    Ok(Cow::Owned(out))
}

fn write_plain(value: &Value, out: &mut String) -> Result<(), String> {
    if out.len() > LONGEST {
        return Err(format!("a text of more than {LONGEST} bytes"));
    }
    match value {
        Value::Null => out.push_str("<no value>"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => out.push_str(text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { " " } else { "" });
                write_plain(item, out)?;
            }
            out.push(']');
        }
        Value::Object(items) => {
            let mut items: Vec<_> = items.iter().collect();
            items.sort_by_key(|(key, _)| *key);
            out.push_str("map[");
            for (at, (key, item)) in items.into_iter().enumerate() {
                out.push_str(if at > 0 { " " } else { "" });
                out.push_str(key);
                out.push(':');
                write_plain(item, out)?;
            }
            out.push(']');
        }
    }
    Ok(())
}

fn whole(value: &Value) -> Option<i64> {
    value.as_i64()
}

fn length(value: &Value) -> Result<usize, String> {
    match value {
        Value::String(text) => Ok(text.len()),
        Value::Array(items) => Ok(items.len()),
        Value::Object(items) => Ok(items.len()),
        Value::Null => Ok(0),
        _ => Err("len needs a text, a list or a map".to_owned()),
    }
}

/// The first letter of each word as a capital, the rest as it is.
fn capitals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || c == '_' || c == '\'';
    }
    out
}

fn join(list: &Value, between: &str) -> Result<Value, String> {
    let items = match list {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        _ => return Err("join takes a list, then what stands between its items".to_owned()),
    };
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        write_plain(item, &mut out)?;
    }
    bounded(out).map(Value::String)
}

fn split(text: &str, between: &str) -> Result<Value, String> {
    let parts: Vec<Value> = if between.is_empty() {
        text.chars().take(PARTS + 1).map(|c| Value::from(c.to_string())).collect()
    } else {
        text.split(between).take(PARTS + 1).map(Value::from).collect()
    };
    if parts.len() > PARTS { Err(format!("split gives more than {PARTS} parts")) } else { Ok(Value::Array(parts)) }
}

fn index(arguments: Vec<Val<'_>>) -> Result<Val<'_>, String> {
    let mut arguments = arguments.into_iter();
    let mut value = arguments.next().ok_or("index takes a list or a map, then where to look")?;
    for key in arguments {
        let found = match (&value, &*key) {
            (Cow::Borrowed(Value::Object(map)), Value::String(key)) => map.get(key).map(Cow::Borrowed),
            (Cow::Owned(Value::Object(map)), Value::String(key)) => map.get(key).cloned().map(Cow::Owned),
            (Cow::Owned(Value::Null) | Cow::Borrowed(Value::Null), _) => None,
            (list, Value::Number(_)) if list.is_array() => {
                let at = whole(&key).and_then(|at| usize::try_from(at).ok());
                let item = match list {
                    Cow::Borrowed(list) => at.and_then(|at| list.get(at)).map(Cow::Borrowed),
                    Cow::Owned(list) => at.and_then(|at| list.get(at)).cloned().map(Cow::Owned),
                };
                Some(item.ok_or_else(|| format!("index {key}: the list has {} items", list.as_array().map_or(0, Vec::len)))?)
            }
            _ => return Err("index needs a map and a name, or a list and a number".to_owned()),
        };
        // A name that a map does not have gives an empty text, as a map of texts does in Go.
        value = found.unwrap_or_else(|| Cow::Owned(Value::from("")));
    }
    Ok(value)
}

fn slice(arguments: &[Val<'_>]) -> Result<Value, String> {
    let wrong = || "slice takes a text or a list, then where to begin and to end within it".to_owned();
    let (value, bounds) = arguments.split_first().ok_or_else(wrong)?;
    let size = length(value)?;
    let mut bounds = bounds.iter().map(|bound| whole(bound).and_then(|bound| usize::try_from(bound).ok()));
    let begin = bounds.next().unwrap_or(Some(0)).ok_or_else(wrong)?;
    let end = bounds.next().unwrap_or(Some(size)).ok_or_else(wrong)?;
    if begin > end || end > size || bounds.next().is_some() {
        return Err(wrong());
    }
    match &**value {
        Value::String(text) => text.get(begin..end).map(Value::from).ok_or_else(|| "slice cuts a character in two".to_owned()),
        Value::Array(items) => Ok(Value::Array(items[begin..end].to_vec())),
        _ => Err(wrong()),
    }
}

fn compare(name: &str, arguments: &[Val<'_>]) -> Result<bool, String> {
    let (first, rest) = arguments.split_first().ok_or_else(|| format!("{name} takes two values"))?;
    if rest.is_empty() || (rest.len() > 1 && name != "eq") {
        return Err(format!("{name} takes two values"));
    }
    if name == "eq" {
        return Ok(rest.iter().any(|other| order(first, other) == Some(Ordering::Equal)));
    }
    let order = order(first, &rest[0]);
    if name == "ne" {
        return Ok(order != Some(Ordering::Equal));
    }
    let order = order.ok_or_else(|| format!("{name} compares two numbers or two texts"))?;
    Ok(match name {
        "lt" => order.is_lt(),
        "le" => order.is_le(),
        "gt" => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (a, b) if a == b => Some(Ordering::Equal),
        _ => None,
    }
}

fn print(arguments: &[Val<'_>], line: bool) -> Result<String, String> {
    let mut out = String::new();
    for (at, argument) in arguments.iter().enumerate() {
        // `print` puts a space only between two values of which neither is a text; `println` always.
        if at > 0 && (line || !(argument.is_string() || arguments[at - 1].is_string())) {
            out.push(' ');
        }
        write_plain(argument, &mut out)?;
    }
    if line {
        out.push('\n');
    }
    bounded(out)
}

/// A `%` directive of a format: `%-10.3s`.
struct Directive {
    left: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    verb: char,
}

fn directive(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Directive, String> {
    let mut directive = Directive { left: false, zeros: false, width: 0, precision: None, verb: ' ' };
    while let Some(&flag) = chars.peek().filter(|c| matches!(c, '-' | '0' | '+' | '#' | ' ')) {
        directive.left |= flag == '-';
        directive.zeros |= flag == '0';
        chars.next();
    }
    let mut number = || {
        let mut number = 0usize;
        while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(digit as usize);
            chars.next();
        }
        let point = chars.next_if_eq(&'.').is_some();
        if number > WIDEST { Err(format!("printf: a width or precision of more than {WIDEST}")) } else { Ok((number, point)) }
    };
    let (width, point) = number()?;
    directive.width = width;
    if point {
        directive.precision = Some(number()?.0);
    }
    directive.verb = chars.next().ok_or("printf: a % with nothing behind it")?;
    Ok(directive)
}

fn printf(format: &str, arguments: &[Val<'_>]) -> Result<String, String> {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if out.len() > LONGEST {
            return Err(format!("printf: a text of more than {LONGEST} bytes"));
        }
        if c != '%' {
            out.push(c);
            continue;
        }
        let directive = directive(&mut chars)?;
        if directive.verb == '%' {
            out.push('%');
            continue;
        }
        let argument = arguments.next().ok_or_else(|| format!("printf: nothing is left for %{}", directive.verb))?;
        let text = converted(&directive, argument)?;
        let padding = directive.width.saturating_sub(super::super::width::of(&text));
        match (directive.left, directive.zeros) {
            (true, _) => out.extend(text.chars().chain(std::iter::repeat_n(' ', padding))),
            (false, true) if text.starts_with('-') => out.extend(std::iter::once('-').chain(std::iter::repeat_n('0', padding)).chain(text[1..].chars())),
            (false, zeros) => out.extend(std::iter::repeat_n(if zeros { '0' } else { ' ' }, padding).chain(text.chars())),
        }
    }
    if arguments.next().is_some() { Err("printf: more values than % signs".to_owned()) } else { bounded(out) }
}

fn converted(directive: &Directive, argument: &Value) -> Result<String, String> {
    let precision = directive.precision;
    let wrong = |what: &str| Err(format!("printf: %{} needs {what}", directive.verb));
    Ok(match directive.verb {
        's' | 'v' => {
            let text = plain(argument)?;
            precision.map_or_else(|| text.to_string(), |most| text.chars().take(most).collect())
        }
        'q' => text::quoted(&plain(argument)?),
        'd' => match argument {
            Value::Number(number) if !number.is_f64() => number.to_string(),
            _ => return wrong("a whole number"),
        },
        't' => match argument {
            Value::Bool(truth) => truth.to_string(),
            _ => return wrong("true or false"),
        },
        'f' => match argument.as_f64() {
            Some(number) => format!("{number:.*}", precision.unwrap_or(6)),
            None => return wrong("a number"),
        },
        'x' => match argument {
            Value::Number(number) => number.as_i64().map_or_else(|| number.to_string(), |number| format!("{number:x}")),
            Value::String(text) => crate::id::hex(text.as_bytes()),
            _ => return wrong("a whole number or a text"),
        },
        verb => return Err(format!("printf: %{verb} is not known here")),
    })
}
