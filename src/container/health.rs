//! Whether what runs in a container does its work: the check, what it found, and what follows.
//!
//! Source of the names: Docker Engine API, HealthConfig and Health.

use super::length;
use serde::{Deserialize, Serialize};

/// How a container is asked whether it is well; the same fields stand in an image's configuration document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthCheck {
    /// `["NONE"]`, `["CMD", word …]` or `["CMD-SHELL", line]`; empty takes the image's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Nanoseconds from the end of one probe to the next; 0 is [`Self::INTERVAL`].
    #[serde(skip_serializing_if = "nothing")]
    pub interval: u64,
    /// Nanoseconds a probe may take; 0 is [`Self::TIMEOUT`].
    #[serde(skip_serializing_if = "nothing")]
    pub timeout: u64,
    /// Failures in a row that make it unhealthy; 0 is [`Self::RETRIES`].
    #[serde(skip_serializing_if = "nothing")]
    pub retries: u32,
    /// Nanoseconds after the start in which failures do not count.
    #[serde(skip_serializing_if = "nothing")]
    pub start_period: u64,
    /// Nanoseconds between probes within the start period; 0 is [`Self::START_INTERVAL`].
    #[serde(skip_serializing_if = "nothing")]
    pub start_interval: u64,
}

/// Docker leaves out what is not set.
fn nothing<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

impl HealthCheck {
    /// The usual time between probes, nanoseconds.
    pub const INTERVAL: u64 = 30_000_000_000;
    /// The usual time a probe may take, nanoseconds.
    pub const TIMEOUT: u64 = 30_000_000_000;
    /// How many failures in a row are usually one too many.
    pub const RETRIES: u32 = 3;
    /// The usual time between probes within the start period, nanoseconds.
    pub const START_INTERVAL: u64 = 5_000_000_000;

    /// The shortest that any of its times may be, nanoseconds.
    pub const SHORTEST: u64 = 1_000_000;

    /// The words that are executed, with `shell` before a line for one; `None` if there is nothing to ask.
    pub fn command(&self, shell: &[String]) -> Option<Vec<String>> {
        let (kind, words) = self.test.split_first().filter(|(_, words)| !words.is_empty())?;
        match kind.as_str() {
            "CMD" => Some(words.to_vec()),
            "CMD-SHELL" if shell.is_empty() => Some(["/bin/sh", "-c"].into_iter().map(str::to_owned).chain(words.iter().cloned()).collect()),
            "CMD-SHELL" => Some([shell, words].concat()),
            _ => None,
        }
    }

    /// Whether there is something to ask.
    pub fn is_some(&self) -> bool {
        self.command(&[]).is_some()
    }

    /// Reads what stands behind `HEALTHCHECK` in a Dockerfile: `NONE`, or options and `CMD` with a line or a list of words.
    ///
    /// # Errors
    /// What is wrong, as part of a sentence.
    pub fn instruction(text: &str) -> Result<Self, String> {
        let mut check = Self::default();
        let mut rest = text.trim();
        while let Some(option) = rest.strip_prefix("--") {
            let (option, tail) = option.split_once(char::is_whitespace).ok_or("expected CMD and a command after the options")?;
            let (name, value) = option.split_once('=').ok_or_else(|| format!("expected --{option}=VALUE"))?;
            let time = || length::parse(value).and_then(|time| u64::try_from(time).ok()).ok_or_else(|| format!("{value:?} is no length of time for --{name}"));
            match name {
                "interval" => check.interval = time()?,
                "timeout" => check.timeout = time()?,
                "start-period" => check.start_period = time()?,
                "start-interval" => check.start_interval = time()?,
                "retries" => check.retries = value.parse().map_err(|_| format!("{value:?} is no number for --retries"))?,
                _ => return Err(format!("unknown option --{name}: expected --interval, --timeout, --start-period, --start-interval or --retries")),
            }
            rest = tail.trim_start();
        }
        let (word, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        check.test = match (word.to_ascii_uppercase().as_str(), command.trim()) {
            ("NONE", "") => vec!["NONE".to_owned()],
            ("CMD", "") => return Err("expected a command after CMD".to_owned()),
            ("CMD", list) if list.starts_with('[') => {
                let words: Vec<String> = serde_json::from_str(list).map_err(|error| error.to_string())?;
                std::iter::once("CMD".to_owned()).chain(words).collect()
            }
            ("CMD", line) => vec!["CMD-SHELL".to_owned(), line.to_owned()],
            _ => return Err("expected CMD and a command, or NONE".to_owned()),
        };
        check.too_short().map_or(Ok(check), |name| Err(format!("{name} cannot be less than {}", length::write(Self::SHORTEST))))
    }

    /// What it leaves open taken from `below`, each field by itself.
    #[must_use]
    pub fn over(self, below: &Self) -> Self {
        let number = |own: u64, other: u64| if own == 0 { other } else { own };
        Self {
            test: if self.test.is_empty() { below.test.clone() } else { self.test },
            interval: number(self.interval, below.interval),
            timeout: number(self.timeout, below.timeout),
            retries: if self.retries == 0 { below.retries } else { self.retries },
            start_period: number(self.start_period, below.start_period),
            start_interval: number(self.start_interval, below.start_interval),
        }
    }

    /// The name of the first of its times that is set and shorter than [`Self::SHORTEST`].
    pub fn too_short(&self) -> Option<&'static str> {
        let times = [("Interval", self.interval), ("Timeout", self.timeout), ("StartPeriod", self.start_period), ("StartInterval", self.start_interval)];
        times.into_iter().find(|(_, time)| (1..Self::SHORTEST).contains(time)).map(|(name, _)| name)
    }
}

