//! The graph without a store: its order, its drawing, its parts.

use super::build::Layer;
use super::*;
use crate::container::Config;
use crate::engine::images::Image;
use crate::graph::image::Image as Document;
use crate::graphdb::{ShareRow, StandRow};
use crate::id::Digest;
use std::sync::Arc;

/// A layer's identity from a word.
fn id(word: &str) -> LayerId {
    Digest::of(word.as_bytes())
}

/// Layers as `name<parent`, each of 10 bytes.
fn layers(words: &str) -> Vec<Layer> {
    let one = |word: &str| {
        let (name, parent) = word.split_once('<').map_or((word, None), |(name, parent)| (name, Some(parent)));
        Layer { id: id(name), parent: parent.map(|parent| id(parent).to_string()), size: 10 }
    };
    words.split_whitespace().map(one).collect()
}

/// An image with a step for each layer, and one without a layer before it.
fn image(name: &str, words: &str) -> Image {
    let history: Vec<_> = words
        .split_whitespace()
        .flat_map(|word| [serde_json::json!({"created_by": "ENV", "empty_layer": true}), serde_json::json!({"created_by": format!("make {word}")})])
        .collect();
    let raw = serde_json::json!({"author": name, "rootfs": {"type": "layers", "diff_ids": []}, "history": history});
    let document = Document::parse(raw.to_string().into_bytes()).unwrap();
    Image {
        id: document.id().clone(),
        tags: if name.is_empty() { Vec::new() } else { vec![name.to_owned()] },
        digests: Vec::new(),
        layers: words.split_whitespace().map(id).collect(),
        size: 10 * words.split_whitespace().count() as u64,
        created: None,
        config: Config::default(),
        manifest: Digest::of(b""),
        media_type: String::new(),
        document: Arc::new(document),
    }
}

fn drawn(graph: &ImageGraph) -> String {
    let sign = |row| match row {
        Row::Layer(at) => graph.layers[at].created_by.clone(),
        Row::Image(at) => format!("◆ {}", graph.images[at].names.join(" ")),
        Row::Container(at) => format!("◇ {}", graph.containers[at].name),
    };
    graph.outline().iter().map(|line| format!("{}{}\n", line.branch, sign(line.row))).collect::<Vec<_>>().concat()
}

#[test]
fn shared_ancestry_is_one_trunk() {
    let images = [image("z:1", "base lib"), image("b:1", "base lib app"), image("c:1", "base other more"), image("a:1", "alone"), image("", "")];
    let mut shuffled = layers("app<lib more<other base lib<base other<base alone");
    let expected = "make alone\n  ◆ a:1\nmake base\n├─make lib\n│ │ ◆ z:1\n│ make app\n│   ◆ b:1\n└─make other\n  make more\n    ◆ c:1\n◆ \n";
    for _ in 0..shuffled.len() {
        shuffled.rotate_left(1);
        let graph = ImageGraph::build(&shuffled, images.iter().rev().cloned().collect(), &[], Vec::new());
        assert_eq!(drawn(&graph), expected, "whatever the order of the rows");
        let base = graph.layers.iter().find(|layer| layer.id == id("base")).unwrap();
        assert_eq!((base.images.len(), base.children.len(), base.tops.len()), (3, 2, 0));
        assert_eq!(graph.layers.iter().map(|layer| layer.total).max(), Some(30));
        let unnamed = graph.images.last().unwrap();
        assert_eq!((unnamed.name(), unnamed.layers.len()), (unnamed.id.short(), 0));
    }
}

#[test]
fn containers_stand_where_they_stand() {
    let images = vec![image("a:1", "base app")];
    let stand = |name: &str, image: Option<&ImageId>, layer: &str| StandRow {
        container: id(name).hex().to_owned(),
        name: name.to_owned(),
        status: "exited".to_owned(),
        image: image.map(ToString::to_string),
        layer: Some(id(layer).to_string()),
    };
    let stands = vec![stand("orphan", Some(&id("gone")), "old"), stand("user", Some(&images[0].id), "app")];
    let share = ShareRow { image: images[0].id.to_string(), shared: 10, freed: 0, blobs: 5 };
    let graph = ImageGraph::build(&layers("base app<base old<base spare"), images, &[share], stands);
    assert_eq!(drawn(&graph), "make base\n├─make app\n│   ◆ a:1\n└─\n    ◇ orphan\n\n");
    assert_eq!(graph.unused(), 10);
    let node = &graph.images[0];
    assert_eq!((node.size, node.shared, node.unique, node.freed, node.blobs, node.containers.as_slice()), (20, 10, 10, 0, 5, [1].as_slice()));
    assert_eq!(graph.layers[0].containers, [0, 1], "the trunk carries both");
    let part = graph.only(std::slice::from_ref(&node.id));
    assert_eq!(drawn(&part), "make base\nmake app\n  ◆ a:1\n");
    assert_eq!((part.layers[0].containers.len(), part.containers[0].layer, part.images[0].shared), (1, Some(1), 10));
    assert_eq!(graph.only(&[]), ImageGraph::default());
}

#[test]
fn layers_that_hang_in_a_circle_stop_nothing() {
    let graph = ImageGraph::build(&layers("a<b b<a c<nowhere"), vec![image("x:1", "c a")], &[], Vec::new());
    assert_eq!(drawn(&graph), "make c\n  ◆ x:1\n");
}

#[test]
fn a_long_chain_goes_straight_down() {
    let words: Vec<String> = (0..2000).map(|n| if n == 0 { "l0".to_owned() } else { format!("l{n}<l{}", n - 1) }).collect();
    let graph = ImageGraph::build(&layers(&words.join(" ")), Vec::new(), &[], Vec::new());
    assert!(graph.outline().len() == 2000 && graph.outline().iter().all(|line| line.branch.is_empty()));
    assert_eq!(graph.layers[1999].total, 20_000);
}
