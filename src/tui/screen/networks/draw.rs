//! How the map of a network looks: wires in columns, the bridge as a trunk, the way of what is selected lit.

use super::map::{Entry, Map};
use super::rows::{self, Rates};
use crate::container::Endpoint;
use crate::engine::network::Berths;
use crate::text::{self, width};
use crate::tui::theme::Theme;
use crate::tui::widget::frame::scrollbar;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The columns of the wire and the rule between a port here and the bridge; where room is short, of a bare wire.
const MIDDLE: usize = 11;
const BARE: usize = 5;
/// The least room for the rule's name.
const ROOMY: usize = 50;
/// The least columns of a port here: the way out needs them.
const LEFT: usize = 15;
/// The least columns of a link's name; of what a line leads to.
const LINK: usize = 6;
const TARGET: usize = 12;
/// The columns of both rates.
const RATES: usize = 22;

/// The widths of the columns; a part of width 0 is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Columns {
    left: usize,
    middle: usize,
    link: usize,
    place: usize,
    target: usize,
    /// What carries how much stands behind all.
    rates: bool,
}

/// The words of a line.
#[derive(Clone, Debug, Default)]
struct Words {
    here: String,
    link: String,
    /// The link inside and the address there.
    place: [String; 2],
    /// What it leads to: a name, and the port there.
    target: String,
    port: String,
}

fn words(entry: &Entry) -> Words {
    let place = |place: Option<&Endpoint>, address: String| {
        let inside = place.map(|place| text::clean(&place.inside).into_owned()).unwrap_or_default();
        (place.map(|place| text::clean(&place.link).into_owned()).unwrap_or_default(), [inside, address])
    };
    match entry {
        Entry::Port(forward, endpoint) => {
            let (link, place) = place(endpoint.as_ref(), forward.target.to_string());
            let protocol = forward.port.protocol.as_str();
            let (target, port) = (text::clean(&forward.name).into_owned(), format!(" :{}", forward.port.inside));
            Words { here: format!("{}/{protocol}", rows::here(forward)), link, place, target, port }
        }
        Entry::Member(name, endpoint) => {
            let address = endpoint.addresses.first().map(|(address, _)| address.to_string()).unwrap_or_default();
            let (link, place) = place(Some(endpoint), address);
            Words { here: String::new(), link, place, target: text::clean(name).into_owned(), port: String::new() }
        }
        Entry::Out => Words::default(),
    }
}

/// Shares `room` columns: first names of links give, then those inside, then all that is not what a line leads to.
fn columns(lines: &[Words], room: usize) -> Columns {
    let widest = |of: fn(&Words) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let left = widest(|words| width::of(&words.here)).clamp(LEFT, (room / 3).max(LEFT));
    let address = widest(|words| width::of(&words.place[1]));
    let inside = widest(|words| width::of(&words.place[0]));
    let full = widest(|words| width::of(&words.target) + words.port.len());
    let middle = if room < ROOMY { BARE } else { MIDDLE };
    let right = room.saturating_sub(left + middle + 1);
    let part = |columns: usize, more: usize| if columns > 0 { columns + more } else { 0 };
    let used = |all: &Columns| part(all.link, 3) + 3 + part(all.place, 2) + all.target;
    let mut all = Columns { left, middle, link: widest(|words| width::of(&words.link)), place: inside + 1 + address, target: full, rates: false };
    let over = |all: &Columns| used(all).saturating_sub(right);
    all.link = all.link.saturating_sub(over(&all)).max(LINK.min(all.link));
    if over(&all) > 0 {
        all.place = address;
    }
    all.target = all.target.saturating_sub(over(&all)).max(TARGET.min(full));
    for part in 0..2 {
        if over(&all) > 0 {
            *(if part == 0 { &mut all.link } else { &mut all.place }) = 0;
            all.target = full;
            all.target = full.saturating_sub(over(&all)).max(TARGET.min(full));
        }
    }
    all.target = all.target.min(right.saturating_sub(3));
    all.rates = used(&all) + RATES < right;
    all
}

/// What the trunk is at a line: it comes from above, goes on below, has a wire at its left and at its right.
fn trunk(below: bool, left: bool, right: bool) -> &'static str {
    match (below, left, right) {
        (true, true, true) => "┼",
        (true, false, true) => "├",
        (true, true, false) => "┤",
        (true, false, false) => "│",
        (false, true, true) => "┴",
        (false, false, true) => "└",
        (false, true, false) => "┘",
        (false, false, false) => "╵",
    }
}

