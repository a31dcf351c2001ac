//! The command line: verbs as in a script, with completion and history, and what is wrong said while one types.

use crate::text;
use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Context};
use crate::tui::line::Completion;
use crate::tui::screen::{Reaction, Screen, Setting};
use crate::tui::widget::input::Input;
use crate::tui::widget::offers::Offers;
use crate::tui::world::World;
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// Most completions shown at once.
const SHOWN: u16 = 8;

/// What the screens do themselves: a word, and what it is.
const OWN: [(&str, &str); 4] = [
    ("help", "the keys that hold here"),
    ("theme", "other colours, by name"),
    ("q", "leave; containers go on running"),
    ("quit", "leave; containers go on running"),
];

/// The line.
#[derive(Debug)]
pub struct CommandLine {
    input: Input,
    history: Vec<String>,
    /// Which line of the history is shown; its length is the line being typed.
    at: usize,
    draft: String,
    from: usize,
    offers: Offers,
    /// How the verb is used, where nothing is offered.
    usage: Option<String>,
    wrong: Option<String>,
}

impl CommandLine {
    /// An empty line, with the lines typed before in its history.
    pub fn new(world: &World) -> Self {
        Self::with("", world)
    }

    /// A line that begins with `text`.
    pub fn with(text: impl Into<String>, world: &World) -> Self {
        let mut line = Self {
            input: Input::with(text),
            history: world.history.clone(),
            at: world.history.len(),
            draft: String::new(),
            from: 0,
            offers: Offers::default(),
            usage: None,
            wrong: None,
        };
        line.offer(world);
        line
    }

    fn offer(&mut self, world: &World) {
        self.wrong = None;
        let typed = &self.input.text()[..self.input.cursor()];
        let (from, mut offers) = world.line.complete(typed, &world.names());
        if typed.trim_start().split_once(' ').is_some_and(|(word, _)| OWN.iter().any(|(own, _)| *own == word)) {
            offers.clear();
        }
        offers.extend(own(typed, world));
        self.from = from.min(typed.len());
        self.usage = if offers.is_empty() { world.line.usage(typed) } else { None };
        self.offers.set(offers);
    }

    /// Completes what all offers share; then one offer after the other.
    fn complete(&mut self, forward: bool, world: &World) {
        let typed = &self.input.text()[self.from..self.input.cursor()];
        if forward
            && !self.offers.has_chosen()
            && self.offers.len() > 1
            && let Some(common) = self.offers.common(typed).map(str::to_owned)
        {
            self.input.replace(self.from, &common);
            return self.offer(world);
        }
        let only = self.offers.len() == 1;
        let Some(word) = self.offers.step(forward) else { return };
        let word = quoted(word, world);
        if only {
            self.input.replace(self.from, &(word + " "));
            return self.offer(world);
        }
        self.input.replace(self.from, &word);
    }

    fn recall(&mut self, by: isize, world: &World) {
        let to = self.at.saturating_add_signed(by).min(self.history.len());
        if to == self.at {
            return;
        }
        if self.at == self.history.len() {
            self.input.text().clone_into(&mut self.draft);
        }
        self.at = to;
        self.input = Input::with(self.history.get(to).unwrap_or(&self.draft).clone());
        self.offer(world);
    }

    fn accept(&mut self, world: &World) -> Reaction {
        let line = self.input.text().trim().to_owned();
        if line.is_empty() {
            return Reaction::close();
        }
        let statements = match world.line.statements(&line) {
            Ok(statements) => statements,
            Err(sentence) => return self.refuse(&sentence),
        };
        if let [words] = statements.as_slice()
            && let Some(done) = self.own(words, &line, world)
        {
            return done;
        }
        if let Err(sentence) = statements.iter().try_for_each(|words| world.line.check(words)) {
            return self.refuse(&sentence);
        }
        // A password is not for a file.
        let keeps = statements.iter().all(|words| words.first().is_none_or(|verb| verb != "login"));
        let mut effects: Vec<Effect> = keeps.then_some(Effect::Remember(line)).into_iter().collect();
        match <[Vec<String>; 1]>::try_from(statements) {
            Ok([words]) => effects.push(Effect::Perform(words)),
            Err(statements) if statements.is_empty() => effects.clear(),
            Err(statements) => effects.push(Effect::Script(statements)),
        }
        Reaction::close().and(Reaction { effects, ..Reaction::default() })
    }

    fn refuse(&mut self, sentence: &str) -> Reaction {
        self.wrong = Some(text::clean(sentence).into_owned());
        Reaction::none()
    }

