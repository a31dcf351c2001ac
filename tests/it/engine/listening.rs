//! Changes that other processes make.

use super::{PATIENCE, engine, event};
use kapal::engine::{Engine, Event};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The program on an engine's store.
fn program(engine: &Engine, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapal"));
    command.env("KAPAL_ROOT", &engine.place().root).env("KAPAL_RUN_ROOT", &engine.place().run_root).env("DOCKER_DRIVER", "vfs").args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn sockets(engine: &Engine) -> Vec<PathBuf> {
    std::fs::read_dir(engine.place().listeners()).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_listening_engine_hears_of_other_processes_and_not_of_itself() {
    let mut heard = Ok(());
    for _ in 0..5 {
        heard = hears_of_others_alone().await;
        if heard.is_ok() {
            return;
        }
    }
    heard.unwrap();
}

/// An error also on a machine that stood still for so long that the engines looked by themselves.
async fn hears_of_others_alone() -> Result<(), &'static str> {
    let folder = tempfile::tempdir().unwrap();
    // This one nobody can tell of anything: it looks by itself, and is the first to do so.
    let deaf = engine(folder.path());
    let (looking, mut looks) = (deaf.listen().unwrap(), deaf.events());
    for socket in sockets(&deaf) {
        std::fs::remove_file(socket).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let engine = engine(folder.path());
    let (listening, mut events) = (engine.listen().unwrap(), engine.events());
    for name in ["own", "later"] {
        engine.create_volume(name, &BTreeMap::new()).unwrap();
        if events.recv().await.unwrap() != Event::VolumesChanged {
            return Err("it was told of its own change twice");
        }
        // One that heard itself says so before the next change.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(program(&engine, &["volume", "create", "other"]).status().unwrap().success());
    // Jobs of the other process are changes, too: its list of them is the same list.
    event(&mut events, |event| *event == Event::Missed).await;
    if looks.try_recv().is_ok() {
        return Err("it only found out by itself");
    }
    assert_eq!(engine.snapshot().unwrap().volumes.len(), 3);
    drop((looking, listening));
    until("the socket goes with the listening", || sockets(&engine).is_empty()).await;
    Ok(())
}

#[tokio::test]
async fn a_killed_listener_is_forgotten_at_the_next_poke() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let mut killed = program(&engine, &["events"]).spawn().unwrap();
    until("it listens", || !sockets(&engine).is_empty()).await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(sockets(&engine).len(), 1, "nobody took it away: it was killed");
    engine.create_volume("poke", &BTreeMap::new()).unwrap();
    assert!(sockets(&engine).is_empty(), "{:?}", sockets(&engine));
}

#[tokio::test]
async fn a_lost_socket_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let _listening = engine.listen().unwrap();
    let mut events = engine.events();
    std::fs::remove_dir_all(engine.place().listeners()).unwrap();
    // It looks by itself after a while, and finds its socket gone.
    event(&mut events, |event| *event == Event::Missed).await;
    until("a new socket is there", || sockets(&engine).len() == 1).await;
}
