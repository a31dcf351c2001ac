//! Patterns of file names and of lines: matched in one pass, whatever they are, so that none takes for ever.

/// What one byte must be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Atom {
    This(u8),
    Any,
    OneOf { ranges: Vec<(u8, u8)>, not: bool },
}

/// A pattern: atoms, each once or (with a star) any number of times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    atoms: Vec<(Atom, bool)>,
    /// It begins where the text begins.
    from_start: bool,
    /// It ends where the text ends.
    to_end: bool,
    /// Capitals count as small letters.
    any_case: bool,
}

impl Pattern {
    /// A pattern of whole names: `*`, `?`, `[a-z]` and `[!a-z]`. A byte that is marked as quoted means itself.
    pub fn of_names(bytes: impl IntoIterator<Item = (u8, bool)>) -> Self {
        let (text, quoted): (Vec<u8>, Vec<bool>) = bytes.into_iter().unzip();
        let mut atoms = Vec::new();
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            at += 1;
            let plain = !quoted[at - 1];
            match (byte, one_of(&text[at..], b'!')) {
                (b'*', _) if plain => atoms.push((Atom::Any, true)),
                (b'?', _) if plain => atoms.push((Atom::Any, false)),
                (b'[', Some((atom, after))) if plain => {
                    atoms.push((atom, false));
                    at = text.len() - after.len();
                }
                _ => atoms.push((Atom::This(byte), false)),
            }
        }
        Self { atoms, from_start: true, to_end: true, any_case: false }
    }

    /// These bytes, anywhere in a text.
    pub fn fixed(bytes: &[u8]) -> Self {
        Self { atoms: bytes.iter().map(|byte| (Atom::This(*byte), false)).collect(), ..Self::default() }
    }

    /// A simple regular expression: `.`, `[a-z]`, `[^a-z]`, `*` after one of them, `^` and `$` at the ends, `\`.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn of_lines(text: &[u8]) -> Result<Self, &'static str> {
        let mut pattern = Self::default();
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let first = pattern.atoms.is_empty();
            match byte {
                b'^' if first && !pattern.from_start => pattern.from_start = true,
                b'$' if rest.is_empty() => pattern.to_end = true,
                b'*' if !first => pattern.star(),
                b'.' => pattern.atoms.push((Atom::Any, false)),
                b'[' => {
                    let (atom, after) = one_of(rest, b'^').ok_or("a [ without its ]")?;
                    pattern.atoms.push((atom, false));
                    rest = after;
                }
                b'\\' => {
                    let (&byte, after) = rest.split_first().ok_or("a \\ with nothing behind it")?;
                    pattern.atoms.push((Atom::This(byte), false));
                    rest = after;
                }
                _ => pattern.atoms.push((Atom::This(byte), false)),
            }
        }
        Ok(pattern)
    }

    fn star(&mut self) {
        if let Some((_, starred)) = self.atoms.last_mut() {
            *starred = true;
        }
    }

    /// The same for capitals and small letters.
    pub fn in_any_case(self) -> Self {
        Self { any_case: true, ..self }
    }

    /// Whether a text matches. All places in the pattern that the text may have led to are kept side by side.
    pub fn matches(&self, text: &[u8]) -> bool {
        let end = self.atoms.len();
        let mut places = vec![false; end + 1];
        self.reach(&mut places, 0);
        for byte in text {
            if places[end] && !self.to_end {
                return true;
            }
            let mut next = vec![false; end + 1];
            for (at, (atom, starred)) in self.atoms.iter().enumerate() {
                if places[at] && self.fits(atom, *byte) {
                    self.reach(&mut next, if *starred { at } else { at + 1 });
                }
            }
            if !self.from_start {
                self.reach(&mut next, 0);
            }
            places = next;
        }
        places[end]
    }

    /// Marks a place, and those behind atoms that may be missing.
    fn reach(&self, places: &mut [bool], mut at: usize) {
        places[at] = true;
        while self.atoms.get(at).is_some_and(|(_, starred)| *starred) {
            at += 1;
            places[at] = true;
        }
    }

    fn fits(&self, atom: &Atom, byte: u8) -> bool {
        let is = |byte: u8| match atom {
            Atom::This(this) => *this == byte,
            Atom::Any => true,
            Atom::OneOf { ranges, not } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&byte)) != *not,
        };
        is(byte) || (self.any_case && (is(byte.to_ascii_lowercase()) || is(byte.to_ascii_uppercase())))
    }
}

/// What stands between `[` and `]`, and what follows; `negation` at its beginning turns it around.
fn one_of(text: &[u8], negation: u8) -> Option<(Atom, &[u8])> {
    let (not, text) = match text {
        [first, rest @ ..] if *first == negation => (true, rest),
        _ => (false, text),
    };
    // A ] at the beginning is one of them.
    let length = 1 + text.iter().skip(1).position(|byte| *byte == b']')?;
    let (mut inside, after) = (&text[..length], &text[length + 1..]);
    let mut ranges = Vec::new();
    while let Some((&from, rest)) = inside.split_first() {
        if let [b'-', to, rest @ ..] = rest {
            ranges.push((from, *to));
            inside = rest;
        } else {
            ranges.push((from, from));
            inside = rest;
        }
    }
    Some((Atom::OneOf { ranges, not }, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        let of = |text: &str| Pattern::of_names(text.bytes().map(|byte| (byte, false)));
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt2", false),
            ("?", "ab", false),
            ("a*b*c", "axxbyyc", true),
            ("", "", true),
            ("[0-9]*", "7x", true),
            ("[!0-9]", "7", false),
            ("[x", "[x", true),
        ] {
            assert_eq!(of(pattern).matches(name.as_bytes()), expected, "{pattern} {name}");
        }
        assert!(!Pattern::of_names([(b'*', true)]).matches(b"x"), "a quoted star is a star");
        let slow = of(&"*a".repeat(40));
        assert!(!slow.matches("a".repeat(2000).as_bytes().iter().chain(b"b").copied().collect::<Vec<_>>().as_slice()));
    }

    #[test]
    fn lines() {
        for (pattern, line, expected) in [
            ("oo", "root", true),
            ("^r.*t$", "root", true),
            ("^o", "root", false),
            ("o$", "root", false),
            ("[0-9]*x", "x", true),
            ("[^0-9]x", "9x", false),
            ("[!a]", "!", true),
            ("[]a]", "]", true),
            ("a\\.b", "axb", false),
            ("*a", "*a", true),
            ("", "anything", true),
        ] {
            assert_eq!(Pattern::of_lines(pattern.as_bytes()).unwrap().matches(line.as_bytes()), expected, "{pattern} {line}");
        }
        assert!(Pattern::of_lines(b"ROOT").unwrap().in_any_case().matches(b"root"));
        assert!(Pattern::of_lines(b"[").is_err() && Pattern::of_lines(b"a\\").is_err());
    }

    proptest! {
        #[test]
        fn any_pattern_is_read(pattern in proptest::collection::vec(any::<u8>(), 0..40), text in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(read) = Pattern::of_lines(&pattern) {
                read.matches(&text);
            }
            Pattern::of_names(pattern.iter().map(|byte| (*byte, false))).matches(&text);
            prop_assert!(Pattern::fixed(&pattern).matches(&[&text[..], &pattern].concat()));
        }
    }
}
