//! The signs that charts are drawn with: the finest that a terminal's font surely has.

/// What a chart's dots are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signs {
    /// Eight dots in a cell, two beside and four above each other.
    #[default]
    Braille,
    /// Two halves of a cell, above each other: also fonts of 256 signs have them.
    Blocks,
    /// One character a cell.
    Ascii,
}

impl Signs {
    /// All of them, with their names in settings.
    pub const ALL: [(&str, Self); 3] = [("braille", Self::Braille), ("blocks", Self::Blocks), ("ascii", Self::Ascii)];

    /// The signs that the environment tells of: TERM, and the character set of LC_ALL, LC_CTYPE or LANG, the first that is set.
    ///
    /// Without any of these the character set is not known, and UTF-8 is as likely there as everywhere.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(name).unwrap_or_default().to_lowercase();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(get).find(|value| !value.is_empty());
        // C and POSIX name no character set: programs take UTF-8 for granted there as well, so that only others are believed.
        let other = locale.as_deref().and_then(|locale| locale.split_once('.')).is_some_and(|(_, set)| !set.starts_with("utf-8") && !set.starts_with("utf8"));
        match get("TERM").as_str() {
            _ if other => Self::Ascii,
            "dumb" | "vt52" | "vt100" | "vt102" | "vt220" => Self::Ascii,
            // The kernel's console has fonts of 256 or 512 signs, and none of them is of Braille.
            term if term == "linux" || term.starts_with("linux-") => Self::Blocks,
            _ => Self::Braille,
        }
    }

    /// How many dots stand in a cell, beside and above each other.
    pub fn dots(self) -> (usize, usize) {
        match self {
            Self::Braille => (2, 4),
            Self::Blocks => (1, 2),
            Self::Ascii => (1, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_tells_what_it_can_draw() {
        for (variables, signs) in [
            (&[("TERM", "xterm-256color"), ("LANG", "en_GB.UTF-8")][..], Signs::Braille),
            (&[("TERM", "xterm-256color")], Signs::Braille),
            (&[("TERM", "xterm-256color"), ("LANG", "C")], Signs::Braille),
            (&[("TERM", "xterm-256color"), ("LC_ALL", ""), ("LANG", "de_DE.ISO-8859-1")], Signs::Ascii),
            (&[("TERM", "xterm"), ("LC_ALL", "C.utf8"), ("LANG", "de_DE.ISO-8859-1")], Signs::Braille),
            (&[("TERM", "linux"), ("LANG", "C.UTF-8")], Signs::Blocks),
            (&[("TERM", "vt100")], Signs::Ascii),
        ] {
            let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(Signs::detect(get), signs, "{variables:?}");
        }
    }
}
