//! The progress of a pull or push: one live line a layer on a terminal, plain lines at changes elsewhere.
//!
//! ```text
//! 1b930d010525: Pull complete
//! 8f2c1a7e3b44: Downloading [==============>                ]  12.3MB/45.61MB
//! 77aa01bc9d12: Waiting
//! ```

use super::{size, text, width};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Least time between two drawings in which only figures changed.
const PAUSE: Duration = Duration::from_millis(80);
/// Columns of a bar's inside, least and most.
const BAR: (usize, usize) = (10, 50);
/// States a line does not leave any more.
const FINAL: &[&str] = &["Already exists", "Layer already exists", "Mounted", "Pull complete", "Load complete", "Pushed"];

/// What is known of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its short id.
    pub id: String,
    /// `Waiting`, `Downloading`, `Verifying`, `Extracting`, `Pull complete`, `Already exists` and the like.
    pub status: String,
    /// Bytes done.
    pub current: Option<u64>,
    /// Bytes in all.
    pub total: Option<u64>,
}

impl Line {
    fn is_final(&self) -> bool {
        FINAL.iter().any(|status| self.status.starts_with(status))
    }

    fn figures(&self) -> Option<String> {
        let current = self.current?;
        Some(match self.total.filter(|&total| total >= current && total > 0) {
            Some(total) => format!("{:>8}/{}", size::decimal_exact(current), size::decimal_exact(total)),
            None => format!("{:>8}", size::decimal_exact(current)),
        })
    }

    /// The line as it is drawn in `columns` columns, the last one left free: some terminals would wrap there.
    fn draw(&self, columns: usize) -> String {
        let mut line = format!("{}: {}", text::clean(&self.id), text::clean(&self.status));
        if let Some(figures) = self.figures() {
            let room = columns.saturating_sub(width::of(&line) + width::of(&figures) + 6).min(BAR.1);
            if let (Some(current), Some(total), true) = (self.current, self.total.filter(|&total| total > 0), room >= BAR.0) {
                let done = (u128::from(current.min(total)) * room as u128 / u128::from(total)) as usize;
                let _ = write!(line, " [{}>{}]", "=".repeat(done), " ".repeat(room - done));
            }
            let _ = write!(line, " {figures}");
        }
        text::truncate(&line, columns.saturating_sub(1)).into_owned()
    }
}

/// The picture of a transfer.
#[derive(Debug)]
pub struct Progress<W: Write> {
    out: W,
    /// Columns and rows; `None` without a terminal.
    screen: Option<(u16, u16)>,
    /// The lines on the screen; the cursor is at the beginning of the line below them.
    drawn: Vec<String>,
    drawn_at: Option<Instant>,
    /// The last known state of each id.
    states: HashMap<String, String>,
}

impl<W: Write> Progress<W> {
    /// A picture on `out`; `screen` is its size in columns and rows if it is a terminal that can move its cursor.
    pub fn new(out: W, screen: Option<(u16, u16)>) -> Self {
        Self { out, screen, drawn: Vec::new(), drawn_at: None, states: HashMap::new() }
    }