/// Where one writes on a line; what does not fit is cut.
struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    x: u16,
    y: u16,
    /// In place of all styles: a selected line is of one look where there are few colours, too.
    over: Option<Style>,
}

impl Pen<'_> {
    /// Writes at most `room` columns and goes on behind them.
    fn field(&mut self, words: &str, room: usize, style: Style) {
        let left = usize::from(self.area.right().saturating_sub(self.x)).min(room);
        if left > 0 {
            self.buffer.set_stringn(self.x, self.y, &*text::truncate(words, left), left, self.over.unwrap_or(style));
        }
        self.x = self.x.saturating_add(u16::try_from(room).unwrap_or(u16::MAX));
    }

    fn write(&mut self, words: &str, style: Style) {
        self.field(words, width::of(words), style);
    }
}

/// Draws the lines, and above them the bridge.
pub fn map(map: &mut Map, area: Rect, buffer: &mut Buffer, berths: &Berths, carried: &Rates, theme: &Theme, focused: bool) {
    let inner = Rect { width: area.width.saturating_sub(1), ..area };
    map.place.show(Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }, map.entries.len());
    if map.entries.is_empty() || area.height == 0 {
        return;
    }
    let all: Vec<Words> = map.entries.iter().map(words).collect();
    let columns = columns(&all, usize::from(inner.width));
    head(inner, buffer, &columns, berths, theme);
    let (body, top) = (map.place.body, map.place.top);
    let shown = map.entries.iter().zip(&all).enumerate().skip(top).take(usize::from(body.height));
    for (at, (entry, words)) in shown {
        let y = body.y + (at - top) as u16;
        let is_again = at > 0 && entry.place().is_some() && map.entries[at - 1].place() == entry.place();
        let look = Look { lit: at == map.place.at, trunk_lit: at <= map.place.at, last: at + 1 == map.entries.len(), again: is_again };
        if look.lit {
            buffer.set_style(Rect { y, height: 1, ..inner }, theme.selection(focused));
        }
        let mut pen = Pen { buffer, area: inner, x: inner.x, y, over: (look.lit && focused).then(|| theme.selection(true)) };
        line(&mut pen, entry, words, &columns, &look, berths, theme);
        if columns.rates && !is_again {
            rates(&mut pen, entry, carried, theme);
        }
    }
    scrollbar(body, buffer, theme, map.entries.len(), top, usize::from(body.height));
}

/// What stands above the columns, and the bridge above its trunk.
fn head(area: Rect, buffer: &mut Buffer, columns: &Columns, berths: &Berths, theme: &Theme) {
    let gateways = berths.network.subnets.iter().map(|subnet| subnet.gateway.to_string()).collect::<Vec<_>>().join(", ");
    let bridge = format!("{} {gateways}", text::clean(&berths.network.link));
    let mut pen = Pen { buffer, area, x: area.x, y: area.y, over: None };
    pen.field("HOST PORT", columns.left + 4, theme.header());
    pen.field(if columns.middle == MIDDLE { "RULE" } else { "" }, columns.middle - 4, theme.header());
    pen.field(&bridge, width::of(&bridge), theme.title());
    let rates = area.x.saturating_add(behind(columns) as u16);
    if columns.rates && pen.x + 1 < rates {
        pen.x = rates;
        pen.field("     RX/s       TX/s", RATES, theme.header());
    }
}

/// Where the rates begin.
fn behind(columns: &Columns) -> usize {
    let part = |columns: usize, more: usize| if columns > 0 { columns + more } else { 0 };
    columns.left + columns.middle + 1 + part(columns.link, 3) + 3 + part(columns.place, 2) + columns.target
}

/// What is special about a line.
struct Look {
    lit: bool,
    trunk_lit: bool,
    last: bool,
    /// Its container stands on the line before it, too.
    again: bool,
}

