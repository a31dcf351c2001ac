//! Figures over HTTP, spoken by hand: what a scraper gets, and what others do not.

use crate::engine::engine;
use kapal::server::Listening;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is said back to `request` until the other side hangs up.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has heard enough need not take the rest.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn served() -> (SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let listening = Listening::bind("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
    let address = listening.address();
    tokio::spawn(listening.serve(engine(folder.path())));
    (address, folder)
}

#[tokio::test]
async fn a_scraper_gets_the_text() {
    let (address, _folder) = served().await;
    let answer = ask(address, &format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nAccept: text/plain;version=0.0.4\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(body.starts_with("# HELP machine_cpu_cores ") && body.ends_with('\n'), "{body}");
    assert!(body.contains("container_cpu_usage_seconds_total{id=\"/\",cpu=\"total\"} "), "{body}");
    let only = ask(address, "HEAD /metrics HTTP/1.0\r\n\r\n").await;
    assert!(only.starts_with("HTTP/1.0 200 OK") && only.ends_with("\r\n\r\n"), "{only}");
}

#[tokio::test]
async fn others_are_refused() {
    let (address, _folder) = served().await;
    let long = "x".repeat(20_000);
    let many = "x: y\r\n".repeat(200);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"),
        ("GET /metric HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", "405"),
        ("GET /metrics HTTP/1.1\r\nHost: rebound.example:9323\r\n\r\n", "403"),
        (&format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"), "4"),
        (&format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nx: {long}\r\n\r\n"), "431"),
        (&format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"), "431"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = ask(address, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{}…: {answer}", &request[..request.len().min(60)]);
        assert!(!answer.contains("container_"), "{answer}");
    }
}

#[tokio::test]
async fn those_that_say_nothing_keep_nobody_out_for_long() {
    let (address, _folder) = served().await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // Only so many are entertained at a time: they are sent away for their silence, and the next ones come in.
    assert!(ask(address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    drop(silent);
}
