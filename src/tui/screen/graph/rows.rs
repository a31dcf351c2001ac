//! The forest of layers as lines: long chains folded, and which of the rails lead to what is selected.

use crate::engine::graph::{self, ImageGraph, LayerNode};
use crate::id::LayerId;
use std::collections::HashSet;

/// A chain longer than this is folded.
const LONG: usize = 6;
/// Layers shown at the beginning of a folded chain.
const FIRST: usize = 2;

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A layer.
    Layer(usize),
    /// An image, below its topmost layer.
    Image(usize),
    /// A container whose image is gone.
    Container(usize),
    /// The middle of a long chain, lowest layer first.
    Fold(Vec<usize>),
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Box-drawing characters, two a column.
    pub branch: String,
    /// What follows them.
    pub row: Row,
}

/// The lines, with the chains folded whose first hidden layer is not in `unfolded`.
pub fn lines(graph: &ImageGraph, unfolded: &HashSet<LayerId>) -> Vec<Line> {
    let outline = graph.outline();
    let mut lines = Vec::with_capacity(outline.len());
    let mut at = 0;
    while at < outline.len() {
        let chain = chain(graph, &outline[at..]);
        let hidden = if chain.len() > LONG { &chain[FIRST..chain.len() - 1] } else { &[] };
        let folds = hidden.first().is_some_and(|&first| !unfolded.contains(&graph.layers[first].id));
        for (step, line) in outline[at..at + chain.len().max(1)].iter().enumerate() {
            let inside = folds && step >= FIRST && step < FIRST + hidden.len();
            let row = match line.row {
                graph::Row::Layer(_) if inside && step > FIRST => continue,
                graph::Row::Layer(_) if inside => Row::Fold(hidden.to_vec()),
                graph::Row::Layer(layer) => Row::Layer(layer),
                graph::Row::Image(image) => Row::Image(image),
                graph::Row::Container(container) => Row::Container(container),
            };
            lines.push(Line { branch: line.branch.clone(), row });
        }
        at += chain.len().max(1);
    }
    lines
}

/// The layers at the beginning of these lines that lie straight upon each other.
fn chain(graph: &ImageGraph, outline: &[graph::Line]) -> Vec<usize> {
    let mut chain: Vec<usize> = Vec::new();
    for line in outline {
        let graph::Row::Layer(layer) = line.row else { break };
        let goes_on = chain.last().is_none_or(|&below| graph.layers[below].children == [layer]);
        if !goes_on {
            break;
        }
        chain.push(layer);
    }
    chain
}

/// The first hidden layer of the chain that a layer is in the middle of, if that chain can be folded.
pub fn fold_of(graph: &ImageGraph, layer: usize) -> Option<usize> {
    let alone = |layer: &LayerNode| layer.tops.is_empty() && layer.children.len() == 1;
    let (mut first, mut steps) = (layer, 0);
    // Bounded by the layers there are: a damaged store may have them in a circle.
    while let Some(below) = graph.layers[first].parent.filter(|&below| alone(&graph.layers[below])) {
        first = below;
        steps += 1;
        if steps > graph.layers.len() {
            return None;
        }
    }
    let mut chain = vec![first];
    while let Some(&last) = chain.last()
        && alone(&graph.layers[last])
        && chain.len() <= graph.layers.len()
    {
        chain.push(graph.layers[last].children[0]);
    }
    (chain.len() > LONG).then(|| chain[FIRST]).filter(|_| chain[FIRST..chain.len() - 1].contains(&layer))
}

/// Which layers lie on the way to a row.
pub fn path(graph: &ImageGraph, row: &Row) -> Vec<bool> {
    let mut lit = vec![false; graph.layers.len()];
    let mut top = match row {
        Row::Layer(layer) => Some(*layer),
        Row::Fold(layers) => layers.last().copied(),
        Row::Image(image) => graph.images[*image].layers.last().copied(),
        Row::Container(container) => graph.containers[*container].layer,
    };
    while let Some(layer) = top.filter(|&layer| !lit[layer]) {
        lit[layer] = true;
        top = graph.layers[layer].parent;
    }
    lit
}

