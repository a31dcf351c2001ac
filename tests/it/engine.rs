//! The engine as a long-living program has it: jobs that are dropped, changes of other processes, snapshots.

mod jobs;
mod listening;
mod logs;
pub mod snapshot;

use kapal::container::Place;
use kapal::engine::{Engine, Event, Options};
use std::path::Path;
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine on a store below `folder`.
pub fn engine(folder: &Path) -> Engine {
    let place = Place { root: folder.join("root"), run_root: folder.join("run") };
    Engine::open(Options {
        place,
        storage_driver: Some("vfs".into()),
        insecure: Vec::new(),
        docker_config: folder.join("config"),
        network: kapal::engine::network::Settings::default(),
    })
    .unwrap()
}

/// Waits for an event that `wanted` takes.
async fn event(events: &mut tokio::sync::broadcast::Receiver<Event>, wanted: impl Fn(&Event) -> bool) -> Event {
    let next = async {
        loop {
            match events.recv().await {
                Ok(event) if wanted(&event) => return event,
                Ok(_) => {}
                Err(error) => panic!("no such event: {error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.expect("the event did not come")
}
