//! Pulling: what is refused, what is waited for, what is resumed.

use super::server::{GZIP, Image, MANIFEST, Reply, Request, Server, amd64, client, one, plain, ranged};
use kapal::id::Digest;
use kapal::registry::{Compression, Descriptor, Error, Kind, Notice, Platform, Progress, Version};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn data(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7 + i / 251) as u8).collect()
}

fn layer(image: &Image) -> Descriptor {
    Descriptor { media_type: GZIP.into(), digest: Digest::of(&image.layer), size: image.layer.len() as u64 }
}

/// Reads the layer as extraction does: on a thread that may wait.
async fn read(server: &Server, blob: Descriptor, progress: Option<Progress>) -> Result<Vec<u8>, Error> {
    read_by(&plain(), server, blob, progress).await
}

async fn read_by(client: &kapal::registry::Client, server: &Server, blob: Descriptor, progress: Option<Progress>) -> Result<Vec<u8>, Error> {
    let mut reader = client.blob(&server.repository(), &blob, progress).into_reader();
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    read.await.unwrap().map_err(|e| Error::from_reader(e).unwrap())
}

/// A server with an image, but for what `twist` answers.
fn twisted(image: &Image, twist: impl Fn(&Request, &Image) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let image = image.clone();
    Server::new(move |request| twist(request, &image).unwrap_or_else(|| image.answer(request)))
}

#[tokio::test]
async fn an_image_is_resolved_and_its_layer_read() {
    let image = Image::new(data(3_000_000));
    let server = twisted(&image, |_, _| None);
    let found = plain().resolve(&server.repository(), &one(), &amd64()).await.unwrap();
    assert_eq!((found.digest.clone(), found.manifest_digest), (Digest::of(&image.manifest), Digest::of(&image.manifest)));
    assert_eq!((&found.config_bytes[..], &found.manifest[..]), (&image.config[..], &image.manifest[..]));
    assert_eq!((found.layers[0].compression, found.media_type.as_str()), (Compression::Gzip, MANIFEST));
    let last = Arc::new(AtomicU64::new(0));
    let told = last.clone();
    let bytes = read(&server, found.layers[0].descriptor(), Some(Arc::new(move |n| told.store(n, Ordering::SeqCst)))).await.unwrap();
    assert!(bytes == image.layer);
    assert_eq!(last.load(Ordering::SeqCst), 3_000_000);
    let by_digest = plain().resolve(&server.repository(), &Version::Digest(found.digest), &amd64()).await;
    assert!(by_digest.is_ok());
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = twisted(&Image::new("x"), |_, _| None);
    let error = plain().resolve(&server.repository(), &Version::Tag("none".into()), &amd64()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(error.to_string(), format!("manifest for {}/a/b:none not found: manifest unknown", server.host()));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = kapal::registry::Repository::new(port.to_string(), "x");
    let error = plain().resolve(&gone, &one(), &amd64()).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (Kind::Unreachable, format!("cannot reach registry {port}: connection refused")));
}

#[tokio::test]
async fn a_registrys_text_is_cleaned() {
    let server = Server::new(|_| Reply::new(403, format!("\x1b]0;owned\x07{}", "no ".repeat(5000))).with("Content-Type", "text/plain"));
    let error = plain().resolve(&server.repository(), &one(), &amd64()).await.unwrap_err();
    let text = error.to_string();
    assert!(error.kind() == Kind::Denied && text.len() < 500 && !text.chars().any(char::is_control), "{text}");
}

