//! The suite that needs root: the built program on this machine's kernel, with stores of its own.
#![allow(clippy::unwrap_used)]

mod allocations;
mod batch;
mod berths;
mod conformance;
mod console;
mod crash;
mod engine;
mod extract;
mod figures;
mod firewall;
mod graph;
mod harbour;
mod health;
mod host;
mod images;
mod import;
mod inside;
mod life;
mod limits;
mod loopback;
mod many;
mod mending;
mod metrics;
mod names;
mod neighbours;
mod networks;
mod pane;
mod registry;
mod run;
mod space;
mod stats;
mod store;
mod toolbox;
mod trees;
mod update;
