//! The consoles: terminals of running containers, each behind a tab; what is typed goes to the program in front.

use crate::container::detach::DetachKeys;
use crate::text;
use crate::tui::console::detach::Leaving;
use crate::tui::console::selection::Selection;
use crate::tui::console::session::ConsoleEvent;
use crate::tui::console::terminal::Terminal;
use crate::tui::console::view::View;
use crate::tui::console::{keys, mouse};
use crate::tui::effect::{ConsoleId, Effect};
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::{Console, News};
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::frame::frame;
use crate::tui::world::World;
use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use std::time::Instant;

/// A console and how it stands.
#[derive(Debug)]
struct Tab {
    id: ConsoleId,
    title: String,
    terminal: Terminal,
    leaving: Leaving,
    writable: bool,
    /// What became of it, once it is over.
    end: Option<String>,
    selection: Option<Selection>,
}

/// The pane.
#[derive(Debug)]
pub struct Consoles {
    tabs: Vec<Tab>,
    front: usize,
    scrollback: usize,
    body: Rect,
    places: Vec<Rect>,
    clicks: Option<(Instant, Position, u8)>,
}

impl Consoles {
    /// No consoles yet.
    pub fn new(world: &World) -> Self {
        Self { tabs: Vec::new(), front: 0, scrollback: world.config.scrollback, body: Rect::default(), places: Vec::new(), clicks: None }
    }

    fn tab(&mut self) -> Option<&mut Tab> {
        self.tabs.get_mut(self.front)
    }

    fn begin(&mut self, id: ConsoleId, about: &Console, world: &World) -> Reaction {
        let keys = DetachKeys::parse(about.detach_keys.as_deref().unwrap_or_default()).unwrap_or_default();
        // Before it was ever drawn: what a frame, the panes' names and the line of keys will leave.
        let room = if self.body.area() > 0 { (self.body.height, self.body.width) } else { (world.size.1.saturating_sub(4), world.size.0.saturating_sub(2)) };
        let (rows, columns) = (room.0.max(1), room.1.max(1));
        self.tabs.push(Tab {
            id,
            title: text::clean(&about.title).into_owned(),
            terminal: Terminal::new(rows, columns, self.scrollback),
            leaving: Leaving::new(keys),
            writable: about.stdin,
            end: None,
            selection: None,
        });
        self.front = self.tabs.len() - 1;
        Reaction::effect(Effect::Resize(id, rows, columns))
    }

    fn event(&mut self, id: ConsoleId, event: &mut ConsoleEvent) -> Reaction {
        let Some(tab) = self.tabs.iter_mut().find(|tab| tab.id == id) else { return Reaction::none() };
        match event {
            ConsoleEvent::Output(bytes) => tab.terminal.feed(bytes),
            ConsoleEvent::Missed(_) => tab.terminal.gap(),
            ConsoleEvent::Ended(status) => tab.end = Some(format!("ended with status {status}")),
            ConsoleEvent::Closed => tab.end = Some("the container's monitor hung up".to_owned()),
            ConsoleEvent::Failed(error) => tab.end = Some(text::clean(&error.message).into_owned()),
        }
        let replies = tab.terminal.replies();
        if replies.is_empty() || !tab.writable || tab.end.is_some() { Reaction::none() } else { Reaction::effect(Effect::Input(id, replies)) }
    }

    fn close(&mut self, at: usize) -> Reaction {
        if at >= self.tabs.len() {
            return Reaction::none();
        }
        let tab = self.tabs.remove(at);
        self.front = self.front.min(self.tabs.len().saturating_sub(1));
        Reaction { back: self.tabs.is_empty(), ..Reaction::effect(Effect::Leave(tab.id)) }
    }

    fn send(&mut self, bytes: &[u8]) -> Reaction {
        let Some(tab) = self.tab() else { return Reaction::none() };
        if bytes.is_empty() || tab.end.is_some() {
            return Reaction::none();
        }
        if !tab.writable {
            return Reaction::error("this container was made without -i: it does not read what is typed");
        }
        Reaction::effect(Effect::Input(tab.id, bytes.to_vec()))
    }

