//! The kernel, wrapped: the calls that no safe crate offers, and with them all `unsafe` of the house.

pub mod bpf;
pub mod clone;
pub mod fd;
pub mod link;
pub mod mount;
pub mod netlink;
pub mod spawn;
