//! The command: found as its own shell would find it, and executed.

use crate::execdriver::StartError;
use oci_spec::runtime::Process;
use std::ffi::CString;
use std::io;
use std::os::fd::BorrowedFd;

/// A command, ready to be executed.
#[derive(Debug)]
pub struct Command {
    name: String,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    path: String,
}

impl Command {
    /// Reads the specification's process.
    pub fn new(process: &Process) -> Result<Self, StartError> {
        let strings = |texts: &Option<Vec<String>>, what: &str| -> Result<Vec<CString>, StartError> {
            texts
                .iter()
                .flatten()
                .map(|text| CString::new(text.as_str()).map_err(|_| StartError::Failed(format!("{what} {text:?} holds a NUL byte"))))
                .collect()
        };
        let arguments = strings(process.args(), "the argument")?;
        let name = process.args().iter().flatten().next().cloned().unwrap_or_default();
        if name.is_empty() {
            return Err(StartError::NotFound("no command specified".to_owned()));
        }
        let environment = strings(process.env(), "the variable")?;
        let path = process.env().iter().flatten().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or_default().to_owned();
        Ok(Self { name, arguments, environment, path })
    }

    /// Becomes the command; returns only why not.
    pub fn execute(&self) -> Result<std::convert::Infallible, StartError> {
        if self.name.contains('/') {
            return Err(self.refused(&self.attempt(&self.name), &self.name));
        }
        let mut denied = None;
        for folder in self.path.split(':') {
            let candidate = if folder.is_empty() { format!("./{}", self.name) } else { format!("{folder}/{}", self.name) };
            let error = self.attempt(&candidate);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                // A later folder may hold one that can be executed.
                Some(libc::EACCES) => denied = Some((error, candidate)),
                _ => return Err(self.refused(&error, &candidate)),
            }
        }
        match denied {
            Some((error, candidate)) => Err(self.refused(&error, &candidate)),
            None => Err(StartError::NotFound(format!("exec: {:?}: executable file not found in $PATH", self.name))),
        }
    }

    /// Becomes a program that was brought along, under the command's name; returns only why not.
    pub fn execute_brought(&self, program: BorrowedFd<'_>) -> Result<std::convert::Infallible, StartError> {
        match nix::unistd::execveat(program, c"", &self.arguments, &self.environment, nix::fcntl::AtFlags::AT_EMPTY_PATH) {
            Ok(never) => match never {},
            Err(error) => Err(StartError::Failed(format!("exec: {:?}: the program brought along cannot be executed: {error}", self.name))),
        }
    }

    fn attempt(&self, path: &str) -> io::Error {
        match CString::new(path) {
            Ok(path) => match nix::unistd::execve(&path, &self.arguments, &self.environment) {
                Ok(never) => match never {},
                Err(error) => io::Error::from(error),
            },
            Err(_) => io::Error::from_raw_os_error(libc::ENOENT),
        }
    }

    fn refused(&self, error: &io::Error, path: &str) -> StartError {
        let name = &self.name;
        match error.raw_os_error() {
            Some(libc::ENOENT) if std::path::Path::new(path).exists() => {
                StartError::NotFound(format!("exec: {name:?}: its interpreter or loader is not there in the container"))
            }
            Some(libc::ENOENT | libc::ENOTDIR) => StartError::NotFound(format!("exec: {name:?}: stat {path}: no such file or directory")),
            Some(libc::EACCES) if std::path::Path::new(path).is_dir() => StartError::NotExecutable(format!("exec: {name:?}: is a directory")),
            Some(libc::EACCES) => StartError::NotExecutable(format!("exec: {name:?}: permission denied")),
            Some(libc::ENOEXEC) => StartError::NotExecutable(format!("exec: {name:?}: exec format error (is it a program for this machine?)")),
            _ => StartError::NotExecutable(format!("exec: {name:?}: {error}")),
        }
    }
}
