//! Values as users write them: sizes, processors, signals, `name=value` pairs, each refused with a sentence that names it.

use crate::container::config::FOREVER;
use crate::engine::{ALL_CAPABILITIES, Error, Result};

/// Bytes from `512`, `64m`, `1.5g` (binary: k, m, g, t; a trailing `b` or `ib` is allowed).
pub fn bytes(option: &str, text: &str) -> Result<u64> {
    let wrong = || Error::invalid(format!("invalid value {text:?} for {option}: expected bytes, such as 512m or 2g"));
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches("ib").trim_end_matches('b');
    let (number, shift) = match digits.char_indices().last().ok_or_else(wrong)? {
        (at, 'k') => (&digits[..at], 10),
        (at, 'm') => (&digits[..at], 20),
        (at, 'g') => (&digits[..at], 30),
        (at, 't') => (&digits[..at], 40),
        _ => (digits, 0),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << shift).ok_or_else(wrong);
    }
    let value: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = value * (1u64 << shift) as f64;
    // Nought would take a limit away.
    if value > 0.0 && bytes < 1.0 {
        return Err(Error::invalid(format!("invalid value {text:?} for {option}: less than one byte, expected bytes, such as 512m or 2g")));
    }
    if bytes.is_finite() && (0.0..9.0e18).contains(&bytes) && number.bytes().all(|b| b.is_ascii_digit() || b == b'.') { Ok(bytes as u64) } else { Err(wrong()) }
}

/// Billionths of a processor from `0.5`, exactly: at most nine digits after the point; nought is without limit.
pub fn nano_cpus(text: &str) -> Result<u64> {
    let wrong = || Error::invalid(format!("invalid value {text:?} for --cpus: expected a number of processors, such as 0.5 or 2"));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 9 || (whole.is_empty() && part.is_empty()) || !whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let part: u64 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
    let nano = whole.checked_mul(1_000_000_000).and_then(|n| n.checked_add(part)).ok_or_else(wrong)?;
    let online = std::thread::available_parallelism().map_or(u64::MAX, |n| n.get() as u64);
    if nano > online.saturating_mul(1_000_000_000) {
        return Err(Error::invalid(format!("--cpus {text} is more than this machine has: the range is 0.01 to {online}.00")));
    }
    // The kernel knows no shorter quota than a millisecond, of a tenth of a second here.
    if (1..10_000_000).contains(&nano) {
        return Err(Error::invalid(format!("--cpus {text} is less than the kernel can give: the range is 0.01 to {online}.00, 0 is without limit")));
    }
    Ok(nano)
}

/// A list of numbers such as `0-2,4`, all of them among those that are `there`. Without this check cgroup v2 takes any,
/// and leaves the limit out.
pub fn numbers(option: &str, text: &str, there: Option<&str>) -> Result<()> {
    let read = |text: &str| -> Option<Vec<std::ops::RangeInclusive<u32>>> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = first.parse().ok()?..=last.parse().ok()?;
            (!range.is_empty()).then_some(range)
        };
        text.split(',').map(range).collect()
    };
    let wanted = read(text).ok_or_else(|| Error::invalid(format!("{option} {text:?}: expected a list such as 0-2,4")))?;
    let Some((there, ranges)) = there.and_then(|there| Some((there, read(there)?))) else { return Ok(()) };
    let is_there = |range: &std::ops::RangeInclusive<u32>| ranges.iter().any(|all| all.contains(range.start()) && all.contains(range.end()));
    if wanted.iter().all(is_there) { Ok(()) } else { Err(Error::invalid(format!("{option} {text} is not available: this machine has {there}"))) }
}

/// Seconds that a stop waits; any number below 0 is for ever.
pub fn patience(text: &str) -> std::result::Result<u64, String> {
    match text.parse::<i64>() {
        Ok(seconds) => Ok(u64::try_from(seconds).unwrap_or(FOREVER)),
        Err(_) => Err("expected seconds, or -1 to wait for ever".to_owned()),
    }
}

