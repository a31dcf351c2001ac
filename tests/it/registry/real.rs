//! The same client against a real registry, if `KAPAL_TEST_REGISTRY` names one that holds `busybox:1` and `multi:1`.

use super::server::{amd64, plain};
use kapal::registry::{Kind, Opener, Pushed, Repository, Version};
use std::io::Read;
use std::sync::Arc;

#[tokio::test]
async fn an_image_goes_there_and_back() {
    let Ok(host) = std::env::var("KAPAL_TEST_REGISTRY") else {
        eprintln!("skipped: KAPAL_TEST_REGISTRY names no registry");
        return;
    };
    let (client, tag) = (plain(), Version::Tag("1".into()));
    let from = Repository::new(&host, "busybox");
    let found = client.resolve(&from, &tag, &amd64()).await.unwrap();
    let to = Repository::new(&host, format!("pushed/{}", std::process::id()));
    for blob in found.layers.iter().map(kapal::registry::Layer::descriptor).chain([found.config.clone()]) {
        let mut reader = client.blob(&from, &blob, None).into_reader();
        let bytes = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = bytes.await.unwrap().unwrap();
        let open: Opener = Arc::new(move || Ok(Box::new(std::io::Cursor::new(bytes.clone()))));
        let pushed = client.push_blob(&to, &blob, open.clone(), None, None).await.unwrap();
        assert_eq!(pushed, Pushed::Uploaded);
        assert_eq!(client.push_blob(&to, &blob, open.clone(), None, None).await.unwrap(), Pushed::Existed);
        let near = Repository::new(&host, format!("{}-near", to.name));
        assert_eq!(client.push_blob(&near, &blob, open, Some(&from), None).await.unwrap(), Pushed::Mounted);
    }
    let digest = client.push_manifest(&to, &tag, &found.media_type, found.manifest.clone()).await.unwrap();
    assert_eq!(digest, found.manifest_digest);
    assert_eq!(client.resolve(&to, &tag, &amd64()).await.unwrap().config_bytes, found.config_bytes);
    assert_eq!(client.tags(&to).await.unwrap(), ["1"]);
    let multi = Repository::new(&host, "multi");
    let index = client.resolve(&multi, &tag, &amd64()).await.unwrap();
    assert_ne!(index.digest, index.manifest_digest);
    let error = client.resolve(&multi, &tag, &"linux/s390x".parse().unwrap()).await.unwrap_err();
    assert!(error.kind() == Kind::NoPlatform && error.to_string().contains("linux/arm64"), "{error}");
    let error = client.resolve(&from, &Version::Tag("none".into()), &amd64()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
}
