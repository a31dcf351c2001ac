//! Many engines on one store at once.

use crate::store::{Store, in_guest, status_of};
use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::thread;

#[test]
fn two_engines_make_start_and_remove() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let each = if in_guest() { 10 } else { 100 };
    let engines: Vec<_> = ["left", "right"]
        .map(|side| {
            let rounds: Vec<String> = (0..each)
                .map(|n| {
                    let name = format!("{side}{n}");
                    format!("create --name {name} -v {name}:/data {image} sh -c 'echo {name}'\nstart {name}\nwait {name}\nlogs {name}\nrm {name}\n")
                })
                .collect();
            let script = rounds.concat();
            let mut engine = store.command(&["--batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut pipe = engine.stdin.take().unwrap();
            thread::spawn(move || pipe.write_all(script.as_bytes()));
            (side, engine)
        })
        .into_iter()
        .collect();
    for (side, engine) in engines {
        let output = engine.wait_with_output().unwrap();
        assert_eq!(status_of(output.status), 0, "{side}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let ids: BTreeSet<_> = text.lines().filter(|line| line.len() == 64).collect();
        assert_eq!(ids.len(), each, "{side}: {text}");
        assert_eq!(text.lines().filter(|line| *line == "0").count(), each, "{side}: every one was waited for");
    }
    assert_eq!(store.ok(&["ps", "-aq"]), "");
    assert_eq!(store.ok(&["volume", "ls", "-q"]).lines().count(), 2 * each);
    store.is_consistent();
}

#[test]
fn programs_of_their_own_do_not_meet() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    thread::scope(|scope| {
        for worker in 0..8 {
            let (store, image) = (&store, &image);
            scope.spawn(move || {
                for round in 0..5 {
                    let word = format!("w{worker}r{round}");
                    assert_eq!(store.ok(&["run", "--rm", "--name", &word, image, "echo", &word]), word);
                }
            });
        }
    });
    assert_eq!(store.ok(&["ps", "-aq"]), "");
}

#[test]
fn one_name_has_one_winner() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    for round in 0..5 {
        let name = format!("prize{round}");
        let won: usize = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| store.kapal(&["create", "--name", &name, &image, "true"]).status)).collect();
            all.into_iter().map(|one| usize::from(one.join().unwrap() == 0)).sum()
        });
        assert_eq!(won, 1, "{name}");
        let removed: usize = thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| store.kapal(&["rm", "-f", &name]).status)).collect();
            all.into_iter().map(|one| usize::from(one.join().unwrap() == 0)).sum()
        });
        assert!(removed >= 1);
    }
    assert_eq!(store.ok(&["ps", "-aq"]), "");
}

#[test]
fn many_pull_the_same_at_once() {
    let Some(store) = Store::new() else { return };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| store.image("large:1"));
        }
    });
    assert_eq!(store.ok(&["images", "-q"]).lines().count(), 1);
    let image = store.image("large:1");
    assert_eq!(store.ok(&["run", "--rm", &image, "cat", "/data/3/4"]), "3 4");
}
