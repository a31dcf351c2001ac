//! How the graph of layers looks.

use super::Graph;
use super::rows::{self, Line, Row};
use crate::engine::graph::{ImageGraph, ImageNode};
use crate::text::{self, size, when, width};
use crate::tui::screen::details::aligned;
use crate::tui::screen::lineage::command;
use crate::tui::screen::{excerpt, listed};
use crate::tui::theme::Theme;
use crate::tui::widget::frame::{frame, scrollbar};
use crate::tui::world::World;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

/// Lines of what is told of the selected one, with their frame.
const ABOUT: u16 = 7;
/// Below so many columns one of them takes two.
const WIDE: u16 = 110;
/// From so many lines on there is room for it.
const ROOMY: u16 = 16;
/// The columns of a size, and the gap before it.
const SIZE: u16 = 10;
/// The columns that tell how many images share a layer.
const SHARE: u16 = 6;

impl Graph {
    /// Draws it.
    pub(super) fn paint(&mut self, area: Rect, buffer: &mut Buffer, world: &World) {
        let theme = &world.theme;
        let about = if area.height >= ROOMY { ABOUT + u16::from(area.width < WIDE) } else { 0 };
        let [list, about] = Layout::vertical([Constraint::Min(0), Constraint::Length(about)]).areas(area);
        let graph = std::sync::Arc::clone(&self.lineage.graph);
        let note = format!("{} layers  {} images", graph.layers.len(), graph.images.len());
        let inner = frame(list, buffer, theme, "Layers", if self.lineage.known { &note } else { "" }, true);
        let inside = if inner == list { inner } else { Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner } };
        let room = usize::from(inside.width);
        self.place.show(Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside }, self.lines.len());
        if self.lines.is_empty() {
            let (words, style) = match (&self.lineage.failed, self.lineage.known) {
                (Some(sentence), _) => (text::clean(sentence).into_owned(), theme.failed()),
                (None, true) => ("No images, so that there are no layers.".to_owned(), theme.muted()),
                (None, false) => ("Looking …".to_owned(), theme.muted()),
            };
            buffer.set_stringn(inside.x, inside.y, &*text::truncate(&words, room), room, style);
            return;
        }
        self.list(inside, &graph, buffer, theme);
        if about.height > 0 {
            let inner = frame(about, buffer, theme, "", "", false);
            let inside = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
            let told = self.lines.get(self.place.at).map(|line| told(&graph, &line.row, world)).unwrap_or_default();
            let room = usize::from(inside.width.saturating_sub(1));
            let lines = told.iter().flat_map(|(words, style)| text::wrap(words, room).into_iter().map(move |line| (line, *style)));
            for (row, (words, style)) in inside.rows().zip(lines) {
                buffer.set_stringn(row.x, row.y, words, room, style);
            }
        }
    }

    fn list(&mut self, inside: Rect, graph: &ImageGraph, buffer: &mut Buffer, theme: &Theme) {
        let wide = usize::from(inside.width);
        let label = self.lines.iter().map(|line| width::of(&line.branch) + 2 + width::of(&name(graph, &line.row))).max().unwrap_or(0);
        // What is said of each needs room, too.
        let label = label.clamp(16, (wide / 2).max(16)) as u16;
        let heads = [(0, "LAYER"), (label + SIZE - 4, "SIZE"), (label + SIZE + 2, "IN"), (label + SIZE + SHARE, "MADE BY")];
        for (x, head) in heads.into_iter().filter(|(x, head)| x + head.len() as u16 <= inside.width) {
            buffer.set_string(inside.x + x, inside.y, head, theme.header());
        }
        let (body, top) = (self.place.body, self.place.top);
        let height = usize::from(body.height);
        if height == 0 {
            return;
        }
        let row = &self.lines[self.place.at].row;
        let rails = rows::rails(&self.lines, &rows::path(graph, row), self.place.at);
        let shown = self.lines.iter().zip(&rails).enumerate().skip(top).take(height);
        for (at, (line, rails)) in shown {
            let place = Rect { y: body.y + (at - top) as u16, height: 1, ..body };
            draw(line, rails, label, graph, place, buffer, theme);
            if at == self.place.at {
                buffer.set_style(place, theme.selection(true));
            }
        }
        scrollbar(body, buffer, theme, self.lines.len(), top, height);
    }
}

