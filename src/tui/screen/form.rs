//! A form: fields that stand for the words of one verb, with the equal command line below as it is edited.

mod face;

use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Context};
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::field::{Field, Place};
use crate::tui::widget::offers::Offers;
use crate::tui::world::World;
use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

/// The form.
#[derive(Debug)]
pub struct Form {
    title: &'static str,
    /// What the button says.
    button: &'static str,
    verb: &'static str,
    fields: Vec<Field>,
    /// The field that gets keys; behind the last one stands the button.
    at: usize,
    /// The first line of fields that is shown.
    top: u16,
    offers: Offers,
    /// The offers are shown.
    offering: bool,
    /// What is wrong, and with which field; told of an empty field only once it was tried.
    wrong: Option<(Option<usize>, String)>,
    tried: bool,
    words: Vec<String>,
    /// Which of the earlier ones is shown; 0 is what is being typed.
    recalled: usize,
    draft: Vec<String>,
    areas: Vec<Rect>,
}

impl Form {
    /// A form of `verb` with these fields.
    pub fn new(title: &'static str, button: &'static str, verb: &'static str, fields: Vec<Field>, world: &World) -> Self {
        let mut form = Self {
            title,
            button,
            verb,
            at: 0,
            top: 0,
            offers: Offers::default(),
            offering: false,
            wrong: None,
            tried: false,
            words: Vec::new(),
            recalled: 0,
            draft: Vec::new(),
            areas: vec![Rect::default(); fields.len() + 1],
            fields,
        };
        // What is given already need not be typed again.
        form.at = form.fields.iter().position(|field| field.is_empty() && field.needed).unwrap_or(0);
        form.edited(world);
        form
    }

    /// Begins at the field called `label`.
    #[must_use]
    pub fn from(mut self, label: &str) -> Self {
        self.at = self.fields.iter().position(|field| field.label == label).unwrap_or(self.at);
        self
    }

    /// The words as they are now: options, then what they are for.
    fn assemble(&self, without: Option<usize>, world: &World) -> Result<Vec<String>, (usize, String)> {
        let mut words: Vec<String> = self.verb.split(' ').map(str::to_owned).collect();
        for plain in [false, true] {
            for (at, field) in self.fields.iter().enumerate() {
                if matches!(field.place, Place::Word | Place::Words) == plain && without != Some(at) {
                    words.extend(field.words(&*world.line).map_err(|sentence| (at, sentence))?);
                }
            }
        }
        Ok(words)
    }

    /// Something is another than it was.
    fn edited(&mut self, world: &World) {
        self.wrong = None;
        match self.assemble(None, world) {
            Err((at, sentence)) => self.wrong = Some((Some(at), sentence)),
            Ok(words) => {
                if let Some(at) = self.fields.iter().position(|field| field.needed && field.is_empty()) {
                    self.wrong = Some((Some(at), format!("{} is needed", self.fields[at].label)));
                } else if let Err(sentence) = world.line.check(&words) {
                    self.wrong = Some((self.culprit(world), sentence));
                }
                self.words = words;
            }
        }
        let names = world.names();
        self.offers.set(self.fields.get(self.at).map(|field| field.offers(&names)).unwrap_or_default());
    }

    /// The field without which all would be well.
    fn culprit(&self, world: &World) -> Option<usize> {
        let spares = |at: &usize| !self.fields[*at].is_empty() && self.fields[*at].place != Place::Word;
        (0..self.fields.len()).filter(spares).find(|&at| self.assemble(Some(at), world).is_ok_and(|words| world.line.check(&words).is_ok()))
    }

    /// What is to be told of what is wrong.
    fn told(&self) -> Option<(Option<usize>, &str)> {
        let (at, sentence) = self.wrong.as_ref()?;
        let quiet = at.is_some_and(|at| self.fields[at].is_empty()) && !self.tried;
        (!quiet).then_some((*at, sentence.as_str()))
    }

    fn go(&mut self, to: usize, world: &World) -> Reaction {
        self.at = to;
        self.offering = false;
        self.edited(world);
        Reaction::none()
    }

    fn step(&mut self, forward: bool, world: &World) -> Reaction {
        let count = self.fields.len() + 1;
        self.go((self.at + if forward { 1 } else { count - 1 }) % count, world)
    }

    fn complete(&mut self, forward: bool, world: &World) {
        self.offering = true;
        let Some(field) = self.fields.get_mut(self.at) else { return };
        if let Some(word) = self.offers.step(forward) {
            field.set(word);
            // The list stays as it was, to be walked on.
            let offers = std::mem::take(&mut self.offers);
            self.edited(world);
            self.offers = offers;
        }
    }

    fn accept(&mut self, world: &World) -> Reaction {
        self.tried = true;
        self.edited(world);
        if let Some((at, _)) = &self.wrong {
            self.at = at.unwrap_or(self.at);
            return Reaction::none();
        }
        let effects = vec![Effect::Remember(world.line.quote(&self.words)), Effect::Perform(self.words.clone())];
        Reaction::close().and(Reaction { effects, ..Reaction::default() })
    }

