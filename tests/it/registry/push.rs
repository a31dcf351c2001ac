//! Pushing: what is there stays, what is elsewhere is mounted, the rest is streamed.

use super::server::{GZIP, MANIFEST, Reply, Request, Server, one, plain};
use kapal::id::Digest;
use kapal::registry::{Credential, Descriptor, Kind, Opener, Pushed, Repository};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

fn blob(bytes: &[u8]) -> Descriptor {
    Descriptor { media_type: GZIP.into(), digest: Digest::of(bytes), size: bytes.len() as u64 }
}

fn opener(bytes: Vec<u8>) -> Opener {
    Arc::new(move || Ok(Box::new(std::io::Cursor::new(bytes.clone()))))
}

/// A registry that has nothing and takes everything.
fn taking(request: &Request) -> Reply {
    match request.method.as_str() {
        "HEAD" => Reply::new(404, ""),
        "POST" => Reply::new(202, "").with("Location", "/v2/a/b/blobs/uploads/7?state=x"),
        "PUT" => Reply::new(201, ""),
        _ => Reply::new(200, ""),
    }
}

#[tokio::test]
async fn a_blob_is_streamed_and_counted() {
    let server = Server::new(taking);
    let bytes: Vec<u8> = (0..1_000_000u32).map(|i| i as u8).collect();
    let sum = Arc::new(AtomicU64::new(0));
    let told = sum.clone();
    let progress = Arc::new(move |n| told.store(n, Ordering::SeqCst));
    let pushed = plain().push_blob(&server.repository(), &blob(&bytes), opener(bytes.clone()), None, Some(progress)).await.unwrap();
    assert_eq!((pushed, sum.load(Ordering::SeqCst)), (Pushed::Uploaded, 1_000_000));
    let put = server.asked("/uploads/7").remove(0);
    assert!(put.body == bytes && put.header("content-length") == Some("1000000"));
    assert_eq!(put.target, format!("/v2/a/b/blobs/uploads/7?state=x&digest=sha256%3A{}", Digest::of(&bytes).hex()));
    let pushed = plain().push_blob(&server.repository(), &blob(b""), opener(Vec::new()), None, None).await.unwrap();
    assert_eq!(pushed, Pushed::Uploaded);
}

#[tokio::test]
async fn what_is_there_or_nearby_is_not_sent() {
    let server = Server::new(|request| if request.method == "HEAD" { Reply::new(200, "") } else { taking(request) });
    assert_eq!(plain().push_blob(&server.repository(), &blob(b"x"), opener(b"x".to_vec()), None, None).await.unwrap(), Pushed::Existed);
    let server = Server::new(|request| if request.target.contains("mount=") { Reply::new(201, "") } else { taking(request) });
    let from = Repository::new(server.host(), "other");
    assert_eq!(plain().push_blob(&server.repository(), &blob(b"x"), opener(b"x".to_vec()), Some(&from), None).await.unwrap(), Pushed::Mounted);
    assert!(server.asked("from=other")[0].target.contains(Digest::of(b"x").hex()));
    let elsewhere = Repository::new("elsewhere.example", "other");
    assert_eq!(plain().push_blob(&server.repository(), &blob(b"x"), opener(b"x".to_vec()), Some(&elsewhere), None).await.unwrap(), Pushed::Uploaded);
}

#[tokio::test]
async fn a_failed_upload_begins_anew_and_a_refused_one_does_not() {
    let tries = AtomicU32::new(0);
    let server = Server::new(move |request| match request.method.as_str() {
        "PUT" if tries.fetch_add(1, Ordering::SeqCst) == 0 => Reply::new(502, ""),
        _ => taking(request),
    });
    assert_eq!(plain().push_blob(&server.repository(), &blob(b"x"), opener(b"x".to_vec()), None, None).await.unwrap(), Pushed::Uploaded);
    assert_eq!(server.seen().iter().filter(|r| r.method == "POST").count(), 2);
    let server =
        Server::new(
            |request| if request.method == "PUT" { Reply::new(400, r#"{"errors":[{"code":"DIGEST_INVALID","message":"bad"}]}"#) } else { taking(request) },
        );
    let error = plain().push_blob(&server.repository(), &blob(b"x"), opener(b"x".to_vec()), None, None).await.unwrap_err();
    assert!(error.kind() == Kind::Corrupt && server.asked("/uploads/7").len() == 1, "{error}");
}

#[tokio::test]
async fn what_does_not_fit_its_descriptor_is_not_sent_to_the_end() {
    for (bytes, says) in [(&b"xy"[..], "more"), (b"", "only 0")] {
        let server = Server::new(taking);
        let error = plain().push_blob(&server.repository(), &blob(b"x"), opener(bytes.to_vec()), None, None).await.unwrap_err();
        assert!(error.kind() == Kind::Corrupt && error.to_string().contains(says), "{error}");
    }
    let missing: Opener = Arc::new(|| Err(std::io::ErrorKind::NotFound.into()));
    let error = plain().push_blob(&Server::new(taking).repository(), &blob(b"x"), missing, None, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Io);
}

#[tokio::test]
async fn an_upload_to_another_host_carries_no_credentials() {
    let other = Server::new(taking);
    let target = format!("http://{}/store", other.host());
    let server = Server::new(move |request| match (request.method.as_str(), request.header("authorization")) {
        (_, None) => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"r\""),
        ("POST", _) => Reply::new(202, "").with("Location", &target),
        _ => taking(request),
    });
    let client = plain();
    client.use_credential(&server.host(), Some(Credential::Password { user: "u".into(), password: "p".into() })).await.unwrap();
    client.push_blob(&server.repository(), &blob(b"x"), opener(b"x".to_vec()), None, None).await.unwrap();
    assert_eq!((other.seen()[0].header("authorization"), &other.seen()[0].body[..]), (None, &b"x"[..]));
}

#[tokio::test]
async fn a_manifest_is_stored_to_the_byte() {
    let server = Server::new(taking);
    let digest = plain().push_manifest(&server.repository(), &one(), MANIFEST, (&b"{ }"[..]).into()).await.unwrap();
    assert_eq!(digest, Digest::of(b"{ }"));
    let put = &server.asked("/manifests/1")[0];
    assert_eq!((put.header("content-type"), &put.body[..]), (Some(MANIFEST), &b"{ }"[..]));
    let server =
        Server::new(|request| if request.method == "PUT" { Reply::new(201, "").with("Docker-Content-Digest", Digest::of(b"other")) } else { taking(request) });
    assert_eq!(plain().push_manifest(&server.repository(), &one(), MANIFEST, (&b"{}"[..]).into()).await.unwrap_err().kind(), Kind::Corrupt);
}
