//! Aligned columns, each cell harmless and measured in columns of the terminal.

use super::{text, width};
use std::io;

/// Least width of a column with the space behind it, and least space between columns; docker's figures.
const LEAST: usize = 10;
const SPACE: usize = 3;

/// Rows under a header.
pub struct Table {
    columns: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with only its header.
    pub fn new<S: AsRef<str>>(header: &[S]) -> Self {
        let mut table = Self { columns: header.len(), rows: Vec::new() };
        table.push(header);
        table
    }

    /// One row; cells that it lacks are empty, cells beyond the header's are kept.
    pub fn push<S: AsRef<str>>(&mut self, cells: &[S]) {
        self.columns = self.columns.max(cells.len());
        self.rows.push(cells.iter().map(|cell| text::clean(cell.as_ref()).into_owned()).collect());
    }

    /// The whole as text, a line a row, without space at the ends of lines.
    pub fn render(&self) -> String {
        let widths: Vec<usize> = (0..self.columns)
            .map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width::of(cell) + SPACE).max().unwrap_or(0).max(LEAST))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let start = text.len();
            for (cell, wide) in row.iter().zip(&widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', wide.saturating_sub(width::of(cell))));
            }
            text.truncate(start + text[start..].trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }

    /// Writes the whole.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        out.write_all(self.render().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_as_dockers() {
        let table = Table::new(&["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
        assert_eq!(table.render(), "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n");
    }

    #[test]
    fn wide_and_missing_cells_keep_the_lines_straight() {
        let mut table = Table::new(&["NAME", "SIZE", "TAG"]);
        table.push(&["日本語日本", "1kB", ""]);
        table.push(&["a"]);
        assert_eq!(table.render(), "NAME         SIZE      TAG\n日本語日本   1kB\na\n");
    }

    #[test]
    fn no_cell_reaches_the_terminal_raw() {
        let mut table = Table::new(&["NAME"]);
        table.push(&["a\x1b]0;x\x07\nb"]);
        assert_eq!(table.render(), "NAME\na\\x1b]0;x\\x07\\nb\n");
    }
}
