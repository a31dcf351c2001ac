//! The interactive face: an engine in the background, everything it knows on screen, everything it does by key.
//!
//! ```text
//!  keys, mouse ─┐                                  ┌─► view ─► terminal
//!  each second ─┼─► Msg ─► update(&mut Model, Msg) ─┤
//!  engine news ─┘                                  └─► Effect ─► work (verbs, questions, consoles) ─► News
//! ```
//! `update` touches nothing but the model; `work` is the only part that talks to the engine; the loop in `run` is the
//! only one that waits. What verbs do is not written here: the command line does them, see [`mod@line`].

pub mod config;
pub mod console;

pub mod effect;
pub mod keymap;
pub mod line;
pub mod model;
pub mod msg;
pub mod quiet;
pub mod run;
pub mod screen;
pub mod session;
pub mod setting;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod view;
pub mod widget;
pub mod work;
pub mod world;
