//! `login` and `logout`: credentials for registries.

use crate::engine::{Error, Job, JobContext, Result, registries};
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

/// A login that worked.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// Where.
    pub registry: String,
    /// What the user should know about where the credentials are now.
    pub warning: Option<String>,
}

/// The registry's host; docker's own names for its own one.
fn host(registry: Option<&str>) -> String {
    let text = registry.unwrap_or("docker.io");
    let host = text.trim_start_matches("https://").trim_start_matches("http://").split('/').next().unwrap_or_default();
    if matches!(host, "index.docker.io" | "registry-1.docker.io" | "") { "docker.io".to_owned() } else { host.to_owned() }
}

impl Job for Login {
    type Output = LoggedIn;
    const VERB: &'static str = "login";

    fn title(&self) -> String {
        format!("login {}", host(self.registry.as_deref()))
    }

    async fn run(self, context: JobContext) -> Result<LoggedIn> {
        let host = host(self.registry.as_deref());
        let (Some(user), Some(password)) = (self.username.as_deref(), self.password.as_deref()) else {
            return Err(Error::invalid("login needs a user and a password"));
        };
        if user.is_empty() || password.is_empty() {
            return Err(Error::invalid("login needs a user and a password: one of them is empty"));
        }
        let client = registries::client(&context, &host, self.insecure)?;
        client.login(&host, user, password).await?;
        let file = context.engine.options().docker_config.join("config.json");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let plain = !text.contains("\"credsStore\"") && !text.contains("\"credHelpers\"");
        let warning = plain.then(|| format!("Your credentials are stored unencrypted in {}. A credential helper keeps them better.", file.display()));
        Ok(LoggedIn { registry: host, warning })
    }
}

impl Job for Logout {
    type Output = String;
    const VERB: &'static str = "logout";

    fn title(&self) -> String {
        format!("logout {}", host(self.registry.as_deref()))
    }

    async fn run(self, context: JobContext) -> Result<String> {
        let host = host(self.registry.as_deref());
        registries::client(&context, &host, false)?.logout(&host).await?;
        Ok(host)
    }
}
