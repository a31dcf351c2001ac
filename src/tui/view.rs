//! The whole display: the panes' names above, the pane, what lies over it, and the line of keys below.

use crate::text;
use crate::tui::keymap::GAP;
use crate::tui::model::Model;
use crate::tui::screen::Pane;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws it.
pub fn view(model: &mut Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let style = model.world.theme.base();
    frame.buffer_mut().set_style(area, style);
    if area.width < 4 || area.height < 2 {
        return;
    }
    let bare = model.full || area.height < 8;
    let head = u16::from(!bare);
    let body = Rect { y: area.y + head, height: area.height - head - 1, ..area };
    model.body = body;
    model.tabs.clear();
    if !bare {
        header(model, Rect { height: 1, ..area }, frame.buffer_mut());
    }
    // A screen below one that covers everything needs no drawing.
    let from = model.layers.iter().rposition(|layer| !layer.floats());
    if from.is_none() {
        let pane = &mut model.panes[model.pane as usize];
        pane.draw(body, frame, &model.world);
    }
    for layer in model.layers.iter_mut().skip(from.unwrap_or(0)) {
        layer.draw(body, frame, &model.world);
    }
    footer(model, Rect { y: area.bottom() - 1, height: 1, ..area }, frame.buffer_mut());
}

fn header(model: &mut Model, area: Rect, buffer: &mut Buffer) {
    let theme = &model.world.theme;
    let narrow = area.width < 76;
    let mut x = area.x + 1;
    for (number, pane) in Pane::ALL.into_iter().enumerate() {
        let front = pane == model.pane;
        let name = if narrow && !front { String::new() } else { format!(" {}", pane.name()) };
        let label = format!("{}{name}", number + 1);
        let width = text::width::of(&label) as u16;
        if x + width + 1 > area.right() {
            break;
        }
        let style = if front { theme.title() } else { theme.muted() };
        buffer.set_string(x, area.y, &label, style);
        model.tabs.push((pane, Rect { x, y: area.y, width, height: 1 }));
        x += width + 3;
    }
    let world = &model.world;
    let mut words = format!("{} running", world.running());
    if world.busy() > 0 {
        words = format!("{} at work  {words}", world.busy());
    }
    let width = text::width::of(&words) as u16;
    if x + width + 1 < area.right() {
        buffer.set_string(area.right() - width - 1, area.y, &words, if world.busy() > 0 { theme.accent() } else { theme.muted() });
    }
}

fn footer(model: &Model, area: Rect, buffer: &mut Buffer) {
    let theme = &model.world.theme;
    let room = usize::from(area.width.saturating_sub(2));
    if let Some(notice) = &model.notice {
        let (mark, style) = if notice.is_error { ("✗ ", theme.failed()) } else { ("✓ ", theme.running()) };
        let way_out = if notice.is_error { "  esc" } else { "" };
        let words = text::truncate(&notice.text, room.saturating_sub(2 + way_out.len())).into_owned();
        buffer.set_string(area.x + 1, area.y, format!("{mark}{words}"), style);
        let x = area.x + 3 + text::width::of(&words) as u16;
        buffer.set_stringn(x, area.y, way_out, room.saturating_sub(text::width::of(&words) + 2), theme.muted());
        return;
    }
    let watched = model.top().watched().map(|(keys, label, _)| (keys.replace("ctrl-", "^"), label));
    let taken = watched.as_ref().map_or(0, |(keys, label)| text::width::of(keys) + 1 + text::width::of(label) + GAP);
    let hints = model.hints(room.saturating_sub(taken));
    let all = watched.into_iter().chain(hints.iter().map(|hint| (hint.chord.short(), hint.label)));
    let mut x = area.x + 1;
    for (keys, label) in all {
        for (words, style) in [(keys.as_str(), theme.key()), (label, theme.hint())] {
            buffer.set_stringn(x, area.y, words, usize::from(area.right().saturating_sub(x)), style);
            x += text::width::of(words) as u16 + 1;
        }
        x += GAP as u16 - 1;
    }
}
