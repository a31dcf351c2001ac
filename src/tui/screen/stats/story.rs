//! What happened to a container, the newest first: beside its charts, and as marks upon their times.

use crate::container::past::{Happening, Occurrence};
use crate::text;
use crate::tui::keymap::Action;
use crate::tui::theme::{Signs, Theme};
use crate::tui::widget::chart::Mark;
use crate::tui::world::World;
use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// From this width on it stands beside the charts.
const BESIDE: u16 = 104;
/// From this height on it stands below them otherwise.
const BELOW: u16 = 14;
/// The columns of a time and a sign.
const HEAD: u16 = 11;
/// How many lines the wheel moves.
const WHEEL: usize = 3;

/// Shares a room among charts and this; no room is left for it where charts need all.
pub fn share(area: Rect) -> (Rect, Option<Rect>) {
    if area.width >= BESIDE && area.height >= 3 {
        let width = (area.width / 4).clamp(32, 64);
        let rest = Rect { width: area.width - width - 2, ..area };
        return (rest, Some(Rect { x: rest.right() + 2, width, ..area }));
    }
    if area.height >= BELOW && area.width >= 24 {
        let height = (area.height / 5).clamp(2, 8);
        let rest = Rect { height: area.height - height - 1, ..area };
        return (rest, Some(Rect { y: rest.bottom(), height: height + 1, ..area }));
    }
    (area, None)
}

/// The list, as far as it was scrolled.
#[derive(Debug, Default)]
pub struct Story {
    top: usize,
    /// How many lines there are, and where they were drawn.
    lines: usize,
    body: Rect,
}

impl Story {
    /// Whether an action scrolls.
    pub fn takes(action: Action) -> bool {
        use Action as A;
        matches!(action, A::Up | A::Down | A::PageUp | A::PageDown | A::HalfPageUp | A::HalfPageDown)
    }

    /// Scrolls; false for an action that does not.
    pub fn act(&mut self, action: Action) -> bool {
        let page = usize::from(self.body.height).max(1);
        match action {
            Action::Up => self.top = self.top.saturating_sub(1),
            Action::Down => self.top += 1,
            Action::PageUp | Action::HalfPageUp => self.top = self.top.saturating_sub(page),
            Action::PageDown | Action::HalfPageDown => self.top += page,
            _ => return false,
        }
        self.top = self.top.min(self.lines.saturating_sub(page));
        true
    }

    /// Scrolls by the wheel; false for what is not over it.
    pub fn mouse(&mut self, event: MouseEvent) -> bool {
        let (up, down) = (event.kind == MouseEventKind::ScrollUp, event.kind == MouseEventKind::ScrollDown);
        if !(up || down) || !self.body.contains(Position::new(event.column, event.row)) {
            return false;
        }
        (0..WHEEL).for_each(|_| {
            self.act(if up { Action::Up } else { Action::Down });
        });
        true
    }

    /// There is no room for it.
    pub fn hide(&mut self) {
        (self.body, self.lines, self.top) = (Rect::default(), 0, 0);
    }

    /// Draws what happened to the container of this identity.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, world: &World, occurrences: &[Occurrence], id: &str) {
        let theme = &world.theme;
        let put = |buffer: &mut Buffer, x: u16, y: u16, words: &str, style: Style| {
            buffer.set_stringn(x, y, words, usize::from(area.right().saturating_sub(x)), style);
        };
        put(buffer, area.x, area.y, "what happened", theme.title());
        self.body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        if occurrences.is_empty() {
            self.lines = 0;
            return put(buffer, area.x, area.y + 1, "Nothing worth telling yet.", theme.muted());
        }
        let (room, height) = (usize::from(area.width.saturating_sub(HEAD)).max(1), usize::from(self.body.height));
        let mut number: usize = 0;
        for occurrence in occurrences.iter().rev() {
            let words = sentence(&occurrence.what, id);
            for (piece_number, piece) in text::wrap(&words, room).into_iter().enumerate() {
                if let Some(row) = number.checked_sub(self.top).filter(|row: &usize| *row < height) {
                    let y = self.body.y + row as u16;
                    if piece_number == 0 {
                        let (sign, style) = look(&occurrence.what, world.signs, theme);
                        let time = occurrence.at.to_zoned(world.zone.clone()).strftime("%H:%M:%S").to_string();
                        put(buffer, area.x, y, &time, theme.muted());
                        put(buffer, area.x + 9, y, sign, style);
                    }
                    put(buffer, area.x + HEAD, y, piece.trim_start(), theme.text());
                }
                number += 1;
            }
        }
        self.lines = number;
        self.top = self.top.min(number.saturating_sub(height));
    }
}

