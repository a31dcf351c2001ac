//! Maps of sparse files: old GNU headers, and the three versions in extended headers.

use super::{BLOCK, EXTENTS_MAX, Extent, number};
use crate::graph::invalid;
use std::io;

/// Checks that `extents` ascend without overlap inside `real_size` and that their data are what is `stored`.
pub fn check(extents: &[Extent], real_size: u64, stored: u64) -> io::Result<()> {
    let mut end = 0u64;
    let mut data = 0u64;
    for extent in extents {
        let next = extent.offset.checked_add(extent.length);
        match next {
            Some(next) if extent.offset >= end && next <= real_size => end = next,
            _ => return Err(invalid("a sparse file's map is not ascending within the file")),
        }
        data += extent.length;
    }
    if data != stored {
        return Err(invalid(format!("a sparse file's map names {data} bytes, {stored} are stored")));
    }
    Ok(())
}

/// Reads the (offset, length) pairs of an old GNU header's or continuation's `fields`, 24 bytes each, into `into`.
pub fn old_gnu(fields: &[u8], into: &mut Vec<Extent>) -> io::Result<()> {
    for pair in fields.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        let read = |bytes| number::field(bytes).and_then(|n| u64::try_from(n).ok());
        match (read(&pair[..12]), read(&pair[12..])) {
            (Some(offset), Some(length)) => into.push(Extent { offset, length }),
            _ => return Err(invalid("a sparse file's map holds what is no number")),
        }
        bounded(into.len())?;
    }
    Ok(())
}

/// Refuses maps that are too long.
pub fn bounded(extents: usize) -> io::Result<()> {
    if extents > EXTENTS_MAX {
        return Err(invalid(format!("a sparse file has more than {EXTENTS_MAX} extents")));
    }
    Ok(())
}

/// The map of version 1.0, which stands before the data: lines of decimal numbers (how many extents, then offset and
/// length of each), padded to whole blocks. `block` gives the next 512 bytes. Gives the map and how many bytes it took.
pub fn version_1(mut block: impl FnMut() -> io::Result<[u8; BLOCK]>) -> io::Result<(Vec<Extent>, u64)> {
    let mut bytes = Vec::new();
    let mut at = 0;
    let mut taken = 0u64;
    let mut line = |bytes: &mut Vec<u8>| -> io::Result<u64> {
        loop {
            if let Some(end) = bytes[at..].iter().position(|&b| b == b'\n') {
                let value = number::decimal(&bytes[at..at + end]).ok_or_else(|| invalid("a sparse file's map holds what is no number"))?;
                at += end + 1;
                return Ok(value);
            }
            if bytes.len() - at > BLOCK {
                return Err(invalid("a sparse file's map has a line without an end"));
            }
            bytes.drain(..at);
            at = 0;
            bytes.extend_from_slice(&block()?);
            taken += BLOCK as u64;
        }
    };
    let count = line(&mut bytes)?;
    bounded(usize::try_from(count).unwrap_or(usize::MAX))?;
    let mut extents = Vec::new();
    for _ in 0..count {
        let offset = line(&mut bytes)?;
        let length = line(&mut bytes)?;
        extents.push(Extent { offset, length });
    }
    Ok((extents, taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_that_lie_are_refused() {
        let e = |offset, length| Extent { offset, length };
        assert!(check(&[e(0, 5), e(10, 5)], 20, 10).is_ok());
        assert!(check(&[e(0, 5), e(4, 5)], 20, 10).is_err());
        assert!(check(&[e(16, 5)], 20, 5).is_err());
        assert!(check(&[e(0, 5)], 20, 6).is_err());
        assert!(check(&[e(u64::MAX, 5)], u64::MAX, 5).is_err());
    }

    #[test]
    fn version_1_spans_blocks() {
        let mut text = String::from("200\n");
        for n in 0..200 {
            use std::fmt::Write;
            write!(text, "{}\n1\n", n * 1000).unwrap();
        }
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        let mut blocks = bytes.as_chunks::<BLOCK>().0.iter();
        let (extents, taken) = version_1(|| Ok(*blocks.next().unwrap())).unwrap();
        assert_eq!(extents.len(), 200);
        assert_eq!(extents[199], Extent { offset: 199_000, length: 1 });
        assert_eq!(taken, bytes.len() as u64);
    }
}
