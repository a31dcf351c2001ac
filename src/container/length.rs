//! Lengths of time as Go's programs read and write them (`1m30s`, `500ms`): exact, in nanoseconds.
//!
//! Source of the format: Go's package time, ParseDuration and Duration.String.

const UNITS: [(&str, i64); 8] =
    [("ns", 1), ("us", 1_000), ("µs", 1_000), ("μs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];

/// Nanoseconds from numbers with units, each with a fraction if need be: `1h30m`, `1.5s`, `-2ms`; `0` needs no unit. `None` is
/// anything else, and more than 64 bits hold.
pub fn parse(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut sum: i64 = 0;
    loop {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len()));
        let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(part(number, unit)?)?;
        if tail.is_empty() {
            return Some(sign * sum);
        }
        rest = tail;
    }
}

/// So many of a unit of so many nanoseconds.
fn part(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // More digits than these are less than a nanosecond, whatever the unit.
    let digits = &fraction[..fraction.len().min(15)];
    let fraction = if digits.is_empty() { 0 } else { i128::from(digits.parse::<i64>().ok()?) * i128::from(unit) / 10i128.pow(digits.len() as u32) };
    whole.checked_mul(unit)?.checked_add(fraction as i64)
}

/// As Go writes it: `1m30s`, `500ms`, `1.5s`, `0s`.
pub fn write(nanoseconds: u64) -> String {
    let with_fraction = |unit: u64, name: &str| {
        let digits = unit.ilog10() as usize;
        let fraction = format!("{:0digits$}", nanoseconds % unit);
        let fraction = fraction.trim_end_matches('0');
        let (point, fraction) = if digits == 0 || fraction.is_empty() { ("", "") } else { (".", fraction) };
        (nanoseconds / unit, format!("{point}{fraction}{name}"))
    };
    let (number, tail) = match nanoseconds {
        0 => return "0s".to_owned(),
        1..1_000 => with_fraction(1, "ns"),
        1_000..1_000_000 => with_fraction(1_000, "µs"),
        1_000_000..1_000_000_000 => with_fraction(1_000_000, "ms"),
        _ => with_fraction(1_000_000_000, "s"),
    };
    match number {
        60..3600 if nanoseconds >= 1_000_000_000 => format!("{}m{}{tail}", number / 60, number % 60),
        3600.. if nanoseconds >= 1_000_000_000 => format!("{}h{}m{}{tail}", number / 3600, number / 60 % 60, number % 60),
        _ => format!("{number}{tail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_exactly() {
        for (text, expected) in [
            ("0", 0),
            ("+0", 0),
            ("0s", 0),
            ("1m30s", 90_000_000_000),
            ("500ms", 500_000_000),
            ("1.5h", 5_400_000_000_000),
            ("0.000000001s", 1),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("2µs", 2_000),
            ("-1s", -1_000_000_000),
            ("1s1s", 2_000_000_000),
            ("0.3333333333333333333h", 1_199_999_999_999),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in ["", "-", "1", "s", "1x", ".s", "1.2.3s", "1s ", "1e3s", "--1s", "9999999h", "99999999999999999999s", "1d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn lengths_are_written_as_go_writes_them() {
        for (length, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (500_000_000, "500ms"),
            (1_000_000_000, "1s"),
            (1_500_000_000, "1.5s"),
            (30_000_000_000, "30s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (3_723_004_000_000, "1h2m3.004s"),
        ] {
            assert_eq!(write(length), expected);
            assert_eq!(parse(expected), Some(length as i64));
        }
    }
}
