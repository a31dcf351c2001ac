//! What a program's head says: for which machine it is, and whether it needs a loader.
//!
//! Source: elf(5).

/// How much of a file [`Head::read`] is to be given: loaders are named near the beginning.
pub const HEAD: usize = 8 << 10;

/// The kind of entry that names the loader.
const LOADER: usize = 3;

/// A program's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Word size, byte order and kind of processor, as they stand in the file.
    pub machine: [u8; 4],
    /// The path of the loader; `None` for a static program.
    pub loader: Option<String>,
}

impl Head {
    /// Reads the first bytes of a file; `None` if they are no program's.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.get(..4)? != b"\x7fELF" {
            return None;
        }
        let (wide, little) = (*bytes.get(4)? == 2, *bytes.get(5)? == 1);
        let number = |at: usize, length: usize| {
            let field = bytes.get(at..at.checked_add(length)?)?;
            let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
            let sum = if little { field.iter().rev().fold(0, add) } else { field.iter().fold(0, add) };
            usize::try_from(sum).ok()
        };
        let word = if wide { 8 } else { 4 };
        let table = number(if wide { 0x20 } else { 0x1c }, word)?;
        let (size, count) = if wide { (number(0x36, 2)?, number(0x38, 2)?) } else { (number(0x2a, 2)?, number(0x2c, 2)?) };
        let mut loader = None;
        for at in 0..count {
            let entry = table.checked_add(at.checked_mul(size)?)?;
            if number(entry, 4)? == LOADER {
                let (offset, length) = if wide { (number(entry + 8, 8)?, number(entry + 32, 8)?) } else { (number(entry + 4, 4)?, number(entry + 16, 4)?) };
                let path = bytes.get(offset..offset.checked_add(length)?)?;
                let path = path.strip_suffix(b"\0").unwrap_or(path);
                loader = Some(std::str::from_utf8(path).ok()?.to_owned());
            }
        }
        let machine = [bytes[4], bytes[5], *bytes.get(18)?, *bytes.get(19)?];
        Some(Self { machine, loader })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A program for a wide little machine, with an entry for a loader or without.
    fn program(loader: Option<&str>) -> Vec<u8> {
        let mut bytes = vec![0u8; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18] = 62;
        bytes[0x20] = 64;
        bytes[0x36] = 56;
        bytes[0x38] = 1;
        bytes[64] = if loader.is_some() { 3 } else { 1 };
        let path = loader.unwrap_or_default();
        bytes[72] = 120;
        bytes[96] = path.len() as u8 + 1;
        bytes.extend_from_slice(path.as_bytes());
        bytes.push(0);
        bytes
    }

    #[test]
    fn loaders_are_found() {
        let machine = [2, 1, 62, 0];
        assert_eq!(Head::read(&program(None)), Some(Head { machine, loader: None }));
        assert_eq!(Head::read(&program(Some("/lib/ld.so"))), Some(Head { machine, loader: Some("/lib/ld.so".to_owned()) }));
        assert_eq!(Head::read(b"#!/bin/sh\n"), None);
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert!(Head::read(&own[..HEAD]).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..200), wide in 1u8..3, order in 1u8..3) {
            bytes.splice(0..bytes.len().min(6), [0x7f, b'E', b'L', b'F', wide, order]);
            let _ = Head::read(&bytes);
        }
    }
}
