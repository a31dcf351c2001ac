//! Who sees which credentials.

use super::server::{GZIP, Image, Reply, Request, Server, amd64, client, one, plain};
use kapal::id::Digest;
use kapal::registry::{Credential, Descriptor, Kind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// `user:secret`.
const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";

fn password() -> Credential {
    Credential::Password { user: "user".into(), password: "secret".into() }
}

fn write_config(dir: &Path, host: &str, entry: &str) {
    std::fs::write(dir.join("config.json"), format!(r#"{{"auths":{{"{host}":{entry}}}}}"#)).unwrap();
}

fn unauthorized(challenge: impl std::fmt::Display) -> Reply {
    Reply::new(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#).with("WWW-Authenticate", challenge)
}

/// A registry behind a password.
fn basic(image: Image) -> Server {
    Server::new(move |request| if request.header("authorization") == Some(BASIC) { image.answer(request) } else { unauthorized("Basic realm=\"r\"") })
}

/// A registry that wants tokens, and the server that hands them out.
fn bearer(image: Image, tokens: &Server) -> Server {
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"reg\"", tokens.host());
    Server::new(move |request| match request.header("authorization") {
        Some(good) if good.starts_with("Bearer good") => image.answer(request),
        _ => unauthorized(&challenge),
    })
}

fn hand_out(_: &Request) -> Reply {
    Reply::new(200, r#"{"token":"good-1","expires_in":300}"#)
}

#[tokio::test]
async fn basic_credentials_come_from_dockers_file() {
    let server = basic(Image::new("x"));
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), &server.host(), r#"{"auth":"dXNlcjpzZWNyZXQ="}"#);
    client(dir.path()).0.resolve(&server.repository(), &one(), &amd64()).await.unwrap();
    let error = plain().resolve(&server.repository(), &one(), &amd64()).await.unwrap_err();
    assert!(error.kind() == Kind::Unauthorized && error.to_string().contains("kapal login"), "{error}");
}

#[tokio::test]
async fn a_bearer_token_is_fetched_once_and_for_what_is_needed() {
    let tokens = Server::new(hand_out);
    let server = bearer(Image::new("x"), &tokens);
    plain().resolve(&server.repository(), &one(), &amd64()).await.unwrap();
    let asked = tokens.seen();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].target.as_str(), asked[0].header("authorization")), ("/token?service=reg&scope=repository%3Aa%2Fb%3Apull", None));
    let client = plain();
    client.use_credential(&server.host(), Some(password())).await.unwrap();
    client.resolve(&server.repository(), &one(), &amd64()).await.unwrap();
    let asked = &tokens.seen()[1];
    assert_eq!(asked.header("authorization"), Some(BASIC));
    assert!(asked.target.contains("account=user"));
    assert!(server.seen().iter().all(|r| r.header("authorization").is_none_or(|v| v == "Bearer good-1")));
}

#[tokio::test]
async fn a_token_that_has_run_out_is_fetched_anew() {
    let tokens = Server::new(hand_out);
    let image = Image::new("x");
    let (challenge, uses) = (format!("Bearer realm=\"http://{}/token\"", tokens.host()), AtomicU32::new(0));
    let server = Server::new(move |request| match request.header("authorization") {
        Some(_) if uses.fetch_add(1, Ordering::SeqCst) != 1 => image.answer(request),
        _ => unauthorized(&challenge),
    });
    plain().resolve(&server.repository(), &one(), &amd64()).await.unwrap();
    assert_eq!(tokens.seen().len(), 2);
}

