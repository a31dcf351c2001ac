//! What is to be known of one image, a tab for each kind: how it was made, what it carries in vain, who uses it, all of it.

use crate::container::Container;
use crate::engine::images::{Image, Step};
use crate::engine::layers::Wasted;
use crate::text::{self, size, when};
use crate::tui::effect::{Question, Ticket};
use crate::tui::keymap::Action;
use crate::tui::msg::Answer;
use crate::tui::screen::Reaction;
use crate::tui::screen::details::aligned;
use crate::tui::screen::inquiry::Inquiry;
use crate::tui::screen::lineage::command;
use crate::tui::screen::list;
use crate::tui::screen::tabs::{Strip, Tabs};
use crate::tui::widget::pager::{Kind, Line, Pager};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::os::unix::ffi::OsStrExt;

/// Most lines of a document.
const MOST: usize = 50_000;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// The commands that made its layers.
    Layers,
    /// What upper layers hide of lower ones.
    Waste,
    /// The containers made from it.
    Users,
    /// All of it, as `inspect` says it.
    Inspect,
}

impl Tabs for Tab {
    const ALL: &'static [Self] = &[Self::Layers, Self::Waste, Self::Users, Self::Inspect];
    const INSPECT: Self = Self::Inspect;

    fn name(self) -> &'static str {
        match self {
            Self::Layers => "Layers",
            Self::Waste => "Waste",
            Self::Users => "Users",
            Self::Inspect => "Inspect",
        }
    }
}

/// The details of one image.
#[derive(Debug)]
pub struct Details {
    of: Option<String>,
    /// What of it is shown.
    tabs: Strip<Tab>,
    inquiry: Inquiry,
    pager: Pager,
}

impl Default for Details {
    /// Of none.
    fn default() -> Self {
        Self { of: None, tabs: Strip::new(Tab::Layers), inquiry: Inquiry::default(), pager: Pager::new(MOST, false) }
    }
}

impl Details {
    /// Turns to a tab of an image.
    fn turn(&mut self, tab: Tab, of: Option<&str>, world: &World) -> Reaction {
        if tab != self.tabs.front {
            self.tabs.front = tab;
            self.of = None;
        }
        list::Details::look_at(self, of, world)
    }

    /// The question of what is shown of an image, if it is not known without asking.
    fn question(&self, image: &Image) -> Option<Question> {
        let id = image.id.clone();
        match self.tabs.front {
            Tab::Layers => Some(Question::History(id)),
            Tab::Waste => Some(Question::Wasted(id)),
            Tab::Inspect => Some(Question::InspectImage(id)),
            Tab::Users => None,
        }
    }

    /// Hears an answer.
    pub fn hear(&mut self, ticket: Ticket, answer: &mut Answer, world: &World) {
        if !self.inquiry.ends_with(ticket) {
            return;
        }
        match answer {
            Answer::Whole(lines) => self.pager.set(std::mem::take(lines)),
            Answer::History(steps) => self.pager.set(history(steps, world)),
            Answer::Wasted(wasted) => self.pager.set(waste(wasted)),
            Answer::Failed(sentence) => self.pager.set([Line::new(sentence, Kind::Error)]),
            _ => {}
        }
    }
}

impl list::Details for Details {
    fn takes(&self, action: Action) -> bool {
        self.pager.takes(action)
    }

    fn shows(&self, action: Action) -> bool {
        self.tabs.turned(action).is_some()
    }

    fn show(&mut self, action: Action, of: Option<&str>, world: &World) -> Option<Reaction> {
        let tab = self.tabs.turned(action)?;
        Some(self.turn(tab, of, world))
    }

    fn look_at(&mut self, of: Option<&str>, world: &World) -> Reaction {
        let image = of.and_then(|id| world.image(id));
        let same = self.of.as_deref() == of;
        if !same {
            self.of = of.map(str::to_owned);
            self.pager = Pager::new(MOST, false);
        }
        if let (Tab::Users, Some(image)) = (self.tabs.front, image) {
            self.pager.set(users(image, world));
        }
        match image.and_then(|image| self.question(image)) {
            _ if same => Reaction::none(),
            Some(question) => self.inquiry.ask(question, world),
            None => self.inquiry.forget(),
        }
    }

    fn is_typing(&self) -> bool {
        self.pager.is_typing()
    }

    fn typed(&mut self, key: KeyEvent) -> bool {
        self.pager.typed(key)
    }

