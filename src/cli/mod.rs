//! The command line: arguments into jobs, results into text, failures into exit statuses.

pub mod args;
pub mod batch;
pub mod completion;
pub mod console;
pub mod demo;
pub mod differences;
pub mod face;
pub mod graph;
pub mod inspect;
mod live;
pub mod metrics;
pub mod networks;
pub mod perform;
pub mod processes;
pub mod progress;
pub mod rows;
pub mod script;
mod settings;
pub mod space;
pub mod stats;
pub mod table;
pub mod template;
pub mod terminal;
pub mod transfer;
pub mod verb;
pub mod workstation;

pub use crate::engine::network::names::open as names;
pub use crate::engine::record::open as record;

use crate::engine::Options;
use crate::engine::{Engine, Error, Kind};
use crate::text::{self, size, when, width};
use crate::tui::config;
use face::Face;
use std::io::Write;
use std::process::ExitCode;

/// The program, from its arguments to its exit status.
pub fn main() -> ExitCode {
    let arguments = match args::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(refusal) => return refusal.print(),
    };
    // The screens must answer while containers shout and layers are unpacked; one verb needs no second thread.
    let mut builder = match arguments.action {
        args::Action::Screens(_) => tokio::runtime::Builder::new_multi_thread(),
        args::Action::Verb(ref verb) if matches!(**verb, verb::Verb::Demo) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Error::io("cannot start", &error), 1),
    };
    let status = runtime.block_on(run(arguments));
    // A thread that waits for standard input would keep the program from ending.
    runtime.shutdown_background();
    status
}

async fn run(arguments: args::Arguments) -> ExitCode {
    let args::Arguments { options, action } = arguments;
    match action {
        args::Action::Verb(verb) => {
            let failure = failure_status(&verb);
            let mut face = Face::standard();
            if let verb::Verb::Version(version) = &*verb {
                // Answers without a store: also where there is none.
                return ended(inspect::version(version.format.format.as_deref(), &mut face), failure);
            }
            let open = if has_command(&verb) { Engine::open_to_start } else { Engine::open };
            let engine = match settled(options).and_then(open) {
                Ok(engine) => engine,
                Err(error) => return fail(&error, failure),
            };
            if matches!(*verb, verb::Verb::Demo) && workstation::has_terminal() {
                return ended(demo::live(engine).await, failure);
            }
            ended(perform::perform(*verb, &engine, &mut face).await, failure)
        }
        args::Action::Batch(script) => match settled(options).and_then(Engine::open) {
            Ok(engine) => ended(script::run(script, &engine).await, 1),
            Err(error) => fail(&error, 1),
        },
        args::Action::Screens(record) => {
            if workstation::has_terminal() {
                return match settled(options).and_then(Engine::open) {
                    Ok(engine) => ended(workstation::open(engine, record, Vec::new()).await, 1),
                    Err(error) => fail(&error, 1),
                };
            }
            let help = args::help();
            // Nobody reading is no failure.
            let _ = std::io::stdout().write_all(help.as_bytes());
            ExitCode::SUCCESS
        }
    }
}

/// How the engine is to be set up, with what the files of settings say.
fn settled(mut options: Options) -> crate::engine::Result<Options> {
    let variable = |name: &str| std::env::var(name).ok();
    let sources = config::sources(&config::folders(variable)).map_err(|error| Error::invalid(error.to_string()))?;
    options.network = settings::network(&sources).map_err(Error::invalid)?;
    Ok(options)
}

/// The status of a verb that fails by our own fault: 125 where the command inside has a status of its own.
pub fn failure_status(verb: &verb::Verb) -> i32 {
    if has_command(verb) { 125 } else { 1 }
}

/// Whether a verb is there to start a command.
fn has_command(verb: &verb::Verb) -> bool {
    use verb::{ContainerOther as C, ContainerVerb, Verb as V};
    matches!(verb, V::Run(_) | V::Exec(_) | V::Container(ContainerVerb::Other(C::Run(_) | C::Exec(_))))
}

/// An error's exit status: what the command inside would have had, or `failure`.
pub fn exit_status(error: &Error, failure: i32) -> i32 {
    match error.kind {
        Kind::CommandNotFound => 127,
        Kind::CommandNotExecutable => 126,
        Kind::Cancelled => 128 + rustix::process::Signal::INT.as_raw(),
        Kind::Terminated => 128 + rustix::process::Signal::TERM.as_raw(),
        Kind::Unread => 128 + rustix::process::Signal::PIPE.as_raw(),
        _ => failure,
    }
}

/// An error as one line, with its hint.
pub fn sentence(error: &Error) -> String {
    format!("kapal: {}", error.sentence())
}

fn fail(error: &Error, failure: i32) -> ExitCode {
    // As a program that SIGPIPE ends says nothing. Standard error may be gone too; the status still tells.
    if error.kind == Kind::Unread {
        return ExitCode::from(exit_status(error, failure) as u8);
    }
    let _ = writeln!(std::io::stderr().lock(), "{}", text::clean(&sentence(error)));
    ExitCode::from(exit_status(error, failure) as u8)
}

fn ended(result: crate::engine::Result<i32>, failure: i32) -> ExitCode {
    match result {
        Ok(status) => ExitCode::from(status as u8),
        Err(error) => fail(&error, failure),
    }
}
