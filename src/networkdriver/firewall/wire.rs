//! Tables, chains and rules as the kernel takes them.
//!
//! Source: linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h; the comments are those of libnftnl's udata.h.
//! What each part needs of the kernel, beside the options that [`Match::needs`] and [`Verdict::needs`] name:
//! chains of kind nat in tables of family inet, `nat` and `masq` in them: 5.2; `fib`: 4.10; all others: 3.18.

use super::rule::{Chain, Kind, Match, Rule, Table, Verdict};
use crate::container::Cidr;
use netlink_packet_core::{DefaultNla, Emitable, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NetlinkMessage};
use netlink_packet_netfilter::nftables::{
    Bitwise, ChainAttribute, ChainMessage, Cmp, DataAttribute, Expressions, Hook as HookAttribute, HookNumber, Immediate, ListAttribute, Meta, MetaKey,
    NfTablesMessage, Operator, Payload, Register, RuleAttribute, RuleMessage, TableAttribute, TableMessage, Verdict as Code, VerdictAttribute,
};
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily as Family};
use std::net::{IpAddr, SocketAddr};

/// Raised whenever the same rules come to be other messages, so that tables of older programs are known to be old.
pub(super) const FORM: u32 = 1;

/// The subsystem that a batch is for (`NFNL_SUBSYS_NFTABLES`).
const NFTABLES: u16 = 10;
const NLM_F_APPEND: u16 = 0x800;
/// Of another priority than its neighbours: behind those that are there.
const CREATE: u16 = NLM_F_REQUEST | NLM_F_CREATE;

const NF_DROP: u32 = 0;
const NF_ACCEPT: u32 = 1;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
/// Where `payload` counts from (`NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`).
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
/// Bits of `ct state` (`NF_CT_STATE_BIT`) and of `ct status` (`IPS_DST_NAT`).
const CT_INVALID: u32 = 1;
const CT_KNOWN: u32 = 2 | 4;
const CT_DNAT: u32 = 32;
const NFT_CT_STATE: u32 = 0;
const NFT_CT_STATUS: u32 = 2;
const NFT_FIB_RESULT_ADDRTYPE: u32 = 3;
const NFTA_FIB_F_SADDR: u32 = 1;
const NFTA_FIB_F_DADDR: u32 = 2;
/// An address of this machine (linux/rtnetlink.h).
const RTN_LOCAL: u32 = 2;
const NFT_NAT_DNAT: u32 = 1;
/// Bytes of a link's name as the kernel compares it.
const IFNAMSIZ: usize = 16;
/// Bytes of a comment with its final zero (`NFTNL_UDATA_COMMENT_MAXLEN`).
const COMMENT: usize = 128;

/// Messages of one batch, each with what it is about.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub messages: Vec<Vec<u8>>,
    pub about: Vec<String>,
}

/// One message with its header; its sequence number is still to be given.
pub(super) fn message(family: Family, flags: u16, inner: impl Into<NetfilterMessageInner>) -> Vec<u8> {
    numbered(NetfilterHeader::new(family, 0, 0), flags, inner)
}

