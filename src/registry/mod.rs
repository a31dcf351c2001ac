//! The distribution client: from names to manifests and blobs, verified; back again; and who may.
//!
//! The wire formats (media types, manifests, indexes, error documents) are those of the crate `oci-distribution`. The requests are made here,
//! because its client reads manifests, tokens and errors without a bound, drops the headers of failures (`Retry-After`), does not
//! verify resumed blobs, and knows neither identity tokens nor the rule that plain HTTP needs a host that the user named.
//!
//! Everything a registry says is doubted: sizes are bounded while they are read, digests compared, addresses held to the rules in
//! `wire`, and text cleaned before it is repeated.

mod auth;
mod blob;
mod challenge;
mod config_file;
mod credential;
mod error;
mod keychain;
mod login;
mod manifest;
mod patience;
mod platform;
mod push;
mod repository;
mod resolve;
mod session;
mod tags;
mod wire;

pub use blob::{BlobReader, BlobStream, Progress};
pub use credential::Credential;
pub use error::{Error, Kind};
pub use manifest::{Compression, Descriptor, Document, Entry, Layer, OCI_LAYER_ZSTD};
pub use patience::{Listener, Notice};
pub use platform::Platform;
pub use push::{Opener, Pushed};
pub use repository::{Repository, Version};
pub use resolve::{LARGEST, Resolved};

use std::path::PathBuf;
use std::sync::Arc;

/// What the user decides about registries.
#[derive(Clone, Debug)]
pub struct Options {
    /// Hosts (any port) or `host:port`s that may be spoken to in plain HTTP or with a certificate that nobody vouches for.
    pub insecure: Vec<String>,
    /// Where `config.json` lies.
    pub docker_config_dir: PathBuf,
    /// What registries are told about the program.
    pub user_agent: String,
}

impl Default for Options {
    /// As the environment says: `DOCKER_CONFIG`, or `.docker` in the home directory.
    fn default() -> Self {
        let home = || std::env::var_os("HOME").filter(|h| !h.is_empty()).map_or_else(|| PathBuf::from("/root"), PathBuf::from).join(".docker");
        Self {
            insecure: Vec::new(),
            docker_config_dir: std::env::var_os("DOCKER_CONFIG").filter(|d| !d.is_empty()).map_or_else(home, PathBuf::from),
            user_agent: concat!("kapal/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A client for any number of registries. Clones share connections, tokens and credentials; making one costs nothing until it is used.
///
/// To be used within one tokio runtime (with I/O and time), to which its connections belong.
#[derive(Clone)]
pub struct Client {
    wire: Arc<wire::Wire>,
    listener: Option<Listener>,
}

impl Client {
    /// A client; nothing is read or connected yet.
    pub fn new(options: Options) -> Self {
        Self { wire: Arc::new(wire::Wire::new(options)), listener: None }
    }

    /// The same client, telling another listener of waits and retries: a job gives its own.
    #[must_use]
    pub fn with_listener(&self, listener: Listener) -> Self {
        Self { wire: self.wire.clone(), listener: Some(listener) }
    }

    /// Uses these credentials for a registry (or none), whatever is configured.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if `host` is no host.
    pub async fn use_credential(&self, host: &str, credential: Option<Credential>) -> Result<(), Error> {
        self.wire.session(host)?.auth.set(credential).await;
        Ok(())
    }

    fn tell(&self, notice: &Notice) {
        if let Some(listener) = &self.listener {
            listener(notice);
        }
    }
}
