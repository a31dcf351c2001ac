//! What all screens look at: the snapshot, live figures, the works of this session, how things look and which keys do what.

use crate::container::network::Forward;
use crate::container::past::{Moment, SECONDS};
use crate::container::{Container, Status};
use crate::engine::Snapshot;
use crate::engine::network::Berths;
use crate::id::ContainerId;
use crate::tui::config::Config;
use crate::tui::effect::{Ticket, WorkId};
use crate::tui::line::{CommandLine, Names};
use crate::tui::session::Work;
use crate::tui::theme::{Depth, Signs, Theme};
use jiff::tz::TimeZone;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Samples kept of each container: two minutes at one a second.
const KEPT: usize = 120;
/// Works kept after their end.
const WORKS: usize = 200;

/// What a container takes, at one moment; `None` where the kernel does not tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Whose.
    pub container: ContainerId,
    /// When, seconds since 1970.
    pub at: i64,
    /// Processor time in hundredths of one processor, since the last sample.
    pub cpu: Option<f64>,
    /// The most it may be.
    pub cpu_limit: Option<f64>,
    /// Share of the scheduler's periods in which it was held back, 0 to 1, since the last sample.
    pub throttled: Option<f64>,
    /// Share of that time in which some of it waited for memory, 0 to 1.
    pub memory_pressure: Option<f64>,
    /// Bytes of memory in use, without what could be dropped.
    pub memory: Option<u64>,
    /// Most bytes of it.
    pub memory_limit: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// Bytes a second on a link, as those see it who are behind it: what the link here sends, a container receives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Into the container, or the network.
    pub received: f64,
    /// Out of it.
    pub sent: f64,
}

/// All of it.
#[derive(Debug)]
pub struct World {
    /// The truth, as of the last look.
    pub snapshot: Arc<Snapshot>,
    /// Whether there was a look already.
    pub looked: bool,
    /// The last two minutes of each running container, oldest first.
    pub figures: HashMap<ContainerId, VecDeque<Figure>>,
    /// The whole machine, second by second, as long as this session looks: an hour at most.
    pub machine: Vec<Moment>,
    /// Newest last.
    pub works: Vec<Work>,
    /// How things look.
    pub theme: Theme,
    /// How many colours the terminal has.
    pub depth: Depth,
    /// What charts are drawn with.
    pub signs: Signs,
    /// Where clocks are read.
    pub zone: TimeZone,
    /// What the user set, the keys among it.
    pub config: Config,
    /// The command line.
    pub line: Arc<dyn CommandLine>,
    /// Lines typed before, oldest first.
    pub history: Vec<String>,
    /// The time on screen.
    pub now: jiff::Timestamp,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    next: AtomicU64,
}

impl World {
    /// A world before the first look.
    pub fn new(config: Config, depth: Depth, line: Arc<dyn CommandLine>, size: (u16, u16)) -> Self {
        let now = jiff::Timestamp::now();
        let snapshot = Snapshot {
            taken: now,
            driver: "",
            containers: Vec::new(),
            images: Vec::new(),
            volumes: Vec::new(),
            networks: Vec::new(),
            jobs: Vec::new(),
            damaged: Vec::new(),
        };
        let (snapshot, theme, signs) = (Arc::new(snapshot), config.theme.at(depth), config.charts.unwrap_or_default());
        Self {
            snapshot,
            looked: false,
            figures: HashMap::new(),
            machine: Vec::new(),
            works: Vec::new(),
            theme,
            depth,
            signs,
            zone: TimeZone::system(),
            config,
            line,
            history: Vec::new(),
            now,
            size,
            next: AtomicU64::new(1),
        }
    }

    /// A number that was not given before.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A container by its identity.
    pub fn container(&self, id: &str) -> Option<&Container> {
        self.snapshot.containers.iter().find(|container| container.id.as_str() == id)
    }

    /// An image by its identity.
    pub fn image(&self, id: &str) -> Option<&crate::engine::images::Image> {
        self.snapshot.images.iter().find(|image| image.id.as_str() == id)
    }

    /// A network, with all that is on it, by its identity.
    pub fn network(&self, id: &str) -> Option<&Berths> {
        self.snapshot.networks.iter().find(|berths| berths.network.id.as_str() == id)
    }

    /// What is published of a container.
    pub fn forwards(&self, id: &ContainerId) -> impl Iterator<Item = &Forward> {
        self.snapshot.networks.iter().flat_map(|berths| &berths.forwards).filter(move |forward| forward.container == *id)
    }

    /// The last figure of a container.
    pub fn figure(&self, id: &ContainerId) -> Option<&Figure> {
        self.figures.get(id)?.back()
    }

    /// Notes a new sample.
    pub fn sampled(&mut self, figures: Vec<Figure>) {
        self.figures.retain(|id, _| figures.iter().any(|figure| figure.container == *id));
        for figure in figures {
            let past = self.figures.entry(figure.container.clone()).or_default();
            if past.len() == KEPT {
                past.pop_front();
            }
            past.push_back(figure);
        }
    }

    /// Notes what the machine used.
    pub fn machine_sampled(&mut self, moment: Moment) {
        // A clock that was set back begins anew.
        self.machine.retain(|known| known.at < moment.at);
        self.machine.push(moment);
        if self.machine.len() > SECONDS {
            self.machine.remove(0);
        }
    }

    /// A work of this session.
    pub fn work(&mut self, id: WorkId) -> Option<&mut Work> {
        self.works.iter_mut().find(|work| work.id == id)
    }

    /// Notes that a work began.
    pub fn began(&mut self, id: WorkId, statements: Vec<Vec<String>>) {
        if self.works.len() >= WORKS
            && let Some(old) = self.works.iter().position(|work| work.ended.is_some())
        {
            self.works.remove(old);
        }
        let title = statements.iter().map(|words| self.line.quote(words)).collect::<Vec<_>>().join("; ");
        self.works.push(Work::new(id, title, statements, self.now));
    }

    /// A work of this session, to be looked at.
    pub fn known(&self, id: WorkId) -> Option<&Work> {
        self.works.iter().find(|work| work.id == id)
    }

    /// A second went by: how fast works are is measured.
    pub fn tick(&mut self, now: jiff::Timestamp) {
        self.now = now;
        self.works.iter_mut().filter(|work| work.ended.is_none()).for_each(|work| work.parts.sample(now));
    }

    /// Notes a typed line in the history, as its newest and once.
    pub fn remember(&mut self, line: String) {
        crate::tui::work::history::add(&mut self.history, line);
    }

    /// How many works are not done.
    pub fn busy(&self) -> usize {
        self.works.iter().filter(|work| work.ended.is_none()).count()
    }

    /// How many containers run.
    pub fn running(&self) -> usize {
        self.snapshot.containers.iter().filter(|container| container.state.status == Status::Running).count()
    }

    /// What can be named on the command line.
    pub fn names(&self) -> Names {
        Names {
            containers: self.snapshot.containers.iter().map(|container| container.name.clone()).collect(),
            images: self.snapshot.images.iter().flat_map(|image| image.tags.iter().cloned()).collect(),
            networks: self.snapshot.networks.iter().map(|berths| berths.network.name.clone()).collect(),
            volumes: self.snapshot.volumes.iter().map(|volume| volume.name.clone()).collect(),
        }
    }
}
