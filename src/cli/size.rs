//! Sizes as people read and write them: 72.8MB on disk, 512MiB in memory, `64m` on a command line.

const DECIMAL: &[&str] = &["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const BINARY: &[&str] = &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Three digits in powers of 1000: sizes of images and layers, 72.8MB.
pub fn decimal(bytes: u64) -> String {
    human(bytes, 1000.0, 3, DECIMAL)
}

/// Four digits in powers of 1000: sums and progress, 72.84MB.
pub fn decimal_exact(bytes: u64) -> String {
    human(bytes, 1000.0, 4, DECIMAL)
}

/// Four digits in powers of 1024: memory, 512MiB.
pub fn binary(bytes: u64) -> String {
    human(bytes, 1024.0, 4, BINARY)
}

fn human(bytes: u64, base: f64, digits: usize, units: &[&str]) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    loop {
        let text = significant(value, digits);
        // Rounding can reach the next unit: 999.96 kB is 1 MB, not 1000 kB.
        let rounded: f64 = text.parse().unwrap_or(value);
        if rounded < base || unit + 1 == units.len() {
            return text + units[unit];
        }
        value /= base;
        unit += 1;
    }
}

/// `value` with so many significant digits, without zeros at the end of its fraction (C's `%.3g` without exponents).
fn significant(value: f64, digits: usize) -> String {
    let whole = format!("{value:.0}").len();
    let text = format!("{value:.*}", digits.saturating_sub(if value < 1.0 { 1 } else { whole }));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Bytes from `64m`, `1.5g`, `512MiB`, `1024`: units b, k, m, g, t, p in powers of 1024, with or without i and b.
///
/// # Errors
/// A sentence that names the text and what was expected.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("invalid size {:?}: expected a number with b, k, m, g, t or p, such as 64m or 1.5g", text.chars().take(100).collect::<String>());
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let unit = unit.trim_start_matches(' ').to_ascii_lowercase();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit) {
        "" if !unit.starts_with('i') => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(wrong()),
    };
    let scale = 1u64 << (10 * power);
    let bytes = if number.bytes().all(|b| b.is_ascii_digit()) && !number.is_empty() {
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale))
    } else if number.starts_with(|c: char| c.is_ascii_digit()) {
        let bytes = number.parse::<f64>().map_err(|_| wrong())? * scale as f64;
        (bytes < 9.2e18).then_some(bytes as u64)
    } else {
        return Err(wrong());
    };
    bytes
        .filter(|&bytes| i64::try_from(bytes).is_ok())
        .ok_or_else(|| format!("invalid size {:?}: more than this machine can count", text.chars().take(100).collect::<String>()))
}

/// As [`parse`], and `-1` for "without end".
///
/// # Errors
/// As [`parse`].
pub fn parse_or_unlimited(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { parse(text).map(|bytes| bytes as i64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_read_as_dockers() {
        assert_eq!(decimal(0), "0B");
        assert_eq!(decimal(999), "999B");
        assert_eq!(decimal(1_000), "1kB");
        assert_eq!(decimal(72_840_000), "72.8MB");
        assert_eq!(decimal(1_239_000_000), "1.24GB");
        assert_eq!(decimal(117_000_000), "117MB");
        assert_eq!(decimal(4_260_000), "4.26MB");
        assert_eq!(decimal_exact(72_840_000), "72.84MB");
        assert_eq!(binary(512 << 20), "512MiB");
        assert_eq!(binary(1_610_612_736), "1.5GiB");
        assert_eq!(binary(1000), "1000B");
    }

    #[test]
    fn rounding_reaches_the_next_unit() {
        assert_eq!(decimal(999_499), "999kB");
        assert_eq!(decimal(999_960), "1MB");
        assert_eq!(binary((1 << 20) - 1), "1MiB");
        assert_eq!(decimal(u64::MAX), "18.4EB");
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse("64m"), Ok(64 << 20));
        assert_eq!(parse("1.5g"), Ok(3 << 29));
        assert_eq!(parse("512MiB"), Ok(512 << 20));
        assert_eq!(parse("1 kB"), Ok(1024));
        assert_eq!(parse("10b"), Ok(10));
        assert_eq!(parse("1024"), Ok(1024));
        assert_eq!(parse_or_unlimited("-1"), Ok(-1));
    }

    #[test]
    fn wrong_sizes_are_named() {
        for text in ["", "m", "-5m", "5x", "1.2.3", ".5", "5ib", "5mm", "1e9", "∞"] {
            assert!(parse(text).is_err_and(|error| error.contains(&format!("{text:?}"))), "{text}");
        }
        for text in ["99999999999999999999", "9000000p", "9000000.5p"] {
            assert!(parse(text).is_err_and(|error| error.contains("more than")), "{text}");
        }
        assert!(parse_or_unlimited("-2").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), bytes in any::<u64>()) {
            let _ = parse(&text);
            prop_assert!(!decimal(bytes).is_empty() && !binary(bytes).is_empty());
        }

        #[test]
        fn what_is_written_is_about_what_is_read(bytes in 0u64..1 << 50) {
            let read = parse(&binary(bytes)).unwrap();
            prop_assert!(read.abs_diff(bytes) <= bytes / 500, "{bytes} became {read}");
        }
    }
}
