//! The image configuration document: what an image is, kept byte for byte because its digest is the image's identity.
//!
//! Source of the fields: OCI image specification, config.md; Docker's additions are kept where they stand and not read.

use super::invalid;
use super::manifest::Platform;
use crate::container::{Config, HealthCheck};
use crate::id::{self, DiffId, Digest, ImageId, LayerId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// Largest document taken, bytes.
pub const DOCUMENT_MAX: u64 = 4 << 20;

/// Most layers taken.
const LAYERS_MAX: usize = 1000;

/// Most entries of history taken.
const HISTORY_MAX: usize = 10_000;

/// One line of an image's history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When; absent if the document does not say it as RFC 3339.
    #[serde(deserialize_with = "time", skip_serializing_if = "Option::is_none")]
    pub created: Option<jiff::Timestamp>,
    /// By which command.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// By whom.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Why.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// It made no layer.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// An image's configuration document, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    raw: Vec<u8>,
    id: ImageId,
    /// When it was made; absent if the document does not say it as RFC 3339.
    pub created: Option<jiff::Timestamp>,
    /// By whom.
    pub author: String,
    /// `amd64`, `arm64` and so on.
    pub architecture: String,
    /// `linux` and so on.
    pub os: String,
    /// `v8` and the like; mostly empty.
    pub variant: String,
    /// What runs in a container of it unless told otherwise.
    pub config: Config,
    /// Its layers, bottom first.
    pub diff_ids: Vec<DiffId>,
    /// How it was made, oldest first.
    pub history: Vec<History>,
}

/// `null` is as good as absent: Docker writes it where nothing is set.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A time, or nothing if it is none.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<jiff::Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}

/// The keys of an object whose values mean nothing (`{"80/tcp": {}}`).
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    let map: Option<BTreeMap<String, Value>> = Option::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_keys().collect())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(deserialize_with = "time")]
    created: Option<jiff::Timestamp>,
    #[serde(deserialize_with = "nullable")]
    author: String,
    #[serde(deserialize_with = "nullable")]
    architecture: String,
    #[serde(deserialize_with = "nullable")]
    os: String,
    #[serde(deserialize_with = "nullable")]
    variant: String,
    #[serde(deserialize_with = "nullable")]
    config: DocumentConfig,
    rootfs: Option<RootFs>,
    #[serde(deserialize_with = "nullable")]
    history: Vec<History>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RootFs {
    #[serde(rename = "type")]
    kind: String,
    #[serde(deserialize_with = "nullable")]
    diff_ids: Vec<DiffId>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DocumentConfig {
    #[serde(deserialize_with = "nullable")]
    user: String,
    #[serde(deserialize_with = "nullable")]
    env: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    working_dir: String,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "keys")]
    volumes: BTreeSet<String>,
    #[serde(deserialize_with = "keys")]
    exposed_ports: BTreeSet<String>,
    #[serde(deserialize_with = "nullable")]
    stop_signal: String,
    stop_timeout: Option<u64>,
    #[serde(deserialize_with = "nullable")]
    shell: Vec<String>,
    #[serde(deserialize_with = "health_check")]
    healthcheck: Option<HealthCheck>,
}

/// A health check; what is none, or holds something else than it should, must not keep the image out.
fn health_check<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HealthCheck>, D::Error> {
    let Value::Object(read) = Value::deserialize(deserializer)? else { return Ok(None) };
    let test = read.get("Test").and_then(|test| Vec::deserialize(test).ok()).unwrap_or_default();
    // What is no length of time is refused as one that is too short, where a container is made of it.
    let time = |name: &str| read.get(name).and_then(Value::as_i64).map_or(0, |time| u64::try_from(time).unwrap_or(1));
    let retries = read.get("Retries").and_then(Value::as_i64).map_or(0, |retries| u32::try_from(retries.max(0)).unwrap_or(u32::MAX));
    Ok(Some(HealthCheck {
        test,
        interval: time("Interval"),
        timeout: time("Timeout"),
        retries,
        start_period: time("StartPeriod"),
        start_interval: time("StartInterval"),
    }))
}

