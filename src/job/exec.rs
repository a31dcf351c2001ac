//! `exec`: a command beside a container's own.

use clap::Args;
use std::path::PathBuf;

/// Run a command in a running container
#[derive(Args, Clone, Debug, Default)]
pub struct Exec {
    /// Do not wait for it
    #[arg(short, long)]
    pub detach: bool,
    /// Keys that leave without ending it (ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<String>,
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Set an environment variable; NAME alone takes the value from here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// User, by name or number, and group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Working folder inside
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// All capabilities
    #[arg(long)]
    pub privileged: bool,
    /// Container, then the command and its arguments
    #[arg(value_name = "CONTAINER COMMAND [ARG]", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}
