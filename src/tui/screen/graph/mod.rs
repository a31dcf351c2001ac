//! The graph of layers: shared ancestry as one trunk, images at their tops, the way to what is selected lit.

mod draw;
mod rows;

use crate::engine::graph::ImageGraph;
use crate::id::{ImageId, LayerId};
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::excerpt::taken;
use crate::tui::screen::files::Files;
use crate::tui::screen::images;
use crate::tui::screen::lineage::Lineage;
use crate::tui::screen::{Reaction, Screen};
use crate::tui::widget::rows::{Hit, Rows};
use crate::tui::world::World;
use crossterm::event::MouseEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use rows::{Line, Row};
use std::collections::HashSet;
use std::sync::Arc;

/// The screen.
#[derive(Debug)]
pub struct Graph {
    lineage: Lineage,
    lines: Vec<Line>,
    place: Rows,
    unfolded: HashSet<LayerId>,
    /// The image that is to be selected once it is known where it stands.
    wanted: Option<ImageId>,
}

impl Graph {
    /// With an image selected.
    pub fn new(wanted: Option<ImageId>) -> Self {
        Self { lineage: Lineage::default(), lines: Vec::new(), place: Rows::default(), unfolded: HashSet::new(), wanted }
    }

    /// What a line is about, the same from one look to the next.
    fn key(graph: &ImageGraph, row: &Row) -> Option<String> {
        Some(match row {
            Row::Layer(layer) => graph.layers.get(*layer)?.id.to_string(),
            Row::Image(image) => format!("image {}", graph.images.get(*image)?.id),
            Row::Container(container) => format!("container {}", graph.containers.get(*container)?.id),
            Row::Fold(layers) => format!("fold {}", graph.layers.get(*layers.first()?)?.id),
        })
    }

    /// Lines anew; the selection stays with what it is about.
    fn arrange(&mut self, before: &ImageGraph) {
        let graph = Arc::clone(&self.lineage.graph);
        let old = self.lines.get(self.place.at).and_then(|line| Self::key(before, &line.row));
        self.lines = rows::lines(&graph, &self.unfolded);
        let wanted = self.wanted.take().and_then(|id| self.lines.iter().position(|line| matches!(line.row, Row::Image(image) if graph.images[image].id == id)));
        let same = old.and_then(|old| self.lines.iter().position(|line| Self::key(&graph, &line.row).as_ref() == Some(&old)));
        self.place.at = wanted.or(same).unwrap_or(self.place.at).min(self.lines.len().saturating_sub(1));
    }

    fn row(&self) -> Option<&Row> {
        self.lines.get(self.place.at).map(|line| &line.row)
    }

    fn unfold(&mut self) -> bool {
        let Some(Row::Fold(layers)) = self.row() else { return false };
        let first = layers[0];
        let graph = Arc::clone(&self.lineage.graph);
        self.unfolded.insert(graph.layers[first].id.clone());
        self.arrange(&graph);
        // The first of what was hidden stands where the fold stood.
        if let Some(at) = self.lines.iter().position(|line| line.row == Row::Layer(first)) {
            self.place.at = at;
        }
        true
    }

    fn fold(&mut self) {
        let graph = Arc::clone(&self.lineage.graph);
        let first = match self.row() {
            Some(Row::Layer(layer)) => rows::fold_of(&graph, *layer),
            _ => None,
        };
        let Some(first) = first else { return };
        self.unfolded.remove(&graph.layers[first].id);
        self.arrange(&graph);
        if let Some(at) = self.lines.iter().position(|line| matches!(&line.row, Row::Fold(layers) if layers.first() == Some(&first))) {
            self.place.at = at;
        }
    }

