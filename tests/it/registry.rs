//! The distribution client against a registry that lies, breaks off, stalls and asks for time.

mod auth;
mod pull;
mod push;
mod real;
pub mod server;
