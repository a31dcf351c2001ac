//! How a form looks: fields in lines, two or three beside each other where there is room, scrolled where there is not.

use super::Form;
use crate::text::{self, width};
use crate::tui::widget::field::Field;
use crate::tui::widget::frame::{popup, scrollbar};
use crate::tui::world::World;
use ratatui::Frame;
use ratatui::layout::Rect;

/// The columns of a form at its widest.
const WIDEST: u16 = 84;
/// The columns of a field's label, and of one that stands beside another.
const LABEL: u16 = 11;
/// The least columns for a field beside another.
const BESIDE: u16 = 19;

/// Where a field stands: line from the top of the form, columns from its left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spot {
    y: u16,
    x: u16,
    width: u16,
    height: u16,
}

/// A place for each field in so many columns, and how many lines they take.
fn arrange(fields: &[Field], at: usize, columns: u16) -> (Vec<Spot>, u16) {
    let mut spots = Vec::with_capacity(fields.len());
    let mut y = 0;
    let mut from = 0;
    while from < fields.len() {
        let more = fields[from + 1..].iter().take_while(|field| field.beside).count();
        let fits = |count: usize| columns / count as u16 >= BESIDE || fields[from].is_switch() && columns / count as u16 >= 14;
        let count = (1..=more + 1).rev().find(|&count| count == 1 || fits(count)).unwrap_or(1);
        let share = columns / count as u16;
        let row = &fields[from..from + count];
        let height = row.iter().enumerate().map(|(n, field)| field.height(at == from + n)).max().unwrap_or(1);
        for n in 0..count {
            let gap = if n + 1 < count { 2 } else { 0 };
            let width = if n + 1 == count { columns - share * n as u16 } else { share.saturating_sub(gap) };
            spots.push(Spot { y, x: share * n as u16, width, height });
        }
        y += height;
        from += count;
    }
    (spots, y)
}