#[tokio::test]
async fn manifests_that_lie_are_refused() {
    let image = Image::new("x");
    let refused = async |version: Version, reply: Reply| {
        let server = twisted(&image, move |request, _| request.target.contains("/manifests/").then(|| reply.clone()));
        let error = plain().resolve(&server.repository(), &version, &amd64()).await.unwrap_err();
        (error.kind(), error.to_string())
    };
    let manifest = || Reply::new(200, image.manifest.clone()).with("Content-Type", MANIFEST);
    let other = Digest::of(b"other");
    let (kind, text) = refused(Version::Digest(other.clone()), manifest()).await;
    assert!(kind == Kind::Corrupt && text.contains(other.as_str()) && text.contains(Digest::of(&image.manifest).as_str()), "{text}");
    let (kind, text) = refused(one(), manifest().with("Docker-Content-Digest", &other)).await;
    assert!(kind == Kind::Corrupt && text.contains(other.as_str()), "{text}");
    let (kind, text) = refused(one(), Reply::new(200, vec![b' '; 5 << 20])).await;
    assert!(kind == Kind::TooLarge && text.contains("a/b:1") && text.contains("4 MiB"), "{text}");
    let (kind, text) = refused(one(), Reply::new(200, "{").endless()).await;
    assert!(kind == Kind::TooLarge, "{text}");
    let (kind, text) = refused(one(), Reply::new(200, r#"{"schemaVersion":2}"#).with("Content-Type", "application/vnd.x.y+json")).await;
    assert!(kind == Kind::Unsupported && text.contains("application/vnd.x.y+json"), "{text}");
    let (kind, text) = refused(one(), Reply::new(200, "<html>")).await;
    assert!(kind == Kind::Corrupt, "{text}");
}

#[tokio::test]
async fn an_unknown_layer_and_another_platform_are_refused() {
    let image = Image::of(b"x".to_vec(), "application/vnd.example.layer");
    let server = twisted(&image, |_, _| None);
    let error = plain().resolve(&server.repository(), &one(), &amd64()).await.unwrap_err();
    assert!(error.kind() == Kind::Unsupported && error.to_string().contains("application/vnd.example.layer"), "{error}");
    let server = twisted(&Image::new("x"), |_, _| None);
    let error = plain().resolve(&server.repository(), &one(), &"linux/arm64".parse().unwrap()).await.unwrap_err();
    assert!(error.kind() == Kind::NoPlatform && error.to_string().ends_with("linux/amd64"), "{error}");
}

#[tokio::test]
async fn an_index_is_followed_but_not_for_ever() {
    let image = Image::new("x");
    let index = |inner: &[u8], media_type: &str| {
        serde_json::json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
            {"mediaType": media_type, "digest": Digest::of(inner), "size": inner.len(), "platform": {"os": "linux", "architecture": "amd64"}}]})
        .to_string()
        .into_bytes()
    };
    let kind = "application/vnd.oci.image.index.v1+json";
    let first = index(&image.manifest, MANIFEST);
    let second = index(&first, kind);
    let third = index(&second, kind);
    let levels = [first, second, third];
    for (depth, good) in [(0, true), (1, true), (2, false)] {
        let (levels, top) = (levels.clone(), levels[depth].clone());
        let server = twisted(&image, move |request, _| {
            if request.target.ends_with("/manifests/1") {
                return Some(Reply::new(200, top.clone()));
            }
            levels.iter().find(|level| request.target.ends_with(Digest::of(level).as_str())).map(|level| Reply::new(200, level.clone()))
        });
        match plain().resolve(&server.repository(), &one(), &amd64()).await {
            Ok(found) => assert!(good && found.manifest_digest == Digest::of(&image.manifest) && found.digest != found.manifest_digest),
            Err(error) => assert!(!good && error.kind() == Kind::Unsupported, "{error}"),
        }
    }
}

#[tokio::test]
async fn an_indexs_word_on_a_platform_is_taken_with_a_warning() {
    let image = Image::new("x");
    let entry = |os: &str| {
        serde_json::json!({"schemaVersion": 2, "manifests": [{"mediaType": MANIFEST, "digest": Digest::of(&image.manifest), "size": image.manifest.len(),
            "platform": {"os": os, "architecture": "arm64"}}]})
        .to_string()
    };
    let arm64: Platform = "linux/arm64".parse().unwrap();
    let top = entry("linux");
    let server = twisted(&image, move |request, _| request.target.ends_with("/manifests/1").then(|| Reply::new(200, top.clone())));
    let heard = Arc::new(Mutex::new(String::new()));
    let told = heard.clone();
    let client = plain().with_listener(Arc::new(move |notice| told.lock().unwrap().push_str(&notice.to_string())));
    let found = client.resolve(&server.repository(), &one(), &arm64).await.unwrap();
    assert_eq!((found.manifest_digest, found.platform.architecture.as_str()), (Digest::of(&image.manifest), "amd64"));
    let heard = heard.lock().unwrap().clone();
    assert!(heard.starts_with("WARNING") && heard.contains("linux/arm64") && heard.contains("linux/amd64"), "{heard}");
    let top = entry("windows");
    let server = twisted(&image, move |request, _| request.target.ends_with("/manifests/1").then(|| Reply::new(200, top.clone())));
    let error = plain().resolve(&server.repository(), &one(), &"windows/arm64".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NoPlatform, "another system is another image: {error}");
}

#[tokio::test]
async fn blobs_that_lie_are_refused() {
    let image = Image::new(data(100_000));
    let refused = async |reply: Reply| {
        let server = twisted(&image, move |request, image| request.target.ends_with(&image.layer_address()).then(|| reply.clone()));
        let error = read(&server, layer(&image), None).await.unwrap_err();
        assert!(error.to_string().contains(Digest::of(&image.layer).as_str()), "{error}");
        (error.kind(), error.to_string())
    };
    let mut wrong = image.layer.clone();
    wrong[50_000] ^= 1;
    let (kind, text) = refused(Reply::new(200, wrong.clone())).await;
    assert!(kind == Kind::Corrupt && text.contains(Digest::of(&wrong).as_str()), "{text}");
    let (kind, text) = refused(Reply::new(200, &image.layer[..60_000])).await;
    assert!(kind == Kind::Corrupt && text.contains("60000") && text.contains("100000"), "{text}");
    let (kind, text) = refused(Reply::new(200, data(100_001))).await;
    assert!(kind == Kind::Corrupt && text.contains("larger than the 100000"), "{text}");
    let (kind, text) = refused(Reply::new(200, data(200_000)).endless()).await;
    assert!(kind == Kind::Corrupt && text.contains("larger than the 100000"), "{text}");
    let (kind, text) = refused(Reply::new(206, "x").with("Content-Range", "bytes 7-7/100000")).await;
    assert!(kind == Kind::Protocol, "{text}");
}

