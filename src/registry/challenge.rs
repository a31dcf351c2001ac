//! The challenges of a 401: which way of proving oneself a registry accepts (RFC 9110, 11.6.1).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The longest list of challenges that is looked at, in bytes.
const LONGEST: usize = 8192;

/// A way of proving oneself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token that `realm` hands out.
    Bearer {
        /// The address of the server that hands out tokens.
        realm: String,
        /// What that server calls the registry.
        service: Option<String>,
    },
}

/// The best challenge among an answer's headers: bearer before basic.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut basic = None;
    for value in headers.get_all(WWW_AUTHENTICATE).iter().take(8).filter_map(|v| v.to_str().ok()).filter(|v| v.len() <= LONGEST) {
        for (scheme, parameters) in parse(value) {
            let get = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
            if scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = get("realm")
            {
                return Some(Challenge::Bearer { realm, service: get("service") });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

type Scheme = (String, Vec<(String, String)>);

/// `Scheme key=value, key="quoted \" value", Scheme2 …`; what is none of this ends the list.
fn parse(text: &str) -> Vec<Scheme> {
    let mut found: Vec<Scheme> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=', '"']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return found;
        }
        let value = after.trim_start_matches([' ', '\t']).strip_prefix('=');
        match (value, found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, after) = parameter(value.trim_start_matches([' ', '\t']));
                parameters.push((word.to_owned(), value));
                rest = after;
            }
            (Some(_), None) => return found,
            (None, _) => {
                found.push((word.to_owned(), Vec::new()));
                rest = after;
            }
        }
    }
}

/// A token or a quoted string, and what follows it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    fn of(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        challenge(&headers)
    }

    #[test]
    fn the_better_of_several_challenges_is_taken() {
        let bearer = Some(Challenge::Bearer { realm: "https://auth.example/token?a=\"b\"".into(), service: Some("reg, istry".into()) });
        let text = r#"Bearer realm="https://auth.example/token?a=\"b\"",service="reg, istry",scope="repository:a:pull""#;
        assert_eq!(of(&[text]), bearer);
        assert_eq!(of(&["Basic realm=\"x\"", text]), bearer);
        assert_eq!(of(&[&format!("basic realm=x, Negotiate, {text}")]), bearer);
        assert_eq!(of(&["Basic realm=\"x\""]), Some(Challenge::Basic));
        assert_eq!(of(&["Bearer service=x", "Negotiate"]), None);
        assert_eq!(of(&[]), None);
    }

    proptest! {
        #[test]
        fn any_header_is_borne(text in "[ -~]{0,200}") {
            let _ = parse(&text);
        }
    }
}
