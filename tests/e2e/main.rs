//! The suite that needs root and tmux: the built program on a terminal, keys in, what a user would see out.
#![allow(clippy::unwrap_used)]

mod charts;
// The host suite's images, registry and stores; this suite uses a part of each.
#[allow(dead_code)]
#[path = "../host/images.rs"]
mod images;
#[allow(dead_code)]
#[path = "../host/registry.rs"]
mod registry;
mod restore;
mod session;
#[allow(dead_code)]
#[path = "../host/store.rs"]
mod store;
mod window;
