//! Images in the store: found by name or identity, shown, entered, removed.

use super::containers::shown;
use super::{Engine, Error, Kind, Result};
use crate::container::{Config, Container};
use crate::graph::image::Image as Document;
use crate::graph::reference::Reference;
use crate::graphdb::{BlobRow, ImageRow, LayerRow, TagRow};
use crate::id::{Digest, ImageId, LayerId};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The largest configuration document or manifest.
pub const LARGEST: u64 = 4 << 20;

/// An image as everything here sees it.
#[derive(Clone, Debug)]
pub struct Image {
    /// The digest of its configuration document.
    pub id: ImageId,
    /// Names with tags, as people write them.
    pub tags: Vec<String>,
    /// Names with digests, as people write them.
    pub digests: Vec<String>,
    /// Layers by chain id, bottom first.
    pub layers: Vec<LayerId>,
    /// Bytes of files in its layers.
    pub size: u64,
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// What runs in containers made from it.
    pub config: Config,
    /// The whole configuration document.
    pub document: Arc<Document>,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The manifest's media type.
    pub media_type: String,
}

/// A step of an image's history.
#[derive(Clone, Debug)]
pub struct Step {
    /// The image, for the last step.
    pub image: Option<ImageId>,
    /// When.
    pub created: Option<jiff::Timestamp>,
    /// By which command.
    pub created_by: String,
    /// Bytes of its layer; 0 if it made none.
    pub size: u64,
    /// What its maker said.
    pub comment: String,
}

/// A name taken away or an image removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// A name, or an identity.
    pub what: String,
    /// The image itself, not one of its names.
    pub deleted: bool,
    /// Bytes of layers that went with it.
    pub bytes: u64,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.deleted { "Deleted" } else { "Untagged" }, self.what)
    }
}

/// Reads a name as users write it.
pub fn reference(text: &str) -> Result<Reference> {
    text.parse().map_err(|error| Error::invalid(format!("{error}")))
}

/// A name of the store as people write it.
pub fn familiar(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.familiar())
}

/// A name that an image is to get, with its tag.
pub fn new_name(text: &str) -> Result<Reference> {
    let name = reference(text)?.with_default_tag();
    if name.familiar() == format!("{}:latest", crate::container::HOST_IMAGE) {
        return Err(Error::invalid(format!("{} is reserved: it is this machine's own root file system", shown(text)))
            .hint("choose another name or tag; `kapal run -it host bash` runs on this machine's files"));
    }
    Ok(name)
}

/// A tag that an image is to get: a name without a digest.
pub fn new_tag(text: &str) -> Result<Reference> {
    let name = new_name(text)?;
    if name.digest().is_some() {
        return Err(Error::invalid(format!("{}: a tag cannot be a digest, that is what an image has by itself", shown(text))));
    }
    Ok(name)
}

/// `linux/amd64` and the like.
pub fn own_platform() -> String {
    format!("linux/{}", crate::graph::image::architecture())
}

