//! Whom the kernel killed for want of memory, and whose limit it was: read from its log.
//!
//! A kill is two records, the second of which does not tell the cgroup:
//! ```text
//!  oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=…,mems_allowed=0,oom_memcg=/kapal/ID,task_memcg=/kapal/ID,task=NAME,pid=N,uid=N
//!  Memory cgroup out of memory: Killed process N (NAME) total-vm:…
//! ```
//! Where the whole machine had no memory left, it is `global_oom` in place of `oom_memcg=…`. Names of processes, and of cgroups that
//! a container makes below its own, may be made to look like the rest of such a record; what decides is therefore the first
//! container that is named.
//!
//! Source: the kernel's mm/oom_kill.c (since 5.0) and Documentation/ABI/testing/dev-kmsg.

use crate::id::ContainerId;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fmt::Write;
use std::time::Duration;

/// No record is longer.
const LONGEST: usize = 16 << 10;
/// So many records are looked at, at most: as many as fit into four megabytes of log.
const RECORDS: usize = 1 << 16;
/// The longest name of a process, in bytes.
const NAME: usize = 15;
/// The longest name of a cgroup that is told, in bytes.
const CGROUP: usize = 256;
/// How far the kernel's two clocks may be apart.
const SLACK: Duration = Duration::from_secs(2);

/// One kill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kill {
    /// The process's name and number; empty if it is not told. Foreign text.
    pub victim: String,
    /// The cgroup whose limit it was; `/` for the whole machine, empty if it is not told. Foreign text.
    pub cgroup: String,
}

/// A reader for one container.
#[derive(Debug)]
pub struct KernelLog {
    /// What comes before the identity in a cgroup's name: `/kapal/`.
    parent: String,
    id: String,
    /// The number of the last record that was looked at.
    seen: Option<u64>,
}

impl KernelLog {
    /// A reader for the container whose cgroups are below `parent` (`/kapal`).
    pub fn new(parent: &str, id: &ContainerId) -> Self {
        Self { parent: format!("/{}/", parent.trim_matches('/')), id: id.as_str().to_owned(), seen: None }
    }

