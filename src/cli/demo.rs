//! `demo`: a short real session on this machine's own files, each command shown before it runs; on a terminal the screens,
//! with three containers to look at.

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

/// What runs while the screens are looked at: name, options, script.
const LIVE: [(&str, &[&str], &str); 3] = [
    ("demo-clock", &["-d", "-m", "64m", "--pids-limit", "32"], "while :; do date; sleep 1; done"),
    (
        "demo-busy",
        &["-d", "-m", "128m", "--cpus", "0.25"],
        "n=0; while :; do n=$((n + 1)); i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; echo round $n; echo $n >>/root/rounds; [ $((n % 10)) -ne 0 ] || echo ten more >&2; done",
    ),
    ("demo-shell", &["-d", "-i", "-t", "-m", "256m"], "echo 'attach here: a shell on the files of this machine; what it changes stays in here'; exec sh"),
];

/// Opens the screens with the live containers, and takes those away when the user leaves.
pub async fn live(engine: Engine) -> Result<i32> {
    for (name, ..) in LIVE {
        free(&engine, name)?;
    }
    let result = match start(&engine).await {
        Ok(()) => super::workstation::open(engine.clone(), None, Vec::new()).await,
        Err(error) => Err(error),
    };
    for (name, ..) in LIVE {
        // The user may have removed it.
        if let Ok(left) = engine.container(name) {
            engine.remove(&left, true, true).await?;
        }
    }
    result
}

async fn start(engine: &Engine) -> Result<()> {
    for (name, options, script) in LIVE {
        let words = ["run", "--name", name].iter().chain(options).chain(&["host", "sh", "-c", script]).map(ToString::to_string).collect::<Vec<_>>();
        let verb = parse_verb(&words).map_err(Error::invalid)?;
        Box::pin(perform(verb, engine, &mut Face::batch(1, false, true))).await?;
    }
    Ok(())
}

/// An error if the name is taken.
fn free(engine: &Engine, name: &str) -> Result<()> {
    match engine.container(name) {
        Ok(_) => Err(Error::conflict(format!("a container {name} is there already")).hint(format!("`kapal rm -f {name}` removes it"))),
        Err(_) => Ok(()),
    }
}

/// Runs the session.
pub async fn demo(engine: &Engine, face: &mut Face) -> Result<i32> {
    free(engine, NAME)?;
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
