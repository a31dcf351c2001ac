//! What `config.toml` says about networks: the machine's file, and the user's over it.
//!
//! ```toml
//! [network]
//! publish = "loopback"                # ports that name no address are published for this machine alone
//! pools = [{ base = "10.80.0.0/12", size = 16 }, { base = "fd12:3456:789a::/48", size = 64 }]
//! ```

use crate::engine::network::{Pool, Settings};
use crate::tui::config::Source;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr};

/// The table `network`; other tables are the screens'.
#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    network: Network,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    publish: Option<String>,
    pools: Option<Vec<Pool>>,
}

/// The settings in `sources`, of which later ones win key by key.
///
/// # Errors
/// A sentence that names the file and what was expected.
pub fn network(sources: &[Source]) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for Source { file, text } in sources {
        let read: File = toml::from_str(text).map_err(|error| format!("{file}: {}", error.to_string().trim().replace('\n', " ")))?;
        if let Some(publish) = read.network.publish {
            settings.publish = match publish.as_str() {
                "all" => None,
                "loopback" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                address => {
                    let expected = || format!("{file}: network.publish: expected \"all\", \"loopback\" or an address of this machine, not {address:?}");
                    Some(address.parse().map_err(|_| expected())?)
                }
            };
        }
        if let Some(pools) = read.network.pools {
            if let Some(pool) = pools.iter().find(|pool| pool.base.part(pool.size, 0).is_none() || pool.size > if pool.base.is_v6() { 126 } else { 30 }) {
                return Err(format!("{file}: network.pools: {} cannot be cut into parts of /{}", pool.base, pool.size));
            }
            settings.pools = pools;
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        network(&[Source { file: "config.toml".to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn what_is_not_said_stays_usual() {
        assert_eq!(read("theme = 'nord'\n[keys]\npreset = 'vim'"), Ok(Settings::default()));
        let settings = read("[network]\npublish = 'loopback'\npools = [{ base = '10.80.0.0/12', size = 16 }]").unwrap();
        assert_eq!(settings.publish.unwrap().to_string(), "127.0.0.1");
        assert_eq!(settings.pools_of(false).len(), 1);
        assert!(settings.pools_of(true).is_empty());
        assert_eq!(read("[network]\npublish = 'all'").unwrap().publish, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for text in [
            "[network]\npublish = 'nowhere'",
            "[network]\npool = []",
            "[network]\npools = [{ base = '10.0.0.0/16', size = 8 }]",
            "[network]\npools = [{ base = '10.0.0.0', size = 24 }]",
        ] {
            assert!(read(text).unwrap_err().starts_with("config.toml: "), "{text}");
        }
    }
}
