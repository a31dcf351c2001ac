//! A text that changes, redrawn in place on a terminal: on a screen of its own, so that nothing of what was there before is lost
//! and another size needs no guessing about lines that were wrapped.

use super::text;
use std::io::{self, Write};

/// The text on the terminal behind `out`. It gives the terminal back when it goes.
#[derive(Debug)]
pub struct Live<W: Write> {
    out: W,
    columns: u16,
    rows: u16,
    text: String,
}

/// The other screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// What is between these is shown at once by terminals that know how; others leave the marks out.
const TOGETHER: (&str, &str) = ("\x1b[?2026h", "\x1b[?2026l");

impl<W: Write> Live<W> {
    /// Takes the terminal over; `size` is in columns and rows.
    ///
    /// # Errors
    /// Those of the output.
    pub fn enter(mut out: W, (columns, rows): (u16, u16)) -> io::Result<Self> {
        out.write_all(ENTER.as_bytes())?;
        out.flush()?;
        Ok(Self { out, columns, rows, text: String::new() })
    }

    /// Shows a text. Its lines hold nothing that a terminal would follow.
    ///
    /// # Errors
    /// Those of the output.
    pub fn show(&mut self, text: String) -> io::Result<()> {
        self.text = text;
        self.draw()
    }

    /// The terminal has another size now.
    ///
    /// # Errors
    /// Those of the output.
    pub fn resize(&mut self, (columns, rows): (u16, u16)) -> io::Result<()> {
        (self.columns, self.rows) = (columns, rows);
        self.draw()
    }

    /// Gives the terminal back for a while.
    ///
    /// # Errors
    /// Those of the output.
    pub fn leave(&mut self) -> io::Result<()> {
        self.out.write_all(LEAVE.as_bytes())?;
        self.out.flush()
    }

    /// Takes it over again.
    ///
    /// # Errors
    /// Those of the output.
    pub fn enter_again(&mut self, (columns, rows): (u16, u16)) -> io::Result<()> {
        self.out.write_all(ENTER.as_bytes())?;
        self.resize((columns, rows))
    }

    /// Every line over the one that was there, in one write: nothing is blank in between.
    fn draw(&mut self) -> io::Result<()> {
        let (columns, rows) = (usize::from(self.columns), usize::from(self.rows));
        let count = self.text.lines().count();
        let shown = if count <= rows { count } else { rows.saturating_sub(1) };
        let mut lines: Vec<String> = self.text.lines().take(shown).map(|line| text::truncate(line, columns).into_owned()).collect();
        if shown < count {
            lines.push(text::truncate(&format!("… and {} more", count - shown), columns).into_owned());
        }
        let mut drawn = format!("{}\x1b[H", TOGETHER.0);
        for (at, line) in lines.iter().enumerate() {
            // A line end after the last row would scroll.
            drawn.push_str(if at == 0 { "" } else { "\r\n" });
            drawn.push_str(line);
            drawn.push_str("\x1b[K");
        }
        drawn.push_str("\x1b[J");
        drawn.push_str(TOGETHER.1);
        self.out.write_all(drawn.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Live<W> {
    /// What was shown last stays, where the lines before it are.
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = self.leave().and_then(|()| self.out.write_all(self.text.as_bytes())).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal of this size shows, as its lines.
    fn seen(bytes: &[u8], rows: u16, columns: u16) -> Vec<String> {
        let mut terminal = vt100::Parser::new(rows, columns, 0);
        terminal.process(bytes);
        terminal.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
    }

    #[test]
    fn a_shorter_text_leaves_nothing_of_the_longer_one() {
        let mut bytes = Vec::new();
        let mut live = Live::enter(&mut bytes, (20, 4)).unwrap();
        live.show("NAME  CPU\nalpha 12.5%\nbeta  100.00%\n".to_owned()).unwrap();
        live.show("NAME  CPU\nbeta  1%\n".to_owned()).unwrap();
        std::mem::forget(live);
        assert_eq!(seen(&bytes, 4, 20), ["NAME  CPU", "beta  1%", "", ""]);
    }

    #[test]
    fn lines_keep_to_the_size_also_to_another_one() {
        let mut bytes = Vec::new();
        let mut live = Live::enter(&mut bytes, (20, 3)).unwrap();
        let lines: Vec<String> = (0..6).map(|n| format!("{n} a line that is longer than the terminal")).collect();
        live.show(lines.join("\n")).unwrap();
        std::mem::forget(live);
        let rows = seen(&bytes, 3, 20);
        assert!(rows[0].starts_with("0 a line") && rows[1].starts_with("1 a line") && rows[2] == "… and 4 more", "{rows:?}");
        let mut bytes = Vec::new();
        let mut live = Live::enter(&mut bytes, (20, 3)).unwrap();
        live.show("one\ntwo\nthree\nfour\n".to_owned()).unwrap();
        live.resize((20, 4)).unwrap();
        std::mem::forget(live);
        assert_eq!(seen(&bytes, 4, 20), ["one", "two", "three", "four"]);
    }

    #[test]
    fn the_terminal_is_given_back_with_what_was_shown_last() {
        let mut bytes = b"$ kapal stats\r\n".to_vec();
        let mut live = Live::enter(&mut bytes, (20, 4)).unwrap();
        live.show("last\n".to_owned()).unwrap();
        drop(live);
        let mut terminal = vt100::Parser::new(4, 20, 0);
        terminal.process(&bytes);
        assert!(!terminal.screen().alternate_screen() && !terminal.screen().hide_cursor());
        assert_eq!(terminal.screen().contents().trim_end(), "$ kapal stats\nlast");
    }
}
