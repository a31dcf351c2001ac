//! How a form looks: fields in lines, two or three beside each other where there is room, scrolled where there is not.

use super::Form;
use crate::text::{self, width};
use crate::tui::widget::field::Field;
use crate::tui::widget::frame::{middle, popup, scrollbar};
use crate::tui::world::World;
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::widgets::{Clear, Widget};

/// The columns of a form at its widest.
const WIDEST: u16 = 84;
/// The columns between two fields, and between a label and its value.
const GAP: u16 = 2;
/// The least columns for a value beside its label, and for one that has a line of its own.
const VALUE: u16 = 8;
/// A screen of fewer lines has none to spare for a frame.
const FRAMED: u16 = 9;

/// Where a field stands: line from the top of the form, columns from its left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spot {
    y: u16,
    x: u16,
    width: u16,
    height: u16,
    /// The columns of its label; the whole line, if its value stands below.
    label: u16,
}

/// A place for each field in so many columns, and how many lines they take. No label is cut: where one leaves too little
/// room for values, all stand above theirs; fields stand beside each other only as far as that leaves each enough.
fn arrange(fields: &[Field], at: usize, columns: u16) -> (Vec<Spot>, u16) {
    let named = |field: &Field| width::of(field.label) as u16 + GAP;
    let longest = fields.iter().filter(|field| !field.is_switch()).map(named).max().unwrap_or(0);
    let above = longest + VALUE > columns;
    // `[✓] ` stands before the label of a switch.
    let least = |field: &Field| if field.is_switch() { named(field) - GAP + 4 } else { longest + VALUE };
    let mut spots: Vec<Spot> = Vec::with_capacity(fields.len());
    let (mut y, mut from) = (0, 0);
    while from < fields.len() {
        let group = 1 + fields[from + 1..].iter().take_while(|field| field.beside).count();
        let needs = fields[from..from + group].iter().map(least).max().unwrap_or(0) + GAP;
        // As few lines as may be, and as many in each.
        let most = ((columns + GAP) / needs).clamp(1, group as u16);
        let across = (group as u16).div_ceil((group as u16).div_ceil(most));
        let share = (columns + GAP) / across;
        for row in fields[from..from + group].chunks(usize::from(across)) {
            let heights = row.iter().enumerate().map(|(n, field)| field.height(at == from + n) + u16::from(above && !field.is_switch()));
            let height = heights.max().unwrap_or(1);
            for (n, field) in row.iter().enumerate() {
                let x = share * n as u16;
                let width = if n as u16 + 1 == across { columns.saturating_sub(x) } else { share - GAP };
                let label = if above || field.is_switch() { width } else { 0 };
                spots.push(Spot { y, x, width, height, label });
            }
            y += height;
            from += row.len();
        }
    }
    align(fields, &mut spots);
    (spots, y)
}

/// Gives the labels in one column one width.
fn align(fields: &[Field], spots: &mut [Spot]) {
    let beside: Vec<usize> = (0..spots.len()).filter(|&at| spots[at].label == 0).collect();
    for &at in &beside {
        let same = beside.iter().filter(|&&other| spots[other].x == spots[at].x);
        spots[at].label = same.map(|&other| width::of(fields[other].label) as u16 + GAP).max().unwrap_or(0);
    }
}

/// Draws it.
pub fn draw(form: &mut Form, area: Rect, frame: &mut Frame<'_>, world: &World) {
    let theme = &world.theme;
    let columns = area.width.min(WIDEST);
    let inside = columns.saturating_sub(4);
    let (spots, lines) = arrange(&form.fields, form.at, inside);
    let foot = match area.height {
        0..7 => 1,
        7..14 => 3,
        _ => 5,
    };
    let inner = if area.height < FRAMED {
        let place = middle(area, columns, area.height);
        Clear.render(place, frame.buffer_mut());
        frame.buffer_mut().set_style(place, theme.panel());
        place.inner(Margin { horizontal: 2.min(place.width / 4), vertical: 0 })
    } else {
        popup(area, columns, (lines + foot + 2).min(area.height), frame.buffer_mut(), theme, form.title)
    };
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
        let value = label(form, at, place, spot.label, frame, world);
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

/// Draws a field's label in so many columns; gives the room of its value.
fn label(form: &Form, at: usize, place: Rect, columns: u16, frame: &mut Frame<'_>, world: &World) -> Rect {
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
    frame.buffer_mut().set_stringn(place.x, place.y, field.label, usize::from(columns.min(place.width)), style);
    if columns < place.width {
        return Rect { x: place.x + columns, width: place.width - columns, ..place };
    }
    Rect { y: place.y + 1, height: place.height.saturating_sub(1), ..place }
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
    let rows = lines.min(usize::from(line.y.saturating_sub(y)));
    let pieces = text::wrap(&equal, room);
    for (row, piece) in pieces.iter().take(rows).enumerate() {
        let rest = if row + 1 == rows { pieces[row..].join(" ") } else { (*piece).to_owned() };
        buffer.set_stringn(area.x, y + row as u16, text::truncate(&rest, room), room, theme.muted());
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::widget::field::Place;

    #[test]
    fn no_label_is_cut_and_no_value_without_room_at_any_width() {
        let fields = [
            Field::line("Image", "", Place::Word),
            Field::switch("terminal", "-t", true),
            Field::switch("rm at end", "--rm", true).beside(),
            Field::switch("init", "--init", true).beside(),
            Field::line("Memory", "", Place::Option("-m")),
            Field::line("CPUs", "", Place::Option("--cpus")).beside(),
            Field::lines("Environment", "", Place::Each("-e")),
        ];
        for columns in 16..200 {
            let (spots, lines) = arrange(&fields, 0, columns);
            assert!(spots.iter().all(|spot| spot.x + spot.width <= columns && spot.y + spot.height <= lines), "{columns}: {spots:?}");
            for (field, spot) in fields.iter().zip(&spots) {
                let named = width::of(field.label) as u16;
                let is_whole = if field.is_switch() { named + 4 <= spot.width } else { named <= spot.label };
                let has_room = field.is_switch() || spot.label == spot.width || spot.label + VALUE <= spot.width;
                assert!(is_whole && has_room, "{columns}: {} at {spot:?}", field.label);
            }
        }
        let (spots, _) = arrange(&fields, 0, 76);
        assert_eq!((spots[4].y, spots[4].label, spots[6].label), (spots[5].y, 13, 13));
        assert_eq!(arrange(&fields, 0, 16).0[0], Spot { y: 0, x: 0, width: 16, height: 2, label: 16 });
    }
}
