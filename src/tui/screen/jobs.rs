//! The jobs: everything that runs and was done, here and in other processes, and how far it is.

mod row;

use crate::text::clean;
use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::Reaction;
use crate::tui::screen::command::CommandLine;
use crate::tui::screen::excerpt::{taken, text};
use crate::tui::screen::list::{Captions, List, ListPane};
use crate::tui::screen::output::{self, Output};
use crate::tui::widget::bars;
use crate::tui::widget::frame::frame;
use crate::tui::widget::pager::{Line, Pager};
use crate::tui::widget::table::{Column, Table};
use crate::tui::world::World;
use crossterm::event::MouseEvent;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Margin, Position, Rect};
use row::Entry;

const COLUMNS: &[Column] = &[
    Column { title: "STATE", least: 11, most: 11, right: false, sheds: 0 },
    Column { title: "COMMAND", least: 16, most: 60, right: false, sheds: 0 },
    Column { title: "STARTED", least: 7, most: 10, right: false, sheds: 2 },
    Column { title: "TOOK", least: 7, most: 8, right: true, sheds: 1 },
    Column { title: "RESULT", least: 10, most: 100, right: false, sheds: 3 },
];

/// The pane.
#[derive(Debug)]
pub struct Jobs {
    list: List<()>,
    /// What the selected one printed.
    printed: Pager,
    areas: [Rect; 2],
}

impl Default for Jobs {
    fn default() -> Self {
        Self::new()
    }
}

impl Jobs {
    /// The pane before the first look.
    pub fn new() -> Self {
        let mut printed = Pager::new(10_000, true);
        // There is no walking sideways in it.
        printed.act(Action::Wrap);
        Self { list: List::new(Table::new(COLUMNS, None).without_marks(), ()), printed, areas: [Rect::default(); 2] }
    }

    /// Goes to what was begun here just now.
    fn begun(&mut self, world: &World) {
        self.refresh(world);
        if let Some(newest) = world.works.last() {
            self.list.table.select(&Entry::Work(newest, Vec::new()).key());
        }
    }

    fn refresh(&mut self, world: &World) {
        self.list.table.set(row::entries(world).iter().map(|entry| entry.row(world)).collect());
    }

    fn selected<'a>(&self, world: &'a World) -> Option<Entry<'a>> {
        let key = self.list.table.selected()?;
        row::entries(world).into_iter().find(|entry| entry.key() == key)
    }

    fn cancel(&self, world: &World) -> Reaction {
        match self.selected(world) {
            Some(entry) if !entry.is_running() => Reaction::error("it has ended already: there is nothing to cancel"),
            Some(Entry::Work(work, _)) => Reaction::effect(Effect::Cancel(work.id)),
            Some(Entry::Job(job)) if job.pid == i64::from(std::process::id()) => Reaction::error("it is a part of another job here: cancel that one"),
            Some(Entry::Job(job)) => {
                Reaction::error(format!("it belongs to process {}: only that one can call it off (ctrl-c there, or kill {})", job.pid, job.pid))
            }
            None => Reaction::error("no job is selected"),
        }
    }

    fn repeat(&self, world: &World) -> Reaction {
        match self.selected(world) {
            Some(Entry::Work(work, _)) if work.statements.len() == 1 => Reaction::perform(work.statements[0].clone()),
            Some(Entry::Work(work, _)) => Reaction::effect(Effect::Script(work.statements.clone())),
            // The list keeps what it was called, not each of its options: it is for the user to say them again.
            Some(Entry::Job(job)) => {
                Reaction::open(CommandLine::with(job.title.clone(), world)).and(Reaction::say("the list keeps a job's title alone: add the options it had"))
            }
            None => Reaction::error("no job is selected"),
        }
    }

    fn lines(entry: &Entry<'_>, world: &World) -> Vec<Line> {
        match entry {
            Entry::Work(work, _) => output::lines(work),
            Entry::Job(job) => row::about(job, world),
        }
    }

    fn open(&self, world: &World) -> Reaction {
        match self.selected(world) {
            Some(Entry::Work(work, _)) => Reaction::open(Output::of(work.id, world)),
            Some(entry @ Entry::Job(job)) => Reaction::open(Output::lines(job.title.clone(), Self::lines(&entry, world))),
            None => Reaction::none(),
        }
    }

    fn details(&mut self, area: Rect, frame_: &mut Frame<'_>, world: &World) {
        let buffer = frame_.buffer_mut();
        let Some(entry) = self.selected(world) else { return };
        let inner = frame(area, buffer, &world.theme, &clean(entry.title()), "", false).inner(Margin { horizontal: 1, vertical: 0 });
        let parts = match &entry {
            Entry::Work(work, _) => bars::height(&work.parts),
            Entry::Job(_) => 0,
        };
        self.printed.set(Self::lines(&entry, world));
        // What was printed last, a failure above all, is worth a few lines beside the bars.
        let rest = if self.printed.is_empty() { 0 } else { (inner.height / 3).clamp(1, 4) };
        let above = parts.min(inner.height.saturating_sub(rest));
        let [above, _, below] =
            Layout::vertical([Constraint::Length(above), Constraint::Length(u16::from(above > 0 && inner.height > above + 1)), Constraint::Min(0)])
                .areas(inner);
        if let Entry::Work(work, _) = &entry {
            bars::draw(above, buffer, &world.theme, &work.parts, work.ended.is_some());
        }
        if self.printed.is_empty() && parts == 0 {
            let words = if entry.is_running() { "Nothing yet." } else { "It said nothing." };
            buffer.set_stringn(below.x, below.y, words, usize::from(below.width), world.theme.muted());
        }
        self.printed.draw(below, buffer, &world.theme);
    }
}

