//! Numbers as tar headers write them: octal digits, or two's complement with the top bit set (GNU, star).

/// The value of a header field; `None` if it is neither form or does not fit.
pub fn field(bytes: &[u8]) -> Option<i64> {
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => binary(bytes),
        _ => octal(bytes),
    }
}

/// Octal digits, spaces and NULs around them; an empty field is 0.
pub fn octal(bytes: &[u8]) -> Option<i64> {
    let text = bytes.trim_ascii_start();
    let start = text.iter().position(|&b| b != 0 && b != b' ').unwrap_or(text.len());
    let text = &text[start..];
    let end = text.iter().position(|&b| b == 0 || b == b' ').unwrap_or(text.len());
    let mut value: i64 = 0;
    for &digit in &text[..end] {
        if !(b'0'..=b'7').contains(&digit) {
            return None;
        }
        value = value.checked_mul(8)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(value)
}

/// Big-endian two's complement; the first byte's top bit is the mark, the next one the sign.
fn binary(bytes: &[u8]) -> Option<i64> {
    let negative = bytes[0] & 0x40 != 0;
    let mut value: i64 = if negative { -1 } else { 0 };
    for (at, &byte) in bytes.iter().enumerate() {
        let byte = match (at, negative) {
            (0, true) => byte | 0x80,
            (0, false) => byte & 0x7f,
            _ => byte,
        };
        // What is shifted out must be nothing but copies of the sign.
        if value != (value << 8) >> 8 {
            return None;
        }
        value = (value << 8) | i64::from(byte);
    }
    ((value < 0) == negative).then_some(value)
}

/// Decimal digits and nothing else.
pub fn decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 20 {
        return None;
    }
    bytes.iter().try_fold(0u64, |value, &b| if b.is_ascii_digit() { value.checked_mul(10)?.checked_add(u64::from(b - b'0')) } else { None })
}

/// Seconds since 1970 with a fraction, `-1.5`: whole seconds rounded down, and nanoseconds (what is finer is cut off).
pub fn time(bytes: &[u8]) -> Option<(i64, u32)> {
    let (negative, text) = match bytes.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let (whole, fraction) = match text.iter().position(|&b| b == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &[][..]),
    };
    let seconds = i64::try_from(decimal(whole)?).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanos = (0..9).fold(0u32, |nanos, at| nanos * 10 + fraction.get(at).map_or(0, |b| u32::from(b - b'0')));
    Some(match (negative, nanos) {
        (false, _) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_fields() {
        assert_eq!(octal(b"0000644\0"), Some(0o644));
        assert_eq!(octal(b"   644 \0"), Some(0o644));
        assert_eq!(octal(b"\0\0\0\0"), Some(0));
        assert_eq!(octal(b"77777777777"), Some(0o77_777_777_777));
        assert_eq!(octal(b"0008"), None);
        assert_eq!(octal(b"-1"), None);
    }

    #[test]
    fn binary_fields() {
        assert_eq!(field(&[0x80, 0, 0, 0, 0, 0, 1, 0]), Some(256));
        assert_eq!(field(&[0xff; 12]), Some(-1));
        assert_eq!(field(&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Some(i64::MAX));
        assert_eq!(field(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(field(&[0xbf; 12]), None);
    }

    #[test]
    fn times() {
        assert_eq!(time(b"1350244992.023960108"), Some((1_350_244_992, 23_960_108)));
        assert_eq!(time(b"-1.5"), Some((-2, 500_000_000)));
        assert_eq!(time(b"-3"), Some((-3, 0)));
        assert_eq!(time(b"7.0000000019"), Some((7, 1)));
        for bad in [&b""[..], b".", b"1.x", b"--1", b"99999999999999999999"] {
            assert_eq!(time(bad), None);
        }
    }
}