    /// The files of the selected layer, or of the selected image as a whole.
    fn open(&mut self) -> Reaction {
        if self.unfold() {
            return Reaction::none();
        }
        let graph = &self.lineage.graph;
        let (of, top, all) = match self.row() {
            Some(Row::Layer(layer)) => (format!("layer {}", graph.layers[*layer].id.short()), Some(*layer), false),
            Some(Row::Image(image)) => (graph.images[*image].name().to_owned(), graph.images[*image].layers.last().copied(), true),
            Some(Row::Container(container)) => (graph.containers[*container].name.clone(), graph.containers[*container].layer, true),
            Some(Row::Fold(_)) | None => return Reaction::none(),
        };
        let mut layers = Vec::new();
        let mut at = top;
        while let Some(layer) = at.filter(|_| layers.len() < graph.layers.len()) {
            layers.push(graph.layers[layer].id.clone());
            at = graph.layers[layer].parent;
        }
        layers.reverse();
        if layers.is_empty() { Reaction::say("it has no layers, so that there are no files") } else { Reaction::open(Files::new(of, layers, all)) }
    }

    fn image<'a>(&self, world: &'a World) -> Option<&'a crate::engine::images::Image> {
        match self.row()? {
            Row::Image(image) => world.image(self.lineage.graph.images[*image].id.as_str()),
            _ => None,
        }
    }

    /// The identity of what is selected into the clipboard; of a fold those of all that it hides.
    fn copy(&self) -> Option<Reaction> {
        let graph = &self.lineage.graph;
        let id = match self.row()? {
            Row::Layer(layer) => graph.layers[*layer].id.to_string(),
            Row::Image(image) => graph.images[*image].id.to_string(),
            Row::Container(container) => graph.containers[*container].id.to_string(),
            Row::Fold(layers) => {
                let ids: Vec<String> = layers.iter().map(|&layer| graph.layers[layer].id.to_string()).collect();
                return Some(Reaction::copy(ids.join("\n"), &format!("the identities of {} layers", layers.len())));
            }
        };
        Some(Reaction::copy(id.as_str(), &id))
    }
}

impl Screen for Graph {
    fn contexts(&self) -> Vec<Context> {
        vec![Context::Layers, Context::List]
    }

    fn takes(&self, action: Action) -> bool {
        use Action as A;
        let takes = matches!(action, A::Open | A::Diff | A::Left | A::Right | A::Layers | A::Remove);
        takes || Rows::takes(action) || (matches!(action, A::Copy | A::Save) && !self.lines.is_empty())
    }

    fn fits(&self, action: Action, world: &World) -> bool {
        action != Action::Remove || self.image(world).is_some()
    }

    fn act(&mut self, action: Action, world: &World) -> Option<Reaction> {
        if self.place.act(action, self.lines.len()) {
            return Some(Reaction::none());
        }
        Some(match action {
            Action::Open | Action::Diff => self.open(),
            Action::Right => {
                self.unfold();
                Reaction::none()
            }
            Action::Left => {
                self.fold();
                Reaction::none()
            }
            // The key that opened it closes it.
            Action::Layers => Reaction::close(),
            Action::Remove => match self.image(world) {
                Some(image) => images::removal(world, &self.lineage, &[image.id.to_string()]),
                None => Reaction::error("layers go with the last image that has them: select an image"),
            },
            Action::Copy => self.copy().unwrap_or_default(),
            _ => return taken(action, "layers", || draw::text(&self.lines, &self.lineage.graph, &world.theme)),
        })
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Option<Reaction> {
        match self.place.mouse(event, self.lines.len()) {
            Hit::Nothing => None,
            Hit::Moved => Some(Reaction::none()),
            Hit::Opened => self.act(Action::Open, world),
        }
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        match news {
            News::Snapshot(_) => self.lineage.refresh(world),
            News::Answer(ticket, answer) => {
                let before = Arc::clone(&self.lineage.graph);
                if self.lineage.hear(*ticket, answer) {
                    self.arrange(&before);
                }
                Reaction::none()
            }
            _ => Reaction::none(),
        }
    }

    fn shown(&mut self, front: bool, world: &World) -> Reaction {
        if front { self.lineage.refresh(world) } else { self.lineage.leave() }
    }

    fn draw(&mut self, area: Rect, frame: &mut Frame<'_>, world: &World) {
        self.paint(area, frame.buffer_mut(), world);
    }

    fn floats(&self) -> bool {
        false
    }
}
