//! `login` and `logout`: credentials for registries.

use clap::Args;

/// Log in to a registry
#[derive(Args, Clone)]
pub struct Login {
    /// User
    #[arg(short, long, value_name = "NAME")]
    pub username: Option<String>,
    /// Password or token (rather --password-stdin: a command line can be read by others)
    #[arg(short, long, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// Allow plain HTTP, and certificates nobody vouches for
    #[arg(long)]
    pub insecure: bool,
    /// Registry (docker.io if none)
    #[arg(value_name = "REGISTRY")]
    pub registry: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A password is shown to nobody, not even in a trace.
        write!(f, "Login({:?} at {:?})", self.username, self.registry)
    }
}

/// Log out from a registry
#[derive(Args, Clone, Debug)]
pub struct Logout {
    /// Registry (docker.io if none)
    #[arg(value_name = "REGISTRY")]
    pub registry: Option<String>,
}
