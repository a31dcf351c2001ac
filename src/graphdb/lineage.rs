//! Who shares layers with whom: what an image has to itself, what its removal gives back, where containers stand.

use super::{GraphDb, Result, rows};

/// An image's part in the store, bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRow {
    /// The image.
    pub image: String,
    /// Of its layers that other images have, too.
    pub shared: i64,
    /// Of its layers that no other image and no container has: what goes with it.
    pub freed: i64,
    /// Of its blobs, as stored, that no other image names.
    pub blobs: i64,
}

/// A container and the layer it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandRow {
    /// The container.
    pub container: String,
    /// Its name.
    pub name: String,
    /// The word of its state.
    pub status: String,
    /// The image it was made from, which may be gone.
    pub image: Option<String>,
    /// The topmost layer it holds; none if it holds none.
    pub layer: Option<String>,
}

const SHARES: &str = "
    SELECT i.id,
        (SELECT coalesce(sum(l.size), 0) FROM image_layers x JOIN layers l ON l.driver = x.driver AND l.id = x.layer
            WHERE x.driver = i.driver AND x.image = i.id
            AND EXISTS (SELECT 1 FROM image_layers o WHERE o.driver = x.driver AND o.layer = x.layer AND o.image <> x.image)),
        (SELECT coalesce(sum(l.size), 0) FROM image_layers x JOIN layers l ON l.driver = x.driver AND l.id = x.layer
            WHERE x.driver = i.driver AND x.image = i.id
            AND NOT EXISTS (SELECT 1 FROM image_layers o WHERE o.driver = x.driver AND o.layer = x.layer AND o.image <> x.image)
            AND NOT EXISTS (SELECT 1 FROM container_layers c WHERE c.driver = x.driver AND c.layer = x.layer)),
        (SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT b.digest, b.size FROM image_blobs b WHERE b.driver = i.driver AND b.image = i.id
            AND NOT EXISTS (SELECT 1 FROM image_blobs o WHERE o.digest = b.digest AND (o.driver <> b.driver OR o.image <> b.image))))
    FROM images i WHERE i.driver = ?1 ORDER BY i.id";

// The topmost of the layers that a container holds is the one on which none of the others lies.
const STANDS: &str = "
    SELECT c.id, c.name, c.status, c.image,
        (SELECT h.layer FROM container_layers h WHERE h.container = c.id AND NOT EXISTS (
            SELECT 1 FROM layers l CROSS JOIN container_layers o ON o.container = c.id AND o.layer = l.id
            WHERE l.driver = h.driver AND l.parent = h.layer) LIMIT 1)
    FROM containers c WHERE c.driver = ?1 ORDER BY c.name";

// Bounded: a damaged store may have layers that lie on each other in a circle.
const LINEAGE: &str = "
    WITH RECURSIVE up (id, parent, depth) AS (
        SELECT id, parent, 0 FROM layers WHERE driver = ?1 AND id = ?2
        UNION ALL SELECT l.id, l.parent, depth + 1 FROM up JOIN layers l ON l.driver = ?1 AND l.id = up.parent WHERE depth < 10000)
    SELECT id FROM up ORDER BY depth DESC";

impl GraphDb {
    /// A layer and all below it, bottom first; empty if it is not there.
    pub fn lineage(&self, driver: &str, layer: &str) -> Result<Vec<String>> {
        rows(&self.connection(), LINEAGE, [driver, layer], |r| r.get(0))
    }

    /// Every image's part in the store, by identity.
    pub fn shares(&self, driver: &str) -> Result<Vec<ShareRow>> {
        rows(&self.connection(), SHARES, [driver], |r| Ok(ShareRow { image: r.get(0)?, shared: r.get(1)?, freed: r.get(2)?, blobs: r.get(3)? }))
    }

