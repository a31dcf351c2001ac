//! Times as people read and write them: "Up 3 minutes", "2 hours ago", `--since 1h30m`.

use crate::container::{HealthStatus, State, Status};
use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long, in the largest fitting unit; the words and limits are those of docker's go-units.
pub fn human(length: Duration) -> String {
    let seconds = length.as_secs();
    // Hours are rounded, all others cut off.
    let hours = (seconds + 1800) / 3600;
    match (seconds, seconds / 60, hours) {
        (0, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (2..=59, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, minutes @ 2..=59, _) => format!("{minutes} minutes"),
        (.., 1) => "About an hour".to_owned(),
        (.., 2..48) => format!("{hours} hours"),
        (.., 48..336) => format!("{} days", hours / 24),
        (.., 336..1440) => format!("{} weeks", hours / 168),
        (.., 1440..17520) => format!("{} months", hours / 720),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// How long, as narrow as it can be told: `42s`, `5m`, `3h`, `12d`, `2y`.
pub fn short(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds, seconds / 60, seconds / 3600, seconds / 86400) {
        (0..=59, ..) => format!("{seconds}s"),
        (_, minutes @ 1..=59, ..) => format!("{minutes}m"),
        (.., hours @ 1..=47, _) => format!("{hours}h"),
        (.., days @ 2..=729) => format!("{days}d"),
        (.., days) => format!("{}y", days / 365),
    }
}

/// `5m ago`.
pub fn short_ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", short(since(then, now)))
}

/// How long it is from `then` to `now`; no time if `then` is still to come.
pub fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// "2 hours ago".
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", human(since(then, now)))
}

/// A moment as docker's lists have it: "2026-02-03 04:05:06 +0000 UTC", in this machine's time zone.
pub fn at(moment: Timestamp) -> String {
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
}

/// A container's state as `ps` words it: "Up 3 minutes (Paused)", "Exited (0) 2 hours ago".
pub fn status(state: &State, now: Timestamp) -> String {
    let up = || format!("Up {}", human(state.started_at.map_or(Duration::ZERO, |then| since(then, now))));
    let ended = || state.finished_at.map_or_else(String::new, |then| format!(" {}", ago(then, now)));
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running => match &state.health {
            None => up(),
            Some(health) if health.status == HealthStatus::Starting => format!("{} (health: starting)", up()),
            Some(health) => format!("{} ({})", up(), health.status.as_str()),
        },
        Status::Paused => format!("{} (Paused)", up()),
        Status::Restarting => format!("Restarting ({}){}", state.exit_code, ended()),
        Status::Exited => format!("Exited ({}){}", state.exit_code, ended()),
        Status::Removing => "Removal In Progress".to_owned(),
    }
}

/// A length of time from `10s`, `1h30m`, `1.5h`, `250ms`: Go's units ns, us, ms, s, m, h.
///
/// # Errors
/// A sentence that names the text and what was expected.
pub fn length(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("invalid length of time {:?}: expected numbers with h, m, s or ms, such as 10s or 1h30m", text.chars().take(100).collect::<String>());
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut sum = 0.0f64;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        sum += number.parse::<f64>().map_err(|_| wrong())? * seconds;
        rest = tail;
    }
    // About 292 years: what Go's 64 bits of nanoseconds hold.
    if text.is_empty() || sum > 9.2e9 {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(sum).map_err(|_| wrong())
}

/// A moment for `--since` and `--until`.
///
/// A length of time before `now` (`10m`), seconds since 1970 (`1700000000.5`), or RFC 3339 with as much as is known
/// (`2026-01-02`, `2026-01-02T15:04`, `2026-01-02T15:04:05Z`), in this machine's zone if it names none.
///
/// # Errors
/// A sentence that names the text and what was expected.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    moment_in(text, now, &TimeZone::system())
}

