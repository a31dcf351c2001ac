//! The options that say how a container is asked whether it is well, laid over what its image says.

use crate::container::{Config, HealthCheck, OnFailure, length};
use crate::engine::{Error, Result};
use clap::Args;

/// How a container is asked whether it is well, and what follows if it is not.
#[derive(Args, Clone, Debug, Default)]
pub struct HealthOptions {
    /// Line for a shell in the container that fails when it is not well; none for no check
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    pub health_cmd: Option<String>,
    /// From the end of one check to the next (30s)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub health_interval: Option<String>,
    /// What a check may take (30s)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub health_timeout: Option<String>,
    /// Failures in a row that make it unhealthy (3)
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub health_retries: Option<i64>,
    /// Time after the start in which failures do not count (0s)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub health_start_period: Option<String>,
    /// From one check to the next in that time (5s)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub health_start_interval: Option<String>,
    /// Leave the image's check out
    #[arg(long)]
    pub no_healthcheck: bool,
    /// When it turns out to be unhealthy: none, kill, restart, stop
    #[arg(long, value_name = "ACTION")]
    pub health_on_failure: Option<String>,
}

impl HealthOptions {
    /// The check of a container: the image's, with these laid over it.
    ///
    /// # Errors
    /// They contradict each other; something is no length of time, or too short.
    pub fn check(&self, image: Option<HealthCheck>) -> Result<Option<HealthCheck>> {
        let own = self.own()?;
        let sets_something = own != HealthCheck::default();
        if self.no_healthcheck && sets_something {
            return Err(Error::conflict("--no-healthcheck conflicts with --health-* options"));
        }
        let own = if self.no_healthcheck { Some(HealthCheck { test: vec![NONE.to_owned()], ..own }) } else { Some(own).filter(|_| sets_something) };
        let check = match (own, image) {
            (Some(own), Some(image)) => Some(own.over(&image)),
            (own, image) => own.or(image),
        };
        match check.as_ref().and_then(HealthCheck::too_short) {
            Some(name) => Err(Error::invalid(format!("{name} in Healthcheck cannot be less than {}", length::write(HealthCheck::SHORTEST)))),
            None => Ok(check),
        }
    }

    /// What these alone say.
    fn own(&self) -> Result<HealthCheck> {
        let test = match self.health_cmd.as_deref() {
            None | Some("") => Vec::new(),
            Some("none") => vec![NONE.to_owned()],
            Some(line) => vec!["CMD-SHELL".to_owned(), line.to_owned()],
        };
        let retries = self.health_retries.unwrap_or(0);
        Ok(HealthCheck {
            test,
            interval: time("--health-interval", self.health_interval.as_deref())?,
            timeout: time("--health-timeout", self.health_timeout.as_deref())?,
            retries: u32::try_from(retries).map_err(|_| {
                Error::invalid(if retries < 0 { "--health-retries cannot be negative" } else { "--health-retries: expected a number below 4294967296" })
            })?,
            start_period: time("--health-start-period", self.health_start_period.as_deref())?,
            start_interval: time("--health-start-interval", self.health_start_interval.as_deref())?,
        })
    }

    /// What follows when it turns out to be unhealthy.
    ///
    /// # Errors
    /// The word is none of those that are known.
    pub fn on_failure(&self) -> Result<OnFailure> {
        let Some(text) = self.health_on_failure.as_deref() else { return Ok(OnFailure::None) };
        OnFailure::parse(text).ok_or_else(|| Error::invalid(format!("invalid --health-on-failure {text:?}: expected none, kill, restart or stop")))
    }

    /// What of these changes nothing in a container with this configuration, a sentence each.
    ///
    /// # Errors
    /// Something is to follow from a check that is not there.
    pub fn unheeded(&self, config: &Config) -> Result<Option<String>> {
        if config.healthcheck.as_ref().is_some_and(HealthCheck::is_some) {
            return Ok(None);
        }
        if self.on_failure()? != OnFailure::None {
            return Err(Error::invalid("--health-on-failure needs a health check, and there is none").hint("give one with --health-cmd"));
        }
        let named_none = self.no_healthcheck || self.health_cmd.is_some();
        let sets_something = self.own()? != HealthCheck::default();
        Ok((sets_something && !named_none).then(|| "--health-* have no effect: the image has no health check, and --health-cmd gives none".to_owned()))
    }
}