    /// Every container of a driver with the layer it stands on, by name.
    pub fn stands(&self, driver: &str) -> Result<Vec<StandRow>> {
        rows(&self.connection(), STANDS, [driver], |r| {
            Ok(StandRow { container: r.get(0)?, name: r.get(1)?, status: r.get(2)?, image: r.get(3)?, layer: r.get(4)? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphdb::{BlobRow, ContainerRow, ImageRow, LayerRow};

    /// Layers a ─ b ─ c and a ─ d: images one (a b c), two (a d), three (a b); a container of image three.
    fn family() -> (tempfile::TempDir, GraphDb) {
        let folder = tempfile::tempdir().unwrap();
        let db = GraphDb::open(&folder.path().join("graph.db")).unwrap();
        for (id, parent, size) in [("a", None, 1), ("b", Some("a"), 20), ("c", Some("b"), 300), ("d", Some("a"), 4000)] {
            db.insert_layer("vfs", &LayerRow { id: id.into(), parent: parent.map(str::to_owned), diff: id.into(), size }).unwrap();
        }
        for (id, layers) in [("one", "a b c"), ("two", "a d"), ("three", "a b")] {
            let layers: Vec<String> = layers.split(' ').map(str::to_owned).collect();
            let blobs: Vec<BlobRow> = layers.iter().map(|l| BlobRow { digest: format!("blob {l}"), size: 7, media_type: String::new() }).collect();
            let row = ImageRow { id: id.into(), manifest: format!("manifest {id}"), media_type: String::new(), size: 0, created: 0 };
            db.insert_image("vfs", &row, &layers, &blobs, &[]).unwrap();
        }
        let container = ContainerRow {
            id: "k".into(),
            name: "kept".into(),
            status: "exited".into(),
            driver: "vfs".into(),
            image: Some("three".into()),
            created: 0,
            json: "{}".into(),
            state: "{}".into(),
        };
        db.insert_container(&container, &["b".to_owned(), "a".to_owned()], &[], &[]).unwrap();
        (folder, db)
    }

    #[test]
    fn shares_are_told_apart() {
        let (_folder, db) = family();
        let told: Vec<_> = db.shares("vfs").unwrap().into_iter().map(|row| (row.image, row.shared, row.freed, row.blobs)).collect();
        assert_eq!(told, [("one".to_owned(), 21, 300, 7), ("three".to_owned(), 21, 0, 0), ("two".to_owned(), 1, 4000, 7)]);
        assert_eq!(db.shares("overlay").unwrap(), []);
    }

    #[test]
    fn a_layer_knows_those_below_it() {
        let (_folder, db) = family();
        assert_eq!(db.lineage("vfs", "c").unwrap(), ["a", "b", "c"]);
        assert_eq!(db.lineage("vfs", "a").unwrap(), ["a"]);
        assert_eq!(db.lineage("overlay", "a").unwrap(), [""; 0]);
        db.insert_layer("vfs", &LayerRow { id: "ring".into(), parent: Some("ring".into()), diff: "ring".into(), size: 0 }).unwrap();
        assert_eq!(db.lineage("vfs", "ring").unwrap().len(), 10_001, "it ends");
    }

    #[test]
    fn a_container_keeps_what_it_stands_on() {
        let (_folder, db) = family();
        let stand = StandRow { container: "k".into(), name: "kept".into(), status: "exited".into(), image: Some("three".into()), layer: Some("b".into()) };
        assert_eq!(db.stands("vfs").unwrap(), [stand]);
        assert!(db.untag("vfs", &[], Some("one"), true).unwrap());
        let told: Vec<_> = db.shares("vfs").unwrap().into_iter().map(|row| (row.image, row.shared, row.freed)).collect();
        assert_eq!(told, [("three".to_owned(), 1, 0), ("two".to_owned(), 1, 4000)], "the container holds b, and both images a");
        db.delete_container("k", false, None).unwrap();
        assert_eq!(db.shares("vfs").unwrap()[0].freed, 20);
    }
}