impl From<DocumentConfig> for Config {
    fn from(read: DocumentConfig) -> Self {
        Self {
            user: read.user,
            env: read.env,
            entrypoint: read.entrypoint,
            cmd: read.cmd,
            working_dir: read.working_dir,
            labels: read.labels,
            volumes: read.volumes,
            exposed_ports: read.exposed_ports,
            stop_signal: Some(read.stop_signal).filter(|signal| !signal.is_empty()),
            stop_timeout: read.stop_timeout,
            shell: read.shell,
            healthcheck: read.healthcheck,
            ..Self::default()
        }
    }
}

impl Image {
    /// Reads a document.
    ///
    /// # Errors
    /// `InvalidData`, with what is wrong with it.
    pub fn parse(raw: Vec<u8>) -> io::Result<Self> {
        if raw.len() as u64 > DOCUMENT_MAX {
            return Err(invalid(format!("the image configuration has {} bytes, more than {DOCUMENT_MAX}", raw.len())));
        }
        // A list would be read as the fields in their order.
        if raw.trim_ascii_start().first() != Some(&b'{') {
            return Err(invalid("the image configuration cannot be read: expected a JSON object"));
        }
        let document: Document = serde_json::from_slice(&raw).map_err(|error| invalid(format!("the image configuration cannot be read: {error}")))?;
        let Some(rootfs) = document.rootfs else {
            return Err(invalid("the image configuration has no rootfs: it is not that of an image"));
        };
        if rootfs.kind != "layers" {
            return Err(invalid(format!("the image configuration's rootfs is of type {:?}: expected \"layers\"", rootfs.kind)));
        }
        if rootfs.diff_ids.len() > LAYERS_MAX {
            return Err(invalid(format!("the image has {} layers, more than {LAYERS_MAX}", rootfs.diff_ids.len())));
        }
        if document.history.len() > HISTORY_MAX {
            return Err(invalid(format!("the image's history has {} entries, more than {HISTORY_MAX}", document.history.len())));
        }
        Ok(Self {
            id: Digest::of(&raw),
            raw,
            created: document.created,
            author: document.author,
            architecture: document.architecture,
            os: document.os,
            variant: document.variant,
            config: document.config.into(),
            diff_ids: rootfs.diff_ids,
            history: document.history,
        })
    }

    /// The document as it came.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The image's identity.
    pub fn id(&self) -> &ImageId {
        &self.id
    }

    /// The chain ids of its layers, bottom first.
    pub fn layer_ids(&self) -> Vec<LayerId> {
        id::chain(&self.diff_ids)
    }
}

/// What a new image adds to its parent.
#[derive(Clone, Debug, Default)]
pub struct Addition {
    /// When it was made.
    pub created: jiff::Timestamp,
    /// By which command.
    pub created_by: String,
    /// By whom.
    pub author: String,
    /// Why.
    pub comment: String,
    /// Its new topmost layer, if any.
    pub layer: Option<DiffId>,
    /// What it is for, if it has no parent; this machine's kind if absent.
    pub platform: Option<Platform>,
    /// What runs in a container of it; that of the parent if absent.
    pub config: Option<Config>,
}

