//! The log of a container: a JSON object a line, turned over at a size.
//!
//! Source of the format: Docker's json-file driver. `{"log":"…\n","stream":"stdout","time":"2024-01-02T03:04:05.6Z"}`;
//! a line longer than 16 KiB is cut into objects of which only the last ends with `\n`.

use crate::container::LogConfig;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The longest piece of a line in one object.
const PIECE: usize = 16 << 10;

/// Where a log's file keeps which of all of them it is: what a reader misses between two it cannot count otherwise.
const TURN: &str = "user.kapal.turn";

/// How many of the log's files came before this one; 0, too, where the file system keeps no such attributes.
pub fn turn_of(file: &File) -> u64 {
    let mut text = [0_u8; 20];
    let length = rustix::fs::fgetxattr(file, TURN, &mut text[..]).unwrap_or(0);
    std::str::from_utf8(&text[..length]).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Where output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, and all of a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A log being written.
#[derive(Debug)]
pub struct Log {
    file: Option<File>,
    path: PathBuf,
    size: u64,
    most: Option<u64>,
    files: u32,
    /// Lines that have not ended, one a stream.
    partial: [Vec<u8>; 2],
    batch: Vec<u8>,
    /// Bytes that could not be written: the disk was full.
    lost: u64,
}

impl Log {
    /// Opens the log at `path` to go on with it; none is kept if the container says so.
    pub fn open(path: &Path, config: &LogConfig) -> io::Result<Self> {
        let mut log = Self {
            file: None,
            path: path.to_owned(),
            size: 0,
            most: config.max_size,
            files: config.max_file.max(1),
            partial: [Vec::new(), Vec::new()],
            batch: Vec::new(),
            lost: 0,
        };
        if config.driver != "none" {
            log.reopen()?;
        }
        Ok(log)
    }

    fn reopen(&mut self) -> io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    /// Takes in what the container wrote, at `now`.
    pub fn take(&mut self, stream: Stream, mut bytes: &[u8], now: rustix::time::Timespec) {
        if self.file.is_none() {
            return;
        }
        let at = stream as usize;
        while !bytes.is_empty() {
            let room = PIECE - self.partial[at].len();
            let line = bytes.iter().take(room).position(|byte| *byte == b'\n').map(|end| end + 1);
            let length = line.unwrap_or_else(|| bytes.len().min(room));
            let (head, tail) = bytes.split_at(length);
            bytes = tail;
            if line.is_some() || self.partial[at].len() + length >= PIECE {
                let partial = std::mem::take(&mut self.partial[at]);
                if partial.is_empty() {
                    entry(&mut self.batch, head, stream, now);
                } else {
                    entry(&mut self.batch, &[&partial[..], head].concat(), stream, now);
                }
            } else {
                self.partial[at].extend_from_slice(head);
            }
            if self.batch.len() > 256 << 10 {
                self.flush();
            }
        }
    }

    /// Writes what was taken in.
    pub fn flush(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        let mut rest = &batch[..];
        while !rest.is_empty() {
            let length = self.fits(rest);
            if length == 0 && self.turn_over().is_ok() {
                continue;
            }
            // Should it not turn over, the old file goes on: a log that is too long beats none.
            let (head, tail) = rest.split_at(if length == 0 { rest.len() } else { length });
            rest = tail;
            if let Some(file) = &mut self.file {
                match file.write_all(head) {
                    Ok(()) => self.size += head.len() as u64,
                    // A full disk must not stop the container.
                    Err(_) => self.lost += head.len() as u64,
                }
            }
        }
        batch.clear();
        batch.shrink_to(64 << 10);
        self.batch = batch;
    }

    /// How many bytes of whole objects still go into this file; an empty file takes at least one object.
    fn fits(&self, objects: &[u8]) -> usize {
        let Some(most) = self.most else { return objects.len() };
        let room = usize::try_from(most.saturating_sub(self.size)).unwrap_or(usize::MAX);
        if room >= objects.len() {
            return objects.len();
        }
        match objects[..room].iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.size == 0 => objects.iter().position(|byte| *byte == b'\n').map_or(objects.len(), |end| end + 1),
            None => 0,
        }
    }

    /// Writes the lines that never ended, at the end of everything.
    pub fn close(&mut self, now: rustix::time::Timespec) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let partial = std::mem::take(&mut self.partial[stream as usize]);
            if !partial.is_empty() && self.file.is_some() {
                entry(&mut self.batch, &partial, stream, now);
            }
        }
        self.flush();
    }

    /// Bytes that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// `X-json.log` becomes `X-json.log.1`, that `.2`, and so on; the oldest goes.
    fn turn_over(&mut self) -> io::Result<()> {
        let numbered = |n: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        let turn = self.file.as_ref().map_or(0, turn_of);
        for n in (1..self.files - 1).rev() {
            match std::fs::rename(numbered(n), numbered(n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // Not cut to nothing where there is but one: who reads it reads it to its end.
        if self.files == 1 {
            std::fs::remove_file(&self.path)?;
        } else {
            std::fs::rename(&self.path, numbered(1))?;
        }
        self.reopen()?;
        if let Some(file) = &self.file {
            // Best effort: a reader that cannot tell what it missed still misses no more.
            let _ = rustix::fs::fsetxattr(file, TURN, (turn + 1).to_string().as_bytes(), rustix::fs::XattrFlags::empty());
        }
        Ok(())
    }
}

/// One object.
fn entry(out: &mut Vec<u8>, text: &[u8], stream: Stream, now: rustix::time::Timespec) {
    out.extend_from_slice(b"{\"log\":\"");
    escape(out, text);
    out.extend_from_slice(if stream == Stream::Stdout { b"\",\"stream\":\"stdout\",\"time\":\"" } else { b"\",\"stream\":\"stderr\",\"time\":\"" });
    time(out, now);
    out.extend_from_slice(b"\"}\n");
}

/// The text of a JSON string; what is no UTF-8 becomes U+FFFD.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid().as_bytes();
        let mut from = 0;
        for (at, byte) in valid.iter().enumerate() {
            let plain: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                0..=0x1f | 0x7f => b"",
                _ => continue,
            };
            out.extend_from_slice(&valid[from..at]);
            if plain.is_empty() {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            } else {
                out.extend_from_slice(plain);
            }
            from = at + 1;
        }
        out.extend_from_slice(&valid[from..]);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// RFC 3339 in UTC with nanoseconds.
fn time(out: &mut Vec<u8>, now: rustix::time::Timespec) {
    let (days, seconds) = (now.tv_sec.div_euclid(86_400), now.tv_sec.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:09}Z", now.tv_nsec);
}

/// Year, month and day of a day counted from 1970-01-01, in eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: rustix::time::Timespec = rustix::time::Timespec { tv_sec: 1_709_210_096, tv_nsec: 7 };

    fn written(config: &LogConfig, pieces: &[&[u8]]) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::open(&path, config).unwrap();
        for piece in pieces {
            log.take(Stream::Stdout, piece, NOW);
            log.flush();
        }
        log.close(NOW);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        (folder, text)
    }

    #[test]
    fn lines_are_docker_s() {
        let (_folder, text) = written(&LogConfig::default(), &[b"a\"\\\x1b", b"b\n\xff\n", b"end"]);
        assert_eq!(
            text,
            "{\"log\":\"a\\\"\\\\\\u001bb\\n\",\"stream\":\"stdout\",\"time\":\"2024-02-29T12:34:56.000000007Z\"}\n\
             {\"log\":\"\u{fffd}\\n\",\"stream\":\"stdout\",\"time\":\"2024-02-29T12:34:56.000000007Z\"}\n\
             {\"log\":\"end\",\"stream\":\"stdout\",\"time\":\"2024-02-29T12:34:56.000000007Z\"}\n"
        );
        for line in text.lines() {
            let _: serde_json::Value = serde_json::from_str(line).unwrap();
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let long = vec![b'x'; 40_000];
        let (_folder, text) = written(&LogConfig::default(), &[&long, b"\n"]);
        let lengths: Vec<usize> = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["log"].as_str().unwrap().len()).collect();
        assert_eq!(lengths, [PIECE, PIECE, 40_000 - 2 * PIECE + 1]);
    }

    #[test]
    fn the_log_is_turned_over_and_bounded() {
        let config = LogConfig { driver: "json-file".into(), max_size: Some(1000), max_file: 3 };
        let line = [b'y'; 200];
        let pieces: Vec<Vec<u8>> = (0..40).map(|_| [&line[..], b"\n"].concat()).collect();
        let (folder, text) = written(&config, &pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert!(text.len() <= 1000);
        assert!(folder.path().join("log.1").exists() && folder.path().join("log.2").exists());
        assert!(!folder.path().join("log.3").exists());
    }

    #[test]
    fn one_burst_fills_as_many_files_as_it_takes() {
        let config = LogConfig { driver: "json-file".into(), max_size: Some(1000), max_file: 3 };
        let burst: Vec<u8> = (0..500).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let (folder, text) = written(&config, &[&burst]);
        let older = ["log.2", "log.1"].map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap());
        for file in older.iter().chain([&text]) {
            assert!((1..=1000).contains(&file.len()), "{}", file.len());
        }
        assert!(older.iter().all(|file| file.len() > 900), "a file is filled before the next begins");
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["log"], "line 499\n");
    }

    #[test]
    fn none_is_none() {
        let config = LogConfig { driver: "none".into(), max_size: None, max_file: 1 };
        let (folder, _) = written(&config, &[b"x\n"]);
        assert!(!folder.path().join("log").exists());
    }
}
