//! A chart over time: lines or a filled line, the limit, what happened, and a place to read values at.
//!
//! ```text
//! cpu 98.2%  ╍ limit 100%          the title: values at the cursor, or the last ones
//!  150% ┤
//!  100% ┤╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍     round numbers; the limit as it was
//!   50% ┤     ⢀⣤⣶⣿⣿⣿⣿⣿    ⣿     what is not known is a gap
//!    0% ┤⣀⣀⣀⣠⣾⣿⣿⣿⣿⣿⣿⣿    ⣿
//!       └──┬───▲────┬─────────     what happened
//!        12:00    12:05             round times, written once below all charts that share them
//! ```

mod axis;
mod dots;
mod head;

pub use axis::{Extent, Scale, Unit, Window};

use crate::text;
use crate::tui::theme::{Signs, Theme};
use dots::Dots;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The columns left of the axis.
const GUTTER: u16 = 7;
/// A limit so many times as high as all else would leave nothing to be seen of that: it is told in words.
const OUT_OF_SIGHT: f64 = 8.0;
/// The most steps of a scale.
const STEPS: usize = 5;
/// The least room for a chart, in columns and lines.
pub const LEAST: (u16, u16) = (24, 5);

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is; empty if the title says it.
    pub name: &'static str,
    /// What is known of each column of dots.
    pub columns: Vec<Extent>,
    /// What is known now.
    pub last: Option<f32>,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// When, seconds since 1970.
    pub at: i64,
    /// A sign of one column.
    pub sign: &'static str,
    /// How it looks.
    pub style: Style,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// The same where there is little room.
    pub short: &'static str,
    /// How its values are written.
    pub unit: Unit,
    /// Lines, the most important first. A single one is filled down to nought.
    pub lines: Vec<Line>,
    /// The limit at the time of each column; where there is none, it has none.
    pub limit: Option<Line>,
}

/// What all charts beside each other share.
#[derive(Debug)]
pub struct Setting<'a> {
    /// The time on all of them.
    pub window: Window,
    /// What happened.
    pub marks: &'a [Mark],
    /// The column at which values are read; what is known now otherwise.
    pub cursor: Option<usize>,
    /// What they are drawn with.
    pub signs: Signs,
    /// How they look.
    pub theme: &'a Theme,
    /// Where clocks are read.
    pub zone: &'a TimeZone,
}

/// How many columns of dots a chart at `area` has.
pub fn columns(area: Rect, signs: Signs) -> usize {
    usize::from(area.width.saturating_sub(GUTTER)) * signs.dots().0
}

/// Which column of cells of the chart at `area` is at `x`.
pub fn column_at(area: Rect, x: u16) -> u16 {
    x.saturating_sub(area.x + GUTTER)
}

/// The times below charts that share them, at the line `area`.
pub fn times(area: Rect, buffer: &mut Buffer, setting: &Setting<'_>) {
    let beside = setting.signs.dots().0;
    for (column, words) in setting.window.times(beside, setting.zone) {
        let (x, wide) = (area.x + GUTTER + (column / beside) as u16, words.len() as u16);
        let from = x.saturating_sub(wide / 2).max(area.x);
        if from + wide <= area.right() {
            buffer.set_string(from, area.y, &words, setting.theme.muted());
        }
    }
}

/// Signs of frames, axes and limits.
struct Strokes {
    side: &'static str,
    tick: &'static str,
    corner: &'static str,
    foot: &'static str,
    time: &'static str,
    guide: &'static str,
    limit: &'static str,
    above: &'static str,
}

const FINE: Strokes = Strokes { side: "│", tick: "┤", corner: "└", foot: "─", time: "┬", guide: "┈", limit: "╍", above: "↑" };
const COARSE: Strokes = Strokes { guide: "·", limit: "═", ..FINE };
const PLAIN: Strokes = Strokes { side: "|", tick: "+", corner: "+", foot: "-", time: "+", guide: ".", limit: "=", above: "^" };

fn strokes(signs: Signs) -> &'static Strokes {
    match signs {
        Signs::Braille => &FINE,
        Signs::Blocks => &COARSE,
        Signs::Ascii => &PLAIN,
    }
}

impl Chart {
    /// Whether anything of it is known in this time.
    pub fn is_known(&self) -> bool {
        self.lines.iter().any(|line| line.columns.iter().any(Option::is_some))
    }

    /// The value of a line where the setting reads it: the most of the column at the cursor, or the last one.
    pub fn read(line: &Line, setting: &Setting<'_>) -> Option<f64> {
        let value = match setting.cursor {
            Some(at) => line.columns.get(at).copied().flatten().map(|(_, most)| most),
            None => line.last,
        };
        value.map(f64::from)
    }

    /// The scale, and whether the limit is on it.
    fn scale(&self) -> (Scale, bool) {
        let most = |columns: &[Extent]| columns.iter().flatten().map(|(_, most)| f64::from(*most)).fold(0.0, f64::max);
        let data = self.lines.iter().map(|line| most(&line.columns)).fold(0.0, f64::max);
        let limit = self.limit.as_ref().map_or(0.0, |limit| most(&limit.columns));
        let is_shown = limit <= data * OUT_OF_SIGHT || !self.is_known();
        let all = if is_shown { data.max(limit) } else { data };
        (Scale::over(self.unit, all, STEPS), is_shown)
    }

