//! The arguments of the program: options for every verb, then a verb, a batch, or nothing.

use super::verb::Verb;
use crate::container::Place;
use crate::engine::Options;
use crate::job::options::LATER;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `--batch` has for a file where none is named; no file can have this name.
const UNNAMED: &str = "\0";

/// A container workstation without a daemon: pull, run, exec, stop, and see everything
#[derive(Parser, Debug)]
#[command(name = "kapal", version, disable_help_subcommand = true, subcommand_required = false, args_conflicts_with_subcommands = false, max_term_width = 110)]
struct Line {
    #[command(flatten)]
    options: Global,
    /// Run a script of verbs, one a line; - is standard input
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = UNNAMED)]
    batch: Option<PathBuf>,
    /// Run these verbs, separated by ; or line ends
    #[arg(short = 'c', long = "commands", value_name = "LINES")]
    commands: Option<String>,
    /// With --batch: go on after a failure; the first failure's status is the last word
    #[arg(long)]
    keep_going: bool,
    /// With --batch: text, or json for one JSON object an event and a result
    #[arg(long, value_name = "text|json", value_parser = ["text", "json"], default_value = "text")]
    format: String,
    /// In the terminal interface: note every verb done there in this file, a script that --batch repeats
    #[arg(long, value_name = "FILE", conflicts_with_all = ["batch", "commands"])]
    record: Option<PathBuf>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(clap::Args, Debug)]
struct Global {
    /// Where images and containers are kept
    #[arg(long, value_name = "DIR", env = "KAPAL_ROOT", default_value = crate::container::place::USUAL_ROOT)]
    root: PathBuf,
    /// Where run-time files are kept
    #[arg(long, value_name = "DIR", env = "KAPAL_RUN_ROOT", default_value = "/run/kapal")]
    run_root: PathBuf,
    /// How layers are laid on top of each other: overlay or vfs (DOCKER_DRIVER, or the best that works)
    #[arg(short = 's', long, value_name = "NAME")]
    storage_driver: Option<String>,
    /// Registry that may be spoken to without TLS (repeatable)
    #[arg(long, value_name = "HOST[:PORT]")]
    insecure_registry: Vec<String>,
    /// Folder of config.json with the credentials
    #[arg(long, value_name = "DIR", env = "DOCKER_CONFIG")]
    config: Option<PathBuf>,
}

/// The verbs that scripts say a thousand times. To describe all verbs takes longer than to start a program: these are read by
/// themselves first, and whatever does not fit is read again with all that there is.
#[derive(Parser, Debug)]
#[command(name = "kapal", disable_help_subcommand = true)]
struct Frequent {
    #[command(flatten)]
    options: Global,
    #[command(subcommand)]
    verb: FrequentVerb,
}

#[derive(clap::Subcommand, Debug)]
enum FrequentVerb {
    #[command(disable_help_flag = true)]
    Run(Box<crate::job::run::Run>),
    Exec(crate::job::exec::Exec),
}

impl Frequent {
    const VERBS: [&str; 2] = ["run", "exec"];

    /// The arguments, if they are one of these verbs and nothing is wrong with them.
    fn parse(arguments: &[OsString]) -> Option<Arguments> {
        if !arguments.iter().skip(1).any(|word| Self::VERBS.iter().any(|verb| word == verb)) {
            return None;
        }
        let Self { options: global, verb } = Self::try_parse_from(arguments).ok()?;
        let verb = match verb {
            FrequentVerb::Run(run) => Verb::Run(run),
            FrequentVerb::Exec(exec) => Verb::Exec(exec),
        };
        Some(Arguments { options: options(global), action: Action::Verb(Box::new(verb)) })
    }
}

/// The options that stand before a verb or a batch.
const WHOLE: [&str; 9] = ["--root", "--run-root", "--storage-driver", "--insecure-registry", "--config", "--batch", "--commands", "--keep-going", "--format"];

/// What the program is to do.
#[derive(Debug)]
pub struct Arguments {
    /// How the engine is set up.
    pub options: Options,
    /// With it.
    pub action: Action,
}

/// What is done with the engine.
#[derive(Debug)]
pub enum Action {
    /// One verb.
    Verb(Box<Verb>),
    /// A script.
    Batch(Source),
    /// The terminal interface, its verbs noted in this file.
    Screens(Option<PathBuf>),
}

/// Where a script comes from, and how it is run.
#[derive(Debug)]
pub struct Source {
    /// The script.
    pub text: Text,
    /// Go on after a failure.
    pub keep_going: bool,
    /// JSON lines in place of text.
    pub json: bool,
}

