//! Which charts there are, the most important first, and how they share the room.

use crate::container::past::Moment;
use crate::text;
use crate::tui::theme::Signs;
use crate::tui::widget::chart::{self, Chart, LEAST, Line, Setting, Unit, Window};
use crate::tui::widget::spark::spark;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The title of the chart of links.
pub const NETWORK: &str = "network";
/// What is known now was told within so many steps.
const RECENT: i64 = 3;
/// From this width on two charts stand beside each other.
const TWO: u16 = 64;
/// And three.
const THREE: u16 = 180;
/// The columns between two charts.
const GAP: u16 = 2;

/// The charts of moments in a window. Those of which nothing is known are among them; what is of a limit alone is not, where
/// there was none, or is none of the container's own.
pub fn of(moments: &[Moment], step: i64, window: &Window, is_machine: bool) -> Vec<Chart> {
    let columns = |figure: fn(&Moment) -> Option<f32>| window.columns_of(moments, step, figure);
    let newest = || moments.iter().rev().take_while(|moment| moment.at > window.end.saturating_sub(RECENT * step));
    let line = |name, figure: fn(&Moment) -> Option<f32>| Line { name, columns: columns(figure), last: newest().find_map(figure) };
    let limit = |figure| Some(line("", figure)).filter(|line| line.columns.iter().any(Option::is_some));
    let cpu_limit = limit(|moment| moment.cpu_limit);
    let is_held = cpu_limit.is_some() && !is_machine;
    let mut charts = vec![
        Chart { title: "cpu", short: "cpu", unit: Unit::Processors, lines: vec![line("", |moment| moment.cpu)], limit: cpu_limit },
        Chart {
            title: "memory",
            short: "mem",
            unit: Unit::Bytes,
            lines: vec![line("", |moment| moment.memory.map(|bytes| bytes as f32))],
            limit: limit(|moment| moment.memory_limit.map(|bytes| bytes as f32)),
        },
        Chart {
            title: NETWORK,
            short: "net",
            unit: Unit::Rate,
            lines: vec![line("in", |moment| moment.received), line("out", |moment| moment.sent)],
            limit: None,
        },
        Chart {
            title: "disk",
            short: "disk",
            unit: Unit::Rate,
            lines: vec![line("read", |moment| moment.read), line("write", |moment| moment.written)],
            limit: None,
        },
        Chart {
            title: "pressure",
            short: "psi",
            unit: Unit::Share,
            lines: vec![line("cpu", |moment| moment.cpu_pressure), line("mem", |moment| moment.memory_pressure), line("io", |moment| moment.io_pressure)],
            limit: None,
        },
    ];
    if is_held {
        charts.push(Chart { title: "throttled", short: "held", unit: Unit::Share, lines: vec![line("", |moment| moment.throttled)], limit: None });
    }
    charts
}

/// How charts share the room: in columns, row by row, with the times below them and a sentence at the end.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    area: Rect,
    beside: u16,
    signs: Signs,
}

impl Plan {
    /// A plan for this room.
    pub fn over(area: Rect, signs: Signs) -> Self {
        let beside = match area.width {
            0..TWO => 1,
            TWO..THREE => 2,
            _ => 3,
        };
        Self { area, beside, signs }
    }

    fn width(&self) -> u16 {
        (self.area.width - (self.beside - 1) * GAP) / self.beside
    }

    fn is_narrow(&self) -> bool {
        self.area.width < LEAST.0 || self.area.height < LEAST.1 + 1
    }

    /// How many columns of dots each chart has.
    pub fn dots(&self) -> usize {
        if self.is_narrow() { usize::from(self.area.width) } else { chart::columns(Rect { width: self.width(), ..self.area }, self.signs) }
    }

    /// Draws as many charts as there is room for, those of this page, and gives where they are and how many pages there are.
    pub fn draw(&self, (charts, page): (&[Chart], usize), sentence: &str, buffer: &mut Buffer, setting: &Setting<'_>) -> (Vec<Rect>, usize) {
        let mut area = self.area;
        let mut words = sentence.to_owned();
        if self.is_narrow() {
            self.lines(charts, &words, buffer, setting);
            return (Vec::new(), 1);
        }
        // The line of the times, and the one of the sentence.
        let rows = |height: u16| (height.saturating_sub(1) / LEAST.1).max(1);
        let wanted = (charts.len() as u16).div_ceil(self.beside);
        let foot = u16::from(!words.is_empty() || wanted > rows(area.height));
        let shown = wanted.min(rows(area.height - foot)).max(1);
        let fit = usize::from(shown * self.beside);
        let pages = charts.len().div_ceil(fit).max(1);
        // The last page is as full as the first.
        let first = (page.min(pages - 1) * fit).min(charts.len().saturating_sub(fit));
        let left_out = charts.len().saturating_sub(fit);
        if left_out > 0 {
            let way = if page + 1 < pages { "page down" } else { "page up" };
            words = format!("{} more: {way}{}{words}", counted(left_out), if words.is_empty() { "" } else { "; " });
        }
        if foot > 0 {
            buffer.set_stringn(area.x, area.bottom() - 1, text::truncate(&words, usize::from(area.width)), usize::from(area.width), setting.theme.muted());
            area.height -= foot;
        }
        let (width, room) = (self.width(), area.height - 1);
        let mut areas = Vec::new();
        for (number, chart) in charts.iter().skip(first).take(fit).enumerate() {
            let (row, column) = (number as u16 / self.beside, number as u16 % self.beside);
            let (top, bottom) = (room * row / shown, room * (row + 1) / shown);
            let place = Rect { x: area.x + column * (width + GAP), y: area.y + top, width, height: bottom - top };
            chart.draw(place, buffer, setting);
            let is_last = number + usize::from(self.beside) >= charts.len().min(fit);
            if is_last {
                chart::times(Rect { y: place.bottom(), height: 1, ..place }, buffer, setting);
            }
            areas.push(place);
        }
        (areas, pages)
    }

    /// Where there is no room for a chart: a line for each figure.
    fn lines(&self, charts: &[Chart], sentence: &str, buffer: &mut Buffer, setting: &Setting<'_>) {
        let (area, theme) = (self.area, setting.theme);
        if charts.is_empty() {
            for (y, piece) in (area.top()..area.bottom()).zip(text::wrap(sentence, usize::from(area.width))) {
                buffer.set_stringn(area.x, y, piece, usize::from(area.width), theme.muted());
            }
        }
        let lines = charts.iter().flat_map(|chart| chart.lines.iter().map(move |line| (chart, line)));
        for (y, (chart, line)) in (area.top()..area.bottom()).zip(lines) {
            let name = if line.name.is_empty() || chart.unit == Unit::Share { chart.title } else { line.name };
            let value = Chart::read(line, setting).map_or_else(|| "–".to_owned(), |value| chart.unit.write(value));
            let words = format!("{name} {value}");
            buffer.set_stringn(area.x, y, text::truncate(&words, usize::from(area.width)), usize::from(area.width), theme.text());
            let x = area.x + 18;
            if x + 4 <= area.right() {
                let last = line.columns.iter().skip(line.columns.len().saturating_sub(usize::from(area.right() - x)));
                let top = last.clone().flatten().map(|(_, most)| f64::from(*most)).fold(0.0, f64::max);
                buffer.set_string(x, y, spark(last.map(|extent| extent.map(|(_, most)| f64::from(most))), top, self.signs), theme.series(0));
            }
        }
    }
}

/// `1 chart`, `2 charts`.
fn counted(count: usize) -> String {
    format!("{count} chart{}", if count == 1 { "" } else { "s" })
}
