//! A container's ports as lists show them: `0.0.0.0:8000-8002->80-82/tcp, 443/tcp`.

use crate::container::{PortBinding, Protocol, Published};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Exposed ports that are looked at; an image may claim any number of them.
const MOST: usize = 1 << 16;

/// Ports that follow each other, inside and here.
#[derive(Clone, Copy)]
struct Run {
    /// Where it is published; absent if it is exposed only.
    address: Option<IpAddr>,
    protocol: Protocol,
    here: u16,
    inside: u16,
    last: u16,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |first: u16| match self.last - self.inside {
            0 => first.to_string(),
            more => format!("{first}-{}", first + more),
        };
        if let Some(address) = self.address {
            let place = SocketAddr::new(address, self.here).to_string();
            let address = place.rsplit_once(':').map_or("", |(address, _)| address);
            write!(f, "{address}:{}->", range(self.here))?;
        }
        write!(f, "{}/{}", range(self.inside), self.protocol.as_str())
    }
}

/// The ports that are published, and those that the image only exposes (`80/tcp`), neighbours drawn together.
///
/// As docker's: ranges that keep their numbers and exposed ports come first, those that are somewhere else here then.
pub fn listed<'a>(published: &[Published], exposed: impl IntoIterator<Item = &'a String>) -> String {
    let mut all: Vec<Run> = published
        .iter()
        .map(|port| Run { address: Some(port.address), protocol: port.protocol, here: port.port, inside: port.inside, last: port.inside })
        .collect();
    let known: HashSet<(Protocol, u16)> = published.iter().map(|port| (port.protocol, port.inside)).collect();
    let wishes = exposed.into_iter().filter_map(|text| PortBinding::parse(text).ok()).flatten().take(MOST);
    let only = wishes.filter(|wish| !known.contains(&(wish.protocol, wish.inside)));
    all.extend(only.map(|wish| Run { address: None, protocol: wish.protocol, here: wish.inside, inside: wish.inside, last: wish.inside }));
    all.sort_by_key(|run| (run.inside, run.address, run.here, run.protocol));
    let mut runs: Vec<Run> = Vec::new();
    let mut open: HashMap<(Option<IpAddr>, Protocol, i32), usize> = HashMap::new();
    for port in all {
        let key = (port.address, port.protocol, i32::from(port.here) - i32::from(port.inside));
        match open.get(&key).copied() {
            // The same twice is once.
            Some(at) if runs[at].last == port.inside => {}
            Some(at) if runs[at].last.checked_add(1) == Some(port.inside) => runs[at].last = port.inside,
            _ => {
                open.insert(key, runs.len());
                runs.push(port);
            }
        }
    }
    let (same, moved): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.here == run.inside);
    same.iter().chain(&moved).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(published: &[&str], exposed: &[&str]) -> String {
        let one = |text: &&str| {
            let wish = PortBinding::parse(text).unwrap();
            wish.into_iter().map(|wish| Published {
                protocol: wish.protocol,
                address: wish.address.unwrap_or(IpAddr::from([0, 0, 0, 0])),
                port: wish.ports.unwrap().0,
                inside: wish.inside,
            })
        };
        let published: Vec<Published> = published.iter().flat_map(one).collect();
        listed(&published, &exposed.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn ports_stand_as_dockers() {
        assert_eq!(shown(&[], &[]), "");
        assert_eq!(shown(&["8080:80", "[::]:8080:80"], &["80/tcp"]), "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
        assert_eq!(shown(&["8080:80"], &["443/tcp", "80/udp"]), "80/udp, 443/tcp, 0.0.0.0:8080->80/tcp");
        assert_eq!(shown(&["127.0.0.1:53:53/udp"], &[]), "127.0.0.1:53->53/udp");
    }

    #[test]
    fn neighbours_are_drawn_together() {
        assert_eq!(shown(&["8000-8002:80-82"], &[]), "0.0.0.0:8000-8002->80-82/tcp");
        assert_eq!(shown(&["[::]:80-82:80-82", "80-82:80-82"], &[]), "0.0.0.0:80-82->80-82/tcp, [::]:80-82->80-82/tcp");
        assert_eq!(shown(&["9000:80", "9002:81"], &[]), "0.0.0.0:9000->80/tcp, 0.0.0.0:9002->81/tcp");
        assert_eq!(shown(&[], &["80/tcp", "81/tcp", "83/tcp", "81/udp", "8000-8010/tcp"]), "80-81/tcp, 81/udp, 83/tcp, 8000-8010/tcp");
        assert_eq!(shown(&["65534-65535:65534-65535"], &["65535/tcp"]), "0.0.0.0:65534-65535->65534-65535/tcp");
    }
}
