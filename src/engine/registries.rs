//! Registries as jobs use them: a client for one of them, its words in the job's progress, its failures as ours.

use super::{Error, JobContext, Kind, Result};
use crate::graph::reference::Reference;
use crate::graph::stream::Compression;
use crate::registry::{self, Client, Repository};
use std::sync::Arc;

/// A client for a job that works with `host`.
pub fn client(context: &JobContext, host: &str, insecure: bool) -> Result<Client> {
    let own;
    let shared = if insecure {
        let options = context.engine.options();
        let mut hosts = options.insecure.clone();
        hosts.push(host.to_owned());
        own = Client::new(registry::Options { insecure: hosts, docker_config_dir: options.docker_config.clone(), ..registry::Options::default() });
        &own
    } else {
        context.engine.registry()?
    };
    let listener = context.clone();
    Ok(shared.with_listener(Arc::new(move |notice| listener.say(notice.to_string()))))
}

/// Where an image of this name lives.
pub fn repository(name: &Reference) -> Repository {
    Repository::new(name.domain(), name.path())
}

impl From<registry::Error> for Error {
    fn from(error: registry::Error) -> Self {
        use registry::Kind as R;
        let kind = match error.kind() {
            R::NotFound | R::NoPlatform => Kind::NotFound,
            R::Unauthorized | R::Denied => Kind::Denied,
            R::Corrupt | R::TooLarge | R::Protocol => Kind::Corrupt,
            R::Unsupported => Kind::Unsupported,
            R::Unreachable | R::RateLimited | R::Unavailable => Kind::Unavailable,
            R::Invalid => Kind::Invalid,
            R::Helper | R::Io => Kind::Failed,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<registry::Compression> for Compression {
    fn from(compression: registry::Compression) -> Self {
        match compression {
            registry::Compression::Plain => Self::Plain,
            registry::Compression::Gzip => Self::Gzip,
            registry::Compression::Zstd => Self::Zstd,
        }
    }
}
