//! `--batch`: scripts from a file, a pipe and the command line.

use crate::store::{Store, status_of, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

#[test]
fn a_script_is_run_line_by_line() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let script = format!(
        "# a script\nIMAGE={image}\nID=$(run -d --name web $IMAGE sleep 1000)\nexec $ID sh -c 'echo \"in $0\"' it; exec web echo \\\n  two\nrm -f $ID\n"
    );
    fs::write(store.path("script"), &script).unwrap();
    let path = store.path("script");
    let from_file = store.kapal(&["--batch", path.to_str().unwrap()]);
    assert_eq!(from_file.status, 0, "{}", from_file.err);
    assert!(from_file.out.starts_with("in it\ntwo"), "{}", from_file.out);
    let from_pipe = store.fed(script.as_bytes(), &["--batch", "-"]);
    assert_eq!((from_pipe.status, from_pipe.out.starts_with("in it\ntwo")), (0, true), "{}", from_pipe.err);
    assert!(store.ok(&["-c", "version; ps -q"]).contains("kapal"));
}

#[test]
fn the_first_failure_is_the_status_and_names_its_line() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let script = format!("version\nrun --rm {image} sh -c 'exit 6'\nrun --rm {image} echo after\n");
    let done = store.fed(script.as_bytes(), &["--batch", "-"]);
    assert_eq!((done.status, done.out.contains("after")), (6, false), "{done:?}");
    let done = store.fed(script.as_bytes(), &["--keep-going", "--batch", "-"]);
    assert_eq!((done.status, done.out.contains("after")), (6, true), "{done:?}");
    let done = store.fed(b"version\n\nrm nobody-here\n", &["--batch", "-"]);
    assert!(done.status == 1 && done.err.contains("line 3") && done.err.contains("nobody-here"), "{done:?}");
    for (script, line) in [("version\necho 'open", "line 2"), ("version | cat", "line 1"), ("version\nps $NOT_SET_HERE", "line 2"), ("fly", "line 1")] {
        fs::write(store.path("wrong"), script).unwrap();
        let done = store.kapal(&["--batch", store.path("wrong").to_str().unwrap()]);
        assert!(done.status != 0 && done.err.contains(line), "{script}: {done:?}");
    }
    assert!(store.fails(1, &["--batch", "/nowhere/script"]).contains("/nowhere/script"));
}

#[test]
fn json_is_one_object_a_line() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let script = format!("ID=$(create {image} true)\nrm $ID\nrun --rm {image} echo hello\nrm nobody-here\n");
    let done = store.fed(script.as_bytes(), &["--format", "json", "--batch", "-"]);
    assert_eq!(done.status, 1);
    let objects: Vec<serde_json::Value> = done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let results: Vec<_> = objects.iter().filter(|object| object["event"] == "result").collect();
    assert_eq!(results.iter().map(|result| result["line"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4], "{}", done.out);
    assert_eq!(results.iter().map(|result| result["status"].as_i64().unwrap()).collect::<Vec<_>>(), [0, 0, 0, 1]);
    assert!(results[3]["error"]["message"].as_str().unwrap().contains("nobody-here"));
    assert!(objects.iter().any(|object| object["event"] == "output" && object["data"] == "hello\n"));
}

#[test]
fn what_is_wrong_with_a_script_is_told_in_its_form() {
    let Some(store) = Store::new() else { return };
    let results = |done: &crate::store::Done| -> Vec<serde_json::Value> { done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let done = store.fed(b"version\nps | cat\n\nversion\n", &["--batch", "-", "--format", "json"]);
    let told = results(&done);
    assert_eq!((done.status, told.len(), told[1]["line"].as_u64(), told[1]["status"].as_u64()), (1, 2, Some(2), Some(1)), "{done:?}");
    assert!(told[1]["error"]["message"].as_str().unwrap().contains("bare |"), "{done:?}");
    let done = store.fed(b"ps | cat\nversion\nps 'open\n", &["--batch", "-", "--format", "json", "--keep-going"]);
    let lines: Vec<_> = results(&done).iter().map(|told| (told["line"].as_u64().unwrap(), told["status"].as_u64().unwrap())).collect();
    assert_eq!((done.status, lines), (1, vec![(1, 1), (2, 0), (3, 1)]), "{done:?}");
    fs::write(store.path("wrong"), "version\nps > x\n").unwrap();
    let done = store.kapal(&["--batch", store.path("wrong").to_str().unwrap(), "--format", "json"]);
    assert_eq!((done.status, results(&done)[0]["line"].as_u64()), (1, Some(2)), "a script with an error in it does not begin: {done:?}");
}

#[test]
fn a_line_cannot_choose_another_store_or_wait_for_keys() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    for line in ["--root /nowhere images", "-s vfs info", "--keep-going images"] {
        let done = store.fed(format!("{line}\n").as_bytes(), &["--batch", "-"]);
        assert!(done.status == 1 && done.err.contains("line 1") && done.err.contains("whole batch"), "{line}: {done:?}");
    }
    assert!(store.fails(125, &["-c", &format!("run -it --rm {image} sh")]).contains("no terminal"));
    assert_eq!(store.ok(&["ps", "-aq"]), "");
}

#[test]
fn a_batch_that_waits_ends_on_a_signal() {
    let Some(store) = Store::new() else { return };
    // For its next line, or in a verb that goes on. The verb before listens to signals itself: none may be lost to it.
    for script in ["images\n", "images\nevents\n"] {
        let mut child = store.command(&["--batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(script.as_bytes()).unwrap();
        let (mut out, mut line) = (BufReader::new(child.stdout.take().unwrap()), String::new());
        out.read_line(&mut line).unwrap();
        until("it ends", || {
            // One that comes between two waits is nobody's.
            kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
            child.try_wait().unwrap().is_some()
        });
        assert_eq!(status_of(child.wait().unwrap()), 143, "{script:?}");
    }
}