    fn select(&mut self, event: MouseEvent, row: u16, column: u16) -> Reaction {
        let place = Position::new(event.column, event.row);
        let before = self.clicks;
        let Some(tab) = self.tabs.get_mut(self.front) else { return Reaction::none() };
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                let now = Instant::now();
                let clicks = match before {
                    Some((when, at, clicks)) if at == place && now.duration_since(when).as_millis() < 400 => clicks % 3 + 1,
                    _ => 1,
                };
                tab.selection = Some(Selection::begin(&mut tab.terminal, row, column, clicks));
                self.clicks = Some((now, place, clicks));
            }
            MouseEventKind::Drag(MouseButton::Left) => {
                if let Some(selection) = &mut tab.selection {
                    selection.extend(&mut tab.terminal, row, column);
                }
            }
            MouseEventKind::Up(MouseButton::Left) => {
                let Some(selection) = tab.selection.as_ref().filter(|selection| !selection.is_empty()) else {
                    tab.selection = None;
                    return Reaction::none();
                };
                let words = selection.text(&mut tab.terminal);
                return Reaction::copy(words, "what was selected");
            }
            MouseEventKind::ScrollUp => tab.terminal.scroll(3),
            MouseEventKind::ScrollDown => tab.terminal.scroll(-3),
            _ => {}
        }
        Reaction::none()
    }

    fn tabs_line(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let theme = &world.theme;
        let buffer = frame_.buffer_mut();
        self.places.clear();
        let mut x = area.x + 1;
        for (number, tab) in self.tabs.iter().enumerate() {
            let name = if tab.terminal.title().is_empty() { &tab.title } else { tab.terminal.title() };
            let label = format!(" {}{} ", text::truncate(name, 28), if tab.end.is_some() { " ✗" } else { "" });
            let width = text::width::of(&label) as u16;
            if x + width > area.right() {
                break;
            }
            let style = theme.upon_border(if number == self.front { theme.title() } else { theme.muted() });
            buffer.set_string(x, area.y, &label, style);
            self.places.push(Rect { x, y: area.y, width, height: 1 });
            x += width + 1;
        }
    }
}

impl Screen for Consoles {
    fn contexts(&self) -> Vec<Context> {
        match self.tabs.get(self.front) {
            Some(tab) if tab.end.is_none() => vec![Context::Console],
            // Where no program reads, the keys of the screens hold again.
            Some(_) => vec![Context::Text],
            None => vec![Context::List],
        }
    }

    fn takes(&self, action: Action) -> bool {
        use Action as A;
        match action {
            A::NextTab | A::PreviousTab => self.tabs.len() > 1,
            A::Back => true,
            A::CloseTab | A::PageUp | A::PageDown | A::Up | A::Down | A::Home | A::End => !self.tabs.is_empty(),
            _ => false,
        }
    }

    fn watched(&self) -> Option<(String, &'static str, &'static str)> {
        let tab = self.tabs.get(self.front).filter(|tab| tab.end.is_none())?;
        Some((tab.leaving.keys().to_string(), "detach", "Leave this console; the program in it goes on."))
    }

    fn typed(&mut self, key: KeyEvent, world: &World) -> Option<Reaction> {
        let contexts = self.contexts();
        if contexts != [Context::Console] || world.config.keymap.action(&contexts, key).is_some() {
            return None;
        }
        let tab = self.tab()?;
        tab.terminal.scroll_to(0);
        tab.selection = None;
        let bytes = keys::bytes(&key, tab.terminal.modes());
        let typed = tab.leaving.key(&bytes, Instant::now());
        if typed.detached {
            let front = self.front;
            return Some(self.close(front).and(Reaction { back: true, ..Reaction::none() }));
        }
        let held = tab.leaving.due().is_some();
        let sent = self.send(&typed.pass);
        Some(if held { sent.and(Reaction::effect(Effect::Wake(crate::container::detach::PATIENCE))) } else { sent })
    }

    fn pasted(&mut self, words: &str, _world: &World) -> Option<Reaction> {
        let modes = self.tab()?.terminal.modes();
        Some(self.send(&keys::paste(words, modes)))
    }

