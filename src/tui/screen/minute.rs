//! A container's last minute in its row: a bar for each five seconds of processor time, and marks of what held it back.
//!
//! A bar is full at the container's limit; without one at one processor, or at the most of this minute if that is more.

use crate::container::Container;
use crate::tui::widget::spark::spark;
use crate::tui::widget::table::Cell;
use crate::tui::world::{Figure, World};

/// The bars.
const BARS: usize = 12;
/// The seconds of one.
const SECONDS: i64 = 5;
/// The columns of the bars, a space and the marks.
pub const WIDTH: u16 = BARS as u16 + 3;
/// What the bars and marks mean, for help.
pub const SIGNS: &[(&str, &str)] = &[
    (
        "▁▄█",
        "Processor time of the last minute, five seconds a bar. A full bar is the container's limit; without one it is one \
             processor, or the most of this minute if that is more.",
    ),
    ("T  M", "It is throttled by its limit of processor time; it is short of memory."),
];
/// From this share of waiting for memory on, or this share of the limit in use, it is short of memory.
const SHORT: (f64, f64) = (0.05, 0.95);

/// The bars of a container, with `T` while it is throttled and `M` while it is short of memory.
pub fn cell(container: &Container, world: &World) -> Cell {
    let theme = &world.theme;
    let none = || Cell::number("", None, theme.muted());
    let Some(figures) = world.figures.get(&container.id).filter(|_| container.state.status.is_alive()) else { return none() };
    let Some(newest) = figures.back() else { return none() };
    let last = newest.at.div_euclid(SECONDS);
    let mut bars = [None; BARS];
    let (mut sum, mut count) = (0.0, 0);
    for figure in figures {
        // Bars stand for the same five seconds from one look to the next.
        let behind = usize::try_from(last - figure.at.div_euclid(SECONDS)).ok().filter(|behind| *behind < BARS);
        if let (Some(behind), Some(cpu)) = (behind, figure.cpu.filter(|cpu| cpu.is_finite())) {
            let bar: &mut Option<f64> = &mut bars[BARS - 1 - behind];
            *bar = Some(bar.map_or(cpu, |most| most.max(cpu)));
            (sum, count) = (sum + cpu, count + 1);
        }
    }
    let top = newest.cpu_limit.unwrap_or_else(|| bars.iter().flatten().fold(100.0, |top: f64, bar| top.max(*bar)));
    let recent = || figures.iter().rev().take_while(|figure| newest.at - figure.at < SECONDS);
    let throttled = recent().any(|figure| figure.throttled.is_some_and(|share| share > 0.0));
    let short = recent().any(is_short);
    let marks = match (throttled, short) {
        (true, true) => "TM",
        (true, false) => "T ",
        (false, true) => "M ",
        (false, false) => "  ",
    };
    let style = if throttled || short { theme.warning() } else { theme.series(0) };
    let mean = (count > 0).then(|| sum / f64::from(count));
    Cell::number(format!("{} {marks}", spark(bars.into_iter(), top, world.signs)), mean, style)
}

fn is_short(figure: &Figure) -> bool {
    let waits = figure.memory_pressure.is_some_and(|share| share >= SHORT.0);
    let full = figure.memory.zip(figure.memory_limit).is_some_and(|(memory, limit)| memory as f64 >= limit as f64 * SHORT.1);
    waits || full
}