    /// Does what the screens do themselves; `None` for a verb.
    fn own(&mut self, words: &[String], line: &str, world: &World) -> Option<Reaction> {
        use crate::tui::screen::menu::Deed;
        let then = |action| Reaction { then: Some(Deed::Act(action)), ..Reaction::close() };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Some(match words.as_slice() {
            ["q" | "quit" | "exit"] => then(Action::Quit),
            ["help" | "h"] => then(Action::Help),
            ["theme"] => then(Action::Theme),
            ["theme", name] if world.config.themes.names().iter().any(|known| known == name) => {
                let change = Some(Setting::Theme((*name).to_owned()));
                Reaction { change, effects: vec![Effect::Remember(line.to_owned())], ..Reaction::close() }
            }
            ["theme", name] => {
                let known = world.config.themes.names().join(", ");
                self.refuse(&format!("there is no theme {name:?}; there are {known}"))
            }
            ["q" | "quit" | "help" | "theme", ..] => self.refuse(&format!("{} takes no more words than that", words[0])),
            _ => return None,
        })
    }
}

/// What of the screens' own words fits.
fn own(typed: &str, world: &World) -> Vec<Completion> {
    let offer = |word: &str, about: &str| Completion { word: word.to_owned(), about: about.to_owned() };
    let mut offers: Vec<Completion> = match typed.trim_start().split_once(' ') {
        None if !typed.contains(';') => OWN.iter().map(|(word, about)| offer(word, about)).collect(),
        Some(("theme", _)) => world.config.themes.names().iter().map(|name| offer(name, if name == world.theme.name() { "the one now" } else { "" })).collect(),
        _ => Vec::new(),
    };
    let begun = typed.rsplit(' ').next().unwrap_or_default();
    offers.retain(|offer| offer.word.starts_with(begun) && offer.word != begun);
    offers
}

/// A completed word as it must be typed.
fn quoted(word: &str, world: &World) -> String {
    world.line.quote(&[word.to_owned()])
}

impl Screen for CommandLine {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::CommandLine]
    }

    fn takes(&self, action: Action) -> bool {
        use Action as A;
        matches!(action, A::Complete | A::NextField | A::PreviousField | A::HistoryPrevious | A::HistoryNext | A::Up | A::Down)
            || matches!(action, A::Accept | A::Open | A::Back)
    }

    fn typed(&mut self, key: KeyEvent, world: &World) -> Option<Reaction> {
        let before = self.input.clone();
        if !self.input.typed(key) {
            return None;
        }
        if before != self.input {
            self.offer(world);
        }
        Some(Reaction::none())
    }

    fn pasted(&mut self, words: &str, world: &World) -> Option<Reaction> {
        self.input.insert(words);
        self.offer(world);
        Some(Reaction::none())
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        match action {
            Action::Complete | Action::NextField => self.complete(true, world),
            Action::PreviousField => self.complete(false, world),
            Action::HistoryPrevious | Action::Up => self.recall(-1, world),
            Action::HistoryNext | Action::Down => self.recall(1, world),
            Action::Accept | Action::Open => return Some(self.accept(world)),
            Action::Back => return Some(Reaction::close()),
            _ => return None,
        }
        Some(Reaction::none())
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        let theme = &world.theme;
        let buffer = frame.buffer_mut();
        if area.height == 0 {
            return;
        }
        let line = Rect { y: area.bottom() - 1, height: 1, ..area };
        let room = area.height.saturating_sub(2);
        let said = self.wrong.as_deref().map(|wrong| (wrong, theme.failed())).or(self.usage.as_deref().map(|usage| (usage, theme.muted())));
        let rows = if said.is_some() { 1.min(area.height - 1) } else { u16::try_from(self.offers.len()).unwrap_or(SHOWN).min(SHOWN).min(room) };
        let list = Rect { y: line.y - rows, height: rows, ..area };
        let all = Rect { y: list.y, height: rows + 1, ..area };
        Clear.render(all, buffer);
        buffer.set_style(all, theme.panel());
        match said {
            Some((words, style)) if rows > 0 => {
                let room = usize::from(list.width.saturating_sub(3));
                buffer.set_stringn(list.x + 1, list.y, text::truncate(&text::clean(words), room), room, style);
            }
            Some(_) => {}
            None => self.offers.draw(list, buffer, theme),
        }
        buffer.set_stringn(line.x, line.y, ":", 1, theme.accent());
        let cursor = self.input.draw(Rect { x: line.x + 1, width: line.width.saturating_sub(1), ..line }, buffer, theme.text());
        frame.set_cursor_position(cursor);
    }
}