/// The graph as it is unfolded, as lines of text.
pub(super) fn text(lines: &[Line], graph: &ImageGraph, theme: &Theme) -> String {
    let row = |line: &Line| {
        let (bytes, share, said, _) = columns_of(graph, &line.row, theme);
        let (sign, _) = sign(graph, &line.row, theme);
        vec![format!("{}{sign} {}", line.branch, name(graph, &line.row)), bytes.map(size::decimal).unwrap_or_default(), share, said]
    };
    excerpt::text(&aligned(&["LAYER", "SIZE", "IN", "MADE BY"].map(str::to_owned), &lines.iter().map(row).collect::<Vec<_>>()))
}

/// The sign of a line.
fn sign(graph: &ImageGraph, row: &Row, theme: &Theme) -> (&'static str, Style) {
    match row {
        Row::Layer(layer) if graph.layers[*layer].images.len() > 1 => ("●", theme.text()),
        Row::Layer(_) => ("○", theme.muted()),
        Row::Image(_) => ("◆", theme.title()),
        Row::Container(_) => ("◇", theme.text()),
        Row::Fold(_) => ("⋮", theme.faint()),
    }
}

/// What stands behind the sign.
fn name(graph: &ImageGraph, row: &Row) -> String {
    match row {
        Row::Layer(layer) => graph.layers[*layer].id.short().to_owned(),
        Row::Image(image) => text::clean(&names(&graph.images[*image])).into_owned(),
        Row::Container(container) => text::clean(&graph.containers[*container].name).into_owned(),
        Row::Fold(layers) => format!("{} more", layers.len()),
    }
}

fn names(image: &ImageNode) -> String {
    if image.names.is_empty() { image.name().to_owned() } else { image.names.join(", ") }
}

fn draw(line: &Line, rails: &[bool], label: u16, graph: &ImageGraph, area: Rect, buffer: &mut Buffer, theme: &Theme) {
    let is_lit = rails.last().copied().unwrap_or(false);
    // Deep branches are pushed out at the left, so that names stay in sight.
    let columns = line.branch.chars().count() / 2;
    let skipped = columns.saturating_sub(usize::from(label / 2 / 2));
    let mut x = area.x;
    for (at, sign) in line.branch.chars().enumerate().skip(skipped * 2) {
        let column = at / 2;
        // The bar to the right belongs to this line, what goes down to whoever is below.
        let lit = if at % 2 == 1 { is_lit } else { rails.get(column).copied().unwrap_or(false) };
        if x < area.right() {
            buffer.set_stringn(x, area.y, sign.to_string(), 1, if lit { theme.accent() } else { theme.faint() });
        }
        x += 1;
    }
    let (sign, plain) = sign(graph, &line.row, theme);
    let mut write = |x: u16, words: &str, room: u16, style: Style| {
        let room = usize::from(room.min(area.right().saturating_sub(x)));
        if room > 0 {
            buffer.set_stringn(x, area.y, &*text::truncate(words, room), room, style);
        }
    };
    write(x, sign, 1, if is_lit { theme.accent() } else { plain });
    let style = match &line.row {
        Row::Layer(_) | Row::Fold(_) if is_lit => theme.accent(),
        Row::Fold(_) => theme.faint(),
        _ => plain,
    };
    write(x + 2, &name(graph, &line.row), (area.x + label).saturating_sub(x + 2), style);
    let (bytes, share, said, style) = columns_of(graph, &line.row, theme);
    let words = bytes.map(size::decimal).unwrap_or_default();
    write((area.x + label + SIZE).saturating_sub(width::of(&words) as u16), &words, SIZE, theme.text());
    write(area.x + label + SIZE + 2, &share, SHARE - 2, theme.muted());
    write(area.x + label + SIZE + SHARE, &said, area.width, style);
}

