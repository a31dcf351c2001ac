//! The suite on a real kernel, as root: each test proves that nothing is left.
#![allow(clippy::unwrap_used)]

mod extract;
