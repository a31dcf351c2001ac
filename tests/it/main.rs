//! The tests that need neither root nor a network and take seconds.
#![allow(clippy::unwrap_used)]

mod dialogs;
mod engine;
mod looking;
mod metrics;
mod registry;
mod rust_text;
mod tidy;
mod tui;
