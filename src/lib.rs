//! kapal, a container workstation: an engine without a daemon, its drivers, its monitor, and the faces in front of it.
#![doc = include_str!("ARCHITECTURE.md")]
#![deny(unsafe_code)]

pub mod cli;
pub mod container;
pub mod engine;
pub mod execdriver;
pub mod graph;
pub mod graphdb;
pub mod graphdriver;
pub mod id;
pub mod job;
pub mod monitor;
pub mod networkdriver;
pub mod registry;
pub mod server;
#[allow(unsafe_code)]
pub mod sys;
pub mod text;
pub mod tui;
