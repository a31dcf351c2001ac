//! Limits edited at the row: which one, its value, and the command that it becomes.

use crate::container::{Container, Resources};
use crate::job::values;
use crate::text::{self, size};
use crate::tui::keymap::{Action, Context};
use crate::tui::screen::{Reaction, Screen, listed};
use crate::tui::widget::frame::frame;
use crate::tui::widget::input::Input;
use crate::tui::world::World;
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::widgets::{Clear, Widget};

/// The columns that it takes, where there is room.
const WIDTH: u16 = 64;
/// The lines that it takes without what is said below the value.
const HEIGHT: u16 = 4;
/// The most lines of what is said.
const SAID: usize = 4;

/// What can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Memory,
    Cpus,
    Processes,
    Swap,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Memory, Self::Cpus, Self::Processes, Self::Swap];

    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpus => "cpus",
            Self::Processes => "processes",
            Self::Swap => "memory and swap",
        }
    }

    /// What can be written, and what it is if nothing is.
    fn hint(self) -> &'static str {
        match self {
            Self::Memory => "64m, 1.5g; empty: no limit",
            Self::Cpus => "0.5, 2; empty: no limit",
            Self::Processes => "100; empty: no limit",
            Self::Swap => "2g, -1: no limit; empty: twice the memory",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Memory => "--memory",
            Self::Cpus => "--cpus",
            Self::Processes => "--pids-limit",
            Self::Swap => "--memory-swap",
        }
    }

    /// The present limit as it would be typed; empty without one.
    fn present(self, resources: &Resources) -> String {
        match self {
            Self::Memory => resources.memory.map(bytes),
            Self::Cpus => cpus(resources),
            Self::Processes => resources.pids_limit.map(|limit| limit.to_string()),
            Self::Swap => resources.memory_swap.map(|limit| if limit == u64::MAX { "-1".to_owned() } else { bytes(limit) }),
        }
        .unwrap_or_default()
    }

    /// The word for the command.
    fn word(self, typed: &str) -> Result<String, String> {
        let checked = match self {
            _ if typed.is_empty() => return Ok(if self == Self::Processes { "-1" } else { "0" }.to_owned()),
            Self::Memory | Self::Swap if matches!(typed, "-1" | "0") => Ok(()),
            Self::Memory | Self::Swap => values::bytes(self.option(), typed).map(|_| ()).map_err(|error| error.message),
            Self::Cpus if typed == "0" => Ok(()),
            Self::Cpus => values::nano_cpus(typed).map(|_| ()).map_err(|error| error.message),
            Self::Processes if typed.parse::<i64>().is_ok_and(|limit| limit >= -1) => Ok(()),
            Self::Processes => Err(format!("invalid value {typed:?} for --pids-limit: expected a whole number, such as 100")),
        };
        checked.map(|()| typed.to_owned())
    }
}

