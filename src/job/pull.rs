//! `pull`: an image from a registry, its layers in parallel, each streamed once.

use crate::engine::{Job, JobContext, Result};
use crate::id::{Digest, ImageId};
use clap::Args;
use serde::Serialize;

/// Download an image from a registry
#[derive(Args, Clone, Debug)]
pub struct Pull {
    /// Image, as NAME[:TAG] or NAME@DIGEST
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub reference: String,
    /// Platform of a multi-platform image (linux/arm64)
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", env = "DOCKER_DEFAULT_PLATFORM")]
    pub platform: Option<String>,
    /// Download all tags of the repository
    #[arg(short, long)]
    pub all_tags: bool,
    /// Say nothing but the image's name at the end
    #[arg(short, long)]
    pub quiet: bool,
    /// Allow plain HTTP, and certificates nobody vouches for
    #[arg(long)]
    pub insecure: bool,
}

/// What a pull brought.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pulled {
    /// The reference, whole.
    pub reference: String,
    /// The digest of what the registry holds under that name.
    pub digest: Digest,
    /// The image.
    pub image: ImageId,
    /// It was there already, all of it.
    pub up_to_date: bool,
}
