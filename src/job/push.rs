//! `push`: an image to a registry.

use clap::Args;

/// Upload an image to a registry
#[derive(Args, Clone, Debug)]
pub struct Push {
    /// Allow plain HTTP, and certificates nobody vouches for
    #[arg(long)]
    pub insecure: bool,
    /// Say nothing
    #[arg(short, long)]
    pub quiet: bool,
    /// Image, as NAME[:TAG]
    #[arg(value_name = "NAME[:TAG]")]
    pub reference: String,
}