/// What follows when a container turns out to be unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is told.
    #[default]
    None,
    /// Its process is killed; the restart policy sees to the rest.
    Kill,
    /// It is started again, whatever its restart policy.
    Restart,
    /// It is stopped, as by the user.
    Stop,
}

impl OnFailure {
    /// As `--health-on-failure` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Stop => "stop",
        }
    }

    /// Reads what [`Self::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Kill, Self::Restart, Self::Stop].into_iter().find(|action| action.as_str() == text)
    }
}

/// How a container is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Not known yet.
    #[default]
    Starting,
    /// The last probe went well.
    Healthy,
    /// As many probes failed, one after the other, as it takes.
    Unhealthy,
}

impl HealthStatus {
    /// As `ps --filter health=` and inspect write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// What is known of a container's health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// How it is.
    pub status: HealthStatus,
    /// How many probes failed since the last that went well.
    pub failing_streak: u32,
    /// The last [`Self::KEPT`] probes, oldest first.
    pub log: Vec<Probe>,
}

impl Health {
    /// How many probes are kept.
    pub const KEPT: usize = 5;
    /// Most bytes kept of what a probe wrote.
    pub const OUTPUT: usize = 4096;

    /// The health of a container that starts: of one with a check it is not known yet, the last probes are; of any other
    /// nothing is known.
    pub fn anew(check: Option<&HealthCheck>, before: Option<&Self>) -> Option<Self> {
        check.filter(|check| check.is_some()).map(|_| Self { log: before.map(|health| health.log.clone()).unwrap_or_default(), ..Self::default() })
    }

    /// The container has ended: it is not well any more. The streak and the probes stay, as docker leaves them.
    pub fn end(&mut self) {
        self.status = HealthStatus::Unhealthy;
    }
}

/// One probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Probe {
    /// When it began.
    pub start: jiff::Timestamp,
    /// When it was over.
    pub end: jiff::Timestamp,
    /// Its command's status; -1 if it did not end in time or could not be executed.
    pub exit_code: i32,
    /// What it wrote, at most [`Health::OUTPUT`] bytes of it; foreign text.
    pub output: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_line_needs_a_shell() {
        let check = |test: &[&str]| HealthCheck { test: words(test), ..HealthCheck::default() };
        assert_eq!(check(&["CMD", "a", "b c"]).command(&[]), Some(words(&["a", "b c"])));
        assert_eq!(check(&["CMD-SHELL", "a | b"]).command(&[]), Some(words(&["/bin/sh", "-c", "a | b"])));
        assert_eq!(check(&["CMD-SHELL", "a"]).command(&words(&["bash", "-ec"])), Some(words(&["bash", "-ec", "a"])));
        for nothing in [&[][..], &["NONE"], &["NONE", "x"], &["CMD"], &["CMD-SHELL"], &["cmd", "x"]] {
            assert!(!check(nothing).is_some(), "{nothing:?}");
        }
    }

    #[test]
    fn each_field_is_laid_over_by_itself() {
        let image = HealthCheck { test: words(&["CMD", "a"]), interval: 5, timeout: 6, retries: 7, start_period: 8, start_interval: 9 };
        assert_eq!(HealthCheck::default().over(&image), image);
        let user = HealthCheck { timeout: 60, retries: 1, ..HealthCheck::default() };
        assert_eq!(user.over(&image), HealthCheck { timeout: 60, retries: 1, ..image.clone() });
        let none = HealthCheck { test: words(&["NONE"]), ..HealthCheck::default() }.over(&image);
        assert!(!none.is_some() && none.interval == 5, "as docker has it");
    }

    #[test]
    fn instructions_are_read() {
        let check = HealthCheck::instruction("--interval=1m30s --retries=2  CMD curl -f http://localhost/ || exit 1").unwrap();
        assert_eq!((check.interval, check.retries, check.test), (90_000_000_000, 2, words(&["CMD-SHELL", "curl -f http://localhost/ || exit 1"])));
        assert_eq!(HealthCheck::instruction(r#"cmd ["a", "b c"]"#).unwrap().test, words(&["CMD", "a", "b c"]));
        assert_eq!(HealthCheck::instruction("NONE").unwrap().test, words(&["NONE"]));
        for wrong in
            ["", "CMD", "NONE x", "RUN x", "--interval=1s", "--interval CMD x", "--bogus=1 CMD x", "--interval=1us CMD x", "--retries=-1 CMD x", "CMD [x"]
        {
            assert!(HealthCheck::instruction(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_set_is_not_shown() {
        let check = HealthCheck { test: words(&["CMD", "a"]), retries: 2, ..HealthCheck::default() };
        assert_eq!(serde_json::to_string(&check).unwrap(), r#"{"Test":["CMD","a"],"Retries":2}"#);
        assert_eq!(serde_json::from_str::<HealthCheck>(r#"{"Retries":2,"Test":["CMD","a"]}"#).unwrap(), check);
    }

    #[test]
    fn times_are_bounded_from_below() {
        assert_eq!(HealthCheck { interval: 1_000_000, ..HealthCheck::default() }.too_short(), None);
        assert_eq!(HealthCheck { start_period: 999_999, ..HealthCheck::default() }.too_short(), Some("StartPeriod"));
    }

    #[test]
    fn the_probes_outlive_a_start_and_the_answer_does_not() {
        let check = HealthCheck { test: words(&["CMD", "a"]), ..HealthCheck::default() };
        let before = Health { status: HealthStatus::Healthy, failing_streak: 2, log: vec![Probe::default()] };
        let after = Health::anew(Some(&check), Some(&before)).unwrap();
        assert_eq!((after.status, after.failing_streak, after.log.len()), (HealthStatus::Starting, 0, 1));
        assert_eq!(Health::anew(Some(&HealthCheck::default()), Some(&before)), None);
        assert_eq!(Health::anew(None, None), None);
    }
}
