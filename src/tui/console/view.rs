//! A terminal drawn into a frame: its cells with their colours, wide characters whole, what is selected marked.

use super::selection::Selection;
use super::terminal::Terminal;
use crate::text;
use crate::tui::theme::{Depth, SIXTEEN};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::Widget;
use std::borrow::Cow;

/// A terminal as a widget.
#[derive(Debug)]
pub struct View<'a> {
    terminal: &'a Terminal,
    style: Style,
    selection: Option<(&'a Selection, Style)>,
    depth: Depth,
}

impl<'a> View<'a> {
    /// A view with the real terminal's own colours.
    pub fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, style: Style::reset(), selection: None, depth: Depth::True }
    }

    /// What stands for the program's default colours.
    #[must_use]
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Marks what is selected.
    #[must_use]
    pub fn selection(mut self, selection: Option<&'a Selection>, style: Style) -> Self {
        self.selection = selection.map(|selection| (selection, style));
        self
    }

    /// Takes the program's colours down to so many: where the real terminal has fewer, or none are wanted.
    #[must_use]
    pub fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Where the real cursor belongs while the pane at `area` has the keys; `None` if it is to be hidden.
    pub fn cursor(&self, area: Rect) -> Option<Position> {
        let (row, column) = self.terminal.cursor()?;
        (row < area.height && column < area.width).then(|| Position::new(area.x + column, area.y + row))
    }

    fn cell_style(&self, cell: &vt100::Cell) -> Style {
        let mut style = self.style;
        if self.depth != Depth::None {
            let (front, back) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
            style.bg = back.map(|back| self.depth.color(back)).or(style.bg);
            style.fg =
                front.map(|front| if back.is_some() && back != Some(front) { self.depth.front(front, style.bg) } else { self.depth.color(front) }).or(style.fg);
        }
        let attributes = [
            (cell.bold(), Modifier::BOLD),
            (cell.dim(), Modifier::DIM),
            (cell.italic(), Modifier::ITALIC),
            (cell.underline(), Modifier::UNDERLINED),
            (cell.inverse(), Modifier::REVERSED),
        ];
        attributes.into_iter().filter(|(set, _)| *set).fold(style, |style, (_, modifier)| style.add_modifier(modifier))
    }

    fn row(&self, row: u16, area: Rect, buffer: &mut Buffer) {
        let line = self.terminal.line_at(row);
        let marked = self.selection.and_then(|(selection, style)| Some((selection.columns(self.terminal, line)?, style)));
        let mut column = 0;
        while column < area.width {
            let cell = self.terminal.cell(row, column);
            let mut style = cell.map_or(self.style, |cell| self.cell_style(cell));
            if let Some((_, mark)) = marked.as_ref().filter(|(columns, _)| columns.contains(&column)) {
                style = style.patch(*mark);
            }
            let wide = cell.is_some_and(vt100::Cell::is_wide);
            // Half of a wide character fits nowhere.
            let symbol = if wide && column + 1 >= area.width { Cow::Borrowed(" ") } else { symbol(cell) };
            put(buffer, area.x + column, area.y + row, &symbol, style);
            column += 1;
            if wide && column < area.width {
                put(buffer, area.x + column, area.y + row, " ", style);
                column += 1;
            }
        }
    }
}

impl Widget for View<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        for row in 0..area.height {
            self.row(row, area, buffer);
        }
    }
}

fn put(buffer: &mut Buffer, x: u16, y: u16, symbol: &str, style: Style) {
    if let Some(cell) = buffer.cell_mut((x, y)) {
        *cell = Cell::default();
        cell.set_symbol(symbol).set_style(style);
    }
}

fn colour(colour: vt100::Color) -> Option<Color> {
    match colour {
        vt100::Color::Default => None,
        vt100::Color::Idx(index) => Some(indexed(index)),
        vt100::Color::Rgb(red, green, blue) => Some(Color::Rgb(red, green, blue)),
    }
}

/// The sixteen by name, so that a theme of the real terminal applies to them.
fn indexed(index: u8) -> Color {
    SIXTEEN.get(usize::from(index)).copied().unwrap_or(Color::Indexed(index))
}

/// A cell's text: nothing to interpret, and exactly as wide as the cell, whatever marks were put on it.
fn symbol(cell: Option<&vt100::Cell>) -> Cow<'_, str> {
    let Some(cell) = cell.filter(|cell| cell.has_contents() && !cell.is_wide_continuation()) else { return Cow::Borrowed(" ") };
    let width = if cell.is_wide() { 2 } else { 1 };
    let whole = cell.contents();
    let first = &whole[..whole.chars().next().map_or(0, char::len_utf8)];
    let fits = |text: &&str| text::width::of(text) == width && matches!(text::clean(text), Cow::Borrowed(_));
    Cow::Borrowed([whole, first].into_iter().find(fits).unwrap_or(if width == 2 { "  " } else { " " }))
}
