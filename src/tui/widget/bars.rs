//! How far the parts of a work are: a line with a bar for each layer, and one for the whole.

use crate::text::{self, size};
use crate::tui::session::{Part, Parts};
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The columns of a layer's short name, and of what is said of it.
const NAME: u16 = 12;
const STATUS: u16 = 11;
/// The columns behind the bar: bytes, rate.
const FIGURES: u16 = 28;

/// How many lines the bars want.
pub fn height(parts: &Parts) -> u16 {
    let count = parts.list().len();
    if count == 0 { 0 } else { u16::try_from(count + 1).unwrap_or(u16::MAX) }
}

/// Draws the sum, then each part; where there is not room for all, those that are not done come first.
pub fn draw(area: Rect, buffer: &mut Buffer, theme: &Theme, parts: &Parts, ended: bool) {
    if area.height == 0 || area.width < 8 || parts.list().is_empty() {
        return;
    }
    sum(Rect { height: 1, ..area }, buffer, theme, parts, ended);
    let room = usize::from(area.height - 1);
    let mut order: Vec<usize> = (0..parts.list().len()).collect();
    if order.len() > room {
        order.sort_by_key(|&at| parts.list()[at].is_done());
        order.truncate(room);
        order.sort_unstable();
    }
    for (row, at) in order.into_iter().enumerate() {
        let line = Rect { y: area.y + 1 + row as u16, height: 1, ..area };
        part(line, buffer, theme, &parts.list()[at], (parts.rate(Some(at)), ended));
    }
}

fn sum(line: Rect, buffer: &mut Buffer, theme: &Theme, parts: &Parts, ended: bool) {
    let count = parts.list().len();
    let done = parts.list().iter().filter(|part| part.is_done()).count();
    let (bytes, total) = parts.sum();
    let mut figures = if total > 0 { format!("{} / {}", size::decimal(bytes), size::decimal(total)) } else { String::new() };
    if !ended {
        if let Some(rate) = parts.rate(None).filter(|rate| *rate > 0.0) {
            figures = format!("{figures}  {}/s", size::decimal(rate as u64));
        }
        if let Some(rest) = parts.rest() {
            figures = format!("{figures}  {} left", clock(rest));
        }
    }
    let label = format!("{done} of {count} {}", if count == 1 { "layer" } else { "layers" });
    let wide = NAME + 1 + STATUS;
    let x = word(buffer, line.x, line, &label, wide, theme.title());
    let figures_room = (text::width::of(&figures) as u16 + 2).max(FIGURES);
    let x = bar(buffer, x, line, figures_room, (bytes, total), theme);
    word(buffer, x, line, &figures, figures_room, theme.text());
}

fn part(line: Rect, buffer: &mut Buffer, theme: &Theme, part: &Part, (rate, ended): (Option<f64>, bool)) {
    let style = if part.is_done() {
        theme.success()
    } else if ended {
        theme.muted()
    } else if part.moves() || part.status == "Extracting" {
        theme.pending()
    } else {
        theme.muted()
    };
    let x = word(buffer, line.x, line, &part.id, NAME + 1, theme.muted());
    let x = word(buffer, x, line, said(part, ended), STATUS, style);
    let Some(total) = part.total else { return };
    let x = bar(buffer, x, line, FIGURES, (part.done, total), theme);
    let mut figures = if part.is_done() { size::decimal(total) } else { format!("{} / {}", size::decimal(part.done), size::decimal(total)) };
    if let Some(rate) = rate.filter(|rate| !ended && part.moves() && *rate > 0.0) {
        figures = format!("{figures}  {}/s", size::decimal(rate as u64));
    }
    word(buffer, x, line, &figures, FIGURES, theme.muted());
}

/// What is said of a part, in a word. With the end of the whole nothing waits or moves any more.
fn said(part: &Part, ended: bool) -> &str {
    match part.status.as_str() {
        _ if ended && !part.is_done() => "stopped",
        "Waiting" | "Preparing" => "waiting",
        "Downloading" => "downloading",
        "Pushing" => "pushing",
        "Extracting" => "extracting",
        "Verifying Checksum" => "verifying",
        "Pull complete" | "Load complete" | "Pushed" => "✓ done",
        "Already exists" | "Layer already exists" => "✓ present",
        "Mounted" => "✓ mounted",
        other => other,
    }
}

/// Writes into so many columns; gives where the next may stand.
fn word(buffer: &mut Buffer, x: u16, line: Rect, words: &str, room: u16, style: ratatui::style::Style) -> u16 {
    let left = line.right().saturating_sub(x).min(room);
    if left > 0 {
        buffer.set_stringn(x, line.y, text::truncate(words, usize::from(left)), usize::from(left), style);
    }
    x + room.min(line.right().saturating_sub(x))
}

/// A bar in what room is left before the figures; gives where these stand.
fn bar(buffer: &mut Buffer, x: u16, line: Rect, figures: u16, (done, total): (u64, u64), theme: &Theme) -> u16 {
    let x = (x + 1).min(line.right());
    let width = line.right().saturating_sub(x).saturating_sub(figures).min(40);
    if width < 4 {
        return x;
    }
    let full = if total == 0 { 0 } else { (u128::from(done.min(total)) * u128::from(width) / u128::from(total)) as u16 };
    for column in 0..width {
        let (sign, style) = if column < full { ("━", theme.bar()) } else { ("─", theme.bar_empty()) };
        buffer.set_string(x + column, line.y, sign, style);
    }
    x + width + 1
}

/// `0.4s`, `42s`, `3m 5s`, `2h 10m`.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 10.0 => format!("{seconds:.1}s"),
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m {}s", whole / 60, whole % 60),
        _ => format!("{}h {}m", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_at_a_glance() {
        assert_eq!([0.04, 9.94, 12.4, 185.0, 7800.0].map(clock), ["0.0s", "9.9s", "12s", "3m 5s", "2h 10m"]);
    }
}