/// What a check that is none is called.
const NONE: &str = "NONE";

/// Nanoseconds.
fn time(option: &str, text: Option<&str>) -> Result<u64> {
    let Some(text) = text else { return Ok(0) };
    let wrong = || Error::invalid(format!("invalid value {text:?} for {option}: expected a length of time, such as 30s, 500ms or 1m30s"));
    u64::try_from(length::parse(text).ok_or_else(wrong)?).map_err(|_| Error::invalid(format!("{option} cannot be negative")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(words: &[&str]) -> HealthCheck {
        HealthCheck { test: words.iter().map(ToString::to_string).collect(), ..HealthCheck::default() }
    }

    fn options(change: impl FnOnce(&mut HealthOptions)) -> HealthOptions {
        let mut options = HealthOptions::default();
        change(&mut options);
        options
    }

    #[test]
    fn the_image_s_check_is_kept_but_for_what_is_asked_for() {
        let image = || Some(HealthCheck { interval: 7_000_000, retries: 5, ..test(&["CMD", "image"]) });
        assert_eq!(HealthOptions::default().check(image()).unwrap(), image());
        assert_eq!(HealthOptions::default().check(None).unwrap(), None);
        let timed = options(|o| o.health_timeout = Some("1.5s".into())).check(image()).unwrap().unwrap();
        assert_eq!((timed.test.join(" ").as_str(), timed.timeout, timed.retries), ("CMD image", 1_500_000_000, 5));
        let told = options(|o| o.health_cmd = Some("own | line".into())).check(image()).unwrap().unwrap();
        assert_eq!((told.test.join(" ").as_str(), told.interval), ("CMD-SHELL own | line", 7_000_000));
        for none in [options(|o| o.no_healthcheck = true), options(|o| o.health_cmd = Some("none".into()))] {
            assert!(!none.check(image()).unwrap().unwrap().is_some());
        }
    }

    #[test]
    fn what_is_refused_is_refused_in_docker_s_words() {
        for (wrong, why) in [
            (options(|o| o.health_interval = Some("1us".into())), "Interval in Healthcheck cannot be less than 1ms"),
            (options(|o| o.health_start_period = Some("100us".into())), "StartPeriod in Healthcheck cannot be less than 1ms"),
            (options(|o| o.health_interval = Some("-1s".into())), "--health-interval cannot be negative"),
            (options(|o| o.health_retries = Some(-1)), "--health-retries cannot be negative"),
            (options(|o| o.health_retries = Some(1 << 40)), "4294967296"),
            (options(|o| o.health_timeout = Some("x".into())), "--health-timeout"),
            (options(|o| (o.no_healthcheck, o.health_retries) = (true, Some(1))), "--no-healthcheck conflicts with --health-* options"),
        ] {
            let error = wrong.check(None).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
        assert!(HealthOptions::default().check(Some(HealthCheck { timeout: 1, ..test(&["CMD", "x"]) })).is_err(), "the image's own is bounded, too");
    }

    #[test]
    fn what_cannot_follow_is_told() {
        let without = Config::default();
        let with = Config { healthcheck: Some(test(&["CMD", "x"])), ..Config::default() };
        let acts = options(|o| o.health_on_failure = Some("kill".into()));
        assert!(acts.unheeded(&without).is_err() && acts.unheeded(&with).unwrap().is_none());
        assert!(options(|o| o.health_on_failure = Some("shout".into())).on_failure().is_err());
        let timed = options(|o| o.health_interval = Some("1s".into()));
        assert!(timed.unheeded(&without).unwrap().is_some() && timed.unheeded(&with).unwrap().is_none());
        assert!(options(|o| o.no_healthcheck = true).unheeded(&without).unwrap().is_none());
    }
}
