//! The verbs of this session, at work or done: what each said, how far its parts are, how fast, and for how long yet.

use crate::engine::Progress;
use crate::id::JobId;
use crate::tui::effect::WorkId;
use crate::tui::line::Said;
use jiff::Timestamp;
use std::collections::VecDeque;

/// How a work ends that was called off.
pub const CANCELLED: &str = "cancelled";
/// Lines kept of what a work said.
const LINES: usize = 5000;
/// Most bytes of a line.
const LONGEST: usize = 16 << 10;
/// Parts kept of a work: more than any image has layers.
const PARTS: usize = 1000;
/// Samples that a rate is made of: one a second.
const SAMPLES: usize = 8;

/// A verb of this session, at work or done.
#[derive(Debug)]
pub struct Work {
    /// Its number.
    pub id: WorkId,
    /// What it is, as one would type it.
    pub title: String,
    /// The verbs, each by its words.
    pub statements: Vec<Vec<String>>,
    /// The jobs of the list that it became so far.
    pub jobs: Vec<JobId>,
    /// When it began.
    pub began: Timestamp,
    /// When it ended, and how: a status, or a sentence.
    pub ended: Option<(Timestamp, Result<i32, String>)>,
    /// How far its parts are, in the order of their first word.
    pub parts: Parts,
    /// What it printed, harmless.
    pub lines: VecDeque<String>,
    /// Lines that fell off at the beginning.
    pub dropped: u64,
    /// The last line may go on.
    open: bool,
}

impl Work {
    /// One that begins.
    pub fn new(id: WorkId, title: String, statements: Vec<Vec<String>>, began: Timestamp) -> Self {
        Self { id, title, statements, jobs: Vec::new(), began, ended: None, parts: Parts::default(), lines: VecDeque::new(), dropped: 0, open: false }
    }

    /// Notes what it says; tells whether these are the first words of its result.
    pub fn hear(&mut self, said: &Said) -> bool {
        match said {
            Said::Text(words) => {
                let begins = self.lines.is_empty();
                self.print(words);
                return begins;
            }
            Said::Note(line) => self.note(line),
            Said::Progress(progress) if progress.id.is_empty() => self.note(&progress.status),
            Said::Progress(progress) => self.parts.hear(progress),
            Said::Job(job) => self.jobs.push(*job),
            Said::Missed(bytes) => self.note(&format!("… {bytes} bytes of output are not shown")),
            Said::Console(_) => {}
        }
        false
    }

    /// Whether all it does is to find something out: no job of the list came of it.
    pub fn is_question(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether its words may be long in coming, or never come: it is shown as it waits.
    pub fn waits(&self) -> bool {
        let [words] = self.statements.as_slice() else { return false };
        let mut words = words.iter().map(String::as_str);
        let verb = match words.next() {
            Some("container" | "system") => words.next(),
            verb => verb,
        };
        matches!(verb, Some("logs" | "events" | "wait"))
    }

    fn note(&mut self, line: &str) {
        self.open = false;
        self.print(line);
        self.open = false;
    }

    fn print(&mut self, words: &str) {
        for piece in words.split_inclusive('\n') {
            let clean = crate::text::clean(&piece.trim_end_matches(['\n', '\r']).replace('\t', "    ")).into_owned();
            match self.lines.back_mut() {
                Some(last) if self.open && last.len() + clean.len() <= LONGEST => last.push_str(&clean),
                _ => {
                    if self.lines.len() == LINES {
                        self.lines.pop_front();
                        self.dropped += 1;
                    }
                    self.lines.push_back(clean);
                }
            }
            self.open = !piece.ends_with('\n');
        }
    }
}

/// A part of a work: a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its short name.
    pub id: String,
    /// `Downloading`, `Extracting`, `Pull complete` …
    pub status: String,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, once they are known.
    pub total: Option<u64>,
}

impl Part {
    /// Nothing is left to be done.
    pub fn is_done(&self) -> bool {
        matches!(self.status.as_str(), "Pull complete" | "Already exists" | "Pushed" | "Layer already exists" | "Load complete")
            || self.status.starts_with("Mounted")
    }

    /// Bytes of it are on their way.
    pub fn moves(&self) -> bool {
        matches!(self.status.as_str(), "Downloading" | "Pushing" | "Loading")
    }
}

/// The parts of a work and how fast they are.
#[derive(Debug, Default)]
pub struct Parts {
    list: Vec<Part>,
    /// When, and the bytes of each part then.
    samples: VecDeque<(Timestamp, Vec<u64>)>,
}

impl Parts {
    /// All, in the order of their first word.
    pub fn list(&self) -> &[Part] {
        &self.list
    }

