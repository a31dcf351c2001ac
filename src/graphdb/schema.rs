//! The tables, and how a store of an earlier version comes to have those of this one.

use super::Result;
use rusqlite::{Connection, TransactionBehavior};

/// The version of the tables below; a store with a higher one was written by a newer kapal.
pub const VERSION: i64 = 2;

/// What each version adds to the one before.
const STEPS: [&str; VERSION as usize] = [FIRST, NETWORKS];

const FIRST: &str = "
CREATE TABLE layers (
    driver TEXT NOT NULL, id TEXT NOT NULL, parent TEXT, diff TEXT NOT NULL, size INTEGER NOT NULL, created INTEGER NOT NULL,
    PRIMARY KEY (driver, id)) WITHOUT ROWID;
CREATE INDEX layers_by_parent ON layers (driver, parent);
CREATE TABLE images (
    driver TEXT NOT NULL, id TEXT NOT NULL, manifest TEXT NOT NULL, media_type TEXT NOT NULL, size INTEGER NOT NULL, created INTEGER NOT NULL,
    PRIMARY KEY (driver, id)) WITHOUT ROWID;
CREATE TABLE image_layers (
    driver TEXT NOT NULL, image TEXT NOT NULL, position INTEGER NOT NULL, layer TEXT NOT NULL,
    PRIMARY KEY (driver, image, position)) WITHOUT ROWID;
CREATE INDEX image_layers_by_layer ON image_layers (driver, layer);
CREATE TABLE image_blobs (
    driver TEXT NOT NULL, image TEXT NOT NULL, position INTEGER NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, media_type TEXT NOT NULL,
    PRIMARY KEY (driver, image, position)) WITHOUT ROWID;
CREATE INDEX image_blobs_by_digest ON image_blobs (digest);
CREATE TABLE tags (
    driver TEXT NOT NULL, name TEXT NOT NULL, image TEXT NOT NULL, is_digest INTEGER NOT NULL,
    PRIMARY KEY (driver, name)) WITHOUT ROWID;
CREATE INDEX tags_by_image ON tags (driver, image);
CREATE TABLE containers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, status TEXT NOT NULL, driver TEXT NOT NULL, image TEXT, created INTEGER NOT NULL,
    json TEXT NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX containers_by_status ON containers (status);
CREATE TABLE container_layers (
    container TEXT NOT NULL, driver TEXT NOT NULL, layer TEXT NOT NULL,
    PRIMARY KEY (container, layer)) WITHOUT ROWID;
CREATE INDEX container_layers_by_layer ON container_layers (driver, layer);
CREATE TABLE volumes (
    name TEXT PRIMARY KEY, created INTEGER NOT NULL, anonymous INTEGER NOT NULL, labels TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE container_volumes (
    container TEXT NOT NULL, volume TEXT NOT NULL,
    PRIMARY KEY (container, volume)) WITHOUT ROWID;
CREATE INDEX container_volumes_by_volume ON container_volumes (volume);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, verb TEXT NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL, started INTEGER NOT NULL, finished INTEGER,
    error TEXT NOT NULL DEFAULT '', progress TEXT NOT NULL DEFAULT '', pid INTEGER NOT NULL, pid_start INTEGER NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, kind TEXT NOT NULL, action TEXT NOT NULL, actor TEXT NOT NULL, attributes TEXT NOT NULL);
";

/// `v4` and `v6` count from the first address of the network's block of that family; `aliases` are apart by spaces.
const NETWORKS: &str = "
CREATE TABLE networks (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, json TEXT NOT NULL,
    last_v4 INTEGER NOT NULL DEFAULT -1, last_v6 INTEGER NOT NULL DEFAULT -1) WITHOUT ROWID;
CREATE TABLE endpoints (
    container TEXT NOT NULL, network TEXT NOT NULL, position INTEGER NOT NULL, v4 INTEGER, v6 INTEGER, json TEXT NOT NULL, aliases TEXT NOT NULL,
    PRIMARY KEY (container, network), UNIQUE (network, v4), UNIQUE (network, v6)) WITHOUT ROWID;
CREATE TABLE ports (
    protocol TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL, container TEXT NOT NULL, inside INTEGER NOT NULL,
    PRIMARY KEY (protocol, port, address)) WITHOUT ROWID;
CREATE INDEX ports_by_container ON ports (container);
";

/// Gives the store the tables of this version, unless another process did so meanwhile.
pub(super) fn bring_up(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    // A newer process may have gone further meanwhile.
    if version < VERSION {
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}
