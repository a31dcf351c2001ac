//! Extended header records: `"%d %s=%s\n"`, a length that counts itself, a keyword, a value.

use super::{Extent, NAME_MAX, XATTR_MAX, number};
use crate::graph::invalid;
use std::io;

/// Before the name of an extended attribute.
pub const XATTR: &[u8] = b"SCHILY.xattr.";

/// What an extended header says about the entry after it.
#[derive(Debug, Default, PartialEq)]
pub struct Extended {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<(i64, u32)>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: SparseRecords,
}

/// The `GNU.sparse.*` records, of whichever of the three versions.
#[derive(Debug, Default, PartialEq)]
pub struct SparseRecords {
    pub major: Option<u64>,
    pub minor: Option<u64>,
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
    /// Version 0.0 repeats offset and length, version 0.1 lists them: the same numbers in the same order.
    pub map: Vec<u64>,
    pub mapped: bool,
}

/// Splits off the first record: (keyword, value, rest).
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(8).position(|&b| b == b' ')?;
    let length = usize::try_from(number::decimal(&bytes[..space])?).ok()?;
    let body = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&b| b == b'=')?;
    if equals == 0 || body[..equals].contains(&0) {
        return None;
    }
    Some((&body[..equals], &body[equals + 1..], &bytes[length..]))
}

/// Calls `each` with every record's keyword and value.
pub fn records(mut bytes: &[u8], mut each: impl FnMut(&[u8], &[u8]) -> io::Result<()>) -> io::Result<()> {
    while !bytes.is_empty() {
        let Some((key, value, rest)) = record(bytes) else {
            return Err(invalid("an extended header is malformed: expected records of the form \"LENGTH KEYWORD=VALUE\\n\""));
        };
        each(key, value)?;
        bytes = rest;
    }
    Ok(())
}

impl Extended {
    /// Reads the records of an `x` header. An empty value takes back what an earlier record said.
    pub fn read(bytes: &[u8]) -> io::Result<Self> {
        let mut extended = Self::default();
        records(bytes, |key, value| extended.set(key, value))?;
        if extended.sparse.map.len() % 2 != 0 {
            return Err(invalid("an extended header's sparse map has an offset without a length"));
        }
        Ok(extended)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        match key {
            b"path" => self.path = name("path", value)?,
            b"linkpath" => self.link = name("linkpath", value)?,
            b"size" => self.size = size("size", value)?,
            b"uid" => self.uid = size("uid", value)?,
            b"gid" => self.gid = size("gid", value)?,
            b"mtime" if value.is_empty() => self.mtime = None,
            b"mtime" => self.mtime = Some(number::time(value).ok_or_else(|| wrong("mtime", value))?),
            _ => {
                if let Some(attribute) = key.strip_prefix(XATTR) {
                    return self.set_xattr(attribute, value);
                }
                if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    return self.sparse.set(key, value);
                }
            }
        }
        Ok(())
    }

    fn set_xattr(&mut self, attribute: &[u8], value: &[u8]) -> io::Result<()> {
        if attribute.is_empty() || attribute.len() > 255 {
            return Err(invalid("the name of an extended attribute is not 1 to 255 bytes long"));
        }
        if value.len() > XATTR_MAX {
            return Err(invalid(format!("extended attribute {} has {} bytes, more than {XATTR_MAX}", attribute.escape_ascii(), value.len())));
        }
        self.xattrs.retain(|(name, _)| name != attribute);
        self.xattrs.push((attribute.to_vec(), value.to_vec()));
        Ok(())
    }
}

impl SparseRecords {
    fn set(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        match key {
            b"major" => self.major = size("GNU.sparse.major", value)?,
            b"minor" => self.minor = size("GNU.sparse.minor", value)?,
            b"name" => self.name = name("GNU.sparse.name", value)?,
            b"realsize" | b"size" => self.real_size = size("GNU.sparse.realsize", value)?,
            b"offset" | b"numbytes" => {
                // Version 0.0: the two alternate, offset first.
                if (key == b"offset") != self.map.len().is_multiple_of(2) {
                    return Err(invalid("an extended header's sparse offsets and lengths do not alternate"));
                }
                self.mapped = true;
                self.map.push(number::decimal(value).ok_or_else(|| wrong("GNU.sparse.offset", value))?);
            }
            b"map" => {
                self.mapped = true;
                self.map.clear();
                for number in value.split(|&b| b == b',').filter(|_| !value.is_empty()) {
                    self.map.push(number::decimal(number).ok_or_else(|| wrong("GNU.sparse.map", number))?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The map of versions 0.0 and 0.1.
    pub fn extents(&self) -> Vec<Extent> {
        self.map.chunks_exact(2).map(|pair| Extent { offset: pair[0], length: pair[1] }).collect()
    }
}

fn wrong(key: &str, value: &[u8]) -> io::Error {
    invalid(format!("an extended header's {key} is {:?}: expected a number", value[..value.len().min(40)].escape_ascii().to_string()))
}

fn name(key: &str, value: &[u8]) -> io::Result<Option<Vec<u8>>> {
    if value.contains(&0) {
        return Err(invalid(format!("an extended header's {key} holds a NUL byte")));
    }
    if value.len() > NAME_MAX {
        return Err(invalid(format!("an extended header's {key} has {} bytes, more than {NAME_MAX}", value.len())));
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

fn size(key: &str, value: &[u8]) -> io::Result<Option<u64>> {
    if value.is_empty() {
        return Ok(None);
    }
    number::decimal(value).filter(|&n| i64::try_from(n).is_ok()).map(Some).ok_or_else(|| wrong(key, value))
}

/// Appends one record to `out`.
pub fn push(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    // The length counts its own digits: at most two steps until it stands.
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_written_are_read() {
        let long = vec![b'p'; 200];
        let mut bytes = Vec::new();
        for n in 0..120 {
            push(&mut bytes, b"comment", &vec![b'c'; n]);
        }
        push(&mut bytes, b"path", &long);
        push(&mut bytes, b"uid", b"4294967294");
        push(&mut bytes, b"mtime", b"12.5");
        push(&mut bytes, b"SCHILY.xattr.security.capability", &[1, 0, 0, 2, b'\n', b'=']);
        let read = Extended::read(&bytes).unwrap();
        assert_eq!(read.path, Some(long));
        assert_eq!(read.uid, Some(4_294_967_294));
        assert_eq!(read.mtime, Some((12, 500_000_000)));
        assert_eq!(read.xattrs, [(b"security.capability".to_vec(), vec![1, 0, 0, 2, b'\n', b'='])]);
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in [
            &b"x"[..],
            b"5 a=b",
            b"6 a=b\n\n",
            b"0 a=b\n",
            b"99 a=b\n",
            b"5 =b\n",
            b"7 path=",
            b"18446744073709551615 a=b\n",
            b"11 size=-1\n",
            b"11 path=\0b\n",
        ] {
            assert!(Extended::read(bad).is_err(), "{:?}", bad.escape_ascii().to_string());
        }
    }

    #[test]
    fn an_empty_value_takes_back() {
        assert_eq!(Extended::read(b"10 path=a\n8 path=\n").unwrap().path, None);
    }
}
