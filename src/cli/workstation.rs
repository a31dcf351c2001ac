//! The command line as the screens use it: the same verbs, spoken into a window in place of standard output.

use super::args::parse_verb;
use super::batch::{Action, Script, Variables};
use super::face::Face;
use super::metrics;
use super::perform::perform;
use super::verb::{ContainerOther, ContainerVerb, ImageVerb, Verb};
use crate::engine::{Engine, Error, Result};
use crate::job;
use crate::tui::line::{CommandLine, Completion, Names, Voice, Working};
use crate::tui::theme::{Depth, Signs};
use crate::tui::work::history;
use crate::tui::{config, run};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

/// Whether there is a terminal to take over.
pub fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Opens the screens, with `first` done at the beginning, until the user leaves.
///
/// # Errors
/// Settings that cannot be followed, and a terminal that cannot be used.
pub async fn open(engine: Engine, record: Option<PathBuf>, first: Vec<Vec<String>>) -> Result<i32> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut config = config::load(&config::folders(variable)).map_err(|error| Error::invalid(error.to_string()))?;
    config.charts.get_or_insert(Signs::detect(variable));
    let sources = config::sources(&config::folders(variable)).map_err(|error| Error::invalid(error.to_string()))?;
    let warning = metrics::beside(&metrics::settings(&sources).map_err(Error::invalid)?, &engine).await;
    let depth = Depth::detect(variable);
    run::run(engine, run::Options { config, depth, line: Arc::new(Verbs), record, history: history::path(variable), first, warning }).await
}

/// The verbs of this program.
#[derive(Debug)]
pub struct Verbs;

impl CommandLine for Verbs {
    fn statements(&self, line: &str) -> std::result::Result<Vec<Vec<String>>, String> {
        let script = Script::parse(line).map_err(|error| error.message)?;
        let variables = Variables::from_environment();
        let words = |statement: &super::batch::Statement| match statement.action {
            Action::Run => statement.expand(&variables).map_err(|error| error.message),
            Action::Set(_) | Action::Capture(_) => Err("variables live in scripts: write one and run it with kapal --batch FILE".to_owned()),
        };
        script.statements.iter().map(words).collect()
    }

    fn check(&self, words: &[String]) -> std::result::Result<(), String> {
        let first = |message: String| message.split("; `kapal --help`").next().unwrap_or_default().to_owned();
        let verb = parse_verb(words).map_err(first)?;
        // What is wrong with the options of a container is known before anything is done.
        if let Some(options) = container_options(&verb) {
            job::settle::host_config(options).map_err(|error| error.message)?;
        }
        refusal(&verb).map_or(Ok(()), |sentence| Err(sentence.to_owned()))
    }

    fn quote(&self, words: &[String]) -> String {
        super::batch::quote(words)
    }

    fn perform(&self, words: Vec<String>, engine: Engine, voice: Voice) -> Working {
        Box::pin(async move {
            let verb = parse_verb(&words).map_err(Error::invalid)?;
            if let Some(sentence) = refusal(&verb) {
                return Err(Error::invalid(sentence));
            }
            let mut face = Face::window(voice);
            perform(verb, &engine, &mut face).await
        })
    }

    fn complete(&self, line: &str, names: &Names) -> (usize, Vec<Completion>) {
        super::completion::complete(line, names)
    }

    fn usage(&self, line: &str) -> Option<String> {
        super::completion::usage(line)
    }
}

fn container_options(verb: &Verb) -> Option<&job::options::ContainerOptions> {
    match verb {
        Verb::Run(run) | Verb::Container(ContainerVerb::Other(ContainerOther::Run(run))) => Some(&run.options),
        Verb::Create(create) | Verb::Container(ContainerVerb::Other(ContainerOther::Create(create))) => Some(&create.options),
        _ => None,
    }
}

/// Why a verb cannot be done here, where the terminal belongs to the screens.
fn refusal(verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Login(login) if login.password_stdin || login.username.is_none() || login.password.is_none() => {
            Some("login asks on the terminal, which is taken here: do it in another one with `kapal login`")
        }
        Verb::Load(load) | Verb::Image(ImageVerb::Load(load)) if load.input.is_none() => Some("load needs a file here: load -i FILE"),
        Verb::Import(import) | Verb::Image(ImageVerb::Import(import)) if import.file == "-" => {
            Some("import needs a file here, no stream: name a path in place of -")
        }
        Verb::Cp(copy) | Verb::Container(ContainerVerb::Other(ContainerOther::Cp(copy))) if is_stream(copy) => {
            Some("cp copies files here, no streams: name a path in place of -")
        }
        Verb::Metrics(metrics) if metrics.listen.is_some() => {
            Some("metrics --listen serves until it is called off: do it in a terminal of its own, or set listen in [metrics] of config.toml")
        }
        Verb::Demo => Some("this is a live session: the demo is for a terminal of its own"),
        _ => None,
    }
}

fn is_stream(copy: &job::copy::Copy) -> bool {
    copy.source == "-" || copy.target == "-"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_checked_before_they_are_done() {
        assert_eq!(Verbs.statements("stop 'a b'; rm x").unwrap(), [vec!["stop", "a b"], vec!["rm", "x"]]);
        assert!(Verbs.statements("A=$(ps)").is_err());
        assert!(Verbs.check(&["ps".to_owned()]).is_ok());
        assert!(Verbs.check(&["load".to_owned()]).unwrap_err().contains("-i FILE"));
        assert!(Verbs.check(&["import".to_owned(), "-".to_owned()]).unwrap_err().contains("needs a file"));
        assert!(Verbs.check(&["import".to_owned(), "x.tar".to_owned()]).is_ok());
        assert!(Verbs.check(&["run", "-m", "lots", "host"].map(str::to_owned)).unwrap_err().contains("lots"));
        assert!(Verbs.check(&["nosuch".to_owned()]).unwrap_err().contains("nosuch"));
    }
}
