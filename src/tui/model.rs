//! Everything on screen, as one value: what `update` changes and `view` draws.

use crate::tui::keymap::{Action, Context, HelpRow, Hint};
use crate::tui::screen::{Pane, Screen, console, containers, images, jobs, networks, volumes};
use crate::tui::world::World;
use ratatui::layout::Rect;

/// A sentence at the bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Harmless text.
    pub text: String,
    /// An error stays until it is dismissed; good news goes by itself.
    pub is_error: bool,
    /// When it was said.
    pub at: jiff::Timestamp,
}

/// All of it.
#[derive(Debug)]
pub struct Model {
    /// What all screens look at.
    pub world: World,
    /// The panes, in the order of [`Pane::ALL`].
    pub panes: [Box<dyn Screen>; Pane::ALL.len()],
    /// The pane in front.
    pub pane: Pane,
    /// The pane that was in front before.
    pub before: Pane,
    /// What is laid over it, the topmost last.
    pub layers: Vec<Box<dyn Screen>>,
    /// The sentence at the bottom.
    pub notice: Option<Notice>,
    /// The pane has the whole terminal.
    pub full: bool,
    /// Where the tabs of the panes are, for the mouse.
    pub tabs: Vec<(Pane, Rect)>,
    /// Where the pane is.
    pub body: Rect,
}

impl Model {
    /// The first screen.
    pub fn new(world: World) -> Self {
        let panes: [Box<dyn Screen>; Pane::ALL.len()] = [
            Box::new(containers::Containers::new(&world)),
            Box::new(images::Images::default()),
            Box::new(networks::Networks::default()),
            Box::new(volumes::Volumes::default()),
            Box::new(jobs::Jobs::new()),
            Box::new(console::Consoles::new(&world)),
        ];
        Self {
            world,
            panes,
            pane: Pane::Containers,
            before: Pane::Containers,
            layers: Vec::new(),
            notice: None,
            full: false,
            tabs: Vec::new(),
            body: Rect::default(),
        }
    }

    /// A pane.
    pub fn at(&mut self, pane: Pane) -> &mut Box<dyn Screen> {
        &mut self.panes[pane as usize]
    }

    /// The screen that gets keys, and the world.
    pub fn front(&mut self) -> (&mut Box<dyn Screen>, &World) {
        let screen = match self.layers.last_mut() {
            Some(layer) => layer,
            None => &mut self.panes[self.pane as usize],
        };
        (screen, &self.world)
    }

    /// The screen that gets keys, to be asked.
    pub fn top(&self) -> &dyn Screen {
        &**self.layers.last().unwrap_or(&self.panes[self.pane as usize])
    }

    /// Where keys are looked up now.
    pub fn contexts(&self) -> Vec<Context> {
        self.top().contexts()
    }

    /// Whether an action means something now: to the screen in front, or wherever one is.
    pub fn takes(&self, action: Action) -> bool {
        use Action as A;
        let everywhere = match action {
            A::Back => self.notice.is_some() || self.full || !self.layers.is_empty(),
            A::NextPane
            | A::PreviousPane
            | A::FullScreen
            | A::Run
            | A::Pull
            | A::Menu
            | A::Help
            | A::CommandLine
            | A::Theme
            | A::Redraw
            | A::Suspend
            | A::Quit => true,
            _ => action.pane().is_some_and(|number| number < Pane::ALL.len()),
        };
        everywhere || self.top().takes(action)
    }

    /// Every key that means something now.
    pub fn help(&self) -> Vec<HelpRow> {
        let mut rows = self.world.config.keymap.help(&self.contexts());
        rows.retain(|row| self.takes(row.action));
        rows
    }

    /// The keys to be told of in the line below: those that would do something now.
    pub fn hints(&self, room: usize) -> Vec<Hint> {
        let keymap = &self.world.config.keymap;
        if self.top().is_typing() {
            return keymap.hints(&[Context::CommandLine], room, |action| matches!(action, Action::Accept | Action::Back));
        }
        let screen = self.top();
        // Forms that open everywhere are told of where they are about what is in front.
        let elsewhere = |action| self.takes(action) && !matches!(action, Action::Run | Action::Pull);
        keymap.hints(&self.contexts(), room, |action| if screen.takes(action) { screen.fits(action, &self.world) } else { elsewhere(action) })
    }
}
