//! What is to be known of one container, a tab for each kind: log, use of the machine, processes, changes, mounts, networks, environment, all of it.

use crate::container::{Attachment, Container, MountKind, NetworkMode};
use crate::engine::ChangeKind;
use crate::text;
use crate::tui::effect::{Question, Ticket};
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::Answer;
use crate::tui::screen::Reaction;
use crate::tui::screen::content::Content;
use crate::tui::screen::excerpt::taken;
use crate::tui::screen::files::copied;
use crate::tui::screen::inquiry::Inquiry;
use crate::tui::screen::list;
use crate::tui::screen::prompt::Prompt;
use crate::tui::screen::stats::Stats;
use crate::tui::screen::tabs::{Strip, Tabs};
use crate::tui::widget::browser::Browser;
use crate::tui::widget::pager::{Kind, Line, Pager};
use crate::tui::widget::rows::Hit;
use crate::tui::widget::tree::{Leaf, Mark, Tree};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::net::SocketAddr;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// What it writes.
    Logs,
    /// What it uses, over time.
    Stats,
    /// What runs in it.
    Processes,
    /// What it changed against its image.
    Changes,
    /// What is mounted into it.
    Mounts,
    /// The networks it is on, and what is published of it.
    Networks,
    /// Its environment.
    Environment,
    /// All of it, as `inspect` says it.
    Inspect,
}

impl Tabs for Tab {
    const ALL: &'static [Self] = &[Self::Logs, Self::Stats, Self::Processes, Self::Changes, Self::Mounts, Self::Networks, Self::Environment, Self::Inspect];
    const INSPECT: Self = Self::Inspect;

    fn name(self) -> &'static str {
        match self {
            Self::Logs => "Logs",
            Self::Stats => "Stats",
            Self::Processes => "Processes",
            Self::Changes => "Changes",
            Self::Mounts => "Mounts",
            Self::Networks => "Net",
            Self::Environment => "Env",
            Self::Inspect => "Inspect",
        }
    }

    fn of(action: Action) -> Option<Self> {
        Some(match action {
            Action::Logs => Self::Logs,
            Action::Stats | Action::Machine => Self::Stats,
            Action::Processes => Self::Processes,
            Action::Diff => Self::Changes,
            Action::Inspect => Self::INSPECT,
            _ => return None,
        })
    }
}

/// The details of one container.
#[derive(Debug)]
pub struct Details {
    of: Option<String>,
    /// What of it is shown.
    pub tabs: Strip<Tab>,
    inquiry: Inquiry,
    pager: Pager,
    /// What it changed, as a tree.
    changes: Browser,
    /// What it uses, over time.
    pub stats: Stats,
    most: usize,
    area: Rect,
}

impl Details {
    /// Of none, with logs of at most `most` lines.
    pub fn new(most: usize) -> Self {
        Self {
            of: None,
            tabs: Strip::new(Tab::Logs),
            inquiry: Inquiry::default(),
            pager: Pager::new(most, true),
            changes: Browser::new(false),
            stats: Stats::default(),
            most,
            area: Rect::default(),
        }
    }

    /// A tree is in front. What cannot be told of the changes is told as text.
    fn has_tree(&self) -> bool {
        self.tabs.front == Tab::Changes && self.pager.is_empty()
    }

