//! A log read while it is turned over: as much of it as there is, and a word about the rest.

use super::engine;
use super::snapshot::{container, image};
use kapal::container::{Container, LogConfig};
use kapal::engine::Engine;
use kapal::engine::logs::{Piece, Reader};
use kapal::monitor::log::{Log, Stream};
use rustix::time::Timespec;
use std::collections::BTreeMap;

/// A container, its log as its monitor writes it, and how many lines it has.
struct Writer {
    container: Container,
    log: Log,
    lines: u32,
}

impl Writer {
    fn new(engine: &Engine, files: u32) -> Self {
        engine.create_volume("shared", &BTreeMap::new()).unwrap();
        let mut container = container(engine, 0, &image(engine, 0, 2));
        // About ten lines a file.
        container.host_config.log = LogConfig { driver: "json-file".into(), max_size: Some(1000), max_file: files };
        let path = engine.place().log(&container.id);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let log = Log::open(&path, &container.host_config.log).unwrap();
        Self { container, log, lines: 0 }
    }

    fn write(&mut self, lines: u32) {
        for _ in 0..lines {
            self.lines += 1;
            self.log.take(Stream::Stdout, format!("line {:05}\n", self.lines).as_bytes(), Timespec { tv_sec: 1, tv_nsec: 0 });
            self.log.flush();
        }
    }
}

/// What is read until the end: numbers of lines, and 0 for each word that some are missing.
fn read(reader: &mut Reader, most: usize) -> Vec<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut found = Vec::new();
    while found.len() < most {
        match runtime.block_on(reader.next()).unwrap() {
            Some(Piece::Line(line)) => found.push(line.log["line ".len()..].trim().parse().unwrap()),
            Some(Piece::Lost(files)) => {
                assert!(files > 0);
                found.push(0);
            }
            None => break,
        }
    }
    found
}

#[test]
fn a_follower_loses_nothing_that_is_still_there() {
    for files in [1, 2, 5] {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        let mut writer = Writer::new(&engine, files);
        let mut reader = Reader::new(&engine, writer.container.clone(), None, false, (None, None));
        let mut seen = Vec::new();
        // Stopped in the middle of a file that is then turned over, again and again, as often as files are kept.
        for _ in 0..20 {
            writer.write(7 * files.min(2));
            seen.extend(read(&mut reader, 3));
            writer.write(1);
            seen.extend(read(&mut reader, usize::MAX));
        }
        assert_eq!(seen, (1..=writer.lines).collect::<Vec<_>>(), "{files} files");
    }
}

#[test]
fn what_went_before_it_was_read_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let mut writer = Writer::new(&engine, 3);
    let mut reader = Reader::new(&engine, writer.container.clone(), None, false, (None, None));
    writer.write(5);
    assert_eq!(read(&mut reader, 2), [1, 2]);
    writer.write(200);
    let rest = read(&mut reader, usize::MAX);
    let gap = rest.iter().position(|line| *line == 0).unwrap();
    assert_eq!(rest.iter().filter(|line| **line == 0).count(), 1);
    // The file that was being read, to its end; then those that are there.
    assert_eq!(rest[..gap], (3..3 + gap as u32).collect::<Vec<_>>());
    let after = &rest[gap + 1..];
    assert!(after[0] > rest[gap - 1] + 1 && after.len() > 20, "{rest:?}");
    assert_eq!(after, (after[0]..=205).collect::<Vec<_>>());
    let last = |tail| read(&mut Reader::new(&engine, writer.container.clone(), Some(tail), false, (None, None)), usize::MAX);
    assert_eq!((last(0), last(2), last(15)), (vec![], vec![204, 205], (191..=205).collect()));
}
