//! Connections that the kernel remembers, forgotten with the container that they led to.
//!
//! A client that goes on sending (UDP from one port, again and again) keeps its entry alive, and with it the address that
//! its packets were once sent on to: a published port would lead to a dead container for as long as it is asked.
//! Source: linux/netfilter/nfnetlink_conntrack.h.

use super::wire::message;
use crate::sys::netlink::Netlink;
use netlink_packet_core::{NLA_F_NESTED, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Nla, ParseableParametrized};
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage, IPTuple, Tuple};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily as Family};
use std::io;
use std::net::IpAddr;

/// Entries that one call forgets at most: 64 Ki are more than most machines remember.
const MOST: usize = 64 << 10;
/// Entries that are forgotten by one message to the kernel.
const AT_ONCE: usize = 256;

const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
/// What a list is to hold, by bits of these two; Linux 5.8, before that the kernel lists all.
const CTA_FILTER: u16 = 25;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
/// The sender of a tuple.
const CTA_FILTER_F_CTA_IP_SRC: u32 = 1;

/// Forgets all connections from and to these addresses, as they were asked for or as they really are, and says how
/// many they were. Both ends of what goes on are strangers to each other then: new rules decide.
///
/// # Errors
/// The kernel's; some are forgotten then. A kernel without the list (`CONFIG_NF_CT_NETLINK`) has `EOPNOTSUPP`.
pub fn forget(netlink: &mut Netlink, addresses: &[IpAddr]) -> io::Result<usize> {
    let mut doomed: Vec<(Family, Vec<ConntrackAttribute>)> = Vec::new();
    for address in addresses {
        // A connection that the container made has it as the first sender; one that came to it, as the one who answers.
        for reply in [false, true] {
            netlink.each(&mut list(*address, reply), |answer| {
                if doomed.len() < MOST
                    && let Some(found) = concerned(&answer.payload, answer.kind, *address)
                {
                    doomed.push(found);
                }
            })?;
        }
    }
    let mut forgotten = 0;
    for some in doomed.chunks(AT_ONCE) {
        let message = |(family, attributes): &(Family, Vec<ConntrackAttribute>)| {
            message(*family, NLM_F_REQUEST | NLM_F_ACK, ConntrackMessage::Delete(attributes.clone()))
        };
        for result in netlink.batch(&mut some.iter().map(message).collect::<Vec<_>>())? {
            match result {
                Ok(()) => forgotten += 1,
                // It ended by itself meanwhile, or was in both lists.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(forgotten)
}

fn family(address: IpAddr) -> Family {
    if address.is_ipv6() { Family::IPv6 } else { Family::IPv4 }
}

/// The question for all entries with this sender, of what was asked or of the answers.
fn list(address: IpAddr, reply: bool) -> Vec<u8> {
    let tuple = vec![Tuple::Ip(vec![IPTuple::SourceAddress(address)])];
    let (tuple, flags) = if reply {
        (ConntrackAttribute::CtaTupleReply(tuple), [0, CTA_FILTER_F_CTA_IP_SRC])
    } else {
        (ConntrackAttribute::CtaTupleOrig(tuple), [CTA_FILTER_F_CTA_IP_SRC, 0])
    };
    let mut question = message(family(address), NLM_F_REQUEST | NLM_F_DUMP, ConntrackMessage::Get(vec![tuple]));
    // Written by hand: the crate leaves the mark of nesting out of attributes that it has no type for.
    let mut attribute = |length: u16, kind: u16, value: &[u8]| {
        question.extend_from_slice(&length.to_ne_bytes());
        question.extend_from_slice(&kind.to_ne_bytes());
        question.extend_from_slice(value);
    };
    attribute(20, CTA_FILTER | NLA_F_NESTED, &[]);
    attribute(8, CTA_FILTER_ORIG_FLAGS, &flags[0].to_ne_bytes());
    attribute(8, CTA_FILTER_REPLY_FLAGS, &flags[1].to_ne_bytes());
    let length = question.len() as u32;
    question[..4].copy_from_slice(&length.to_ne_bytes());
    question
}

/// What names an entry to the kernel, if it is one of this address's: what was asked, its zone and its identity.
fn concerned(payload: &[u8], kind: u16, address: IpAddr) -> Option<(Family, Vec<ConntrackAttribute>)> {
    let message = NetfilterMessage::parse_with_param(payload, kind).ok()?;
    let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) = message.inner else { return None };
    let is = |tuple: &Tuple| {
        let Tuple::Ip(ends) = tuple else { return false };
        ends.iter().any(|end| matches!(end, IPTuple::SourceAddress(one) | IPTuple::DestinationAddress(one) if *one == address))
    };
    let concerned = attributes.iter().any(|one| match one {
        ConntrackAttribute::CtaTupleOrig(tuple) | ConntrackAttribute::CtaTupleReply(tuple) => tuple.iter().any(is),
        _ => false,
    });
    concerned.then(|| {
        let names = |one: &ConntrackAttribute| match one {
            ConntrackAttribute::CtaTupleOrig(_) => true,
            ConntrackAttribute::Other(other) => [CTA_ID, CTA_ZONE].contains(&other.kind()),
            _ => false,
        };
        (family(address), attributes.into_iter().filter(names).collect())
    })
}
