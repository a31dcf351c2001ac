//! What screens are built of: tables, text to scroll in, frames and lines to type in.

pub mod bars;
pub mod browser;
pub mod chart;
pub mod field;
pub mod frame;
pub mod input;
pub mod offers;
pub mod pager;
pub mod rows;
pub mod spark;
pub mod table;
pub mod tree;
