//! What a prune is limited to: what was made before a moment, what has a label.

use super::values;
use crate::engine::{Error, Result};
use clap::Args;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The filters of a prune; all of them must fit.
#[derive(Args, Clone, Debug, Default)]
pub struct PruneFilter {
    /// Only what fits: until=MOMENT (made before it), label=NAME[=VALUE], label!=NAME[=VALUE] (repeatable)
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    pub texts: Vec<String>,
    /// The moments of `until`, read by the front-end.
    #[arg(skip)]
    pub until: Vec<Timestamp>,
}

impl PruneFilter {
    /// The moments that `until` names, as they were written.
    pub fn moments(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().filter_map(|text| text.strip_prefix("until="))
    }

    /// Refuses what is no filter of this prune; `more` are those that it has beside labels.
    pub fn check(&self, more: &[&str]) -> Result<()> {
        for text in &self.texts {
            let (key, _) = values::pair("--filter", text)?;
            if !matches!(key, "label" | "label!") && !more.contains(&key) {
                let known: Vec<&str> = more.iter().copied().chain(["label", "label!"]).collect();
                return Err(Error::invalid(format!("invalid filter key {key:?}: expected one of {}", known.join(", "))));
            }
        }
        Ok(())
    }

    /// Whether something made at this moment is meant; what nobody knows the moment of is as old as can be.
    pub fn fits_age(&self, created: Option<Timestamp>) -> bool {
        self.until.iter().all(|until| created.is_none_or(|created| created < *until))
    }

    /// Whether something with these labels is meant.
    pub fn fits_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |label: &str| match label.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|found| found == value),
            None => labels.contains_key(label),
        };
        self.texts.iter().all(|text| match text.strip_prefix("label!=") {
            Some(label) => !has(label),
            None => text.strip_prefix("label=").is_none_or(has),
        })
    }

    /// A filter that says true or false; `None` if it is not given.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        let mut found = None;
        for text in &self.texts {
            match text.split_once('=') {
                Some((name, "true" | "1")) if name == key => found = Some(true),
                Some((name, "false" | "0")) if name == key => found = Some(false),
                Some((name, value)) if name == key => return Err(Error::invalid(format!("invalid filter {key}={value}: expected true or false"))),
                _ => {}
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(texts: &[&str]) -> PruneFilter {
        PruneFilter { texts: texts.iter().map(ToString::to_string).collect(), until: Vec::new() }
    }

    #[test]
    fn labels_and_ages_limit_a_prune() {
        let labels = BTreeMap::from([("stage".to_owned(), "test".to_owned())]);
        for (texts, fits) in [
            (&[][..], true),
            (&["label=stage"], true),
            (&["label=stage=test"], true),
            (&["label=stage=live"], false),
            (&["label=stage", "label=other"], false),
            (&["label!=stage"], false),
            (&["label!=stage=live"], true),
        ] {
            assert_eq!(filter(texts).fits_labels(&labels), fits, "{texts:?}");
        }
        let second = |second| Timestamp::from_second(second).unwrap();
        let old = PruneFilter { until: vec![second(100)], ..PruneFilter::default() };
        assert!(old.fits_age(Some(second(99))) && old.fits_age(None) && !old.fits_age(Some(second(100))));
    }

    #[test]
    fn what_is_no_filter_is_refused_by_name() {
        assert!(filter(&["until=1h", "label=a"]).check(&["until"]).is_ok());
        assert!(filter(&["until=1h"]).check(&[]).is_err_and(|error| error.message.contains("until")));
        assert!(filter(&["colour=blue"]).check(&["until"]).is_err_and(|error| error.message.contains("colour")));
        assert!(filter(&["label"]).check(&[]).is_err());
        assert_eq!(filter(&["dangling=false"]).flag("dangling").unwrap(), Some(false));
        assert!(filter(&["dangling=perhaps"]).flag("dangling").is_err());
    }
}