/// For each line, which of its columns of rails lead to what is lit; the last one is its own sign.
pub fn rails(lines: &[Line], lit: &[bool], selected: usize) -> Vec<Vec<bool>> {
    // From below: whether the rail that comes up in a column leads to something lit.
    let mut up: Vec<bool> = Vec::new();
    let mut all = vec![Vec::new(); lines.len()];
    for (at, line) in lines.iter().enumerate().rev() {
        let own = match &line.row {
            Row::Layer(layer) => lit[*layer],
            Row::Fold(layers) => layers.iter().any(|&layer| lit[layer]),
            Row::Image(_) | Row::Container(_) => at == selected,
        };
        let columns = line.branch.chars().count() / 2;
        up.resize(columns + 1, false);
        for (column, sign) in line.branch.chars().step_by(2).enumerate() {
            up[column] = match sign {
                '│' => up[column],
                '├' => up[column] || own,
                '└' => own,
                _ => false,
            };
        }
        up[columns] = own && matches!(line.row, Row::Layer(_) | Row::Fold(_));
        let mut shown = up.clone();
        shown[columns] = own;
        all[at] = shown;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::graph::ImageNode;
    use crate::id::Digest;
    use proptest::prelude::*;

    /// A forest, by the parent of each layer; those with an image on top by `tops`.
    fn forest(parents: &[Option<usize>], tops: &[usize]) -> ImageGraph {
        let layer = |at: usize| LayerNode {
            id: Digest::of(&at.to_le_bytes()),
            parent: parents[at],
            children: (0..parents.len()).filter(|&child| parents[child] == Some(at)).collect(),
            size: 1,
            total: 1,
            created_by: String::new(),
            comment: String::new(),
            created: None,
            images: Vec::new(),
            tops: tops.iter().enumerate().filter(|(_, top)| **top == at).map(|(image, _)| image).collect(),
            containers: Vec::new(),
        };
        let image = |top: usize| ImageNode {
            id: Digest::of(format!("image {top}").as_bytes()),
            names: vec![format!("top:{top}")],
            layers: vec![top],
            size: 1,
            shared: 0,
            unique: 1,
            freed: 1,
            blobs: 0,
            created: None,
            containers: Vec::new(),
        };
        ImageGraph { layers: (0..parents.len()).map(layer).collect(), images: tops.iter().map(|&top| image(top)).collect(), containers: Vec::new() }
    }

    fn shown(graph: &ImageGraph, unfolded: &HashSet<LayerId>) -> Vec<String> {
        let told = |line: &Line| match &line.row {
            Row::Layer(layer) => format!("{}o{layer}", line.branch),
            Row::Image(image) => format!("{}i{image}", line.branch),
            Row::Container(_) => String::new(),
            Row::Fold(layers) => format!("{}:{}", line.branch, layers.len()),
        };
        lines(graph, unfolded).iter().map(told).collect()
    }

    #[test]
    fn long_chains_fold_and_unfold() {
        let parents: Vec<Option<usize>> = (0..64_usize).map(|at| at.checked_sub(1)).collect();
        let graph = forest(&parents, &[63]);
        assert_eq!(shown(&graph, &HashSet::new()), ["o0", "o1", ":61", "o63", "  i0"]);
        assert_eq!(fold_of(&graph, 30), Some(2));
        assert_eq!((fold_of(&graph, 1), fold_of(&graph, 63)), (None, None), "the ends are always shown");
        let open: HashSet<LayerId> = [graph.layers[2].id.clone()].into();
        assert_eq!(shown(&graph, &open).len(), 65);
    }

    #[test]
    fn short_chains_and_branches_stay_as_they_are() {
        let graph = forest(&[None, Some(0), Some(1), Some(1), Some(3)], &[2, 4, 0]);
        assert_eq!(shown(&graph, &HashSet::new()), ["o0", "│ i2", "o1", "├─o2", "│   i0", "└─o3", "  o4", "    i1"]);
    }

    #[test]
    fn the_way_to_an_image_is_lit_and_no_other() {
        let graph = forest(&[None, Some(0), Some(1), Some(1)], &[2, 3]);
        let lines = lines(&graph, &HashSet::new());
        let lit = path(&graph, &Row::Image(1));
        assert_eq!(lit, [true, true, false, true]);
        let selected = lines.iter().position(|line| line.row == Row::Image(1)).unwrap();
        let rails = rails(&lines, &lit, selected);
        // o0, o1, the other branch whose rail leads on, its image, the branch, its image.
        assert_eq!(rails, [vec![true], vec![true], vec![true, false], vec![true, false, false], vec![true, true], vec![false, false, true]]);
    }

    proptest! {
        #[test]
        fn every_forest_is_drawn_whole(parents in proptest::collection::vec(any::<Option<prop::sample::Index>>(), 1..60), tops in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let count = parents.len();
            let parents: Vec<Option<usize>> = parents.iter().enumerate().map(|(at, parent)| parent.filter(|_| at > 0).map(|parent| parent.index(at.max(1)))).collect();
            let graph = forest(&parents, &tops.iter().map(|top| top.index(count)).collect::<Vec<_>>());
            let lines = lines(&graph, &HashSet::new());
            let layers: usize = lines.iter().map(|line| match &line.row { Row::Layer(_) => 1, Row::Fold(layers) => layers.len(), _ => 0 }).sum();
            prop_assert_eq!(layers, count, "each layer once");
            for (at, line) in lines.iter().enumerate() {
                let lit = path(&graph, &line.row);
                prop_assert_eq!(rails(&lines, &lit, at).len(), lines.len());
                if let Row::Fold(hidden) = &line.row {
                    prop_assert!(hidden.iter().all(|&layer| fold_of(&graph, layer) == Some(hidden[0])));
                }
            }
        }
    }
}