/// The name of this machine's architecture as images have it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// The document of a new image on top of `parent`, or from nothing. What the parent's document holds that is not known
/// here (triggers) stays.
///
/// # Errors
/// `InvalidData` if the parent's document is no object; it was read once, so it is.
pub fn build(parent: Option<&Image>, addition: &Addition) -> io::Result<Image> {
    let mut document: Map<String, Value> = match parent {
        Some(parent) => serde_json::from_slice(parent.raw()).map_err(|error| invalid(format!("the image configuration cannot be read: {error}")))?,
        None => of_platform(addition.platform.as_ref()),
    };
    // What Docker's old builder left there belongs to the parent's own making.
    for gone in ["container", "container_config", "id", "parent", "docker_version", "Size"] {
        document.remove(gone);
    }
    document.insert("created".to_owned(), json!(addition.created));
    if !addition.author.is_empty() {
        document.insert("author".to_owned(), json!(addition.author));
    }
    if let Some(config) = &addition.config {
        let old = match document.remove("config") {
            Some(Value::Object(old)) => old,
            _ => Map::new(),
        };
        document.insert("config".to_owned(), Value::Object(lay_over(old, config)));
    }
    let mut diff_ids = parent.map(|parent| parent.diff_ids.clone()).unwrap_or_default();
    diff_ids.extend(addition.layer.clone());
    document.insert("rootfs".to_owned(), json!({"type": "layers", "diff_ids": diff_ids}));
    let history = History {
        created: Some(addition.created),
        created_by: addition.created_by.clone(),
        author: addition.author.clone(),
        comment: addition.comment.clone(),
        empty_layer: addition.layer.is_none(),
    };
    match document.get_mut("history") {
        Some(Value::Array(lines)) => lines.push(json!(history)),
        _ => {
            document.insert("history".to_owned(), json!([history]));
        }
    }
    let raw = serde_json::to_vec(&document).map_err(io::Error::from)?;
    Image::parse(raw)
}

/// What an image without a parent begins with.
fn of_platform(platform: Option<&Platform>) -> Map<String, Value> {
    let (os, architecture) = platform.map_or(("linux", architecture()), |platform| (&platform.os, &platform.architecture));
    let mut document = Map::from_iter([("architecture".to_owned(), json!(architecture)), ("os".to_owned(), json!(os))]);
    if let Some(platform) = platform.filter(|platform| !platform.variant.is_empty()) {
        document.insert("variant".to_owned(), json!(platform.variant));
    }
    document
}

