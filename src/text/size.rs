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

    proptest! {
        #[test]
        fn every_size_is_written(bytes in any::<u64>()) {
            prop_assert!(!decimal(bytes).is_empty() && !binary(bytes).is_empty());
        }
    }
}
