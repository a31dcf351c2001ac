//! Images, their layers and blobs, and the tags that name them.

use super::{Error, GraphDb, Result, rows};
use rusqlite::{OptionalExtension, Row, params};

/// A layer in its place below a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRow {
    /// Chain id.
    pub id: String,
    /// The layer below.
    pub parent: Option<String>,
    /// The digest of its uncompressed tar.
    pub diff: String,
    /// Bytes of files in it.
    pub size: i64,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRow {
    /// The digest of its configuration document.
    pub id: String,
    /// The digest of its manifest.
    pub manifest: String,
    /// The manifest's media type.
    pub media_type: String,
    /// Bytes of files in all its layers.
    pub size: i64,
    /// When it was made, seconds since 1970.
    pub created: i64,
}

/// A blob that an image's manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// Its digest.
    pub digest: String,
    /// Bytes as stored.
    pub size: i64,
    /// What it is.
    pub media_type: String,
}

/// A name of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRow {
    /// The whole reference, `docker.io/library/busybox:1` or `docker.io/library/busybox@sha256:…`.
    pub name: String,
    /// The image.
    pub image: String,
    /// Named by digest.
    pub is_digest: bool,
}

fn image(row: &Row<'_>) -> rusqlite::Result<ImageRow> {
    Ok(ImageRow { id: row.get(0)?, manifest: row.get(1)?, media_type: row.get(2)?, size: row.get(3)?, created: row.get(4)? })
}

fn tag(row: &Row<'_>) -> rusqlite::Result<TagRow> {
    Ok(TagRow { name: row.get(0)?, image: row.get(1)?, is_digest: row.get(2)? })
}

const IMAGE: &str = "id, manifest, media_type, size, created";

