//! A container's log read: its files one after the other, the last lines, and on as it grows.

use super::attach::{Console, ConsoleReader, ConsoleWriter, Output};
use super::{Engine, Error, Result};
use crate::container::Container;
use crate::monitor::protocol::Hello;
use serde::Deserialize;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

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

/// The longest line that is read: 16 KiB of text, each byte escaped.
const LONGEST: u64 = 256 << 10;

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
    file: Option<BufReader<File>>,
    waker: Option<(ConsoleReader, ConsoleWriter)>,
    ended: bool,
}

impl Reader {
    /// A reader of a container's log; `tail` lines of what is there, within `span` (nanoseconds since 1970), and on as
    /// it grows with `follow`.
    pub fn new(engine: &Engine, container: Container, tail: Option<usize>, follow: bool, span: (Option<i64>, Option<i64>)) -> Self {
        let tty = container.config.tty;
        Self { engine: engine.clone(), container, tty, tail, span, follow, ready: VecDeque::new(), file: None, waker: None, ended: false }
    }

    /// The log's files, oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let current = self.engine.place().log(&self.container.id);
        let numbered = |n: u32| {
            let mut name = current.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        let mut files: Vec<PathBuf> = (1..self.container.host_config.log.max_file).rev().map(numbered).filter(|path| path.exists()).collect();
        files.push(current);
        files
    }

    /// Opens the log and jumps close to the last lines that are wanted.
    fn begin(&mut self) -> Result<()> {
        let failed = |path: &PathBuf, e: &io::Error| Error::io(format_args!("cannot read the log {}", path.display()), e);
        let files = self.files();
        let Some((current, old)) = files.split_last() else { return Ok(()) };
        let mut kept: VecDeque<Line> = VecDeque::new();
        let most = self.tail.unwrap_or(usize::MAX);
        let keep = |line: Line, kept: &mut VecDeque<Line>| {
            kept.push_back(line);
            if kept.len() > most {
                kept.pop_front();
            }
        };
        let skip_old = self.tail.is_some_and(|tail| tail == 0);
        for path in old.iter().filter(|_| !skip_old) {
            let mut file = BufReader::new(File::open(path).map_err(|e| failed(path, &e))?);
            while let Some(line) = next(&mut file).map_err(|e| failed(path, &e))? {
                if self.wanted(&line) {
                    keep(line, &mut kept);
                }
            }
        }
        match File::open(current) {
            Ok(file) => {
                let mut file = BufReader::with_capacity(64 << 10, file);
                if let Some(tail) = self.tail {
                    jump(&mut file, tail).map_err(|e| failed(current, &e))?;
                    while let Some(line) = next(&mut file).map_err(|e| failed(current, &e))? {
                        if self.wanted(&line) {
                            keep(line, &mut kept);
                        }
                    }
                }
                self.file = Some(file);
            }
            // Never started: nothing was written.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(current, &error)),
        }
        self.ready = kept;
        Ok(())
    }

    fn wanted(&self, line: &Line) -> bool {
        if self.span == (None, None) {
            return true;
        }
        let Ok(time) = line.time.parse::<jiff::Timestamp>() else { return true };
        let time = time.as_nanosecond() as i64;
        self.span.0.is_none_or(|since| time >= since) && self.span.1.is_none_or(|until| time <= until)
    }

    /// The next line; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Line>> {
        if self.file.is_none() && !self.ended {
            self.begin()?;
            self.ended = self.file.is_none();
        }
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            let Some(file) = &mut self.file else { return Ok(None) };
            match next(file).map_err(|e| Error::io("cannot read the log", &e))? {
                Some(line) if self.wanted(&line) => return Ok(Some(line)),
                Some(_) => continue,
                None => {}
            }
            if self.turned_over()? {
                continue;
            }
            if !self.follow || self.ended {
                return Ok(None);
            }
            self.more().await?;
        }
    }

    /// Goes on with the new file if the one being read was turned over.
    fn turned_over(&mut self) -> Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let path = self.engine.place().log(&self.container.id);
        let Some(file) = &mut self.file else { return Ok(false) };
        let (Ok(own), Ok(named)) = (file.get_ref().metadata(), std::fs::metadata(&path)) else { return Ok(false) };
        if own.ino() != named.ino() {
            self.file = Some(BufReader::with_capacity(64 << 10, File::open(&path).map_err(|e| Error::io("cannot read the log", &e))?));
            return Ok(true);
        }
        let at = file.stream_position().map_err(|e| Error::io("cannot read the log", &e))?;
        if named.len() < at {
            file.seek(SeekFrom::Start(0)).map_err(|e| Error::io("cannot read the log", &e))?;
            return Ok(true);
        }
        Ok(false)
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
