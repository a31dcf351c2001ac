//! `save`: images written into an archive.

use clap::Args;
use std::path::PathBuf;

/// Write images into a tar archive that kapal, docker and skopeo read
#[derive(Args, Clone, Debug)]
pub struct Save {
    /// File in place of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Images
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
}
