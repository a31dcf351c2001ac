//! Snapshots of a full store: whole, cheap, and not stopped by one damaged row.

use super::engine;
use kapal::container::{Config, Container, HostConfig, Mount, MountKind, State};
use kapal::engine::Engine;
use kapal::engine::images::NewImage;
use kapal::graph::image::Image as Document;
use kapal::id::{ContainerId, Digest, ImageId, LayerId};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// An image of `layers` layers, of which the lower half are those of every other image.
pub fn image(engine: &Engine, number: usize, layers: usize) -> (ImageId, Vec<LayerId>) {
    let diffs: Vec<Digest> = (0..layers).map(|n| Digest::of(format!("{n} {}", if n < layers / 2 { 0 } else { number }).as_bytes())).collect();
    let history: Vec<_> = (0..layers * 2)
        .map(|n| serde_json::json!({"created": "2024-05-06T07:08:09Z", "created_by": format!("RUN step {n} of image {number}"), "empty_layer": n % 2 == 0}))
        .collect();
    let env: Vec<String> = (0..20).map(|n| format!("NAME{n}=a value of some length {n}")).collect();
    let raw = serde_json::json!({
        "created": "2024-05-06T07:08:09Z", "os": "linux", "architecture": "amd64", "config": {"Env": env, "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": diffs}, "history": history,
    });
    let document = Document::parse(raw.to_string().into_bytes()).unwrap();
    let ids = document.layer_ids();
    for (at, (id, diff)) in ids.iter().zip(&diffs).enumerate() {
        engine.enter_layer(id, at.checked_sub(1).map(|below| &ids[below]), diff, 1000).unwrap();
    }
    engine.content().put(document.raw()).unwrap();
    let manifest = engine.content().put(format!("{{\"n\":{number}}}").as_bytes()).unwrap();
    let names = vec![(format!("docker.io/library/image{number}:1"), false), (format!("docker.io/library/image{number}@{manifest}"), true)];
    let id = engine.enter_image(&NewImage { document: &document, manifest, media_type: String::new(), blobs: Vec::new(), names }).unwrap();
    (id, ids)
}

pub fn container(engine: &Engine, number: usize, image: &(ImageId, Vec<LayerId>)) -> Container {
    let mount = Mount {
        kind: MountKind::Volume,
        name: Some("shared".into()),
        source: "/somewhere".into(),
        destination: "/data".into(),
        read_only: false,
        propagation: None,
        options: Vec::new(),
        anonymous: false,
    };
    let container = Container {
        id: ContainerId::random().unwrap(),
        name: format!("container{number}"),
        created: jiff::Timestamp::from_second(1_700_000_000 + number as i64).unwrap(),
        image: "image:1".into(),
        image_id: Some(image.0.clone()),
        layers: image.1.clone(),
        driver: "vfs".into(),
        config: Config { env: (0..20).map(|n| format!("NAME{n}=a value of some length {n}")).collect(), cmd: vec!["sh".into()], ..Config::default() },
        host_config: HostConfig { mounts: vec![mount], ..HostConfig::default() },
        state: State::default(),
    };
    let layers: Vec<String> = image.1.iter().map(ToString::to_string).collect();
    assert!(engine.enter_container(&container, &layers, &["shared".to_owned()]).unwrap().is_none());
    container
}

/// A snapshot takes little more than reading all its documents does. Both are timed here and now, whatever the build and the
/// machine, and the best of many counts, as any one may be interrupted.
fn is_quick(engine: &Engine, containers: &[Container], images: &[(ImageId, Vec<LayerId>)]) {
    let texts: Vec<Vec<u8>> = containers.iter().map(|container| serde_json::to_vec(container).unwrap()).collect();
    let timed = |work: &dyn Fn()| {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    let read = || {
        for text in &texts {
            drop(serde_json::from_slice::<Container>(text).unwrap());
        }
        for (id, _) in images {
            drop(Document::parse(std::fs::read(engine.content().path(id)).unwrap()).unwrap());
        }
    };
    let (mut whole, mut reading) = (Duration::MAX, Duration::MAX);
    for _ in 0..20 {
        whole = whole.min(timed(&|| drop(engine.snapshot().unwrap())));
        reading = reading.min(timed(&read));
    }
    println!("a snapshot of {} containers and {} images: {whole:?}, of which {reading:?} for the documents", containers.len(), images.len());
    assert!(whole < reading * 4, "{whole:?}, {reading:?}");
}

#[test]
fn a_full_store_is_seen_whole_and_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    engine.create_volume("shared", &BTreeMap::new()).unwrap();
    let images: Vec<_> = (0..50).map(|number| image(&engine, number, 10)).collect();
    let containers: Vec<_> = (0..200).map(|number| container(&engine, number, &images[number % 50])).collect();
    let seen = engine.snapshot().unwrap();
    assert_eq!((seen.containers.len(), seen.images.len(), seen.volumes.len(), seen.damaged.len()), (200, 50, 1, 0));
    is_quick(&engine, &containers, &images);
    assert_eq!(seen.containers[0], *containers.last().unwrap(), "newest first, and as they were entered");
    let used = seen.image_of(&seen.containers[0]).unwrap();
    assert_eq!((used.id.clone(), used.tags.clone()), (images[49].0.clone(), vec!["image49:1".to_owned()]));
    assert_eq!((seen.users_of(used).count(), seen.holders_of(&seen.volumes[0]).count()), (4, 200));
    assert_eq!(used.layers, images[49].1);
    assert!(seen.images.iter().all(|image| image.digests.len() == 1 && image.document.history.len() == 20));
}

#[test]
fn what_is_damaged_does_not_hide_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    engine.create_volume("shared", &BTreeMap::new()).unwrap();
    let images = [image(&engine, 0, 2), image(&engine, 1, 2)];
    let broken = container(&engine, 0, &images[0]);
    container(&engine, 1, &images[1]);
    engine.db().set_container_json(broken.id.as_str(), "{").unwrap();
    std::fs::write(engine.content().path(&images[0].0), "nonsense").unwrap();
    let seen = engine.snapshot().unwrap();
    assert_eq!((seen.containers.len(), seen.images.len()), (1, 1));
    assert_eq!(seen.damaged.len(), 2, "{:?}", seen.damaged);
    assert!(seen.damaged[0].contains(broken.id.as_str()) && seen.damaged[1].contains(images[0].0.as_str()), "{:?}", seen.damaged);
    assert!(engine.images().is_err() && engine.containers().is_err(), "who asks for all is told");
}