/// A signal's number from `TERM`, `SIGTERM` or `15`.
pub fn signal(text: &str) -> Result<i32> {
    crate::container::signal::number(text)
        .ok_or_else(|| Error::invalid(format!("invalid signal {text:?}: expected a name such as TERM, or a number from 1 to 64")))
}

/// `name=value` split; the name must not be empty.
pub fn pair<'a>(option: &str, text: &'a str) -> Result<(&'a str, &'a str)> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Error::invalid(format!("invalid value {text:?} for {option}: expected NAME=VALUE"))),
    }
}

/// A capability's name without `CAP_`, in upper case.
pub fn capability(text: &str) -> Result<String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if name == "ALL" || ALL_CAPABILITIES.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(Error::invalid(format!("unknown capability {text:?}: expected a name such as NET_ADMIN, or ALL")))
    }
}

/// A line of an environment or label file: `NAME=VALUE`, `NAME`; `None` for comments and empty lines.
pub fn file_lines(option: &str, path: &std::path::Path) -> Result<Vec<String>> {
    const MOST: u64 = 4 << 20;
    let failed = |e: &std::io::Error| Error::io(format_args!("{option}: cannot read {}", path.display()), e);
    let size = std::fs::metadata(path).map_err(|e| failed(&e))?.len();
    if size > MOST {
        return Err(Error::invalid(format!("{option}: {} has {size} bytes, more than the {MOST} it may have", path.display())));
    }
    let text = std::fs::read_to_string(path).map_err(|e| failed(&e))?;
    let lines: Vec<&str> = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    if let Some(name) = lines.iter().filter_map(|line| line.split('=').next()).find(|name| name.contains(char::is_whitespace)) {
        return Err(Error::invalid(format!("{option}: {}: the name {name:?} holds a space: expected NAME=VALUE or NAME", path.display())));
    }
    Ok(lines.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, value) in [("0", 0), ("512", 512), ("64m", 64 << 20), ("1.5g", 3 << 29), ("2GiB", 2 << 30), ("10kb", 10 << 10), ("0.0", 0), ("0.5k", 512)] {
            assert_eq!(bytes("-m", text).unwrap(), value, "{text}");
        }
        for text in ["", "x", "-1", "1x", "1e3", "nan", "99999999999t", "1.2.3", "0.5", "0.0001k"] {
            assert!(bytes("-m", text).is_err(), "{text}");
        }
    }

    #[test]
    fn processors() {
        assert_eq!(nano_cpus("0.5").unwrap(), 500_000_000);
        assert_eq!((nano_cpus("1").unwrap(), nano_cpus("0").unwrap()), (1_000_000_000, 0));
        for text in ["", ".", "-1", "1e3", "0.1234567891", "100000", "0.000000001", "0.009"] {
            assert!(nano_cpus(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_of_numbers() {
        for text in ["0", "0-3", "1,3", "0-1,3"] {
            assert!(numbers("--cpuset-cpus", text, Some("0-3")).is_ok(), "{text}");
        }
        for text in ["", "4", "1-4", "1-0", "a", "1,", "-1", "1--2"] {
            assert!(numbers("--cpuset-cpus", text, Some("0-3")).is_err(), "{text}");
        }
        assert!(numbers("--cpuset-cpus", "9", Some("0-3")).is_err_and(|e| e.message.contains("0-3")));
        assert!(numbers("--cpuset-mems", "9", None).is_ok(), "nothing is known about nodes");
    }

    #[test]
    fn patience_may_be_endless() {
        assert_eq!((patience("0"), patience("10"), patience("-1")), (Ok(0), Ok(10), Ok(FOREVER)));
        assert!(patience("abc").is_err() && patience("").is_err());
    }

    #[test]
    fn signals() {
        assert_eq!(signal("TERM").unwrap(), 15);
        assert!(signal("SIGFOO").unwrap_err().message.contains("SIGFOO"));
    }
}
