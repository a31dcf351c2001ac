//! Reading an archive of images into the content store.

use super::documents::{Described, describe};
use super::members::Members;
use crate::graph::content::{Content, Parked};
use crate::graph::image::Image;
use crate::graph::manifest::Platform;
use crate::graph::reference::Reference;
use crate::graph::stream::{BUFFER, Compression, decompress, sniff};
use crate::graph::{invalid, named};
use crate::id::{DiffId, Digest};
use std::io::{self, BufReader, Read};

/// What is taken from an archive at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Members.
    pub members: u64,
    /// Bytes of layers, as they are in the archive.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { members: 100_000, bytes: 1 << 40 }
    }
}

/// A layer of a loaded image, in the content store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerBlob {
    /// Digest of the blob.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
    /// How it is compressed.
    pub compression: Compression,
    /// What its tar stream's digest must be.
    pub diff_id: DiffId,
}

/// An image whose documents and layers are in the content store now.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its configuration.
    pub image: Image,
    /// Its manifest: the archive's own, or one made for it.
    pub manifest: Vec<u8>,
    /// The manifest's media type.
    pub media_type: String,
    /// Its layers, bottom first. Their streams are not read yet: whoever extracts them compares the diff ids.
    pub layers: Vec<LayerBlob>,
    /// What the archive calls it.
    pub names: Vec<Reference>,
}

/// Reads an archive, compressed or not, in one pass, and names what its images need in the content store once all of
/// it was found to be right. Of images for several platforms the one for `platform` is taken.
///
/// # Errors
/// `InvalidData` and `NotFound` for what is wrong with the archive, those of the stream and the file system. Nothing
/// is left in the store then, except after a fault of the file system at the very end, unnamed blobs.
pub fn load<R: Read>(stream: R, content: &Content, platform: &Platform, limits: &Limits) -> io::Result<Vec<Loaded>> {
    let (compression, stream) = sniff(BufReader::with_capacity(BUFFER, stream))?;
    let mut plain = decompress(stream, compression.unwrap_or(Compression::Plain))?;
    let members = Members::read(&mut plain, content, limits)?;
    plain.finish()?;
    let mut all = Vec::new();
    let mut blobs = Vec::new();
    for described in describe(&members, platform)? {
        let config = Digest::of(&described.config);
        all.push(check(&members, described, &mut blobs).map_err(|error| named(format_args!("image {config}"), &error))?);
    }
    for blob in blobs {
        blob.commit()?;
    }
    for loaded in &all {
        content.put(loaded.image.raw())?;
        content.put(&loaded.manifest)?;
    }
    Ok(all)
}

/// Compares configuration, manifest and blobs with each other; adds what is to be kept to `blobs`.
fn check(members: &Members, described: Described, blobs: &mut Vec<Parked>) -> io::Result<Loaded> {
    let image = Image::parse(described.config)?;
    if image.diff_ids.len() != described.layers.len() {
        return Err(invalid(format!("its configuration names {} layers, its manifest {}", image.diff_ids.len(), described.layers.len())));
    }
    let mut layers = Vec::new();
    for ((path, descriptor), diff_id) in described.layers.iter().zip(&image.diff_ids) {
        let Some(compression) = Compression::of_media_type(&descriptor.media_type) else {
            return Err(invalid(format!("layer {} is of unknown type {:?}", descriptor.digest, descriptor.media_type)));
        };
        let blob = members.blob_at(path)?.parked;
        if (&blob.digest, blob.size) != (&descriptor.digest, descriptor.size) {
            return Err(invalid(format!("layer {} has {} bytes and digest {}: expected {} bytes", descriptor.digest, blob.size, blob.digest, descriptor.size)));
        }
        if compression == Compression::Plain && blob.digest != *diff_id {
            return Err(invalid(format!("layer {} has another diff id than the configuration says, {diff_id}", blob.digest)));
        }
        blobs.push(blob.clone());
        layers.push(LayerBlob { digest: descriptor.digest.clone(), size: descriptor.size, compression, diff_id: diff_id.clone() });
    }
    Ok(Loaded { image, manifest: described.manifest, media_type: described.media_type, layers, names: described.names })
}

#[cfg(test)]
mod tests {
    use super::super::{Saved, save};
    use super::*;
    use crate::graph::image::{Addition, build};
    use crate::graph::manifest::{Descriptor, Manifest, OCI_CONFIG, OCI_MANIFEST};
    use crate::graph::tar::{Entry, Kind, Writer};
    use std::io::Write;

    fn stores() -> (tempfile::TempDir, Content, Content) {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| Content::open(&folder.path().join(name)).unwrap();
        let (a, b) = (open("a"), open("b"));
        (folder, a, b)
    }

    fn linux() -> Platform {
        Platform { os: "linux".into(), architecture: "amd64".into(), variant: String::new() }
    }

