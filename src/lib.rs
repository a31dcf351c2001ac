//! kapal, a container workstation: an engine without a daemon, its drivers, its monitor, and the faces in front of it.
#![doc = include_str!("ARCHITECTURE.md")]
#![deny(unsafe_code)]

pub mod container;
pub mod execdriver;
pub mod graph;
pub mod graphdriver;
pub mod id;
#[allow(unsafe_code)]
pub mod sys;