    fn act(&mut self, action: Action, _world: &World) -> Option<Reaction> {
        let page = isize::try_from(self.body.height.saturating_sub(1).max(1)).unwrap_or(1);
        let count = self.tabs.len();
        match action {
            Action::NextTab if count > 0 => self.front = (self.front + 1) % count,
            Action::PreviousTab if count > 0 => self.front = (self.front + count - 1) % count,
            Action::CloseTab => {
                let front = self.front;
                return Some(self.close(front));
            }
            Action::PageUp => self.tab()?.terminal.scroll(page),
            Action::PageDown => self.tab()?.terminal.scroll(-page),
            Action::Up => self.tab()?.terminal.scroll(1),
            Action::Down => self.tab()?.terminal.scroll(-1),
            Action::Home => self.tab()?.terminal.scroll_to(usize::MAX),
            Action::End => self.tab()?.terminal.scroll_to(0),
            Action::Back => {
                let front = self.front;
                let over = self.tabs.get(front).is_some_and(|tab| tab.end.is_some());
                let close = if over { self.close(front) } else { Reaction::none() };
                return Some(close.and(Reaction { back: true, ..Reaction::none() }));
            }
            _ => return None,
        }
        Some(Reaction::none())
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Option<Reaction> {
        let place = Position::new(event.column, event.row);
        if event.kind == MouseEventKind::Down(MouseButton::Left)
            && let Some(hit) = self.places.iter().position(|area| area.contains(place))
        {
            self.front = hit;
            return Some(Reaction::none());
        }
        let inside = self.body.contains(place);
        let (row, column) = (event.row.saturating_sub(self.body.y), event.column.saturating_sub(self.body.x));
        let tab = self.tabs.get(self.front)?;
        let modes = tab.terminal.modes();
        let scrolled_back = tab.terminal.is_scrolled_back();
        if !inside {
            return None;
        }
        let bytes = if scrolled_back { Vec::new() } else { mouse::bytes(event.kind, row, column, event.modifiers, modes) };
        if mouse::is_wanted(modes) || !bytes.is_empty() {
            return Some(self.send(&bytes));
        }
        Some(self.select(event, row, column))
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        match news {
            News::Opened(id, about) => self.begin(*id, about, world),
            News::Console(id, event) => self.event(*id, event),
            _ => Reaction::none(),
        }
    }

    fn tick(&mut self, _world: &World) -> Reaction {
        let now = Instant::now();
        let mut reaction = Reaction::none();
        for tab in &mut self.tabs {
            let held = tab.leaving.tick(now);
            if !held.is_empty() && tab.writable {
                reaction = reaction.and(Reaction::effect(Effect::Input(tab.id, held)));
            }
        }
        reaction
    }

    fn draw(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let theme = &world.theme;
        let note = self.tabs.get(self.front).map(|tab| match &tab.end {
            Some(end) => end.clone(),
            None if tab.terminal.is_scrolled_back() => "scrolled back".to_owned(),
            None => String::new(),
        });
        let inner = frame(area, frame_.buffer_mut(), theme, "", &note.unwrap_or_default(), true);
        self.body = inner;
        if self.tabs.is_empty() {
            let words = "No console is open. In Containers, exec opens a shell and attach a container's own console.";
            frame_.buffer_mut().set_stringn(inner.x + 1, inner.y, words, usize::from(inner.width.saturating_sub(1)), theme.muted());
            return;
        }
        if inner != area {
            self.tabs_line(area, frame_, world);
        }
        let Some(tab) = self.tabs.get_mut(self.front) else { return };
        if tab.selection.as_ref().is_some_and(|selection| selection.is_stale(&tab.terminal)) {
            tab.selection = None;
        }
        let view = View::new(&tab.terminal).style(theme.base()).depth(theme.depth()).selection(tab.selection.as_ref(), theme.selection(true));
        if tab.end.is_none()
            && let Some(cursor) = view.cursor(inner)
        {
            frame_.set_cursor_position(cursor);
        }
        frame_.render_widget(view, inner);
    }

    fn drawn(&mut self) -> Reaction {
        // The program in front is told of the room it has once that is known.
        let body = self.body;
        let mut reaction = Reaction::none();
        for tab in &mut self.tabs {
            if body.area() > 0 && tab.terminal.size() != (body.height, body.width) {
                let before = tab.terminal.size();
                let (rows, columns) = tab.terminal.resize(body.height, body.width);
                if (rows, columns) != before {
                    reaction = reaction.and(Reaction::effect(Effect::Resize(tab.id, rows, columns)));
                }
            }
        }
        reaction
    }
}