    fn an_image(content: &Content) -> (Image, Saved) {
        let tar = Writer::new(Vec::new()).finish().unwrap();
        let zipped = zstd::encode_all(&tar[..], 1).unwrap();
        let blob = content.put(&zipped).unwrap();
        let image = build(None, &Addition { layer: Some(Digest::of(&tar)), ..Addition::default() }).unwrap();
        let config = Descriptor::new(OCI_CONFIG, image.id().clone(), image.raw().len() as u64);
        let layer = Descriptor::new(Compression::Zstd.media_type(), blob, zipped.len() as u64);
        let manifest = Manifest::new(config, vec![layer]).to_bytes().unwrap();
        let names = ["a/b:1", "x.y/z:2"].map(|name| name.parse().unwrap()).to_vec();
        let saved = Saved { config: image.raw().to_vec(), manifest, media_type: OCI_MANIFEST.into(), names };
        (image, saved)
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (_folder, from, to) = stores();
        let (image, saved) = an_image(&from);
        let archive = save(std::slice::from_ref(&saved), &from, Vec::new()).unwrap();
        assert_eq!(archive, save(std::slice::from_ref(&saved), &from, Vec::new()).unwrap());
        for archive in [archive.clone(), zstd::encode_all(&archive[..], 1).unwrap()] {
            let loaded = load(&archive[..], &to, &linux(), &Limits::default()).unwrap();
            assert_eq!(loaded.len(), 1);
            assert_eq!((&loaded[0].image, &loaded[0].manifest, &loaded[0].names), (&image, &saved.manifest, &saved.names));
            assert!(to.has(&loaded[0].layers[0].digest).unwrap() && to.has(image.id()).unwrap());
        }
        assert_eq!(to.list().unwrap().len(), 3);
    }

    fn old_archive(members: &[(&str, Kind, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (path, kind, bytes) in members {
            let mut entry = Entry { path: path.as_bytes().to_vec(), kind: *kind, mode: 0o644, ..Entry::default() };
            if *kind == Kind::Symlink {
                entry.link = bytes.to_vec();
                writer.entry(&entry).unwrap();
            } else {
                writer.whole(&entry, bytes).unwrap();
            }
        }
        writer.finish().unwrap()
    }

    #[test]
    fn an_old_archive_with_linked_layers_is_loaded() {
        let (_folder, _, to) = stores();
        let tar = Writer::new(Vec::new()).finish().unwrap();
        let first = build(None, &Addition { layer: Some(Digest::of(&tar)), ..Addition::default() }).unwrap();
        let image = build(Some(&first), &Addition { layer: Some(Digest::of(&tar)), ..Addition::default() }).unwrap();
        let manifest = br#"[{"Config":"c.json","RepoTags":["busybox:1"],"Layers":["1/layer.tar","2/layer.tar"]}]"#;
        let archive = old_archive(&[
            ("1/VERSION", Kind::File, b"1.0"),
            ("1/layer.tar", Kind::File, &tar),
            ("2/layer.tar", Kind::Symlink, b"../1/layer.tar"),
            ("c.json", Kind::File, image.raw()),
            ("manifest.json", Kind::File, manifest),
        ]);
        let loaded = load(&archive[..], &to, &linux(), &Limits::default()).unwrap();
        assert_eq!(loaded[0].names[0].familiar(), "busybox:1");
        assert_eq!((loaded[0].image.id(), loaded[0].layers.len()), (image.id(), 2));
        assert_eq!(Manifest::parse(&loaded[0].manifest).unwrap().layers[1].digest, Digest::of(&tar));
    }

    #[test]
    fn wrong_archives_are_refused_and_leave_nothing() {
        let (_folder, from, to) = stores();
        let (_, saved) = an_image(&from);
        let good = save(&[saved], &from, Vec::new()).unwrap();
        let hex = Digest::of(b"y");
        let blob = format!("blobs/sha256/{}", hex.hex());
        let loop_manifest = br#"[{"Config":"a","Layers":[]}]"#;
        for (archive, why) in [
            (good[..good.len() / 2].to_vec(), "cut off"),
            (old_archive(&[("x", Kind::File, b"y")]), "neither index.json"),
            (old_archive(&[("../x", Kind::File, b"y")]), "above the root"),
            (old_archive(&[(&blob, Kind::File, b"not y")]), "digest mismatch"),
            (old_archive(&[("manifest.json", Kind::File, b"{}")]), "cannot be read"),
            (old_archive(&[("manifest.json", Kind::File, br#"[{"Config":"c.json","Layers":[]}]"#)]), "not in the archive"),
            (old_archive(&[("manifest.json", Kind::File, loop_manifest), ("a", Kind::Symlink, b"a")]), "too many links"),
            (b"BZh9xxxxxxx".to_vec(), "bzip2"),
            (b"no archive at all, but long enough to be a header".repeat(20), "checksum"),
        ] {
            let error = load(&archive[..], &to, &linux(), &Limits::default()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            assert!(to.list().unwrap().is_empty());
        }
        let small = Limits { bytes: 10, ..Limits::default() };
        assert!(load(&good[..], &to, &linux(), &small).is_err());
    }

    #[test]
    fn a_damaged_blob_is_not_saved() {
        let (_folder, from, _) = stores();
        let (_, saved) = an_image(&from);
        let layer = Manifest::parse(&saved.manifest).unwrap().layers[0].digest.clone();
        std::fs::OpenOptions::new().append(true).open(from.path(&layer)).unwrap().write_all(b"x").unwrap();
        assert!(save(&[saved], &from, Vec::new()).unwrap_err().to_string().contains("damaged"));
    }
}
