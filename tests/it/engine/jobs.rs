//! Jobs whose result nobody waits for any more.

use super::{PATIENCE, engine, event};
use crate::registry::server::{Image, MANIFEST, Reply, Server};
use kapal::engine::{Engine, Event, Job, JobContext, JobHandle, Kind, Result};
use kapal::graph::diff::{Pack, pack_tree};
use kapal::id::Digest;
use kapal::job::events::Events;
use kapal::job::pull::{Pull, Pulled};
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

/// An image of one layer with a file of this many bytes.
fn image(folder: &Path, bytes: usize) -> Image {
    let tree = folder.join("tree");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("file"), vec![7; bytes]).unwrap();
    let mut layer = Vec::new();
    pack_tree(fs::File::open(&tree).unwrap().as_fd(), Path::new("."), &mut layer, &Pack { name: None, follow: false }).unwrap();
    let media = "application/vnd.oci.image.layer.v1.tar";
    let architecture = kapal::graph::image::architecture();
    let config = serde_json::json!({"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer)]}});
    let config = config.to_string().into_bytes();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(&config), "size": config.len()},
        "layers": [{"mediaType": media, "digest": Digest::of(&layer), "size": layer.len()}],
    });
    Image { layer, config, manifest: manifest.to_string().into_bytes() }
}

/// A registry that gives the beginning of the layer and then says nothing more.
fn stuck(image: &Image) -> Server {
    let image = image.clone();
    Server::new(move |request| {
        if request.target.ends_with(&image.layer_address()) {
            return Reply::new(200, image.layer.clone()).cut(image.layer.len() / 2).stalled();
        }
        image.answer(request)
    })
}

fn submit(engine: &Engine, server: &Server) -> JobHandle<Vec<Pulled>> {
    let reference = format!("{}/a/b:1", server.host());
    engine.submit(Pull { reference, platform: None, all_tags: false, quiet: false, insecure: false }).unwrap()
}

/// Waits until the pull is in the middle of its layer.
async fn half_way(handle: &mut JobHandle<Vec<Pulled>>) {
    let downloads = async { while handle.progress.recv().await.is_some_and(|progress| progress.current.unwrap_or(0) == 0) {} };
    tokio::time::timeout(PATIENCE, downloads).await.expect("the download does not begin");
}

fn entries(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Nothing half-done is in the store, and nobody holds it.
fn is_clean(engine: &Engine) {
    let (root, run) = (&engine.place().root, &engine.place().run_root);
    for folder in [root.join("blobs/tmp"), root.join("blobs/sha256"), root.join("vfs/staging"), root.join("vfs/layers"), run.join("operations")] {
        assert_eq!(entries(&folder), [""; 0], "{}", folder.display());
    }
    assert!(kapal::engine::lock::try_exclusive(&engine.place().collection_lock()).unwrap().is_some(), "the collection lock is still held");
    assert_eq!(engine.check(false, true).unwrap().faults, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_nobody_waits_for_is_called_off_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let image = image(folder.path(), 2 << 20);
    let server = stuck(&image);
    let mut events = engine.events();
    for waits in [false, true] {
        let mut handle = submit(&engine, &server);
        let id = handle.id.unwrap();
        half_way(&mut handle).await;
        if waits {
            // A front-end's task that waits for the result is dropped, as a key in the UI does it.
            let waiting = tokio::spawn(handle.result());
            tokio::task::yield_now().await;
            waiting.abort();
        } else {
            drop(handle);
        }
        event(&mut events, |event| *event == Event::JobFinished(id)).await;
        let row = engine.jobs().unwrap().into_iter().find(|row| row.id == id.0).unwrap();
        assert_eq!((row.state.as_str(), row.error.as_str()), ("cancelled", "cancelled"));
        is_clean(&engine);
    }
    let whole = Server::new(move |request| image.answer(request));
    let pulled = submit(&engine, &whole).result().await.unwrap();
    assert!(!pulled[0].up_to_date);
    assert_eq!(engine.check(false, true).unwrap().faults, [""; 0]);
}

#[tokio::test]
async fn a_pull_called_off_by_hand_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let server = stuck(&image(folder.path(), 1 << 20));
    let mut handle = submit(&engine, &server);
    half_way(&mut handle).await;
    handle.cancel();
    let error = tokio::time::timeout(PATIENCE, handle.result()).await.expect("a stuck registry holds the pull").unwrap_err();
    assert_eq!(error.kind, Kind::Cancelled);
    is_clean(&engine);
}

#[tokio::test]
async fn what_a_job_gave_outlives_its_handle() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let mut happenings = engine.submit(Events::default()).unwrap().result().await.unwrap();
    engine.create_volume("kept", &std::collections::BTreeMap::new()).unwrap();
    let told = tokio::time::timeout(PATIENCE, happenings.recv()).await.expect("the stream is silent").expect("the stream ended with the handle");
    assert_eq!((told.kind.as_str(), told.actor.id.as_str()), ("volume", "kept"));
}

/// A job that waits to be called off, or breaks down.
struct Odd {
    breaks: bool,
}

impl Job for Odd {
    type Output = ();
    const VERB: &'static str = "odd";

    fn title(&self) -> String {
        "odd".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<()> {
        assert!(!self.breaks, "it was to break down");
        context.cancelled().await;
        context.check()
    }
}

#[tokio::test]
async fn no_row_says_running_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    // The whole future goes, and the job with it.
    assert!(tokio::time::timeout(std::time::Duration::from_millis(1), engine.run(Odd { breaks: false })).await.is_err());
    let error = engine.submit(Odd { breaks: true }).unwrap().result().await.unwrap_err();
    assert!(error.message.contains("broke down"), "{error}");
    let states: Vec<String> = engine.jobs().unwrap().into_iter().map(|job| job.state).collect();
    assert_eq!(states, ["failed", "cancelled"]);
}
