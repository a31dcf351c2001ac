//! Stores damaged by hand: what a check says of them, what a repair mends, and what a pull brings back.

use crate::store::{Store, until};
use rusqlite::Connection;
use std::fs;
use std::path::PathBuf;

/// One value of the store's database.
fn value(store: &Store, sql: &str) -> String {
    database(store).query_row(sql, [], |row| row.get(0)).unwrap()
}

fn database(store: &Store) -> Connection {
    Connection::open(store.path("root/graph.db")).unwrap()
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap()
}

fn blob(store: &Store, digest: &str) -> PathBuf {
    store.path("root/blobs/sha256").join(hex(digest))
}

/// Changes a blob's content and not its length.
fn twist(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Takes every name out of the store, and the layers' files; the blobs stay, as after a pull that was killed late.
fn forget_images(store: &Store) {
    database(store).execute_batch("DELETE FROM tags; DELETE FROM image_layers; DELETE FROM image_blobs; DELETE FROM images; DELETE FROM layers").unwrap();
    fs::remove_dir_all(store.path("root/overlay/layers")).unwrap();
    fs::create_dir(store.path("root/overlay/layers")).unwrap();
}

/// What a pull downloaded, in bytes.
fn downloaded(store: &Store, image: &str) -> u64 {
    let done = store.kapal(&["-c", &format!("pull {image}"), "--format", "json"]);
    assert_eq!(done.status, 0, "{}", done.out);
    let events = done.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let last: std::collections::BTreeMap<String, u64> =
        events.filter(|event| event["event"] == "progress").filter_map(|event| Some((event["id"].as_str()?.to_owned(), event["current"].as_u64()?))).collect();
    last.values().sum()
}

#[test]
fn blobs_that_a_killed_pull_left_are_used_and_damaged_ones_are_not() {
    let Some(store) = Store::with("overlay") else { return };
    let image = store.image("large:1");
    forget_images(&store);
    assert_eq!(downloaded(&store, &image), 0);
    assert_eq!(store.ok(&["run", "--rm", &image, "cat", "more/7/9"]), "7 9");
    let layer = value(&store, "SELECT digest FROM image_blobs ORDER BY size DESC LIMIT 1");
    forget_images(&store);
    twist(&blob(&store, &layer));
    let size = fs::metadata(blob(&store, &layer)).unwrap().len();
    assert_eq!(downloaded(&store, &image), size, "the damaged blob and no other");
    assert_eq!(store.ok(&["run", "--rm", &image, "cat", "more/7/9"]), "7 9");
    store.ok(&["system", "check", "--deep"]);
    forget_images(&store);
    fs::write(blob(&store, &layer), "short").unwrap();
    assert_eq!(downloaded(&store, &image), size);
    store.ok(&["system", "check", "--deep"]);
}

#[test]
fn a_damaged_blob_is_found_thrown_away_and_fetched_again() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let layer = value(&store, "SELECT digest FROM image_blobs LIMIT 1");
    twist(&blob(&store, &layer));
    store.is_consistent();
    let found = store.kapal(&["system", "check", "--deep"]);
    assert!(found.status == 1 && found.out.contains(&layer), "{found:?}");
    let mended = store.ok(&["system", "check", "--deep", "--repair"]);
    assert!(mended.contains(&format!("mended: blob {layer}")), "{mended}");
    assert!(!blob(&store, &layer).exists());
    store.ok(&["pull", "-q", &image]);
    store.ok(&["system", "check", "--deep"]);
}

#[test]
fn an_image_without_its_configuration_is_forgotten_and_pulled_again() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let id = store.field(&image, ".Id");
    fs::remove_file(blob(&store, &id)).unwrap();
    let listed = store.kapal(&["images", "-q"]);
    assert!(listed.status == 0 && listed.out.is_empty() && listed.err.contains(&id) && listed.err.contains("system check --repair"), "{listed:?}");
    assert!(store.ok(&["system", "check", "--repair"]).contains(&id));
    assert_eq!(store.ok(&["images", "-q"]), "");
    store.ok(&["pull", "-q", &image]);
    assert_eq!(store.ok(&["run", "--rm", &image, "echo", "back"]), "back");
}

#[test]
fn a_lost_layer_takes_what_lies_on_it_and_comes_back_for_containers() {
    let Some(store) = Store::with("overlay") else { return };
    let image = store.image("large:1");
    let lowest = value(&store, "SELECT id FROM layers WHERE parent IS NULL");
    let folder = store.path("root/overlay/layers").join(hex(&lowest));
    fs::remove_dir_all(&folder).unwrap();
    assert!(store.kapal(&["system", "check"]).out.contains(&lowest));
    store.ok(&["system", "check", "--repair"]);
    assert_eq!(value(&store, "SELECT CAST(count(*) AS TEXT) FROM layers"), "0", "layers on nothing are no use");
    store.is_consistent();
    store.ok(&["pull", "-q", &image]);
    store.ok(&["create", "--name", "mine", &image, "cat", "more/7/9"]);
    fs::remove_dir_all(&folder).unwrap();
    let left = store.kapal(&["system", "check", "--repair"]);
    assert!(left.status == 1 && left.out.contains("pull its image again"), "{left:?}");
    store.ok(&["pull", "-q", &image]);
    store.is_consistent();
    assert_eq!(store.ok(&["start", "-a", "mine"]), "7 9");
}

