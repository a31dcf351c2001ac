//! The terminal's face: themes, keys and settings, and the screens that are made with them.

pub mod config;
pub mod keymap;
pub mod setting;
pub mod theme;
