//! A container's log read: its files one after the other, the last lines, and on as it grows.

use super::attach::{Console, ConsoleReader, ConsoleWriter, Output};
use super::{Engine, Error, Result};
use crate::container::Container;
use crate::monitor::log::turn_of;
use crate::monitor::protocol::Hello;
use serde::Deserialize;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A line of the log, or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// The text, with its line end.
    pub log: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// RFC 3339.
    pub time: String,
}

/// What comes next of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A line.
    Line(Line),
    /// The log was turned over faster than it was read: so many of its files went before they were.
    Lost(u64),
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => f.write_str(&line.log),
            Self::Lost(files) => write!(f, "lines are missing here: {files} of the log's files went before they could be read"),
        }
    }
}

/// The longest line that is read: 16 KiB of text, each byte escaped.
const LONGEST: u64 = 256 << 10;

/// One of a log's files. It is held open: turned over, and even taken away, it is still read to its end.
struct Part {
    file: BufReader<File>,
    inode: u64,
}

/// Reads a log.
pub struct Reader {
    engine: Engine,
    container: Container,
    /// The process has a terminal: what it wrote was meant for one.
    pub tty: bool,
    tail: Option<usize>,
    span: (Option<i64>, Option<i64>),
    follow: bool,
    ready: VecDeque<Line>,
    /// The file being read, and those that followed it.
    parts: VecDeque<Part>,
    waker: Option<(ConsoleReader, ConsoleWriter)>,
    begun: bool,
    ended: bool,
}

fn failed(error: &io::Error) -> Error {
    Error::io("cannot read the log", error)
}

impl Reader {
    /// A reader of a container's log; `tail` lines of what is there, within `span` (nanoseconds since 1970), and on as
    /// it grows with `follow`.
    pub fn new(engine: &Engine, container: Container, tail: Option<usize>, follow: bool, span: (Option<i64>, Option<i64>)) -> Self {
        let tty = container.config.tty;
        let (ready, parts) = (VecDeque::new(), VecDeque::new());
        Self { engine: engine.clone(), container, tty, tail, span, follow, ready, parts, waker: None, begun: false, ended: false }
    }

