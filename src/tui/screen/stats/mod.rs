//! What a container uses over time, or the whole machine: charts, and what happened meanwhile.
//!
//! It follows what is new until it is frozen: then a cursor reads values, and nothing moves.

mod charts;
mod story;

use crate::container::past::{Moment, Past};
use crate::container::{Container, NetworkMode};
use crate::text::{self, when};
use crate::tui::keymap::Action;
use crate::tui::widget::chart::{self, Setting, Window};
use crate::tui::world::World;
use charts::Plan;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::borrow::Cow;
use story::Story;

/// The lengths of time that can be shown, in seconds, and their names.
const SPANS: [(i64, &str); 6] = [(60, "1 min"), (300, "5 min"), (900, "15 min"), (3600, "1 h"), (6 * 3600, "6 h"), (24 * 3600, "24 h")];
/// The length at first.
const FIRST: usize = 1;
/// Longer stretches are shown from minutes.
const FROM_SECONDS: i64 = 3600;
/// How old the last moment may be to be the end of what is shown: older, and nothing is counted any more.
const FRESH: i64 = 3;

/// What the charts mean, for help.
pub const SIGNS: &[(&str, &str)] = &[
    ("⣀⣤⣶", "Each column shows the most of its time; a gap is time of which nothing is known."),
    ("╍  ↑", "The limit, as it was at that time; too far above to be drawn."),
    ("●  ◌  ◐", "Started or thawed; started again; frozen."),
    ("▼  ▲  ■", "Held back by its limit of processor time, of memory, of processes."),
    ("✗  ✓  ◆", "A process killed for want of memory, or the container unhealthy; healthy; other limits."),
];

/// The charts of one container, with what was done to them.
#[derive(Debug)]
pub struct Stats {
    past: Past,
    /// An answer came already.
    told: bool,
    /// Why there is none.
    fault: Option<String>,
    /// The whole machine is shown in place of the container.
    machine: bool,
    /// Which of [`SPANS`] is shown.
    span: usize,
    held: Option<Held>,
    story: Story,
    /// Which charts are in sight, where there is not room for all, and how many pages that makes.
    page: usize,
    pages: usize,
    /// Where charts were drawn last, and what of time they showed.
    drawn: Option<(Vec<Rect>, Window, usize)>,
}

/// What was known when the view was frozen.
#[derive(Debug)]
struct Held {
    past: Past,
    machine: Vec<Moment>,
    end: i64,
    /// Where values are read.
    cursor: i64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            past: Past::default(),
            told: false,
            fault: None,
            machine: false,
            span: FIRST,
            held: None,
            story: Story::default(),
            page: 0,
            pages: 1,
            drawn: None,
        }
    }
}

impl Stats {
    /// Forgets what it knows: another container is shown, in the same way.
    pub fn forget(&mut self) {
        *self = Self { machine: self.machine, span: self.span, ..Self::default() };
    }

    /// Hears what is new.
    pub fn hear(&mut self, newer: Past) {
        (self.told, self.fault) = (true, None);
        self.past.append(newer);
    }

    /// Hears why nothing can be told.
    pub fn fail(&mut self, sentence: &str) {
        self.fault = Some(text::clean(sentence).into_owned());
    }

    /// Shows the whole machine, or else the container.
    pub fn show_machine(&mut self, whole: bool) {
        self.machine = whole;
    }

    /// Whether an action means something here.
    pub fn takes(&self, action: Action) -> bool {
        use Action as A;
        match action {
            A::ZoomIn => self.span > 0,
            A::ZoomOut => self.span + 1 < SPANS.len(),
            A::Back => self.held.is_some(),
            A::Machine | A::Follow | A::Left | A::Right | A::Home | A::End => true,
            A::PageUp | A::PageDown if self.pages > 1 => true,
            A::Copy | A::Save => !self.machine && !self.past().occurrences.is_empty(),
            _ => !self.machine && Story::takes(action),
        }
    }