#[test]
fn a_row_that_cannot_be_read_keeps_nobody_out() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let id = store.ok(&["create", "--name", "spoilt", &image, "true"]);
    database(&store).execute("UPDATE containers SET json = 'nothing', status = 'removing'", []).unwrap();
    store.ok(&["create", "--name", "sound", &image, "true"]);
    assert_eq!(store.ok(&["images", "-q"]).lines().count(), 1);
    let listed = store.kapal(&["ps", "-a", "--format", "{{.Names}}"]);
    assert_eq!((listed.status, listed.out.as_str(), listed.err.lines().count()), (0, "sound", 1), "{}", listed.err);
    assert!(["spoilt", id.as_str(), "kapal system check --repair"].iter().all(|word| listed.err.contains(word)), "{}", listed.err);
    assert!(store.ok(&["info"]).contains(&format!("WARNING: container spoilt ({id}) is damaged")));
    assert!(store.kapal(&["system", "df"]).err.contains("spoilt"));
    assert!(store.fails(1, &["start", "spoilt"]).contains("kapal system check --repair"));
    assert_eq!(store.ok(&["container", "prune", "-f"]).lines().nth(1).unwrap().len(), 64);
    assert!(store.ok(&["system", "check", "--repair"]).contains(&id));
    assert_eq!(store.ok(&["ps", "-aq"]), "");
}

#[test]
fn leftovers_are_swept_by_the_next_engine() {
    let Some(store) = Store::with("overlay") else { return };
    store.image("box:1");
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let left = [
        store.path("root/overlay/staging/1.2.3"),
        store.path("root/blobs/tmp/dead"),
        store.path("root/overlay/containers").join(&one),
        store.path("root/containers").join(&two),
        store.path("root/volumes/nobodys"),
    ];
    for folder in &left {
        fs::create_dir_all(folder.join("inside")).unwrap();
    }
    // The mark of a process that is gone.
    fs::write(store.path("run/operations/4194303.1"), "").unwrap();
    store.ok(&["images"]);
    let stayed: Vec<_> = left.iter().filter(|folder| folder.exists()).collect();
    assert!(stayed.is_empty(), "{stayed:?}");
    assert_eq!(fs::read_dir(store.path("run/operations")).unwrap().count(), 0);
}

#[test]
fn a_monitors_lock_without_a_monitor_is_seen_through() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "lost", &image, "sleep", "1000"]);
    let monitor: i32 = store.field("lost", ".State.MonitorPid").parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(monitor), nix::sys::signal::SIGKILL).unwrap();
    until("the container is told lost", || store.field("lost", ".State.Status") == "exited");
    assert_eq!(store.field("lost", ".State.ExitCode"), "255");
    store.is_consistent();
    store.ok(&["start", "lost"]);
    assert_eq!(store.field("lost", ".State.Status"), "running");
}

#[test]
fn what_a_power_failure_may_have_emptied_is_brought_again() {
    let Some(store) = Store::with("overlay") else { return };
    let image = store.image("large:1");
    let top = value(&store, "SELECT id FROM layers WHERE id NOT IN (SELECT parent FROM layers WHERE parent IS NOT NULL)");
    let layer = value(&store, "SELECT digest FROM image_blobs ORDER BY size DESC LIMIT 1");
    // As after a pull that the power ended: layers have rows, nothing is named yet, and not all that was written came to the disk.
    database(&store).execute_batch("DELETE FROM tags; DELETE FROM image_layers; DELETE FROM image_blobs; DELETE FROM images").unwrap();
    let files = store.path("root/overlay/layers").join(hex(&top)).join("diff");
    fs::write(files.join("more/7/9"), "").unwrap();
    let unnamed = store.path("root/overlay/layers").join("7".repeat(64));
    fs::create_dir_all(unnamed.join("diff")).unwrap();
    twist(&blob(&store, &layer));
    fs::write(store.path("root/booted"), "another boot").unwrap();
    store.ok(&["volume", "create", "kept"]);
    store.ok(&["ps"]);
    assert!(!files.exists() && !unnamed.exists() && !blob(&store, &layer).exists());
    assert_eq!(store.ok(&["volume", "ls", "-q"]), "kept");
    let whole = fs::read_dir(store.path("root/blobs/sha256")).unwrap().count();
    assert!(whole >= 2, "blobs that are whole stay");
    store.ok(&["pull", "-q", &image]);
    assert_eq!(store.ok(&["run", "--rm", &image, "cat", "more/7/9"]), "7 9");
    store.ok(&["system", "check", "--deep"]);
}
