//! Tests that need no root and take seconds, in one program.
#![allow(clippy::unwrap_used)]

mod registry;
