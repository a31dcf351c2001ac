//! Tests that need no root and take seconds, in one program.

mod registry;
