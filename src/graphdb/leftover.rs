//! What no relation leads to any more, and relations that lead nowhere.

use super::{GraphDb, Result, rows};

impl GraphDb {
    /// Takes out the layers that no image and no container uses, and returns their identities, topmost first.
    ///
    /// The caller keeps every other process from using layers meanwhile (the store's collection lock).
    pub fn delete_unused_layers(&self, driver: &str) -> Result<Vec<String>> {
        self.write(|tx| {
            let sql = "SELECT id FROM layers l WHERE driver = ?1
                AND NOT EXISTS (SELECT 1 FROM image_layers i WHERE i.driver = l.driver AND i.layer = l.id)
                AND NOT EXISTS (SELECT 1 FROM container_layers c WHERE c.driver = l.driver AND c.layer = l.id)";
            let unused = rows(tx, sql, [driver], |r| r.get::<_, String>(0))?;
            for id in &unused {
                tx.prepare_cached("DELETE FROM layers WHERE driver = ?1 AND id = ?2")?.execute([driver, id])?;
            }
            Ok(unused)
        })
    }

    /// Every blob that some image names: layers, manifests and configurations, of all drivers.
    pub fn used_blobs(&self) -> Result<Vec<String>> {
        rows(&self.connection(), "SELECT digest FROM image_blobs UNION SELECT manifest FROM images UNION SELECT id FROM images", [], |r| r.get(0))
    }

    /// Relations that lead nowhere, a sentence each; empty when all is well.
    pub fn dangling(&self) -> Result<Vec<String>> {
        const CHECKS: [(&str, &str); 9] = [
            (
                "tag {} names an image that is not there",
                "SELECT name FROM tags t WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.driver = t.driver AND i.id = t.image)",
            ),
            (
                "image {} needs a layer that is not there",
                "SELECT DISTINCT image FROM image_layers x WHERE NOT EXISTS (SELECT 1 FROM layers l WHERE l.driver = x.driver AND l.id = x.layer)",
            ),
            (
                "layers are listed for image {}, which is not there",
                "SELECT DISTINCT image FROM image_layers x WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.driver = x.driver AND i.id = x.image)",
            ),
            (
                "layer {} lies on a layer that is not there",
                "SELECT id FROM layers l WHERE parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM layers p WHERE p.driver = l.driver AND p.id = l.parent)",
            ),
            (
                "container {} needs a layer that is not there: pull its image again, or remove the container",
                "SELECT DISTINCT container FROM container_layers x WHERE NOT EXISTS (SELECT 1 FROM layers l WHERE l.driver = x.driver AND l.id = x.layer)",
            ),
            (
                "layers are held by container {}, which is not there",
                "SELECT DISTINCT container FROM container_layers x WHERE NOT EXISTS (SELECT 1 FROM containers c WHERE c.id = x.container)",
            ),
            (
                "a place on a network or a port is held by container {}, which is not there",
                "SELECT container FROM endpoints UNION SELECT container FROM ports EXCEPT SELECT id FROM containers",
            ),
            ("a place is held on network {}, which is not there", "SELECT network FROM endpoints EXCEPT SELECT id FROM networks"),
            (
                "container {} needs a volume that is not there",
                "SELECT DISTINCT container FROM container_volumes x WHERE NOT EXISTS (SELECT 1 FROM volumes v WHERE v.name = x.volume)",
            ),
        ];
        let connection = self.connection();
        let mut faults = Vec::new();
        for (sentence, sql) in CHECKS {
            for subject in rows(&connection, sql, [], |r| r.get::<_, String>(0))? {
                faults.push(sentence.replace("{}", &subject));
            }
        }
        Ok(faults)
    }

    /// Mends what [`GraphDb::dangling`] finds by taking out what leads nowhere: tags of absent images, images with an
    /// absent layer, layers on an absent one, rows held by absent containers. Containers themselves stay.
    pub fn cut_dangling(&self) -> Result<()> {
        self.write(|tx| {
            // What lies on an absent layer is no use without it; what a container holds comes back with its image's next pull.
            let hanging = "DELETE FROM layers WHERE parent IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM layers p WHERE p.driver = layers.driver AND p.id = layers.parent)
                AND NOT EXISTS (SELECT 1 FROM container_layers x WHERE x.driver = layers.driver AND x.layer = layers.id)";
            while tx.execute(hanging, [])? > 0 {}
            tx.execute_batch(
                "DELETE FROM images WHERE EXISTS (SELECT 1 FROM image_layers x WHERE x.driver = images.driver AND x.image = images.id
                     AND NOT EXISTS (SELECT 1 FROM layers l WHERE l.driver = x.driver AND l.id = x.layer));
                 DELETE FROM tags WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.driver = tags.driver AND i.id = tags.image);
                 DELETE FROM image_layers WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.driver = image_layers.driver AND i.id = image_layers.image);
                 DELETE FROM image_blobs WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.driver = image_blobs.driver AND i.id = image_blobs.image);
                 DELETE FROM container_layers WHERE NOT EXISTS (SELECT 1 FROM containers c WHERE c.id = container_layers.container);
                 DELETE FROM container_volumes WHERE NOT EXISTS (SELECT 1 FROM containers c WHERE c.id = container_volumes.container);
                 DELETE FROM endpoints WHERE container NOT IN (SELECT id FROM containers) OR network NOT IN (SELECT id FROM networks);
                 DELETE FROM ports WHERE container NOT IN (SELECT id FROM containers);",
            )?;
            Ok(())
        })
    }

    /// Takes out an image whose files are damaged, with its names.
    pub fn delete_image(&self, driver: &str, id: &str) -> Result<()> {
        self.write(|tx| {
            for (table, column) in [("tags", "image"), ("image_layers", "image"), ("image_blobs", "image"), ("images", "id")] {
                tx.execute(&format!("DELETE FROM {table} WHERE driver = ?1 AND {column} = ?2"), [driver, id])?;
            }
            Ok(())
        })
    }

    /// Takes out a layer whose files are gone.
    pub fn delete_layer(&self, driver: &str, id: &str) -> Result<()> {
        self.write(|tx| {
            tx.execute("DELETE FROM layers WHERE driver = ?1 AND id = ?2", [driver, id])?;
            Ok(())
        })
    }
}
