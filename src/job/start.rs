//! `start`: containers started.

use clap::Args;

/// Start containers
#[derive(Args, Clone, Debug, Default)]
pub struct Start {
    /// Connect to its console
    #[arg(short, long)]
    pub attach: bool,
    /// Connect standard input too
    #[arg(short, long)]
    pub interactive: bool,
    /// Keys that leave without ending it (ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<String>,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}
