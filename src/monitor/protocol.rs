//! What clients and a monitor say to each other over the console socket.
//!
//! ```text
//!  frame:  kind (1 byte) · length (4 bytes, big-endian, at most 64 KiB) · payload
//!
//!  client → monitor    1 hello (JSON)   2 stdin bytes   3 end of stdin   4 rows, columns (2 × u16)   5 request (JSON)
//!  monitor → client   16 welcome (JSON) 17 stdout bytes 18 stderr bytes  19 bytes dropped (u64)      20 reply (JSON)
//!                     21 exit status (i32) 22 seconds       23 minutes (packed moments)          24 occurrences (JSON)
//! ```
//!
//! A monitor that is asked for the past sends as many of 22 to 24 as it takes, and a reply after them; one that is older
//! than the request hangs up.
//!
//! The first frame of a client is its hello. Numbers are big-endian.

use super::packed;
use crate::container::past::{Moment, Occurrence, SECONDS};
use crate::container::{Attachment, PortBinding, Update};
use serde::{Deserialize, Serialize};

/// The longest payload.
pub const LONGEST: usize = 64 << 10;
/// The bytes before a payload.
pub const HEAD: usize = 5;

/// What a client wants to be part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// Its input goes to the process.
    pub stdin: bool,
    /// It gets the process's output.
    pub output: bool,
    /// It gets what was written last, if the process has a terminal.
    pub scrollback: bool,
    /// It is told when the process ends.
    pub exit: bool,
    /// Rows and columns of its terminal: with it, a process that starts later has them from its first moment on.
    pub size: Option<(u16, u16)>,
}

/// What a monitor tells a new client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Welcome {
    /// The process has a terminal.
    pub tty: bool,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The stop signal, and SIGKILL after `seconds`; answered when the process has ended.
    Stop {
        /// In place of the container's own.
        signal: Option<i32>,
        /// In place of the container's own.
        seconds: Option<u64>,
    },
    /// A signal.
    Signal(i32),
    /// All processes frozen.
    Pause,
    /// All processes thawed.
    Unpause,
    /// A place on one network more.
    Connect(Attachment),
    /// No place on this network any more.
    Disconnect(String),
    /// A port published.
    Publish(PortBinding),
    /// A port published no more.
    Unpublish(PortBinding),
    /// The container's past.
    Past {
        /// Seconds since 1970: only what is newer.
        since: Option<i64>,
    },
    /// Other limits, another restart policy.
    Update(Box<Update>),
    /// Ask it now whether it is well; the answer is the reply.
    Probe,
}

/// The answer to a request: nothing, or a sentence why not.
pub type Reply = Result<(), String>;

/// A frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The client's first word.
    Hello(Hello),
    /// Input.
    Stdin(Vec<u8>),
    /// No more input.
    StdinEof,
    /// The client's terminal has this size.
    Resize(u16, u16),
    /// A request.
    Request(Request),
    /// The monitor's first word.
    Welcome(Welcome),
    /// Output.
    Stdout(Vec<u8>),
    /// Error output.
    Stderr(Vec<u8>),
    /// So many bytes of output were dropped: the client was too slow.
    Missed(u64),
    /// The answer to a request, in their order.
    Reply(Reply),
    /// The process ended with this status.
    Exit(i32),
    /// Of the past, seconds.
    Seconds(Vec<Moment>),
    /// Of the past, minutes.
    Minutes(Vec<Moment>),
    /// Of the past, what happened.
    Occurrences(Vec<Occurrence>),
}

/// Bytes that are no frame.
#[derive(Debug, thiserror::Error)]
#[error("the console socket carries something else than frames")]
pub struct NoFrame;

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    // Plain structs of numbers and strings always become JSON.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Puts a frame's head before its payload.
pub fn head(kind: u8, length: usize) -> [u8; HEAD] {
    let [a, b, c, d] = (length as u32).to_be_bytes();
    [kind, a, b, c, d]
}

