//! The names people give images, by Docker's rules: `[domain/]path[:tag][@digest]`.
//!
//! ```text
//!  localhost:5000/team/app:1.2@sha256:9f86…      busybox  =  docker.io/library/busybox
//!  └── domain ──┘ └ path ┘ tag └── digest ─┘
//! ```
//!
//! Source: distribution/reference, its grammar and `ParseNormalizedNamed`. That `host` alone means this machine's own
//! files is the engine's affair, not a name's.

use crate::id::Digest;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The domain of names that say none.
pub const DEFAULT_DOMAIN: &str = "docker.io";

/// The tag of names that say none.
pub const DEFAULT_TAG: &str = "latest";

/// Where one-component names of the default domain lie.
const LIBRARY: &str = "library/";

/// Longest `domain/path`, bytes.
const NAME_MAX: usize = 255;

/// Longest tag, bytes.
const TAG_MAX: usize = 128;

/// A normalised name of an image: the domain is always there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A name that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid image name {text:?}: {why}")]
pub struct ReferenceError {
    text: String,
    why: String,
}

impl Reference {
    /// The registry, `docker.io` if the name said none.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository at the registry, `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, if the name said one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if the name said one; it beats the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Domain and path, `docker.io/library/busybox`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The shortest form of [`Reference::name`] that is read as the same: what tables show as REPOSITORY.
    pub fn familiar_name(&self) -> String {
        if self.domain == DEFAULT_DOMAIN {
            let candidates = [self.path.strip_prefix(LIBRARY), Some(&self.path)];
            for short in candidates.into_iter().flatten() {
                if normalise(short) == (DEFAULT_DOMAIN.to_owned(), self.path.clone()) {
                    return short.to_owned();
                }
            }
        }
        self.name()
    }

    /// The shortest form, with tag and digest as they are.
    pub fn familiar(&self) -> String {
        self.with_suffix(self.familiar_name())
    }

    /// The same with the tag `latest` if it has neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.to_owned());
        }
        self
    }

    /// The same name with this tag and no digest.
    ///
    /// # Errors
    /// What is no tag.
    pub fn with_tag(mut self, tag: &str) -> Result<Self, ReferenceError> {
        check_tag(tag).map_err(|why| ReferenceError { text: bounded(tag), why })?;
        self.tag = Some(tag.to_owned());
        self.digest = None;
        Ok(self)
    }

    /// The same name with this digest and no tag.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        self.tag = None;
        self.digest = Some(digest);
        self
    }

    fn with_suffix(&self, mut text: String) -> String {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest.as_str());
        }
        text
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(NAME_MAX).collect()
}

/// Splits a name without tag into domain and path, and fills in what it leaves out.
fn normalise(name: &str) -> (String, String) {
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (DEFAULT_DOMAIN, name),
    };
    let domain = if domain == "index.docker.io" { DEFAULT_DOMAIN } else { domain };
    let prefix = if domain == DEFAULT_DOMAIN && !path.contains('/') { LIBRARY } else { "" };
    (domain.to_owned(), format!("{prefix}{path}"))
}

/// Letters, digits and single hyphens between them, dots between such parts; or an address in brackets; then a port.
fn check_domain(domain: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("{:?} is not a registry: {why}", bounded(domain)));
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    if port.is_some_and(|port| port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit())) {
        return wrong("expected a port number after the colon");
    }
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return if address.parse::<std::net::Ipv6Addr>().is_ok() { Ok(()) } else { wrong("expected an IPv6 address in the brackets") };
    }
    let good = |part: &str| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-') && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if host.split('.').all(good) { Ok(()) } else { wrong("expected a host name of letters, digits, dots and hyphens") }
}

/// Lower-case letters and digits, with `.`, `_`, `__` or hyphens between them; slashes between such parts.
fn check_path(path: &str) -> Result<(), String> {
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("the repository name must be lower-case".to_owned());
    }
    for part in path.split('/') {
        let separator = |text: &str| matches!(text, "." | "_" | "__") || text.bytes().all(|b| b == b'-');
        let edges = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let good = edges(part.bytes().next())
            && edges(part.bytes().last())
            && part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).all(|between| between.is_empty() || separator(between));
        if !good {
            return Err(format!(
                "{:?} is not a part of a repository name: expected lower-case letters and digits, with '.', '_', '__' or '-' between them",
                bounded(part)
            ));
        }
    }
    Ok(())
}

fn check_tag(tag: &str) -> Result<(), String> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let good = tag.len() <= TAG_MAX && tag.bytes().next().is_some_and(word) && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'));
    if good {
        Ok(())
    } else {
        Err(format!("{:?} is not a tag: expected 1 to {TAG_MAX} letters, digits, '_', '.' or '-', the first no '.' or '-'", bounded(tag)))
    }
}