    /// Does what a key stands for; false if it means nothing here.
    pub fn act(&mut self, action: Action, world: &World) -> bool {
        match action {
            Action::ZoomIn => self.span = self.span.saturating_sub(1),
            Action::ZoomOut => self.span = (self.span + 1).min(SPANS.len() - 1),
            Action::Machine => self.machine = !self.machine,
            Action::Follow | Action::Back if self.held.is_some() => self.held = None,
            Action::Follow => self.hold(world),
            Action::Left | Action::Right | Action::Home | Action::End => self.read(action, world),
            Action::PageUp if self.pages > 1 => self.page = self.page.saturating_sub(1),
            Action::PageDown if self.pages > 1 => self.page = (self.page + 1).min(self.pages - 1),
            _ => return !self.machine && self.story.act(action),
        }
        true
    }

    fn hold(&mut self, world: &World) {
        let end = self.end(world);
        self.held = Some(Held { past: self.past.clone(), machine: world.machine.clone(), end, cursor: end });
    }

    /// Moves the cursor by a column; it is there once the view is frozen.
    fn read(&mut self, action: Action, world: &World) {
        if self.held.is_none() {
            self.hold(world);
        }
        let (span, beside) = (SPANS[self.span].0, world.signs.dots().0);
        let (begin, step) = match &self.drawn {
            Some((_, window, _)) => (window.begin() + 1, (window.width() * beside as f64).ceil() as i64),
            None => (0, 1),
        };
        let Some(held) = &mut self.held else { return };
        let to = match action {
            Action::Left => held.cursor - step.max(1),
            Action::Right => held.cursor + step.max(1),
            Action::Home => held.end - span,
            _ => held.end,
        };
        held.cursor = to.clamp(begin.min(held.end), held.end);
    }

    /// Does what the mouse did: a click reads values, the wheel changes how much time is shown.
    pub fn mouse(&mut self, event: MouseEvent, world: &World) -> bool {
        let place = Position::new(event.column, event.row);
        if self.story.mouse(event) {
            return true;
        }
        let Some((areas, window, beside)) = &self.drawn else { return false };
        let Some(area) = areas.iter().find(|area| area.contains(place)) else { return false };
        match event.kind {
            MouseEventKind::ScrollUp => self.act(Action::ZoomIn, world),
            MouseEventKind::ScrollDown => self.act(Action::ZoomOut, world),
            MouseEventKind::Down(MouseButton::Left) => {
                let column = i64::from(chart::column_at(*area, place.x)) * *beside as i64;
                let at = ((window.first() + column + *beside as i64) as f64 * window.width()).floor() as i64;
                if self.held.is_none() {
                    self.hold(world);
                }
                if let Some(held) = &mut self.held {
                    held.cursor = at.min(held.end);
                }
                true
            }
            _ => false,
        }
    }

    fn past(&self) -> &Past {
        self.held.as_ref().map_or(&self.past, |held| &held.past)
    }

    /// What happened to a container, as lines of text.
    pub fn text(&self, world: &World, container: Option<&Container>) -> String {
        story::text(&self.past().occurrences, world, id(container))
    }

