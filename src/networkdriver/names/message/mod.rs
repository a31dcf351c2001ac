//! Questions and answers as bytes: what containers send is read here, with nothing but the bytes at hand.
//!
//! Sources: RFC 1035 (messages), RFC 6891 (EDNS), RFC 6895 (codes).

use super::LIFETIME;
use hickory_proto::op::{Edns, Header, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use std::net::IpAddr;

/// Bytes of the longest question that is read.
pub(super) const LONGEST: usize = 4096;
/// Bytes of an answer that every client takes over UDP.
const PLAIN: u16 = 512;
/// Bytes of the longest answer of ours over UDP, and of the longest we say we take: a loopback loses none of its pieces.
const DATAGRAM: u16 = LONGEST as u16;
/// Addresses in one answer: what 64 KiB have room for, and far more than anyone wants.
const ADDRESSES: usize = 1024;

/// A question that makes sense.
#[derive(Clone, Debug)]
pub(super) struct Question {
    metadata: Metadata,
    /// What is asked.
    pub query: Query,
    edns: Option<Edns>,
}

/// What bytes turned out to be.
#[derive(Debug)]
pub(super) enum Reading {
    Question(Box<Question>),
    /// None that can be answered: what to say about it.
    Refusal(Vec<u8>),
    /// No question at all; answering it could go on for ever.
    Nothing,
}

/// How an answer travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Udp,
    Tcp,
}

/// Reads what a container sent.
pub(super) fn read(bytes: &[u8]) -> Reading {
    let mut decoder = BinDecoder::new(bytes);
    let Ok(Header { metadata, counts }) = Header::read(&mut decoder) else { return Reading::Nothing };
    if metadata.message_type == MessageType::Response {
        return Reading::Nothing;
    }
    let refuse = |code| Reading::Refusal(bare(&metadata, code));
    if metadata.op_code != OpCode::Query {
        return refuse(ResponseCode::NotImp);
    }
    if counts.queries != 1 {
        return refuse(ResponseCode::FormErr);
    }
    let Ok(query) = Query::read(&mut decoder) else { return refuse(ResponseCode::FormErr) };
    let mut edns = None;
    for (count, last) in [(counts.answers, false), (counts.authorities, false), (counts.additionals, true)] {
        match Message::read_records(&mut decoder, usize::from(count), last, metadata.op_code) {
            Ok((_, found, _)) => edns = found,
            Err(_) => return refuse(ResponseCode::FormErr),
        }
    }
    let question = Question { metadata, query, edns };
    if question.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Reading::Refusal(question.answer(Vec::new(), ResponseCode::BADVERS, Way::Udp));
    }
    Reading::Question(Box::new(question))
}

/// A header alone, for what was not understood any further.
fn bare(metadata: &Metadata, code: ResponseCode) -> Vec<u8> {
    let mut metadata = Metadata::response_from_request(metadata);
    metadata.response_code = code;
    metadata.recursion_available = true;
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.metadata = metadata;
    // A header has nothing that could not be written.
    message.to_vec().unwrap_or_default()
}

/// What is wanted of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The addresses of a name, in lower case and without the dot at its end.
    Addresses(String),
    /// The name of an address.
    Name(IpAddr),
    /// Nothing it could know.
    Other,
}

impl Question {
    pub fn wish(&self) -> Wish {
        if self.query.query_class() != DNSClass::IN {
            return Wish::Other;
        }
        if self.query.query_type() == RecordType::PTR
            && let Ok(block) = self.query.name().parse_arpa_name()
        {
            return if block.prefix_len() == block.max_prefix_len() { Wish::Name(block.addr()) } else { Wish::Other };
        }
        let name = self.query.name().to_ascii().to_ascii_lowercase();
        match name.strip_suffix('.').unwrap_or(&name) {
            "" => Wish::Other,
            name => Wish::Addresses(name.to_owned()),
        }
    }