    fn container<'a>(&self, world: &'a World) -> Option<&'a Container> {
        world.container(self.of.as_deref()?)
    }

    /// What a file is named after that takes what is shown.
    fn about(&self, world: &World) -> String {
        format!("{}-{}", self.container(world).map_or("container", |container| &container.name), self.tabs.front.name().to_lowercase())
    }

    /// Turns to a tab of a container.
    fn turn(&mut self, tab: Tab, of: Option<&str>, world: &World) -> Reaction {
        if tab != self.tabs.front {
            self.tabs.front = tab;
            self.of = None;
        }
        list::Details::look_at(self, of, world)
    }

    /// The question of what is shown of a container, if it is not known without asking.
    fn question(&self, container: &Container) -> Option<Question> {
        let id = container.id.clone();
        Some(match self.tabs.front {
            Tab::Logs => Question::Log(id),
            Tab::Stats => Question::Past(id),
            Tab::Processes => Question::Processes(id),
            Tab::Changes => Question::Changes(id),
            Tab::Inspect => Question::InspectContainer(id),
            Tab::Mounts | Tab::Networks | Tab::Environment => return None,
        })
    }

    /// What is known without asking.
    fn fill(&mut self, container: Option<&Container>, world: &World) {
        let Some(container) = container else { return };
        match self.tabs.front {
            Tab::Mounts => self.pager.set(mounts(container)),
            Tab::Networks => self.pager.set(networks(container, world)),
            Tab::Environment => self.pager.set(container.config.env.iter().map(|entry| Line::new(entry, Kind::Plain))),
            _ => {}
        }
    }

    /// Hears an answer.
    pub fn hear(&mut self, ticket: Ticket, answer: &mut Answer) {
        if !self.inquiry.is(ticket) {
            return;
        }
        match answer {
            Answer::More(lines) => self.pager.extend(std::mem::take(lines)),
            Answer::Whole(lines) => self.pager.set(std::mem::take(lines)),
            Answer::Table(titles, rows) => self.pager.set(aligned(titles, rows)),
            Answer::Changes(changes) => self.changes.set(Tree::new(changes.iter().map(changed).collect())),
            Answer::Past(newer) => self.stats.hear(*std::mem::take(newer)),
            Answer::Failed(sentence) if self.tabs.front == Tab::Stats => self.stats.fail(sentence),
            Answer::Failed(sentence) => self.pager.set([Line::new(sentence, Kind::Error)]),
            // What other screens ask for.
            _ => {}
        }
    }

    /// The line at whose beginning it was drawn.
    pub fn place(&self) -> Rect {
        Rect { height: self.area.height.min(1), ..self.area }
    }

    /// Does what a key stands for in the tree of changes.
    fn walk(&mut self, action: Action, world: &World) -> Option<Reaction> {
        if self.changes.act(action) {
            return Some(Reaction::none());
        }
        let container = self.container(world);
        let path = self.changes.selected();
        match (action, container, path) {
            (Action::Open | Action::Diff, Some(container), Some(path)) => {
                Some(Reaction::open(Content::of_container(container.id.clone(), container.name.clone(), path)))
            }
            (Action::Extract, Some(container), Some(path)) => Some(Prompt::out_of_container(&container.name, &path)),
            (Action::Copy, _, Some(path)) => Some(copied(&path)),
            // Nothing is selected that it could be done to.
            (Action::Open | Action::Diff | Action::Extract | Action::Copy, ..) => Some(Reaction::none()),
            _ => None,
        }
    }
}

impl list::Details for Details {
    fn contexts(&self) -> Vec<Context> {
        match self.tabs.front {
            Tab::Logs => vec![Context::Logs, Context::Text],
            Tab::Stats => vec![Context::Stats, Context::Text],
            Tab::Changes if self.has_tree() => vec![Context::Files, Context::List],
            _ => vec![Context::Text],
        }
    }

    fn takes(&self, action: Action) -> bool {
        if self.tabs.front == Tab::Stats {
            return self.stats.takes(action);
        }
        if self.has_tree() {
            let any = self.changes.tree.count() > 0;
            return any && (self.changes.takes(action) || matches!(action, Action::Open | Action::Diff | Action::Extract | Action::Copy));
        }
        self.pager.takes(action)
    }

    fn shows(&self, action: Action) -> bool {
        self.tabs.turned(action).is_some()
    }

    fn show(&mut self, action: Action, of: Option<&str>, world: &World) -> Option<Reaction> {
        let tab = self.tabs.turned(action)?;
        if matches!(action, Action::Machine | Action::Stats) {
            self.stats.show_machine(action == Action::Machine);
        }
        Some(self.turn(tab, of, world))
    }