#[tokio::test]
async fn an_identity_token_is_posted() {
    let tokens = Server::new(|_| Reply::new(200, r#"{"access_token":"good-2"}"#));
    let server = bearer(Image::new("x"), &tokens);
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), &server.host(), r#"{"auth":"dTo=","identitytoken":"long&lived"}"#);
    client(dir.path()).0.resolve(&server.repository(), &one(), &amd64()).await.unwrap();
    let asked = &tokens.seen()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/token"));
    let form = String::from_utf8(asked.body.clone()).unwrap();
    assert_eq!(form, "service=reg&grant_type=refresh_token&refresh_token=long%26lived&client_id=kapal&scope=repository%3Aa%2Fb%3Apull");
}

#[tokio::test]
async fn a_redirect_to_another_host_carries_no_credentials() {
    let image = Image::new("x");
    let elsewhere = image.clone();
    let other = Server::new(move |_| Reply::new(200, elsewhere.layer.clone()));
    let (target, layer) = (format!("http://{}/signed?x=1", other.host()), image.layer_address());
    let blob = Descriptor { media_type: GZIP.into(), digest: Digest::of(&image.layer), size: 1 };
    let server = Server::new(move |request| {
        if request.header("authorization") != Some(BASIC) {
            unauthorized("Basic realm=\"r\"")
        } else if request.target.ends_with(&layer) {
            Reply::new(307, "").with("Location", "/again")
        } else if request.target == "/again" {
            Reply::new(302, "").with("Location", &target)
        } else {
            image.answer(request)
        }
    });
    let client = plain();
    client.use_credential(&server.host(), Some(password())).await.unwrap();
    let mut stream = client.blob(&server.repository(), &blob, None);
    assert_eq!(&stream.next().await.unwrap().unwrap()[..], b"x");
    assert!(stream.next().await.is_none());
    assert_eq!(server.asked("/again")[0].header("authorization"), Some(BASIC));
    let signed = &other.seen()[0];
    assert_eq!((signed.target.as_str(), signed.header("authorization")), ("/signed?x=1", None));
}

#[tokio::test]
async fn a_token_server_that_redirects_takes_no_password_along() {
    let thief = Server::new(hand_out);
    let target = format!("http://{}/steal", thief.host());
    let tokens = Server::new(move |_| Reply::new(307, "").with("Location", &target));
    let server = bearer(Image::new("x"), &tokens);
    let client = plain();
    client.use_credential(&server.host(), Some(password())).await.unwrap();
    let _ = client.resolve(&server.repository(), &one(), &amd64()).await;
    assert_eq!(tokens.seen()[0].header("authorization"), Some(BASIC));
    assert!(thief.seen().iter().all(|r| r.header("authorization").is_none()));
    client.use_credential(&server.host(), Some(Credential::Identity { token: "long".into() })).await.unwrap();
    assert!(client.resolve(&server.repository(), &one(), &amd64()).await.is_err());
    assert!(thief.seen().iter().all(|r| r.body.is_empty()));
}

#[tokio::test]
async fn a_token_server_in_the_clear_elsewhere_gets_nothing() {
    let server = Server::new(|_| unauthorized("Bearer realm=\"http://auth.example/token\""));
    let client = plain();
    client.use_credential(&server.host(), Some(password())).await.unwrap();
    let error = client.resolve(&server.repository(), &one(), &amd64()).await.unwrap_err();
    assert!(error.kind() == Kind::Protocol && error.to_string().contains("auth.example"), "{error}");
}

#[tokio::test]
async fn hostile_tokens_are_refused() {
    for answer in ["{}", "[]", r#"{"token":""}"#, "{\"token\":\"a\\nb\"}", "no"] {
        let tokens = Server::new(move |_| Reply::new(200, answer));
        let error = plain().resolve(&bearer(Image::new("x"), &tokens).repository(), &one(), &amd64()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol, "{answer}: {error}");
    }
    let tokens = Server::new(|_| Reply::new(200, "{").endless());
    let error = plain().resolve(&bearer(Image::new("x"), &tokens).repository(), &one(), &amd64()).await.unwrap_err();
    assert!(error.to_string().contains("1 MiB"), "{error}");
}

#[tokio::test]
async fn many_layers_at_once_fetch_one_token() {
    let image = Image::new("x");
    let tokens = Server::new(hand_out);
    let server = Arc::new(bearer(image.clone(), &tokens));
    let (client, blob) = (plain(), Descriptor { media_type: GZIP.into(), digest: Digest::of(&image.layer), size: 1 });
    let mut streams: Vec<_> = (0..8).map(|_| client.blob(&server.repository(), &blob, None)).collect();
    for stream in &mut streams {
        assert!(stream.next().await.unwrap().is_ok());
    }
    assert_eq!(tokens.seen().len(), 1);
}

#[tokio::test]
async fn a_login_is_tried_before_it_is_kept() {
    let server = basic(Image::new("x"));
    let dir = tempfile::tempdir().unwrap();
    let (client, _) = client(dir.path());
    let error = client.login(&server.host(), "user", "wrong").await.unwrap_err();
    assert!(error.kind() == Kind::Unauthorized && error.to_string().contains("authentication required"), "{error}");
    assert!(!dir.path().join("config.json").exists());
    client.login(&server.host(), "user", "secret").await.unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path().join("config.json")).unwrap()).unwrap();
    assert_eq!(kept["auths"][server.host()]["auth"], "dXNlcjpzZWNyZXQ=");
    super::server::client(dir.path()).0.resolve(&server.repository(), &one(), &amd64()).await.unwrap();
    assert!(client.logout(&server.host()).await.unwrap());
    assert!(!client.logout(&server.host()).await.unwrap());
    assert!(client.resolve(&server.repository(), &one(), &amd64()).await.is_err());
}

#[tokio::test]
async fn a_login_by_token_asks_the_token_server() {
    let tokens =
        Server::new(|request| if request.header("authorization") == Some(BASIC) { hand_out(request) } else { Reply::new(401, r#"{"details":"incorrect"}"#) });
    let server = bearer(Image::new("x"), &tokens);
    let dir = tempfile::tempdir().unwrap();
    let (client, _) = client(dir.path());
    assert_eq!(client.login(&server.host(), "user", "wrong").await.unwrap_err().kind(), Kind::Unauthorized);
    client.login(&server.host(), "user", "secret").await.unwrap();
    assert!(dir.path().join("config.json").exists());
}