fn moment_in(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "invalid time {:?}: expected a length of time ago (10m, 1h30m), seconds since 1970, or a time such as 2026-01-02T15:04:05Z",
            text.chars().take(100).collect::<String>()
        )
    };
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return unix(text).ok_or_else(wrong);
    }
    if let Ok(ago) = length(text) {
        let ago = SignedDuration::try_from(ago).map_err(|_| wrong())?;
        return now.checked_sub(ago).map_err(|_| wrong());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let here =
        text.parse::<civil::DateTime>().or_else(|_| text.parse::<civil::Date>().map(|day| day.to_datetime(civil::Time::midnight()))).map_err(|_| wrong())?;
    zone.to_zoned(here).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

fn unix(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    Timestamp::new(seconds.parse().ok()?, digits.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Health;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn short_lengths_keep_their_largest_unit() {
        let told = [0, 59, 60, 3599, 3600, 172_799, 172_800, 86400 * 729, 86400 * 730].map(|seconds| short(Duration::from_secs(seconds)));
        assert_eq!(told, ["0s", "59s", "1m", "59m", "1h", "47h", "2d", "729d", "2y"]);
    }

    #[test]
    fn lengths_read_as_dockers() {
        const HOUR: u64 = 3600;
        const DAY: u64 = 24 * HOUR;
        for (seconds, words) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (HOUR - 1, "59 minutes"),
            (HOUR, "About an hour"),
            (HOUR + 1799, "About an hour"),
            (HOUR + 1800, "2 hours"),
            (47 * HOUR, "47 hours"),
            (2 * DAY, "2 days"),
            (13 * DAY, "13 days"),
            (14 * DAY, "2 weeks"),
            (59 * DAY, "8 weeks"),
            (60 * DAY, "2 months"),
            (729 * DAY, "24 months"),
            (730 * DAY, "2 years"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), words, "{seconds} s");
        }
    }

    #[test]
    fn states_are_worded() {
        let now = at("2026-01-02T12:00:00Z");
        let mut state = State { status: Status::Running, started_at: Some(at("2026-01-02T11:57:00Z")), ..State::default() };
        assert_eq!(status(&state, now), "Up 3 minutes");
        for (health, words) in [(HealthStatus::Starting, "health: starting"), (HealthStatus::Healthy, "healthy"), (HealthStatus::Unhealthy, "unhealthy")] {
            state.health = Some(Health { status: health, ..Health::default() });
            assert_eq!(status(&state, now), format!("Up 3 minutes ({words})"));
        }
        state.status = Status::Paused;
        assert_eq!(status(&state, now), "Up 3 minutes (Paused)");
        state = State { status: Status::Exited, exit_code: 137, finished_at: Some(at("2026-01-02T10:00:00Z")), ..State::default() };
        assert_eq!(status(&state, now), "Exited (137) 2 hours ago");
        state.status = Status::Restarting;
        assert_eq!(status(&state, now), "Restarting (137) 2 hours ago");
        assert_eq!(status(&State::default(), now), "Created");
        assert_eq!(ago(at("2027-01-01T00:00:00Z"), now), "Less than a second ago");
    }

    #[test]
    fn lengths_are_read() {
        assert_eq!(length("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(length("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(length("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(length("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(length("0"), Ok(Duration::ZERO));
        for text in ["", "10", "s", "10x", "-5s", "1h30", "1..5s", "9999999999h"] {
            assert!(length(text).is_err_and(|error| error.contains(&format!("{text:?}"))), "{text}");
        }
    }

    #[test]
    fn moments_are_read() {
        let now = at("2026-01-02T12:00:00Z");
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let read = |text| moment_in(text, now, &zone);
        assert_eq!(read("1h30m"), Ok(at("2026-01-02T10:30:00Z")));
        assert_eq!(read("1700000000.25"), Ok(at("2023-11-14T22:13:20.25Z")));
        assert_eq!(read("2026-01-01T00:00:00.5Z"), Ok(at("2026-01-01T00:00:00.5Z")));
        assert_eq!(read("2026-01-01T02:00:00+02:00"), Ok(at("2026-01-01T00:00:00Z")));
        assert_eq!(read("2026-01-01T02:00"), Ok(at("2026-01-01T00:00:00Z")));
        assert_eq!(read("2026-01-01"), Ok(at("2025-12-31T22:00:00Z")));
        for text in ["", "yesterday", "2026-13-01", "-", "99999999999999999999", "1.2.3"] {
            assert!(read(text).is_err_and(|error| error.contains(&format!("{text:?}"))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), seconds in any::<u64>()) {
            let _ = moment(&text, Timestamp::UNIX_EPOCH);
            prop_assert!(!human(Duration::from_secs(seconds / 2)).is_empty());
        }
    }
}