    fn look_at(&mut self, of: Option<&str>, world: &World) -> Reaction {
        let container = of.and_then(|id| world.container(id));
        if self.of.as_deref() == of {
            self.fill(container, world);
            return Reaction::none();
        }
        self.of = of.map(str::to_owned);
        self.pager = Pager::new(self.most, self.tabs.front == Tab::Logs);
        self.changes = Browser::new(false);
        self.stats.forget();
        self.fill(container, world);
        match container.and_then(|container| self.question(container)) {
            Some(question) => self.inquiry.ask(question, world),
            None => self.inquiry.forget(),
        }
    }

    fn is_typing(&self) -> bool {
        if self.has_tree() { self.changes.is_filtering() } else { self.pager.is_typing() }
    }

    fn typed(&mut self, key: KeyEvent) -> bool {
        match self.tabs.front {
            Tab::Stats => false,
            _ if self.has_tree() => self.changes.typed(key),
            _ => self.pager.typed(key),
        }
    }

    fn pasted(&mut self, words: &str) -> bool {
        if self.has_tree() { self.changes.pasted(words) } else { self.pager.pasted(words) }
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        if self.tabs.front == Tab::Stats {
            let text = || self.stats.text(world, self.container(world));
            return taken(action, &self.about(world), text).or_else(|| self.stats.act(action, world).then(Reaction::none));
        }
        if self.has_tree() {
            return self.walk(action, world);
        }
        let about = self.about(world);
        self.pager.react(action, &about)
    }

    fn mouse(&mut self, event: MouseEvent, of: Option<&str>, world: &World) -> Option<Reaction> {
        match self.tabs.clicked(event) {
            Some(tab) => Some(self.turn(tab, of, world)),
            _ if self.tabs.front == Tab::Stats => self.stats.mouse(event, world).then(Reaction::none),
            _ if self.has_tree() => match self.changes.mouse(event) {
                Hit::Nothing => None,
                Hit::Moved => Some(Reaction::none()),
                Hit::Opened => self.act(Action::Open, world),
            },
            _ => self.pager.mouse(event).then(Reaction::none),
        }
    }

    fn draw(&mut self, area: Rect, buffer: &mut Buffer, world: &World, name: &str, focused: bool) {
        let theme = &world.theme;
        self.area = area;
        if self.tabs.front == Tab::Stats {
            let container = self.container(world);
            let about = (self.stats.note(world), self.stats.about().unwrap_or(name));
            let inside = self.tabs.draw(area, buffer, theme, (&about.0, about.1), focused);
            return self.stats.draw(inside, buffer, world, container);
        }
        let note = if self.has_tree() { self.changes.note() } else { self.pager.note() };
        let inside = self.tabs.draw(area, buffer, theme, (&note, name), focused);
        if self.has_tree() && self.changes.tree.count() > 0 {
            return self.changes.draw(inside, buffer, theme, focused);
        }
        if self.pager.is_empty() {
            let words = match self.tabs.front {
                Tab::Logs => "Nothing written yet.",
                Tab::Changes => "Nothing changed yet.",
                Tab::Mounts => "Nothing is mounted beside its own files.",
                Tab::Environment => "Its environment is empty.",
                Tab::Networks | Tab::Processes | Tab::Inspect | Tab::Stats => "",
            };
            buffer.set_stringn(inside.x, inside.y, words, usize::from(inside.width), theme.muted());
        }
        self.pager.draw(inside, buffer, theme);
    }
}

fn mounts(container: &Container) -> Vec<Line> {
    let rows: Vec<Vec<String>> = container
        .host_config
        .mounts
        .iter()
        .map(|mount| {
            let (kind, source) = match mount.kind {
                MountKind::Bind => ("bind", mount.source.clone()),
                MountKind::Volume => ("volume", mount.name.clone().unwrap_or_default()),
                MountKind::Tmpfs => ("tmpfs", mount.options.join(",")),
            };
            vec![mount.destination.clone(), kind.to_owned(), if mount.read_only { "ro" } else { "rw" }.to_owned(), source]
        })
        .collect();
    if rows.is_empty() { Vec::new() } else { aligned(&["DESTINATION", "TYPE", "MODE", "SOURCE"].map(str::to_owned), &rows) }
}