    /// The answer with these addresses, of which those of the family that was asked for are told. There may be none:
    /// such an answer says that the name is there and others need not be asked (RFC 2308, "no data").
    pub fn addresses(&self, addresses: &[IpAddr], way: Way) -> Vec<u8> {
        let kind = self.query.query_type();
        let wanted = |address: &&IpAddr| match kind {
            RecordType::A => address.is_ipv4(),
            RecordType::AAAA => address.is_ipv6(),
            RecordType::ANY => true,
            _ => false,
        };
        let data = addresses.iter().filter(wanted).take(ADDRESSES).map(|address| match address {
            IpAddr::V4(address) => RData::A(A(*address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(*address)),
        });
        self.answer(data.collect(), ResponseCode::NoError, way)
    }

    /// The answer with this name.
    pub fn name(&self, name: &str, way: Way) -> Vec<u8> {
        match Name::from_labels(name.split('.').map(str::as_bytes)) {
            Ok(name) => self.answer(vec![RData::PTR(PTR(name))], ResponseCode::NoError, way),
            // One that the protocol has no way to say.
            Err(_) => self.answer(Vec::new(), ResponseCode::NoError, way),
        }
    }

    /// "Try later."
    pub fn failure(&self, way: Way) -> Vec<u8> {
        self.answer(Vec::new(), ResponseCode::ServFail, way)
    }

    fn answer(&self, data: Vec<RData>, code: ResponseCode, way: Way) -> Vec<u8> {
        let mut message = Message::new(0, MessageType::Response, OpCode::Query);
        message.metadata = Metadata::response_from_request(&self.metadata);
        message.metadata.recursion_available = true;
        message.metadata.response_code = code;
        message.add_query(self.query.clone());
        message.add_answers(data.into_iter().map(|data| Record::from_rdata(self.query.name().clone(), LIFETIME, data)));
        let mut longest = usize::from(u16::MAX);
        if let Some(theirs) = &self.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(DATAGRAM).set_dnssec_ok(theirs.flags().dnssec_ok);
            message.set_edns(edns);
        }
        if way == Way::Udp {
            longest = usize::from(self.edns.as_ref().map_or(PLAIN, Edns::max_payload).clamp(PLAIN, DATAGRAM));
        }
        shortened(message, longest)
    }
}

/// A message in at most so many bytes: it keeps as many answers as fit and says that there were more.
fn shortened(mut message: Message, longest: usize) -> Vec<u8> {
    /// Bytes of the longest answer to a question about addresses, its name pointing at the question's.
    const EACH: usize = 28;
    loop {
        match message.to_vec() {
            Ok(bytes) if bytes.len() <= longest => return bytes,
            Ok(bytes) if !message.answers.is_empty() => {
                let fewer = ((bytes.len() - longest) / EACH).max(1);
                message.answers.truncate(message.answers.len().saturating_sub(fewer));
            }
            Err(_) if !message.answers.is_empty() => message.answers.clear(),
            // A question of at most 255 bytes and an option fit everywhere.
            _ => return Vec::new(),
        }
        message.metadata.truncation = true;
    }
}

/// Whether `bytes` answer the question that went out with this number.
pub(super) fn answers(bytes: &[u8], id: u16, query: &Query) -> bool {
    let mut decoder = BinDecoder::new(bytes);
    let Ok(Header { metadata, counts }) = Header::read(&mut decoder) else { return false };
    if metadata.id != id || metadata.message_type != MessageType::Response || metadata.op_code != OpCode::Query {
        return false;
    }
    match counts.queries {
        1 => Query::read(&mut decoder).is_ok_and(|echo| echo == *query),
        // Some repeat nothing when they complain.
        0 => metadata.response_code != ResponseCode::NoError && metadata.response_code != ResponseCode::NXDomain,
        _ => false,
    }
}

/// Whether an answer says that its sender could not or would not help: another one may.
pub(super) fn is_refusal(bytes: &[u8]) -> bool {
    const SERVFAIL: u8 = 2;
    const REFUSED: u8 = 5;
    bytes.get(3).is_some_and(|flags| matches!(flags & 0xf, SERVFAIL | REFUSED))
}

/// A message with another number.
pub(super) fn set_id(bytes: &mut [u8], id: u16) {
    if let Some(place) = bytes.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
}

/// A message's number.
pub(super) fn id(bytes: &[u8]) -> u16 {
    bytes.first_chunk().map_or(0, |two| u16::from_be_bytes(*two))
}

#[cfg(test)]
mod tests;
