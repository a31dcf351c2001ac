//! Layers of a real image looked into, with both kinds of drivers.

use crate::store::Store;
use kapal::engine::layers::Wasted;
use kapal::engine::{FileKind, LayerChange, LayerEntry};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Every layer's entries but unchanged folders, and what the image carries in vain.
fn looked_into(driver: &'static str) -> Option<(Vec<BTreeMap<String, LayerEntry>>, Wasted)> {
    let store = Store::with(driver)?;
    let name = store.image("rich:1");
    let engine = store.engine();
    let image = engine.image(&name).unwrap();
    let mut all = Vec::new();
    for layer in &image.layers {
        let tree = engine.layer_tree(layer).unwrap();
        assert!(!tree.truncated);
        let told = tree.entries.into_iter().filter(|entry| entry.change != LayerChange::Unchanged);
        all.push(told.map(|entry| (entry.path.display().to_string(), entry)).collect());
    }
    let top = image.layers.last().unwrap();
    assert_eq!(engine.layer_file(top, Path::new("opt/again"), 3).unwrap().bytes, b"aga");
    assert_eq!(engine.layer_file(top, Path::new("opt/again"), 100).unwrap().size, 6);
    let second = &image.layers[1];
    for refused in ["opt/links/absolute", "opt/links/outside", "opt/kinds/fifo", "opt/kinds/null", "opt", "nothing", "../x", "/etc/passwd"] {
        assert!(engine.layer_file(second, Path::new(refused), 10).is_err(), "{refused} was read");
    }
    let here = store.path("extracted");
    assert_eq!(engine.extract_layer_file(second, Path::new("opt/kinds/setuid"), &here).unwrap(), fs::metadata(&here).unwrap().len());
    assert_eq!(fs::metadata(&here).unwrap().permissions().mode() & 0o7777, 0o755, "setuid stays behind");
    let error = engine.extract_layer_file(second, Path::new("opt/stays"), &here).unwrap_err();
    assert!(error.hint.is_some(), "{error}");
    std::os::unix::fs::symlink(store.path("elsewhere"), store.path("link")).unwrap();
    assert!(engine.extract_layer_file(second, Path::new("opt/stays"), &store.path("link")).is_err());
    assert!(!store.path("elsewhere").exists(), "written through a link");
    assert!(engine.layer_tree(&kapal::id::Digest::of(b"none")).is_err());
    let verb = ["image", "extract", second.short(), "/opt/stays"];
    let said = store.kapal(&[&verb[..], &[store.path("out").to_str().unwrap()]].concat());
    assert!(said.status == 0 && said.err.contains("copied"), "{said:?}");
    assert_eq!(fs::read(store.path("out")).unwrap(), engine.layer_file(second, Path::new("opt/stays"), 1000).unwrap().bytes);
    assert!(store.fails(1, &[&verb[..], &[store.path("out").to_str().unwrap()]].concat()).contains("nothing is overwritten"));
    assert!(store.fails(1, &["image", "extract", "", "/opt/stays", "x"]).contains("no such layer"));
    // What is carried in vain is the difference between all layers and what is seen in the end.
    let wasted = engine.wasted(&image).unwrap();
    store.ok(&["create", "--name", "seen", &name, "true"]);
    let archive = store.path("seen.tar");
    store.ok(&["export", "-o", archive.to_str().unwrap(), "seen"]);
    let sizes = crate::store::tool("tar", &["-tvf", archive.to_str().unwrap()]);
    let seen: u64 = sizes.lines().filter(|line| line.starts_with('-')).filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum();
    assert!(wasted.bytes.abs_diff(image.size - seen) <= 64, "{} carried in vain, {} - {seen} is the difference", wasted.bytes, image.size);
    Some((all, wasted))
}

#[test]
fn a_layer_is_told_as_changes() {
    let Some((whole, wasted)) = looked_into("vfs") else { return };
    let of = |layer: usize, path: &str| {
        let entry = whole[layer].get(path).unwrap_or_else(|| panic!("layer {layer} says nothing of {path}"));
        (entry.change, entry.kind, entry.hidden)
    };
    assert_eq!(of(1, "opt/removed"), (LayerChange::Added, FileKind::File, 0));
    assert_eq!(of(2, "opt/removed"), (LayerChange::Removed, FileKind::File, 8));
    assert_eq!(of(2, "opt/gone/inside"), (LayerChange::Removed, FileKind::Folder, 14));
    assert_eq!(of(2, "opt/kinds/fifo"), (LayerChange::Changed, FileKind::Folder, 0));
    assert_eq!(of(2, "opt/links/absolute"), (LayerChange::Changed, FileKind::File, 0));
    assert_eq!(of(2, "opt/stays"), (LayerChange::Changed, FileKind::File, 6));
    assert_eq!(of(2, "opt/opaque/below/one"), (LayerChange::Removed, FileKind::File, 4));
    assert_eq!(of(2, "opt/opaque/below/four"), (LayerChange::Added, FileKind::File, 0));
    assert_eq!(of(3, "opt/gone/inside/one"), (LayerChange::Added, FileKind::File, 0));
    assert_eq!(whole[1]["opt/links/outside"].target.as_deref(), Some(Path::new("../../../../../../etc/shadow")));
    assert_eq!(whole[2]["opt/stays"].mode, 0o600);
    assert_eq!((whole[1]["opt/kinds/far"].uid, whole[1]["opt/times/fine"].modified), (3_000_000, 1_000_000_000));
    assert!(wasted.files.iter().any(|file| file.path == Path::new("opt/gone/inside") && (file.bytes, file.times) == (14, 1)), "{wasted:?}");
    let Some((own, other)) = looked_into("overlay") else { return };
    for (layer, (whole, own)) in whole.iter().zip(&own).enumerate() {
        for (path, entry) in whole {
            let same = own.get(path).unwrap_or_else(|| panic!("overlay's layer {layer} says nothing of {path}"));
            assert_eq!((same.change, same.kind, same.size, same.mode, same.hidden), (entry.change, entry.kind, entry.size, entry.mode, entry.hidden), "{path}");
        }
        // What a layer brings again as it was is a change only to who keeps the layer by itself.
        let more: Vec<_> = own.iter().filter(|(path, entry)| !whole.contains_key(*path) && entry.change != LayerChange::Changed).collect();
        assert!(more.is_empty(), "overlay's layer {layer} says more: {more:?}");
    }
    assert!(other.bytes >= wasted.bytes, "{} and {}", other.bytes, wasted.bytes);
}
