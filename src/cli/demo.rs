//! `demo`: a short real session on this machine's own files, each command shown before it runs.

use super::args::parse_verb;
use super::face::Face;
use super::perform::perform;
use super::text;
use crate::engine::{Engine, Error, Result};

/// The container of the session.
const NAME: &str = "kapal-demo";

/// Its lines, as a user would type them.
const SESSION: [&[&str]; 10] = [
    &[
        "run",
        "-d",
        "--name",
        NAME,
        "-m",
        "64m",
        "--cpus",
        "0.5",
        "--pids-limit",
        "64",
        "host",
        "sh",
        "-c",
        "echo hello from inside; echo ahoy >/root/greeting; while :; do date; sleep 1; done",
    ],
    &["ps"],
    &["exec", NAME, "sh", "-c", "echo the only processes here: $(ls -d /proc/[0-9]* | wc -l); cat /root/greeting"],
    &["top", NAME],
    &["logs", "--tail", "3", NAME],
    &["diff", NAME],
    &["inspect", "--format", "memory {{.HostConfig.Memory}} bytes, nano cpus {{.HostConfig.NanoCpus}}, pids {{.HostConfig.PidsLimit}}", NAME],
    &["stop", "-t", "2", NAME],
    &["ps", "-a", "--filter", "name=kapal-demo"],
    &["rm", NAME],
];

/// Runs the session.
pub async fn demo(engine: &Engine, face: &mut Face) -> Result<i32> {
    if engine.container(NAME).is_ok() {
        return Err(Error::conflict(format!("a container {NAME} is there already")).hint(format!("`kapal rm -f {NAME}` removes it")));
    }
    face.say("This runs a container on this machine's own files, read-only below a layer of its own. Nothing of it stays.")?;
    let result = session(engine, face).await;
    if result.is_err()
        && let Ok(left) = engine.container(NAME)
    {
        engine.remove(&left, true, true).await?;
    }
    result
}

async fn session(engine: &Engine, face: &mut Face) -> Result<i32> {
    for words in SESSION {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        face.say(&format!("\n$ kapal {}", text::clean(&super::batch::quote(&words))))?;
        let verb = parse_verb(&words).map_err(Error::invalid)?;
        let status = Box::pin(perform(verb, engine, face)).await?;
        if status != 0 {
            return Err(Error::new(crate::engine::Kind::Failed, format!("{} ended with status {status}", words[0])));
        }
    }
    face.say("\nThat was kapal. `kapal --help` lists what there is; `kapal run -it --rm host bash` is a good place to go on.")?;
    Ok(0)
}
