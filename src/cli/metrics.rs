//! Figures for Prometheus: printed once, or served; the settings that let the screens serve them.

use super::face::Face;
use super::terminal;
use crate::engine::{Engine, Error, Kind, Result};
use crate::server::Listening;
use crate::server::metrics::{ADDRESS, Collector};
use crate::tui::config::Source;
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;

/// Figures of all running containers and of this machine.
#[derive(Args, Clone, Debug)]
pub struct Metrics {
    /// Serve them at http://ADDRESS/metrics until called off, instead of printing them once
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = ADDRESS)]
    pub listen: Option<SocketAddr>,
    /// Serve them also on an address that others than this machine can reach: they are not asked who they are
    #[arg(long, requires = "listen")]
    pub any: bool,
}

/// What the settings say about serving figures beside the screens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where; nowhere if it is not said.
    listen: Option<SocketAddr>,
    /// Whether that may be an address that others can reach.
    #[serde(default)]
    expose: bool,
}

/// The table `metrics`; other tables are others'.
#[derive(Debug, Default, Deserialize)]
struct File {
    metrics: Option<Settings>,
}

/// The settings in `sources`, of which the last one that has any wins.
///
/// # Errors
/// A sentence that names the file and what was expected.
pub fn settings(sources: &[Source]) -> std::result::Result<Settings, String> {
    let mut settings = Settings::default();
    for Source { file, text } in sources {
        let read: File = toml::from_str(text).map_err(|error| format!("{file}: {}", error.to_string().trim().replace('\n', " ")))?;
        if let Some(found) = read.metrics {
            settings = found;
        }
    }
    Ok(settings)
}

/// Prints or serves.
pub async fn metrics(verb: Metrics, engine: &Engine, face: &mut Face) -> Result<i32> {
    let Some(address) = verb.listen else {
        let mut collector = Collector::new(engine);
        let work = tokio::task::spawn_blocking(move || collector.text());
        let text = work.await.map_err(|e| Error::new(Kind::Failed, format!("the sampling broke down: {e}")))??;
        face.give(json!(text));
        face.print(&text)?;
        return Ok(0);
    };
    let called_off = terminal::called_off();
    let listening = Listening::bind(address, verb.any).await?;
    if let Some(warning) = warning(&listening) {
        face.note(&warning)?;
    }
    face.note(&format!("serving http://{}/metrics", listening.address()))?;
    tokio::select! {
        () = listening.serve(engine.clone()) => Ok(0),
        // That is how it ends.
        _ = called_off => Ok(0),
    }
}

/// Serves beside the screens, as the settings want it. Gives what the user is to be warned of: a second session finds the
/// address taken, say, and works all the same.
pub async fn beside(settings: &Settings, engine: &Engine) -> Option<String> {
    match Listening::bind(settings.listen?, settings.expose).await {
        Ok(listening) => {
            let warning = warning(&listening);
            tokio::spawn(listening.serve(engine.clone()));
            warning
        }
        Err(error) => Some(error.sentence()),
    }
}

fn warning(listening: &Listening) -> Option<String> {
    let address = listening.address();
    (!listening.is_private())
        .then(|| format!("WARNING: whoever reaches this machine can read the names and figures of all containers at http://{address}/metrics"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> std::result::Result<Settings, String> {
        let sources: Vec<Source> = texts.iter().map(|text| Source { file: "config.toml".to_owned(), text: (*text).to_owned() }).collect();
        settings(&sources)
    }

    #[test]
    fn nothing_is_served_unless_it_is_said() {
        assert_eq!(read(&["theme = 'nord'"]), Ok(Settings::default()));
        let here = Settings { listen: Some("127.0.0.1:9323".parse().unwrap()), expose: false };
        assert_eq!(read(&["[metrics]\nlisten = '127.0.0.1:9323'", "theme = 'nord'"]), Ok(here));
        assert_eq!(read(&["[metrics]\nlisten = '127.0.0.1:9323'", "[metrics]"]), Ok(Settings::default()), "the user's own over the machine's");
        for wrong in ["[metrics]\nlisten = 9323", "[metrics]\nlisten = '127.0.0.1'", "[metrics]\nport = 1", "[metrics]\nexpose = 'yes'"] {
            assert!(read(&[wrong]).is_err_and(|sentence| sentence.starts_with("config.toml: ")), "{wrong}");
        }
    }
}