/// Size, by how many images it is shared, and what is said of it.
fn columns_of(graph: &ImageGraph, row: &Row, theme: &Theme) -> (Option<u64>, String, String, Style) {
    match row {
        Row::Layer(layer) => {
            let layer = &graph.layers[*layer];
            if layer.images.is_empty() && layer.containers.is_empty() {
                return (Some(layer.size), String::new(), "unused: left by a pull that was cut short".to_owned(), theme.warning());
            }
            let share = if layer.images.len() > 1 { format!("×{}", layer.images.len()) } else { String::new() };
            (Some(layer.size), share, command(&layer.created_by, &layer.comment), theme.muted())
        }
        Row::Fold(layers) => {
            let size = layers.iter().map(|&layer| graph.layers[layer].size).sum();
            (Some(size), String::new(), "enter shows them".to_owned(), theme.faint())
        }
        Row::Image(image) => {
            let image = &graph.images[*image];
            let users = image.containers.iter().map(|&container| graph.containers[container].name.clone()).collect::<Vec<_>>();
            let users = if users.is_empty() { String::new() } else { text::clean(&format!(", used by {}", listed(&users))).into_owned() };
            (Some(image.size), String::new(), format!("{} its own{users}", size::decimal(image.unique)), theme.muted())
        }
        Row::Container(container) => {
            let status = text::clean(&graph.containers[*container].status).into_owned();
            (None, String::new(), format!("container ({status}) of a removed image"), theme.muted())
        }
    }
}

/// What is told of the selected one below the graph.
fn told(graph: &ImageGraph, row: &Row, world: &World) -> Vec<(String, Style)> {
    let theme = &world.theme;
    match row {
        Row::Image(image) => {
            let image = &graph.images[*image];
            let users: Vec<String> = image.containers.iter().map(|&at| graph.containers[at].name.clone()).collect();
            let used = if users.is_empty() { "No container uses it.".to_owned() } else { text::clean(&format!("Used by {}.", listed(&users))).into_owned() };
            let (freed, blobs) = (size::decimal(image.freed), size::decimal(image.blobs));
            let given = if users.is_empty() {
                format!("Removing it gives back {freed}, and {blobs} of what was downloaded for it.")
            } else {
                format!("Removing it gives back {freed} as long as containers stand on its layers, and {blobs} of what was downloaded for it.")
            };
            vec![
                (text::clean(&names(image)).into_owned(), theme.title()),
                (image.id.to_string(), theme.muted()),
                (
                    format!(
                        "{} layers, {} = {} shared with other images + {} its own",
                        image.layers.len(),
                        size::decimal(image.size),
                        size::decimal(image.shared),
                        size::decimal(image.unique)
                    ),
                    theme.text(),
                ),
                (given, theme.text()),
                (used, theme.muted()),
            ]
        }
        Row::Layer(layer) => {
            let layer = &graph.layers[*layer];
            let sharing: Vec<String> = layer.images.iter().map(|&image| graph.images[image].name().to_owned()).collect();
            let made = layer.created.map_or_else(String::new, |created| format!("  made {}", when::short_ago(created, world.now)));
            let others = match sharing.len() {
                0 => "No image has it.".to_owned(),
                1 => text::clean(&format!("Only {} has it: it goes with that image.", sharing[0])).into_owned(),
                _ => text::clean(&format!("Shared by {}: it goes with the last of them.", sharing.join(", "))).into_owned(),
            };
            vec![
                (layer.id.to_string(), theme.title()),
                (format!("{}, with all below it {}{made}", size::decimal(layer.size), size::decimal(layer.total)), theme.text()),
                (command(&layer.created_by, &layer.comment), theme.muted()),
                (others, theme.text()),
            ]
        }
        Row::Fold(layers) => {
            let size = layers.iter().map(|&layer| graph.layers[layer].size).sum();
            vec![(format!("{} layers that lie straight upon each other, {}", layers.len(), size::decimal(size)), theme.text())]
        }
        Row::Container(container) => {
            let container = &graph.containers[*container];
            let words = format!("{} stands on these layers; its image was removed. They go with it.", container.name);
            vec![(text::clean(&words).into_owned(), theme.text())]
        }
    }
}