/// Whether a text can only be an identity, never a name to pull.
pub fn is_identity(text: &str) -> bool {
    text.starts_with("sha256:") || (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A new image: what its row, layers, blobs and names are to be.
#[derive(Debug)]
pub struct NewImage<'a> {
    /// The configuration document, whose bytes are in the content store.
    pub document: &'a Document,
    /// The manifest's digest, whose bytes are in the content store.
    pub manifest: Digest,
    /// The manifest's media type.
    pub media_type: String,
    /// Blobs of its layers, bottom first.
    pub blobs: Vec<BlobRow>,
    /// Names to point at it: the whole reference, and whether it is one by digest.
    pub names: Vec<(String, bool)>,
}

impl Engine {
    /// The image that `text` means: a name, an identity or the beginning of just one.
    pub fn image(&self, text: &str) -> Result<Image> {
        let driver = self.graph()?.name();
        if text == crate::container::HOST_IMAGE {
            return Err(Error::not_found("host is this machine's own root file system, not an image of the store").hint("`kapal run -it host bash` runs on it"));
        }
        if let Ok(reference) = text.parse::<Reference>()
            && let Some(row) = self.named(driver, &reference)?
        {
            return self.image_of(&row);
        }
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if !digits.is_empty() && digits.len() <= 64 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            let mut rows = self.db().images_like(driver, digits)?;
            match (rows.len(), rows.pop()) {
                (1, Some(row)) => return self.image_of(&row),
                (2.., _) => return Err(Error::invalid(format!("{} is the beginning of more than one image's id: give more digits", shown(text)))),
                _ => {}
            }
        }
        // A text that is no name at all is told so.
        if !is_identity(text) {
            reference(text)?;
        }
        let error = Error::not_found(format!("no such image: {}", shown(text)));
        Err(if is_identity(text) {
            error.hint("`kapal images` lists those at hand")
        } else {
            error.hint(format!("`kapal images` lists those at hand, `kapal pull {}` downloads it", shown(text)))
        })
    }

    fn named(&self, driver: &str, reference: &Reference) -> Result<Option<ImageRow>> {
        if let Some(digest) = reference.digest() {
            let name = format!("{}@{digest}", reference.name());
            if let Some(row) = self.db().image_named(driver, &name)? {
                return Ok(Some(row));
            }
        }
        let tagged = reference.clone().with_default_tag();
        Ok(if reference.digest().is_some() { None } else { self.db().image_named(driver, &tagged.to_string())? })
    }

    /// All images, newest first.
    pub fn images(&self) -> Result<Vec<Image>> {
        let (images, mut damaged) = self.sound_images()?;
        match damaged.pop() {
            None => Ok(images),
            Some(error) => Err(error),
        }
    }

    /// All images that can be read, newest first, and what is wrong with the others.
    pub fn sound_images(&self) -> Result<(Vec<Image>, Vec<Error>)> {
        let driver = self.graph()?.name();
        let mut tags: HashMap<String, Vec<TagRow>> = HashMap::new();
        for tag in self.db().tags(driver)? {
            tags.entry(tag.image.clone()).or_default().push(tag);
        }
        let mut layers: HashMap<String, Vec<String>> = HashMap::new();
        for (image, layer) in self.db().layers_of_images(driver)? {
            layers.entry(image).or_default().push(layer);
        }
        let (mut images, mut damaged) = (Vec::new(), Vec::new());
        for row in self.db().images(driver)? {
            let (tags, layers) = (tags.remove(&row.id).unwrap_or_default(), layers.remove(&row.id).unwrap_or_default());
            match self.image_from(&row, &layers, &tags) {
                Ok(image) => images.push(image),
                Err(error) => damaged.push(error),
            }
        }
        Ok((images, damaged))
    }

    fn image_of(&self, row: &ImageRow) -> Result<Image> {
        let driver = self.graph()?.name();
        self.image_from(row, &self.db().image_layers(driver, &row.id)?, &self.db().tags_of(driver, &row.id)?)
    }

    fn image_from(&self, row: &ImageRow, layers: &[String], tags: &[TagRow]) -> Result<Image> {
        let damaged = |error: &dyn fmt::Display| {
            Error::new(Kind::Corrupt, format!("image {} is damaged in the store: {error}", row.id))
                .hint("`kapal system check --repair` mends the store; pull it again")
        };
        let bad_id = |e: crate::id::IdError| damaged(&e);
        let id: ImageId = row.id.parse().map_err(bad_id)?;
        let read = || Document::parse(self.content().read(&id, LARGEST).map_err(|e| damaged(&e))?).map_err(|e| damaged(&e));
        let document = self.0.documents.get(&id, read)?;
        let mut image = Image {
            tags: Vec::new(),
            digests: Vec::new(),
            layers: layers.iter().map(|id| id.parse()).collect::<std::result::Result<_, _>>().map_err(bad_id)?,
            size: row.size.unsigned_abs(),
            created: document.created,
            config: document.config.clone(),
            document,
            manifest: row.manifest.parse().map_err(bad_id)?,
            media_type: row.media_type.clone(),
            id,
        };
        for tag in tags {
            let familiar = familiar(&tag.name);
            if tag.is_digest { image.digests.push(familiar) } else { image.tags.push(familiar) }
        }
        Ok(image)
    }

    /// Bytes of the image a container was made from.
    pub fn image_size(&self, container: &Container) -> Result<u64> {
        let Some(id) = &container.image_id else { return Ok(0) };
        Ok(self.db().image(&container.driver, id.as_str())?.map_or(0, |row| row.size.unsigned_abs()))
    }

    /// How an image was made, the last step first.
    pub fn history(&self, text: &str) -> Result<Vec<Step>> {
        let image = self.image(text)?;
        let sizes = self.db().image_layer_rows(self.graph()?.name(), image.id.as_str())?;
        let mut sizes = sizes.iter().map(|row| row.size.unsigned_abs());
        let mut steps: Vec<Step> = image
            .document
            .history
            .iter()
            .map(|step| Step {
                image: None,
                created: step.created,
                created_by: step.created_by.clone(),
                size: if step.empty_layer { 0 } else { sizes.next().unwrap_or(0) },
                comment: step.comment.clone(),
            })
            .collect();
        // A document may tell nothing of its layers.
        steps.extend(sizes.map(|size| Step { image: None, created: None, created_by: String::new(), size, comment: String::new() }));
        if let Some(last) = steps.last_mut() {
            last.image = Some(image.id);
        }
        steps.reverse();
        Ok(steps)
    }

    /// Names a layer whose files the driver has.
    pub fn enter_layer(&self, id: &LayerId, parent: Option<&LayerId>, diff: &Digest, size: u64) -> Result<()> {
        let row = LayerRow { id: id.to_string(), parent: parent.map(ToString::to_string), diff: diff.to_string(), size: size as i64 };
        Ok(self.db().insert_layer(self.graph()?.name(), &row)?)
    }

    /// Enters an image whose layers are named and whose blobs are in their place, points its names at it, and forgets
    /// images that lost their last name by that and are not used. The caller brings in.
    pub fn enter_image(&self, new: &NewImage<'_>) -> Result<ImageId> {
        let driver = self.graph()?.name();
        let layers: Vec<LayerId> = new.document.layer_ids();
        let mut size = 0;
        for id in &layers {
            size += self.db().layer(driver, id.as_str())?.map_or(0, |row| row.size);
        }
        let id = new.document.id().clone();
        let row = ImageRow {
            id: id.to_string(),
            manifest: new.manifest.to_string(),
            media_type: new.media_type.clone(),
            size,
            created: new.document.created.map_or(0, jiff::Timestamp::as_second),
        };
        let layers: Vec<String> = layers.iter().map(ToString::to_string).collect();
        self.db().insert_image(driver, &row, &layers, &new.blobs, &new.names)?;
        Ok(id)
    }

    /// Takes a name from an image, or the whole image by its identity; with its last name the image goes too.
    pub fn remove_image(&self, text: &str, force: bool) -> Result<Vec<Removed>> {
        let image = self.image(text)?;
        let driver = self.graph()?.name();
        // A name that looks like the beginning of its image's identity is still that one name.
        let by_identity = match text.parse::<Reference>() {
            Ok(reference) => self.named(driver, &reference)?.is_none(),
            Err(_) => true,
        };
        let all = self.db().tags_of(driver, image.id.as_str())?;
        let tags: Vec<&str> = all.iter().filter(|tag| !tag.is_digest).map(|tag| tag.name.as_str()).collect();
        let names: Vec<String> = if by_identity {
            if tags.len() > 1 && !force {
                return Err(
                    Error::conflict(format!("image {} has several names: {}", image.id.short(), image.tags.join(", "))).hint("add -f to take all of them away")
                );
            }
            all.iter().map(|tag| tag.name.clone()).collect()
        } else {
            let wanted = reference(text)?;
            let name = match wanted.digest() {
                Some(digest) => format!("{}@{digest}", wanted.name()),
                None => wanted.clone().with_default_tag().to_string(),
            };
            let last = tags.iter().all(|tag| *tag == name);
            // With its last tag its digests go as well: they are no name that anyone gave.
            if last { all.iter().map(|tag| tag.name.clone()).collect() } else { vec![name] }
        };
        let whole = names.len() == all.len();
        if whole {
            self.check_unused(&image, force)?;
        }
        let _operation = self.operation()?;
        let deleted = self.db().untag(driver, &names, whole.then_some(image.id.as_str()), force)?;
        let mut removed: Vec<Removed> = names.iter().map(|name| Removed { what: familiar(name), deleted: false, bytes: 0 }).collect();
        if deleted {
            let bytes = self.collect()?;
            removed.push(Removed { what: image.id.to_string(), deleted: true, bytes });
        }
        self.tell_of("image", if deleted { "delete" } else { "untag" }, image.id.as_str(), text);
        Ok(removed)
    }

    fn check_unused(&self, image: &Image, force: bool) -> Result<()> {
        for (id, name, status) in self.db().containers_of_image(self.graph()?.name(), image.id.as_str())? {
            let alive = matches!(status.as_str(), "running" | "paused" | "restarting");
            if alive || !force {
                let error = Error::conflict(format!(
                    "image {} is used by {} container {name} ({})",
                    image.id.short(),
                    if alive { "running" } else { "stopped" },
                    &id[..id.len().min(12)]
                ));
                return Err(error.hint(if alive { "stop and remove the container first".to_owned() } else { format!("`kapal rm {name}` first, or add -f") }));
            }
        }
        Ok(())
    }

    /// Bytes of all blobs.
    pub fn content_size(&self) -> Result<u64> {
        let failed = |e: std::io::Error| Error::io("cannot look at blobs", &e);
        let mut total = 0;
        for digest in self.content().list().map_err(failed)? {
            // One that is collected just then counts nothing.
            total += self.content().size(&digest).unwrap_or(0);
        }
        Ok(total)
    }
}

impl Image {
    /// As `inspect` shows it.
    ///
    /// Source of the names: Docker Engine API, ImageInspect.
    pub fn inspect(&self) -> Value {
        json!({
            "Id": self.id,
            "RepoTags": self.tags,
            "RepoDigests": self.digests,
            "Created": self.created.map(|created| created.to_string()),
            "Author": self.document.author,
            "Config": super::files::shown(&self.config),
            "Architecture": self.document.architecture,
            "Variant": self.document.variant,
            "Os": self.document.os,
            "Size": self.size,
            "RootFS": { "Type": "layers", "Layers": self.document.diff_ids },
            "Manifest": { "Digest": self.manifest, "MediaType": self.media_type },
        })
    }
}
