//! Signals as people write them.

use nix::sys::signal::Signal;

/// Linux's first and last signal for programs' own use, as C libraries give them out.
const REALTIME: (i32, i32) = (34, 64);

/// A signal's number from `TERM`, `SIGTERM`, `RTMIN+1` or `15`; `None` if it is none.
pub fn number(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    let number = if let Ok(number) = upper.parse::<i32>() {
        Some(number)
    } else {
        let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
        if let Some(rest) = name.strip_prefix("SIGRTMIN") {
            realtime(REALTIME.0, rest, 1)
        } else if let Some(rest) = name.strip_prefix("SIGRTMAX") {
            realtime(REALTIME.1, rest, -1)
        } else {
            name.parse::<Signal>().ok().map(|signal| signal as i32)
        }
    };
    number.filter(|number| (1..=REALTIME.1).contains(number))
}

fn realtime(base: i32, rest: &str, sign: i32) -> Option<i32> {
    if rest.is_empty() {
        return Some(base);
    }
    let digits = rest.strip_prefix(if sign > 0 { '+' } else { '-' })?;
    digits.parse::<i32>().ok().filter(|n| (0..=REALTIME.1 - REALTIME.0).contains(n)).map(|n| base + sign * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        for (text, expected) in [("TERM", 15), ("sigkill", 9), ("9", 9), ("SIGRTMIN", 34), ("RTMIN+1", 35), ("RTMAX-1", 63), ("RTMAX-30", 34)] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        for text in ["", "0", "65", "SIGFOO", "RTMIN-1", "RTMAX-31", "-9", "SIG"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
