//! The engine inside this process, on a test's store; a monitor is this process's file executed again, as it is the program's.

use crate::store::Store;
use kapal::container::Place;
use kapal::engine::{Engine, Options};

/// Runs before the harness reads its arguments: whoever was executed as a monitor becomes one and never gets there.
#[used]
#[unsafe(link_section = ".init_array")]
static MONITOR: extern "C" fn() = become_a_monitor;

extern "C" fn become_a_monitor() {
    kapal::monitor::main_if_asked(kapal::cli::record);
}

/// The engine on a store.
pub fn engine(store: &Store) -> Engine {
    let place = Place { root: store.path("root"), run_root: store.path("run") };
    let storage_driver = (!store.driver.is_empty()).then(|| store.driver.to_owned());
    Engine::open(Options {
        place,
        storage_driver,
        insecure: Vec::new(),
        docker_config: store.path("config"),
        network: kapal::engine::network::Settings::default(),
    })
    .unwrap()
}