    fn pasted(&mut self, words: &str) -> bool {
        self.pager.pasted(words)
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let id = self.of.as_deref().and_then(|id| world.image(id)).map_or("image", |image| image.id.short());
        let about = format!("{id}-{}", self.tabs.front.name().to_lowercase());
        self.pager.react(action, &about)
    }

    fn mouse(&mut self, event: MouseEvent, of: Option<&str>, world: &World) -> Option<Reaction> {
        match self.tabs.clicked(event) {
            Some(tab) => Some(self.turn(tab, of, world)),
            _ => self.pager.mouse(event).then(Reaction::none),
        }
    }

    fn draw(&mut self, area: Rect, buffer: &mut Buffer, world: &World, name: &str, focused: bool) {
        let theme = &world.theme;
        let note = self.pager.note();
        let inside = self.tabs.draw(area, buffer, theme, (&note, name), focused);
        if self.pager.is_empty() {
            let words = match (self.tabs.front, self.inquiry.is_open()) {
                (Tab::Users, _) => "No container uses it.",
                (_, true) => "Looking …",
                (Tab::Layers, false) => "Its maker told nothing, and it has no layers.",
                (Tab::Waste | Tab::Inspect, false) => "",
            };
            buffer.set_stringn(inside.x, inside.y, words, usize::from(inside.width), theme.muted());
        }
        self.pager.draw(inside, buffer, theme);
    }
}

/// The steps that made an image, the newest first; those that made no layer stand back.
fn history(steps: &[Step], world: &World) -> Vec<Line> {
    let ages: Vec<String> = steps.iter().map(|step| step.created.map_or_else(|| "–".to_owned(), |created| when::short_ago(created, world.now))).collect();
    let wide = ages.iter().map(|age| text::width::of(age)).max().unwrap_or(0).max(4);
    let heading = Line { text: format!("{:>8}  {:<wide$}  MADE BY", "SIZE", "WHEN"), time: String::new(), kind: Kind::Heading };
    let lines = steps.iter().zip(&ages).map(|(step, age)| {
        let kind = if step.size == 0 { Kind::Muted } else { Kind::Plain };
        Line { text: format!("{:>8}  {age:<wide$}  {}", size::decimal(step.size), command(&step.created_by, &step.comment)), time: String::new(), kind }
    });
    if steps.is_empty() { Vec::new() } else { std::iter::once(heading).chain(lines).collect() }
}

/// What upper layers replace or remove of lower ones, the largest first.
fn waste(wasted: &Wasted) -> Vec<Line> {
    if wasted.bytes == 0 {
        return vec![Line::new("Nothing is carried in vain: no layer replaces or removes what is in one below it.", Kind::Muted)];
    }
    let share = wasted.bytes as f64 * 100.0 / (wasted.size.max(1) as f64);
    let sum = format!(
        "{} of {} ({share:.1} %) are carried in vain: layers above replace or remove them.{}",
        size::decimal(wasted.bytes),
        size::decimal(wasted.size),
        if wasted.truncated { " A layer has more files than were looked at: there may be more." } else { "" }
    );
    let heading = Line { text: format!("{:>8}  {:>5}  FILE", "BYTES", "TIMES"), time: String::new(), kind: Kind::Heading };
    let files = wasted.files.iter().map(|file| {
        let path = text::clean_bytes(file.path.as_os_str().as_bytes());
        Line { text: format!("{:>8}  {:>5}  /{path}", size::decimal(file.bytes), file.times), time: String::new(), kind: Kind::Plain }
    });
    [Line::new(&sum, Kind::Changed), Line::default(), heading].into_iter().chain(files).collect()
}

fn users(image: &Image, world: &World) -> Vec<Line> {
    let row = |container: &Container| vec![container.name.clone(), text::when::status(&container.state, world.now), container.command().join(" ")];
    let rows: Vec<Vec<String>> = world.snapshot.containers.iter().filter(|container| container.image_id.as_ref() == Some(&image.id)).map(row).collect();
    if rows.is_empty() { Vec::new() } else { aligned(&["NAME", "STATE", "COMMAND"].map(str::to_owned), &rows) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::layers::WastedFile;

    #[test]
    fn waste_is_summed_and_listed() {
        let files = vec![WastedFile { path: "var/cache/x".into(), bytes: 250, times: 2 }];
        let lines = waste(&Wasted { bytes: 250, size: 1000, files, truncated: false });
        assert!(lines[0].text.starts_with("250B of 1kB (25.0 %) are carried in vain"), "{}", lines[0].text);
        assert_eq!(lines[3].text, "    250B      2  /var/cache/x");
        assert_eq!(waste(&Wasted::default()).len(), 1);
    }
}
