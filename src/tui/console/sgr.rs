//! The attributes that a program asks for (`CSI … m`), kept to those the emulator knows.

/// Rewrites the parameters of an SGR sequence, each a list of a number and its subparameters, into sequences of one
/// attribute each.
///
/// What is unknown is left out with all that belongs to it: `58;2;…` (the colour of underlines) must not be read as
/// "dim". Colours may be written with colons, with or without a colour space. Source: ECMA-48, ISO 8613-6, xterm.
pub fn known(params: &[Vec<u16>]) -> String {
    let mut out = String::new();
    if params.is_empty() {
        push(&mut out, "0");
    }
    let mut at = 0;
    while let Some(param) = params.get(at) {
        at += 1;
        let number = param.first().copied().unwrap_or(0);
        let said = match (number, param.len()) {
            (38 | 48 | 58, 1) => {
                let (colour, used) = separate(&params[at..]);
                at += used;
                colour
            }
            (38 | 48 | 58, _) => joined(&param[1..]),
            // Underlined in whatever way; `4:0` is not.
            (4, 2..) if param[1] == 0 => Some("24".to_owned()),
            (21, _) => Some("4".to_owned()),
            (0..=4 | 7 | 22..=24 | 27 | 30..=37 | 39..=47 | 49 | 90..=97 | 100..=107, _) => Some(number.to_string()),
            _ => None,
        };
        match (number, said) {
            (38 | 48, Some(colour)) => push(&mut out, &format!("{number};{colour}")),
            (58, _) | (_, None) => {}
            (_, Some(plain)) => push(&mut out, &plain),
        }
    }
    out
}

fn push(out: &mut String, text: &str) {
    out.push_str("\x1b[");
    out.push_str(text);
    out.push('m');
}

/// `2;r;g;b` or `5;n` from the parameters behind 38, and how many of them it took.
fn separate(rest: &[Vec<u16>]) -> (Option<String>, usize) {
    let plain = |count: usize| -> Option<Vec<u16>> { rest.get(..count)?.iter().map(|param| param.first().copied()).collect() };
    match rest.first().and_then(|kind| kind.first()) {
        Some(2) => (plain(4).and_then(|list| joined(&list)), 4),
        Some(5) => (plain(2).and_then(|list| joined(&list)), 2),
        _ => (None, 1),
    }
}

/// The same from subparameters.
fn joined(list: &[u16]) -> Option<String> {
    let (red, green, blue) = match *list {
        [5, index] => return (index < 256).then(|| format!("5;{index}")),
        [2, red, green, blue] | [2, _, red, green, blue, ..] => (red, green, blue),
        _ => return None,
    };
    [red, green, blue].iter().all(|part| *part < 256).then(|| format!("2;{red};{green};{blue}"))
}

#[cfg(test)]
mod tests {
    use super::known;

    fn read(text: &str) -> String {
        let params: Vec<Vec<u16>> = text.split(';').map(|param| param.split(':').map(|n| n.parse().unwrap_or(0)).collect()).collect();
        known(&params).replace("m\x1b[", ";").trim_start_matches("\x1b[").trim_end_matches('m').to_owned()
    }

    #[test]
    fn only_what_is_known_is_said() {
        for (asked, said) in [
            ("", "0"),
            ("1;31", "1;31"),
            ("38;5;208", "38;5;208"),
            ("38:5:208", "38;5;208"),
            ("48;2;1;2;3;1", "48;2;1;2;3;1"),
            ("38:2::9:8:7", "38;2;9;8;7"),
            ("38:2:9:8:7", "38;2;9;8;7"),
            ("58;2;1;2;3;3", "3"),
            ("58:5:2;7", "7"),
            ("4:3", "4"),
            ("4:0", "24"),
            ("21", "4"),
            ("5;8;9;53", ""),
            ("38;5", ""),
            ("38;2;300;1;1;4", "4"),
            ("38", ""),
            ("107;99", "107"),
        ] {
            assert_eq!(read(asked), said, "{asked}");
        }
    }
}
