//! The database by itself: uniqueness, reference counting, versions.

use super::*;

fn fresh() -> (tempfile::TempDir, GraphDb) {
    let folder = tempfile::tempdir().unwrap();
    let db = GraphDb::open(&folder.path().join("graph.db")).unwrap();
    (folder, db)
}

fn container(id: &str, name: &str) -> ContainerRow {
    ContainerRow {
        id: id.into(),
        name: name.into(),
        status: "created".into(),
        driver: "vfs".into(),
        image: None,
        created: 0,
        json: "{}".into(),
        state: "{}".into(),
    }
}

#[test]
fn a_name_is_given_once() {
    let (_folder, db) = fresh();
    db.insert_container(&container("aa", "web"), &[], &[], &[]).unwrap();
    assert!(matches!(db.insert_container(&container("bb", "web"), &[], &[], &[]), Err(Error::Taken { .. })));
    db.insert_container(&container("bb", "db"), &[], &[], &[]).unwrap();
    assert!(matches!(db.rename_container("bb", "web"), Err(Error::Taken { .. })));
    assert!(db.delete_container("aa", false, None).unwrap().is_empty());
    db.rename_container("bb", "web").unwrap();
    assert_eq!(db.containers_like("web").unwrap()[0].id, "bb");
    assert_eq!(db.containers_like("b").unwrap().len(), 1);
}

#[test]
fn a_state_is_written_only_over_the_one_it_was_made_from() {
    let (_folder, db) = fresh();
    db.insert_container(&container("aa", "web"), &[], &[], &[]).unwrap();
    db.set_state("aa", "created", "running", "{}", false, None).unwrap();
    assert!(matches!(db.set_state("aa", "created", "running", "{}", false, None), Err(Error::Conflict(_))));
    assert!(matches!(db.set_state("zz", "created", "running", "{}", false, None), Err(Error::Missing(_))));
}

#[test]
fn layers_stay_while_anything_leads_to_them() {
    let (_folder, db) = fresh();
    let layer = |id: &str, parent: Option<&str>| LayerRow { id: id.into(), parent: parent.map(Into::into), diff: id.into(), size: 1 };
    db.insert_layer("vfs", &layer("l1", None)).unwrap();
    db.insert_layer("vfs", &layer("l2", Some("l1"))).unwrap();
    let image = ImageRow { id: "sha256:ab".into(), manifest: "m".into(), media_type: "t".into(), size: 2, created: 0 };
    db.insert_image("vfs", &image, &["l1".into(), "l2".into()], &[], &[("x:1".into(), false)]).unwrap();
    assert!(db.delete_unused_layers("vfs").unwrap().is_empty());
    let mut row = container("aa", "web");
    row.image = Some(image.id.clone());
    db.insert_container(&row, &["l1".into()], &[], &[]).unwrap();
    assert!(!db.untag("vfs", &["x:1".into()], Some(&image.id), false).unwrap(), "a container uses it");
    assert!(db.untag("vfs", &[], Some(&image.id), true).unwrap());
    assert_eq!(db.delete_unused_layers("vfs").unwrap(), ["l2"]);
    assert!(db.dangling().unwrap().is_empty(), "{:?}", db.dangling());
}

#[test]
fn a_newer_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graph.db");
    drop(GraphDb::open(&file).unwrap());
    Connection::open(&file).unwrap().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    let error = GraphDb::open(&file).unwrap_err().to_string();
    assert!(error.contains("newer kapal"), "{error}");
}

#[test]
fn many_may_be_the_first_to_open_a_store() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("graph.db");
        let gate = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    gate.wait();
                    GraphDb::open(&file).unwrap()
                });
            }
        });
        let mode: String = Connection::open(&file).unwrap().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }
}

#[test]
fn a_store_whose_maker_was_killed_at_once_is_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graph.db");
    std::fs::write(&file, "").unwrap();
    let db = GraphDb::open(&file).unwrap();
    let mode: String = db.connection().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_volume_in_use_stays() {
    let (_folder, db) = fresh();
    assert!(db.insert_volume("data", false, "{}").unwrap());
    assert!(!db.insert_volume("data", false, "{}").unwrap());
    db.insert_container(&container("aa", "web"), &[], &["data".into()], &[]).unwrap();
    assert!(matches!(db.delete_volume("data"), Err(Error::Conflict(_))));
    db.delete_container("aa", true, None).unwrap();
    db.delete_volume("data").unwrap();
    assert!(matches!(db.delete_volume("data"), Err(Error::Missing(_))));
    db.insert_container(&container("bb", "one"), &[], &["x".into()], &["x".into()]).unwrap();
    assert_eq!(db.delete_container("bb", true, None).unwrap(), ["x"]);
    assert!(db.volume("x").unwrap().is_none());
}

#[test]
fn many_processes_worth_of_connections_write_at_once() {
    let (folder, _db) = fresh();
    let file = folder.path().join("graph.db");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let file = &file;
            scope.spawn(move || {
                let db = GraphDb::open(file).unwrap();
                for n in 0..25 {
                    db.insert_container(&container(&format!("{thread:02}{n:02}"), &format!("c{thread}-{n}")), &[], &[], &[]).unwrap();
                }
            });
        }
    });
    let db = GraphDb::open(&file).unwrap();
    assert_eq!(db.containers().unwrap().len(), 200);
}