impl ListPane for Jobs {
    type Details = ();

    const CONTEXT: Context = Context::Jobs;

    fn list(&self) -> &List<()> {
        &self.list
    }

    fn list_mut(&mut self) -> &mut List<()> {
        &mut self.list
    }

    fn does(&self, action: Action) -> bool {
        matches!(action, Action::CancelJob | Action::RepeatJob | Action::Open | Action::Inspect | Action::Copy | Action::Save)
    }

    fn fits(&self, action: Action, world: &World) -> bool {
        match action {
            Action::CancelJob => self.selected(world).is_some_and(|entry| entry.is_running()),
            Action::RepeatJob => self.selected(world).is_some_and(|entry| !entry.is_running()),
            _ => self.list.table.counts().1 > 0,
        }
    }

    fn command(&mut self, action: Action, world: &World) -> Option<Reaction> {
        Some(match action {
            Action::CancelJob => self.cancel(world),
            Action::RepeatJob => self.repeat(world),
            Action::Open | Action::Inspect => self.open(world),
            Action::Copy | Action::Save => {
                let Some(entry) = self.selected(world) else { return Some(Reaction::error("no job is selected")) };
                return taken(action, entry.title(), || text(&Self::lines(&entry, world)));
            }
            _ => return None,
        })
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        if matches!(news, News::Began(..)) {
            self.begun(world);
        }
        if matches!(news, News::Snapshot(_) | News::Ended(..) | News::Said(_, crate::tui::line::Said::Job(_))) {
            self.refresh(world);
        }
        Reaction::none()
    }

    fn shown(&mut self, front: bool, world: &World) -> Reaction {
        if front {
            self.refresh(world);
        }
        Reaction::none()
    }

    fn captions(&self, world: &World) -> Captions {
        let (all, running) = (self.list.table.counts().0, row::entries(world).iter().filter(|entry| entry.is_running()).count());
        Captions {
            title: if running > 0 { format!("Jobs {all}, {running} at work") } else { format!("Jobs {all}") },
            note: self.list.table.note(),
            empty: "No jobs yet: whatever is done in this store is listed here, also by other processes.",
            ..Captions::default()
        }
    }

    fn paint(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        // Times and sums change with every second, whether there are news or not.
        self.refresh(world);
        let (all, shown) = self.list.table.counts();
        let wanted = if area.height < 12 || all == 0 { area.height } else { (shown as u16).saturating_add(3).clamp(6, area.height / 2) };
        self.areas = Layout::vertical([Constraint::Length(wanted), Constraint::Min(0)]).areas(area);
        let captions = self.captions(world);
        self.list.draw(self.areas[0], frame.buffer_mut(), world, &captions);
        if all > 0 && self.areas[1].height > 0 {
            self.details(self.areas[1], frame, world);
        }
    }

    fn mouse_beside(&mut self, event: MouseEvent) -> bool {
        self.areas[1].contains(Position::new(event.column, event.row)) && self.printed.mouse(event)
    }
}