/// Draws it.
pub fn draw(form: &mut Form, area: Rect, frame: &mut Frame<'_>, world: &World) {
    let theme = &world.theme;
    let columns = area.width.min(WIDEST);
    let inside = columns.saturating_sub(4);
    let (spots, lines) = arrange(&form.fields, form.at, inside);
    let foot = match area.height {
        0..6 => 1,
        6..12 => 3,
        _ => 5,
    };
    let inner = popup(area, columns, (lines + foot + 2).min(area.height), frame.buffer_mut(), theme, form.title);
    form.areas.fill(Rect::default());
    let foot = foot.min(inner.height.saturating_sub(1));
    let body = Rect { height: inner.height - foot, ..inner };
    let focused = spots.get(form.at).copied().unwrap_or(Spot { y: lines.saturating_sub(1), height: 1, ..Spot::default() });
    form.top = form.top.max((focused.y + focused.height.min(body.height)).saturating_sub(body.height)).min(focused.y).min(lines.saturating_sub(body.height));
    let mut cursor = None;
    let mut below = None;
    for (at, spot) in spots.iter().enumerate() {
        let Some(y) = spot.y.checked_sub(form.top).filter(|y| *y < body.height) else { continue };
        let place =
            Rect { x: body.x + spot.x, y: body.y + y, width: spot.width.min(body.width.saturating_sub(spot.x)), height: spot.height.min(body.height - y) };
        form.areas[at] = place;
        let value = label(form, at, place, frame, world);
        let drawn = form.fields[at].draw(value, frame.buffer_mut(), theme, form.at == at);
        if form.at == at {
            cursor = drawn;
            below = Some(Rect { y: value.bottom(), ..value });
        }
    }
    scrollbar(
        Rect { width: inner.width + 1, height: body.height, ..inner },
        frame.buffer_mut(),
        theme,
        usize::from(lines),
        usize::from(form.top),
        usize::from(body.height),
    );
    self::foot(form, Rect { y: body.bottom(), height: foot, ..inner }, frame, world);
    if let Some(below) = below.filter(|_| form.offering && !form.offers.is_empty()) {
        offers(form, below, area, frame, world);
    }
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// Draws a field's label; gives the room of its value.
fn label(form: &Form, at: usize, place: Rect, frame: &mut Frame<'_>, world: &World) -> Rect {
    let theme = &world.theme;
    let field = &form.fields[at];
    if field.is_switch() {
        return place;
    }
    let wrong = form.told().is_some_and(|(culprit, _)| culprit == Some(at));
    let style = if wrong {
        theme.failed()
    } else if form.at == at {
        theme.title()
    } else {
        theme.muted()
    };
    let columns = if place.width < 24 && place.x > form.areas[0].x { (width::of(field.label) as u16 + 1).min(LABEL) } else { LABEL };
    let columns = columns.min(place.width / 2);
    frame.buffer_mut().set_stringn(place.x, place.y, text::truncate(field.label, usize::from(columns.saturating_sub(1))), usize::from(columns), style);
    Rect { x: place.x + columns, width: place.width - columns, ..place }
}

/// The equal command, what is wrong, the button.
fn foot(form: &mut Form, area: Rect, frame: &mut Frame<'_>, world: &World) {
    if area.height == 0 {
        return;
    }
    let theme = &world.theme;
    let button = format!(" {} ", form.button);
    let line = Rect { y: area.bottom() - 1, height: 1, ..area };
    let pressed = form.at == form.fields.len();
    let place = Rect { width: (width::of(&button) as u16).min(line.width), ..line };
    *form.areas.last_mut().unwrap_or(&mut Rect::default()) = place;
    let buffer = frame.buffer_mut();
    buffer.set_stringn(place.x, place.y, &button, usize::from(place.width), if pressed { theme.selection(true) } else { theme.key() });
    let wrong = form.told().map(|(at, sentence)| match at {
        Some(at) if !sentence.contains(form.fields[at].label) => format!("{}: {sentence}", form.fields[at].label),
        _ => sentence.to_owned(),
    });
    if let Some(wrong) = wrong {
        let x = place.right() + 1;
        let room = usize::from(line.right().saturating_sub(x));
        buffer.set_stringn(x, line.y, text::truncate(&text::clean(&wrong), room), room, theme.failed());
    }
    let room = usize::from(area.width);
    let lines = usize::from(area.height.saturating_sub(2)).max(usize::from(area.height > 1));
    let equal = format!("kapal {}", text::clean(&world.line.quote(&form.words)));
    let y = area.y + u16::from(area.height > 3);
    let mut rest = equal.as_str();
    for row in 0..lines.min(usize::from(line.y.saturating_sub(y))) {
        let last = row + 1 == lines.min(usize::from(line.y - y));
        let piece = if last { text::truncate(rest, room).into_owned() } else { begin(rest, room).to_owned() };
        buffer.set_stringn(area.x, y + row as u16, &piece, room, theme.muted());
        rest = rest.get(piece.len()..).unwrap_or_default().trim_start();
    }
}

/// As much of `words` as fits into so many columns, whole words if they are not too long.
fn begin(words: &str, columns: usize) -> &str {
    if width::of(words) <= columns {
        return words;
    }
    let mut end = 0;
    let mut space = None;
    for (at, c) in words.char_indices() {
        let next = at + c.len_utf8();
        if width::of(&words[..next]) > columns {
            break;
        }
        if c == ' ' {
            space = Some(at);
        }
        end = next;
    }
    &words[..space.filter(|space| *space > columns / 2).unwrap_or(end)]
}

/// The list of what could stand in the field, below it or, where there is more room, above.
fn offers(form: &Form, below: Rect, screen: Rect, frame: &mut Frame<'_>, world: &World) {
    let wanted = (form.offers.len() as u16).min(7);
    let under = screen.bottom().saturating_sub(below.y);
    let above = below.y.saturating_sub(screen.y + 1);
    let width = form.offers.width().max(20).min(screen.right().saturating_sub(below.x));
    let place = if under >= wanted.min(3) || under >= above {
        Rect { x: below.x, y: below.y, width, height: wanted.min(under) }
    } else {
        let height = wanted.min(above);
        Rect { x: below.x, y: below.y - 1 - height, width, height }
    };
    form.offers.draw(place, frame.buffer_mut(), &world.theme);
}