    /// The log's files after the one with this inode, oldest first.
    fn after(&self, inode: Option<u64>) -> io::Result<VecDeque<Part>> {
        let log = self.engine.place().log(&self.container.id);
        let mut parts: VecDeque<Part> = VecDeque::new();
        // The newest first: whatever is turned over meanwhile is met once more, and none is passed by.
        for number in 0..self.container.host_config.log.max_file {
            let file = match File::open(numbered(&log, number)) {
                Ok(file) => file,
                // Just turned over, or not that many.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let own = file.metadata()?.ino();
            if Some(own) == inode {
                break;
            }
            if parts.iter().all(|part| part.inode != own) {
                parts.push_front(Part { file: BufReader::with_capacity(64 << 10, file), inode: own });
            }
        }
        Ok(parts)
    }

    /// Opens the log and jumps close to the last lines that are wanted.
    fn begin(&mut self) -> io::Result<()> {
        self.begun = true;
        let mut parts = self.after(None)?;
        if let Some(tail) = self.tail {
            self.ready = self.last(tail, &mut parts)?;
        }
        // Never started: nothing was written.
        self.ended = parts.is_empty();
        self.parts = parts;
        Ok(())
    }

    /// The last lines of what is there; the file being written stays, read to its end.
    fn last(&self, tail: usize, parts: &mut VecDeque<Part>) -> io::Result<VecDeque<Line>> {
        let mut kept = VecDeque::new();
        if tail == 0 {
            parts.drain(..parts.len().saturating_sub(1));
        }
        if let Some(current) = parts.back_mut() {
            jump(&mut current.file, tail)?;
        }
        for part in parts.iter_mut() {
            while let Some(line) = next(&mut part.file)? {
                kept.extend(Some(line).filter(|line| self.wanted(line)));
                if kept.len() > tail {
                    kept.pop_front();
                }
            }
        }
        parts.drain(..parts.len().saturating_sub(1));
        Ok(kept)
    }

    fn wanted(&self, line: &Line) -> bool {
        if self.span == (None, None) {
            return true;
        }
        let Ok(time) = line.time.parse::<jiff::Timestamp>() else { return true };
        let time = time.as_nanosecond() as i64;
        self.span.0.is_none_or(|since| time >= since) && self.span.1.is_none_or(|until| time <= until)
    }

    /// Goes on after the end: the container was started, or started again, and what it writes now comes next.
    pub fn again(&mut self) {
        // Of one that was never started there was no file to stay at.
        self.begun = !self.parts.is_empty();
        self.ended = false;
    }

    /// What comes next; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Piece>> {
        if !self.begun {
            self.begin().map_err(|e| failed(&e))?;
        }
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(Piece::Line(line)));
            }
            let Some(part) = self.parts.front_mut() else { return Ok(None) };
            match next(&mut part.file).map_err(|e| failed(&e))? {
                Some(line) if self.wanted(&line) => return Ok(Some(Piece::Line(line))),
                Some(_) => continue,
                None => {}
            }
            if self.parts.len() > 1 {
                // Nobody writes to a file that has a successor.
                match self.go_on() {
                    0 => continue,
                    lost => return Ok(Some(Piece::Lost(lost))),
                }
            }
            if self.turned_over().map_err(|e| failed(&e))? {
                continue;
            }
            if !self.follow || self.ended {
                return Ok(None);
            }
            self.more().await?;
        }
    }

    /// Turns to the next file, and says how many between the two there are no more.
    fn go_on(&mut self) -> u64 {
        let turn = |part: &Part| turn_of(part.file.get_ref());
        let before = self.parts.pop_front().as_ref().map_or(0, turn);
        self.parts.front().map_or(0, turn).saturating_sub(before + 1)
    }

    /// Opens the files that followed the one being read, if it was turned over. What was written to it until then may
    /// still have to be read.
    fn turned_over(&mut self) -> io::Result<bool> {
        let Some(inode) = self.parts.back().map(|part| part.inode) else { return Ok(false) };
        let later = self.after(Some(inode))?;
        self.parts.extend(later);
        if let [only] = self.parts.make_contiguous()
            && only.file.get_ref().metadata()?.len() < only.file.stream_position()?
        {
            // Someone emptied it by hand.
            only.file.rewind()?;
            return Ok(true);
        }
        Ok(self.parts.len() > 1)
    }

    /// Waits until the container writes more, or ends: then what it left is read and that is all.
    async fn more(&mut self) -> Result<()> {
        if self.waker.is_none() {
            let hello = Hello { output: true, exit: true, ..Hello::default() };
            if let Some(mut console) = self.engine.connect(&self.container, hello).await?
                && console.known().await?
            {
                self.waker = Some(Console::split(console));
                // What was written before the monitor knew us is read first.
                return Ok(());
            }
            let now = self.engine.container_by_id(&self.container.id);
            self.ended = !now.is_ok_and(|container| container.state.status.is_alive());
            if !self.ended {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            return Ok(());
        }
        if let Some((reader, _)) = &mut self.waker {
            match reader.next().await? {
                Output::Stdout(_) | Output::Stderr(_) | Output::Missed(_) | Output::Exit(_) => {}
                Output::Closed => self.waker = None,
            }
        }
        Ok(())
    }
}

/// The name of a log's file: the log's own for the one being written, with a number for those before it.
fn numbered(log: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return log.to_owned();
    }
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// The next whole line of a log file; a line that is still being written is left for later.
fn next(file: &mut BufReader<File>) -> io::Result<Option<Line>> {
    loop {
        let mut text = Vec::new();
        let length = io::Read::take(&mut *file, LONGEST).read_until(b'\n', &mut text)?;
        if length == 0 {
            return Ok(None);
        }
        if text.last() != Some(&b'\n') && (length as u64) < LONGEST {
            file.seek_relative(-(length as i64))?;
            return Ok(None);
        }
        // A line that a full disk cut in two is skipped.
        if let Ok(line) = serde_json::from_slice(&text) {
            return Ok(Some(line));
        }
    }
}

/// Goes back from the end of the file until `lines` line ends are behind.
fn jump(file: &mut BufReader<File>, lines: usize) -> io::Result<()> {
    const STEP: u64 = 64 << 10;
    let size = file.get_ref().metadata()?.len();
    let mut at = size;
    let mut found = 0;
    let mut buffer = vec![0u8; STEP as usize];
    while at > 0 {
        let length = STEP.min(at);
        at -= length;
        std::os::unix::fs::FileExt::read_exact_at(file.get_ref(), &mut buffer[..length as usize], at)?;
        for place in (0..length as usize).rev() {
            // The line end at the very end of the file is that of the last line.
            if buffer[place] == b'\n' && at + place as u64 + 1 < size {
                found += 1;
                if found >= lines {
                    file.seek(SeekFrom::Start(at + place as u64 + 1))?;
                    return Ok(());
                }
            }
        }
    }
    file.seek(SeekFrom::Start(if lines == 0 { size } else { 0 }))?;
    Ok(())
}
