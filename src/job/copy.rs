//! `cp`: files between a container and this machine.

use clap::Args;

/// Copy files between a container and this machine; - is a tar archive on standard input or output
#[derive(Args, Clone, Debug)]
pub struct Copy {
    /// Keep owners
    #[arg(short, long)]
    pub archive: bool,
    /// Follow a symbolic link that the source is
    #[arg(short = 'L', long)]
    pub follow_link: bool,
    /// Say nothing
    #[arg(short, long)]
    pub quiet: bool,
    /// CONTAINER:PATH, PATH or -
    pub source: String,
    /// CONTAINER:PATH, PATH or -
    pub target: String,
}