fn parse(text: &str) -> Result<Reference, String> {
    if text.is_empty() {
        return Err("expected [REGISTRY/]NAME[:TAG][@DIGEST]".to_owned());
    }
    // The longest that can be right: a name, a tag, a digest.
    if text.len() > NAME_MAX + TAG_MAX + 80 {
        return Err(format!("{} bytes are too many", text.len()));
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|error| error.to_string())?)),
        None => (text, None),
    };
    // A colon before a slash is a port's.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if name.len() == 64 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("64 hexadecimal digits are an id, not a name".to_owned());
    }
    let (domain, path) = normalise(name);
    check_domain(&domain)?;
    check_path(&path)?;
    if domain.len() + 1 + path.len() > NAME_MAX {
        return Err(format!("the name is longer than {NAME_MAX} bytes"));
    }
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    Ok(Reference { domain, path, tag: tag.map(str::to_owned), digest })
}

impl FromStr for Reference {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|why| ReferenceError { text: bounded(text), why })
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    /// The whole form, domain first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.with_suffix(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_filled_in_and_shown_short() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, whole, short) in [
            ("busybox", "docker.io/library/busybox", "busybox"),
            ("busybox:1", "docker.io/library/busybox:1", "busybox:1"),
            ("a/b", "docker.io/a/b", "a/b"),
            ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
            ("index.docker.io/a/b", "docker.io/a/b", "a/b"),
            ("docker.io/library/x/y", "docker.io/library/x/y", "library/x/y"),
            ("localhost/x", "localhost/x", "localhost/x"),
            ("localhost", "docker.io/library/localhost", "localhost"),
            ("docker.io/localhost/x", "docker.io/localhost/x", "docker.io/localhost/x"),
            ("docker.io/a.b/x", "docker.io/a.b/x", "docker.io/a.b/x"),
            ("127.0.0.1:5000/tools:1", "127.0.0.1:5000/tools:1", "127.0.0.1:5000/tools:1"),
            ("[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"),
            ("[fe80::1]/a", "[fe80::1]/a", "[fe80::1]/a"),
            ("Host.example/a__b/c--d", "Host.example/a__b/c--d", "Host.example/a__b/c--d"),
            ("host", "docker.io/library/host", "host"),
        ] {
            let read: Reference = text.parse().unwrap();
            assert_eq!((read.to_string().as_str(), read.familiar().as_str()), (whole, short), "{text}");
        }
        let both: Reference = format!("x:1@{digest}").parse().unwrap();
        assert_eq!((both.tag(), both.digest().map(Digest::as_str)), (Some("1"), Some(digest.as_str())));
        assert_eq!(both.clone().with_default_tag(), both);
        assert_eq!("x".parse::<Reference>().unwrap().with_default_tag().familiar(), "x:latest");
    }

    #[test]
    fn wrong_names_say_why() {
        let long = "a".repeat(250);
        let id = "a".repeat(64);
        for (bad, why) in [
            ("", "expected"),
            ("Foo", "lower-case"),
            ("Foo/bar", "lower-case"),
            ("a b", "repository"),
            ("a//b", "repository"),
            ("/a", "repository"),
            ("a/", "repository"),
            ("a___b", "repository"),
            ("a..b", "repository"),
            ("-a", "repository"),
            ("a:", "tag"),
            ("a:.x", "tag"),
            ("a:b:c", "repository"),
            ("a@sha256:12", "digest"),
            ("a@b@c", "digest"),
            ("x.y:port/a", "port"),
            ("-x.y/a", "host name"),
            ("[zz]:1/a", "IPv6"),
            (&long, "longer"),
            (&id, "id"),
            (&"a/".repeat(1000), "too many"),
            ("\u{e9}", "repository"),
        ] {
            let error = bad.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        assert!(format!("a:{}", "t".repeat(129)).parse::<Reference>().is_err());
        assert!(format!("a:{}", "t".repeat(128)).parse::<Reference>().is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = text.parse::<Reference>();
        }

        #[test]
        fn whole_and_short_forms_are_read_as_the_same(text in "((localhost|[a-z]{1,4}(\\.[a-z]{1,3})?)(:[0-9]{1,4})?/)?(library/)?[a-z0-9]{1,3}([._/-][a-z0-9]{1,3}){0,2}(:[a-zA-Z0-9_.-]{0,5})?") {
            if let Ok(read) = text.parse::<Reference>() {
                prop_assert_eq!(&read.to_string().parse::<Reference>().unwrap(), &read);
                prop_assert_eq!(&read.familiar().parse::<Reference>().unwrap(), &read);
            }
        }
    }
}
