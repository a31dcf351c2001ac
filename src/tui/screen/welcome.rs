//! What a first start shows: what to do next.

use crate::text;
use crate::tui::widget::frame::frame;
use crate::tui::world::World;
use ratatui::Frame;
use ratatui::layout::Rect;

/// Draws it where containers would be: all of them, or only those that run, if not `all`.
pub fn welcome(area: Rect, frame_: &mut Frame<'_>, world: &World, all: bool) {
    let theme = &world.theme;
    let buffer = frame_.buffer_mut();
    let inner = frame(area, buffer, theme, "Containers", "", true);
    if !world.looked {
        return;
    }
    let lines: &[(&str, &str)] = if all {
        &[
            ("", "No containers yet."),
            ("", ""),
            ("R", "Run one. The image `host` needs no download: it is this machine's own files below a fresh layer."),
            ("P", "Pull an image from a registry."),
            (":", "Type a command, such as `run -it --rm host bash` or `load -i images.tar`."),
            ("?", "See the keys that hold here."),
        ]
    } else {
        &[("", "No container runs. The same key that hid the others shows them.")]
    };
    let room = inner.width.saturating_sub(2).min(76);
    let left = inner.x + (inner.width - room) / 2;
    let mut drawn: Vec<(&str, &str)> = Vec::new();
    for (key, words) in lines {
        let pieces = text::wrap(words, usize::from(room.saturating_sub(if key.is_empty() { 0 } else { 3 })));
        drawn.push((key, pieces.first().copied().unwrap_or_default()));
        drawn.extend(pieces.iter().skip(1).map(|piece| (" ", *piece)));
    }
    let top = inner.height.saturating_sub(drawn.len() as u16) / 3;
    for (row, (key, words)) in inner.rows().skip(usize::from(top)).zip(drawn) {
        let (x, style) = if key.is_empty() { (left, theme.title()) } else { (left + 3, theme.text()) };
        buffer.set_stringn(left, row.y, key, 2, theme.key());
        buffer.set_stringn(x, row.y, words, usize::from(inner.right().saturating_sub(x)), style);
    }
}
