//! Names of images as people write them, by docker's rules.
//!
//! ```text
//!  [DOMAIN/]PATH[:TAG][@DIGEST]     busybox → docker.io/library/busybox:latest
//! ```
//!
//! The first component is a domain only if it holds `.` or `:` or is `localhost` (or has an upper-case letter).
//! Source of the grammar: the distribution project's reference package; the tag and name rules of the OCI
//! distribution specification.

use crate::id::Digest;
use std::fmt;
use std::str::FromStr;

/// The domain of names without one.
pub const DEFAULT_DOMAIN: &str = "docker.io";
/// The tag of names without one.
pub const DEFAULT_TAG: &str = "latest";
/// The longest name, without tag and digest.
const LONGEST: usize = 255;

/// An image's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid reference {text:?}: {why}")]
pub struct ReferenceError {
    text: String,
    why: &'static str,
}

impl Reference {
    /// `docker.io`, `127.0.0.1:5000` …
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// `library/busybox` …
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, if one was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Domain and path.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The same name, `latest` if it has neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.to_owned());
        }
        self
    }

    /// The same repository with another tag and no digest.
    ///
    /// # Errors
    /// The tag is none.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        check_tag(tag).map_err(|why| ReferenceError { text: tag.chars().take(128).collect(), why })?;
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// The same repository by digest.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// As people write it: `busybox:1`, not `docker.io/library/busybox:1`.
    pub fn familiar(&self) -> String {
        let mut text = if self.domain == DEFAULT_DOMAIN { self.path.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(&self.path).to_owned() } else { self.name() };
        self.push_rest(&mut text);
        text
    }

    fn push_rest(&self, text: &mut String) {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest.as_str());
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.name();
        self.push_rest(&mut text);
        f.pad(&text)
    }
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let first = tag.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    if first && tag.len() <= 128 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
        Ok(())
    } else {
        Err("a tag has at most 128 letters, digits, _, . and -, and begins with none of the last two")
    }
}

fn check_domain(domain: &str) -> Result<(), &'static str> {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !domain.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
        return Err("the registry's port is a number up to 65535");
    }
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().map(|_| ()).map_err(|_| "the registry's address is none");
    }
    let good = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if host.split('.').all(good) { Ok(()) } else { Err("the registry's host is not a host name") }
}

/// Lower-case letters and digits, with single `.`, one or two `_`, or any run of `-` between them.
fn check_component(component: &str) -> Result<(), &'static str> {
    if component.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("a repository's name is in lower case");
    }
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut separator = String::new();
    let bytes = component.as_bytes();
    if !bytes.first().copied().is_some_and(good) || !bytes.last().copied().is_some_and(good) {
        return Err("each part of a repository's name begins and ends with a letter or a digit");
    }
    for byte in bytes {
        if good(*byte) {
            if !(separator.is_empty() || matches!(separator.as_str(), "." | "_" | "__") || separator.bytes().all(|b| b == b'-')) {
                return Err("the parts of a repository's name hold single ., one or two _, or - between letters and digits");
            }
            separator.clear();
        } else if b"._-".contains(byte) {
            separator.push(*byte as char);
        } else {
            return Err("a repository's name holds letters, digits and . _ - /");
        }
    }
    Ok(())
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = |why| ReferenceError { text: text.chars().take(128).collect(), why };
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.len() > LONGEST + 256 {
            return Err(wrong("it is too long"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|_| wrong("the digest is sha256: and 64 lower-case hexadecimal digits"))?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag {
            check_tag(tag).map_err(wrong)?;
        }
        let (domain, path) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase()) => (first, rest.to_owned()),
            Some(_) => (DEFAULT_DOMAIN, name.to_owned()),
            None => (DEFAULT_DOMAIN, format!("library/{name}")),
        };
        let domain = if domain == "index.docker.io" { DEFAULT_DOMAIN } else { domain };
        check_domain(domain).map_err(wrong)?;
        let path = if domain == DEFAULT_DOMAIN && !path.contains('/') { format!("library/{path}") } else { path };
        path.split('/').try_for_each(check_component).map_err(wrong)?;
        if domain.len() + 1 + path.len() > LONGEST {
            return Err(wrong("a name has at most 255 characters"));
        }
        if digest.is_none() && text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(wrong("64 hexadecimal digits are an identity, not a name"));
        }
        Ok(Self { domain: domain.to_owned(), path, tag: tag.map(str::to_owned), digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_completed_and_shortened() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, whole, familiar) in [
            ("busybox", "docker.io/library/busybox", "busybox"),
            ("busybox:1", "docker.io/library/busybox:1", "busybox:1"),
            ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
            ("index.docker.io/a/b", "docker.io/a/b", "a/b"),
            ("a/b:t", "docker.io/a/b:t", "a/b:t"),
            ("localhost/x", "localhost/x", "localhost/x"),
            ("127.0.0.1:5000/x/y:1", "127.0.0.1:5000/x/y:1", "127.0.0.1:5000/x/y:1"),
            ("[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x"),
            ("a__b/c-d--e.f", "docker.io/a__b/c-d--e.f", "a__b/c-d--e.f"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.to_string().as_str(), reference.familiar().as_str()), (whole, familiar));
        }
        let both: Reference = format!("x:1@{digest}").parse().unwrap();
        assert_eq!((both.tag(), both.digest().map(Digest::as_str)), (Some("1"), Some(digest.as_str())));
        assert_eq!(both.clone().with_default_tag(), both);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(300);
        for text in ["", "A", "a/B", "-a", "a-", "a..b", "a___b", "a//b", "/a", "a/", "a:", "a:-x", "a@x", "a@sha256:x", "x.y:99999/a", "a b", "a\u{e9}", "a\n", "a:b:c", "x..y/a", &long, &"f".repeat(64)] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived_and_what_is_read_is_read_again(text in "[a-zA-Z0-9._:/@-]{0,80}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
                prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
            }
        }

        #[test]
        fn arbitrary_unicode_is_survived(text in "\\PC{0,40}") {
            let _ = text.parse::<Reference>();
        }
    }
}