    /// The last kills in this container, as many as `count` at most, none older than `within` and none that was told before; oldest first.
    /// Fewer where the kernel did not write them down: it writes ten in five seconds.
    ///
    /// # Errors
    /// The log cannot be read: that takes CAP_SYSLOG.
    pub fn kills(&mut self, count: usize, within: Duration) -> std::io::Result<Vec<Kill>> {
        let log = rustix::fs::open("/dev/kmsg", OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        let mut search = Search::new(self);
        let mut buffer = vec![0; LONGEST];
        for _ in 0..RECORDS {
            match rustix::io::read(&log, &mut buffer) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(length) => search.look(&buffer[..length]),
                // What was next has been overwritten meanwhile; or it was too long, and is passed over.
                Err(Errno::PIPE | Errno::INVAL | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (newest, last, mut found) = (search.newest, search.last, search.found);
        self.seen = last.or(self.seen);
        let oldest = newest.saturating_sub((within + SLACK).as_micros() as u64);
        found.retain(|(at, _)| *at >= oldest);
        found.drain(..found.len().saturating_sub(count));
        Ok(found.into_iter().map(|(_, kill)| kill).collect())
    }

    /// Whether the container is the first that is named.
    fn is_first_named(&self, text: &str) -> bool {
        let after = text.split_once(&self.parent).and_then(|(_, rest)| rest.strip_prefix(&self.id));
        after.is_some_and(|rest| rest.starts_with([',', '/']))
    }
}

/// A walk over the log.
struct Search<'a> {
    log: &'a KernelLog,
    /// Microseconds of the kernel's clock.
    newest: u64,
    last: Option<u64>,
    found: Vec<(u64, Kill)>,
    /// The last kill's record was cut short before its victim: the next one has it.
    waits: bool,
}

impl<'a> Search<'a> {
    fn new(log: &'a KernelLog) -> Self {
        Self { log, newest: 0, last: None, found: Vec::new(), waits: false }
    }

    /// Looks at one record: `priority,number,microseconds,flags;text`, with anything unprintable in the text as `\xNN`.
    fn look(&mut self, record: &[u8]) {
        let record = String::from_utf8_lossy(record);
        let Some((head, text)) = record.split_once(';') else { return };
        let mut numbers = head.split(',').skip(1).map(str::parse::<u64>);
        let (Some(Ok(number)), Some(Ok(at))) = (numbers.next(), numbers.next()) else { return };
        (self.last, self.newest) = (Some(number), at);
        if self.log.seen.is_some_and(|seen| number <= seen) {
            return;
        }
        let text = text.lines().next().unwrap_or_default();
        if let Some(rest) = text.strip_prefix("oom-kill:constraint=") {
            self.waits = false;
            if let Some(kill) = killed(self.log, rest) {
                self.waits = kill.victim.is_empty();
                self.found.push((at, kill));
                // Only the last are wanted.
                if self.found.len() > 64 {
                    self.found.drain(..32);
                }
            }
        } else if let (true, Some((_, process)), Some((_, kill))) = (self.waits, text.split_once(": Killed process "), self.found.last_mut()) {
            kill.victim = victim_of(process).unwrap_or_default();
            self.waits = false;
        }
    }
}

/// The kill that a record tells after `oom-kill:constraint=`, if it was in this container.
fn killed(log: &KernelLog, text: &str) -> Option<Kill> {
    // A cpuset's name comes before and is the container's, but holds no slash.
    let (limit, rest) = match (text.split_once(",oom_memcg=/"), text.split_once(",global_oom,task_memcg=/")) {
        (Some((before, rest)), global) if global.is_none_or(|(earlier, _)| before.len() < earlier.len()) => (Some(rest), rest),
        (_, Some((_, rest))) => (None, rest),
        (_, None) => return None,
    };
    // The slash belongs to the name.
    let names = &text[text.len() - rest.len() - 1..];
    if !log.is_first_named(names) {
        return None;
    }
    let cgroup = match limit {
        Some(_) => names.split_once(",task_memcg=").map_or(names, |(cgroup, _)| cgroup),
        None => "/",
    };
    Some(Kill { victim: victim(names).unwrap_or_default(), cgroup: bounded(&unescaped(cgroup), CGROUP) })
}

/// The process that the end of such a record names: `…,task=NAME,pid=N,uid=N`.
fn victim(text: &str) -> Option<String> {
    let (rest, uid) = text.rsplit_once(",uid=")?;
    let (rest, pid) = rest.rsplit_once(",pid=")?;
    let (_, pid) = (uid.parse::<u32>().ok()?, pid.parse::<u32>().ok()?);
    // The first that can be where the name begins: a name may hold the words itself, but is short.
    let begins = rest.match_indices(",task=").map(|(at, words)| &rest[at + words.len()..]);
    let name = begins.map(unescaped).find(|name| name.len() <= NAME)?;
    Some(format!("{} ({pid})", String::from_utf8_lossy(&name)))
}

/// The process of the second record: `N (NAME) total-vm:…`.
fn victim_of(text: &str) -> Option<String> {
    let (pid, rest) = text.split_once(" (")?;
    let (name, _) = rest.rsplit_once(") total-vm:")?;
    Some(format!("{} ({})", bounded(&unescaped(name), NAME), pid.parse::<u32>().ok()?))
}

/// A text with its `\xNN` as bytes again.
fn unescaped(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(b"\\x"),
        }
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Bytes as text that is no longer than `most` bytes, but for the mark that it was.
fn bounded(bytes: &[u8], most: usize) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned();
    if bytes.len() > most {
        let _ = write!(text, "…");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn log() -> KernelLog {
        KernelLog { parent: "/kapal/".to_owned(), id: "a".repeat(64), seen: None }
    }

    fn found(texts: &[String]) -> Vec<Kill> {
        let log = log();
        let mut search = Search::new(&log);
        for (number, text) in texts.iter().enumerate() {
            search.look(format!("6,{number},{},-;{text}\n SUBSYSTEM=none\n", number * 1000).as_bytes());
        }
        search.found.into_iter().map(|(_, kill)| kill).collect()
    }

    fn own() -> String {
        format!("/kapal/{}", "a".repeat(64))
    }

    fn other() -> String {
        format!("/kapal/{}", "b".repeat(64))
    }

    fn record(limit: &str, cgroup: &str, name: &str) -> String {
        format!("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0{limit},task_memcg={cgroup},task={name},pid=12,uid=0")
    }

    fn in_group(limit: &str, cgroup: &str, name: &str) -> String {
        record(&format!(",oom_memcg={limit}"), cgroup, name)
    }

    fn kill(victim: &str, cgroup: &str) -> Vec<Kill> {
        vec![Kill { victim: victim.to_owned(), cgroup: cgroup.to_owned() }]
    }

    #[test]
    fn a_kill_is_told_with_its_victim_and_the_limit() {
        assert_eq!(found(&[in_group(&own(), &own(), "dd")]), kill("dd (12)", &own()));
        assert_eq!(found(&[in_group(&own(), &format!("{}/sub", own()), "dd")]), kill("dd (12)", &own()));
        assert_eq!(found(&[in_group("/kapal", &own(), "dd")]), kill("dd (12)", "/kapal"), "the limit of all");
        let nested = format!("/docker/{}{}", "c".repeat(64), own());
        assert_eq!(found(&[in_group(&nested, &nested, "dd")]), kill("dd (12)", &nested), "in another's container");
        assert_eq!(found(&[record(",global_oom", &own(), "dd")]), kill("dd (12)", "/"));
        for elsewhere in [other(), "/".to_owned(), "/system.slice".to_owned(), format!("{}a", own())] {
            assert_eq!(found(&[in_group(&elsewhere, &elsewhere, "dd")]), [], "{elsewhere}");
        }
    }

    #[test]
    fn names_that_look_like_the_rest_deceive_nobody() {
        for (name, told) in [
            ("a,pid=1,uid=0", "a,pid=1,uid=0"),
            ("x,task=y", "x,task=y"),
            (r"new\x0aline", "new\nline"),
            (r"caf\xc3\xa9", "café"),
            (r"\x5cx41", r"\x41"),
            (r"\xff\xfe", "\u{fffd}\u{fffd}"),
            (",uid=0", ",uid=0"),
            ("", ""),
        ] {
            assert_eq!(found(&[in_group(&own(), &own(), name)]), kill(&format!("{told} (12)"), &own()));
        }
        // Another container that would have its kills counted as ours.
        let hostile = format!("{}/x,task_memcg={}", other(), own());
        assert_eq!(found(&[in_group(&hostile, &hostile, "dd")]), []);
        let nested = format!("{}{}", other(), own());
        assert_eq!(found(&[in_group(&nested, &nested, "dd"), record(",global_oom", &nested, "dd")]), []);
        assert_eq!(found(&[in_group("/", &format!("{}/y,task_memcg={}", other(), own()), "dd")]), []);
        let cpuset = in_group(&own(), &own(), "dd").replace("cpuset=/", "cpuset=x,oom_memcg=y,global_oom,task_memcg=z");
        assert_eq!(found(&[cpuset]), kill("dd (12)", &own()));
        // What is no such record, but quotes one.
        assert_eq!(found(&[format!("audit: {}", in_group(&own(), &own(), "dd"))]), []);
    }

    #[test]
    fn a_record_that_is_cut_short_is_completed_by_the_next() {
        let short = in_group(&own(), &format!("{}/{}", own(), "long/".repeat(100)), "dd").split(",task=").next().unwrap().to_owned();
        let next = "Memory cgroup out of memory: Killed process 13 (a) total-vm:1) total-vm:78008kB, anon-rss:0kB".to_owned();
        assert_eq!(found(&[short.clone(), "something else".to_owned(), next.clone()]), kill("a) total-vm:1 (13)", &own()));
        assert_eq!(found(&[short.clone(), in_group(&other(), &other(), "dd"), next]), kill("", &own()), "another's");
        let deep = format!("{}/{}", own(), "deep/".repeat(100));
        assert!(found(&[in_group(&deep, &deep, "dd")])[0].cgroup.len() < 300);
    }

    proptest! {
        #[test]
        fn any_record_is_survived(text in "(oom-kill:constraint=)?.{0,40}(,oom_memcg=/kapal/a{64})?.{0,40}(,task=)?.{0,20}(,pid=1,uid=1)?") {
            for kill in found(&[text]) {
                prop_assert!(kill.victim.len() < 100 && kill.cgroup.len() < 300);
            }
        }
    }
}
