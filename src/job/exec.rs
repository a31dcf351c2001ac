//! `exec`: a command beside a container's own.

use super::values;
use crate::container::Container;
use crate::engine::attach::Console;
use crate::engine::shell::{self, Shell, Tools};
use crate::engine::{Error, ExecOptions, Job, JobContext, Result};
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
    /// Bring tools along and run the command from them; sh if none is given. Nothing of them is left in the container's
    /// files
    #[arg(long, value_enum, value_name = "TOOLS", num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    pub toolbox: Option<Tools>,
    /// Rows and columns of the terminal here, read by the front-end.
    #[arg(skip)]
    pub size: Option<(u16, u16)>,
    /// Container, then the command and its arguments
    #[arg(value_name = "CONTAINER COMMAND [ARG]", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

impl Exec {
    /// A shell on a terminal: the container's own, or that of the toolbox where it has none.
    pub fn shell(container: &Container, shell: Shell) -> Self {
        let (toolbox, command) = match shell {
            Shell::Own(path) => (None, Some(path)),
            Shell::Toolbox => (Some(Tools::Auto), None),
        };
        let words = std::iter::once(container.name.clone()).chain(command).collect();
        Self { interactive: true, tty: true, toolbox, words, ..Self::default() }
    }
}

/// A command that runs beside a container's own.
#[derive(Debug)]
pub struct Started {
    /// A name for it.
    pub id: String,
    /// Its console, unless it is detached.
    pub console: Option<Console>,
}

impl Job for Exec {
    type Output = Started;
    const VERB: &'static str = "exec";

    fn title(&self) -> String {
        format!("exec {}", self.words.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Started> {
        let Some((name, command)) = self.words.split_first() else { return Err(Error::invalid("exec needs a container and a command")) };
        if name.starts_with('-') {
            return Err(Error::invalid(format!("unknown option {name}")).hint("`kapal exec --help` lists the options"));
        }
        let shell = ["sh".to_owned()];
        let command = match command {
            [] if self.toolbox.is_some() => &shell,
            [] => return Err(Error::invalid("exec needs a command").hint(format!("such as `kapal exec -it {name} sh`"))),
            given => given,
        };
        if self.workdir.as_ref().is_some_and(|dir| !dir.starts_with('/')) {
            return Err(Error::invalid("-w: expected an absolute path"));
        }
        let mut env = Vec::new();
        for file in &self.env_file {
            env.extend(values::file_lines("--env-file", file)?);
        }
        env.extend(self.env.iter().cloned());
        let env = env
            .into_iter()
            .filter_map(|entry| if entry.contains('=') { Some(entry) } else { std::env::var(&entry).ok().map(|value| format!("{entry}={value}")) })
            .collect();
        let monitor = context.engine.foresee();
        let container = context.engine.container(name)?;
        let options = ExecOptions {
            args: command.to_vec(),
            env,
            user: self.user,
            workdir: self.workdir,
            tty: self.tty,
            stdin: self.interactive && !self.detach,
            privileged: self.privileged,
            toolbox: self.toolbox.map(shell::toolbox).transpose()?,
            size: self.size,
        };
        let (id, console) = context.engine.exec(&container, options, self.detach, monitor).await?;
        context.engine.tell(&container, "exec_start", &[("execID", id.clone())]);
        Ok(Started { id, console })
    }
}