    /// Draws it: a title, the lines beside their axis, and a foot with what happened.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, setting: &Setting<'_>) {
        if area.width < LEAST.0 || area.height < LEAST.1 - 1 {
            return self.head(Rect { height: area.height.min(1), ..area }, buffer, setting, true);
        }
        let plot = Rect { x: area.x + GUTTER, y: area.y + 1, width: area.width - GUTTER, height: area.height - 2 };
        let (scale, is_shown) = self.scale();
        self.head(Rect { height: 1, ..area }, buffer, setting, is_shown);
        let sides = Self::sides(area, plot, buffer, setting, &scale);
        self.body(plot, buffer, setting, &scale, &sides);
        if is_shown {
            self.limit_line(plot, buffer, setting, &scale);
        }
        Self::foot(plot, buffer, setting);
        if let Some(column) = setting.cursor {
            let x = plot.x + (column / setting.signs.dots().0) as u16;
            if x < plot.right() {
                buffer.set_style(Rect { x, width: 1, ..plot }, setting.theme.selection(true));
            }
        }
    }

    /// The axis with its numbers; gives the rows of cells that have one, of nought left out.
    fn sides(area: Rect, plot: Rect, buffer: &mut Buffer, setting: &Setting<'_>, scale: &Scale) -> Vec<u16> {
        let (theme, strokes) = (setting.theme, strokes(setting.signs));
        let above = setting.signs.dots().1;
        let rows = usize::from(plot.height) * above;
        for y in plot.top()..plot.bottom() {
            buffer.set_string(plot.x - 1, y, strokes.side, theme.faint());
        }
        let mut sides = Vec::new();
        for (value, words) in scale.ticks(usize::from(plot.height)) {
            let y = plot.bottom() - 1 - (scale.row(value, rows).unwrap_or(rows - 1) / above) as u16;
            let room = GUTTER - 1;
            let from = area.x + room.saturating_sub(text::width::of(&words) as u16);
            buffer.set_stringn(from, y, &words, usize::from(room), theme.muted());
            buffer.set_string(plot.x - 1, y, strokes.tick, theme.faint());
            if value > 0.0 {
                sides.push(y);
            }
        }
        sides
    }

    fn body(&self, plot: Rect, buffer: &mut Buffer, setting: &Setting<'_>, scale: &Scale, sides: &[u16]) {
        let (theme, strokes) = (setting.theme, strokes(setting.signs));
        for &y in sides {
            for x in plot.left()..plot.right() {
                buffer.set_string(x, y, strokes.guide, theme.faint());
            }
        }
        let mut dots = Dots::new(setting.signs, usize::from(plot.width), usize::from(plot.height));
        let rows = dots.rows();
        let filled = self.lines.len() == 1;
        // Without colours lines differ by their dots.
        let looks_alike = theme.series(0) == theme.series(1);
        for (number, line) in self.lines.iter().enumerate() {
            let mut before: Option<(usize, usize)> = None;
            for (column, extent) in line.columns.iter().enumerate() {
                let row = |value: f32| scale.row(f64::from(value), rows).unwrap_or(rows - 1);
                let Some((least, most)) = extent.map(|(least, most)| (row(least), row(most))) else {
                    before = None;
                    continue;
                };
                let from = match before {
                    _ if filled => 0,
                    // A line goes on from where it was.
                    Some((_, was)) if was < least => was + 1,
                    _ => least,
                };
                let to = before.filter(|(was, _)| !filled && *was > most).map_or(most, |(was, _)| was - 1);
                before = Some((least, most));
                let pattern = setting.window.first() + column as i64;
                if !looks_alike || filled || number == 0 || pattern % (2 * number as i64) == 0 {
                    dots.set(column, from, to, number as u8);
                }
            }
        }
        dots.draw(plot, buffer, |line| theme.series(usize::from(line)));
    }

    /// The limit, as it was at each time; data that reach it take its colour.
    fn limit_line(&self, plot: Rect, buffer: &mut Buffer, setting: &Setting<'_>, scale: &Scale) {
        let Some(limit) = &self.limit else { return };
        let (beside, above) = setting.signs.dots();
        let (style, guide, sign) = (setting.theme.warning(), strokes(setting.signs).guide, strokes(setting.signs).limit);
        let rows = usize::from(plot.height) * above;
        for x in 0..plot.width {
            let columns = limit.columns.iter().skip(usize::from(x) * beside).take(beside);
            let Some((_, value)) = columns.flatten().last() else { continue };
            let Some(row) = scale.row(f64::from(*value), rows) else { continue };
            let cell = &mut buffer[(plot.x + x, plot.bottom() - 1 - (row / above) as u16)];
            if cell.symbol() == " " || cell.symbol() == guide {
                cell.set_symbol(sign);
            }
            cell.set_style(style);
        }
    }

    /// The foot with the ticks of the times and what happened.
    fn foot(plot: Rect, buffer: &mut Buffer, setting: &Setting<'_>) {
        let (theme, strokes) = (setting.theme, strokes(setting.signs));
        let beside = setting.signs.dots().0;
        let y = plot.bottom();
        buffer.set_string(plot.x - 1, y, strokes.corner, theme.faint());
        for x in plot.left()..plot.right() {
            buffer.set_string(x, y, strokes.foot, theme.faint());
        }
        for (column, _) in setting.window.times(beside, setting.zone) {
            buffer.set_string(plot.x + (column / beside) as u16, y, strokes.time, theme.faint());
        }
        for mark in setting.marks {
            if let Some(column) = setting.window.column(mark.at as f64) {
                buffer.set_string(plot.x + (column / beside) as u16, y, mark.sign, mark.style);
            }
        }
    }
}

#[cfg(test)]
mod tests;
