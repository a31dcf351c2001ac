//! A chart's title: what it shows, its lines with their values, the limit, as roomy as its width allows.

use super::{Chart, Setting, strokes};
use crate::text::width;
use crate::tui::theme::Signs;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// How a title is written.
#[derive(Clone, Copy)]
struct Manner {
    /// A space after each line's sign; signs that are letters have one in any case.
    loose: bool,
    /// The title's short form.
    short: bool,
    /// What follows a value stays where it is, whatever the value.
    steady: bool,
}

/// The most readable first.
const MANNERS: [Manner; 4] = [
    Manner { loose: true, short: false, steady: true },
    Manner { loose: false, short: false, steady: true },
    Manner { loose: false, short: true, steady: true },
    Manner { loose: false, short: true, steady: false },
];

impl Chart {
    /// Draws the title, each value in the look of its line. `is_shown`: the limit is seen in the chart.
    pub(super) fn head(&self, area: Rect, buffer: &mut Buffer, setting: &Setting<'_>, is_shown: bool) {
        if area.is_empty() {
            return;
        }
        let room = usize::from(area.width);
        let wide = |pieces: &[(String, Style)]| pieces.iter().map(|(words, _)| width::of(words)).sum::<usize>();
        let mut ways = MANNERS.iter().map(|manner| self.pieces(*manner, setting, is_shown));
        let fitting = ways.find(|pieces| wide(pieces) <= room);
        let is_cut = fitting.is_none();
        let pieces = fitting.unwrap_or_else(|| self.pieces(MANNERS[MANNERS.len() - 1], setting, is_shown));
        // What does not fit in any way ends in dots, wherever it is cut: a name without its value would look whole.
        let end = area.right() - u16::from(is_cut);
        let mut x = area.x;
        for (words, style) in pieces {
            x = buffer.set_stringn(x, area.y, words, usize::from(end - x), style).0;
        }
        if is_cut {
            buffer.set_string(end, area.y, "…", setting.theme.muted());
        }
    }

    fn pieces(&self, manner: Manner, setting: &Setting<'_>, is_shown: bool) -> Vec<(String, Style)> {
        let theme = setting.theme;
        let mut pieces = vec![(if manner.short { self.short } else { self.title }.to_owned(), theme.title())];
        let several = self.lines.len() > 1;
        let gap = if manner.loose || setting.signs == Signs::Ascii { " " } else { "" };
        for (number, line) in self.lines.iter().enumerate() {
            pieces.push((" ".to_owned(), Style::new()));
            if several {
                pieces.push((legend(number, setting).to_owned(), theme.series(number)));
                pieces.push((format!("{gap}{} ", line.name), theme.muted()));
            }
            let value = Self::read(line, setting).map_or_else(|| "–".to_owned(), |value| self.unit.write(value));
            let room = if manner.steady { self.unit.room() } else { 0 };
            pieces.push((format!("{value:<room$}"), theme.text()));
        }
        if let Some(limit) = self.limit.as_ref().and_then(|limit| Self::read(limit, setting)) {
            let strokes = strokes(setting.signs);
            pieces.push((" ".to_owned(), Style::new()));
            pieces.push((if is_shown { strokes.limit } else { strokes.above }.to_owned(), theme.warning()));
            pieces.push((format!(" limit {}", self.unit.write(limit).replace(".0%", "%")), theme.muted()));
        }
        pieces
    }
}

/// How a line of several looks in a title.
fn legend(number: usize, setting: &Setting<'_>) -> &'static str {
    let told_by_look = setting.theme.series(0) != setting.theme.series(1);
    match setting.signs {
        Signs::Ascii => ["*", "+", "o", "x"][number % 4],
        Signs::Blocks => ["█", "▄", "▀", "░"][if told_by_look { 0 } else { number % 4 }],
        Signs::Braille => ["⣤", "⡄", "⠄", "⠁"][if told_by_look { 0 } else { number % 4 }],
    }
}
