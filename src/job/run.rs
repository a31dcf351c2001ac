//! `run`: a container made and started.

use super::options::ContainerOptions;
use clap::Args;

/// Make a container from an image and start it
#[derive(Args, Clone, Debug, Default)]
pub struct Run {
    /// Do not wait for it; print its id
    #[arg(short, long)]
    pub detach: bool,
    /// Keys that leave without ending it (ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<String>,
    /// Pass signals on to it
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub sig_proxy: bool,
    /// How.
    #[command(flatten)]
    pub options: ContainerOptions,
}
