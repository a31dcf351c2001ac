//! The graph of images: layers as a forest in which shared ancestry is one trunk, the images at their tops, and what
//! each of them has to itself.
//!
//! ```text
//!  ○ layer ─ ○ layer ─┬─ ○ layer ◆ image
//!                     └─ ○ layer ─ ○ layer ◆ image ◇ container
//! ```

mod build;

use crate::id::{ContainerId, ImageId, LayerId};
use serde::Serialize;

/// A layer. Other layers and images are told by their places in [`ImageGraph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerNode {
    /// Chain id.
    pub id: LayerId,
    /// The layer below.
    pub parent: Option<usize>,
    /// The layers on top of it, in the order in which they are drawn.
    pub children: Vec<usize>,
    /// Bytes of files in it.
    pub size: u64,
    /// Bytes of files in it and all below it.
    pub total: u64,
    /// The command that made it, by the history of an image that has it; empty if none says.
    pub created_by: String,
    /// What its maker said; mostly empty.
    pub comment: String,
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// The images that have it.
    pub images: Vec<usize>,
    /// The images whose topmost layer it is.
    pub tops: Vec<usize>,
    /// The containers that hold it.
    pub containers: Vec<usize>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageNode {
    /// Identity.
    pub id: ImageId,
    /// Names as people write them; with digests only if it has no tag.
    pub names: Vec<String>,
    /// Its layers, bottom first; one that is missing in the store is missing here.
    pub layers: Vec<usize>,
    /// Bytes of files in its layers.
    pub size: u64,
    /// Of these, in layers that other images have, too.
    pub shared: u64,
    /// Of these, in layers that no other image has.
    pub unique: u64,
    /// Of these, what `rmi` gives back: in layers that no other image and no container has.
    pub freed: u64,
    /// Bytes of downloaded blobs that go with it, beside these.
    pub blobs: u64,
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// The containers made from it.
    pub containers: Vec<usize>,
}

impl ImageNode {
    /// Its first name, or the beginning of its identity.
    pub fn name(&self) -> &str {
        self.names.first().map_or_else(|| self.id.short(), String::as_str)
    }
}

/// A container of the driver in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerNode {
    /// Identity.
    pub id: ContainerId,
    /// Name.
    pub name: String,
    /// The word of its state.
    pub status: String,
    /// The image it was made from, if it is still there.
    pub image: Option<usize>,
    /// The layer it stands on.
    pub layer: Option<usize>,
}

/// Images and layers of the driver in use. Layers stand in the order of drawing: below before above, branches by the
/// names of the images they lead to; images and containers stand by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageGraph {
    /// Layers.
    pub layers: Vec<LayerNode>,
    /// Images.
    pub images: Vec<ImageNode>,
    /// Containers.
    pub containers: Vec<ContainerNode>,
}

/// What a line of the drawing is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A layer.
    Layer(usize),
    /// An image, below its topmost layer.
    Image(usize),
    /// A container whose image is gone, below the layer it stands on.
    Container(usize),
}

/// A line of the drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Box-drawing characters before it; a sign for the row follows.
    pub branch: String,
    /// What it is about.
    pub row: Row,
}

impl ImageGraph {
    /// Bytes in layers that no image and no container has: left by pulls that were cut short, given back by the next
    /// removal or prune.
    pub fn unused(&self) -> u64 {
        self.layers.iter().filter(|layer| layer.images.is_empty() && layer.containers.is_empty()).map(|layer| layer.size).sum()
    }

    /// The drawing, from the top down. A chain without branches goes straight down, however long it is.
    pub fn outline(&self) -> Vec<Line> {
        let mut lines = Vec::with_capacity(self.layers.len() + self.images.len());
        let mut waiting: Vec<(usize, String, String)> = Vec::new();
        let roots = self.layers.iter().enumerate().filter(|(_, layer)| layer.parent.is_none()).map(|(at, _)| at);
        for root in roots {
            waiting.push((root, String::new(), String::new()));
            while let Some((at, branch, rest)) = waiting.pop() {
                let layer = &self.layers[at];
                lines.push(Line { branch, row: Row::Layer(at) });
                let below = format!("{rest}{}", if layer.children.is_empty() { "  " } else { "│ " });
                let orphans = layer.containers.iter().filter(|c| self.containers[**c].image.is_none() && self.containers[**c].layer == Some(at));
                let guests = layer.tops.iter().map(|image| Row::Image(*image)).chain(orphans.map(|container| Row::Container(*container)));
                lines.extend(guests.map(|row| Line { branch: below.clone(), row }));
                match layer.children.as_slice() {
                    [only] => waiting.push((*only, rest.clone(), rest)),
                    children => {
                        for (turn, child) in children.iter().enumerate().rev() {
                            let (turned, goes_on) = if turn + 1 == children.len() { ("└─", "  ") } else { ("├─", "│ ") };
                            waiting.push((*child, format!("{rest}{turned}"), format!("{rest}{goes_on}")));
                        }
                    }
                }
            }
        }
        // An image may have no layer at all.
        let bare = self.images.iter().enumerate().filter(|(_, image)| image.layers.is_empty());
        lines.extend(bare.map(|(at, _)| Line { branch: String::new(), row: Row::Image(at) }));
        lines
    }

    /// The part with these images alone; what they share with others is still counted as shared.
    #[must_use]
    pub fn only(&self, wanted: &[ImageId]) -> Self {
        let images: Vec<usize> = (0..self.images.len()).filter(|at| wanted.contains(&self.images[*at].id)).collect();
        let layers: Vec<usize> = (0..self.layers.len()).filter(|at| self.layers[*at].images.iter().any(|image| images.contains(image))).collect();
        let containers: Vec<usize> = (0..self.containers.len()).filter(|at| self.containers[*at].image.is_some_and(|image| images.contains(&image))).collect();
        let moved = |kept: &[usize], at: &usize| kept.iter().position(|old| old == at);
        let all = |kept: &[usize], places: &[usize]| places.iter().filter_map(|at| moved(kept, at)).collect::<Vec<_>>();
        let one = |kept: &[usize], place: Option<usize>| place.as_ref().and_then(|at| moved(kept, at));
        let layer = |at: &usize| {
            let old = &self.layers[*at];
            LayerNode {
                parent: one(&layers, old.parent),
                children: all(&layers, &old.children),
                images: all(&images, &old.images),
                tops: all(&images, &old.tops),
                containers: all(&containers, &old.containers),
                ..old.clone()
            }
        };
        let image = |at: &usize| {
            let old = &self.images[*at];
            ImageNode { layers: all(&layers, &old.layers), containers: all(&containers, &old.containers), ..old.clone() }
        };
        let container = |at: &usize| {
            let old = &self.containers[*at];
            ContainerNode { image: one(&images, old.image), layer: one(&layers, old.layer), ..old.clone() }
        };
        Self { layers: layers.iter().map(layer).collect(), images: images.iter().map(image).collect(), containers: containers.iter().map(container).collect() }
    }
}

#[cfg(test)]
mod tests;