/// A container's places on networks, and what is published of it.
fn networks(container: &Container, world: &World) -> Vec<Line> {
    let host = &container.host_config;
    if host.networks.is_empty() {
        let words = match &host.network_mode {
            NetworkMode::Host => "It uses this machine's own network: what it listens on is reached at this machine's addresses.".to_owned(),
            NetworkMode::Container(other) => format!("It shares the network of container {other}."),
            NetworkMode::None | NetworkMode::Networks(_) => "It has a loopback link alone.".to_owned(),
        };
        return vec![Line::new(&words, Kind::Plain)];
    }
    let row = |attachment: &Attachment| {
        let berths = world.snapshot.networks.iter().find(|berths| berths.network.name == attachment.network);
        let place = berths.and_then(|berths| berths.members.iter().map(|(_, place)| place).find(|place| place.container == container.id));
        let or = |words: Option<String>| words.filter(|words| !words.is_empty()).unwrap_or_else(|| "–".to_owned());
        let addresses = place.map(|place| place.addresses.iter().map(|(address, prefix)| format!("{address}/{prefix}")).collect::<Vec<_>>().join(", "));
        let link = place.map(|place| format!("{} ▸ {}", place.link, place.inside));
        vec![attachment.network.clone(), or(addresses), or(place.map(|place| place.mac.to_string())), or(link), or(Some(attachment.aliases.join(", ")))]
    };
    let rows: Vec<Vec<String>> = host.networks.iter().map(row).collect();
    let mut lines = aligned(&["NETWORK", "ADDRESSES", "MAC", "LINK", "ALIASES"].map(str::to_owned), &rows);
    let ports: Vec<Vec<String>> = world
        .forwards(&container.id)
        .map(|forward| {
            let port = &forward.port;
            let (here, target) = (SocketAddr::new(port.address, port.port), SocketAddr::new(forward.target, port.inside));
            vec![format!("{here}/{}", port.protocol.as_str()), target.to_string()]
        })
        .collect();
    lines.push(Line::default());
    if ports.is_empty() {
        lines.push(Line::new("None of its ports is published.", Kind::Muted));
    } else {
        lines.extend(aligned(&["PUBLISHED", "LEADS TO"].map(str::to_owned), &ports));
    }
    lines
}

/// A table as lines; each column as wide as its widest cell, the last one free.
pub fn aligned(titles: &[String], rows: &[Vec<String>]) -> Vec<Line> {
    let clean: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| text::clean(cell).into_owned()).collect()).collect();
    let width = |column: usize| {
        let cells = clean.iter().filter_map(|row| row.get(column)).map(|cell| text::width::of(cell));
        cells.chain([text::width::of(&titles[column])]).max().unwrap_or(0).min(60)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |cells: &[String], kind| {
        let mut words = String::new();
        for (column, cell) in cells.iter().enumerate() {
            words.push_str(cell);
            if column + 1 < cells.len() {
                let room = widths.get(column).copied().unwrap_or(0) + 2;
                words.extend(std::iter::repeat_n(' ', room.saturating_sub(text::width::of(cell))));
            }
        }
        Line { text: words, time: String::new(), kind }
    };
    std::iter::once(line(titles, Kind::Heading)).chain(clean.iter().map(|row| line(row, Kind::Plain))).collect()
}

fn changed(change: &crate::engine::Change) -> Leaf {
    let mark = match change.kind {
        ChangeKind::Added => Mark::Added,
        ChangeKind::Changed => Mark::Changed,
        ChangeKind::Deleted => Mark::Removed,
    };
    Leaf { path: change.path.clone(), mark, ..Leaf::default() }
}
