//! The command line as the screens use it: the same verbs, spoken into a window in place of standard output.

use super::args::{self, parse_verb};
use super::batch::{Action, Script, Variables};
use super::face::Face;
use super::perform::perform;
use super::verb::{ContainerOther, ContainerVerb, ImageVerb, Verb};
use crate::engine::{Engine, Error, Result};
use crate::job;
use crate::tui::line::{CommandLine, Completion, Names, Voice, Working};
use crate::tui::theme::Depth;
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
    let config = config::load(&config::folders(variable)).map_err(|error| Error::invalid(error.to_string()))?;
    let depth = Depth::detect(variable);
    run::run(engine, run::Options { config, depth, line: Arc::new(Verbs), record, first }).await
}

/// The verbs of this program.
#[derive(Debug)]
pub struct Verbs;

/// What a verb's plain words name.
enum Named {
    Containers,
    Images,
    Volumes,
    /// Anything that has a name.
    All,
    /// A container, then words of its own.
    ContainerFirst,
    /// An image, then words of its own.
    ImageFirst,
}

/// What is named after `verb`, the family's name in front where there is one.
fn named(verb: &str) -> Option<Named> {
    Some(match verb.strip_prefix("container ").unwrap_or(verb) {
        "start" | "stop" | "restart" | "kill" | "pause" | "unpause" | "wait" | "logs" | "attach" | "rename" | "rm" | "port" | "diff" | "export" => {
            Named::Containers
        }
        "exec" | "top" | "commit" => Named::ContainerFirst,
        "run" | "create" => Named::ImageFirst,
        "push" | "pull" | "rmi" | "tag" | "save" | "history" | "image rm" | "image inspect" | "image push" | "image tag" | "image save" | "image history" => {
            Named::Images
        }
        "volume rm" | "volume inspect" => Named::Volumes,
        "inspect" | "cp" => Named::All,
        _ => return None,
    })
}

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
        let from = line.rfind([' ', ';']).map_or(0, |at| at + 1);
        let statement = line.rfind(';').map_or(line, |at| &line[at + 1..]);
        let mut words: Vec<&str> = statement.split_whitespace().collect();
        let last = if statement.is_empty() || statement.ends_with(char::is_whitespace) { "" } else { words.pop().unwrap_or_default() };
        (from, offers(&words, last, names))
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
        Verb::Cp(copy) | Verb::Container(ContainerVerb::Other(ContainerOther::Cp(copy))) if is_stream(copy) => {
            Some("cp copies files here, no streams: name a path in place of -")
        }
        Verb::Demo => Some("this is a live session: the demo is for a terminal of its own"),
        _ => None,
    }
}

fn is_stream(copy: &job::copy::Copy) -> bool {
    copy.source == "-" || copy.target == "-"
}

/// What fits where `last` is being typed, after `words`.
fn offers(words: &[&str], last: &str, names: &Names) -> Vec<Completion> {
    let mut command = args::command();
    let mut path = Vec::new();
    let mut rest = words.iter();
    for word in rest.by_ref() {
        let Some(found) = command.find_subcommand(word) else { break };
        path.push(*word);
        command = found.clone();
    }
    let mut offers: Vec<Completion> = Vec::new();
    if command.has_subcommands() {
        let about = |command: &clap::Command| command.get_about().map(ToString::to_string).unwrap_or_default();
        offers.extend(command.get_subcommands().map(|verb| Completion { word: verb.get_name().to_owned(), about: about(verb) }));
    } else if last.starts_with('-') {
        let options = command.get_arguments().filter(|option| !option.is_hide_set());
        offers.extend(options.filter_map(|option| {
            let about = option.get_help().map(ToString::to_string).unwrap_or_default();
            Some(Completion { word: format!("--{}", option.get_long()?), about })
        }));
    } else if let Some(kind) = named(&path.join(" ")) {
        let before = words.iter().skip(path.len()).filter(|word| !word.starts_with('-')).count();
        let list = |list: &[String], about: &str| list.iter().map(|word| Completion { word: word.clone(), about: about.to_owned() }).collect::<Vec<_>>();
        match kind {
            Named::Containers => offers.extend(list(&names.containers, "container")),
            Named::ContainerFirst if before == 0 => offers.extend(list(&names.containers, "container")),
            Named::Images | Named::ImageFirst => {
                offers.extend(list(&names.images, "image"));
                offers.extend(list(&[crate::container::HOST_IMAGE.to_owned()], "this machine's own files, below a fresh layer"));
            }
            Named::Volumes => offers.extend(list(&names.volumes, "volume")),
            Named::All => {
                offers.extend(list(&names.containers, "container"));
                offers.extend(list(&names.images, "image"));
                offers.extend(list(&names.volumes, "volume"));
            }
            Named::ContainerFirst => {}
        }
    }
    offers.retain(|offer| offer.word.starts_with(last) && offer.word != last);
    offers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let names = Names { containers: vec!["web".to_owned(), "worker".to_owned()], images: vec!["busybox:1".to_owned()], volumes: vec!["data".to_owned()] };
        Verbs.complete(line, &names).1.into_iter().map(|offer| offer.word).collect()
    }

    #[test]
    fn what_fits_is_offered() {
        assert_eq!(words("unp"), ["unpause"]);
        assert_eq!(words("stop w"), ["web", "worker"]);
        assert_eq!(words("stop web; logs --fo"), ["--follow"]);
        assert_eq!(words("volume "), ["create", "ls", "inspect", "rm", "prune"]);
        assert_eq!(words("volume rm "), ["data"]);
        assert_eq!(words("run -d busy"), ["busybox:1"]);
        assert_eq!(Verbs.complete("stop w", &Names::default()).0, 5);
    }

    #[test]
    fn lines_are_checked_before_they_are_done() {
        assert_eq!(Verbs.statements("stop 'a b'; rm x").unwrap(), [vec!["stop", "a b"], vec!["rm", "x"]]);
        assert!(Verbs.statements("A=$(ps)").is_err());
        assert!(Verbs.check(&["ps".to_owned()]).is_ok());
        assert!(Verbs.check(&["load".to_owned()]).unwrap_err().contains("-i FILE"));
        assert!(Verbs.check(&["nosuch".to_owned()]).unwrap_err().contains("nosuch"));
    }
}