/// A script's text.
#[derive(Debug)]
pub enum Text {
    /// In a file.
    File(PathBuf),
    /// On standard input.
    Input,
    /// Given as an argument.
    Given(String),
}

/// Arguments that cannot be followed, or a question that is answered at once (`--help`).
#[derive(Debug)]
pub struct Refusal {
    error: clap::Error,
    status: u8,
}

impl Refusal {
    /// Says so, and gives the status.
    pub fn print(&self) -> ExitCode {
        let text = self.error.render().to_string();
        if self.error.use_stderr() {
            let line = brief(&text);
            // Nothing can be done about a closed standard error.
            let _ = writeln!(std::io::stderr().lock(), "kapal: {}", super::text::clean(&line));
            ExitCode::from(self.status)
        } else {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
    }

    /// The complaint as one line.
    pub fn line(&self) -> String {
        brief(&self.error.render().to_string())
    }
}

/// Clap's complaint as one line: what is wrong, the tip if there is one, and where help is.
fn brief(text: &str) -> String {
    let mut words = Vec::new();
    for line in text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:")) {
        if !line.is_empty() && !line.starts_with("For more information") {
            words.push(match line.strip_prefix("tip: ") {
                Some(tip) => format!("({tip})"),
                None => line.strip_prefix("error: ").unwrap_or(line).to_owned(),
            });
        }
    }
    format!("{}; `kapal --help` and `kapal VERB --help` list what there is", words.join(" "))
}

/// Reads the program's arguments.
///
/// # Errors
/// What cannot be followed, with the status to end with.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Refusal> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(arguments) = Frequent::parse(&arguments) {
        return Ok(arguments);
    }
    let verb = arguments.iter().skip(1).find(|word| !word.to_string_lossy().starts_with('-')).map(|word| word.to_string_lossy().into_owned());
    let status = if matches!(verb.as_deref(), Some("run" | "exec" | "container")) { 125 } else { 1 };
    let refuse = |error| Refusal { error: later(error), status };
    let line = Line::try_parse_from(arguments).map_err(refuse)?;
    let wrong = |message: &str| refuse(Line::command().error(ErrorKind::ArgumentConflict, message));
    let text = match (line.batch, line.commands) {
        (Some(file), Some(given)) if file.as_os_str() == UNNAMED => Some(Text::Given(given)),
        (Some(_), Some(_)) => return Err(wrong("--batch FILE and -c exclude each other")),
        (Some(file), None) if file.as_os_str() == "-" || file.as_os_str() == UNNAMED => Some(Text::Input),
        (Some(file), None) => Some(Text::File(file)),
        (None, Some(given)) => Some(Text::Given(given)),
        (None, None) => None,
    };
    let action = match (text, line.verb) {
        (Some(_), Some(_)) => return Err(wrong("a verb and --batch exclude each other")),
        (Some(text), None) => Action::Batch(Source { text, keep_going: line.keep_going, json: line.format == "json" }),
        (None, Some(_)) if line.record.is_some() => return Err(wrong("--record is for the terminal interface: leave the verb out")),
        (None, Some(verb)) => Action::Verb(Box::new(verb)),
        (None, None) => Action::Screens(line.record),
    };
    Ok(Arguments { options: options(line.options), action })
}

