//! Ports: which of a container's are published, where on this machine, and how people write that.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The most ports that one container publishes: each is two descriptors of its monitor and two rules.
pub const MOST_PORTS: usize = 4096;

/// What a port is a port of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// Stream Control Transmission Protocol.
    Sctp,
}

impl Protocol {
    /// As people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// Its number in IP headers (IANA).
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            _ => Err(format!("unknown protocol {:?}: choose tcp, udp or sctp", text.chars().take(20).collect::<String>())),
        }
    }
}

/// A wish: a port of the container is to be reached through this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PortBinding {
    /// Of which protocol.
    pub protocol: Protocol,
    /// The port inside.
    pub inside: u16,
    /// At which address of this machine; at all of them if absent.
    pub address: Option<IpAddr>,
    /// The first and last of the ports here that will do; any free one if absent.
    pub ports: Option<(u16, u16)>,
}

impl fmt::Display for PortBinding {
    /// As `-p` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.ports) {
            (None, None) => {}
            (None, Some(ports)) => write!(f, "{}:", Range(ports))?,
            (Some(IpAddr::V6(address)), ports) => write!(f, "[{address}]:{}:", ports.map(|ports| Range(ports).to_string()).unwrap_or_default())?,
            (Some(address), ports) => write!(f, "{address}:{}:", ports.map(|ports| Range(ports).to_string()).unwrap_or_default())?,
        }
        write!(f, "{}/{}", self.inside, self.protocol.as_str())
    }
}

struct Range((u16, u16));

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.0;
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

/// A range of ports, `80` or `8000-8010`; zero is none.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten().filter(|port| *port > 0);
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some((first, last))
}

/// What `EXPOSE` and `--expose` mean, `PORT[-PORT][/PROTOCOL]`, each port as configurations have it: `80/tcp`.
///
/// # Errors
/// What is wrong with the text.
pub fn exposed(text: &str) -> Result<Vec<String>, String> {
    let shown = || text.chars().take(100).collect::<String>();
    if text.contains(':') {
        return Err(format!("invalid port {:?}: it is the container's own; expected PORT[-PORT][/tcp|udp|sctp]", shown()));
    }
    Ok(PortBinding::parse(text)?.iter().map(|port| format!("{}/{}", port.inside, port.protocol.as_str())).collect())
}

impl PortBinding {
    /// What `-p` means: `[[ADDRESS:][PORT[-PORT]]:]INSIDE[-INSIDE][/PROTOCOL]`, one wish for each port inside.
    ///
    /// A range here with one port inside is a choice; ranges of the same length are paired.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        const EXPECTED: &str = "expected [[ADDRESS:][PORT[-PORT]]:]INSIDE[-INSIDE][/tcp|udp|sctp]";
        let shown = || text.chars().take(100).collect::<String>();
        let wrong = |why: &str| format!("invalid port {:?}: {why}; {EXPECTED}", shown());
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol: Protocol = protocol.parse().map_err(|why: String| wrong(&why))?;
        let (rest, inside) = ports.rsplit_once(':').map_or((None, ports), |(rest, inside)| (Some(rest), inside));
        let inside = range(inside).ok_or_else(|| wrong("the port inside is no number from 1 to 65535"))?;
        let (address, here) = match rest {
            None => (None, None),
            Some(rest) => match rest.rsplit_once(':') {
                // `80:80`, but an IPv6 address in brackets has colons of its own.
                Some((address, here)) if !rest.ends_with(']') => (Some(address), Some(here)),
                _ if rest.ends_with(']') => (Some(rest), None),
                _ => (None, Some(rest)),
            },
        };
        let address = address.filter(|address| !address.is_empty()).map(|address| address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>());
        let address = address.transpose().map_err(|_| wrong("the address is none of this machine's form"))?;
        let here = here.filter(|here| !here.is_empty() && *here != "0");
        let here = here.map(|here| range(here).ok_or_else(|| wrong("the port here is no number from 1 to 65535"))).transpose()?;
        let count = inside.1 - inside.0;
        let at = |index: u16| match here {
            Some((first, last)) if count == 0 => Ok(Some((first, last))),
            Some((first, last)) if last - first == count => Ok(Some((first + index, first + index))),
            Some(_) => Err(wrong("the two ranges are not of the same length")),
            None => Ok(None),
        };
        (0..=count).map(|index| Ok(Self { protocol, inside: inside.0 + index, address, ports: at(index)? })).collect()
    }
}

/// A published port as it is: which place on this machine leads where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Published {
    /// Of which protocol.
    pub protocol: Protocol,
    /// The address here; unspecified (`0.0.0.0`, `::`) for all of its family.
    pub address: IpAddr,
    /// The port here.
    pub port: u16,
    /// The port inside.
    pub inside: u16,
}

impl fmt::Display for Published {
    /// `0.0.0.0:8080->80/tcp`, as lists show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}/{}", std::net::SocketAddr::new(self.address, self.port), self.inside, self.protocol.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> PortBinding {
        let all = PortBinding::parse(text).unwrap();
        assert_eq!(all.len(), 1, "{text}");
        all[0].clone()
    }

    #[test]
    fn all_forms_are_read_and_written_again() {
        for (text, again) in [
            ("80", "80/tcp"),
            ("8080:80", "8080:80/tcp"),
            ("8080:80/udp", "8080:80/udp"),
            ("127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp"),
            ("127.0.0.1::80/sctp", "127.0.0.1::80/sctp"),
            ("[::1]:8080:80", "[::1]:8080:80/tcp"),
            ("[::1]::80", "[::1]::80/tcp"),
            ("8000-8010:80", "8000-8010:80/tcp"),
            (":80", "80/tcp"),
            ("0:80", "80/tcp"),
        ] {
            assert_eq!(one(text).to_string(), again);
            assert_eq!(one(&one(text).to_string()), one(text));
        }
    }

    #[test]
    fn ranges_are_paired() {
        let all = PortBinding::parse("127.0.0.1:9000-9002:80-82/udp").unwrap();
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1:9000:80/udp", "127.0.0.1:9001:81/udp", "127.0.0.1:9002:82/udp"]);
        assert_eq!(PortBinding::parse("80-82").unwrap().len(), 3);
        assert!(PortBinding::parse("9000-9001:80-82").is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "x", "0", "70000", "80:x", "1.2.3:80:80", "80/icmp", "82-80", "-80", "80:80:80:80", "+80", "localhost:80:80"] {
            assert!(PortBinding::parse(text).is_err(), "{text}");
        }
    }
}
