//! Leases: nothing given twice, nothing kept by who is gone.

use super::*;
use crate::graphdb::ContainerRow;
use std::collections::HashSet;
use std::path::Path;

fn container(db: &GraphDb, id: &str) {
    let row = ContainerRow {
        id: id.into(),
        name: format!("name-{id}"),
        status: "created".into(),
        driver: "vfs".into(),
        image: None,
        created: 0,
        json: "{}".into(),
        state: "{}".into(),
    };
    db.insert_container(&row, &[], &[], &[]).unwrap();
}

fn with_network(folder: &Path) -> GraphDb {
    let db = GraphDb::open(&folder.join("graph.db")).unwrap();
    db.insert_network(&NetworkRow { id: "n1".into(), name: "net".into(), created: 0, json: "{}".into() }, |_| Ok(())).unwrap();
    db
}

fn claim(first: i64, last: i64, kept: &[i64], wanted: Option<i64>) -> Claim {
    let pool = Pool { first, last, kept: kept.to_vec(), wanted };
    Claim { network: "n1".into(), pools: [Some(pool), None], json: "{}".into(), aliases: Vec::new() }
}

fn port(container: &str, port: u16) -> PortRow {
    PortRow { protocol: "tcp".into(), address: "0.0.0.0".into(), port, container: container.into(), inside: 80 }
}

#[test]
fn numbers_go_round_and_those_that_are_kept_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let db = with_network(folder.path());
    let mut given = Vec::new();
    for id in ["a", "b", "c", "d"] {
        container(&db, id);
        given.push(db.claim(id, &[claim(0, 6, &[0, 1, 4], None)], &[]).map(|places| places[0].numbers[0].unwrap()));
    }
    let numbers: Vec<i64> = given.into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers, [2, 3, 5, 6]);
    container(&db, "e");
    assert!(matches!(db.claim("e", &[claim(0, 6, &[0, 1, 4], None)], &[]), Err(Error::Conflict(_))), "none is left");
    db.release("b").unwrap();
    db.release("c").unwrap();
    let next = |id: &str| db.claim(id, &[claim(0, 6, &[0, 1, 4], None)], &[]).unwrap()[0].numbers[0];
    assert_eq!(next("e"), Some(3));
    db.release("e").unwrap();
    assert_eq!(next("e"), Some(5), "what was just let go is not given at once");
}

#[test]
fn a_wanted_number_is_given_or_its_holder_named() {
    let folder = tempfile::tempdir().unwrap();
    let db = with_network(folder.path());
    container(&db, "a");
    container(&db, "b");
    assert_eq!(db.claim("a", &[claim(1, 9, &[], Some(7))], &[]).unwrap()[0].numbers, [Some(7), None]);
    let refused = db.claim("b", &[claim(1, 9, &[], Some(7))], &[]).unwrap_err();
    assert!(matches!(&refused, Error::Taken { by, .. } if by == "container a"), "{refused}");
    assert!(db.endpoints_of("b").unwrap().is_empty());
}

#[test]
fn all_is_let_go_with_the_end_and_nothing_is_taken_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let db = with_network(folder.path());
    container(&db, "a");
    container(&db, "b");
    db.claim("a", &[claim(1, 9, &[], None)], &[port("a", 8080)]).unwrap();
    let refused = db.claim("b", &[claim(1, 9, &[], None)], &[port("b", 9090), port("b", 8080)]).unwrap_err();
    assert!(matches!(&refused, Error::Taken { by, .. } if by == "container name-a"), "{refused}");
    assert!(db.endpoints_of("b").unwrap().is_empty() && db.ports_of("b").unwrap().is_empty());
    assert_eq!(db.stale_berths().unwrap(), ["a"], "it has places and does not run");
    db.set_state("a", "created", "running", "{}", false, None).unwrap();
    assert!(db.stale_berths().unwrap().is_empty());
    assert!(matches!(db.delete_network("n1"), Err(Error::Conflict(why)) if why.contains("name-a")));
    db.set_state("a", "running", "exited", "{}", true, None).unwrap();
    assert!(db.endpoints().unwrap().is_empty() && db.ports().unwrap().is_empty());
    db.delete_network("n1").unwrap();
    assert!(matches!(db.delete_network("n1"), Err(Error::Missing(_))));
}