/// `64m`: as it is typed, and exactly.
fn bytes(bytes: u64) -> String {
    let units = [(30, "g"), (20, "m"), (10, "k")];
    let unit = units.into_iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    unit.map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

/// Processors, however they were asked for.
fn cpus(resources: &Resources) -> Option<String> {
    let period = resources.cpu_period.unwrap_or(100_000).max(1);
    let quota = || resources.cpu_quota.and_then(|quota| u64::try_from(quota).ok()).filter(|quota| *quota > 0);
    let nano = resources.nano_cpus.or_else(|| quota().map(|quota| (u128::from(quota) * 1_000_000_000 / u128::from(period)) as u64))?;
    let words = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    Some(words.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// A container's limits in a few words, for its row.
pub fn told(container: &Container) -> String {
    let resources = &container.host_config.resources;
    let memory = resources.memory.map(size::binary);
    let cpus = cpus(resources).map(|cpus| format!("{cpus} cpus"));
    let processes = resources.pids_limit.map(|limit| format!("{limit} pids"));
    [memory, cpus, processes].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The line.
#[derive(Debug)]
pub struct Limits {
    names: Vec<String>,
    /// What each was, and what is typed for it.
    values: Vec<(String, Input)>,
    at: usize,
    /// What is wrong with what was typed.
    fault: Option<String>,
    /// The row that it is about.
    place: Rect,
}

impl Limits {
    /// The limits of these containers, at the row `place`; those of the first one are shown. `None` without any.
    pub fn of(names: Vec<String>, place: Rect, world: &World) -> Option<Self> {
        let container = world.snapshot.containers.iter().find(|container| names.first() == Some(&container.name))?;
        let values = Kind::ALL.iter().map(|kind| kind.present(&container.host_config.resources)).map(|value| (value.clone(), Input::marked(value))).collect();
        Some(Self { names, values, at: 0, fault: None, place })
    }

    /// The command of what was changed; without a change it has no option.
    fn words(&self) -> Result<Vec<String>, String> {
        let mut words = vec!["update".to_owned()];
        for (kind, (before, input)) in Kind::ALL.into_iter().zip(&self.values) {
            let typed = input.text().trim();
            if typed != before {
                words.extend([kind.option().to_owned(), kind.word(typed)?]);
            }
        }
        words.extend(self.names.iter().cloned());
        Ok(words)
    }

    fn is_changed(&self) -> bool {
        self.values.iter().any(|(before, input)| input.text().trim() != before)
    }

    fn accept(&mut self, world: &World) -> Reaction {
        if !self.is_changed() {
            return Reaction::close();
        }
        match self.words().and_then(|words| world.line.check(&words).map(|()| words)) {
            Ok(words) => Reaction::close().and(Reaction::perform(words)),
            Err(sentence) => {
                self.fault = Some(text::clean(&sentence).into_owned());
                Reaction::none()
            }
        }
    }

    /// Where it stands with so many lines that are said: below its row, or above it where there is no room below.
    fn area(&self, area: Rect, said: usize) -> Rect {
        let (width, height) = (WIDTH.min(area.width), (HEIGHT + said.clamp(1, SAID) as u16).min(area.height));
        let x = (self.place.x + 2).min(area.right() - width).max(area.x);
        let below = self.place.bottom();
        let y = if below + height <= area.bottom() { below } else { self.place.y.saturating_sub(height) };
        Rect { x, y: y.clamp(area.y, area.bottom() - height), width, height }
    }

    /// What is said below the value: what is wrong, or the command.
    fn said(&self, world: &World) -> (String, bool) {
        if let Some(fault) = &self.fault {
            return (fault.clone(), true);
        }
        match self.words() {
            Ok(words) if self.is_changed() => (format!("kapal {}", text::clean(&world.line.quote(&words))), false),
            Ok(_) => ("tab: the next one".to_owned(), false),
            Err(sentence) => (text::clean(&sentence).into_owned(), true),
        }
    }
}

impl Screen for Limits {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Dialog]
    }

    fn takes(&self, action: Action) -> bool {
        matches!(action, Action::Accept | Action::Open | Action::Back | Action::NextField | Action::PreviousField)
    }

    fn typed(&mut self, key: KeyEvent, _world: &World) -> Option<Reaction> {
        self.values[self.at].1.typed(key).then(|| {
            self.fault = None;
            Reaction::none()
        })
    }

    fn pasted(&mut self, words: &str, _world: &World) -> Option<Reaction> {
        self.values[self.at].1.insert(words);
        self.fault = None;
        Some(Reaction::none())
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let count = Kind::ALL.len();
        match action {
            Action::NextField => self.at = (self.at + 1) % count,
            Action::PreviousField => self.at = (self.at + count - 1) % count,
            Action::Accept | Action::Open => return Some(self.accept(world)),
            Action::Back => return Some(Reaction::close()),
            _ => return None,
        }
        self.fault = None;
        Some(Reaction::none())
    }

    fn equal(&self, world: &World) -> Option<String> {
        let words: Vec<String> = ["update", Kind::Memory.option(), "…"].map(str::to_owned).into_iter().chain(self.names.iter().cloned()).collect();
        Some(text::clean(&world.line.quote(&words)).into_owned())
    }

    fn draw(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let theme = &world.theme;
        let (said, is_wrong) = self.said(world);
        // Within the frame and a column of air on each side.
        let said = text::wrap(&said, usize::from(WIDTH.min(area.width).saturating_sub(4)));
        let outer = self.area(area, said.len());
        let buffer = frame_.buffer_mut();
        Clear.render(outer, buffer);
        buffer.set_style(outer, theme.panel());
        let names: Vec<String> = self.names.iter().map(|name| text::clean(name).into_owned()).collect();
        let inner = frame(outer, buffer, theme, &format!("Limits of {}", listed(&names)), "", true);
        let inner = if inner == outer { inner } else { inner.inner(Margin { horizontal: 1, vertical: 0 }) };
        let kind = Kind::ALL[self.at];
        // Where there is one line it is for the value.
        let rows: Vec<Rect> = inner.rows().collect();
        let (tabs, value, below) = match rows.as_slice() {
            [] => return,
            [value] => (None, *value, &[][..]),
            [value, below] => (None, *value, std::slice::from_ref(below)),
            [tabs, value, below @ ..] => (Some(*tabs), *value, below),
        };
        if let Some(row) = tabs {
            let mut x = row.x;
            for (number, (kind, (before, input))) in Kind::ALL.into_iter().zip(&self.values).enumerate() {
                let label = format!(" {}{} ", kind.name(), if input.text().trim() == before { "" } else { "*" });
                let style = if number == self.at { theme.selection(true) } else { theme.muted() };
                buffer.set_stringn(x, row.y, &label, usize::from(row.right().saturating_sub(x)), style);
                x = (x + text::width::of(&label) as u16 + 1).min(row.right());
            }
        }
        let label = if tabs.is_some() { String::new() } else { format!("{} ", kind.name()) };
        buffer.set_stringn(value.x, value.y, &label, usize::from(value.width), theme.muted());
        let from = value.x + (label.len() as u16).min(value.width);
        let width = (value.right() - from).min(18);
        buffer.set_style(Rect { x: from, width, ..value }, theme.input());
        let cursor = self.values[self.at].1.draw(Rect { x: from, width, ..value }, buffer, theme.input());
        let hint = from + width + 2;
        if hint < value.right() {
            let room = usize::from(value.right() - hint);
            buffer.set_stringn(hint, value.y, text::truncate(kind.hint(), room), room, theme.muted());
        }
        let style = if is_wrong { theme.error() } else { theme.muted() };
        for (at, (row, line)) in below.iter().zip(&said).enumerate() {
            let is_cut = at + 1 == below.len() && at + 1 < said.len();
            let line = if is_cut { format!("{line} …") } else { (*line).to_owned() };
            buffer.set_stringn(row.x, row.y, text::truncate(&line, usize::from(row.width)), usize::from(row.width), style);
        }
        frame_.set_cursor_position(cursor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_they_are_typed() {
        assert_eq!([64 << 20, 3 << 29, 1 << 30, 1000, 0].map(bytes), ["64m", "1536m", "1g", "1000", "0"]);
        let of = |nano_cpus, cpu_quota, cpu_period| cpus(&Resources { nano_cpus, cpu_quota, cpu_period, ..Resources::default() });
        assert_eq!(of(Some(1_500_000_000), None, None).as_deref(), Some("1.5"));
        assert_eq!(of(Some(2_000_000_000), None, None).as_deref(), Some("2"));
        assert_eq!(of(None, Some(25_000), Some(50_000)).as_deref(), Some("0.5"));
        assert_eq!([of(None, None, None), of(None, Some(-1), None)], [None, None]);
        let resources = Resources { memory: Some(64 << 20), memory_swap: Some(u64::MAX), pids_limit: Some(7), ..Resources::default() };
        assert_eq!(Kind::ALL.map(|kind| kind.present(&resources)), ["64m", "", "7", "-1"]);
    }

    #[test]
    fn what_is_no_limit_is_refused_with_what_was_expected() {
        assert_eq!(Kind::Memory.word("128m"), Ok("128m".to_owned()));
        assert_eq!([Kind::Memory.word(""), Kind::Processes.word("")], [Ok("0".to_owned()), Ok("-1".to_owned())]);
        for (kind, typed) in [(Kind::Memory, "lots"), (Kind::Cpus, "-1"), (Kind::Processes, "-2"), (Kind::Processes, "1.5"), (Kind::Swap, "1x")] {
            let sentence = kind.word(typed).unwrap_err();
            assert!(sentence.contains(typed) && sentence.contains("expected") && sentence.contains(kind.option()), "{sentence}");
        }
    }
}
