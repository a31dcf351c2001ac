//! The suite that needs root: the built program on this machine's kernel, with stores of its own.
#![allow(clippy::unwrap_used)]

mod images;
mod life;
mod registry;
mod run;
mod store;
