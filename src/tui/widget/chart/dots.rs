//! A field of dots, several to a cell, each cell in the look of the line that is drawn there first.

use crate::tui::theme::Signs;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The bits of a cell's dots in Unicode's Braille patterns, by row from above and column.
const BRAILLE: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
/// What lines are drawn with where a cell is one dot.
const ASCII: [&str; 4] = ["*", "+", "o", "x"];

/// The field.
#[derive(Debug)]
pub struct Dots {
    signs: Signs,
    /// Columns of cells.
    width: usize,
    height: usize,
    /// The dots of each cell, and whose they are.
    cells: Vec<(u8, u8)>,
}

impl Dots {
    /// An empty field of so many cells.
    pub fn new(signs: Signs, width: usize, height: usize) -> Self {
        Self { signs, width, height, cells: vec![(0, 0); width * height] }
    }

    /// How many rows of dots there are.
    pub fn rows(&self) -> usize {
        self.height * self.signs.dots().1
    }

    /// Sets the dots of a column between two rows, both included, the lowest row being 0; they belong to a line.
    pub fn set(&mut self, column: usize, from: usize, to: usize, line: u8) {
        let (beside, above) = self.signs.dots();
        let x = column / beside;
        if x >= self.width {
            return;
        }
        for row in from..=to.min(self.rows().saturating_sub(1)) {
            let down = self.rows() - 1 - row;
            let bit = BRAILLE[down % above][column % beside];
            let cell = &mut self.cells[down / above * self.width + x];
            *cell = (cell.0 | bit, if cell.0 == 0 { line } else { cell.1 });
        }
    }

    /// Draws the cells that have dots, each in the look of its line.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, look: impl Fn(u8) -> Style) {
        let mut bytes = [0; 4];
        for (at, &(bits, line)) in self.cells.iter().enumerate().filter(|(_, (bits, _))| *bits != 0) {
            let sign = match self.signs {
                Signs::Braille => char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ').encode_utf8(&mut bytes),
                Signs::Blocks => ["▀", "▄", "█"][usize::from(bits & 3).saturating_sub(1)],
                Signs::Ascii => ASCII[usize::from(line) % ASCII.len()],
            };
            let (x, y) = (area.x + (at % self.width) as u16, area.y + (at / self.width) as u16);
            buffer[(x, y)].set_symbol(sign).set_style(look(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(signs: Signs) -> Vec<String> {
        let (width, height) = (4, 2);
        let mut dots = Dots::new(signs, width, height);
        let beside = signs.dots().0;
        // A rising line, and one of another look that lies below it.
        for column in 0..width * beside {
            let row = column * (dots.rows() - 1) / (width * beside - 1);
            dots.set(column, row, row, 0);
        }
        dots.set(0, 0, 0, 1);
        dots.set(width * beside - 1, 0, 0, 1);
        dots.set(1000, 0, 1000, 1);
        let mut buffer = Buffer::empty(Rect::new(0, 0, width as u16, height as u16));
        dots.draw(buffer.area, &mut buffer, |_| Style::new());
        (0..height as u16).map(|y| (0..width as u16).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn dots_are_where_they_were_set() {
        assert_eq!(drawn(Signs::Braille), ["  ⡠⠊", "⡠⠊ ⢀"]);
        assert_eq!(drawn(Signs::Blocks), ["  ▄▀", "▄▀ ▄"]);
        assert_eq!(drawn(Signs::Ascii), ["   *", "***+"]);
    }
}
