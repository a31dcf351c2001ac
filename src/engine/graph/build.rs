//! The graph put together from the rows of the database: the order of drawing first, then who uses what.

use super::{ContainerNode, ImageGraph, ImageNode, LayerNode};
use crate::engine::images::Image;
use crate::engine::{Engine, Result};
use crate::graphdb::{ShareRow, StandRow};
use crate::id::LayerId;
use std::collections::{BTreeMap, HashMap, HashSet};

impl ImageGraph {
    /// Puts rows together.
    pub(super) fn build(layers: &[Layer], mut images: Vec<Image>, shares: &[ShareRow], stands: Vec<StandRow>) -> Self {
        images.sort_by(|a, b| place_of(a).cmp(&place_of(b)));
        let shares: HashMap<&str, &ShareRow> = shares.iter().map(|share| (share.image.as_str(), share)).collect();
        let order = Order::of(layers, &images);
        let mut graph = Self { layers: order.nodes(layers), ..Self::default() };
        for (at, image) in images.iter().enumerate() {
            graph.add_image(at, image, shares.get(image.id.as_str()).copied(), &order);
        }
        for stand in stands {
            let Ok(id) = stand.container.parse() else { continue };
            let image = stand.image.and_then(|image| graph.images.iter().position(|node| node.id.as_str() == image));
            let layer = stand.layer.and_then(|layer| order.place.get(layer.as_str()).copied());
            let at = graph.containers.len();
            graph.containers.push(ContainerNode { id, name: stand.name, status: stand.status, image, layer });
            if let Some(image) = image {
                graph.images[image].containers.push(at);
            }
            let mut next = layer;
            while let Some(layer) = next {
                graph.layers[layer].containers.push(at);
                next = graph.layers[layer].parent;
            }
        }
        graph
    }

    fn add_image(&mut self, at: usize, image: &Image, share: Option<&ShareRow>, order: &Order<'_>) {
        let layers: Vec<usize> = image.layers.iter().filter_map(|id| order.place.get(id.as_str()).copied()).collect();
        let mut steps = image.document.history.iter().filter(|step| !step.empty_layer);
        for layer in &layers {
            let node = &mut self.layers[*layer];
            node.images.push(at);
            let Some(step) = steps.next() else { continue };
            if node.created_by.is_empty() && node.comment.is_empty() {
                node.created_by.clone_from(&step.created_by);
                node.comment.clone_from(&step.comment);
                node.created = step.created;
            }
        }
        if let Some(top) = layers.last() {
            self.layers[*top].tops.push(at);
        }
        let bytes = |of: fn(&ShareRow) -> i64| share.map_or(0, |share| of(share).unsigned_abs());
        let shared = bytes(|share| share.shared);
        self.images.push(ImageNode {
            id: image.id.clone(),
            names: if image.tags.is_empty() { image.digests.clone() } else { image.tags.clone() },
            layers,
            size: image.size,
            shared,
            unique: image.size.saturating_sub(shared),
            freed: bytes(|share| share.freed),
            blobs: bytes(|share| share.blobs),
            created: image.created,
            containers: Vec::new(),
        });
    }
}

/// A layer's row, read.
pub(super) struct Layer {
    pub id: LayerId,
    pub parent: Option<String>,
    pub size: u64,
}

/// Images stand by their first name, those without a tag last.
fn place_of(image: &Image) -> impl Ord + '_ {
    (image.tags.is_empty(), image.tags.first(), image.digests.first(), &image.id)
}

/// In which order layers are drawn.
struct Order<'a> {
    /// Rows, by their places in the drawing.
    rows: Vec<usize>,
    /// The row below each row, if it is there.
    parents: Vec<Option<usize>>,
    /// Where each layer stands in the drawing.
    place: HashMap<&'a str, usize>,
}

impl<'a> Order<'a> {
    fn of(layers: &'a [Layer], images: &[Image]) -> Self {
        let row_of: HashMap<&str, usize> = layers.iter().enumerate().map(|(row, layer)| (layer.id.as_str(), row)).collect();
        let parents: Vec<Option<usize>> = layers.iter().map(|layer| row_of.get(layer.parent.as_deref()?).copied()).collect();
        // The first image, by name, that is reached through a layer; those that lead to none come last.
        let mut first = vec![usize::MAX; layers.len()];
        for (at, image) in images.iter().enumerate() {
            for row in image.layers.iter().filter_map(|id| row_of.get(id.as_str())) {
                first[*row] = first[*row].min(at);
            }
        }
        let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (row, parent) in parents.iter().enumerate() {
            children.entry(*parent).or_default().push(row);
        }
        for list in children.values_mut() {
            list.sort_by(|a, b| (first[*a], &layers[*a].id).cmp(&(first[*b], &layers[*b].id)));
        }
        let mut order = Self { rows: Vec::with_capacity(layers.len()), parents, place: HashMap::new() };
        let mut seen = HashSet::new();
        let mut waiting: Vec<usize> = children.get(&None).into_iter().flatten().rev().copied().collect();
        while let Some(row) = waiting.pop() {
            if seen.insert(row) {
                order.place.insert(layers[row].id.as_str(), order.rows.len());
                order.rows.push(row);
                waiting.extend(children.get(&Some(row)).into_iter().flatten().rev());
            }
        }
        order
    }

    fn nodes(&self, layers: &[Layer]) -> Vec<LayerNode> {
        let mut nodes: Vec<LayerNode> = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let layer = &layers[*row];
            let parent = self.parents[*row].and_then(|below| self.place.get(layers[below].id.as_str()).copied());
            let size = layer.size;
            let at = nodes.len();
            let total = size + parent.map_or(0, |below| nodes[below].total);
            if let Some(below) = parent {
                nodes[below].children.push(at);
            }
            nodes.push(LayerNode {
                id: layer.id.clone(),
                parent,
                children: Vec::new(),
                size,
                total,
                created_by: String::new(),
                comment: String::new(),
                created: None,
                images: Vec::new(),
                tops: Vec::new(),
                containers: Vec::new(),
            });
        }
        nodes
    }
}

impl Engine {
    /// The graph of images of the driver in use. What is damaged in the store is not in it.
    pub fn image_graph(&self) -> Result<ImageGraph> {
        let driver = self.graph()?.name();
        let (images, _) = self.sound_images()?;
        let rows = self.db().layers(driver)?.into_iter();
        let layers: Vec<Layer> = rows.filter_map(|row| Some(Layer { id: row.id.parse().ok()?, parent: row.parent, size: row.size.unsigned_abs() })).collect();
        Ok(ImageGraph::build(&layers, images, &self.db().shares(driver)?, self.db().stands(driver)?))
    }
}
