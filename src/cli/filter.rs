//! `--filter key=value`: what was asked for, and whether a thing fits it.
//!
//! Values of one key are alternatives; different keys must all fit, and so must all of several labels.

use std::collections::BTreeMap;

/// Most filters of one command, and bytes of one.
const MOST: usize = 100;
const LONGEST: usize = 4096;

/// What a listing is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Reads `key=value` words; only the keys in `known` are allowed.
    ///
    /// # Errors
    /// A sentence that names the filter and what was expected.
    pub fn parse<S: AsRef<str>>(words: &[S], known: &[&str]) -> Result<Self, String> {
        if words.len() > MOST {
            return Err(format!("{} filters: at most {MOST} are allowed", words.len()));
        }
        let mut filters = Self::default();
        for word in words {
            let word = word.as_ref();
            if word.len() > LONGEST {
                return Err(format!("a filter of {} bytes: at most {LONGEST} are allowed", word.len()));
            }
            let (key, value) = word.split_once('=').ok_or_else(|| format!("invalid filter {word:?}: expected key=value"))?;
            let key = key.trim().to_ascii_lowercase();
            if !known.contains(&key.as_str()) {
                return Err(format!("invalid filter {key:?}: expected one of {}", known.join(", ")));
            }
            filters.0.entry(key).or_default().push(value.trim().to_owned());
        }
        Ok(filters)
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every value given for `key`.
    pub fn get(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    fn any(&self, key: &str, fits: impl Fn(&str) -> bool) -> bool {
        self.0.get(key).is_none_or(|values| values.iter().any(|value| fits(value)))
    }

    /// Whether `value` is one of those asked for.
    pub fn exact(&self, key: &str, value: &str) -> bool {
        self.any(key, |wanted| wanted == value)
    }

    /// Whether an id begins with one of those asked for, with or without `sha256:`.
    pub fn id(&self, key: &str, id: &str) -> bool {
        let digits = |text: &str| text.strip_prefix("sha256:").unwrap_or(text).to_owned();
        self.any(key, |wanted| digits(id).starts_with(&digits(wanted)))
    }

    /// Whether a name holds one of those asked for; `^` and `$` bind it to the beginning and the end, a slash that
    /// docker writes in front of container names is passed over.
    pub fn name(&self, key: &str, name: &str) -> bool {
        self.any(key, |wanted| {
            let (wanted, from_start) = wanted.strip_prefix('^').map_or((wanted, false), |rest| (rest, true));
            let (wanted, to_end) = wanted.strip_suffix('$').map_or((wanted, false), |rest| (rest, true));
            let wanted = wanted.strip_prefix('/').unwrap_or(wanted);
            match (from_start, to_end) {
                (true, true) => name == wanted,
                (true, false) => name.starts_with(wanted),
                (false, true) => name.ends_with(wanted),
                (false, false) => name.contains(wanted),
            }
        })
    }

    /// Whether all labels of the key, `name` or `name=value`, are there.
    pub fn labels(&self, key: &str, labels: &BTreeMap<String, String>) -> bool {
        self.get(key).iter().all(|wanted| match wanted.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|there| there == value),
            None => labels.contains_key(wanted),
        })
    }

    /// The truth asked for: true, false, 1, 0 and the like; `None` if the key was not given.
    ///
    /// # Errors
    /// A sentence that names the filter, if it is neither or both.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, String> {
        let mut asked = None;
        for value in self.get(key) {
            let truth = match value.to_ascii_lowercase().as_str() {
                "true" | "t" | "1" => true,
                "false" | "f" | "0" => false,
                _ => return Err(format!("invalid filter \"{key}={value}\": expected true or false")),
            };
            if asked.is_some_and(|before| before != truth) {
                return Err(format!("invalid filter {key:?}: both true and false were asked for"));
            }
            asked = Some(truth);
        }
        Ok(asked)
    }

    /// The whole numbers asked for.
    ///
    /// # Errors
    /// A sentence that names the filter, if one is no number.
    pub fn number(&self, key: &str) -> Result<Vec<i64>, String> {
        self.get(key).iter().map(|value| value.parse().map_err(|_| format!("invalid filter \"{key}={value}\": expected a whole number"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filters(words: &[&str]) -> Filters {
        Filters::parse(words, &["name", "label", "label!", "status", "id", "dangling", "exited"]).unwrap()
    }

    #[test]
    fn alternatives_and_conditions() {
        let some = filters(&["status=running", "status=paused"]);
        assert!(some.exact("status", "paused") && !some.exact("status", "exited"));
        assert!(some.exact("name", "anything"));
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        assert!(filters(&["label=a=1", "label=b"]).labels("label", &labels));
        assert!(!filters(&["label=a=1", "label=c"]).labels("label", &labels));
        assert!(!filters(&["label=a=2"]).labels("label", &labels));
        assert_eq!(filters(&["label!=a"]).get("label!"), ["a"]);
    }

    #[test]
    fn names_and_ids() {
        assert!(filters(&["name=eb"]).name("name", "web"));
        assert!(!filters(&["name=^eb"]).name("name", "web"));
        assert!(filters(&["name=^/web$"]).name("name", "web"));
        assert!(!filters(&["name=^web$"]).name("name", "web2"));
        assert!(filters(&["id=ab"]).id("id", "sha256:abc"));
        assert!(filters(&["id=sha256:ab"]).id("id", "sha256:abc"));
        assert!(!filters(&["id=bc"]).id("id", "abc"));
    }

    #[test]
    fn wrong_ones_are_named() {
        assert!(Filters::parse(&["colour=red"], &["name"]).is_err_and(|error| error.contains("colour") && error.contains("name")));
        assert!(Filters::parse(&["name"], &["name"]).is_err());
        assert!(Filters::parse(&["name=a"; 101], &["name"]).is_err());
        assert_eq!(filters(&["dangling=true"]).boolean("dangling"), Ok(Some(true)));
        assert!(filters(&["dangling=perhaps"]).boolean("dangling").is_err());
        assert!(filters(&["dangling=1", "dangling=0"]).boolean("dangling").is_err());
        assert_eq!(filters(&["exited=1", "exited=137"]).number("exited"), Ok(vec![1, 137]));
        assert!(filters(&["exited=x"]).number("exited").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(word in any::<String>(), name in any::<String>()) {
            if let Ok(some) = Filters::parse(&[format!("name={word}")], &["name"]) {
                let _ = (some.name("name", &name), some.id("name", &name), some.boolean("name"), some.number("name"));
            }
        }
    }
}
