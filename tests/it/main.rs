//! The tests that need neither root nor a network and take seconds.
#![allow(clippy::unwrap_used)]

mod rust_text;
mod tidy;
