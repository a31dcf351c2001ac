//! The command line: arguments into jobs, results into text.

pub mod batch;
pub mod filter;
pub mod size;
pub mod table;
pub mod template;
pub mod text;
pub mod when;
pub mod width;
