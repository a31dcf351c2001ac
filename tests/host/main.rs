//! The suite that needs root: the built program on this machine's kernel, with stores of its own.
#![allow(clippy::unwrap_used)]

mod batch;
mod conformance;
mod crash;
mod extract;
mod graph;
mod host;
mod images;
mod life;
mod many;
mod mending;
mod registry;
mod run;
mod store;
mod trees;
