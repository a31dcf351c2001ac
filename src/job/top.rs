//! `top`: the processes of a container.

use clap::Args;

/// Show the processes of a container
#[derive(Args, Clone, Debug)]
pub struct Top {
    /// Container
    pub container: String,
    /// Columns, as ps names them: -o pid,ppid,user,args
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTIONS")]
    pub options: Vec<String>,
}
