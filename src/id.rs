//! Typed identities: what a container, a network, an image, a layer, a blob and a job are called everywhere in the house.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How many hexadecimal digits of an identity are shown where space is short.
pub const SHORT: usize = 12;

/// An identity that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("invalid {what} {text:?}: expected {expected}")]
pub struct IdError {
    what: &'static str,
    text: String,
    expected: &'static str,
}

fn is_hex64(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The digest of some bytes, `sha256:` and 64 lower-case hexadecimal digits.
///
/// Source of the format: OCI image specification, descriptor.md. Other algorithms are refused: nobody serves them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_sha256(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
    }

    /// A digest from the 32 raw bytes that sha256 gives.
    pub fn from_sha256(raw: &[u8]) -> Self {
        Self(format!("sha256:{}", hex(raw)))
    }

    /// The 64 digits without the algorithm.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// The first twelve digits, as tables show them.
    pub fn short(&self) -> &str {
        &self.hex()[..SHORT]
    }

    /// The whole text, algorithm first.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hexadecimal of `raw`.
pub fn hex(raw: &[u8]) -> String {
    use fmt::Write;
    raw.iter().fold(String::with_capacity(raw.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl FromStr for Digest {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.strip_prefix("sha256:") {
            Some(digits) if is_hex64(digits) => Ok(Self(text.to_owned())),
            _ => Err(IdError { what: "digest", text: text.chars().take(100).collect(), expected: "sha256: and 64 lower-case hexadecimal digits" }),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An image: the digest of its configuration document.
pub type ImageId = Digest;

/// A layer's uncompressed tar stream.
pub type DiffId = Digest;

/// A layer on top of all below it: `sha256(chain of the parents + " " + diff id)`, and the diff id itself at the bottom.
///
/// Source: OCI image specification, config.md, "Layer ChainID".
pub type LayerId = Digest;

/// The chain ids of a list of diff ids, bottom first.
pub fn chain(diffs: &[DiffId]) -> Vec<LayerId> {
    let mut chain: Vec<LayerId> = Vec::with_capacity(diffs.len());
    for diff in diffs {
        let next = match chain.last() {
            Some(parent) => Digest::of(format!("{parent} {diff}").as_bytes()),
            None => diff.clone(),
        };
        chain.push(next);
    }
    chain
}

/// A random identity of 64 hexadecimal digits.
macro_rules! random_id {
    ($(#[$about:meta])* $name:ident, $what:literal) => {
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new identity, from the kernel's random numbers.
            ///
            /// # Errors
            /// The kernel's, if it gives no random bytes.
            pub fn random() -> std::io::Result<Self> {
                let mut raw = [0u8; 32];
                rustix::rand::getrandom(&mut raw, rustix::rand::GetRandomFlags::empty())?;
                Ok(Self(hex(&raw)))
            }

            /// The first twelve digits.
            pub fn short(&self) -> &str {
                &self.0[..SHORT]
            }

            /// All digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_hex64(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { what: $what, text: text.chars().take(100).collect(), expected: "64 lower-case hexadecimal digits" })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

random_id!(
    /// A container: 64 random hexadecimal digits.
    ContainerId,
    "container id"
);
random_id!(
    /// A network: 64 random hexadecimal digits.
    NetworkId,
    "network id"
);

/// A job, numbered by the store in the order of their starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_ids_are_those_of_the_specification() {
        let a = Digest::of(b"a");
        let b = Digest::of(b"b");
        let ids = chain(&[a.clone(), b.clone()]);
        assert_eq!(ids[0], a);
        assert_eq!(ids[1], Digest::of(format!("{a} {b}").as_bytes()));
    }

    #[test]
    fn only_whole_lower_case_digests_are_read() {
        assert!("sha256:abc".parse::<Digest>().is_err());
        assert!(format!("sha256:{}", "A".repeat(64)).parse::<Digest>().is_err());
        assert!(format!("sha512:{}", "a".repeat(64)).parse::<Digest>().is_err());
        assert!(format!("sha256:{}", "a".repeat(64)).parse::<Digest>().is_ok());
    }
}
