//! The world's names, as a resolver of the test's own tells them.

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{Name, RData, Record};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A resolver on port 53 of an address in a network namespace.
pub struct Upstream {
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Upstream {
    pub fn new(namespace: BorrowedFd<'_>, address: &str) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let open = || (UdpSocket::bind((address, 53)).unwrap(), TcpListener::bind((address, 53)).unwrap());
        let (datagrams, calls) = kapal::sys::netlink::within(namespace, open).unwrap();
        let (asked, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        datagrams.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        calls.set_nonblocking(true).unwrap();
        let (heard, ended) = (asked.clone(), stop.clone());
        let udp = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !ended.load(Ordering::Relaxed) {
                let Ok((length, from)) = datagrams.recv_from(&mut bytes) else { continue };
                for answer in answers(&bytes[..length], false, &heard) {
                    datagrams.send_to(&answer, from).unwrap();
                }
            }
        });
        let (heard, ended) = (asked.clone(), stop.clone());
        let tcp = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                match calls.accept() {
                    Ok((stream, _)) => serve(&stream, &heard),
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { asked, stop, threads: vec![udp, tcp] }
    }

    /// What it was asked since the last time: `udp hello.example.`
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

fn serve(mut stream: &TcpStream, heard: &Mutex<Vec<String>>) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut length = [0; 2];
    if stream.read_exact(&mut length).is_err() {
        return;
    }
    let mut bytes = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut bytes).unwrap();
    for answer in answers(&bytes, true, heard) {
        // In pieces, as a network may bring it.
        let framed = [&(answer.len() as u16).to_be_bytes()[..], &answer].concat();
        for piece in framed.chunks(1000) {
            let _ = stream.write_all(piece);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn answers(bytes: &[u8], tcp: bool, heard: &Mutex<Vec<String>>) -> Vec<Vec<u8>> {
    let question = Message::from_vec(bytes).unwrap();
    let query = question.queries[0].clone();
    let name = query.name().to_ascii();
    heard.lock().unwrap().push(format!("{} {name}", if tcp { "tcp" } else { "udp" }));
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    let record = |data| Record::from_rdata(query.name().clone(), 60, data);
    match name.to_ascii_lowercase().as_str() {
        "deaf.example." => return Vec::new(),
        "refused.example." => answer.metadata.response_code = ResponseCode::Refused,
        "big.example." if tcp => drop(answer.add_answers((0..60).map(|at| record(RData::TXT(TXT::new(vec![format!("{at} {}", "x".repeat(100))])))))),
        "big.example." => answer.metadata.truncation = true,
        "hello.example." | "forged.example." => drop(answer.add_answer(record(RData::A(A::new(192, 0, 2, 1))))),
        _ => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    let honest = answer.to_vec().unwrap();
    if name != "forged.example." {
        return vec![honest];
    }
    // Before the right one: one with another number, and one to another question.
    answer.answers[0].data = RData::A(A::new(6, 6, 6, 6));
    let mut other = answer.clone();
    other.metadata.id = other.metadata.id.wrapping_add(1);
    answer.queries[0].set_name(Name::from_ascii("another.example.").unwrap());
    vec![other.to_vec().unwrap(), answer.to_vec().unwrap(), vec![0; 3], honest]
}
