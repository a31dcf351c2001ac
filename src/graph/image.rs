//! The configuration document of an image: read with bounds, kept to the byte, and made anew for a commit.
//!
//! Source of the format: OCI image specification, config.md; Docker writes the same with a few fields more and `null`
//! where it means nothing.

use crate::container::Config;
use crate::id::{DiffId, Digest, ImageId};
use oci_spec::image::ImageConfiguration;
use serde_json::{Map, Value, json};

/// The most layers an image may have: those the kernel lays on top of each other.
pub const MOST_LAYERS: usize = 500;

/// Why a document is refused.
#[derive(Debug, thiserror::Error)]
#[error("the image's configuration: {0}")]
pub struct DocumentError(String);

/// A configuration document.
#[derive(Clone, Debug)]
pub struct Document {
    bytes: Vec<u8>,
    value: Value,
    diff_ids: Vec<DiffId>,
}

/// A step of an image's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryStep {
    /// When.
    pub created: Option<jiff::Timestamp>,
    /// By which command.
    pub created_by: String,
    /// What its maker said.
    pub comment: String,
    /// It made no layer.
    pub empty_layer: bool,
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn keys(value: Option<&Value>) -> impl Iterator<Item = String> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned()
}

impl Document {
    /// Reads a document; its identity is the digest of just these bytes.
    ///
    /// # Errors
    /// It is no JSON object, or its layers cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let wrong = |why: &dyn std::fmt::Display| DocumentError(why.to_string());
        let mut value: Value = serde_json::from_slice(bytes).map_err(|e| wrong(&e))?;
        let object = value.as_object_mut().ok_or_else(|| wrong(&"it is no JSON object"))?;
        let rootfs = object.get("rootfs").and_then(Value::as_object).ok_or_else(|| wrong(&"rootfs is missing"))?;
        if rootfs.get("type").and_then(Value::as_str) != Some("layers") {
            return Err(wrong(&"rootfs.type is not \"layers\""));
        }
        let diffs = match rootfs.get("diff_ids") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_str().unwrap_or_default().parse::<Digest>()).collect::<Result<_, _>>().map_err(|e| wrong(&e))?,
            Some(_) => return Err(wrong(&"rootfs.diff_ids is no list")),
        };
        if diffs.len() > MOST_LAYERS {
            return Err(wrong(&format_args!("{} layers are more than the {MOST_LAYERS} that can be mounted", diffs.len())));
        }
        Ok(Self { bytes: bytes.to_vec(), value, diff_ids: diffs })
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The image's identity.
    pub fn id(&self) -> ImageId {
        Digest::of(&self.bytes)
    }

    /// Digests of the layers' uncompressed streams, bottom first.
    pub fn diff_ids(&self) -> Vec<DiffId> {
        self.diff_ids.clone()
    }

    /// When it was made.
    pub fn created(&self) -> Option<jiff::Timestamp> {
        self.value.get("created")?.as_str()?.parse().ok()
    }

    /// Who made it.
    pub fn author(&self) -> String {
        text(self.value.get("author"))
    }

    /// `amd64` …
    pub fn architecture(&self) -> String {
        text(self.value.get("architecture"))
    }

    /// `v8` …
    pub fn variant(&self) -> String {
        text(self.value.get("variant"))
    }

    /// `linux`.
    pub fn os(&self) -> String {
        text(self.value.get("os"))
    }

    /// How it was made, the first step first.
    pub fn history(&self) -> Vec<HistoryStep> {
        let steps = self.value.get("history").and_then(Value::as_array);
        steps
            .into_iter()
            .flatten()
            .take(10_000)
            .map(|step| HistoryStep {
                created: step.get("created").and_then(Value::as_str).and_then(|time| time.parse().ok()),
                created_by: text(step.get("created_by")),
                comment: text(step.get("comment")),
                empty_layer: step.get("empty_layer").and_then(Value::as_bool).unwrap_or(false),
            })
            .collect()
    }

    /// What runs in containers made from it.
    pub fn config(&self) -> Config {
        let config = self.value.get("config");
        let field = |name: &str| config.and_then(|config| config.get(name));
        let labels = field("Labels").and_then(Value::as_object);
        Config {
            user: text(field("User")),
            env: list(field("Env")),
            entrypoint: list(field("Entrypoint")),
            cmd: list(field("Cmd")),
            working_dir: text(field("WorkingDir")),
            labels: labels.into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
            volumes: keys(field("Volumes")).collect(),
            exposed_ports: keys(field("ExposedPorts")).collect(),
            stop_signal: field("StopSignal").and_then(Value::as_str).filter(|signal| !signal.is_empty()).map(str::to_owned),
            ..Config::default()
        }
    }

    /// The document of an image with one more layer on top of this one (`None`: only its configuration changes).
    ///
    /// # Errors
    /// What came out is no document of the standard: that would be a fault of ours.
    pub fn above(parent: Option<&Self>, layer: Option<&DiffId>, config: &Config, step: &HistoryStep, author: &str, platform: (&str, &str)) -> Result<Self, DocumentError> {
        let mut value = parent.map_or_else(|| json!({ "os": platform.0, "architecture": platform.1, "rootfs": { "type": "layers", "diff_ids": [] } }), |parent| parent.value.clone());
        let created = step.created.map(|time| time.to_string());
        value["created"] = json!(created);
        if !author.is_empty() {
            value["author"] = json!(author);
        }
        value["config"] = config_value(config);
        let mut diffs: Vec<DiffId> = parent.map(Self::diff_ids).unwrap_or_default();
        diffs.extend(layer.cloned());
        value["rootfs"] = json!({ "type": "layers", "diff_ids": diffs });
        let mut history = value.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
        history.push(json!({ "created": created, "created_by": step.created_by, "comment": step.comment, "empty_layer": layer.is_none() }));
        value["history"] = Value::Array(history);
        let bytes = serde_json::to_vec(&value).map_err(|e| DocumentError(e.to_string()))?;
        // Held against the standard's own types before anybody else reads it.
        serde_json::from_slice::<ImageConfiguration>(&bytes).map_err(|e| DocumentError(e.to_string()))?;
        Self::parse(&bytes)
    }
}

