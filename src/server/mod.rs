//! What other programs are served: figures of this machine's containers, over HTTP.

mod http;
pub mod metrics;

pub use http::Listening;
