//! Pulls from a real registry whose front-end goes away.

use crate::registry::Registry;
use crate::store::Store;
use kapal::engine::{Engine, Event};
use kapal::job::pull::Pull;
use std::time::Duration;

/// Drops a pull's handle after it said this many words; gives the state its row ends with.
async fn dropped_after(engine: &Engine, reference: &str, words: usize) -> String {
    let mut events = engine.events();
    let pull = Pull { reference: reference.to_owned(), platform: None, all_tags: false, quiet: false, insecure: false };
    let mut handle = engine.submit(pull).unwrap();
    let id = handle.id.unwrap();
    for _ in 0..words {
        if handle.progress.recv().await.is_none() {
            break;
        }
    }
    drop(handle);
    let ended = async { while events.recv().await.unwrap() != Event::JobFinished(id) {} };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("the pull goes on");
    engine.jobs().unwrap().into_iter().find(|job| job.id == id.0).unwrap().state
}

#[test]
fn a_pull_may_be_dropped_at_any_word() {
    let Some(store) = Store::new() else { return };
    let name = Registry::get().name("large:1");
    let engine = store.engine();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut cancelled = 0;
    for words in 1..=30 {
        match runtime.block_on(dropped_after(&engine, &name, words)).as_str() {
            "cancelled" => {
                cancelled += 1;
                assert_eq!(engine.images().unwrap().len(), 0, "a pull called off after {words} words left an image");
            }
            "done" => {
                store.ok(&["rmi", &name]);
            }
            other => panic!("after {words} words it is {other}"),
        }
        for folder in ["root/blobs/tmp", "root/overlay/staging", "run/operations"] {
            let left = std::fs::read_dir(store.path(folder)).map_or(0, Iterator::count);
            assert_eq!(left, 0, "{folder} after {words} words");
        }
        store.is_consistent();
    }
    assert!(cancelled >= 5, "only {cancelled} of 30 were called off in time");
    store.ok(&["pull", "-q", &name]);
    assert_eq!(store.ok(&["run", "--rm", &name, "cat", "/data/20/50"]), "20 50");
}