    /// The moments that are shown, and how long each lasts.
    fn moments<'a>(&'a self, world: &'a World) -> (Cow<'a, [Moment]>, i64) {
        if self.machine {
            return (self.held.as_ref().map_or(&world.machine, |held| &held.machine).as_slice().into(), 1);
        }
        let past = self.past();
        if SPANS[self.span].0 <= FROM_SECONDS {
            return (past.seconds.as_slice().into(), 1);
        }
        // The minute that is not over yet is told by its seconds.
        let last = past.minutes.last().map_or(i64::MIN, |minute| minute.at);
        let rest = past.seconds.partition_point(|second| second.at <= last);
        (past.minutes.iter().chain(&past.seconds[rest..]).copied().collect(), 60)
    }

    /// When what is shown ends.
    fn end(&self, world: &World) -> i64 {
        let now = world.now.as_second();
        if let Some(held) = &self.held {
            return held.end;
        }
        let last = if self.machine { world.machine.last() } else { self.past.seconds.last() };
        last.map(|moment| moment.at).filter(|at| (now - FRESH..=now + FRESH).contains(at)).unwrap_or(now)
    }

    /// What stands beside the tabs: how much time, and whether it moves.
    pub fn note(&self, world: &World) -> String {
        let mut note = SPANS[self.span].1.to_owned();
        if let Some(held) = &self.held {
            let age = when::short(when::since(Timestamp::from_second(held.end).unwrap_or(world.now), world.now));
            let at = Timestamp::from_second(held.cursor).map(|at| at.to_zoned(world.zone.clone()).strftime("%H:%M:%S").to_string());
            note = format!("{} · frozen, {age} old · {note}", at.unwrap_or_default());
        }
        note
    }

    /// What it is about, if that is not the container.
    pub fn about(&self) -> Option<&'static str> {
        self.machine.then_some("this machine")
    }

    /// Draws what is known of a container, or of the machine.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, world: &World, container: Option<&Container>) {
        self.drawn = None;
        if area.height == 0 || area.width < 4 {
            return;
        }
        let (rest, story) = if self.machine { (area, None) } else { story::share(area) };
        if let Some(place) = story {
            let past = self.held.as_ref().map_or(&self.past, |held| &held.past);
            self.story.draw(place, buffer, world, &past.occurrences, id(container));
        } else {
            self.story.hide();
        }
        let (span, signs) = (SPANS[self.span].0, world.signs);
        let end = self.end(world);
        let plan = Plan::over(rest, signs);
        let window = Window { end, span, columns: plan.dots() };
        let (moments, step) = self.moments(world);
        let all = charts::of(&moments, step, &window, self.machine);
        let (known, unknown): (Vec<_>, Vec<_>) = all.into_iter().partition(chart::Chart::is_known);
        let line = if known.is_empty() { self.silence(world, container) } else { untold(&unknown, container.filter(|_| !self.machine)) };
        let cursor = self.held.as_ref().and_then(|held| window.column(held.cursor as f64));
        let marks = if self.machine { Vec::new() } else { story::marks(&self.past().occurrences, world) };
        let setting = Setting { window, marks: &marks, cursor, signs, theme: &world.theme, zone: &world.zone };
        let (areas, pages) = plan.draw((&known, self.page), &line, buffer, &setting);
        (self.page, self.pages) = (self.page.min(pages - 1), pages);
        self.drawn = Some((areas, window, signs.dots().0));
    }

    /// Why there is nothing to be seen.
    fn silence(&self, world: &World, container: Option<&Container>) -> String {
        if let Some(fault) = self.fault.as_ref().filter(|_| !self.machine) {
            return fault.clone();
        }
        let runs = container.is_some_and(|container| container.state.status.is_alive());
        let words = match (self.machine, self.past().seconds.is_empty()) {
            (true, _) if world.machine.is_empty() => "Looking …",
            (false, true) if !runs => "It does not run: nothing is counted.",
            (false, true) if !self.told => "Looking …",
            (false, true) => "Nothing was counted yet.",
            _ => "Nothing was counted in this time: - shows more of it.",
        };
        words.to_owned()
    }
}

fn id(container: Option<&Container>) -> &str {
    container.map_or("", |container| container.id.as_str())
}

/// What is not counted, in a sentence; empty if all is.
fn untold(unknown: &[chart::Chart], container: Option<&Container>) -> String {
    let mut words = String::new();
    let elsewhere = container.filter(|container| matches!(container.host_config.network_mode, NetworkMode::Host | NetworkMode::Container(_)));
    let here: Vec<&str> = unknown.iter().map(|chart| chart.title).filter(|title| elsewhere.is_none() || *title != charts::NETWORK).collect();
    if !here.is_empty() {
        words = format!("not counted on this machine: {}", here.join(", "));
    }
    if let Some(container) = elsewhere.filter(|_| unknown.iter().any(|chart| chart.title == charts::NETWORK)) {
        let whose = if container.host_config.network_mode == NetworkMode::Host { "this machine" } else { "another container" };
        words = format!("{words}{}its network is that of {whose}", if words.is_empty() { "" } else { "; " });
    }
    words
}