    /// The terminal has another size now.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        if self.screen.is_some() {
            self.screen = Some((columns, rows));
            self.drawn_at = None;
            // The terminal may have wrapped them: every line is written anew.
            self.drawn.iter_mut().for_each(String::clear);
        }
    }

    /// Shows how it stands.
    ///
    /// # Errors
    /// Those of the output.
    pub fn update(&mut self, lines: &[Line], now: Instant) -> io::Result<()> {
        let changed: Vec<&Line> = lines.iter().filter(|line| self.states.get(&line.id) != Some(&line.status)).collect();
        let Some((columns, rows)) = self.screen else {
            let text = changed.iter().fold(String::new(), |text, line| text + &text::clean(&line.id) + ": " + &text::clean(&line.status) + "\n");
            self.note(lines);
            return self.write(&text);
        };
        if changed.is_empty() && self.drawn_at.is_some_and(|then| now.saturating_duration_since(then) < PAUSE) {
            return Ok(());
        }
        self.drawn_at = Some(now);
        self.note(lines);
        let fresh = visible(lines, usize::from(columns), usize::from(rows).saturating_sub(1));
        self.redraw(fresh)
    }

    /// Shows how it ended; what is written later stands below.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(&mut self, lines: &[Line]) -> io::Result<()> {
        let Some((columns, _)) = self.screen else { return self.update(lines, Instant::now()) };
        // All lines now, also those that had no room: the terminal scrolls.
        let fresh = lines.iter().map(|line| line.draw(usize::from(columns))).collect();
        self.redraw(fresh)?;
        self.drawn.clear();
        Ok(())
    }

    fn note(&mut self, lines: &[Line]) {
        for line in lines {
            if self.states.get(&line.id) != Some(&line.status) {
                self.states.insert(line.id.clone(), line.status.clone());
            }
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Rewrites only the lines that differ, in one write.
    fn redraw(&mut self, fresh: Vec<String>) -> io::Result<()> {
        let mut text = String::new();
        let mut row = self.drawn.len();
        for (at, line) in fresh.iter().enumerate() {
            if self.drawn.get(at) == Some(line) {
                continue;
            }
            move_rows(&mut text, row, at);
            text.push_str(line);
            text.push_str(if at < self.drawn.len() { "\x1b[K\r\n" } else { "\r\n" });
            row = at + 1;
        }
        move_rows(&mut text, row, fresh.len());
        if fresh.len() < self.drawn.len() {
            text.push_str("\x1b[J");
        }
        self.drawn = fresh;
        self.write(&text)
    }
}

fn move_rows(text: &mut String, from: usize, to: usize) {
    let _ = match from.cmp(&to) {
        std::cmp::Ordering::Greater => write!(text, "\x1b[{}A", from - to),
        std::cmp::Ordering::Less => write!(text, "\x1b[{}B", to - from),
        std::cmp::Ordering::Equal => Ok(()),
    };
}

/// The lines that fit into `rows` rows: where not all do, finished ones give way first, and the last row counts them.
fn visible(lines: &[Line], columns: usize, rows: usize) -> Vec<String> {
    if lines.len() <= rows {
        return lines.iter().map(|line| line.draw(columns)).collect();
    }
    let room = rows.saturating_sub(1);
    let running = lines.iter().filter(|line| !line.is_final()).count();
    let mut finished_left = room.saturating_sub(running);
    let mut shown: Vec<String> = Vec::with_capacity(rows);
    for line in lines {
        let fits = shown.len() < room && (!line.is_final() || finished_left > 0);
        if fits {
            finished_left -= usize::from(line.is_final());
            shown.push(line.draw(columns));
        }
    }
    if rows > 0 {
        let rest = format!("… and {} more", lines.len() - shown.len());
        shown.push(text::truncate(&rest, columns.saturating_sub(1)).into_owned());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, status: &str, figures: Option<(u64, u64)>) -> Line {
        Line { id: id.to_owned(), status: status.to_owned(), current: figures.map(|f| f.0), total: figures.map(|f| f.1) }
    }

    fn taken(progress: &mut Progress<Vec<u8>>) -> String {
        String::from_utf8(std::mem::take(&mut progress.out)).unwrap()
    }

    #[test]
    fn plain_lines_only_at_changes() {
        let mut progress = Progress::new(Vec::new(), None);
        let now = Instant::now();
        progress.update(&[line("a", "Downloading", Some((1, 9))), line("b", "Waiting", None)], now).unwrap();
        progress.update(&[line("a", "Downloading", Some((5, 9))), line("b", "Waiting", None)], now).unwrap();
        progress.finish(&[line("a", "Pull complete", None), line("b", "Already exists\x1b[2J", None)]).unwrap();
        assert_eq!(taken(&mut progress), "a: Downloading\nb: Waiting\na: Pull complete\nb: Already exists\\x1b[2J\n");
    }

    #[test]
    fn only_what_changed_is_drawn() {
        let mut progress = Progress::new(Vec::new(), Some((60, 24)));
        let mut now = Instant::now();
        let mut lines = [line("a", "Waiting", None), line("b", "Waiting", None), line("c", "Waiting", None)];
        progress.update(&lines, now).unwrap();
        assert_eq!(taken(&mut progress), "a: Waiting\r\nb: Waiting\r\nc: Waiting\r\n");
        lines[1] = line("b", "Downloading", Some((500, 1000)));
        progress.update(&lines, now).unwrap();
        assert_eq!(taken(&mut progress), "\x1b[2Ab: Downloading [==============>              ]     500B/1kB\x1b[K\r\n\x1b[1B");
        lines[1].current = Some(900);
        progress.update(&lines, now).unwrap();
        assert_eq!(taken(&mut progress), "", "figures alone wait");
        now += PAUSE;
        progress.update(&lines, now).unwrap();
        assert!(taken(&mut progress).contains("900B/1kB"));
        progress.finish(&lines).unwrap();
        assert_eq!(taken(&mut progress), "");
    }

    #[test]
    fn lines_keep_to_the_width() {
        let wide = line("1b930d010525", "Downloading", Some((12_300_000, 45_610_000)));
        assert_eq!(wide.draw(80), "1b930d010525: Downloading [========>                         ]   12.3MB/45.61MB");
        for columns in 0..200 {
            assert!(width::of(&wide.draw(columns)) < columns.max(1), "{columns}");
        }
        assert!(!wide.draw(45).contains('['));
        assert_eq!(line("a", "Extracting", Some((5, 0))).draw(80), "a: Extracting       5B");
        assert_eq!(line("a", "Extracting", Some((50, 9))).draw(80).matches('=').count(), 50);
    }

    #[test]
    fn many_lines_keep_to_the_height() {
        let lines: Vec<Line> = (0..10).map(|n| line(&n.to_string(), if n < 5 { "Pull complete" } else { "Waiting" }, None)).collect();
        assert_eq!(visible(&lines, 80, 4), ["5: Waiting", "6: Waiting", "7: Waiting", "… and 7 more"]);
        assert_eq!(visible(&lines, 80, 8)[..3], ["0: Pull complete", "1: Pull complete", "5: Waiting"]);
        for rows in 0..12 {
            assert!(visible(&lines, 80, rows).len() <= rows);
        }
        let mut progress = Progress::new(Vec::new(), Some((80, 5)));
        progress.update(&lines, Instant::now()).unwrap();
        taken(&mut progress);
        progress.finish(&lines).unwrap();
        assert_eq!(taken(&mut progress).matches("\r\n").count(), 10);
    }
}
