//! Names of containers, volumes and networks: which are allowed, and one made up where the user gives none.

/// Whether `name` is allowed for a container or a volume: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, at most 255 bytes.
///
/// # Errors
/// A sentence that names the name and what was expected.
pub fn check(what: &str, name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = name.len() >= 2 && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if first && rest && name.len() <= 255 {
        Ok(())
    } else {
        let shown: String = name.chars().take(80).collect();
        Err(format!("invalid {what} name {shown:?}: expected [a-zA-Z0-9][a-zA-Z0-9_.-]+, 2 to 255 characters"))
    }
}

/// Whether `name` is allowed for a network: `[a-zA-Z0-9_][a-zA-Z0-9_.-]*`, at most 255 bytes. Docker takes one letter, too (and
/// blanks, commas and slashes, which could not be said on a command line or be a domain of names).
///
/// # Errors
/// A sentence that names the name and what was expected.
pub fn check_network(name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    if first && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) && name.len() <= 255 {
        Ok(())
    } else {
        let shown: String = name.chars().take(80).collect();
        Err(format!("invalid network name {shown:?}: expected [a-zA-Z0-9_][a-zA-Z0-9_.-]*, 1 to 255 characters"))
    }
}

const ADJECTIVES: [&str; 48] = [
    "able", "amber", "bold", "brave", "breezy", "bright", "calm", "candid", "clear", "coral", "deep", "eager", "early", "fair", "fleet", "free", "gentle",
    "glad", "golden", "grand", "hardy", "jolly", "keen", "kind", "lively", "lucid", "mellow", "merry", "nimble", "noble", "patient", "plucky", "proud",
    "quick", "quiet", "ready", "salty", "sharp", "silver", "steady", "sunny", "swift", "tidal", "true", "trusty", "warm", "wise", "witty",
];

/// People who sailed, mapped, or made ships and the sea understood.
const SURNAMES: [&str; 48] = [
    "amundsen",
    "baret",
    "barents",
    "beaufort",
    "behaim",
    "bering",
    "bowditch",
    "brunel",
    "cabot",
    "carson",
    "chapelle",
    "cheng",
    "cook",
    "cousteau",
    "dampier",
    "earle",
    "ekman",
    "elcano",
    "ericson",
    "ferguson",
    "fitzroy",
    "flinders",
    "franklin",
    "gama",
    "harrison",
    "heyerdahl",
    "hudson",
    "ibnmajid",
    "jansson",
    "knox",
    "magellan",
    "maury",
    "mercator",
    "nansen",
    "piri",
    "polo",
    "pytheas",
    "ross",
    "scoresby",
    "shackleton",
    "slocum",
    "somerville",
    "stephens",
    "tasman",
    "tharp",
    "tupaia",
    "vespucci",
    "wegener",
];

/// A name `adjective_surname` chosen by `random`; `attempt` above 0 adds a number, for when the plain one is taken.
pub fn made_up(random: u64, attempt: u32) -> String {
    let adjective = ADJECTIVES[(random % ADJECTIVES.len() as u64) as usize];
    let surname = SURNAMES[((random >> 16) % SURNAMES.len() as u64) as usize];
    match attempt {
        0 => format!("{adjective}_{surname}"),
        n => format!("{adjective}_{surname}{}", (random >> 32) % (10u64.pow(n.min(9)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["ab", "a_b", "web-1.x", "0a"] {
            assert_eq!(check("container", good), Ok(()), "{good}");
        }
        for bad in ["", "a", "_a", "-a", "a b", "a/b", "\u{e9}a", "a\n", &"a".repeat(256)] {
            assert!(check("container", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_may_have_one_letter() {
        for good in ["a", "1", "_", "a_", "_a", "web-1.x"] {
            assert_eq!(check_network(good), Ok(()), "{good}");
        }
        for bad in ["", "-", ".", "-a", "a b", "a/b", "a,b", "a:b", "\u{e9}", "a\n", &"a".repeat(256)] {
            assert!(check_network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn made_up_names_are_allowed_ones() {
        for random in [0, 1, u64::MAX, 0xdead_beef_cafe] {
            for attempt in 0..4 {
                assert_eq!(check("container", &made_up(random, attempt)), Ok(()));
            }
        }
    }
}
