//! A container's console in a pane: its bytes become cells, keys and the mouse become its bytes.
//!
//! ```text
//!  session ── output ──► terminal (dialect ──► vt100) ── view ──► cells of the frame
//!     ▲  ▲                   │ replies     │ modes
//!     │  └───────────────────┘             ▼
//!     └──────── bytes ◄── detach ◄── keys, mouse ◄── events;   selection ──► clipboard
//! ```
//!
//! Nothing of a container's bytes reaches the real terminal but as a cell's text, which holds nothing to interpret.

pub mod charset;
pub mod detach;
pub mod dialect;
pub mod keys;
pub mod mouse;
pub mod reflow;
pub mod selection;

pub mod session;
pub mod sgr;
pub mod terminal;
pub mod view;

#[cfg(test)]
mod tests;
