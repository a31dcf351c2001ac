//! `load`: images read from an archive.

use clap::Args;
use std::path::PathBuf;

/// Read images from a tar archive: an OCI layout, or one that docker saved
#[derive(Args, Clone, Debug, Default)]
pub struct Load {
    /// File in place of standard input
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Say nothing but the names
    #[arg(short, long)]
    pub quiet: bool,
}