fn config_value(config: &Config) -> Value {
    let set = |items: &std::collections::BTreeSet<String>| Value::Object(items.iter().map(|item| (item.clone(), json!({}))).collect());
    let mut value = Map::new();
    let mut put = |name: &str, present: bool, item: Value| {
        if present {
            value.insert(name.to_owned(), item);
        }
    };
    put("User", !config.user.is_empty(), json!(config.user));
    put("ExposedPorts", !config.exposed_ports.is_empty(), set(&config.exposed_ports));
    put("Env", !config.env.is_empty(), json!(config.env));
    put("Entrypoint", !config.entrypoint.is_empty(), json!(config.entrypoint));
    put("Cmd", !config.cmd.is_empty(), json!(config.cmd));
    put("Volumes", !config.volumes.is_empty(), set(&config.volumes));
    put("WorkingDir", !config.working_dir.is_empty(), json!(config.working_dir));
    put("Labels", !config.labels.is_empty(), json!(config.labels));
    put("StopSignal", config.stop_signal.is_some(), json!(config.stop_signal));
    Value::Object(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn docker_s_nulls_are_nothing() {
        let text = br#"{"os":"linux","architecture":"amd64","created":"2024-01-02T03:04:05Z","config":{"Cmd":["sh"],"Entrypoint":null,"Volumes":null,"Labels":null,"ExposedPorts":{"80/tcp":{}}},"rootfs":{"type":"layers","diff_ids":[]},"history":[{"created_by":"x","empty_layer":true}]}"#;
        let document = Document::parse(text).unwrap();
        let config = document.config();
        assert_eq!((config.cmd, config.entrypoint), (vec!["sh".to_owned()], Vec::<String>::new()));
        assert!(config.exposed_ports.contains("80/tcp"));
        assert_eq!(document.id(), Digest::of(text));
        assert!(document.history()[0].empty_layer);
    }

    #[test]
    fn a_layer_on_top_is_a_document_of_the_standard() {
        let diff = Digest::of(b"layer");
        let config = Config { cmd: vec!["sh".into()], labels: [("a".to_owned(), "b".to_owned())].into(), ..Config::default() };
        let step = HistoryStep { created: Some(jiff::Timestamp::UNIX_EPOCH), created_by: "commit".into(), ..HistoryStep::default() };
        let one = Document::above(None, Some(&diff), &config, &step, "me", ("linux", "amd64")).unwrap();
        let two = Document::above(Some(&one), Some(&diff), &config, &step, "", ("linux", "amd64")).unwrap();
        assert_eq!(two.diff_ids(), [diff.clone(), diff]);
        assert_eq!((two.history().len(), two.author().as_str()), (2, "me"));
        assert_eq!(two.config().labels["a"], "b");
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in ["", "[]", "{}", r#"{"rootfs":{}}"#, r#"{"rootfs":{"type":"layers","diff_ids":["x"]}}"#, r#"{"rootfs":{"type":"layers","diff_ids":{}}}"#] {
            assert!(Document::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Document::parse(&bytes);
        }
    }
}
