//! The graph of images against what removals really free.

use crate::store::Store;
use kapal::engine::graph::Row;

#[test]
fn what_the_graph_promises_is_what_a_removal_frees() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "--name", "maker", &image, "sh", "-c", "head -c 100000 /dev/zero >/big; echo x >/small"]);
    store.ok(&["commit", "maker", "left:1"]);
    store.ok(&["rm", "maker"]);
    store.ok(&["run", "--name", "maker", &image, "sh", "-c", "head -c 5000 /dev/zero >/other"]);
    store.ok(&["commit", "maker", "right:1"]);
    store.ok(&["rm", "maker"]);
    store.ok(&["create", "--name", "keeper", "right:1", "true"]);
    let engine = store.engine();
    let graph = engine.image_graph().unwrap();
    let node = |name: &str| graph.images.iter().find(|node| node.names.iter().any(|known| known == name)).unwrap().clone();
    let (base, left, right) = (node(&image), node("left:1"), node("right:1"));
    assert_eq!((left.unique, left.freed, left.shared), (100_002, 100_002, base.size));
    assert_eq!((right.unique, right.freed), (5000, 0), "the container keeps it");
    assert_eq!((base.unique, base.freed, base.shared), (0, 0, base.size));
    assert_eq!(graph.containers[right.containers[0]].name, "keeper");
    let fork = &graph.layers[*base.layers.last().unwrap()];
    assert_eq!((fork.children.len(), fork.images.len()), (2, 3));
    let rows: Vec<Row> = graph.outline().into_iter().map(|line| line.row).collect();
    assert_eq!((rows.iter().filter(|row| matches!(row, Row::Layer(_))).count(), rows.len()), (graph.layers.len(), graph.layers.len() + 3));

    let drawn = store.ok(&["graph"]);
    assert!(drawn.contains("├─○ ") && drawn.contains("└─○ ") && drawn.contains("◆ left:1"), "{drawn}");
    assert!(drawn.lines().any(|line| line.contains("◆ right:1") && line.ends_with("used by keeper (created)")), "{drawn}");
    let alone = store.ok(&["graph", "left:1"]);
    assert!(alone.contains("left:1") && !alone.contains("right:1") && !alone.contains("├─"), "{alone}");
    let document: serde_json::Value = serde_json::from_str(&store.ok(&["graph", "--format", "json"])).unwrap();
    assert_eq!(document["Images"].as_array().unwrap().len(), 3);
    assert!(store.ok(&["graph", "--format", "dot"]).starts_with("digraph images {"));
    assert!(store.fails(1, &["graph", "nosuch:1"]).contains("nosuch:1"));

    for (name, node) in [("left:1", &left), ("right:1", &right)] {
        let removed = engine.remove_image(name, true).unwrap();
        assert_eq!(removed.iter().map(|one| one.bytes).sum::<u64>(), node.freed, "{name}");
    }
    let graph = engine.image_graph().unwrap();
    assert!(graph.outline().iter().any(|line| matches!(line.row, Row::Container(_))), "the container of a removed image is drawn");
    assert!(store.ok(&["graph"]).contains("◇ keeper"));
    store.ok(&["rm", "keeper"]);
    let base = engine.image_graph().unwrap().images[0].clone();
    assert_eq!((base.freed, base.shared), (base.size, 0));
    // Beside its own layers goes the one that the container alone had held.
    let removed = engine.remove_image(&image, false).unwrap();
    assert_eq!(removed.iter().map(|one| one.bytes).sum::<u64>(), base.size + 5000);
    assert_eq!(engine.image_graph().unwrap().layers.len(), 0);
}