impl Frame {
    /// Appends the frame's bytes; what is longer than a frame becomes several.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, payload) = match self {
            Self::Hello(hello) => (1, json(hello)),
            Self::Stdin(bytes) => return chunks(2, bytes, out),
            Self::StdinEof => (3, Vec::new()),
            Self::Resize(rows, columns) => (4, [rows.to_be_bytes(), columns.to_be_bytes()].concat()),
            Self::Request(request) => (5, json(request)),
            Self::Welcome(welcome) => (16, json(welcome)),
            Self::Stdout(bytes) => return chunks(17, bytes, out),
            Self::Stderr(bytes) => return chunks(18, bytes, out),
            Self::Missed(count) => (19, count.to_be_bytes().to_vec()),
            Self::Reply(reply) => (20, json(reply)),
            Self::Exit(status) => (21, status.to_be_bytes().to_vec()),
            Self::Seconds(list) => return moments(SECONDS_KIND, list.iter().copied(), out),
            Self::Minutes(list) => return moments(MINUTES_KIND, list.iter().copied(), out),
            Self::Occurrences(list) => return occurrences(list, out),
        };
        out.extend_from_slice(&head(kind, payload.len()));
        out.extend_from_slice(&payload);
    }

    fn read(kind: u8, payload: &[u8]) -> Option<Self> {
        Some(match kind {
            1 => Self::Hello(serde_json::from_slice(payload).ok()?),
            2 => Self::Stdin(payload.to_vec()),
            3 => Self::StdinEof,
            4 => {
                let [a, b, c, d] = payload.try_into().ok()?;
                Self::Resize(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
            }
            5 => Self::Request(serde_json::from_slice(payload).ok()?),
            16 => Self::Welcome(serde_json::from_slice(payload).ok()?),
            17 => Self::Stdout(payload.to_vec()),
            18 => Self::Stderr(payload.to_vec()),
            19 => Self::Missed(u64::from_be_bytes(payload.try_into().ok()?)),
            20 => Self::Reply(serde_json::from_slice(payload).ok()?),
            21 => Self::Exit(i32::from_be_bytes(payload.try_into().ok()?)),
            SECONDS_KIND => Self::Seconds(packed::unpack(payload, SECONDS)?),
            MINUTES_KIND => Self::Minutes(packed::unpack(payload, SECONDS)?),
            24 => Self::Occurrences(known_occurrences(payload)?),
            _ => return None,
        })
    }
}

fn chunks(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.chunks(LONGEST) {
        out.extend_from_slice(&head(kind, chunk.len()));
        out.extend_from_slice(chunk);
    }
}

/// The kind of frames with seconds.
pub const SECONDS_KIND: u8 = 22;
/// The kind of frames with minutes.
pub const MINUTES_KIND: u8 = 23;

/// Appends frames of moments, oldest first.
pub fn moments(kind: u8, list: impl Iterator<Item = Moment>, out: &mut Vec<u8>) {
    let (mut payload, mut previous, mut count) = (Vec::new(), Moment::default(), 0);
    let mut close = |payload: &mut Vec<u8>| {
        if !payload.is_empty() {
            chunks(kind, payload, out);
            payload.clear();
        }
    };
    for moment in list {
        if payload.len() + packed::LONGEST > LONGEST || count == SECONDS {
            close(&mut payload);
            // Each frame is read by itself.
            (previous, count) = (Moment::default(), 0);
        }
        packed::pack(&previous, &moment, &mut payload);
        (previous, count) = (moment, count + 1);
    }
    close(&mut payload);
}

/// Appends frames of occurrences. One that is longer than a frame is left out: a monitor keeps none.
pub fn occurrences<'a>(list: impl IntoIterator<Item = &'a Occurrence>, out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    let mut close = |payload: &mut Vec<u8>| {
        if !payload.is_empty() {
            payload.push(b']');
            chunks(24, payload, out);
            payload.clear();
        }
    };
    for item in list.into_iter().map(json).filter(|item| item.len() + 2 <= LONGEST) {
        if payload.len() + item.len() + 2 > LONGEST {
            close(&mut payload);
        }
        payload.push(if payload.is_empty() { b'[' } else { b',' });
        payload.extend_from_slice(&item);
    }
    close(&mut payload);
}

/// The occurrences that are known here: a monitor may be newer than who asks.
fn known_occurrences(payload: &[u8]) -> Option<Vec<Occurrence>> {
    let list: Vec<serde_json::Value> = serde_json::from_slice(payload).ok()?;
    Some(list.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}

/// Frames out of a stream of bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
}

