//! What is drawn on: a terminal that is told nothing when nothing changed, and everything of one drawing at once.

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use std::io::{self, BufWriter, Write};

/// Room for a whole screen of coloured cells, so that it leaves in few writes.
const ROOM: usize = 64 << 10;

/// The terminal behind `out`, with what it was told of its cursor; `None` while that is not known.
#[derive(Debug)]
pub struct Quiet<W: Write> {
    inner: CrosstermBackend<BufWriter<W>>,
    is_shown: Option<bool>,
    place: Option<Position>,
}

impl<W: Write> Quiet<W> {
    /// Nothing is written yet.
    pub fn new(out: W) -> Self {
        Self { inner: CrosstermBackend::new(BufWriter::with_capacity(ROOM, out)), is_shown: None, place: None }
    }
}

impl<W: Write> Backend for Quiet<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        // The cursor does not run along with what is drawn; it is shown again where it belongs.
        self.hide_cursor()?;
        self.place = None;
        self.inner.draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.is_shown == Some(false) {
            return Ok(());
        }
        self.is_shown = Some(false);
        queue!(self.inner, Hide)
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.is_shown == Some(true) {
            return Ok(());
        }
        self.is_shown = Some(true);
        queue!(self.inner, Show)
    }

    /// As far as we told it: the terminal itself would have to be asked, and its answer would come between the keys.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.place.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.place == Some(position) {
            return Ok(());
        }
        self.place = Some(position);
        queue!(self.inner, MoveTo(position.x, position.y))
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, kind: ClearType) -> io::Result<()> {
        // We may have been away: nothing need be as it was left.
        (self.is_shown, self.place) = (None, None);
        self.inner.clear_region(kind)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::{Terminal, TerminalOptions, Viewport};
    use std::sync::{Arc, Mutex, PoisonError};

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Heard {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))).unwrap()
        }
    }

    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn draw(terminal: &mut Terminal<Quiet<Heard>>, words: &str, cursor: Option<(u16, u16)>) {
        let drawn = terminal.draw(|frame| {
            frame.buffer_mut().set_string(0, 0, words, ratatui::style::Style::default());
            if let Some(place) = cursor {
                frame.set_cursor_position(place);
            }
        });
        drawn.unwrap();
    }

    #[test]
    fn what_did_not_change_is_not_told() {
        let heard = Heard::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, 20, 2));
        let mut terminal = Terminal::with_options(Quiet::new(heard.clone()), TerminalOptions { viewport }).unwrap();
        draw(&mut terminal, "hello", None);
        let first = heard.take();
        assert!(first.contains("hello") && first.contains("\x1b[?25l"), "{first:?}");
        draw(&mut terminal, "hello", None);
        assert_eq!(heard.take(), "");
        draw(&mut terminal, "hello", Some((3, 0)));
        assert_eq!(heard.take(), "\x1b[?25h\x1b[1;4H");
        draw(&mut terminal, "hello", Some((3, 0)));
        assert_eq!(heard.take(), "");
        draw(&mut terminal, "help!", Some((3, 0)));
        let third = heard.take();
        assert!(third.starts_with("\x1b[?25l") && third.contains("p!") && third.ends_with("\x1b[?25h\x1b[1;4H"), "{third:?}");
        draw(&mut terminal, "help!", None);
        assert_eq!(heard.take(), "\x1b[?25l");
    }
}
