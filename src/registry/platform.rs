//! Platforms: what an image was built for, and which of several is the best for a machine.

use super::error::{Error, Kind, clean};
use std::fmt;
use std::str::FromStr;

/// An operating system and a processor, in Go's names for them (OCI image specification, image-index.md).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, `arm`, `riscv64` …
    pub architecture: String,
    /// `v7`, `v8` …, if it matters.
    pub variant: Option<String>,
}

impl Platform {
    /// A platform in the usual spelling: `x86_64` becomes `amd64`, `aarch64` and `arm64/v8` become `arm64`, `armhf` becomes `arm/v7`.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let variant = variant.filter(|v| !v.is_empty()).map(str::to_lowercase);
        let (architecture, variant) = match (architecture.to_lowercase().as_str(), variant) {
            ("x86_64" | "x86-64", variant) => ("amd64".to_owned(), variant),
            ("aarch64", variant) => ("arm64".to_owned(), variant),
            ("i386" | "i686" | "x86", _) => ("386".to_owned(), None),
            ("armhf", _) => ("arm".to_owned(), Some("v7".to_owned())),
            ("armel", _) => ("arm".to_owned(), Some("v6".to_owned())),
            (other, variant) => (other.to_owned(), variant),
        };
        let plain = match architecture.as_str() {
            "arm64" => Some("v8"),
            "amd64" => Some("v1"),
            _ => None,
        };
        let variant = variant.filter(|v| plain != Some(v.as_str()));
        Self { os: os.to_lowercase(), architecture, variant }
    }

    /// This machine's.
    pub fn host() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "arm" => ("arm", Some("v7")),
            "powerpc64" if cfg!(target_endian = "little") => ("ppc64le", None),
            "loongarch64" => ("loong64", None),
            other => (other, None),
        };
        Self::new("linux", architecture, variant)
    }

    /// Whether something built for `offered` serves one who asks for `self`.
    pub fn takes(&self, offered: &Self) -> bool {
        self.fit(offered).is_some()
    }

    /// How well something built for `offered` serves one who asks for `self`: smaller is better, none is not at all.
    pub(super) fn fit(&self, offered: &Self) -> Option<u32> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        // Without a wish, the oldest variant runs everywhere; only 32-bit arm has a usual one.
        let default = if self.architecture == "arm" { Some(7) } else { None };
        let wish = self.variant.as_deref().map_or(default, level);
        let offer = offered.variant.as_deref().map_or(if self.architecture == "arm" { Some(7) } else { Some(0) }, level);
        match (wish, offer) {
            _ if self.variant == offered.variant => Some(0),
            (Some(wish), Some(offer)) if offer <= wish => Some(1 + wish - offer),
            (None, Some(offer)) if self.variant.is_none() => Some(1 + offer),
            _ => None,
        }
    }
}

/// `v7` → 7.
fn level(variant: &str) -> Option<u32> {
    variant.strip_prefix('v').and_then(|digits| digits.parse::<u32>().ok()).filter(|level| *level < 100)
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", clean(&self.os), clean(&self.architecture))?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{}", clean(variant)))
    }
}

impl FromStr for Platform {
    type Err = Error;

    /// `linux/arm64`, `linux/arm/v7`, or `arm64` for this machine's system.
    fn from_str(text: &str) -> Result<Self, Error> {
        let word = |word: &&str| !word.is_empty() && word.len() <= 32 && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            _ if !parts.iter().all(word) => {}
            [architecture] => return Ok(Self::new("linux", architecture, None)),
            [os, architecture] => return Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] => return Ok(Self::new(os, architecture, Some(variant))),
            _ => {}
        }
        Err(Error::new(Kind::Invalid, format!("invalid platform {:?}: expected os/architecture or os/architecture/variant, such as linux/arm64", clean(text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn platforms_have_one_spelling() {
        assert_eq!(of("linux/x86_64"), of("linux/amd64"));
        assert_eq!(of("linux/arm64/v8"), of("arm64"));
        assert_eq!(of("linux/armhf").to_string(), "linux/arm/v7");
        for bad in ["", "linux/", "a/b/c/d", "linux/arm 64", "/"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_best_variant_is_the_nearest_that_runs() {
        let best = |wish: &str, offers: &[&str]| {
            offers.iter().filter_map(|offer| Some((of(wish).fit(&of(offer))?, *offer))).min_by_key(|(fit, _)| *fit).map(|(_, offer)| offer.to_owned())
        };
        let arms = ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64"];
        assert_eq!(best("linux/arm/v7", &arms).unwrap(), "linux/arm/v7");
        assert_eq!(best("linux/arm", &arms).unwrap(), "linux/arm/v7");
        assert_eq!(best("linux/arm/v6", &arms[..1]).unwrap(), "linux/arm/v5");
        assert_eq!(best("linux/arm/v5", &arms[1..]), None);
        assert_eq!(best("linux/amd64", &["linux/amd64/v3", "linux/amd64"]).unwrap(), "linux/amd64");
        assert_eq!(best("linux/amd64/v2", &["linux/amd64/v3", "linux/amd64"]).unwrap(), "linux/amd64");
        assert_eq!(best("linux/amd64", &["windows/amd64", "linux/386"]), None);
        assert_eq!(best("linux/arm64", &["linux/arm64/v8"]).unwrap(), "linux/arm64/v8");
    }
}