impl Decoder {
    /// Takes in more bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Bytes waiting to become a frame.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// What came is no frame: the other side speaks something else.
    pub fn frame(&mut self) -> Result<Option<Frame>, NoFrame> {
        let [kind, a, b, c, d, ..] = self.pending[..] else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > LONGEST {
            return Err(NoFrame);
        }
        let Some(payload) = self.pending.get(HEAD..HEAD + length) else { return Ok(None) };
        let frame = Frame::read(kind, payload).ok_or(NoFrame)?;
        self.pending.drain(..HEAD + length);
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames() -> impl Strategy<Value = Frame> {
        let bytes = proptest::collection::vec(any::<u8>(), 1..300);
        prop_oneof![
            any::<(bool, bool, bool, bool, Option<(u16, u16)>)>().prop_map(|(stdin, output, scrollback, exit, size)| Frame::Hello(Hello {
                stdin,
                output,
                scrollback,
                exit,
                size
            })),
            bytes.clone().prop_map(Frame::Stdin),
            Just(Frame::StdinEof),
            any::<(u16, u16)>().prop_map(|(rows, columns)| Frame::Resize(rows, columns)),
            any::<(Option<i32>, Option<u64>)>().prop_map(|(signal, seconds)| Frame::Request(Request::Stop { signal, seconds })),
            any::<bool>().prop_map(|tty| Frame::Welcome(Welcome { tty })),
            bytes.clone().prop_map(Frame::Stdout),
            bytes.prop_map(Frame::Stderr),
            any::<u64>().prop_map(Frame::Missed),
            ".*".prop_map(|text| Frame::Reply(Err(text))),
            any::<i32>().prop_map(Frame::Exit),
            any::<Option<i64>>().prop_map(|since| Frame::Request(Request::Past { since })),
            proptest::collection::vec(packed::tests::moments(), 1..20).prop_map(Frame::Seconds),
            proptest::collection::vec(packed::tests::moments(), 1..20).prop_map(Frame::Minutes),
            proptest::collection::vec(occurrences_of_any_kind(), 1..5).prop_map(Frame::Occurrences),
        ]
    }

    fn occurrences_of_any_kind() -> impl Strategy<Value = Occurrence> {
        use crate::container::past::Happening;
        let what = prop_oneof![
            Just(Happening::Started),
            any::<i32>().prop_map(Happening::Restarted),
            (".*", ".*").prop_map(|(victim, cgroup)| Happening::OomKill { victim, cgroup }),
            ".*".prop_map(Happening::Limits),
        ];
        (0i64..4_000_000_000, what).prop_map(|(second, what)| Occurrence { at: jiff::Timestamp::from_second(second).unwrap(), what })
    }

    #[test]
    fn a_long_past_becomes_several_frames() {
        let busy = |at: i64| Moment { at: 7 * at, cpu: Some(at as f32), memory: Some(at as u64 * 777_777), received: Some(at as f32), ..Moment::default() };
        let list: Vec<Moment> = (0..3600).map(busy).chain((0..3600).map(|at| busy(at + 10_000))).collect();
        let mut bytes = Vec::new();
        moments(SECONDS_KIND, list.iter().copied(), &mut bytes);
        assert!(bytes.len() > LONGEST, "{}", bytes.len());
        let (mut decoder, mut got, mut frames) = (Decoder::default(), Vec::new(), 0);
        decoder.feed(&bytes);
        while let Some(frame) = decoder.frame().unwrap() {
            let Frame::Seconds(part) = frame else { panic!("{frame:?}") };
            got.extend(part);
            frames += 1;
        }
        assert!(frames > 1 && got == list, "{frames} frames, {} moments", got.len());
    }

    #[test]
    fn what_a_newer_monitor_tells_is_passed_over() {
        let text = br#"[{"at":"2026-01-01T00:00:00Z","what":"Paused"},{"at":"2026-01-01T00:00:01Z","what":"Sang"}]"#;
        let mut bytes = head(24, text.len()).to_vec();
        bytes.extend_from_slice(text);
        let mut decoder = Decoder::default();
        decoder.feed(&bytes);
        let Some(Frame::Occurrences(known)) = decoder.frame().unwrap() else { panic!("no occurrences") };
        assert_eq!(known.len(), 1);
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(sent in proptest::collection::vec(frames(), 0..8), cut in 1usize..64) {
            let mut bytes = Vec::new();
            for frame in &sent {
                frame.encode(&mut bytes);
            }
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.feed(piece);
                while let Some(frame) = decoder.frame().unwrap() {
                    got.push(frame);
                }
            }
            prop_assert_eq!(got, sent);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::default();
            decoder.feed(&bytes);
            while let Ok(Some(_)) = decoder.frame() {}
        }
    }
}