/// What happened, a line each, with the day: text is read later, and from its beginning, so that the oldest comes first.
pub fn text(occurrences: &[Occurrence], world: &World, id: &str) -> String {
    let line = |occurrence: &Occurrence| {
        let (sign, _) = look(&occurrence.what, world.signs, &world.theme);
        format!("{}  {sign}  {}\n", occurrence.at.to_zoned(world.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %z"), sentence(&occurrence.what, id))
    };
    occurrences.iter().map(line).collect()
}

/// The marks of what happened, those of what is worst last: they are seen where several fall together.
pub fn marks(occurrences: &[Occurrence], world: &World) -> Vec<Mark> {
    let mut all: Vec<(u8, Mark)> = occurrences
        .iter()
        .map(|occurrence| {
            let (sign, style) = look(&occurrence.what, world.signs, &world.theme);
            let weight = match occurrence.what {
                Happening::OomKill { .. } => 3,
                Happening::Restarted(_) | Happening::Unhealthy | Happening::TooManyProcesses => 2,
                Happening::Throttled | Happening::MemoryHigh => 0,
                _ => 1,
            };
            (weight, Mark { at: occurrence.at.as_second(), sign, style })
        })
        .collect();
    all.sort_by_key(|(weight, _)| *weight);
    all.into_iter().map(|(_, mark)| mark).collect()
}

/// The sign of what happened, and how it looks.
fn look(what: &Happening, signs: Signs, theme: &Theme) -> (&'static str, Style) {
    let (sign, plain, style) = match what {
        Happening::Started | Happening::Unpaused => ("●", "*", theme.running()),
        Happening::Restarted(_) => ("◌", "r", theme.pending()),
        Happening::Throttled => ("▼", "v", theme.warning()),
        Happening::MemoryHigh => ("▲", "^", theme.warning()),
        Happening::OomKill { .. } => ("✗", "X", theme.error()),
        Happening::TooManyProcesses => ("■", "#", theme.warning()),
        Happening::Healthy => ("✓", "h", theme.success()),
        Happening::Unhealthy => ("✗", "u", theme.failed()),
        Happening::Limits(_) => ("◆", "=", theme.accent()),
        Happening::Paused => ("◐", "p", theme.paused()),
    };
    (if signs == Signs::Ascii { plain } else { sign }, style)
}

/// What happened to the container of this identity, in a sentence of harmless text.
fn sentence(what: &Happening, id: &str) -> String {
    let words = match what {
        Happening::Started => "started".to_owned(),
        Happening::Restarted(status) => format!("ended with status {status} and was started again"),
        Happening::Throttled => "throttled: it wanted more processor time than its limit".to_owned(),
        Happening::MemoryHigh => "its memory came to the limit".to_owned(),
        Happening::OomKill { victim, cgroup } => {
            let victim = if victim.is_empty() { "a process" } else { victim };
            match cgroup.as_str() {
                "" => format!("out of memory: the kernel killed {victim}"),
                own if !id.is_empty() && own.contains(id) => format!("out of memory: the kernel killed {victim} at the container's own limit"),
                other => format!("out of memory: the kernel killed {victim} at the limit of {other}"),
            }
        }
        Happening::TooManyProcesses => "it was refused another process: its limit is reached".to_owned(),
        Happening::Healthy => "healthy".to_owned(),
        Happening::Unhealthy => "unhealthy".to_owned(),
        Happening::Limits(words) => words.clone(),
        Happening::Paused => "paused".to_owned(),
        Happening::Unpaused => "unpaused".to_owned(),
    };
    text::clean(&words).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oom_kill_tells_victim_and_limit_and_nothing_raw() {
        let kill = |victim: &str, cgroup: &str| sentence(&Happening::OomKill { victim: victim.into(), cgroup: cgroup.into() }, "abc");
        assert_eq!(kill("tail (7)", "/kapal/abc"), "out of memory: the kernel killed tail (7) at the container's own limit");
        assert_eq!(kill("tail (7)", "/kapal"), "out of memory: the kernel killed tail (7) at the limit of /kapal");
        assert_eq!(kill("", ""), "out of memory: the kernel killed a process");
        assert!(!kill("\x1b[31m", "").contains('\x1b'));
    }

    #[test]
    fn the_room_goes_to_charts_first() {
        let share = |width, height| share(Rect::new(0, 0, width, height)).1.map(|area| (area.width, area.height));
        assert_eq!([share(120, 17), share(78, 20), share(78, 11), share(18, 40)], [Some((32, 17)), Some((78, 5)), None, None]);
    }
}
