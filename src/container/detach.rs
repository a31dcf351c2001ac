//! The keys that leave a container's console: recognised in what is typed, and kept from the container; no clock is asked.
//!
//! ```text
//!            first key            second key (…)
//!   nothing ──────────► held ───────────────────► detached
//!      ▲                 │
//!      └─────────────────┘ another key, or 500 ms without one: what was held is passed on
//! ```

use std::fmt;
use std::time::Duration;

/// How long a key that could begin the sequence is held back. A lone ctrl-p is the shell's "previous line": without
/// this, every second one would seem lost.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// Most keys of a sequence.
const MOST: usize = 16;

/// A sequence of keys as the bytes that terminals send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

impl Default for DetachKeys {
    /// ctrl-p, ctrl-q.
    fn default() -> Self {
        Self(vec![0x10, 0x11])
    }
}

impl DetachKeys {
    /// Reads `ctrl-p,ctrl-q`: a list of single characters, `ctrl-` with a letter or one of `@[\]^_`, or `DEL`.
    ///
    /// # Errors
    /// A sentence that names the key and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let bytes = text.split(',').map(key).collect::<Result<Vec<u8>, String>>()?;
        if bytes.len() > MOST { Err(format!("{} detach keys: at most {MOST} are allowed", bytes.len())) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for DetachKeys {
    /// As they are pressed: `ctrl-p ctrl-q`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, &key) in self.0.iter().enumerate() {
            let gap = if place > 0 { " " } else { "" };
            match key {
                0..0x20 => write!(formatter, "{gap}ctrl-{}", char::from(key | 0x40).to_ascii_lowercase())?,
                0x7f => write!(formatter, "{gap}backspace")?,
                _ => write!(formatter, "{gap}{}", char::from(key))?,
            }
        }
        Ok(())
    }
}

fn key(name: &str) -> Result<u8, String> {
    let wrong = || format!("invalid detach key {:?}: expected a character or ctrl- with one of a-z @ [ \\ ] ^ _", name.chars().take(40).collect::<String>());
    if name == "DEL" {
        return Ok(0x7f);
    }
    let (ctrl, letter) = name.strip_prefix("ctrl-").map_or((false, name), |letter| (true, letter));
    match letter.as_bytes() {
        [c @ (b'a'..=b'z' | b'A'..=b'Z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] if ctrl => Ok(c.to_ascii_uppercase() & 0x1f),
        [c] if !ctrl && c.is_ascii_graphic() => Ok(*c),
        _ => Err(wrong()),
    }
}

/// What came of some typed bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// To be passed on to the container.
    pub pass: Vec<u8>,
    /// The sequence is complete; what was typed behind it is for nobody.
    pub detached: bool,
}

/// The watch for the sequence.
#[derive(Clone, Debug)]
pub struct Detach {
    keys: Vec<u8>,
    held: usize,
}

impl Detach {
    /// A watch for `keys`.
    pub fn new(keys: DetachKeys) -> Self {
        Self { keys: keys.0, held: 0 }
    }

    /// The sequence that it watches for.
    pub fn keys(&self) -> DetachKeys {
        DetachKeys(self.keys.clone())
    }

    /// Takes what was typed.
    pub fn feed(&mut self, bytes: &[u8]) -> Typed {
        let mut typed = Typed::default();
        for &byte in bytes {
            self.key(byte, &mut typed.pass);
            if self.held == self.keys.len() {
                self.held = 0;
                typed.detached = true;
                break;
            }
        }
        typed
    }

    /// Passes on from the held keys what can no longer belong to the sequence.
    fn key(&mut self, byte: u8, pass: &mut Vec<u8>) {
        while self.held > 0 && self.keys[self.held] != byte {
            // What is held are the first keys of the sequence: keep the longest end of them that begins it too.
            let kept = (0..self.held).rev().find(|&kept| self.keys[..kept] == self.keys[self.held - kept..self.held]).unwrap_or(0);
            pass.extend_from_slice(&self.keys[..self.held - kept]);
            self.held = kept;
        }
        if self.keys[self.held] == byte {
            self.held += 1;
        } else {
            pass.push(byte);
        }
    }

    /// Whether keys are held back: then [`Detach::timeout`] is due [`PATIENCE`] after the last of them.
    pub fn is_holding(&self) -> bool {
        self.held > 0
    }

    /// No further key came in time: gives what was held.
    pub fn timeout(&mut self) -> Vec<u8> {
        let held = self.keys[..self.held].to_vec();
        self.held = 0;
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn watch(keys: &str) -> Detach {
        Detach::new(DetachKeys::parse(keys).unwrap())
    }

    #[test]
    fn keys_are_read() {
        assert_eq!(DetachKeys::parse(""), Ok(DetachKeys(vec![16, 17])));
        assert_eq!(DetachKeys::parse("ctrl-p,ctrl-q"), Ok(DetachKeys::default()));
        assert_eq!(DetachKeys::parse("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,ctrl-A,a,DEL"), Ok(DetachKeys(vec![0, 27, 28, 29, 30, 31, 1, b'a', 127])));
        for text in ["ctrl-", "ctrl-1", "ab", "a,,b", ",", "é", "ctrl-é", "ctrl-p ctrl-q"] {
            assert!(DetachKeys::parse(text).is_err(), "{text}");
        }
        assert!(DetachKeys::parse(&vec!["a"; 17].join(",")).is_err());
    }

    #[test]
    fn the_sequence_is_found_across_reads() {
        let mut keys = watch("");
        assert_eq!(keys.feed(b"ab\x10"), Typed { pass: b"ab".to_vec(), detached: false });
        assert!(keys.is_holding());
        assert_eq!(keys.feed(b"\x11c"), Typed { pass: Vec::new(), detached: true });
        assert_eq!(watch("a").feed(b"xa"), Typed { pass: b"x".to_vec(), detached: true });
    }

    #[test]
    fn what_was_held_is_not_lost() {
        let mut keys = watch("");
        assert_eq!(keys.feed(b"\x10x").pass, b"\x10x");
        assert_eq!(keys.feed(b"\x10").pass, b"");
        assert_eq!(keys.timeout(), b"\x10");
        assert!(!keys.is_holding() && keys.timeout().is_empty());
        assert_eq!(keys.feed(b"\x11").pass, b"\x11");
        assert_eq!(keys.feed(b"\x10\x10"), Typed { pass: b"\x10".to_vec(), detached: false });
        assert!(keys.feed(b"\x11").detached);
        let mut keys = watch("a,a,b");
        assert_eq!(keys.feed(b"aaab"), Typed { pass: b"a".to_vec(), detached: true });
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made_up(typed in prop::collection::vec(prop::sample::select(vec![b'a', b'b', b'c']), 0..40), at in 0usize..40) {
            let mut keys = watch("a,b,a,a,b,c");
            let (first, second) = typed.split_at(at.min(typed.len()));
            let mut pass = Vec::new();
            let mut detached = false;
            for part in [first, second] {
                if !detached {
                    let out = keys.feed(part);
                    pass.extend(out.pass);
                    detached = out.detached;
                }
            }
            let found = typed.windows(6).position(|six| six == b"abaabc");
            prop_assert_eq!(detached, found.is_some());
            pass.extend(keys.timeout());
            prop_assert_eq!(&pass[..], &typed[..found.unwrap_or(typed.len())]);
        }
    }
}