/// Tells an option that docker has and this version has not apart from a typing error.
fn later(error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let named = error.get(clap::error::ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let name = named.split([' ', '=']).next().unwrap_or_default();
    if LATER.contains(&name) {
        return Line::command().error(ErrorKind::UnknownArgument, format!("option {name} is not in this version"));
    }
    error
}

/// One line of a batch: a verb and its arguments.
///
/// # Errors
/// What cannot be followed, in one line.
pub fn parse_verb(words: &[String]) -> Result<Verb, String> {
    let line = std::iter::once("kapal".to_owned()).chain(words.iter().cloned());
    let refused = |error| brief(&later(error).render().to_string());
    let matches = Line::command().try_get_matches_from(line).map_err(refused)?;
    // They are the whole batch's: here they would do nothing.
    let given = |name: &&&str| matches.value_source(name.trim_start_matches('-').replace('-', "_").as_str()) == Some(ValueSource::CommandLine);
    if let Some(name) = WHOLE.iter().find(given) {
        return Err(format!("option {name} stands before a verb: give it to the whole batch, on the command line"));
    }
    match Line::from_arg_matches(&matches).map_err(refused)?.verb {
        Some(verb) => Ok(verb),
        None => Err(format!("{:?} is not a verb", words.first().map_or("", String::as_str))),
    }
}

fn options(global: Global) -> Options {
    let from_environment = || std::env::var("DOCKER_DRIVER").ok().filter(|name| !name.is_empty());
    let docker_config = global.config.unwrap_or_else(|| {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map_or_else(|| PathBuf::from("/root"), PathBuf::from);
        home.join(".docker")
    });
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    Options {
        place: Place { root: absolute(global.root), run_root: absolute(global.run_root) },
        storage_driver: global.storage_driver.or_else(from_environment),
        insecure: global.insecure_registry,
        docker_config,
        network: crate::engine::network::Settings::default(),
    }
}

/// The command line as a description of itself: its verbs, their options.
pub fn command() -> clap::Command {
    Line::command()
}

/// The help of the whole program.
pub fn help() -> String {
    Line::command().render_help().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        std::iter::once("kapal").chain(text.split(' ')).map(OsString::from).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn options_after_the_image_belong_to_the_command() {
        let arguments = parse(words("run -it --rm busybox ls -l --color")).unwrap();
        let Action::Verb(verb) = arguments.action else { panic!("no verb") };
        let Verb::Run(run) = *verb else { panic!("not run") };
        assert!(run.options.interactive && run.options.tty && run.options.rm);
        assert_eq!(run.options.words, ["busybox", "ls", "-l", "--color"]);
    }

    #[test]
    fn what_is_read_by_itself_is_read_as_among_all() {
        let all = |line: &str| Line::try_parse_from(words(line)).map(|line| format!("{:?} {:?}", line.options, line.verb.unwrap())).map_err(|_| ());
        for line in [
            "run busybox",
            "--root /x -s vfs run --rm -it -e A=B --name=n -m 64m busybox run exec --help",
            "exec -it box sh -c exit",
            "--insecure-registry a --insecure-registry b exec box ls --help",
            "run --detach-keys ctrl-a --sig-proxy false busybox",
        ] {
            let quick = Frequent::try_parse_from(words(line)).map(|quick| match quick.verb {
                FrequentVerb::Run(run) => format!("{:?} {:?}", quick.options, Verb::Run(run)),
                FrequentVerb::Exec(exec) => format!("{:?} {:?}", quick.options, Verb::Exec(exec)),
            });
            assert_eq!(quick.map_err(|_| ()), all(line), "{line}");
        }
        for line in ["ps run", "--root run ps", "run --help", "exec --help", "exec -h", "--batch run", "--version run", "run"] {
            assert!(Frequent::parse(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn a_line_of_a_batch_changes_nothing_about_the_whole() {
        for name in WHOLE {
            let value: &[&str] = if matches!(name, "--keep-going" | "--batch") {
                &[]
            } else if name == "--format" {
                &["json"]
            } else {
                &["x"]
            };
            let line: Vec<String> = std::iter::once(name).chain(value.iter().copied()).chain(["images"]).map(str::to_owned).collect();
            let error = parse_verb(&line).unwrap_err();
            assert!(error.contains(name) && error.contains("whole batch"), "{line:?}: {error}");
        }
        assert!(parse_verb(&["images", "--format", "json"].map(str::to_owned)).is_ok());
        assert!(parse_verb(&[]).unwrap_err().contains("not a verb"));
    }

    #[test]
    fn a_script_comes_from_one_place() {
        let text = |line: &str| match parse(words(line)).map(|arguments| arguments.action) {
            Ok(Action::Batch(Source { text, .. })) => format!("{text:?}"),
            Ok(_) => "no batch".to_owned(),
            Err(refusal) => refusal.line(),
        };
        assert_eq!((text("--batch -c ps"), text("-c ps")), (r#"Given("ps")"#.to_owned(), r#"Given("ps")"#.to_owned()));
        assert_eq!((text("--batch"), text("--batch -")), ("Input".to_owned(), "Input".to_owned()));
        assert_eq!(text("--batch file --format json"), r#"File("file")"#);
        assert!(text("--batch file -c ps").contains("exclude each other"));
        assert!(text("--batch - -c ps").contains("exclude each other"));
    }

    #[test]
    fn a_complaint_is_one_line_without_the_parser_s_own_advice() {
        let line = |text: &str| parse(words(text)).unwrap_err().line();
        assert_eq!(
            line("stop -t abc web"),
            "invalid value 'abc' for '--time <SECONDS>': expected seconds, or -1 to wait for ever; `kapal --help` and `kapal VERB --help` list what there is"
        );
        assert!(line("start -z").contains("found (to pass '-z' as a value, use '-- -z'); "), "{}", line("start -z"));
        assert!(parse(words("stop -t -1 web")).is_ok() && parse(words("logs --tail -5 web")).is_ok() && parse(words("ps -n -1")).is_ok());
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        assert!(parse(words("ps --bogus")).is_err_and(|r| r.status == 1 && r.line().contains("--bogus")));
    }
}