#[tokio::test]
async fn a_body_without_length_that_ends_early_is_truncated() {
    let image = Image::new(data(100_000));
    let server =
        twisted(&image, |request, image| request.target.ends_with(&image.layer_address()).then(|| Reply::new(200, &image.layer[..60_000]).claim(None)));
    let mut stream = plain().blob(&server.repository(), &layer(&image), None);
    let error = loop {
        if let Err(error) = stream.next().await.unwrap() {
            break error;
        }
    };
    assert!(error.kind() == Kind::Corrupt && error.to_string().contains("expected 100000 bytes, got 60000"), "{error}");
    assert_eq!(server.seen().len(), 2);
    // Whoever reads on does not take it for the end.
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), Kind::Corrupt);
}

#[tokio::test]
async fn a_lost_connection_is_resumed_where_it_broke() {
    let image = Image::new(data(2_000_000));
    let broken = AtomicU32::new(0);
    let server = twisted(&image, move |request, image| {
        let part = request.target.ends_with(&image.layer_address()) && broken.fetch_add(1, Ordering::SeqCst) < 3;
        part.then(|| ranged(request, &image.layer).cut(500_000))
    });
    let (client, notices) = client(Path::new("/nonexistent"));
    assert!(read_by(&client, &server, layer(&image), None).await.unwrap() == image.layer);
    let ranges: Vec<String> = server.seen().iter().map(|r| r.header("range").unwrap_or("all").to_owned()).collect();
    assert_eq!(ranges, ["all", "bytes=500000-", "bytes=1000000-", "bytes=1500000-"]);
    assert!(matches!(&notices.lock().unwrap()[0], Notice::Retrying { reason, .. } if reason.contains("after 500000 of 2000000")));
}

#[tokio::test]
async fn a_server_without_ranges_is_borne() {
    let image = Image::new(data(2_000_000));
    let broken = AtomicU32::new(0);
    let server = twisted(&image, move |request, image| {
        let whole = Reply::new(200, image.layer.clone());
        request.target.ends_with(&image.layer_address()).then(|| if broken.fetch_add(1, Ordering::SeqCst) < 2 { whole.cut(900_000) } else { whole })
    });
    // The second connection breaks before it brings anything new.
    assert!(read(&server, layer(&image), None).await.unwrap() == image.layer);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_connection_that_always_breaks_is_given_up() {
    let image = Image::new(data(100_000));
    let server = twisted(&image, |request, image| request.target.ends_with(&image.layer_address()).then(|| Reply::new(200, image.layer.clone()).cut(1000)));
    let error = read(&server, layer(&image), None).await.unwrap_err();
    assert!(error.kind() == Kind::Unreachable && error.to_string().contains("1000 of 100000"), "{error}");
    assert!(server.seen().len() < 10);
}

#[tokio::test]
async fn a_registry_that_asks_for_time_gets_it() {
    let image = Image::new("layer");
    let asked: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let log = asked.clone();
    let server = twisted(&image, move |request, _| {
        if !request.target.contains("/manifests/") {
            return None;
        }
        let mut asked = log.lock().unwrap();
        asked.push(Instant::now());
        match asked.len() {
            1 => Some(Reply::new(429, "").with("Retry-After", 1)),
            2 => Some(Reply::new(503, "").with("Retry-After", 0)),
            3 => Some(Reply::new(500, "oops")),
            _ => None,
        }
    });
    let (client, notices) = client(Path::new("/nonexistent"));
    client.resolve(&server.repository(), &one(), &amd64()).await.unwrap();
    let asked = asked.lock().unwrap();
    assert!(asked.len() == 4 && asked[1] - asked[0] >= Duration::from_secs(1));
    let notices = notices.lock().unwrap();
    assert_eq!(notices[0], Notice::Waiting { host: server.host(), pause: Duration::from_secs(1), reason: "too many requests".into() });
    assert!(matches!(&notices[2], Notice::Retrying { reason, .. } if reason.contains("oops")), "{notices:?}");
}

#[tokio::test]
async fn a_registry_that_asks_for_an_hour_is_told_of() {
    let server = Server::new(|request| {
        if request.target == "/v2/" {
            Reply::new(200, "")
        } else {
            Reply::new(429, r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}"#).with("Retry-After", 3600)
        }
    });
    let error = plain().resolve(&server.repository(), &one(), &amd64()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::RateLimited);
    assert!(error.to_string().contains("pull rate limit") && error.to_string().contains("3600 s"), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn tags_are_listed_page_by_page() {
    let server = Server::new(|request| match request.target.as_str() {
        "/v2/a/b/tags/list" => Reply::new(200, r#"{"name":"a/b","tags":["1","2"]}"#).with("Link", "</v2/a/b/tags/list?last=2>; rel=\"next\""),
        "/v2/a/b/tags/list?last=2" => Reply::new(200, r#"{"name":"a/b","tags":["3"]}"#),
        _ => Reply::new(200, ""),
    });
    assert_eq!(plain().tags(&server.repository()).await.unwrap(), ["1", "2", "3"]);
}
