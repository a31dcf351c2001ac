//! Quiet borders with a title, and the bar that tells where one is.

use crate::text;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::widgets::{Block, BorderType, Clear, Widget};

/// A frame; gives the room inside. Where there is no room for one, all of it is the inside.
pub fn frame(area: Rect, buffer: &mut Buffer, theme: &Theme, title: &str, note: &str, focused: bool) -> Rect {
    if area.height < 4 || area.width < 12 {
        return area;
    }
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(theme.border(focused));
    let inner = block.inner(area);
    block.render(area, buffer);
    let room = usize::from(area.width.saturating_sub(4));
    let title = text::truncate(title, room);
    if !title.is_empty() {
        let style = theme.upon_border(if focused { theme.title() } else { theme.muted() });
        buffer.set_string(area.x + 1, area.y, format!(" {title} "), style);
    }
    let left = room.saturating_sub(text::width::of(&title) + 3);
    let note = text::truncate(note, left);
    let used = text::width::of(&note) as u16;
    if used > 0 {
        buffer.set_string(area.right() - used - 3, area.y, format!(" {note} "), theme.upon_border(theme.muted()));
    }
    inner
}

/// The names of what a frame at `area` can show, upon its upper edge; gives where each stands, nowhere if there is no room. The
/// one in front always has some: those before it give way.
pub fn tabs<'a>(area: Rect, buffer: &mut Buffer, theme: &Theme, names: impl IntoIterator<Item = &'a str>, front: usize) -> Vec<Rect> {
    let names: Vec<&str> = names.into_iter().collect();
    let needs = |from: usize| names.iter().take(front + 1).skip(from).map(|name| text::width::of(name) + 2).sum::<usize>() + 2;
    let first = (0..front).find(|&from| needs(from) <= usize::from(area.width)).unwrap_or(front);
    let mut places = vec![Rect::default(); first.min(names.len())];
    let mut x = area.x + 2;
    for (number, name) in names.into_iter().enumerate().skip(first) {
        let width = text::width::of(name) as u16;
        if x + width + 2 > area.right() {
            break;
        }
        let style = theme.upon_border(if number == front { theme.title() } else { theme.muted() });
        buffer.set_string(x - 1, area.y, format!(" {name} "), style);
        places.push(Rect { x, y: area.y, width, height: 1 });
        x += width + 2;
    }
    places
}

/// What a frame at `area` is about, upon its lower edge.
pub fn foot(area: Rect, buffer: &mut Buffer, theme: &Theme, words: &str) {
    let words = text::truncate(words, usize::from(area.width.saturating_sub(6)));
    if !words.is_empty() {
        buffer.set_string(area.x + 1, area.bottom() - 1, format!(" {words} "), theme.upon_border(theme.muted()));
    }
}

/// A frame in the middle, over whatever was there.
pub fn popup(screen: Rect, width: u16, height: u16, buffer: &mut Buffer, theme: &Theme, title: &str) -> Rect {
    let area = middle(screen, width, height);
    Clear.render(area, buffer);
    buffer.set_style(area, theme.panel());
    frame(area, buffer, theme, title, "", true).inner(Margin { horizontal: 1, vertical: 0 })
}

/// A place of at most this size in the middle of the screen.
pub fn middle(screen: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(screen.width), height.min(screen.height));
    Rect { x: screen.x + (screen.width - width) / 2, y: screen.y + (screen.height - height) / 2, width, height }
}

/// A thumb at the right edge of the rows that scroll, only where there is more than fits.
pub fn scrollbar(area: Rect, buffer: &mut Buffer, theme: &Theme, all: usize, top: usize, fits: usize) {
    let track = usize::from(area.height);
    if all <= fits || track < 2 || area.width < 2 {
        return;
    }
    let thumb = (track * fits / all).clamp(1, track);
    let from = (track - thumb) * top / (all - fits).max(1);
    for line in from.min(track - thumb)..(from + thumb).min(track) {
        buffer.set_string(area.right() - 1, area.y + line as u16, "▐", theme.border(false));
    }
}
