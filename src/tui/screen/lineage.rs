//! How images share their layers, asked for anew when that may have changed; what is read from it in words and sums.

use crate::engine::graph::{ImageGraph, ImageNode};
use crate::text;
use crate::tui::effect::{Question, Ticket};
use crate::tui::msg::Answer;
use crate::tui::screen::Reaction;
use crate::tui::screen::inquiry::Inquiry;
use crate::tui::world::World;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The graph as it was told last.
#[derive(Debug, Default)]
pub struct Lineage {
    /// It.
    pub graph: Arc<ImageGraph>,
    /// Whether it was told at all.
    pub known: bool,
    /// Why it cannot be told.
    pub failed: Option<String>,
    inquiry: Inquiry,
    /// Of which images and containers it was asked.
    of: Option<u64>,
}

impl Lineage {
    /// Asks again if images or containers are others than they were.
    pub fn refresh(&mut self, world: &World) -> Reaction {
        let of = stand(world);
        if self.of == Some(of) || !world.looked {
            return Reaction::none();
        }
        self.of = Some(of);
        self.inquiry.ask(Question::Graph, world)
    }

    /// Asks again when it is shown next.
    pub fn leave(&mut self) -> Reaction {
        self.of = None;
        self.inquiry.forget()
    }

    /// Hears an answer; false if it is to another question.
    pub fn hear(&mut self, ticket: Ticket, answer: &Answer) -> bool {
        if !self.inquiry.ends_with(ticket) {
            return false;
        }
        match answer {
            Answer::Graph(graph) => {
                self.graph = Arc::clone(graph);
                (self.known, self.failed) = (true, None);
            }
            Answer::Failed(sentence) => self.failed = Some(sentence.clone()),
            _ => {}
        }
        true
    }

    /// An image by its identity.
    pub fn image(&self, id: &str) -> Option<&ImageNode> {
        self.graph.images.iter().find(|image| image.id.as_str() == id)
    }
}

/// What tells whether the graph may be another one.
fn stand(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    for image in &world.snapshot.images {
        (image.id.as_str(), &image.tags, &image.digests).hash(&mut hasher);
    }
    for container in &world.snapshot.containers {
        (container.id.as_str(), &container.name, container.state.status.as_str(), container.image_id.as_ref().map(crate::id::Digest::as_str)).hash(&mut hasher);
    }
    hasher.finish()
}

/// Bytes of files that go when all these images go, by their places: in layers that nothing else has.
pub fn freed(graph: &ImageGraph, images: &[usize]) -> u64 {
    let alone =
        graph.layers.iter().filter(|layer| !layer.images.is_empty() && layer.containers.is_empty() && layer.images.iter().all(|image| images.contains(image)));
    alone.map(|layer| layer.size).sum()
}

/// The command that made a layer, as one harmless line: what a build tool put around it says nothing.
pub fn command(created_by: &str, comment: &str) -> String {
    let words = if created_by.trim().is_empty() { comment } else { created_by };
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = words.strip_suffix(" # buildkit").unwrap_or(&words);
    let bare = match (bare.strip_prefix("/bin/sh -c #(nop) "), bare.strip_prefix("/bin/sh -c ")) {
        (Some(instruction), _) => instruction.to_owned(),
        (None, Some(run)) => format!("RUN {run}"),
        (None, None) => bare.strip_prefix("RUN /bin/sh -c ").map_or_else(|| bare.to_owned(), |run| format!("RUN {run}")),
    };
    text::clean(&bare).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_bare() {
        assert_eq!(command("/bin/sh -c #(nop)  CMD [\"sh\"]", ""), " CMD [\"sh\"]".trim());
        assert_eq!(command("/bin/sh -c apt-get   update \\\n && true", ""), "RUN apt-get update \\ && true");
        assert_eq!(command("RUN /bin/sh -c make # buildkit", ""), "RUN make");
        assert_eq!(command(" ", "imported\x1b"), "imported\\x1b");
    }
}
