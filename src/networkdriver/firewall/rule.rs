//! Chains and rules as plain values: what a packet must be, what becomes of it, and a sentence on why.

use crate::container::{Cidr, Protocol};
use std::fmt;
use std::net::SocketAddr;

/// All that one table tells packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Table {
    /// A chain comes after those that it jumps to.
    pub chains: Vec<Chain>,
}

/// Rules in their order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chain {
    /// Its name within the table.
    pub name: &'static str,
    /// Where packets come to it by themselves; only from other chains if absent.
    pub base: Option<Base>,
    /// The first that matches and decides ends it.
    pub rules: Vec<Rule>,
}

/// Where packets come to a chain, and in which order among other tables' chains. Packets that no rule decides go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Base {
    /// What it may do.
    pub kind: Kind,
    /// Where in the kernel.
    pub hook: Hook,
    /// Lower comes first.
    pub priority: i32,
}

/// What a base chain may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Change the addresses of a connection: it sees only the first packet of each.
    Nat,
    /// Let packets through or not.
    Filter,
}

/// A place in the kernel that packets pass (linux/netfilter.h, `NF_INET_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// All that come in from a link.
    Prerouting = 0,
    /// What is for this machine itself.
    Input = 1,
    /// What goes from one link to another.
    Forward = 2,
    /// What this machine itself sends.
    Output = 3,
    /// All that go out by a link.
    Postrouting = 4,
}

impl Hook {
    /// Its name in `nft`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }
}

/// What a packet must be, all of it, and what becomes of it then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// All must hold.
    pub matches: Vec<Match>,
    /// What becomes of the packet.
    pub verdict: Verdict,
    /// Why the rule is there, for people.
    pub why: String,
}

/// Something that a packet is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Match {
    /// Of IPv6 or, if false, IPv4.
    V6(bool),
    /// Of this protocol, to this port.
    Port(Protocol, u16),
    /// Its sender lies in this block.
    From(Cidr),
    /// Its receiver lies in this block.
    To(Cidr),
    /// Its sender is an address of this machine.
    FromHere,
    /// Its receiver is an address of this machine.
    ToHere,
    /// It came in by this link, or by another one if false.
    In(String, bool),
    /// It goes out by this link, or by another one if false.
    Out(String, bool),
    /// It belongs to a connection that was let through once (an answer, an error about it), or not if false.
    Known(bool),
    /// It claims to belong to a connection that nobody knows of.
    Invalid,
    /// Its connection's receiver was changed: it came to a published port.
    Redirected,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It leaves the hook's chain of this table and goes on.
    Accept,
    /// It is gone.
    Drop,
    /// It goes on behind the rule that jumped here.
    Return,
    /// Another chain is asked, and then the next rule.
    Jump(&'static str),
    /// Its connection goes to this receiver instead.
    Redirect(SocketAddr),
    /// Its connection gets the address of the link it goes out by.
    Masquerade,
}

impl Match {
    /// What the kernel must have for it, beside `CONFIG_NF_TABLES_INET`.
    pub fn needs(&self) -> Option<&'static str> {
        match self {
            Self::FromHere | Self::ToHere => Some("CONFIG_NFT_FIB_INET"),
            Self::Known(_) | Self::Invalid | Self::Redirected => Some("CONFIG_NFT_CT"),
            _ => None,
        }
    }
}

impl Verdict {
    /// What the kernel must have for it, beside `CONFIG_NF_TABLES_INET`.
    pub fn needs(&self) -> Option<&'static str> {
        match self {
            Self::Redirect(_) => Some("CONFIG_NFT_NAT"),
            Self::Masquerade => Some("CONFIG_NFT_MASQ"),
            _ => None,
        }
    }
}

impl fmt::Display for Match {
    /// As `nft list` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = |block: &Cidr| if block.is_v6() { "ip6" } else { "ip" };
        let not = |holds: bool| if holds { "" } else { "!= " };
        match self {
            Self::V6(v6) => write!(f, "meta nfproto {}", if *v6 { "ipv6" } else { "ipv4" }),
            Self::Port(protocol, port) => write!(f, "{} dport {port}", protocol.as_str()),
            Self::From(block) => write!(f, "{} saddr {}", family(block), Short(block)),
            Self::To(block) => write!(f, "{} daddr {}", family(block), Short(block)),
            Self::FromHere => f.write_str("fib saddr type local"),
            Self::ToHere => f.write_str("fib daddr type local"),
            Self::In(link, holds) => write!(f, "iifname {}\"{link}\"", not(*holds)),
            Self::Out(link, holds) => write!(f, "oifname {}\"{link}\"", not(*holds)),
            Self::Known(true) => f.write_str("ct state established,related"),
            Self::Known(false) => f.write_str("ct state ! established,related"),
            Self::Invalid => f.write_str("ct state invalid"),
            Self::Redirected => f.write_str("ct status dnat"),
        }
    }
}

/// A block without its prefix where that is a whole address.
struct Short<'a>(&'a Cidr);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.first() == self.0.last() { write!(f, "{}", self.0.first()) } else { write!(f, "{}", self.0) }
    }
}

impl fmt::Display for Verdict {
    /// As `nft list` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Redirect(to) => write!(f, "dnat {} to {to}", if to.is_ipv6() { "ip6" } else { "ip" }),
            Self::Masquerade => f.write_str("masquerade"),
        }
    }
}

impl fmt::Display for Rule {
    /// As `nft list` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.matches {
            write!(f, "{one} ")?;
        }
        write!(f, "{} comment \"{}\"", self.verdict, self.why)
    }
}