fn line(pen: &mut Pen<'_>, entry: &Entry, words: &Words, columns: &Columns, look: &Look, berths: &Berths, theme: &Theme) {
    let wire = if look.lit { theme.accent() } else { theme.faint() };
    let rule = if look.lit { theme.accent() } else { theme.muted() };
    let middle = columns.left + columns.middle;
    match entry {
        Entry::Port(..) => {
            let here = text::truncate_start(&words.here, columns.left).into_owned();
            let used = width::of(&here);
            pen.write(&here, theme.text());
            let word = if columns.middle == MIDDLE { " dnat " } else { "" };
            pen.write(&format!(" {}", "─".repeat((middle - used).saturating_sub(3 + word.len()))), wire);
            pen.write(word, rule);
            pen.write("─▶", wire);
        }
        Entry::Member(..) => pen.field("", middle, wire),
        Entry::Out => {
            let word = match (berths.network.internal, berths.network.masquerade) {
                (true, _) => "closed",
                (false, true) => "masquerade",
                (false, false) => "route",
            };
            pen.write("everywhere ", theme.text());
            pen.write(if berths.network.internal { "╳─" } else { "◀─" }, wire);
            if middle > 15 + word.len() {
                pen.write(&format!(" {word} "), rule);
            }
            let drawn = if middle > 15 + word.len() { 15 + word.len() } else { 13 };
            pen.write(&"─".repeat(middle.saturating_sub(drawn)), wire);
        }
    }
    let is_port = !matches!(entry, Entry::Member(..));
    pen.write(trunk(!look.last, is_port, *entry != Entry::Out), if look.trunk_lit { theme.accent() } else { theme.faint() });
    if *entry == Entry::Out {
        return;
    }
    let beside = if look.again && !look.lit { theme.faint() } else { theme.muted() };
    if columns.link > 0 {
        let link = text::truncate(&words.link, columns.link).into_owned();
        pen.write("─ ", wire);
        pen.write(&link, beside);
        pen.write(&format!(" {}", "─".repeat(columns.link - width::of(&link))), wire);
    }
    pen.write("─▶ ", wire);
    if columns.place > 0 {
        let [inside, address] = &words.place;
        let place = if columns.place > width::of(address) && !inside.is_empty() { format!("{inside} {address}") } else { address.clone() };
        pen.field(&place, columns.place, if look.again && !look.lit { theme.faint() } else { theme.text() });
        pen.field("", 2, wire);
    }
    let target = text::truncate(&words.target, columns.target.saturating_sub(words.port.len())).into_owned();
    pen.write(&target, theme.title());
    pen.field(&words.port, columns.target.saturating_sub(width::of(&target)), theme.text());
}

fn rates(pen: &mut Pen<'_>, entry: &Entry, carried: &Rates, theme: &Theme) {
    let Some(rate) = entry.place().and_then(|place| carried.get(&place.link)) else { return };
    let shown = format!("{:>9}  {:>9}", rows::rate(rate.received), rows::rate(rate.sent));
    pen.field(&shown, RATES, theme.muted());
}

/// The line between the map and what is told.
pub fn divider(area: Rect, buffer: &mut Buffer, theme: &Theme, title: &str, note: &str) {
    let room = usize::from(area.width);
    buffer.set_stringn(area.x, area.y, "─".repeat(room), room, theme.border(false));
    let title = text::truncate(title, room.saturating_sub(6));
    if !title.is_empty() && room > 6 {
        buffer.set_string(area.x + 2, area.y, format!(" {title} "), theme.title());
    }
    let used = width::of(&title) + 5;
    let note = text::truncate(note, room.saturating_sub(used + 4));
    let wide = width::of(&note);
    if wide > 1 {
        buffer.set_string(area.right() - wide as u16 - 3, area.y, format!(" {note} "), theme.muted());
    }
}

#[cfg(test)]
mod tests {
    use super::super::map::{entries, tests::berths};
    use super::*;

    fn drawn(width: u16, berths: &Berths) -> Vec<String> {
        let mut shown = Map::default();
        shown.set(entries(berths));
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 5));
        map(&mut shown, buffer.area, &mut buffer, berths, &Rates::new(), &Theme::default(), true);
        (0..5).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned()).collect()
    }

    #[test]
    fn wires_meet_in_the_trunk() {
        assert_eq!(
            drawn(90, &berths()),
            [
                "HOST PORT             RULE   kapal0 172.17.0.1",
                "                             ├─ kv000000000300 ─▶ eth0 172.17.0.3  db",
                "0.0.0.0:8080/tcp ──── dnat ─▶┼─ kv000000000200 ─▶ eth0 172.17.0.2  web :80",
                "127.0.0.1:8443/tcp ── dnat ─▶┼─ kv000000000200 ─▶ eth0 172.17.0.2  web :443",
                "everywhere ◀─ masquerade ────┘",
            ]
        );
    }

    #[test]
    fn nothing_overlaps_at_any_width() {
        let mut berths = berths();
        berths.forwards[0].name = "a-name-of-some-length-that-must-be-cut-somewhere".to_owned();
        for width in 1..220 {
            let lines = drawn(width, &berths);
            assert!(lines.iter().all(|line| width::of(line) <= usize::from(width)), "{width}: {lines:?}");
        }
    }
}
