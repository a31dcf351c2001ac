//! `events`: what happens, as it happens.

use crate::engine::event::Listener;
use crate::engine::{Error, Job, JobContext, Result};
use clap::Args;
use serde::Serialize;
use tokio::sync::mpsc;

/// Show what happens, as it happens
#[derive(Args, Clone, Debug, Default)]
pub struct Events {
    /// From this moment on (RFC 3339, seconds since 1970, or 10m ago as 10m)
    #[arg(long, value_name = "MOMENT")]
    pub since: Option<String>,
    /// Up to this moment
    #[arg(long, value_name = "MOMENT")]
    pub until: Option<String>,
    /// Filter: type, event, container, image, volume, network, label (repeatable)
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub filter: Vec<String>,
    /// The moments above, read by the front-end: nanoseconds since 1970.
    #[arg(skip)]
    pub span: (Option<i64>, Option<i64>),
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Happening {
    /// `container`, `image`, `volume` or `network`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What.
    pub action: String,
    /// To what.
    pub actor: Actor,
    /// When, nanoseconds since 1970.
    pub time_nano: i64,
}

/// What it happened to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Actor {
    /// Identity.
    #[serde(rename = "ID")]
    pub id: String,
    /// Name, image, labels …
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

impl Job for Events {
    /// Ends when `until` is over, or when the job is called off.
    type Output = mpsc::Receiver<Happening>;
    const VERB: &'static str = "events";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "events".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<mpsc::Receiver<Happening>> {
        let filters = filters(&self.filter)?;
        let listener = Listener::open(context.engine.place()).map_err(|e| Error::io("cannot listen for events", &e))?;
        let (since, until) = self.span;
        let mut after = if since.is_some() { 0 } else { context.engine.db().last_event()? };
        let (sender, receiver) = mpsc::channel(64);
        tokio::spawn(async move {
            loop {
                let Ok(rows) = context.engine.db().events_after(after) else { return };
                for row in rows {
                    after = row.id;
                    let happening = Happening {
                        kind: row.kind,
                        action: row.action,
                        actor: Actor { id: row.actor, attributes: serde_json::from_str(&row.attributes).unwrap_or_default() },
                        time_nano: row.time,
                    };
                    let wanted = since.is_none_or(|t| row.time >= t) && until.is_none_or(|t| row.time <= t) && matches(&filters, &happening);
                    if wanted && sender.send(happening).await.is_err() {
                        return;
                    }
                }
                let rest = until.map(|t| t - jiff::Timestamp::now().as_nanosecond() as i64);
                if rest.is_some_and(|rest| rest <= 0) {
                    return;
                }
                let over = async {
                    match rest {
                        Some(rest) => tokio::time::sleep(std::time::Duration::from_nanos(rest.unsigned_abs())).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    heard = listener.heard() => if heard.is_err() { return },
                    () = sender.closed() => return,
                    () = context.cancelled() => return,
                    () = over => {}
                }
            }
        });
        Ok(receiver)
    }
}

fn filters(texts: &[String]) -> Result<Vec<(String, String)>> {
    const KNOWN: [&str; 7] = ["type", "event", "container", "image", "volume", "network", "label"];
    texts
        .iter()
        .map(|text| {
            let (key, value) = super::values::pair("--filter", text)?;
            if KNOWN.contains(&key) {
                Ok((key.to_owned(), value.to_owned()))
            } else {
                Err(Error::invalid(format!("invalid filter key {key:?}: expected one of {}", KNOWN.join(", "))))
            }
        })
        .collect()
}

/// One value of each key is enough.
fn matches(filters: &[(String, String)], happening: &Happening) -> bool {
    filters.iter().all(|(key, _)| filters.iter().any(|(k, value)| k == key && one(happening, key, value)))
}

fn one(happening: &Happening, key: &str, value: &str) -> bool {
    let attribute = |name: &str| happening.actor.attributes.get(name).and_then(|v| v.as_str()).unwrap_or_default();
    let is = |kind: &str| happening.kind == kind && (happening.actor.id.starts_with(value) || attribute("name") == value);
    match key {
        "type" => happening.kind == value,
        // `health_status` means each of them.
        "event" => happening.action == value || happening.action.split_once(": ").is_some_and(|(name, _)| name == value),
        "image" => is("image") || (happening.kind == "container" && attribute("image") == value),
        "label" => match value.split_once('=') {
            Some((name, expected)) => attribute(name) == expected,
            None => happening.actor.attributes.contains_key(value),
        },
        kind => is(kind),
    }
}
