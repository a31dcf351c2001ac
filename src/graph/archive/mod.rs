//! Archives of images: one tar that `docker load`, and skopeo as `docker-archive:` and `oci-archive:`, all read.
//!
//! ```text
//!  oci-layout           {"imageLayoutVersion": "1.0.0"}
//!  index.json           OCI: a manifest for each image, names as annotations
//!  manifest.json        Docker: configuration, names and layers of each image, as paths in this archive
//!  blobs/sha256/HEX     manifests, configurations, layers
//! ```
//!
//! Older archives by Docker have no blobs: layers are `ID/layer.tar` (or links to such), the configuration `HEX.json`.
//! Sources: OCI image specification, image-layout.md; Docker's image specification v1.2, "Combined Image JSON +
//! Filesystem Changeset Format".

mod documents;
mod load;
mod members;
mod save;

pub use load::{LayerBlob, Limits, Loaded, load};
pub use save::{Saved, save};

use serde::{Deserialize, Serialize};

/// Annotation with an image's whole name.
const NAME_ANNOTATION: &str = "io.containerd.image.name";

/// Annotation with what an image is called in the archive: its tag, or anything.
const REF_ANNOTATION: &str = "org.opencontainers.image.ref.name";

/// One image of Docker's `manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    /// Path of the configuration document.
    config: String,
    /// Names with tags, in short form.
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    /// Paths of the layers, bottom first.
    layers: Vec<String>,
}