    /// Shows an earlier one, or a later one again.
    fn recall(&mut self, earlier: bool, world: &World) {
        let verb: Vec<String> = self.verb.split(' ').map(str::to_owned).collect();
        let past: Vec<Vec<String>> = world
            .history
            .iter()
            .rev()
            .filter_map(|line| {
                let words = world.line.statements(line).ok().filter(|statements| statements.len() == 1)?.remove(0);
                (words.starts_with(&verb) && self.read(&words[verb.len()..], world).is_some()).then(|| words[verb.len()..].to_vec())
            })
            .collect();
        let to = if earlier { (self.recalled + 1).min(past.len()) } else { self.recalled.saturating_sub(1) };
        if to == self.recalled {
            return;
        }
        if self.recalled == 0 {
            self.draft = self.words.get(verb.len()..).unwrap_or_default().to_vec();
        }
        let words = if to == 0 { &self.draft } else { &past[to - 1] };
        if let Some(texts) = self.read(words, world) {
            self.fields.iter_mut().zip(&texts).for_each(|(field, text)| field.set(text));
            self.recalled = to;
        }
        self.edited(world);
    }

    /// The fields' texts as words mean them; `None` for words that this form has no field for.
    fn read(&self, words: &[String], world: &World) -> Option<Vec<String>> {
        let mut texts = vec![String::new(); self.fields.len()];
        let mut words = words.iter().peekable();
        while let Some(word) = words.next_if(|word| word.starts_with('-')) {
            let at = self.fields.iter().position(|field| match field.place {
                Place::Switch(switch) => word == switch,
                Place::Option(option) | Place::Each(option) => word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')),
                Place::Word | Place::Words => false,
            })?;
            match self.fields[at].place {
                Place::Option(option) | Place::Each(option) => {
                    let value = match word[option.len()..].strip_prefix('=') {
                        Some(value) => value.to_owned(),
                        None => words.next()?.clone(),
                    };
                    if !texts[at].is_empty() {
                        texts[at].push('\n');
                    }
                    texts[at].push_str(&value);
                }
                _ => "on".clone_into(&mut texts[at]),
            }
        }
        for (at, field) in self.fields.iter().enumerate() {
            match field.place {
                Place::Word => texts[at].clone_from(words.next()?),
                Place::Words => texts[at] = world.line.quote(&words.by_ref().cloned().collect::<Vec<_>>()),
                _ => {}
            }
        }
        words.next().is_none().then_some(texts)
    }
}

impl Screen for Form {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Dialog]
    }

    fn takes(&self, action: Action) -> bool {
        use Action as A;
        matches!(action, A::NextField | A::PreviousField | A::Accept | A::Back | A::Complete | A::HistoryPrevious | A::HistoryNext)
    }

    fn fits(&self, action: Action, world: &World) -> bool {
        match action {
            Action::Complete => !self.offers.is_empty(),
            Action::HistoryPrevious => world.history.iter().any(|line| line.starts_with(self.verb)),
            _ => true,
        }
    }

    fn typed(&mut self, key: KeyEvent, world: &World) -> Option<Reaction> {
        if self.offering && !self.offers.is_empty() && key.modifiers.is_empty() {
            match key.code {
                KeyCode::Down | KeyCode::Up => {
                    self.complete(key.code == KeyCode::Down, world);
                    return Some(Reaction::none());
                }
                KeyCode::Enter if self.offers.has_chosen() => {
                    self.offering = false;
                    self.edited(world);
                    return Some(Reaction::none());
                }
                _ => {}
            }
        }
        let Some(field) = self.fields.get_mut(self.at) else {
            // The button: a space presses it as well.
            return (key.code == KeyCode::Char(' ')).then(|| self.accept(world));
        };
        let before = field.text();
        if !field.typed(key) {
            return None;
        }
        if field.text() != before {
            self.recalled = 0;
            self.offering = !field.is_switch();
            self.edited(world);
        }
        Some(Reaction::none())
    }

    fn pasted(&mut self, words: &str, world: &World) -> Option<Reaction> {
        self.fields.get_mut(self.at)?.pasted(words);
        self.edited(world);
        Some(Reaction::none())
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        match action {
            Action::NextField => Some(self.step(true, world)),
            Action::PreviousField => Some(self.step(false, world)),
            Action::Accept => Some(self.accept(world)),
            Action::Back if self.offering && !self.offers.is_empty() => {
                self.offering = false;
                Some(Reaction::none())
            }
            Action::Back => Some(Reaction::close()),
            Action::Complete => {
                self.complete(true, world);
                Some(Reaction::none())
            }
            Action::HistoryPrevious | Action::HistoryNext => {
                self.recall(action == Action::HistoryPrevious, world);
                Some(Reaction::none())
            }
            _ => None,
        }
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Option<Reaction> {
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                let place = Position::new(event.column, event.row);
                let at = self.areas.iter().position(|area| area.contains(place))?;
                if let Some(field) = self.fields.get_mut(at) {
                    field.turn();
                    return Some(self.go(at, world));
                }
                Some(self.accept(world))
            }
            MouseEventKind::ScrollDown => Some(self.step(true, world)),
            MouseEventKind::ScrollUp => Some(self.step(false, world)),
            _ => None,
        }
    }

    fn equal(&self, _world: &World) -> Option<String> {
        Some(format!("{} …", self.verb))
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        face::draw(self, area, frame, world);
    }
}