    fn hear(&mut self, progress: &Progress) {
        let at = match self.list.iter().position(|part| part.id == progress.id) {
            Some(at) => at,
            None if self.list.len() == PARTS => return,
            None => {
                self.list.push(Part { id: crate::text::clean(&progress.id).into_owned(), status: String::new(), done: 0, total: None });
                self.list.len() - 1
            }
        };
        let part = &mut self.list[at];
        part.status = crate::text::clean(&progress.status).into_owned();
        // What is done says no sizes any more: those it had stay, so that the sum does not shrink.
        part.total = progress.total.or(part.total);
        part.done = match progress.current {
            Some(done) => done.min(part.total.unwrap_or(done)),
            None if part.is_done() => part.total.unwrap_or(part.done),
            None => part.done,
        };
    }

    /// All went well: what did not say so itself is there as well.
    pub fn finish(&mut self) {
        for part in self.list.iter_mut().filter(|part| !part.is_done()) {
            part.done = part.total.unwrap_or(part.done);
            "Already exists".clone_into(&mut part.status);
        }
    }

    /// Notes how far all are at this moment.
    pub fn sample(&mut self, now: Timestamp) {
        if self.list.is_empty() {
            return;
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((now, self.list.iter().map(|part| part.done).collect()));
    }

    /// Bytes a second of one part, or of all, over the last seconds; `None` before there is something to compare.
    pub fn rate(&self, part: Option<usize>) -> Option<f64> {
        let ((from, before), (to, after)) = (self.samples.front()?, self.samples.back()?);
        let seconds = to.duration_since(*from).as_secs_f64();
        let of = |bytes: &[u64]| part.map_or_else(|| bytes.iter().sum(), |at| bytes.get(at).copied().unwrap_or(0));
        (seconds > 0.0).then(|| of(after).saturating_sub(of(before)) as f64 / seconds)
    }

    /// Bytes done and in all, of the parts whose size is known.
    pub fn sum(&self) -> (u64, u64) {
        self.list.iter().filter_map(|part| Some((part.done, part.total?))).fold((0, 0), |sum, (done, total)| (sum.0 + done, sum.1 + total))
    }

    /// How long it will take yet at the rate of the last seconds, in seconds.
    pub fn rest(&self) -> Option<f64> {
        let (done, total) = self.sum();
        let rate = self.rate(None).filter(|rate| *rate > 0.0)?;
        (total > done).then(|| (total - done) as f64 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(verb: &str) -> Work {
        let words: Vec<String> = verb.split(' ').map(str::to_owned).collect();
        Work::new(WorkId(1), verb.to_owned(), vec![words], Timestamp::UNIX_EPOCH)
    }

    fn progress(id: &str, status: &str, bytes: Option<(u64, u64)>) -> Said {
        Said::Progress(Progress { id: id.to_owned(), status: status.to_owned(), current: bytes.map(|b| b.0), total: bytes.map(|b| b.1) })
    }

    #[test]
    fn pieces_of_a_line_become_a_line_and_notes_stand_alone() {
        let mut work = work("logs web");
        assert!(work.hear(&Said::Text("one\ntw".to_owned())));
        assert!(!work.hear(&Said::Text("o\nthr".to_owned())));
        work.hear(&Said::Note("a note".to_owned()));
        work.hear(&Said::Text("ee\t\x1b".to_owned()));
        assert_eq!(Vec::from(work.lines), ["one", "two", "thr", "a note", "ee    \\x1b"]);
    }

    #[test]
    fn what_it_said_first_is_let_go_and_counted() {
        let mut work = work("logs web");
        for n in 0..LINES + 7 {
            work.hear(&Said::Text(format!("{n}\n")));
        }
        assert_eq!((work.lines.len(), work.dropped, work.lines[0].as_str()), (LINES, 7, "7"));
    }

    #[test]
    fn only_what_becomes_no_job_is_a_question() {
        let mut pull = work("pull web");
        assert!(!pull.waits() && pull.is_question());
        pull.hear(&Said::Job(JobId(7)));
        assert!(!pull.is_question());
        assert!(work("events").waits() && work("container logs -f web").waits() && !work("ps").waits());
    }

    #[test]
    fn rates_and_rests_come_of_the_last_seconds() {
        let mut work = work("pull web");
        let second = |n: i64| Timestamp::from_second(n).unwrap();
        work.hear(&progress("a", "Waiting", None));
        assert_eq!((work.parts.rate(None), work.parts.rest()), (None, None));
        work.hear(&progress("a", "Downloading", Some((0, 100))));
        work.hear(&progress("b", "Downloading", Some((0, 300))));
        work.parts.sample(second(0));
        work.hear(&progress("a", "Downloading", Some((40, 100))));
        work.hear(&progress("b", "Downloading", Some((60, 300))));
        work.parts.sample(second(2));
        assert_eq!((work.parts.rate(Some(0)), work.parts.rate(None)), (Some(20.0), Some(50.0)));
        assert_eq!((work.parts.sum(), work.parts.rest()), ((100, 400), Some(6.0)));
        work.hear(&progress("a", "Pull complete", None));
        assert_eq!(work.parts.sum(), (160, 400));
        assert!(work.parts.list()[0].is_done());
    }
}