fn numbered(header: NetfilterHeader, flags: u16, inner: impl Into<NetfilterMessageInner>) -> Vec<u8> {
    let mut message = NetlinkMessage::from(NetfilterMessage::new(header, inner));
    message.header.flags = flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

impl Batch {
    /// Takes the table away, be it there or not, and puts the new one in its place if there is one.
    pub fn replace(name: &str, table: Option<&Table>, mark: Option<&[u8]>) -> Self {
        let mut batch = Self::default();
        let frame = |control| numbered(NetfilterHeader::new(Family::Unspec, 0, NFTABLES), NLM_F_REQUEST, control);
        batch.push("the firewall (CONFIG_NF_TABLES)", frame(ControlMessage::BatchBegin));
        let named = || TableAttribute::Name(name.to_owned());
        let all = |attributes| TableMessage { attributes };
        // What is not there cannot be deleted, so that it is made first.
        batch.push(&format!("table {name}"), message(Family::Inet, CREATE, NfTablesMessage::NewTable(all(vec![named()]))));
        batch.push(&format!("the old table {name}"), message(Family::Inet, NLM_F_REQUEST, NfTablesMessage::DeleteTable(all(vec![named()]))));
        if let Some(table) = table {
            let marked = mark.map(|mark| TableAttribute::UserData(mark.to_vec()));
            let attributes = std::iter::once(named()).chain(marked).collect();
            batch.push(&format!("table {name}"), message(Family::Inet, CREATE, NfTablesMessage::NewTable(all(attributes))));
            table.chains.iter().for_each(|chain| batch.chain(name, chain));
            table.chains.iter().for_each(|chain| chain.rules.iter().for_each(|rule| batch.rule(name, chain.name, rule)));
        }
        // One word about all: of what is refused the kernel tells anyway, and room for answers is short.
        if let Some(last) = batch.messages.last_mut() {
            let flags = u16::from_ne_bytes([last[6], last[7]]) | NLM_F_ACK;
            last[6..8].copy_from_slice(&flags.to_ne_bytes());
        }
        batch.push("the end", frame(ControlMessage::BatchEnd));
        batch
    }

    fn push(&mut self, about: &str, message: Vec<u8>) {
        self.messages.push(message);
        self.about.push(about.to_owned());
    }

    fn chain(&mut self, table: &str, chain: &Chain) {
        let mut attributes = vec![ChainAttribute::Table(table.to_owned()), ChainAttribute::Name(chain.name.to_owned())];
        if let Some(base) = chain.base {
            attributes
                .push(ChainAttribute::Hook(vec![HookAttribute::Number(HookNumber::Other(base.hook as u32)), HookAttribute::Priority(base.priority as u32)]));
            attributes.push(ChainAttribute::Policy(NF_ACCEPT));
            attributes.push(ChainAttribute::Type(if base.kind == Kind::Nat { "nat" } else { "filter" }.to_owned()));
        }
        let nat = if chain.base.is_some_and(|base| base.kind == Kind::Nat) { " (of kind nat in family inet: Linux 5.2, CONFIG_NF_NAT)" } else { "" };
        let about = format!("chain {}{nat}", chain.name);
        self.push(&about, message(Family::Inet, CREATE, NfTablesMessage::NewChain(ChainMessage { attributes })));
    }

    fn rule(&mut self, table: &str, chain: &str, rule: &Rule) {
        let attributes = vec![
            RuleAttribute::Table(table.to_owned()),
            RuleAttribute::Chain(chain.to_owned()),
            RuleAttribute::Expressions(rule.matches.iter().flat_map(matching).chain(deciding(&rule.verdict)).map(ListAttribute::from).collect()),
            RuleAttribute::UserData(comment(&rule.why)),
        ];
        let mut needs: Vec<&str> = rule.matches.iter().filter_map(Match::needs).chain(rule.verdict.needs()).collect();
        needs.dedup();
        let needs = if needs.is_empty() { String::new() } else { format!(", which needs {}", needs.join(" and ")) };
        let about = format!("the rule of chain {chain} \"{rule}\"{needs}");
        self.push(&about, message(Family::Inet, CREATE | NLM_F_APPEND, NfTablesMessage::NewRule(RuleMessage { attributes })));
    }
}

/// A text as `nft` shows it: the kind of a comment (0), its length, and it with a zero.
pub(super) fn comment(text: &str) -> Vec<u8> {
    let mut end = text.len().min(COMMENT - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut bytes = vec![0, end as u8 + 1];
    bytes.extend(text[..end].bytes().map(|byte| if byte == 0 { b'?' } else { byte }));
    bytes.push(0);
    bytes
}

fn load(key: MetaKey) -> Expressions {
    Expressions::Meta(vec![Meta::DestinationRegister(Register::Reg1), Meta::Key(key)])
}

fn compare(holds: bool, value: &[u8]) -> Expressions {
    let operator = if holds { Operator::Equal } else { Operator::NotEqual };
    Expressions::Cmp(vec![Cmp::SourceRegister(Register::Reg1), Cmp::Op(operator), Cmp::Data(DataAttribute::Value(value.to_vec()))])
}

fn payload(base: u32, offset: u32, length: usize) -> Expressions {
    Expressions::Payload(vec![Payload::DestinationRegister(Register::Reg1), Payload::Base(base), Payload::Offset(offset), Payload::Len(length as u32)])
}

fn mask(value: &[u8]) -> Expressions {
    Expressions::Bitwise(vec![
        Bitwise::SourceRegister(Register::Reg1),
        Bitwise::DestinationRegister(Register::Reg1),
        Bitwise::Length(value.len() as u32),
        Bitwise::Mask(DataAttribute::Value(value.to_vec())),
        Bitwise::Xor(DataAttribute::Value(vec![0; value.len()])),
    ])
}

/// An expression that the crate has no type for: its attributes are numbers, from 1 on.
fn other(name: &str, numbers: &[(u16, u32)]) -> Expressions {
    let attributes = numbers.iter().map(|(kind, number)| DefaultNla::new(*kind, number.to_be_bytes().to_vec())).collect();
    Expressions::Other { expression_type: name.to_owned(), attributes }
}

/// Whether any of these bits of `ct state` or `ct status` is set.
fn tracked(key: u32, bits: u32, holds: bool) -> Vec<Expressions> {
    // NFTA_CT_DREG, NFTA_CT_KEY. Bits lie in the register as in memory.
    vec![other("ct", &[(1, 1), (2, key)]), mask(&bits.to_ne_bytes()), compare(!holds, &[0; 4])]
}

/// NFTA_FIB_DREG, NFTA_FIB_RESULT, NFTA_FIB_FLAGS.
fn local(flags: u32) -> Vec<Expressions> {
    vec![other("fib", &[(1, 1), (2, NFT_FIB_RESULT_ADDRTYPE), (3, flags)]), compare(true, &RTN_LOCAL.to_ne_bytes())]
}

fn link(key: MetaKey, name: &str, holds: bool) -> Vec<Expressions> {
    let mut bytes = [0; IFNAMSIZ];
    let length = name.len().min(IFNAMSIZ - 1);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    vec![load(key), compare(holds, &bytes)]
}

fn family(v6: bool) -> Vec<Expressions> {
    vec![load(MetaKey::Nfproto), compare(true, &[if v6 { NFPROTO_IPV6 } else { NFPROTO_IPV4 }])]
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The offsets are those of the sender's and the receiver's address in the headers of IPv4 and IPv6.
fn address(block: &Cidr, receiver: bool) -> Vec<Expressions> {
    let offset = match (block.is_v6(), receiver) {
        (false, false) => 12,
        (false, true) => 16,
        (true, false) => 8,
        (true, true) => 24,
    };
    let value = octets(block.first());
    let mut list = family(block.is_v6());
    list.push(payload(NETWORK_HEADER, offset, value.len()));
    if block.first() != block.last() {
        let bit = |at: usize| u8::from(at < usize::from(block.prefix()));
        let bits: Vec<u8> = (0..value.len()).map(|byte| (0..8).fold(0, |bits, at| bits << 1 | bit(byte * 8 + at))).collect();
        list.push(mask(&bits));
    }
    list.push(compare(true, &value));
    list
}

fn matching(one: &Match) -> Vec<Expressions> {
    match one {
        Match::V6(v6) => family(*v6),
        // The receiver's port lies at the same place in TCP, UDP and SCTP.
        Match::Port(protocol, port) => {
            vec![load(MetaKey::L4Proto), compare(true, &[protocol.number()]), payload(TRANSPORT_HEADER, 2, 2), compare(true, &port.to_be_bytes())]
        }
        Match::From(block) => address(block, false),
        Match::To(block) => address(block, true),
        Match::FromHere => local(NFTA_FIB_F_SADDR),
        Match::ToHere => local(NFTA_FIB_F_DADDR),
        Match::In(name, holds) => link(MetaKey::Iifname, name, *holds),
        Match::Out(name, holds) => link(MetaKey::Oifname, name, *holds),
        Match::Known(holds) => tracked(NFT_CT_STATE, CT_KNOWN, *holds),
        Match::Invalid => tracked(NFT_CT_STATE, CT_INVALID, true),
        Match::Redirected => tracked(NFT_CT_STATUS, CT_DNAT, true),
    }
}

fn immediate(register: Register, value: Vec<u8>) -> Expressions {
    Expressions::Immediate(vec![Immediate::DestinationRegister(register), Immediate::Data(DataAttribute::Value(value))])
}

fn verdict(code: Code, chain: Option<&str>) -> Vec<Expressions> {
    let attributes = std::iter::once(VerdictAttribute::Code(code)).chain(chain.map(|name| VerdictAttribute::Chain(name.to_owned()))).collect();
    vec![Expressions::Immediate(vec![Immediate::DestinationRegister(Register::Verdict), Immediate::Data(DataAttribute::Verdict(attributes))])]
}

fn deciding(what: &Verdict) -> Vec<Expressions> {
    match what {
        Verdict::Accept => verdict(Code::Other(NF_ACCEPT), None),
        Verdict::Drop => verdict(Code::Other(NF_DROP), None),
        Verdict::Return => verdict(Code::Return, None),
        Verdict::Jump(chain) => verdict(Code::Jump, Some(chain)),
        Verdict::Redirect(to) => redirect(*to),
        Verdict::Masquerade => vec![other("masq", &[])],
    }
}

/// NFTA_NAT_TYPE, NFTA_NAT_FAMILY, NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_PROTO_MIN.
fn redirect(to: SocketAddr) -> Vec<Expressions> {
    let family = if to.is_ipv6() { NFPROTO_IPV6 } else { NFPROTO_IPV4 };
    vec![
        immediate(Register::Reg1, octets(to.ip())),
        immediate(Register::Reg2, to.port().to_be_bytes().to_vec()),
        other("nat", &[(1, NFT_NAT_DNAT), (2, family.into()), (3, 1), (5, 2)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_cut_where_a_letter_ends() {
        assert_eq!(comment("a"), [0, 2, b'a', 0]);
        let long = comment(&"\u{e4}".repeat(100));
        assert_eq!((long.len(), long[1], long.last()), (2 + 127, 127, Some(&0)));
        assert!(std::str::from_utf8(&long[2..128]).is_ok());
        assert_eq!(comment("a\0b"), [0, 4, b'a', b'?', b'b', 0]);
    }

    #[test]
    fn prefixes_are_masks() {
        let masks = |text: &str| {
            address(&text.parse().unwrap(), true).into_iter().find_map(|one| match one {
                Expressions::Bitwise(parts) => {
                    parts.into_iter().find_map(|part| if let Bitwise::Mask(DataAttribute::Value(bits)) = part { Some(bits) } else { None })
                }
                _ => None,
            })
        };
        assert_eq!(masks("172.31.1.0/20").unwrap(), [255, 255, 240, 0]);
        assert_eq!(masks("0.0.0.0/0").unwrap(), [0; 4]);
        assert_eq!(masks("10.0.0.1/32"), None);
        assert_eq!(masks("fd00::/9").unwrap()[..3], [255, 128, 0]);
    }

    #[test]
    fn messages_are_whole_and_the_last_rule_asks_for_a_word() {
        let batch = Batch::replace("kapal", Some(&Table::names(5353)), None);
        assert_eq!(batch.messages.len(), batch.about.len());
        let flags = |message: &[u8]| u16::from_ne_bytes([message[6], message[7]]);
        for message in &batch.messages {
            assert_eq!(u32::from_ne_bytes(message[..4].try_into().unwrap()) as usize, message.len());
            assert_eq!(message.len() % 4, 0);
        }
        let asking: Vec<usize> = (0..batch.messages.len()).filter(|at| flags(&batch.messages[*at]) & NLM_F_ACK != 0).collect();
        assert_eq!(asking, [batch.messages.len() - 2]);
        assert!(batch.about[asking[0]].contains("names: 127.0.0.11:53 -> 127.0.0.11:5353/tcp"), "{:?}", batch.about);
    }
}