impl GraphDb {
    /// The layer, if it is in its place.
    pub fn layer(&self, driver: &str, id: &str) -> Result<Option<LayerRow>> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT id, parent, diff, size FROM layers WHERE driver = ?1 AND id = ?2")?;
        Ok(statement.query_row([driver, id], layer).optional()?)
    }

    /// Names a layer whose files are in their place. Naming it again changes nothing.
    pub fn insert_layer(&self, driver: &str, layer: &LayerRow) -> Result<()> {
        self.write(|tx| {
            tx.prepare_cached("INSERT OR IGNORE INTO layers (driver, id, parent, diff, size, created) VALUES (?1, ?2, ?3, ?4, ?5, unixepoch())")?
                .execute(params![driver, layer.id, layer.parent, layer.diff, layer.size])?;
            Ok(())
        })
    }

    /// All layers of a driver.
    pub fn layers(&self, driver: &str) -> Result<Vec<LayerRow>> {
        rows(&self.connection(), "SELECT id, parent, diff, size FROM layers WHERE driver = ?1", [driver], layer)
    }

    /// Enters an image with its layers (bottom first, all named already) and blobs, and points `tags` at it; done
    /// again, only the tags change. Returns the images those tags named before.
    pub fn insert_image(&self, driver: &str, row: &ImageRow, layers: &[String], blobs: &[BlobRow], tags: &[(String, bool)]) -> Result<Vec<String>> {
        self.write(|tx| {
            for layer in layers {
                if !tx.prepare_cached("SELECT 1 FROM layers WHERE driver = ?1 AND id = ?2")?.exists([driver, layer])? {
                    return Err(Error::Missing(format!("layer {layer}: it was removed meanwhile")));
                }
            }
            let new = tx
                .prepare_cached("INSERT OR IGNORE INTO images (driver, id, manifest, media_type, size, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(params![driver, row.id, row.manifest, row.media_type, row.size, row.created])?
                > 0;
            if new {
                for (position, layer) in layers.iter().enumerate() {
                    tx.prepare_cached("INSERT INTO image_layers VALUES (?1, ?2, ?3, ?4)")?.execute(params![driver, row.id, position as i64, layer])?;
                }
                for (position, blob) in blobs.iter().enumerate() {
                    tx.prepare_cached("INSERT INTO image_blobs VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
                        driver,
                        row.id,
                        position as i64,
                        blob.digest,
                        blob.size,
                        blob.media_type
                    ])?;
                }
            }
            let mut before = Vec::new();
            for (name, is_digest) in tags {
                let old: Option<String> =
                    tx.prepare_cached("SELECT image FROM tags WHERE driver = ?1 AND name = ?2")?.query_row([driver, name], |r| r.get(0)).optional()?;
                before.extend(old.filter(|old| *old != row.id));
                tx.prepare_cached("INSERT OR REPLACE INTO tags VALUES (?1, ?2, ?3, ?4)")?.execute(params![driver, name, row.id, is_digest])?;
            }
            Ok(before)
        })
    }

    /// The image with this whole identity.
    pub fn image(&self, driver: &str, id: &str) -> Result<Option<ImageRow>> {
        let connection = self.connection();
        Ok(connection.prepare_cached(&format!("SELECT {IMAGE} FROM images WHERE driver = ?1 AND id = ?2"))?.query_row([driver, id], image).optional()?)
    }

    /// The image that a whole reference names.
    pub fn image_named(&self, driver: &str, name: &str) -> Result<Option<ImageRow>> {
        let connection = self.connection();
        let sql = "SELECT i.id, manifest, media_type, size, created FROM tags t JOIN images i ON i.driver = t.driver AND i.id = t.image WHERE t.driver = ?1 AND t.name = ?2";
        Ok(connection.prepare_cached(sql)?.query_row([driver, name], image).optional()?)
    }

    /// The images whose identity begins with `sha256:` and these digits (at most two).
    pub fn images_like(&self, driver: &str, digits: &str) -> Result<Vec<ImageRow>> {
        let low = format!("sha256:{digits}");
        rows(&self.connection(), &format!("SELECT {IMAGE} FROM images WHERE driver = ?1 AND id >= ?2 AND id < ?2 || 'g' LIMIT 2"), [driver, &low], image)
    }

    /// All images, newest first.
    pub fn images(&self, driver: &str) -> Result<Vec<ImageRow>> {
        rows(&self.connection(), &format!("SELECT {IMAGE} FROM images WHERE driver = ?1 ORDER BY created DESC, id"), [driver], image)
    }

    /// An image's layers, bottom first.
    pub fn image_layers(&self, driver: &str, id: &str) -> Result<Vec<String>> {
        rows(&self.connection(), "SELECT layer FROM image_layers WHERE driver = ?1 AND image = ?2 ORDER BY position", [driver, id], |r| r.get(0))
    }

    /// Every image with each of its layers, bottom first.
    pub fn layers_of_images(&self, driver: &str) -> Result<Vec<(String, String)>> {
        rows(&self.connection(), "SELECT image, layer FROM image_layers WHERE driver = ?1 ORDER BY image, position", [driver], |r| Ok((r.get(0)?, r.get(1)?)))
    }

    /// The layers of an image whole, bottom first.
    pub fn image_layer_rows(&self, driver: &str, id: &str) -> Result<Vec<LayerRow>> {
        let sql = "SELECT l.id, l.parent, l.diff, l.size FROM image_layers i JOIN layers l ON l.driver = i.driver AND l.id = i.layer WHERE i.driver = ?1 AND i.image = ?2 ORDER BY i.position";
        rows(&self.connection(), sql, [driver, id], layer)
    }

    /// An image's layer blobs, bottom first.
    pub fn image_blobs(&self, driver: &str, id: &str) -> Result<Vec<BlobRow>> {
        rows(&self.connection(), "SELECT digest, size, media_type FROM image_blobs WHERE driver = ?1 AND image = ?2 ORDER BY position", [driver, id], |r| {
            Ok(BlobRow { digest: r.get(0)?, size: r.get(1)?, media_type: r.get(2)? })
        })
    }

    /// All names, sorted.
    pub fn tags(&self, driver: &str) -> Result<Vec<TagRow>> {
        rows(&self.connection(), "SELECT name, image, is_digest FROM tags WHERE driver = ?1 ORDER BY name", [driver], tag)
    }

    /// An image's names, sorted.
    pub fn tags_of(&self, driver: &str, id: &str) -> Result<Vec<TagRow>> {
        rows(&self.connection(), "SELECT name, image, is_digest FROM tags WHERE driver = ?1 AND image = ?2 ORDER BY name", [driver, id], tag)
    }

    /// Points a name at an image; `is_digest` for a name by digest.
    pub fn set_tag(&self, driver: &str, name: &str, id: &str, is_digest: bool) -> Result<()> {
        self.write(|tx| {
            if !tx.prepare_cached("SELECT 1 FROM images WHERE driver = ?1 AND id = ?2")?.exists([driver, id])? {
                return Err(Error::Missing(format!("image {id}")));
            }
            tx.execute("INSERT OR REPLACE INTO tags VALUES (?1, ?2, ?3, ?4)", params![driver, name, id, is_digest])?;
            Ok(())
        })
    }

    /// Takes names away, and the image itself if `image` is given and no other name and no container is left (or
    /// `force`: whatever containers there are, their layers stay with them). Tells whether the image went.
    pub fn untag(&self, driver: &str, names: &[String], image: Option<&str>, force: bool) -> Result<bool> {
        self.write(|tx| {
            for name in names {
                tx.execute("DELETE FROM tags WHERE driver = ?1 AND name = ?2", [driver, name])?;
            }
            let Some(image) = image else { return Ok(false) };
            let named: bool = tx.prepare("SELECT 1 FROM tags WHERE driver = ?1 AND image = ?2")?.exists([driver, image])?;
            let used: bool = tx.prepare("SELECT 1 FROM containers WHERE driver = ?1 AND image = ?2")?.exists([driver, image])?;
            if named || (used && !force) {
                return Ok(false);
            }
            for table in ["image_layers", "image_blobs"] {
                tx.execute(&format!("DELETE FROM {table} WHERE driver = ?1 AND image = ?2"), [driver, image])?;
            }
            Ok(tx.execute("DELETE FROM images WHERE driver = ?1 AND id = ?2", [driver, image])? > 0)
        })
    }
}

fn layer(row: &Row<'_>) -> rusqlite::Result<LayerRow> {
    Ok(LayerRow { id: row.get(0)?, parent: row.get(1)?, diff: row.get(2)?, size: row.get(3)? })
}
