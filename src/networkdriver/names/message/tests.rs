//! Honest questions, every kind of nonsense, and answers that are none.

use super::*;
use hickory_proto::op::Message;
use proptest::prelude::*;

fn question(name: &str, kind: RecordType, edns: Option<u16>) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    if let Some(size) = edns {
        let mut edns = Edns::new();
        edns.set_max_payload(size);
        message.set_edns(edns);
    }
    message.to_vec().unwrap()
}

fn understood(bytes: &[u8]) -> Question {
    match read(bytes) {
        Reading::Question(question) => *question,
        other => panic!("{other:?}"),
    }
}

fn refused(bytes: &[u8]) -> Message {
    match read(bytes) {
        Reading::Refusal(answer) => Message::from_vec(&answer).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn many(count: u32) -> Vec<IpAddr> {
    (0..count).map(|at| IpAddr::from((0x0a00_0000 + at).to_be_bytes())).chain(["2001:db8::1".parse().unwrap()]).collect()
}

#[test]
fn names_are_asked_for_in_lower_case_and_without_the_dot() {
    assert_eq!(understood(&question("Web.Front.", RecordType::A, None)).wish(), Wish::Addresses("web.front".into()));
    assert_eq!(understood(&question(".", RecordType::NS, None)).wish(), Wish::Other);
    assert_eq!(understood(&question("4.3.2.1.in-addr.arpa.", RecordType::PTR, None)).wish(), Wish::Name("1.2.3.4".parse().unwrap()));
    let six = format!("1.{}8.b.d.0.1.0.0.2.ip6.arpa.", "0.".repeat(23));
    assert_eq!(understood(&question(&six, RecordType::PTR, None)).wish(), Wish::Name("2001:db8::1".parse().unwrap()));
    assert_eq!(understood(&question("2.1.in-addr.arpa.", RecordType::PTR, None)).wish(), Wish::Other);
    assert_eq!(understood(&question("x.example.", RecordType::PTR, None)).wish(), Wish::Addresses("x.example".into()));
}

#[test]
fn an_answer_has_the_family_that_was_asked_for_and_nothing_else() {
    let addresses = ["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    let counts = [(RecordType::A, 1), (RecordType::AAAA, 1), (RecordType::ANY, 2), (RecordType::MX, 0)];
    for (kind, count) in counts {
        let answer = understood(&question("DB.", kind, None)).addresses(&addresses, Way::Udp);
        let answer = Message::from_vec(&answer).unwrap();
        assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NoError, count), "{kind}");
        assert_eq!((answer.metadata.id, answer.metadata.message_type), (7, MessageType::Response));
        assert!(answer.metadata.recursion_desired && answer.metadata.recursion_available && !answer.metadata.truncation);
        assert!(answer.answers.iter().all(|record| record.ttl == LIFETIME && record.name.eq_case(&Name::from_ascii("DB.").unwrap())));
        assert!(answer.edns.is_none());
    }
}

#[test]
fn what_is_too_long_for_a_datagram_says_so_and_keeps_what_fits() {
    for (edns, longest) in [(None, 512), (Some(100), 512), (Some(1232), 1232), (Some(u16::MAX), 4096)] {
        let question = understood(&question("db.", RecordType::A, edns));
        let bytes = question.addresses(&many(400), Way::Udp);
        assert!(bytes.len() <= longest && bytes.len() + 28 > longest, "{edns:?}: {}", bytes.len());
        let answer = Message::from_vec(&bytes).unwrap();
        assert!(answer.metadata.truncation && !answer.answers.is_empty());
        assert_eq!(answer.edns.is_some(), edns.is_some());
        let answer = Message::from_vec(&question.addresses(&many(400), Way::Tcp)).unwrap();
        assert_eq!((answer.metadata.truncation, answer.answers.len()), (false, 400));
        let answer = question.addresses(&many(100_000), Way::Tcp);
        assert!(Message::from_vec(&answer).is_ok_and(|answer| answer.answers.len() == ADDRESSES));
    }
}

#[test]
fn names_that_cannot_be_said_are_left_out() {
    let question = understood(&question("4.3.2.1.in-addr.arpa.", RecordType::PTR, None));
    let said = |name: &str| Message::from_vec(&question.name(name, Way::Udp)).unwrap().answers.first().map(|record| record.data.to_string());
    assert_eq!(said("my_web.front"), Some("my_web.front.".into()));
    assert_eq!(said(""), None);
    assert_eq!(said(&"x".repeat(64)), None);
    assert_eq!(said(&"x.".repeat(200)), None);
}

#[test]
fn nonsense_is_refused_and_answers_are_not_answered() {
    let honest = question("db.", RecordType::A, None);
    let with = |at: usize, byte: u8| {
        let mut bytes = honest.clone();
        bytes[at] = byte;
        bytes
    };
    assert!(matches!(read(&with(2, 0x81)), Reading::Nothing));
    assert!(matches!(read(&honest[..11]), Reading::Nothing));
    let status = refused(&with(2, 2 << 3));
    assert_eq!((status.metadata.response_code, status.metadata.id, status.metadata.op_code), (ResponseCode::NotImp, 7, OpCode::Status));
    for bytes in [with(5, 0), with(5, 2), with(11, 1), honest[..13].to_vec(), with(12, 0xc0)] {
        assert_eq!(refused(&bytes).metadata.response_code, ResponseCode::FormErr, "{bytes:?}");
    }
    let mut newer = question("db.", RecordType::A, Some(1232));
    let version = newer.len() - 5;
    newer[version] = 1;
    let answer = refused(&newer);
    assert_eq!(u16::from(answer.metadata.response_code), 16);
    assert_eq!(answer.edns.unwrap().version(), 0);
}

#[test]
fn only_the_answer_to_the_question_is_taken() {
    let query = understood(&question("Db.Example.", RecordType::A, None)).query;
    let answer = |name: &str, kind| understood(&question(name, kind, None)).addresses(&[], Way::Udp);
    assert!(answers(&answer("db.example.", RecordType::A), 7, &query));
    assert!(!answers(&answer("db.example.", RecordType::A), 8, &query));
    assert!(!answers(&answer("db.example.", RecordType::AAAA), 7, &query));
    assert!(!answers(&answer("db.other.", RecordType::A), 7, &query));
    assert!(!answers(&question("db.example.", RecordType::A, None), 7, &query));
    assert!(!answers(&[], 7, &query));
    let complaint = bare(&Metadata::new(7, MessageType::Query, OpCode::Query), ResponseCode::FormErr);
    assert!(answers(&complaint, 7, &query) && !is_refusal(&complaint));
    let empty = bare(&Metadata::new(7, MessageType::Query, OpCode::Query), ResponseCode::NXDomain);
    assert!(!answers(&empty, 7, &query));
    assert!(is_refusal(&bare(&Metadata::new(7, MessageType::Query, OpCode::Query), ResponseCode::ServFail)));
}

/// Whatever was read is answered in a way that others can read.
fn is_survived(bytes: &[u8]) {
    match read(bytes) {
        Reading::Nothing => {}
        Reading::Refusal(answer) => {
            let answer = Message::from_vec(&answer).unwrap();
            assert_eq!((answer.metadata.id, answer.metadata.message_type), (id(bytes), MessageType::Response));
        }
        Reading::Question(question) => {
            question.wish();
            for answer in [question.addresses(&many(40), Way::Udp), question.name("web", Way::Udp), question.failure(Way::Udp)] {
                assert!(answer.len() <= LONGEST);
                let answer = Message::from_vec(&answer).unwrap();
                assert_eq!((answer.metadata.id, answer.metadata.message_type, &answer.queries[0]), (id(bytes), MessageType::Response, &question.query));
            }
        }
    }
    answers(bytes, id(bytes), &Query::new());
    is_refusal(bytes);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        is_survived(&bytes);
    }

    #[test]
    fn any_records_are_survived(counts in any::<[u8; 3]>(), bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut message = vec![0, 7, 1, 0, 0, 1, 0, counts[0] % 3, 0, counts[1] % 3, 0, counts[2] % 4, 1, b'a', 0, 0, 1, 0, 1];
        message.extend(bytes);
        is_survived(&message);
    }

    #[test]
    fn damaged_questions_are_survived(at in 0usize..80, byte in any::<u8>(), cut in 0usize..80, edns in any::<Option<u16>>()) {
        let mut bytes = question("web.front.example.", RecordType::AAAA, edns);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        is_survived(&bytes);
        is_survived(&bytes[..cut.min(bytes.len())]);
    }

    #[test]
    fn damaged_reverse_questions_are_survived(labels in proptest::collection::vec("[0-9a-gA-G+]{1,4}", 0..36), six in any::<bool>()) {
        let tail = if six { "ip6" } else { "in-addr" };
        if let Ok(name) = Name::from_ascii(format!("{}.{tail}.arpa.", labels.join("."))) {
            let mut message = Message::new(7, MessageType::Query, OpCode::Query);
            message.add_query(Query::query(name, RecordType::PTR));
            is_survived(&message.to_vec().unwrap());
        }
    }
}
