//! Names as a registry takes them: a host and a repository, a tag or a digest, and how far the host is trusted.

use super::error::{Error, Kind};
use crate::id::Digest;
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;

/// The name that stands for Docker's own registry.
const DOCKER: &str = "docker.io";

/// A repository in a registry.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Repository {
    /// `127.0.0.1:5000`, `docker.io`, `[::1]:5000`.
    pub host: String,
    /// `library/busybox`.
    pub name: String,
}

/// One version of a repository.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Version {
    /// A name that may move.
    Tag(String),
    /// The digest of a manifest or of an index.
    Digest(Digest),
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, ":{tag}"),
            Self::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl fmt::Display for Repository {
    /// The short form that people type: `busybox`, `user/tool`, `127.0.0.1:5000/tools`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host == DOCKER { f.write_str(self.name.strip_prefix("library/").unwrap_or(&self.name)) } else { write!(f, "{}/{}", self.host, self.name) }
    }
}

impl Repository {
    /// A repository by its host and its name there.
    pub fn new(host: impl Into<String>, name: impl Into<String>) -> Self {
        Self { host: host.into(), name: name.into() }
    }

    /// Refuses names that would end up elsewhere in an address than where they belong.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_host(&self.host)?;
        let part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
        };
        if self.name.len() <= 255 && self.name.split('/').all(part) {
            Ok(())
        } else {
            Err(Error::new(
                Kind::Invalid,
                format!("invalid repository name {:?}: expected parts of a-z, 0-9, '.', '_', '-', divided by '/'", shortened(&self.name)),
            ))
        }
    }

    /// What a bearer token has to allow.
    pub(super) fn scope(&self, actions: &str) -> String {
        format!("repository:{}:{actions}", self.name)
    }
}

impl Version {
    /// The last part of a manifest's address.
    pub(super) fn reference(&self) -> Result<&str, Error> {
        match self {
            Self::Digest(digest) => Ok(digest.as_str()),
            Self::Tag(tag) => {
                let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
                let good = (1..=128).contains(&tag.len()) && tag.bytes().enumerate().all(|(at, b)| word(b) || (at > 0 && matches!(b, b'.' | b'-')));
                if good {
                    Ok(tag)
                } else {
                    Err(Error::new(Kind::Invalid, format!("invalid tag {:?}: expected at most 128 of A-Z, a-z, 0-9, '_', '.', '-'", shortened(tag))))
                }
            }
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Refuses hosts that are more than a host and a port.
pub(super) fn check_host(host: &str) -> Result<(), Error> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if !host.is_empty() && host.len() <= 255 && host.bytes().all(allowed) {
        Ok(())
    } else {
        Err(Error::new(Kind::Invalid, format!("invalid registry {:?}: expected a host name or address, and a port if need be", shortened(host))))
    }
}

/// The host that is connected to: Docker's registry answers under another name than the one people write.
pub(super) fn endpoint(host: &str) -> &str {
    match host {
        DOCKER | "index.docker.io" => "registry-1.docker.io",
        other => other,
    }
}

/// What `config.json` and the credential helpers call a registry.
pub(super) fn credential_key(host: &str) -> &str {
    match host {
        DOCKER | "index.docker.io" | "registry-1.docker.io" => "https://index.docker.io/v1/",
        other => other,
    }
}

/// How a host may be spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// TLS with a certificate that is verified.
    Verified,
    /// As the user said: TLS without a look at the certificate, or plain HTTP.
    Insecure,
    /// This machine: plain HTTP first, no proxy.
    Loopback,
}

/// How `address` may be spoken to: loopback is known by itself, `insecure` are hosts (any port) or hosts with a port.
pub(super) fn reach(address: &Url, insecure: &[String]) -> Reach {
    let host = address.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        return Reach::Loopback;
    }
    let with_port = format!("{host}:{}", address.port_or_known_default().unwrap_or_default());
    if insecure.iter().any(|entry| entry.eq_ignore_ascii_case(host) || entry.eq_ignore_ascii_case(&with_port)) { Reach::Insecure } else { Reach::Verified }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_place_in_the_address_are_refused() {
        for name in ["../etc", "a//b", "a/../b", "A", "a?b", "a#b", "", "a/", ".a"] {
            assert_eq!(Repository::new("h:1", name).check().unwrap_err().kind(), Kind::Invalid, "{name}");
        }
        for host in ["", "user@host", "host/x", "ho st", "host?"] {
            assert!(Repository::new(host, "a").check().is_err(), "{host}");
        }
        assert!(Repository::new("[::1]:5000", "a/b-c__d.e").check().is_ok());
        assert!(Version::Tag("a/b".into()).reference().is_err());
        assert!(Version::Tag(".a".into()).reference().is_err());
        assert_eq!(Version::Tag("1.0-rc_1".into()).reference().unwrap(), "1.0-rc_1");
    }

    #[test]
    fn only_this_machine_and_named_hosts_may_do_without_tls() {
        let insecure = ["lab.example".to_owned(), "other.example:5000".to_owned()];
        let reach = |address: &str| reach(&Url::parse(address).unwrap(), &insecure);
        for address in ["http://localhost/", "http://127.9.9.9:1/", "http://[::1]:5000/"] {
            assert_eq!(reach(address), Reach::Loopback, "{address}");
        }
        assert_eq!(reach("https://lab.example:7777/"), Reach::Insecure);
        assert_eq!(reach("https://other.example:5000/"), Reach::Insecure);
        for address in ["https://other.example/", "https://localhost.example/", "https://10.0.0.1/"] {
            assert_eq!(reach(address), Reach::Verified, "{address}");
        }
    }

    #[test]
    fn docker_has_three_names() {
        assert_eq!(endpoint("docker.io"), "registry-1.docker.io");
        assert_eq!(credential_key("docker.io"), "https://index.docker.io/v1/");
        assert_eq!(Repository::new("docker.io", "library/busybox").to_string(), "busybox");
    }
}