/// Puts the fields that images carry into the document's configuration, and leaves the rest of it alone.
fn lay_over(mut old: Map<String, Value>, config: &Config) -> Map<String, Value> {
    let set = |names: &BTreeSet<String>| Value::Object(names.iter().map(|name| (name.clone(), json!({}))).collect());
    let fields = [
        ("User", json!(config.user), config.user.is_empty()),
        ("ExposedPorts", set(&config.exposed_ports), config.exposed_ports.is_empty()),
        ("Env", json!(config.env), config.env.is_empty()),
        ("Entrypoint", json!(config.entrypoint), config.entrypoint.is_empty()),
        ("Cmd", json!(config.cmd), config.cmd.is_empty()),
        ("Volumes", set(&config.volumes), config.volumes.is_empty()),
        ("WorkingDir", json!(config.working_dir), config.working_dir.is_empty()),
        ("Labels", json!(config.labels), config.labels.is_empty()),
        ("StopSignal", json!(config.stop_signal), config.stop_signal.is_none()),
        ("Shell", json!(config.shell), config.shell.is_empty()),
        ("Healthcheck", json!(config.healthcheck), config.healthcheck.is_none()),
        ("StopTimeout", json!(config.stop_timeout), config.stop_timeout.is_none_or(|seconds| seconds == crate::container::config::FOREVER)),
    ];
    for (name, value, absent) in fields {
        if absent {
            old.remove(name);
        } else {
            old.insert(name.to_owned(), value);
        }
    }
    old
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Vec<u8> {
        let diff = "a".repeat(64);
        format!(
            r#"{{"architecture":"amd64","os":"linux","created":"2024-01-02T03:04:05.678Z","author":null,"container":"x",
            "config":{{"Hostname":"h","User":"app","Env":["PATH=/bin"],"Entrypoint":null,"Cmd":["sh"],"Volumes":null,"WorkingDir":"","Labels":{{"a":"b"}},
            "ExposedPorts":{{"80/tcp":{{}}}},"Healthcheck":{{"Test":["CMD-SHELL","a"],"Interval":5000000,"Timeout":-1,"Retries":null}},"Shell":["bash","-c"],"OnBuild":["RUN x"],"StopSignal":"SIGQUIT"}},
            "rootfs":{{"type":"layers","diff_ids":["sha256:{diff}"]}},
            "history":[{{"created":"bad","created_by":"one"}},{{"created_by":null,"empty_layer":true}}]}}"#
        )
        .into_bytes()
    }

    #[test]
    fn a_document_is_read_nulls_and_all() {
        let image = Image::parse(document()).unwrap();
        assert_eq!(image.id(), &Digest::of(&document()));
        assert_eq!((image.config.user.as_str(), image.config.cmd.as_slice()), ("app", &["sh".to_owned()][..]));
        assert!(image.config.entrypoint.is_empty() && image.config.volumes.is_empty());
        assert!(image.config.exposed_ports.contains("80/tcp"));
        assert_eq!(image.config.stop_signal.as_deref(), Some("SIGQUIT"));
        assert_eq!(image.created.unwrap().to_string(), "2024-01-02T03:04:05.678Z");
        let check = image.config.healthcheck.as_ref().unwrap();
        assert_eq!(
            (check.command(&image.config.shell).unwrap().join(" ").as_str(), check.interval, check.too_short()),
            ("bash -c a", 5_000_000, Some("Timeout"))
        );
        assert_eq!((image.history.len(), image.history[0].created, image.history[1].empty_layer), (2, None, true));
        assert_eq!(image.layer_ids(), image.diff_ids);
    }

    #[test]
    fn a_child_keeps_what_it_does_not_know() {
        let parent = Image::parse(document()).unwrap();
        let layer = Digest::of(b"layer");
        let config = Config { cmd: vec!["run".into()], hostname: "not an image's".into(), ..parent.config.clone() };
        let addition = Addition { created_by: "sh".into(), comment: "why".into(), layer: Some(layer.clone()), config: Some(config), ..Addition::default() };
        let child = build(Some(&parent), &addition).unwrap();
        assert_eq!(child.diff_ids, [parent.diff_ids[0].clone(), layer]);
        assert_eq!((child.history.len(), child.history[2].comment.as_str()), (3, "why"));
        assert_eq!(child.config.healthcheck, parent.config.healthcheck);
        assert_eq!((child.config.cmd[0].as_str(), child.config.user.as_str()), ("run", "app"));
        let raw = String::from_utf8(child.raw().to_vec()).unwrap();
        assert!(raw.contains("OnBuild") && !raw.contains("container\"") && !raw.contains("not an image's"), "{raw}");
        let tagged = build(Some(&child), &Addition::default()).unwrap();
        assert_eq!((tagged.diff_ids.len(), tagged.config.clone()), (2, child.config));
        assert!(tagged.history[3].empty_layer);
    }

    #[test]
    fn a_health_check_that_is_none_keeps_no_image_out() {
        for (check, expected) in
            [("null", None), ("7", None), (r#"["CMD"]"#, None), ("{}", Some("{}")), (r#"{"Test":"x","Interval":"y","Retries":-3}"#, Some("{}"))]
        {
            let raw = format!(r#"{{"config":{{"Healthcheck":{check}}},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#);
            let read = Image::parse(raw.into_bytes()).unwrap().config.healthcheck;
            assert_eq!(read.map(|read| serde_json::to_string(&read).unwrap()).as_deref(), expected, "{check}");
        }
    }

    #[test]
    fn an_image_from_nothing() {
        let image = build(None, &Addition { layer: Some(Digest::of(b"x")), ..Addition::default() }).unwrap();
        assert_eq!((image.os.as_str(), image.architecture.as_str(), image.diff_ids.len()), ("linux", architecture(), 1));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for (bad, why) in [
            ("", "cannot be read"),
            ("[]", "cannot be read"),
            ("{}", "rootfs"),
            (r#"{"rootfs":{"type":"x"}}"#, "type"),
            (r#"{"rootfs":{"type":"layers","diff_ids":["sha256:1"]}}"#, "digest"),
        ] {
            let error = Image::parse(bad.as_bytes().to_vec()).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        assert!(Image::parse(vec![b'['; 5 << 20]).is_err());
        assert!(Image::parse([b"{\"a\":".to_vec(), vec![b'['; 100_000]].concat()).is_err());
    }
}
