//! The command line: arguments into jobs, results into text.

pub mod batch;
pub mod detach;
pub mod filter;
pub mod progress;
pub mod size;
pub mod table;
pub mod template;
pub mod terminal;
pub mod text;
pub mod when;
pub mod width;