#[test]
fn places_come_and_go_while_a_container_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    let db = with_network(folder.path());
    container(&db, "a");
    assert!(matches!(db.claim_more("a", &["running"], &claim(1, 9, &[], None)), Err(Error::Conflict(_))), "it is not alive");
    db.set_state("a", "created", "running", "{}", false, None).unwrap();
    assert_eq!(db.claim_more("a", &["running"], &claim(1, 9, &[], None)).unwrap().position, 0);
    assert!(matches!(db.claim_more("a", &["running"], &claim(1, 9, &[], None)), Err(Error::Conflict(_))), "it is there already");
    db.set_ports("a", &["running"], &[port("a", 1), port("a", 2)]).unwrap();
    db.set_ports("a", &["running"], &[port("a", 2)]).unwrap();
    assert_eq!(db.ports().unwrap(), [port("a", 2)]);
    db.release_place("a", "n1").unwrap();
    assert!(db.endpoints_of("a").unwrap().is_empty());
}

#[test]
fn names_are_found_whatever_their_case() {
    let folder = tempfile::tempdir().unwrap();
    let db = with_network(folder.path());
    let id = "0123456789abcdef".to_owned();
    container(&db, &id);
    let with_aliases = Claim { aliases: vec!["db".into(), "Cache".into()], ..claim(1, 9, &[], None) };
    db.claim(&id, &[with_aliases], &[]).unwrap();
    for name in ["db", "DB", "cache", "0123456789ab", "NAME-0123456789ABCDEF"] {
        assert_eq!(db.named_on("n1", name).unwrap(), [[Some(1), None]], "{name}");
    }
    for name in ["", "d", "db cache", "cach%", "0123456789a"] {
        assert!(db.named_on("n1", name).unwrap().is_empty(), "{name}");
    }
}

#[test]
fn a_thousand_come_and_go_by_two_and_none_has_anothers_number() {
    let folder = tempfile::tempdir().unwrap();
    let db = with_network(folder.path());
    let held = std::sync::Mutex::new(HashSet::new());
    // As two processes: each with a connection of its own, and a few containers alive at any time.
    std::thread::scope(|scope| {
        for lane in ["left", "right"] {
            let (file, held) = (folder.path().join("graph.db"), &held);
            scope.spawn(move || {
                let db = GraphDb::open(&file).unwrap();
                let mut alive = std::collections::VecDeque::new();
                for at in 0..500 {
                    let id = format!("{lane}{at}");
                    container(&db, &id);
                    let number = db.claim(&id, &[claim(0, 40, &[0, 1, 40], None)], &[port(&id, 1000 + at)]);
                    // The other lane's port of this number may be in use: then nothing at all was taken.
                    let Ok(places) = number else {
                        assert!(db.endpoints_of(&id).unwrap().is_empty());
                        db.delete_container(&id, false, None).unwrap();
                        continue;
                    };
                    let number = places[0].numbers[0].unwrap();
                    assert!(held.lock().unwrap().insert(number), "{number} is given twice");
                    alive.push_back((id, number));
                    if alive.len() > 7 {
                        let (id, number) = alive.pop_front().unwrap();
                        held.lock().unwrap().remove(&number);
                        db.delete_container(&id, false, None).unwrap();
                    }
                }
                for (id, number) in alive {
                    held.lock().unwrap().remove(&number);
                    db.delete_container(&id, false, None).unwrap();
                }
            });
        }
    });
    assert!(db.endpoints().unwrap().is_empty() && db.ports().unwrap().is_empty());
}

#[test]
fn a_store_of_the_first_version_gets_these_tables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graph.db");
    drop(GraphDb::open(&file).unwrap());
    let plain = rusqlite::Connection::open(&file).unwrap();
    plain.execute_batch("DROP TABLE networks; DROP TABLE endpoints; DROP TABLE ports; PRAGMA user_version = 1").unwrap();
    drop(plain);
    let db = GraphDb::open(&file).unwrap();
    assert!(db.networks().unwrap().is_empty());
    container(&db, "a");
    let version: i64 = db.connection().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, crate::graphdb::SCHEMA_VERSION);
}
